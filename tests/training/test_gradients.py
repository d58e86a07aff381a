"""Gradient rules: two-dimensional cases by hand, a linear model with known noise, and what a resume needs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from tests.training.test_fit import Die, assert_identical, close_logs, dying_at, job, save_every_step, store, weights
from tests.training.test_loop import Squares, cut, linear, points, sgd
from torch import Tensor, nn

from langwright.errors import UserError
from langwright.runlog import Stepped, read_events
from langwright.training.fit import fit
from langwright.training.gradients import AGEM, NoiseScale, Part, PathIntegral, PCGrad, Sum, noise_and_signal, project
from langwright.training.loop import train

__all__ = ["close_logs", "store"]


def weight(*values):
    return nn.Parameter(torch.tensor(values))


def towards(w, *gradient):
    """A loss whose gradient is the one given."""
    return (w * torch.tensor(gradient)).sum()


# --- PCGrad ------------------------------------------------------------------------------------------


@pytest.mark.spec("F8", "PCGrad takes out of each task's gradient what points against another task's")
def test_gradient_surgery_by_hand():
    w = weight(0.0, 0.0)
    parts = [Part(towards(w, 1.0, 0.0), 1, "a"), Part(towards(w, -1.0, 1.0), 1, "b")]
    measured = PCGrad(0).backward(parts, [w], 0)
    # a loses -½(−1, 1), b loses −(1, 0): (½, ½) + (0, 1)
    torch.testing.assert_close(w.grad, torch.tensor([0.5, 1.5]))
    assert measured["conflicts"] == 1


def test_tasks_that_agree_are_added_up():
    w = weight(0.0, 0.0)
    parts = [Part(towards(w, 1.0, 0.0), 1, "a"), Part(towards(w, 1.0, 1.0), 1, "b"), Part(towards(w, 0.0, 2.0), 1, "a")]
    assert PCGrad(0).backward(parts, [w], 0)["conflicts"] == 0
    torch.testing.assert_close(w.grad, torch.tensor([2.0, 3.0]))


def test_parts_of_one_task_are_added_before_they_are_compared():
    w = weight(0.0)
    parts = [Part(towards(w, 3.0), 1, "a"), Part(towards(w, -2.0), 1, "a"), Part(towards(w, 1.0), 1, "b")]
    assert PCGrad(0).backward(parts, [w], 0)["conflicts"] == 0
    assert w.grad.item() == 2.0


def test_after_surgery_with_two_tasks_neither_is_worked_against():
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        a, b = torch.randn(2, 6, generator=generator)
        w = nn.Parameter(torch.zeros(6))
        PCGrad(0).backward([Part((w * a).sum(), 1, "a"), Part((w * b).sum(), 1, "b")], [w], 0)
        assert w.grad @ a >= -1e-6 and w.grad @ b >= -1e-6


def test_the_order_of_surgery_is_drawn_by_the_update():
    gradients = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))

    def found(update):
        w = nn.Parameter(torch.zeros(3))
        PCGrad(5).backward([Part((w * g).sum(), 1, str(i)) for i, g in enumerate(gradients)], [w], update)
        return w.grad

    assert torch.equal(found(3), found(3))
    assert len({tuple(found(update).tolist()) for update in range(12)}) > 1


def test_surgery_needs_several_tasks(tmp_path, store):
    with pytest.raises(UserError, match="pcgrad"):
        fit(job(tmp_path, store, gradients={"kind": "pcgrad"}))


# --- A-GEM -------------------------------------------------------------------------------------------


@pytest.mark.spec("F9", "A-GEM's projected gradient has a non-negative inner product with the memory's")
def test_a_gem_by_hand_and_its_inner_product():
    w = weight(0.0, 0.0)
    rule = AGEM(Sum(), lambda update: towards(w, 0.0, 2.0))
    assert rule.backward([Part(towards(w, 3.0, -1.0), 1)], [w], 0)["projected"] == 1
    torch.testing.assert_close(w.grad, torch.tensor([3.0, 0.0]))
    w.grad = None
    assert rule.backward([Part(towards(w, 3.0, 1.0), 1)], [w], 0)["projected"] == 0
    torch.testing.assert_close(w.grad, torch.tensor([3.0, 1.0]))
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        g, held = torch.randn(2, 8, generator=generator)
        changed = [g.clone()]
        project(changed, [held])
        assert changed[0] @ held >= -1e-5


def test_a_memory_that_says_nothing_changes_nothing():
    w, unused = weight(0.0, 0.0), weight(1.0)
    rule = AGEM(Sum(), lambda update: unused.sum() * 0)
    rule.backward([Part(towards(w, 1.0, -1.0), 1)], [w, unused], 0)
    torch.testing.assert_close(w.grad, torch.tensor([1.0, -1.0]))


# --- the noise scale ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Noisy:
    """Units whose gradients are given: the loss of unit i is w · g_i."""

    g_UD: Tensor
    positions = padding = 1

    @property
    def units(self):
        return len(self.g_UD)


@pytest.mark.spec("TR20", "the gradient noise scale of a linear model with known covariance is trΣ / |G|²")
@pytest.mark.parametrize("sizes", [[8, 8, 8, 8], [2, 6, 10, 14]])
def test_the_noise_scale_of_known_noise(sizes):
    mean, deviation = torch.tensor([0.3, -0.4]), torch.tensor([1.0, 2.0])
    generator = torch.Generator().manual_seed(0)
    estimates = []
    for _ in range(3000):
        parts = [mean + deviation * torch.randn(size, 2, generator=generator) for size in sizes]
        scaled = [part.sum(0) / sum(sizes) for part in parts]
        whole = torch.stack(scaled).sum(0)
        estimates.append(
            noise_and_signal([g.double() @ g.double() for g in scaled], sizes, whole.double() @ whole.double())
        )
    noise, signal = torch.stack(estimates).mean(0)
    assert noise.item() == pytest.approx(1 + 4, rel=0.03)
    assert signal.item() == pytest.approx(0.25, rel=0.06)


def test_the_noise_scale_with_equal_parts_is_the_papers():
    g = torch.randn(4, 3, generator=torch.Generator().manual_seed(2))  # mean gradients of parts of 5 units
    small, big, b_small, b_big = g.square().sum(1).mean(), g.mean(0).square().sum(), 5, 20
    signal = (b_big * big - b_small * small) / (b_big - b_small)
    noise = (small - big) / (1 / b_small - 1 / b_big)
    found = noise_and_signal([(part / 4) @ (part / 4) for part in g], [5] * 4, big)
    torch.testing.assert_close(found, torch.stack([noise, signal]))


def test_measuring_leaves_the_gradient_as_it_was_and_says_so_in_the_log(tmp_path, store):
    plain = fit(job(tmp_path / "a", store))
    measured = fit(job(tmp_path / "b", store, gradients={"kind": "noise-scale", "decay": 0.5}))
    assert measured.train_loss == pytest.approx(plain.train_loss, rel=1e-6)
    steps = [e for e in read_events(tmp_path / "b" / "run" / "events.jsonl") if isinstance(e, Stepped)]
    assert steps[-1].metrics["gradient noise scale"] == measured.measured["gradient noise scale"]


def test_one_part_is_not_enough_to_measure_noise(tmp_path, store):
    work = job(tmp_path, store, gradients={"kind": "noise-scale"})
    with pytest.raises(UserError, match="micro-batches"):
        fit(replace(work, feed=replace(work.feed, micro_rows=4)))


# --- the path integral -------------------------------------------------------------------------------


@pytest.mark.spec("F10", "synaptic intelligence's path integral on a quadratic, by hand")
def test_the_path_integral_of_a_quadratic():
    """L = ½ Σ h w²; with small steps ω becomes the loss that each weight's own way has saved."""
    h = torch.tensor([1.0, 3.0])
    w = weight(2.0, -1.0)
    optimizer = torch.optim.SGD([w], lr=0.1)
    rule = PathIntegral(Sum(), {"w": w})
    expected, at = torch.zeros(2), torch.tensor([2.0, -1.0])
    for update in range(5):
        rule.backward([Part(0.5 * (h * w * w).sum(), 1)], [w], update)
        optimizer.step()
        rule.after_step()
        optimizer.zero_grad()
        expected += (h * at) * (0.1 * h * at)  # -g · Δθ
        at = at - 0.1 * h * at
    torch.testing.assert_close(rule.integral["w"], expected)


