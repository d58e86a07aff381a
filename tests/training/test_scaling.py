"""The scale of a loss in float16: found on the way, taken out before clipping, kept in checkpoints."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.objectives.small import Rows
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from langwright.errors import UserError
from langwright.objectives.next_token import NextToken, collate_rows
from langwright.training.checkpoints import Progress, Trained, checkpoint_path, load_checkpoint, save_checkpoint
from langwright.training.crew import ALONE
from langwright.training.devices import choose_device, compute_dtype
from langwright.training.gradients import NoiseScale, Sum
from langwright.training.loop import NonFinite, train
from langwright.training.scaling import FIRST, LossScale, scale_for


def batches(count):
    numbers = np.random.default_rng(0)
    return [
        [
            collate_rows([Rows(numbers.integers(1, 40, n)) for n in (13, 9)], 12, 0, stop_at_documents=False)
            for _ in range(2)
        ]
        for _ in range(count)
    ]


def trained(scale=None, autocast=None, updates=6, clip=0.5, objective=None):
    """Weights and steps of a small run."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=40, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2
    )
    model = LlamaForCausalLM(config)
    optimizer = torch.optim.SGD(model.parameters(), 0.5)
    stream = train(
        model, objective or NextToken(), batches(updates), optimizer, rate=lambda _: 0.5, steps=updates, clip=clip,
        autocast=autocast, scale=scale,
    )  # fmt: skip
    return list(stream), {name: weight.detach().clone() for name, weight in model.named_parameters()}


@pytest.mark.spec(
    "TR11", "float16 with a scaled loss gives float32's losses, norms before clipping and weights to its own precision"
)
def test_float16_is_near_float32():
    exact, theirs = trained()
    scale = LossScale()
    found, ours = trained(scale, torch.float16)
    for mine, other in zip(found, exact, strict=True):
        assert mine.loss == pytest.approx(other.loss, rel=2e-3)
        assert mine.gradient_norm.item() == pytest.approx(other.gradient_norm.item(), rel=2e-2)
    for name in ours:
        assert torch.allclose(ours[name], theirs[name], atol=5e-3), name


@pytest.mark.spec("TR20", "with a scaled loss the gradient is scaled back before it is clipped")
def test_a_scale_in_float32_changes_nothing():
    """In float32 a power of two is taken out to the bit, the clip included."""
    plain, theirs = trained()
    scaled, ours = trained(LossScale())
    assert [step.gradient_norm.item() for step in plain] == [step.gradient_norm.item() for step in scaled]
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.spec("TR11", "an update whose gradients overflow is made again with half the scale, and none is left out")
def test_an_overflow_halves_the_scale_and_the_update_is_made():
    scale = LossScale()
    scale.scale = 2.0**40
    steps, ours = trained(scale, torch.float16)
    assert [step.number for step in steps] == [1, 2, 3, 4, 5, 6]
    assert scale.scale < 2.0**40
    again = LossScale()
    again.scale = scale.scale
    _, theirs = trained(again, torch.float16)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_a_loss_that_is_no_number_is_not_tried_again():
    class Broken(NextToken):
        calls = 0

        def loss(self, logits, batch):
            self.calls += 1
            found = super().loss(logits, batch)
            return type(found)(found.total * torch.nan, found.units, found.metrics)

    objective = Broken()
    with pytest.raises(NonFinite):
        trained(LossScale(), torch.float16, objective=objective)
    assert objective.calls == 2  # the two micro-batches of one try


def test_the_scale_moves_as_torchs_own():
    """torch.amp.GradScaler is the oracle for the numbers; it leaves an update out where ours is made again."""
    overflows = [False] * 3 + [True] + [False] * 2005 + [True, True] + [False] * 10
    weight = nn.Parameter(torch.ones(3))
    theirs = torch.amp.GradScaler("cpu", init_scale=FIRST)
    optimizer = torch.optim.SGD([weight], 0.0)
    ours = LossScale()
    for overflow in overflows:
        theirs.scale(weight.sum()).backward()
        if overflow:
            weight.grad[0] = torch.inf
        theirs.step(optimizer)
        theirs.update()
        optimizer.zero_grad()
        weight.grad = torch.full((3,), torch.inf if overflow else ours.scale)
        assert ours.back([weight], torch.tensor(1.0), ALONE) is not overflow
        assert overflow or torch.equal(weight.grad, torch.ones(3))
        optimizer.zero_grad()
        assert ours.scale == theirs.get_scale()


@pytest.mark.spec("TR16", "the scale of the loss is part of a checkpoint")
def test_the_scale_is_in_checkpoints(tmp_path):
    model = nn.Linear(2, 2)
    first, second = LossScale(), LossScale()
    first.scale, first.held = 2.0**11, 77
    for scale in (first, second):
        whole = Trained(model, NextToken(), torch.optim.SGD(model.parameters(), 0.1), scale=scale)
        if scale is first:
            save_checkpoint(tmp_path, whole, Progress(step=1), keep=1)
        load_checkpoint(checkpoint_path(tmp_path, 1), whole)
    assert (second.scale, second.held) == (2.0**11, 77)


def test_float16_is_refused_where_it_makes_no_sense():
    with pytest.raises(UserError, match="is for GPUs") as caught:
        compute_dtype("float16", choose_device("cpu"))
    assert "bfloat16" in caught.value.fix()
    with pytest.raises(UserError, match="come scaled"):
        scale_for("float16", NoiseScale(0.9))
    assert scale_for("bfloat16", NoiseScale(0.9)) is None
    assert isinstance(scale_for("float16", Sum()), LossScale)
