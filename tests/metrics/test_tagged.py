"""Tags read to the letter and as conlleval reads them."""

from __future__ import annotations

import pytest

from langwright.metrics.tagged import strict_spans_of, tagged_scores


@pytest.mark.spec("EV1", "entity F1 of tags to the letter and as conlleval reads them, which differ on broken tags")
@pytest.mark.parametrize(
    ("predicted", "right", "strict", "conlleval"),
    [
        ("O O B-M I-M I-M I-M O", "O O O B-M I-M I-M O", 0, 0),  # seqeval's first example
        ("B-P I-P O", "B-P I-P O", 1, 1),
        ("I-N I-N O", "B-N I-N O", 0, 1),  # an entity that does not begin
        ("B-N I-L", "B-N O", 1, 2 / 3),  # what goes on with another label begins one, or is nothing
        ("B-N B-N", "B-N I-N", 0, 0),
        ("O I-N", "O O", 0, 0),
        ("B-N O I-N", "B-N O B-N", 2 / 3, 1),
    ],
)
def test_by_hand(predicted: str, right: str, strict: float, conlleval: float) -> None:
    got = tagged_scores([predicted.split()], [right.split()])
    assert [measure.value for measure in got] == pytest.approx([strict, conlleval])


def test_together_as_seqeval_says() -> None:
    predicted = [["O", "O", "B-MISC", "I-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]
    right = [["O", "O", "O", "B-MISC", "I-MISC", "I-MISC", "O"], ["B-PER", "I-PER", "O"]]
    assert [measure.value for measure in tagged_scores(predicted, right)] == [0.5, 0.5]


def test_what_is_read_to_the_letter() -> None:
    assert list(strict_spans_of(["I-a", "B-a", "I-a", "I-b", "B-b", "O", "B-a"])) == [
        (1, 3, "a"),
        (4, 5, "b"),
        (6, 7, "a"),
    ]
    with pytest.raises(ValueError, match="other lengths"):
        tagged_scores([["O"]], [["O", "O"]])
