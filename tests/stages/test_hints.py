"""Hints in tagging and questions: learned, kept with the model, used when it is asked; refused where they cannot be told."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.stages.test_heads import read, teach, write_encoder
from tests.tasks.tiny import write_writer
from transformers import AutoModelForTokenClassification

from langwright.data.hints import Asked, Named
from langwright.errors import UserError
from langwright.models.loading import load_model
from langwright.models.token_types import widen
from langwright.settings import read_settings
from langwright.stages.finetune import FinetuneSettings
from langwright.tasks.front.headed import open_headed
from langwright.workspace import Workspace

numbers = random.Random(5)
LETTERS = "abcdefgh"
POOL = ["".join(numbers.choices(LETTERS, k=4)) for _ in range(60)]
NAMES = {name: "person" if place % 2 else "place" for place, name in enumerate(POOL[:30])}  # the others are plain words


def tagged() -> dict[str, Any]:
    words = numbers.choices(POOL, k=5)
    text, spans = "", []
    for word in words:
        if word in NAMES:
            spans.append([len(text), len(text) + 4, NAMES[word]])
        text += word + " "
    return {"text": text.strip(), "spans": spans}


def asked() -> dict[str, Any]:
    """The word behind the one that is asked for."""
    words = numbers.sample(POOL, 8)
    place = numbers.randrange(7)
    context = " ".join(words)
    return {"question": words[place], "context": context, "answers": [{"text": words[place + 1], "start": 5 * (place + 1)}]}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("hints")
    write_encoder(folder / "encoder")
    write_writer(folder / "decoder")
    workspace = Workspace(folder)
    for schema, make in (("tagging", tagged), ("qa", asked)):
        rows = [{**make(), "id": f"{schema}{number}"} for number in range(150)]
        (folder / f"{schema}.jsonl").write_text("\n".join(json.dumps(one) for one in rows))
        read(workspace, schema, schema)
    return workspace


LEARN = {"steps": 60, "learning_rate": 5e-3, "batch_rows": 16, "dropout": 0.0, "seed": 1, "hints": True}


@pytest.mark.spec("AP7", "names seen in other training rows are told to a tagger as token types, and kept with it")
def test_names_that_only_a_dictionary_can_tell(world: Workspace) -> None:
    """Words are drawn letters, so in 60 steps only the dictionary says which are names."""
    made = teach(world, "tagging", "tagger", task="tagging", **{**LEARN, "tags.kind": "crf"})
    text = " ".join(POOL[20:40:3])
    model = open_headed(made.path)
    right = [(5 * n, 5 * n + 4, NAMES[word]) for n, word in enumerate(text.split()) if word in NAMES]
    assert isinstance(model.encoder.hints, Named) and model.encoder.hints.gazetteer.names.items() <= NAMES.items()
    assert [(one.start, one.end, one.label) for one in model.tag([text])[0]] == right
    untold = replace(model, encoder=replace(model.encoder, hints=None))
    assert [(one.start, one.end, one.label) for one in untold.tag([text])[0]] != right
    config = json.loads((made.path / "config.json").read_text(encoding="utf-8"))
    assert config["type_vocab_size"] == 9 and config["hints"]["labels"] == ["person", "place"]
    assert AutoModelForTokenClassification.from_pretrained(made.path).config.type_vocab_size == 9


@pytest.mark.spec(
    "F4", "which words of a question stand in a passage, and how many around, are told to a reader as token types"
)
def test_where_a_question_stands(world: Workspace) -> None:
    made = teach(world, "qa", "reader", task="qa", **{**LEARN, "steps": 150})
    told = open_headed(made.path)
    assert told.encoder.hints == Asked() and told.model.config.type_vocab_size == 13
    rows = [asked() for _ in range(40)]
    said = [found.text for found in told.answer([(row["question"], row["context"]) for row in rows])]
    right = sum(one == row["answers"][0]["text"] for one, row in zip(said, rows, strict=True))
    untold = replace(told, encoder=replace(told.encoder, hints=None))
    without = [found.text for found in untold.answer([(row["question"], row["context"]) for row in rows])]
    assert right > 25 and right > 5 + sum(one == row["answers"][0]["text"] for one, row in zip(without, rows, strict=True))  # fmt: skip


def test_more_types_change_nothing_until_they_are_learned(world: Workspace) -> None:
    model = load_model(world.folder / "encoder", head="span")
    tokens_BT, types_BT = torch.arange(6, 16)[None], torch.tensor([[0, 0, 0, 1, 1, 1, 1, 1, 1, 1]])
    before_BT = model(input_ids=tokens_BT, token_type_ids=types_BT).start_logits
    assert widen(model, 13, like=1)
    after_BT = model(input_ids=tokens_BT, token_type_ids=torch.tensor([[0, 0, 0, 1, 2, 3, 12, 7, 8, 1]])).start_logits
    torch.testing.assert_close(after_BT, before_BT, rtol=0, atol=0)
    assert model.config.type_vocab_size == 13
    assert not widen(load_model(world.folder / "decoder", head="span"), 13, like=1)


def test_what_cannot_be_told_is_refused(world: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="hints are for tagging and qa"):
        read_settings(FinetuneSettings, given={"task": "classification", "hints": True})
    with pytest.raises(UserError, match="hints are for tagging and qa"):
        read_settings(FinetuneSettings, given={"task": "qa", "hints": True, "method.kind": "lora"})
    with pytest.raises(UserError, match="has none"):
        teach(world, "qa", "refused", model="decoder", task="qa", **LEARN)
    assert not (world.folder / "refused").exists()
