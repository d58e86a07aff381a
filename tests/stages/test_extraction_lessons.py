"""Relations and events as lessons: taught on rows, asked through the front door, with what cannot be a row refused."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from tests.stages.test_heads import put, read, teach, write_encoder

from langwright.data.reading import Reader
from langwright.data.schemas import RelationRow
from langwright.data.settings import ReadSettings
from langwright.errors import UserError
from langwright.runlog import RunLog
from langwright.tasks.classification import ClassificationOutput
from langwright.tasks.events import EventsOutput
from langwright.tasks.front.loading import load
from langwright.tasks.relation import RelationOutput
from langwright.workspace import Workspace

numbers = random.Random(5)


def relation() -> dict[str, Any]:
    """Two places around a sign: 山 says that they are near, 人 that they are far, a letter says nothing."""
    (sign, label), turned = numbers.choice([("山", "near"), ("人", "far"), ("g", "none")]), numbers.random() < 0.5
    filler = "".join(numbers.choices("abcdefgh", k=3))
    text, places = f"北京 {sign} 上海 {filler}", [[0, 2], [5, 7]]
    return {"text": text, "first": places[turned], "second": places[not turned], "label": label}


def event() -> dict[str, Any]:
    """国 is the trigger of a move; the places before and behind it are where from and where to."""
    one, two = numbers.sample(["北京", "上海"], 2)
    filler = "".join(numbers.choices("abcdefgh", k=3))
    text = f"{filler} {one}国{two}"
    at = len(filler) + 1
    return {"text": text, "spans": [[at, at + 2, "move.from"], [at + 2, at + 3, "move"], [at + 3, at + 5, "move.to"]]}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("extraction")
    write_encoder(folder / "encoder", more="@#")
    write_encoder(folder / "bare")
    workspace = Workspace(folder)
    for name, schema, make in (("relations", "relation", relation), ("events", "tagging", event)):
        rows = [{**make(), "id": f"{name}{number}"} for number in range(120)]
        (folder / f"{name}.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
        read(workspace, name, schema)
    return workspace


@pytest.mark.spec(
    "AP8", "a head is taught which relation holds between two marked things and asked for every ordered pair"
)
def test_relations_are_taught_and_asked_both_ways(world: Workspace) -> None:
    made = teach(world, "relations", "relating", task="relation", steps=200, learning_rate=0.002, batch_rows=16)
    with load(made.path) as model:
        assert "relation" in model.abilities
        found = model.do("relation", "北京 山 上海 abc", things=("北京", "上海"))
        assert isinstance(found, RelationOutput) and found.solver == "head"
        assert found.lines() == ["北京 – near – 上海", "上海 – near – 北京"]
        assert all(one.probability is not None and one.probability > 0.5 for one in found.relations)
        assert model.do("relation", "北京 g 上海 abc", things=("北京", "上海")).relations == ()  # type: ignore[attr-defined]
        with pytest.raises(UserError, match="no label called"):
            model.do("relation", "北京 山 上海 abc", things=("北京", "上海"), labels=("beside",))


def test_marks_that_a_vocabulary_cannot_tell_apart_are_refused(world: Workspace) -> None:
    with pytest.raises(UserError, match="cannot tell @ from #"):
        teach(world, "relations", "never", model="bare", task="relation", steps=1)


@pytest.mark.spec("AP9", "a tagger is taught triggers and roles, and gives whole events with offsets")
def test_events_are_taught_and_put_together(world: Workspace) -> None:
    made = teach(world, "events", "happening", task="events", steps=60, learning_rate=0.01, batch_rows=16, **{"tags.kind": "crf"})  # fmt: skip
    with load(made.path) as model:
        found = model.do("events", "abc 上海国北京")
        assert isinstance(found, EventsOutput)
        (one,) = found.events
        assert (one.type, one.trigger.text, one.trigger.start) == ("move", "国", 6)
        assert {(part.role, part.quote.text) for part in one.participants} == {("from", "上海"), ("to", "北京")}


@pytest.mark.spec("DM9", "a head reads a text longer than its context in parts, each counted by its length")
def test_a_long_text_is_labelled_in_parts(world: Workspace) -> None:
    put(world, "signs", "classification", [{"text": f"{'山' if i % 2 else '人'}a{i % 7}b", "label": "up" if i % 2 else "down"} for i in range(80)])  # fmt: skip
    made = teach(world, "signs", "labelling", task="classification", steps=60, learning_rate=0.01, batch_rows=16, length=16)  # fmt: skip
    text = "山a。" * 2 + "人b。" * 12  # it begins with what little of it says
    with load(made.path) as model:
        beginning, whole = (model.do("classification", text, whole=whole) for whole in (False, True))
    assert isinstance(beginning, ClassificationOutput) and isinstance(whole, ClassificationOutput)
    assert beginning.truncated and not whole.truncated
    assert whole.label == "down"
    assert whole.probabilities["down"] > beginning.probabilities["down"]


def rows_of(folder: Path, record: dict[str, Any]) -> list[RelationRow]:
    (folder / "t.jsonl").write_text(json.dumps(record))
    settings = ReadSettings(schema_name="relation")
    return [found.row for found in Reader(settings, RunLog(None)).rows([folder / "t.jsonl"])]  # type: ignore[misc]


def test_rows_in_the_shapes_in_which_others_publish_them(tmp_path: Path) -> None:
    right = (0, 3, 10, 14, "leads")
    for record in (
        {"text": "Ann leads Acme", "first": [0, 3], "second": [10, 14], "label": "leads"},
        {
            "text": "Ann leads Acme",
            "head": {"start": 0, "end": 3},
            "tail": {"start": 10, "end": 14},
            "relation": "leads",
        },
        {
            "text": "Ann leads Acme",
            "h": {"text": "Ann", "start": 0},
            "t": {"text": "Acme", "start": 10},
            "label": "leads",
        },
    ):
        (row,) = rows_of(tmp_path, record)
        assert (row.first_start, row.first_end, row.second_start, row.second_end, row.label) == right


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"text": "Ann leads", "first": [0, 3], "second": [2, 5], "label": "x"}, "the two things of it overlap"),
        ({"text": "Ann leads", "first": [0, 30], "second": [4, 9], "label": "x"}, "outside the text"),
        ({"text": "Ann leads", "first": "Ann", "second": [4, 9], "label": "x"}, "not written as start"),
        ({"text": "Ann leads", "first": [0, 3], "second": [4, 9], "label": ""}, "label"),
    ],
)
def test_what_cannot_be_a_row(tmp_path: Path, record: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words):
        rows_of(tmp_path, record)
