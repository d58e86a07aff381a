"""Encoders pre-trained and taught as stages: real runs of very small models, killed, resumed, opened by transformers."""

from __future__ import annotations

import json
import random

import pytest
import torch
from tests.stages.test_training_stages import (
    EN,
    OPTIONS,
    ZH,
    assert_identical,
    kill_and_resume,
    make,
    run_process,
    weights,
)
from transformers import AutoModelForMaskedLM, AutoTokenizer

from langwright.errors import UserError
from langwright.runlog import Sampled, Stepped, read_events
from langwright.workspace import Workspace


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A workspace with a text dataset, labelled texts and a tokenizer."""
    folder = tmp_path_factory.mktemp("encoders")
    numbers = random.Random(0)
    texts = [" ".join(numbers.choices(EN, k=4)) for _ in range(60)] + [
        "".join(numbers.choices(ZH, k=4)) for _ in range(60)
    ]
    (folder / "text.jsonl").write_text("\n".join(json.dumps({"text": t}, ensure_ascii=False) for t in texts))
    labelled = [
        {"text": f"{numbers.choice(EN) if i % 2 else numbers.choice(ZH)} {i}", "label": "english" if i % 2 else "中文"}
        for i in range(80)
    ]
    (folder / "labels.jsonl").write_text("\n".join(json.dumps(t, ensure_ascii=False) for t in labelled))
    workspace = Workspace(folder)
    make(workspace, "data-read", {"source": ["text.jsonl"]}, "text")
    make(workspace, "data-read", {"source": ["labels.jsonl"]}, "labels", schema_name="classification")
    make(workspace, "tokenizer-train", {"dataset": ["text"]}, "tok", vocab_size=400)
    return workspace


def pretrain(world, out, **settings):
    options = {"preset": "bert-tiny", "length": 32, "steps": 12, "batch_rows": 8, "dtype": "float32", **settings}
    return make(world, "pretrain", {"dataset": ["text"], "tokenizer": ["tok"]}, out, **options)


@pytest.fixture(scope="module")
def bert(world):
    return pretrain(world, "bert", steps=80, learning_rate=3e-3, length=64)


@pytest.mark.spec(
    "P2",
    "a masked language model is pre-trained from the same token store, its loss falls, and what it puts in a blank is text",
)
def test_a_masked_model_learns_and_is_a_plain_hugging_face_folder(world, bert):
    steps = [e for e in read_events(bert.path / "run" / "events.jsonl") if isinstance(e, Stepped)]
    assert steps[-1].loss < steps[0].loss - 1
    model, tokenizer = AutoModelForMaskedLM.from_pretrained(bert.path), AutoTokenizer.from_pretrained(bert.path)
    assert type(model).__name__ == "BertForMaskedLM"
    ids = tokenizer("The river bends twice before it reaches the old bridge", return_tensors="pt")["input_ids"]
    assert (ids[0, 0], ids[0, -1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
    ids[0, 3] = tokenizer.mask_token_id
    with torch.no_grad():
        logits = model(input_ids=ids).logits
    seen_often = set(tokenizer("".join(EN) + "".join(ZH))["input_ids"])
    assert set(logits[0, 3].topk(5).indices.tolist()) <= seen_often
    values = {measure.name: measure for measure in bert.card.results}
    assert values["validation bits per masked token"].unit == "bits/token" and "validation bits per byte" not in values
    assert [a.task for a in bert.card.abilities] == ["fill"]
    said = [e for e in read_events(bert.path / "run" / "events.jsonl") if isinstance(e, Sampled)]
    assert said and all("[MASK]" in e.prompt and "[MASK]" not in e.text for e in said)


@pytest.mark.parametrize("together", ["word", "chinese-word"])
def test_whole_words_are_masked_in_a_run(world, together):
    artifact = pretrain(
        world,
        together,
        steps=3,
        **{"objective.kind": "masked", "objective.together": together, "objective.dynamic": False},
    )
    assert artifact.card.settings["objective"]["together"] == together


MASKED = [o.replace("preset=tiny", "preset=bert-tiny").replace("steps=40", "steps=24") for o in OPTIONS]


@pytest.mark.spec("TR16", "masked language modelling killed with SIGKILL and resumed ends with bit-identical weights")
def test_killed_and_resumed_masked_runs_end_with_identical_weights(world):
    run_process(world, "whole", options=MASKED)
    assert kill_and_resume(world, "killed", kills=1, seed=1, options=MASKED) == 1
    assert_identical(weights(world.folder / "whole"), weights(world.folder / "killed"))


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"preset": "tiny", "objective.kind": "masked"}, "llama family"),
        ({"preset": "bert-tiny", "objective.kind": "next-token"}, "bert family"),
        (
            {"objective.kind": "masked", "objective.as_mask": 0.9, "objective.as_random": 0.2},
            "more than all hidden tokens",
        ),
    ],
)
def test_what_does_not_go_together_is_refused_with_what_would(world, settings, words):
    with pytest.raises(UserError, match=words) as refused:
        pretrain(world, "refused", **settings)
    assert refused.value.problem("zh") != refused.value.problem("en")
    assert not (world.folder / "refused").exists()
