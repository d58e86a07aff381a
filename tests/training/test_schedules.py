"""Schedules against transformers' own, update by update."""

import pytest
import torch
import transformers

from langwright.training.schedules import rate_factor
from langwright.training.settings import Cosine, Linear, Trapezoid


def theirs(name, updates, warmup):
    """transformers' factor at update s + 1 of N + 1, which is what ours is defined as."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = transformers.get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=updates + 1)
    return [schedule.lr_lambdas[0](update + 1) for update in range(updates)]


@pytest.mark.spec("TR4", "linear decay with warm-up follows transformers' schedule; no update is made with rate zero")
@pytest.mark.parametrize("updates, share", [(1000, 0.1), (37, 0.0), (10, 0.5)])
def test_linear_follows_transformers(updates, share):
    ours = [rate_factor(Linear(warmup_share=share), update, updates) for update in range(updates)]
    assert ours == pytest.approx(theirs("linear", updates, round(share * updates)), rel=1e-12)
    assert min(ours) > 0


def test_cosine_follows_transformers():
    ours = [rate_factor(Cosine(warmup_share=0.1, final_share=0.0), update, 200) for update in range(200)]
    assert ours == pytest.approx(theirs("cosine", 200, 20), rel=1e-12)


def test_cosine_ends_at_its_final_share():
    assert rate_factor(Cosine(warmup_share=0, final_share=0.1), 9999, 10000) == pytest.approx(0.1, abs=1e-6)


def test_trapezoid_has_three_parts():
    factors = [rate_factor(Trapezoid(warmup_share=0.1, decay_share=0.2), update, 100) for update in range(100)]
    assert factors[0] == pytest.approx(0.1) and factors[9] == 1.0
    assert factors[10:80] == [1.0] * 70
    assert factors[80:] == pytest.approx([1.0 - i / 20 for i in range(20)])
