"""An encoder that is taught summaries quotes the sentence or clause that says most, with its place."""

from __future__ import annotations

import json
import random

import pytest
from tests.stages.test_heads import read, teach, write_encoder

from langwright.data.schemas import SummaryRow
from langwright.stages.lessons.quoting import rated
from langwright.tasks.front.loading import load
from langwright.tasks.summarization import SummaryOutput
from langwright.workspace import Workspace

numbers = random.Random(2)


def sentence(mark: str = "") -> str:
    return " ".join([*filter(None, [mark]), *("".join(numbers.choices("abcdefgh", k=3)) for _ in range(3))])


def row(number: int) -> dict[str, str]:
    """The sentence that begins with 国 is the summary."""
    told, others = sentence("国"), [sentence() for _ in range(4)]
    place = numbers.randrange(5)
    return {"id": f"r{number}", "text": ". ".join([*others[:place], told, *others[place:]]) + ".", "summary": told}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("quoting")
    write_encoder(folder / "encoder", more=".")
    (folder / "sums.jsonl").write_text("\n".join(json.dumps(row(n), ensure_ascii=False) for n in range(120)))
    workspace = Workspace(folder)
    read(workspace, "sums", "summary")
    return workspace


def test_pieces_are_rated_by_the_words_they_share() -> None:
    """Of "a b. c d, e." with summary "a b c": ab 4/5, "c d" 2/5, "c d, e" 2/6; "e" alone is too short."""
    found = {one.text: one.score for one in rated(SummaryRow(id="r", text="a b. c d, e.", summary="a b c"))}
    assert found == pytest.approx({"a b": 4 / 5, "c d": 2 / 5, "c d, e": 2 / 6})


@pytest.mark.spec("AP15", "an encoder learns which sentence of a text says most, and quotes it with its place")
def test_what_says_most_is_learned_and_quoted(world: Workspace) -> None:
    made = teach(
        world, "sums", "titler", task="summarization", steps=60, learning_rate=3e-3, batch_rows=32, dropout=0.0
    )
    with load(made.path) as model:
        assert model.abilities["summarization"] == "head" and "regression" not in model.abilities
        rows = [row(number) for number in range(30)]
        found = [model.do("summarization", one["text"]) for one in rows]
        for one, said in zip(rows, found, strict=True):
            assert isinstance(said, SummaryOutput) and said.solver == "head"
            (quote,) = said.sentences
            assert one["text"][quote.start : quote.end] == quote.text == said.text
        assert sum(said.text == one["summary"] for one, said in zip(rows, found, strict=True)) > 25
        assert model.summarize("雨")  # a text without pieces is its own
