"""Pre-training of encoder-decoders and of prefix models as stages: learned, resumed, saved, refused."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest
from tests.stages.test_training_stages import EN, ZH, assert_identical, make, weights
from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

from langwright.artifacts import open_artifact, partial_of
from langwright.cli.stage import next_command
from langwright.errors import UserError
from langwright.runlog import Resumed, Sampled, Stepped, read_events
from langwright.settings import read_settings
from langwright.stages import STAGES
from langwright.stages.execution import execute, look, prepare
from langwright.workspace import Workspace


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A workspace with running text and a tokenizer."""
    folder = tmp_path_factory.mktemp("world")
    numbers = random.Random(0)
    texts = [" ".join(numbers.choices(EN, k=4)) for _ in range(40)] + [
        "".join(numbers.choices(ZH, k=4)) for _ in range(40)
    ]
    (folder / "text.jsonl").write_text(
        "\n".join(json.dumps({"text": f"{i}. {t}"}, ensure_ascii=False) for i, t in enumerate(texts))
    )
    workspace = Workspace(folder)
    make(workspace, "data-read", {"source": ["text.jsonl"]}, "text")
    make(workspace, "tokenizer-train", {"dataset": ["text"]}, "tok", vocab_size=400)
    return workspace


def pretrain(world, out, **settings):
    options = {"length": 32, "steps": 8, "batch_rows": 8, "dtype": "float32", "sample_every_share": 1, **settings}
    return make(world, "pretrain", {"dataset": ["text"], "tokenizer": ["tok"]}, out, **options)


def steps_of(artifact):
    return [e for e in read_events(artifact.path / "run" / "events.jsonl") if isinstance(e, Stepped)]


@pytest.mark.spec(
    "P8",
    "T5-style models learn span corruption, BART-style ones denoising, from the same tokens; others open what is saved",
)
@pytest.mark.parametrize(
    "kind, preset, marks",
    [
        ("auto", "t5-tiny", ["<extra_id_0>", "<extra_id_99>"]),
        ("auto", "bart-tiny", ["<mask>"]),
        ("continuation", "t5-tiny", []),
    ],
)  # fmt: skip
def test_an_encoder_decoder_is_pretrained(world, kind, preset, marks):
    name = f"{kind}-{preset}"
    artifact = pretrain(world, name, preset=preset, steps=24, learning_rate=3e-3, **{"objective.kind": kind})
    steps = steps_of(artifact)
    assert steps[-1].loss < steps[0].loss - 1
    model, tokenizer = (
        AutoModelForSeq2SeqLM.from_pretrained(artifact.path),
        AutoTokenizer.from_pretrained(artifact.path),
    )
    assert all(len(tokenizer(mark)["input_ids"]) == 1 for mark in marks)
    assert len(tokenizer) == model.config.vocab_size == artifact.card.model.vocab_size
    assert tokenizer.pad_token_id not in (None, tokenizer.eos_token_id)
    said = [e for e in read_events(artifact.path / "run" / "events.jsonl") if isinstance(e, Sampled)]
    assert said and all(mark in e.prompt for e in said for mark in marks[:1])
    card = open_artifact(artifact.path, "model").card
    assert "validation loss" in {m.name for m in card.results} and not any("bits" in m.name for m in card.results)


def test_a_prefix_model_is_a_causal_model(world):
    artifact = pretrain(world, "prefix", preset="tiny", steps=16, **{"objective.kind": "prefix-lm"})
    steps = steps_of(artifact)
    assert steps[-1].loss < steps[0].loss - 0.5
    assert all(0 < step.units < step.tokens for step in steps)  # what lies in a prefix is not learned
    AutoModelForCausalLM.from_pretrained(artifact.path)


@pytest.mark.parametrize("noise, same", [("document-rotation", True), ("token-deletion", False)])
def test_noises_are_chosen(world, noise, same):
    """A rotation leaves as many tokens as there were, a deletion does not: padding shows it."""
    recipe = f"""
        preset = "bart-tiny"\nsteps = 1\nlength = 32\ndevice = "cpu"\ndtype = "float32"\nbatch_rows = 8
        objective = {{ kind = "denoising", noises = [{{ kind = "{noise}" }}] }}
    """
    settings = read_settings(STAGES["pretrain"].settings, recipe=recipe)
    inputs = {"dataset": [world.folder / "text"], "tokenizer": [world.folder / "tok"]}
    artifact = execute(STAGES["pretrain"], inputs, world.folder / f"noise-{noise}", settings, workspace=world)
    (step,) = steps_of(artifact)
    assert (step.useful > 0.99) == same


