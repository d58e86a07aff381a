"""Schedules against transformers' and torch's own, update by update."""

import math

import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from langwright.training.schedules import (
    Constant,
    Cosine,
    CosineRestarts,
    Cyclic,
    InverseSquareRoot,
    Linear,
    Plateau,
    Polynomial,
    StepDecay,
    Trapezoid,
    falls,
    rate_factor,
)

EVERY = (Constant(), Linear(), Polynomial(), Cosine(), CosineRestarts(), Trapezoid(), InverseSquareRoot(), Cyclic(),
         Cyclic(mode="triangular2"), Cyclic(mode="exp_range"), StepDecay(), Plateau())  # fmt: skip


def optimizer(momentum=0.0):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0, momentum=momentum)


def theirs(name, updates, warmup, **options):
    """transformers' factor at update s + 1 of N + 1, which is what ours is defined as."""
    schedule = transformers.get_scheduler(
        name, optimizer(), num_warmup_steps=warmup, num_training_steps=updates + 1, scheduler_specific_kwargs=options
    )
    return [schedule.lr_lambdas[0](update + 1) for update in range(updates)]


def ours(schedule, updates, **options):
    return [rate_factor(schedule, update, updates, **options) for update in range(updates)]


@pytest.mark.spec("TR4", "linear decay with warm-up follows transformers' schedule; no update is made with rate zero")
@pytest.mark.parametrize("updates, share", [(1000, 0.1), (37, 0.0), (10, 0.5)])
def test_linear_follows_transformers(updates, share):
    found = ours(Linear(warmup_share=share), updates)
    assert found == pytest.approx(theirs("linear", updates, round(share * updates)), rel=1e-12)
    assert min(found) > 0


@pytest.mark.spec(
    "TR5", "constant, cosine, restarts, polynomial and inverse square root follow transformers' schedules"
)
@pytest.mark.parametrize(
    ("schedule", "name", "options"),
    [
        (Constant(warmup_share=0.1), "constant_with_warmup", {}),
        (Cosine(warmup_share=0.1, final_share=0.0), "cosine", {}),
        (CosineRestarts(warmup_share=0.1, cycles=3), "cosine_with_restarts", {"num_cycles": 3}),
        (Polynomial(warmup_share=0.1, power=2.0, final_share=0.05), "polynomial", {"power": 2.0, "lr_end": 0.05}),
        (InverseSquareRoot(warmup_share=0.1), "inverse_sqrt", {}),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_schedules_follow_transformers(schedule, name, options):
    assert ours(schedule, 200) == pytest.approx(theirs(name, 200, 20, **options), rel=1e-12, abs=1e-15)


def test_cosine_ends_at_its_final_share():
    assert rate_factor(Cosine(warmup_share=0, final_share=0.1), 9999, 10000) == pytest.approx(0.1, abs=1e-6)


def test_trapezoid_has_three_parts():
    factors = ours(Trapezoid(warmup_share=0.1, decay_share=0.2), 100)
    assert factors[0] == pytest.approx(0.1) and factors[9] == 1.0
    assert factors[10:80] == [1.0] * 70
    assert factors[80:] == pytest.approx([1.0 - i / 20 for i in range(20)])


@pytest.mark.spec("TR5", "the three cyclic schedules follow torch's CyclicLR")
@pytest.mark.parametrize("mode", ["triangular", "triangular2", "exp_range"])
def test_cyclic_follows_torch(mode):
    schedule = Cyclic(mode=mode, cycles=4, lowest_share=0.1, decay=0.99)
    peer = torch.optim.lr_scheduler.CyclicLR(
        optimizer(0.9), base_lr=0.1, max_lr=1.0, step_size_up=25, mode=mode, gamma=0.99, cycle_momentum=False
    )
    found = ours(schedule, 200)
    for update in range(200):
        assert found[update] == pytest.approx(peer.get_last_lr()[0], rel=1e-9), update
        peer.optimizer.step()
        peer.step()


@pytest.mark.spec("TR6", "divided by ten once every 20 epochs, at the border of an epoch and not inside it")
def test_step_decay_divides_once_per_twenty_epochs():
    updates_an_epoch = 10
    found = ours(StepDecay(warmup_share=0), 60 * updates_an_epoch, updates_an_epoch=updates_an_epoch)
    assert found == pytest.approx([1.0] * 200 + [0.1] * 200 + [0.01] * 200)


@pytest.mark.spec("TR5", "the rate falls when the validation loss has stopped falling, as torch's ReduceLROnPlateau")
@given(st.lists(st.floats(0.1, 10, allow_nan=False), max_size=30), st.integers(0, 4), st.sampled_from([0.0, 1e-4, 0.1]))
def test_plateau_follows_torch(losses, patience, threshold):
    peer = torch.optim.lr_scheduler.ReduceLROnPlateau(
        optimizer(), factor=0.5, patience=patience, threshold=threshold, eps=0
    )
    for number, loss in enumerate(losses, 1):
        peer.step(loss)
        assert 0.5 ** falls(losses[:number], patience, threshold) == peer.get_last_lr()[0]


@pytest.mark.parametrize("schedule", EVERY, ids=lambda schedule: schedule.kind)
@pytest.mark.parametrize("updates", [1, 2, 7, 100])
def test_every_rate_is_above_zero_and_no_higher_than_the_peak(schedule, updates):
    for factor in ours(schedule, updates, updates_an_epoch=0.5):
        assert 0 <= factor <= 1 and math.isfinite(factor)
    if schedule.kind not in ("cosine-restarts",):  # touches zero where a cycle ends
        assert min(ours(schedule, updates)) > 0
