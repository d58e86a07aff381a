"""What every entry keeps to: each objective alone, each wrapper, each optimizer and each schedule, trained and resumed.

A new objective, optimizer or schedule is in the test as soon as it is in its dict or union; an objective without a
world here fails it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from tests.objectives import small
from tests.objectives.encoders import MASKING
from tests.objectives.test_encoder_contract import contrastive, masked, pairs, replaced
from tests.objectives.test_heads import world as head_world
from tests.objectives.test_multitask import world as multitask_world
from tests.objectives.test_prefix import some_rows
from tests.objectives.test_seq2seq import learned, t5
from tests.objectives.test_seq2seq import pairs as text_pairs
from tests.objectives.test_wrappers import WRAPPERS

from langwright.errors import UserError
from langwright.models.building import build_model
from langwright.objectives.kinds import OBJECTIVES
from langwright.objectives.prefix import PrefixLM, collate_prefixed
from langwright.objectives.sentence_pairs import MaskedPairs, SentencePairs
from langwright.objectives.seq2seq import collate_pairs
from langwright.training.checkpoints import (
    Progress,
    Trained,
    generator_states,
    load_checkpoint,
    save_checkpoint,
    set_generators,
)
from langwright.training.loop import train
from langwright.training.optimizers import AdamW, Optimizer, build_optimizer, embedding_names
from langwright.training.schedules import Schedule, rate_factor

World = tuple[Any, Any, list[list[Any]]]  # model, objective, the micro-batches of some updates
UPDATES = 4


def updates_of(whole: Any, parts: list[Any], separable: bool) -> list[list[Any]]:
    """The same rows in every update: cut where that is allowed."""
    return [parts if separable else [whole]] * UPDATES


def of_parts(made: Callable[..., Any]) -> Callable[..., World]:
    def build(dropout: float = 0.1) -> World:
        model, objective, whole, parts = made(dropout=dropout)
        return model, objective, updates_of(whole, parts, objective.separable)

    return build


def next_token(dropout: float = 0.1) -> World:
    model, objective, whole, parts = small.next_token(dropout=dropout)
    return model, objective, updates_of(whole, parts, True)


def prefix(dropout: float = 0.1) -> World:
    rows, splits = some_rows(True)
    parts = [collate_prefixed([r], [s], 12, 0, stop_at_documents=True) for r, s in zip(rows, splits, strict=True)]
    config = small.CONFIG.__class__(**{**small.CONFIG.to_dict(), "attention_dropout": dropout})
    return build_model(config, seed=3), PrefixLM(), [parts] * UPDATES


def seq2seq(dropout: float = 0.1) -> World:
    model = t5()
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = dropout
    rows = [pair for pair in text_pairs(6) if len(pair[1]) > 1]
    return model, learned(model, smoothing=0.1), [[collate_pairs([row], 0) for row in rows]] * UPDATES


def head(kind: str) -> Callable[..., World]:
    def build(dropout: float = 0.1) -> World:
        model, objective, examples = head_world(kind, "bert")
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = dropout
        parts = [examples.batch(np.arange(6)[cut : cut + 2]) for cut in (0, 2, 4)]
        return model, objective, updates_of(examples.batch(np.arange(6)), parts, objective.separable)

    return build


def multitask(dropout: float = 0.0) -> World:
    model, objective, feed = multitask_world(micro_rows=3)
    return model, objective, [feed.update(number) for number in range(UPDATES)]


WORLDS: dict[str, Callable[..., World]] = {
    "next-token": next_token,
    "prefix-lm": prefix,
    "masked": of_parts(masked),
    "masked-pairs": of_parts(pairs("pretraining", MaskedPairs, MASKING)),
    "sentence-pairs": of_parts(pairs("pair", lambda model: SentencePairs(), None)),
    "replaced": of_parts(replaced),
    "contrastive": of_parts(contrastive),
    "seq2seq": seq2seq,
    "classification": head("single"),
    "several-labels": head("several"),
    "regression": head("regression"),
    "ranking": head("ranking"),
    "tagging": head("tagging"),
    "tag-chain": head("tag-chain"),
    "tag-layers": head("tag-layers"),
    "spans": head("qa"),
    "choice": head("choice"),
    "multi-task": multitask,
}


def trained(world: World, optimizer: Any) -> Trained:
    model, objective, _ = world
    named = [*model.named_parameters(), *((f"objective.{i}", w) for i, w in enumerate(objective.parameters()))]
    return Trained(model.train(), objective, build_optimizer(optimizer, named, 1e-2, embedding_names(model)))


def steps(
    world: World, run: Trained, start: int, stop: int, rate: Callable[[int], float] = lambda update: 1e-2
) -> list[Any]:
    """Updates from one to another, by the loop."""
    assert run.optimizer is not None
    return list(
        train(run.model, run.objective, world[2][start:stop], run.optimizer, rate=rate, start=start, steps=stop)
    )


def weights(run: Trained) -> dict[str, torch.Tensor]:
    found = {name: weight.detach().clone() for name, weight in run.model.named_parameters()}
    return found | {f"objective.{i}": w.detach().clone() for i, w in enumerate(run.objective.parameters())}


def whole_and_resumed(
    build: Callable[[], World], optimizer: Any, folder: Path
) -> tuple[dict[str, Any], dict[str, Any], list[Any]]:
    """Weights after all updates, once in one go and once from a checkpoint in the middle; and the updates made."""
    torch.manual_seed(7)
    world = build()
    run = trained(world, optimizer)
    torch.manual_seed(1)
    generators = generator_states()
    made = steps(world, run, 0, UPDATES)
    torch.manual_seed(7)
    world = build()
    begun = trained(world, optimizer)
    set_generators(generators)
    steps(world, begun, 0, 2)
    save_checkpoint(folder, begun, Progress(step=2), keep=1)
    torch.manual_seed(99)
    world = build()
    resumed = trained(world, optimizer)
    load_checkpoint(next(folder.iterdir()), resumed)
    steps(world, resumed, 2, UPDATES)
    return weights(run), weights(resumed), made


def test_every_objective_has_a_world() -> None:
    assert set(WORLDS) == set(OBJECTIVES)
    for name, build in WORLDS.items():
        assert isinstance(build()[1], OBJECTIVES[name])


@pytest.mark.spec(
    "TR16", "every objective is resumed from a checkpoint bit for bit, its own weights and dropout included"
)
@pytest.mark.parametrize("name", WORLDS)
def test_every_objective_trains_and_is_resumed_bit_for_bit(name: str, tmp_path: Path) -> None:
    one, other, made = whole_and_resumed(WORLDS[name], AdamW(), tmp_path)
    assert all(np.isfinite(step.loss) and step.gradient_norm > 0 and step.units > 0 for step in made)
    assert one.keys() == other.keys() and all(torch.equal(one[weight], other[weight]) for weight in one)


@pytest.mark.parametrize("name", WORLDS)
def test_gradients_reach_exactly_the_trainable_weights(name: str) -> None:
    model, objective, updates = WORLDS[name]()
    frozen = next(n for n, _ in model.named_parameters() if "layer" in n or "block" in n)
    dict(model.named_parameters())[frozen].requires_grad_(False)
    run = trained((model, objective, updates), AdamW())
    before = weights(run)
    steps((model, objective, updates), run, 0, 1)
    after = weights(run)
    assert torch.equal(before[frozen], after[frozen])
    unused = {"cls.predictions.decoder.bias"}
    moved = {n for n in before if not torch.equal(before[n], after[n])}
    assert not (set(before) - moved - {frozen} - unused)


def test_a_batch_whose_examples_interact_is_not_cut() -> None:
    model, objective, _, parts = contrastive()
    run = trained((model, objective, []), AdamW())
    with pytest.raises(UserError, match="cannot be cut into 2 micro-batches"):
        steps((model, objective, [parts]), run, 0, 1)


@pytest.mark.parametrize("world", ["next-token", "classification"])
@pytest.mark.parametrize("name", WRAPPERS)
def test_every_wrapper_is_resumed_bit_for_bit(name: str, world: str, tmp_path: Path) -> None:
    def build() -> World:
        model, inner, updates = WORLDS[world]()
        return model, WRAPPERS[name](model, inner), updates

    one, other, made = whole_and_resumed(build, AdamW(), tmp_path)
    assert all(np.isfinite(step.loss) for step in made)
    assert all(torch.equal(one[weight], other[weight]) for weight in one)


@pytest.mark.parametrize("kind", get_args(get_args(Optimizer)[0]), ids=lambda kind: kind.model_fields["kind"].default)
def test_every_optimizer_is_resumed_bit_for_bit(kind: Any, tmp_path: Path) -> None:
    one, other, made = whole_and_resumed(next_token, kind(), tmp_path)
    assert all(np.isfinite(step.loss) for step in made)
    assert all(torch.equal(one[weight], other[weight]) for weight in one)


@pytest.mark.parametrize("kind", get_args(get_args(Schedule)[0]), ids=lambda kind: kind.model_fields["kind"].default)
def test_every_schedule_trains(kind: Any) -> None:
    world = next_token()
    run = trained(world, AdamW())
    rate = lambda update: 1e-2 * rate_factor(kind(), update, UPDATES, updates_an_epoch=2.0)  # noqa: E731
    made = steps(world, run, 0, UPDATES, rate)
    assert [step.learning_rate for step in made] == [rate(update) for update in range(UPDATES)]
    assert all(0 < step.learning_rate <= 1e-2 and np.isfinite(step.loss) for step in made)