@pytest.mark.parametrize("kind, preset", [("auto", "t5-tiny"), ("auto", "bart-tiny"), ("prefix-lm", "tiny")])
def test_how_a_batch_is_cut_does_not_change_the_model(world, kind, preset):
    """Draws belong to rows, so a row is corrupted in the same way wherever it is computed."""
    runs = [
        steps_of(
            pretrain(
                world,
                f"cut-{kind}-{preset}-{rows}",
                preset=preset,
                steps=3,
                micro_rows=rows,
                **{"objective.kind": kind},
            )
        )
        for rows in (8, 2)
    ]
    for whole, cut in zip(*runs, strict=True):
        assert whole.units == cut.units and whole.loss == pytest.approx(cut.loss, rel=1e-4)


def test_each_epoch_corrupts_a_row_in_another_way(world):
    from langwright.objectives.denoising import Corruption, DenoisingExamples
    from langwright.objectives.spans import Spans

    class Store:
        ids = np.arange(100)

    class Plan:
        length = 100

        def row(self, store, number):
            return store

    examples = DenoisingExamples(Store(), Plan(), Corruption(Spans(), np.arange(200, 210), 1), 0, seed=3)
    first, again, other = (examples.pair(7, epoch) for epoch in (0, 0, 1))
    assert np.array_equal(first[0], again[0]) and not np.array_equal(first[0], other[0])
    assert not np.array_equal(first[0], examples.pair(8, 0)[0])
    batch = examples.batch(np.array([7, 7]), np.array([0, 1]))
    assert batch.tokens_BS[0].tolist() == first[0].tolist() and batch.tokens_BS[1].tolist() == other[0].tolist()


@pytest.mark.parametrize("kind, preset", [("auto", "t5-tiny"), ("auto", "bart-tiny"), ("prefix-lm", "tiny")])
@pytest.mark.spec("TR16", "span corruption, denoising and prefix models that break off are resumed bit for bit")
def test_what_breaks_off_is_resumed_bit_for_bit(world, kind, preset):
    """More than an epoch, so that the draws of a second one are resumed too."""

    class Broken(Exception):
        pass

    def breaks(event):
        if isinstance(event, Stepped) and event.step == 5:
            raise Broken

    options = {"preset": preset, "steps": 8, "batch_rows": 24, "objective.kind": kind}
    name = f"broken-{kind}-{preset}"
    with pytest.raises(Broken):
        pretrain(world, name, listeners=[breaks], **options)
    resumed, whole = pretrain(world, name, **options), pretrain(world, f"{name}-whole", **options)
    assert any(isinstance(e, Resumed) for e in read_events(resumed.path / "run" / "events.jsonl"))
    assert [step.loss for step in steps_of(resumed)] == [step.loss for step in steps_of(whole)]
    assert_identical(weights(resumed.path), weights(whole.path))


DENSE = {"kind": "span-corruption", "density": 0.5, "mean_span": 1.0}


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"preset": "t5-tiny", "objective.kind": "next-token"}, "t5 family.*next-token"),
        ({"preset": "tiny", "objective.kind": "span-corruption"}, "llama family.*span-corruption"),
        ({"preset": "t5-tiny", "objective.kind": "span-corruption", "objective.density": 1.5}, "density"),
        ({"preset": "t5-tiny", "length": 512, **{f"objective.{k}": v for k, v in DENSE.items()}}, "100 marks"),
    ],
)  # fmt: skip
def test_what_cannot_be_learned_is_refused_before_anything_is_written(world, settings, words):
    with pytest.raises(UserError, match=words) as refused:
        pretrain(world, "refused", **settings)
    assert refused.value.problem("zh") != refused.value.problem("en")
    assert not (world.folder / "refused").exists() and not partial_of(world.folder / "refused").exists()


@pytest.mark.parametrize(
    "kind, preset, least, most", [("auto", "t5-tiny", 0.15, 0.25), ("auto", "bart-tiny", 0.5, 0.6), ("prefix-lm", "tiny", 0.3, 0.7)]
)  # fmt: skip
def test_a_check_shows_what_is_read_and_what_is_written(world, kind, preset, least, most):
    sets = [
        f"preset={preset}",
        f"objective.kind={kind}",
        "length=32",
        "steps=2",
        "device=cpu",
        "dtype=float32",
        "batch_rows=8",
    ]
    settings = read_settings(STAGES["pretrain"].settings, sets=sets)
    inputs = {"dataset": [world.folder / "text"], "tokenizer": [world.folder / "tok"]}
    report = look(prepare(STAGES["pretrain"], inputs, settings), cache=world.cache)
    assert least < report.supervised < most
    if kind == "auto":
        read, written = report.sample
        mark = "<extra_id_0>" if preset == "t5-tiny" else "<mask>"
        assert mark in read.text and (mark in written.text) == (preset == "t5-tiny")
        assert written.supervised and not read.supervised


def test_the_next_command_is_one_that_the_model_can_do(world):
    artifact = pretrain(world, "next", preset="t5-tiny", steps=1)
    assert next_command(STAGES["pretrain"], artifact).endswith("next DATASET OUT --task translation")
