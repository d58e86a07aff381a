"""An encoder that is taught summaries quotes the stretch that says most, and is told from one that was taught questions."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from tests.stages.test_heads import read, teach, write_encoder

from langwright.runlog import Warned, read_events
from langwright.tasks.headed import taught_by_class
from langwright.tasks.loading import load
from langwright.tasks.summarization import SummaryOutput
from langwright.workspace import Workspace

numbers = random.Random(2)


def row(number: int) -> dict[str, str]:
    """What stands behind 国 says most."""
    words = ["".join(numbers.choices("abcdefgh", k=3)) for _ in range(8)]
    place = numbers.randrange(6)
    return {"id": f"r{number}", "text": " ".join([*words[:place], "国", *words[place:]]), "summary": " ".join(words[place : place + 2])}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("quoting")
    write_encoder(folder / "encoder")
    rows = [*[row(number) for number in range(200)], {"id": "apart", "text": "abc", "summary": "山"}]
    (folder / "sums.jsonl").write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in rows))
    workspace = Workspace(folder)
    read(workspace, "sums", "summary")
    return workspace


@pytest.mark.spec("AP15", "an encoder learns which stretch of a text says most, and quotes it with its place")
def test_the_stretch_is_learned_and_quoted(world: Workspace) -> None:
    made = teach(
        world, "sums", "titler", task="summarization", steps=200, learning_rate=3e-3, batch_rows=16, dropout=0.0
    )
    events = list(read_events(made.path / "run" / "events.jsonl"))
    assert any(isinstance(event, Warned) and event.values.get("count") == 1 for event in events)
    with load(made.path) as model:
        assert model.abilities["summarization"] == "head" and "qa" not in model.abilities
        rows = [row(number) for number in range(40)]
        found = [model.do("summarization", one["text"]) for one in rows]
        assert all(isinstance(one, SummaryOutput) and one.solver == "head" for one in found)
        for one, said in zip(rows, found, strict=True):
            (quote,) = said.sentences
            assert one["text"][quote.start : quote.end] == quote.text == said.text
        assert sum(said.text == one["summary"] for one, said in zip(rows, found, strict=True)) > 25
    assert taught_by_class(made.path) == ("qa",)  # a folder without a card is one for questions


def test_long_texts_are_read_in_windows(world: Workspace) -> None:
    path: Path = world.folder / "titler"
    with load(path) as model:
        filler = " ".join("".join(numbers.choices("abcdefgh", k=3)) for _ in range(120))
        assert model.summarize(f"{filler} 国 cab bad {filler}")