def test_the_path_integral_approaches_the_loss_that_was_saved():
    w = weight(2.0)
    rule = PathIntegral(Sum(), {"w": w})
    optimizer = torch.optim.SGD([w], lr=0.001)
    for update in range(4000):
        rule.backward([Part(0.5 * (w * w).sum(), 1)], [w], update)
        optimizer.step()
        rule.after_step()
        optimizer.zero_grad()
    assert rule.integral["w"].item() == pytest.approx(0.5 * 4 - 0.5 * w.item() ** 2, rel=1e-3)


def test_the_path_leaves_a_penaltys_gradient_out():
    w = weight(2.0)
    rule = PathIntegral(Sum(), {"w": w}, penalty=lambda: 5 * w.square().sum())
    rule.backward([Part(3 * w.sum() + 5 * w.square().sum(), 1)], [w], 0)
    assert w.grad.item() == 3 + 20
    with torch.no_grad():
        w -= 0.5
    rule.after_step()
    assert rule.integral["w"].item() == pytest.approx(3 * 0.5)


def test_an_update_that_was_given_up_is_not_on_the_path():
    w = weight(2.0)
    rule = PathIntegral(Sum(), {"w": w})
    rule.backward([Part(w.sum() * float("nan"), 1)], [w], 0)
    w.grad = None
    rule.backward([Part(w.sum(), 1)], [w], 0)
    with torch.no_grad():
        w -= 1
    rule.after_step()
    assert rule.integral["w"].item() == 1


