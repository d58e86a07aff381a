"""The loop: what a batch is cut into does not matter, what is not finite is not applied, the meter is right."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor, nn

from langwright.errors import UserError
from langwright.training.loop import NonFinite, train
from langwright.training.loss import Loss
from langwright.training.optimizers import build_optimizer, decay_groups
from langwright.training.settings import AdamW


@dataclass(frozen=True)
class Points:
    x_BD: Tensor
    y_B: Tensor

    @property
    def units(self):
        return len(self.y_B)

    @property
    def positions(self):
        return self.x_BD.numel()

    padding = 0


class Squares:
    """Least squares, as a sum over points."""

    separable = True

    def __init__(self, pause_s=0.0):
        self.pause_s = pause_s

    def __call__(self, model, batch):
        time.sleep(self.pause_s)
        error_B = model(batch.x_BD).squeeze(-1) - batch.y_B
        return Loss((error_B**2).sum(), batch.units, {"absolute": error_B.detach().abs().sum()})

    def parameters(self):
        return []

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


def points(count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return Points(torch.randn(count, 3, generator=generator), torch.randn(count, generator=generator))


def cut(batch, sizes):
    edges = [0, *itertools.accumulate(sizes)]
    return [Points(batch.x_BD[a:b], batch.y_B[a:b]) for a, b in itertools.pairwise(edges)]


def linear(seed=0):
    torch.manual_seed(seed)
    return nn.Linear(3, 1)


def sgd(model):
    return torch.optim.SGD(model.parameters(), lr=0.1)


@pytest.mark.spec("TR14", "a batch of any size is computed a few rows at a time, with the gradient of the whole")
@pytest.mark.parametrize("sizes", [[12], [6, 6], [1, 11], [5, 4, 3]])
def test_the_gradient_does_not_depend_on_how_a_batch_is_cut(sizes):
    model, batch = linear(), points(12)
    expected = torch.autograd.grad(((model(batch.x_BD).squeeze(-1) - batch.y_B) ** 2).mean(), list(model.parameters()))
    before = [w.detach().clone() for w in model.parameters()]
    (step,) = train(model, Squares(), [cut(batch, sizes)], sgd(model), rate=lambda _: 1.0, steps=1, clip=0)
    for old, new, gradient in zip(before, model.parameters(), expected, strict=True):
        torch.testing.assert_close(old - new, gradient, rtol=1e-5, atol=1e-6)
    assert step.units == 12 and step.positions == 36
    assert step.gradient_norm.item() == pytest.approx(math.sqrt(sum((g**2).sum().item() for g in expected)), rel=1e-5)


def test_clipping_scales_the_whole_gradient_and_reports_the_norm_before():
    model, batch = linear(), points(12)
    before = [w.detach().clone() for w in model.parameters()]
    (step,) = train(model, Squares(), [[batch]], sgd(model), rate=lambda _: 1.0, steps=1, clip=0.01)
    moved = math.sqrt(sum(((a - b) ** 2).sum().item() for a, b in zip(before, model.parameters(), strict=True)))
    assert moved == pytest.approx(0.01, rel=1e-3) and step.gradient_norm > 0.01


def test_a_batch_whose_examples_interact_is_not_cut():
    objective = Squares()
    objective.separable = False
    model = linear()
    with pytest.raises(UserError, match="cannot be cut into 2"):
        next(train(model, objective, [cut(points(4), [2, 2])], sgd(model), rate=lambda _: 1.0, steps=1))


def test_a_loss_that_is_not_finite_changes_no_weight():
    model, batch = linear(), points(4)
    batch.x_BD[2, 1] = float("nan")
    before = [w.detach().clone() for w in model.parameters()]
    with pytest.raises(NonFinite) as caught:
        next(train(model, Squares(), [[batch]], sgd(model), rate=lambda _: 1.0, steps=1))
    assert "step 1" in str(caught.value) and "weight" in str(caught.value)
    assert caught.value.batches == (batch,)
    for old, new in zip(before, model.parameters(), strict=True):
        torch.testing.assert_close(old, new, rtol=0, atol=0)


def test_a_weight_of_the_objectives_own_is_named():
    """√a at 0 is 0, so the loss is a number; its slope is not."""
    scale = nn.Parameter(torch.zeros(()))

    class Rooted(Squares):
        def __call__(self, model, batch):
            found = super().__call__(model, batch)
            return Loss(found.total + scale.sqrt(), found.units, found.metrics)

        def parameters(self):
            return [scale]

    model = linear()
    optimizer = torch.optim.SGD([*model.parameters(), scale], lr=1.0)
    with pytest.raises(NonFinite, match=r"the gradient of objective\.0 is not a finite number"):
        next(train(model, Rooted(), [[points(4)]], optimizer, rate=lambda _: 1.0, steps=1))


def test_the_names_of_a_compiled_models_weights_are_its_own():
    model, batch = linear(), points(4)
    batch.x_BD[2, 1] = float("nan")
    compiled = torch.compile(model, backend="eager")
    with pytest.raises(NonFinite, match="the gradient of weight is not"):
        next(train(compiled, Squares(), [[batch]], sgd(model), rate=lambda _: 1.0, steps=1))


def test_the_meter_against_a_known_sleep():
    model = linear()
    steps = list(
        train(model, Squares(pause_s=0.05), itertools.repeat([points(4)]), sgd(model), rate=lambda _: 0.0, steps=4)
    )
    for step in steps[1:]:
        assert 0.05 <= step.seconds < 0.5
        assert step.tokens_per_second == pytest.approx(12 / step.seconds)


def test_the_callers_own_time_is_not_counted():
    model = linear()
    steps = []
    for step in train(model, Squares(), itertools.repeat([points(4)]), sgd(model), rate=lambda _: 0.0, steps=3):
        steps.append(step)
        time.sleep(0.3)
    assert min(step.seconds for step in steps) < 0.3


def test_it_ends_when_the_data_does():
    model = linear()
    assert len(list(train(model, Squares(), [[points(4)]] * 2, sgd(model), rate=lambda _: 0.0, steps=9))) == 2


def test_the_rate_of_each_update_is_the_schedules():
    model = linear()
    rates = [0.5, 0.25, 0.125]
    steps = list(
        train(model, Squares(), itertools.repeat([points(4)]), sgd(model), rate=rates.__getitem__, start=1, steps=3)
    )
    assert [(s.number, s.learning_rate) for s in steps] == [(2, 0.25), (3, 0.125)]


def test_norms_and_biases_do_not_decay_and_frozen_weights_are_left_out():
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 1))
    model[2].weight.requires_grad_(False)
    groups = decay_groups(model.named_parameters(), 0.1)
    assert [id(w) for w in groups[0]["params"]] == [id(model[0].weight)] and groups[0]["weight_decay"] == 0.1
    assert {id(w) for w in groups[1]["params"]} == {
        id(w) for w in (model[0].bias, model[1].weight, model[1].bias, model[2].bias)
    }
    assert groups[1]["weight_decay"] == 0.0


def test_adamw_follows_its_equations():
    """Loshchilov & Hutter 2019, algorithm 2, by hand for two updates of one matrix."""
    weight = nn.Parameter(torch.tensor([[1.0, -2.0]], dtype=torch.float64))
    settings = AdamW(beta1=0.9, beta2=0.95, epsilon=1e-8, weight_decay=0.1)
    optimizer = build_optimizer(settings, [("w", weight)], 0.01)
    w, m, v = [1.0, -2.0], [0.0, 0.0], [0.0, 0.0]
    for t in (1, 2):
        gradient = [0.3 * t, -0.7]
        weight.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
        for i, g in enumerate(gradient):
            m[i], v[i] = 0.9 * m[i] + 0.1 * g, 0.95 * v[i] + 0.05 * g * g
            w[i] -= 0.01 * 0.1 * w[i] + 0.01 * (m[i] / (1 - 0.9**t)) / (math.sqrt(v[i] / (1 - 0.95**t)) + 1e-8)
    assert weight.detach()[0].tolist() == pytest.approx(w, rel=1e-12)
