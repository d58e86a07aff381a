"""Tags as a row and in layers, taught and asked: overlapping spans come back, the row's weights are saved with the head."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.stages.test_heads import put, read, teach, write_encoder
from transformers import AutoModelForTokenClassification

from langwright.errors import UserError
from langwright.models.chain import Chain, chain_of
from langwright.objectives.tag_settings import Crf
from langwright.runlog import Warned, read_events
from langwright.settings import read_settings
from langwright.stages.finetune import FinetuneSettings
from langwright.tasks.front.headed import open_headed
from langwright.workspace import Workspace

numbers = random.Random(3)


def row() -> dict[str, Any]:
    """A firm named after a place, with the place inside it; or a place alone; a person behind either."""
    place, person = numbers.choice(["北京", "上海"]), numbers.choice("山人")
    firm = numbers.random() < 0.6
    before = "".join(numbers.choices("abcdefgh", k=numbers.randint(1, 4)))
    text = f"{before} {place}{'国国' if firm else ''} {person}g"
    at = text.index(place)
    spans = [[at, at + 2, "place"], [text.index(person + "g"), text.index(person + "g") + 1, "person"]]
    return {"text": text, "spans": [*spans, [at, at + 4, "firm"]] if firm else spans}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("tags")
    write_encoder(folder / "encoder")
    rows = [{**row(), "id": f"r{number}"} for number in range(120)]
    (folder / "nested.jsonl").write_text("\n".join(json.dumps(one, ensure_ascii=False) for one in rows))
    workspace = Workspace(folder)
    read(workspace, "nested", "tagging")
    return workspace


LEARN = {"task": "tagging", "steps": 80, "learning_rate": 0.01, "batch_rows": 16}
TEXT = "abc 北京国国 人g"


def said(path: Path) -> list[tuple[int, int, str]]:
    return [(span.start, span.end, span.label) for span in open_headed(path).tag([TEXT])[0]]


@pytest.mark.spec(
    "AP7", "spans inside spans are learned in layers, one for each label, and come back whole with offsets"
)
def test_layers_find_a_place_inside_a_firm(world: Workspace) -> None:
    made = teach(world, "nested", "layers", **LEARN, **{"tags.kind": "nested"})
    assert said(made.path) == [(4, 8, "firm"), (4, 6, "place"), (9, 10, "person")]
    assert made.card is not None
    (f1,) = [one.value for one in made.card.results if one.name == "validation entity F1"]
    assert f1 > 0.9


@pytest.mark.spec(
    "AP7", "with a conditional random field the likeliest row of tags is given, and the field is saved with the head"
)
def test_the_field_is_trained_saved_and_used(world: Workspace) -> None:
    made = teach(world, "nested", "field", **LEARN, **{"tags.kind": "crf"})
    left_out = [event for event in read_events(made.path / "run" / "events.jsonl") if isinstance(event, Warned) and "reach into" in event.message]  # fmt: skip
    assert left_out[0].values["count"] > 20  # the places inside firms: of two spans the longer is kept
    assert said(made.path) == [(4, 8, "firm"), (9, 10, "person")]
    opened = open_headed(made.path)
    field = chain_of(opened.model)
    assert all(weight.abs().sum() > 0 for weight in field.parameters())
    # transformers' own class opens the same folder, without the field
    plain = AutoModelForTokenClassification.from_pretrained(made.path)
    assert not any("chain" in name for name, _ in plain.named_parameters())
    # what is used is what was saved: another field, another answer
    with torch.no_grad():
        field.behind_CC.zero_()
        field.first_C.zero_()
        field.first_C[opened.labels.index("B-person")] = 100.0
    assert opened.tag([TEXT])[0][0].label == "person"


def test_a_field_beside_an_adapter_is_saved_with_it(world: Workspace) -> None:
    given = {**LEARN, "steps": 20, "tags.kind": "crf", "method.kind": "lora", "merge": False}
    made = teach(world, "nested", "adapted", **given)
    assert (made.path / "adapters" / "tagging").is_dir()
    trained = chain_of(open_headed(made.path).model)
    assert trained.first_C.abs().sum() > 0


def test_a_field_goes_on_learning_where_it_stopped(world: Workspace) -> None:
    first = teach(world, "nested", "begun", **{**LEARN, "steps": 10}, **{"tags.kind": "crf"})
    again = teach(world, "nested", "more", model="begun", **{**LEARN, "steps": 1, "learning_rate": 1e-9}, **{"tags.kind": "crf"})  # fmt: skip
    one, other = (chain_of(open_headed(made.path).model) for made in (first, again))
    torch.testing.assert_close(one.behind_CC, other.behind_CC)
    flat = teach(world, "nested", "flat", model="begun", **{**LEARN, "steps": 1})
    with pytest.raises(KeyError):
        chain_of(open_headed(flat.path).model)


def test_spans_of_one_label_that_overlap_are_counted(world: Workspace) -> None:
    put(world, "twice", "tagging", [{"text": f"北京国国 {i}", "spans": [[0, 4, "x"], [0, 2, "x"]]} for i in range(12)])
    made = teach(world, "twice", "twice-taught", task="tagging", steps=1, **{"tags.kind": "nested"})
    told = [event for event in read_events(made.path / "run" / "events.jsonl") if isinstance(event, Warned)]
    assert any("cannot be found exactly" in event.message for event in told)


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        ({"task": "classification", "tags.kind": "crf"}, "task = classification has none"),
        ({"task": "tagging", "tags.kind": "crf", "loss.kind": "focal"}, "loss.kind = focal counts single ones"),
        ({"task": "tagging", "tags.kind": "nested", "loss.kind": "focal", "loss.weights": "balanced"}, "weighs tags"),
    ],
)
def test_forms_that_do_not_go_with_the_rest(sets: dict[str, str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        read_settings(FinetuneSettings, sets=[f"{key}={value}" for key, value in sets.items()])


def test_the_form_is_a_setting() -> None:
    assert read_settings(FinetuneSettings, sets=["task=tagging", "tags.kind=crf"]).tags == Crf()
    assert isinstance(Chain(("O",)), torch.nn.Module)
