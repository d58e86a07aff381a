"""Encoders pre-trained and taught as stages: real runs of very small models, killed, resumed, opened by transformers."""

from __future__ import annotations

import json
import random

import pytest
import torch
import transformers
from tests.stages.test_training_stages import EN, OPTIONS, ZH, assert_identical, killable, make, weights
from transformers import AutoModelForMaskedLM, AutoTokenizer

from langwright.artifacts import partial_of
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


def pretrain(world, out, listeners=(), toml=(), **settings):
    options = {"preset": "bert-tiny", "length": 32, "steps": 12, "batch_rows": 8, "dtype": "float32", **settings}
    return make(
        world, "pretrain", {"dataset": ["text"], "tokenizer": ["tok"]}, out, listeners=listeners, toml=toml, **options
    )


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
    run = killable(world, MASKED)
    run.run("whole")
    assert run.kill_and_resume("killed", kills=1, seed=1) == 1
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


# --- the other objectives --------------------------------------------------------------------------

KINDS = {
    "masked-pairs": ("bert-tiny", {"objective.relation": "next"}, "BertForPreTraining"),
    "sentence-pairs": ("bert-tiny", {}, "BertForNextSentencePrediction"),
    "replaced": ("electra-tiny", {}, "ElectraForPreTraining"),
    "contrastive": ("bert-tiny", {"dropout": 0.1}, "BertModel"),
}


class Interrupted(Exception):
    """Stands for whatever ends a process."""


def interrupt_after(step):
    def listen(event):
        if isinstance(event, Stepped) and event.step == step:
            raise Interrupted

    return listen


@pytest.mark.parametrize("kind", KINDS)
def test_every_objective_resumes_bit_for_bit_and_its_folder_opens(world, kind):
    preset, settings, architecture = KINDS[kind]
    options = {"preset": preset, "objective.kind": kind, "steps": 5, **settings}
    whole = pretrain(world, f"{kind}-whole", **options)
    with pytest.raises(Interrupted):
        pretrain(world, f"{kind}-cut", listeners=(interrupt_after(3),), **options)
    cut = pretrain(world, f"{kind}-cut", **options)
    steps = [e.step for e in read_events(cut.path / "run" / "events.jsonl") if isinstance(e, Stepped)]
    assert steps == [1, 2, 3, 4, 5]
    assert_identical(weights(whole.path), weights(cut.path))
    model = getattr(transformers, architecture).from_pretrained(cut.path)
    assert type(model).__name__ == cut.card.model.architecture == architecture
    report = {measure.name for measure in cut.card.results}
    assert "validation loss" in report and not any("bits per byte" in name for name in report)


@pytest.mark.parametrize("base", ["bert", "replaced-whole", "contrastive-whole", "masked-pairs-whole"])
@pytest.mark.spec("F1", "a classifier is taught from encoders of our own, with adversarial training around its loss")
def test_encoders_are_taught_to_label(world, bert, base):
    if not (world.folder / base).exists():
        pytest.skip("the test that makes it was left out")
    artifact = make(
        world, "finetune", {"model": [base], "dataset": ["labels"]}, f"labels-{base}", task="classification", steps=40,
        learning_rate=2e-3, batch_rows=16, toml=['around=[{kind="fgm", epsilon=0.01}]'],
    )  # fmt: skip
    values = {measure.name: measure.value for measure in artifact.card.results}
    assert values["validation accuracy"] > 0.8
    from langwright.tasks.front.loading import load

    with load(artifact.path) as model:
        assert model.predict(ZH[0]).label == "中文" and model.predict(EN[0]).label == "english"


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"objective.kind": "contrastive"}, "dropout alone"),
        (
            {"objective.kind": "replaced", "toml": ['around=[{kind="r-drop"}]'], "preset": "electra-tiny"},
            "two predictions",
        ),
    ],
)
def test_what_an_objective_cannot_do_is_refused(world, settings, words):
    with pytest.raises(UserError, match=words) as refused:
        pretrain(world, "cannot", **settings)
    assert refused.value.problem("zh") != refused.value.problem("en")
    assert not (world.folder / "cannot").exists() and not partial_of(world.folder / "cannot").exists()


def test_vectors_are_learned_from_pairs_that_belong_together(world, bert):
    numbers = random.Random(1)
    rows = [{"text_a": f"{numbers.choice(EN)} {i}", "text_b": f"{i}: {numbers.choice(ZH)}", "label": "same" if i % 3 else "other"} for i in range(60)]  # fmt: skip
    (world.folder / "partners.jsonl").write_text("\n".join(json.dumps(r, ensure_ascii=False) for r in rows))
    make(world, "data-read", {"source": ["partners.jsonl"]}, "partners", schema_name="pair")
    given = {"model": ["bert"], "dataset": ["partners"]}
    options = {"task": "embedding", "steps": 25, "batch_rows": 16, "learning_rate": 1e-3}
    with pytest.raises(UserError, match="other, same"):
        make(world, "finetune", given, "no-vectors", **options)
    artifact = make(world, "finetune", given, "vectors", together="same", **options)
    assert type(transformers.AutoModel.from_pretrained(artifact.path)).__name__ == "BertModel"
    steps = [e for e in read_events(artifact.path / "run" / "events.jsonl") if isinstance(e, Stepped)]
    assert steps[-1].loss < steps[0].loss and {e.units for e in steps} == {16}
    assert [a.task for a in artifact.card.abilities] == ["embedding"]
    pretrain(world, "electra", preset="electra-tiny", steps=1)
    with pytest.raises(UserError, match="no pooler"):
        make(world, "finetune", {"model": ["electra"], "dataset": ["partners"]}, "x", together="same", **options)
