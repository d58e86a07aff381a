"""What goes wrong with what a task is given, through the commands: said plainly, answered where it can be, never half done."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.contract.test_tasks import characters, write_models
from tests.journey.test_bad_input import STEPS, call, refused

FEW = ["--steps", "3", "--set", "batch_rows=4", *STEPS]
WHOLE = ["--set", "split.validation=0"]
GOOD: dict[str, tuple[str, list[dict[str, Any]]]] = {
    "marks": (
        "classification",
        [{"text": f"{day} {n}", "label": mark} for day, mark in (("good day", "yes"), ("bad night", "no")) for n in range(6)],
    ),
    "asked": (
        "qa",
        [{"question": "who?", "context": f"Ann met {n}", "answers": [{"text": "Ann", "start": 0}]} for n in range(8)],
    ),
    "names": (
        "tagging",
        [{"text": f"Ann met {n}", "spans": [{"start": 0, "end": 3, "label": "who"}]} for n in range(8)],
    ),
}  # fmt: skip


def put(name: str, schema: str, rows: Sequence[dict[str, Any]], *more: str) -> tuple[int, dict[str, Any]]:
    """Rows in a file, read into a dataset."""
    Path(f"{name}.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return call("data", "read", f"{name}.jsonl", name, "--schema", schema, *WHOLE, *more)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A classifier, a reader and a tagger that learned a few English rows in three updates."""
    folder, before = tmp_path_factory.mktemp("tasks"), Path.cwd()
    os.chdir(folder)
    torch.manual_seed(0)
    write_models(folder, characters())
    for name, (schema, rows) in GOOD.items():
        assert put(name, schema, rows)[0] == 0
    for data, out, task in (("marks", "labeller", "classification"), ("asked", "reader", "qa"), ("names", "tagger", "tagging")):  # fmt: skip
        code, said = call("finetune", "encoder", data, out, "--task", task, *FEW)
        assert code == 0, said
    Path("blank.txt").write_text(" \n")
    yield folder
    os.chdir(before)


def warnings_of(made: str) -> list[str]:
    """What a finished run warned of."""
    events = [json.loads(line) for line in Path(made, "run", "events.jsonl").read_text().splitlines()]
    return [event["message"].format(**event["values"]) for event in events if event["event"] == "warned"]


@pytest.mark.spec(
    "AP1",
    "a text of a megabyte is labelled by its beginning; longer ones than a row are tagged and searched to their end",
)
def test_a_megabyte(world: Path) -> None:
    size = 1 << 20
    text = "a good day. " * (size // 12) + "Ann met Bob at last."
    (world / "big.txt").write_text(text)
    code, said = call("predict", "labeller", "classification", "@big.txt")
    assert code == 0 and said["truncated"]
    first = call("predict", "labeller", "classification", text[:1000])[1]
    assert said["probabilities"] == pytest.approx(first["probabilities"], abs=1e-6)
    (world / "long.txt").write_text(text[-(size // 32) :])
    for words in (["tagger", "tagging", "@long.txt"], ["reader", "qa", "who?", "--with", "@long.txt"]):
        assert call("predict", *words)[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        ["labeller", "classification", "@blank.txt"],
        ["tagger", "tagging", "@blank.txt"],
        ["reader", "qa", "@blank.txt", "--with", "Ann met Bob"],
        ["reader", "qa", "who?", "--with", "@blank.txt"],
        ["keywords", "@blank.txt"],
    ],
)
def test_nothing_to_read_is_refused(world: Path, words: list[str]) -> None:
    refused(world, ["predict", *words])


def test_labels_that_a_head_never_learned(world: Path) -> None:
    for words in (["labeller", "classification", "hi", "--labels", "yes,perhaps"], ["tagger", "tagging", "hi", "--labels", "where"]):  # fmt: skip
        english, _ = refused(world, ["predict", *words])
        assert "yes" in english["fix"] or "who" in english["fix"]
    english, _ = refused(world, ["predict", "labeller", "sentiment", "a good day"])
    assert "no, yes" in english["problem"] and "--task sentiment" in english["fix"]


def test_rows_with_labels_that_a_head_never_learned(world: Path) -> None:
    assert put("others", "classification", [*GOOD["marks"][1][:4], {"text": "so so", "label": "perhaps"}])[0] == 0
    assert call("evaluate", "labeller", "others", "others-measured")[0] == 0
    assert any("1 rows" in said and "perhaps" in said for said in warnings_of("others-measured"))


@pytest.mark.spec("AP1", "a text in a language that the model never saw is answered with a warning")
@pytest.mark.parametrize(
    ("words", "warned"),
    [
        (["labeller", "classification", "今天天气很好"], "Chinese characters"),
        (["labeller", "classification", "Хороший день"], "Cyrillic letters"),
        (["labeller", "classification", "a good day"], ""),
        (["labeller", "classification", "12:30"], ""),
        (["encoder", "embedding", "Хороший"], "100%"),  # without a card, by what the vocabulary lacks
        (["encoder", "embedding", "今天天气很好"], ""),
    ],
)
def test_a_language_never_seen(world: Path, words: list[str], warned: str) -> None:
    code, said = call("predict", *words)
    assert code == 0
    assert [warned in one for one in said.get("warnings", [])] == ([True] if warned else [])


def test_ids_that_come_again(world: Path) -> None:
    assert put("twins", "classification", [row | {"id": "same"} for row in GOOD["marks"][1][::3]])[0] == 0
    assert warnings_of("twins") == ["3 rows have the id of a row before them"]
    assert call("evaluate", "labeller", "twins", "twins-measured")[0] == 0
    items = [json.loads(line) for line in Path("twins-measured", "items.jsonl").read_text().splitlines()]
    assert len({item["name"] for item in items}) == 4  # what tells rows apart is not the id alone


@pytest.mark.parametrize(
    ("schema", "row", "named"),
    [
        ("qa", {"question": "who?", "context": "Ann met Bob", "answers": [{"text": "Carl", "start": 0}]}, "Carl"),
        ("qa", {"question": "who?", "answers": [{"text": "Ann", "start": 0}]}, "context"),
        ("classification", {"sentence": "good", "labl": "yes"}, "'labl'"),
        ("tagging", {"text": "Ann", "spans": [{"start": 0, "end": 9, "label": "who"}]}, "outside"),
        ("translation", {"text": "Ann", "source_language": "en"}, "translation"),
    ],
)
def test_rows_that_cannot_be_learned_from(world: Path, schema: str, row: dict[str, Any], named: str) -> None:
    Path("bad.jsonl").write_text(json.dumps(row))
    english, _ = refused(world, ["data", "read", "bad.jsonl", "bad", "--schema", schema])
    assert named in english["problem"]


def test_one_class_is_nothing_to_learn(world: Path) -> None:
    assert put("same", "classification", [{"text": f"day {n}", "label": "yes"} for n in range(6)])[0] == 0
    english, _ = refused(world, ["finetune", "encoder", "same", "out", "--task", "classification", *FEW])
    assert "yes" in english["problem"]


def test_targets_longer_than_a_row_are_cut_and_counted(world: Path) -> None:
    rows = [{"text": f"t {n}", "translation": "long " * n * 30, "language": "en", "target_language": "de"} for n in range(1, 5)]  # fmt: skip
    assert put("long", "translation", rows)[0] == 0
    assert call("finetune", "rewriter", "long", "cut", "--task", "translation", *FEW)[0] == 0
    assert "3 of 4 examples are longer than a row and were cut" in warnings_of("cut")
