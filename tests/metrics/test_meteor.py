"""Stems against nltk's, METEOR by its definition."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langwright.metrics.meteor import TUNED, align, meteor, meteor_scores
from langwright.metrics.stemming import stem

ENDS = ("", "s", "ed", "ing", "er", "ation", "ational", "iveness", "ably", "ies", "sses", "eed", "ion", "ement", "ical", "ll", "y", "e")  # fmt: skip
words = st.builds(lambda start, end: start + end, st.text("abtlsyeio", min_size=1, max_size=6), st.sampled_from(ENDS))


@given(words)
@settings(max_examples=400, deadline=None)
def test_stems_are_porters(word: str) -> None:
    """From three letters on; shorter ones stay, as in Porter's own program."""
    porter = pytest.importorskip("nltk.stem.porter").PorterStemmer
    assert len(word) < 3 or stem(word) == porter(mode=porter.ORIGINAL_ALGORITHM).stem(word)


def test_stems_as_published() -> None:
    """Examples of Porter 1980."""
    pairs = ["caresses", "caress", "ponies", "poni", "cats", "cat", "agreed", "agre", "plastered", "plaster", "motoring", "motor", "conflated", "conflat", "hopping", "hop", "falling", "fall", "filing", "file", "happy", "happi", "sky", "sky", "relational", "relat", "conditional", "condit", "vietnamization", "vietnam", "formalize", "formal", "electrical", "electr", "hopefulness", "hope", "revival", "reviv", "adjustment", "adjust", "adoption", "adopt", "probate", "probat", "cease", "ceas", "controlling", "control"]  # fmt: skip
    assert {word: stem(word) for word in pairs[::2]} == dict(zip(pairs[::2], pairs[1::2], strict=True))
    assert stem("天气") == "天气" and stem("café") == "café"


def test_by_hand() -> None:
    right = "the cat sat on the mat"
    assert meteor(right, [right]) == pytest.approx(1 - 0.5 / 6**3)  # one chunk of six
    # P 6/7, R 1: F = 10·(6/7) / (1 + 9·6/7); two chunks of six
    assert meteor("the cat was sat on the mat", [right]) == pytest.approx(0.9836 * (1 - 0.5 / 27), abs=1e-4)
    assert align(["on", "the", "mat", "sat", "the", "cat"], right.split()) == (6, 3)
    assert align(["a", "run"], ["runs", "a", "run"]) == (2, 1)  # what is matched as it stands is not matched again
    assert meteor("cats sitting", ["cat sits"]) == pytest.approx(1 - 0.5 / 8)  # by stems
    assert meteor("dog", ["cat"]) == meteor("", ["cat"]) == 0
    assert meteor("好天气", ["天气很好"]) == pytest.approx(10 * 0.75 / (0.75 + 9 * 1) * (1 - 0.5 * (2 / 3) ** 3))


def test_recall_weighs_more_than_precision_and_order_counts() -> None:
    long, short = "a b c d e f", "a b c"
    assert meteor(long, [short]) > meteor(short, [long])
    assert meteor("a b c d", ["a b c d"]) > meteor("d c b a", ["a b c d"])
    assert meteor("a b", ["a b"], TUNED) == pytest.approx(1 - 0.28 * 0.5**0.83)


def test_over_texts() -> None:
    found = meteor_scores(["a", "x"], [["b", "a"], ["y"]])
    assert found.value == pytest.approx(0.25) and "synonyms" in found.does_not_show and "alpha 0.9" in found.method
    with pytest.raises(ValueError, match="1 texts for 0"):
        meteor_scores(["a"], [])