RULES = {
    "noise-scale": lambda net: NoiseScale(0.9),
    "path": lambda net: PathIntegral(Sum(), dict(net.named_parameters())),
    "a-gem of path": lambda net: AGEM(
        PathIntegral(Sum(), dict(net.named_parameters())), lambda update: next(net.parameters()).sum() * (update + 1)
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_a_rules_state_is_resumed_bit_for_bit(name, tmp_path, store, monkeypatch):
    save_every_step(monkeypatch)

    def trained(folder, listeners=()):
        work = job(folder, store, listeners=listeners)
        rule = RULES[name](work.model)
        fit(replace(work, gradients=rule))
        return weights(work.model), rule.state_dict()

    whole, state = trained(tmp_path / "whole")
    with pytest.raises(Die):
        trained(tmp_path / "cut", [dying_at(4)])
    again, resumed = trained(tmp_path / "cut")
    assert any(value.abs().sum() > 0 for value in state.values())
    assert_identical(state, resumed)
    assert_identical(whole, again)


# --- clipping ----------------------------------------------------------------------------------------


@pytest.mark.spec("TR20", "each entry of the gradient is cut to a value, then the whole to a norm")
def test_clipping_by_value_then_by_norm():
    data = points(8)
    plain = linear()
    ((plain(data.x_BD).squeeze(-1) - data.y_B) ** 2).mean().backward()
    gradient = torch.cat([w.grad.flatten() for w in plain.parameters()])
    bound = gradient.abs().median().item()
    cut_value = gradient.clamp(-bound, bound)
    for clip, expected in ((0.0, cut_value), (0.5 * cut_value.norm().item(), 0.5 * cut_value)):
        net = linear()
        before = torch.cat([w.detach().flatten() for w in net.parameters()])
        steps = train(net, Squares(), [[data]], sgd(net), rate=lambda _: 0.1, steps=1, clip=clip, clip_value=bound)
        step = next(steps)
        assert step.gradient_norm.item() == pytest.approx(gradient.norm().item())
        after = torch.cat([w.detach().flatten() for w in net.parameters()])
        torch.testing.assert_close(after, before - 0.1 * expected, rtol=1e-4, atol=1e-7)


def test_rules_see_the_same_loss_however_a_batch_is_cut():
    data = points(12)
    found = []
    for sizes in ([12], [5, 4, 3]):
        net = linear()
        rule = PathIntegral(Sum(), dict(net.named_parameters()))
        for _ in train(net, Squares(), [cut(data, sizes)] * 3, sgd(net), rate=lambda _: 0.1, steps=3, gradients=rule):
            pass
        found.append(rule.integral["weight"])
    torch.testing.assert_close(*found)
