"""Averages of weights against torch's own."""

from __future__ import annotations

import pytest
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from langwright.training.averaging import EMA, SWA, Average


def walk(model, steps):
    """Move the weights at random; yields the number of each step."""
    generator = torch.Generator().manual_seed(0)
    for step in range(1, steps + 1):
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(torch.randn(weight.shape, generator=generator))
        yield step


def test_the_plain_mean_is_torchs():
    model = torch.nn.Linear(4, 3)
    average, peer = Average(SWA(start_share=0.5), model, steps=20), AveragedModel(model)
    for step in walk(model, 20):
        average.update(step)
        if step > 10:
            peer.update_parameters(model)
    for name, weight in peer.module.named_parameters():
        torch.testing.assert_close(average.mean[name], weight.detach())


def test_the_exponential_mean_is_torchs_once_its_decay_is_reached():
    model = torch.nn.Linear(4, 3)
    average, peer = Average(EMA(decay=0.1), model, steps=20), AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.1))  # fmt: skip
    for step in walk(model, 20):
        average.update(step)
        peer.update_parameters(model)
    for name, weight in peer.module.named_parameters():
        torch.testing.assert_close(average.mean[name], weight.detach())


def test_the_exponential_mean_warms_up():
    model = torch.nn.Linear(1, 1, bias=False)
    average = Average(EMA(decay=0.999), model, steps=5)
    with torch.no_grad():
        for step, value in enumerate([1.0, 2.0, 4.0], 1):
            model.weight.fill_(value)
            average.update(step)
    second = 1.0 + (1 - 3 / 12) * 1.0
    assert average.mean["weight"].item() == pytest.approx(second + (1 - 4 / 13) * (4.0 - second))


def test_the_mean_is_in_force_within_its_block_alone():
    model = torch.nn.Linear(2, 2)
    average = Average(SWA(start_share=0.0), model, steps=4)
    for step in walk(model, 4):
        average.update(step)
    own = model.weight.detach().clone()
    with pytest.raises(RuntimeError), average.applied():
        torch.testing.assert_close(model.weight, average.mean["weight"])
        raise RuntimeError
    assert torch.equal(model.weight, own)


def test_before_it_begins_nothing_is_changed():
    model = torch.nn.Linear(2, 2)
    average = Average(SWA(start_share=0.9), model, steps=100)
    average.update(5)
    own = model.weight.detach().clone()
    with average.applied():
        assert torch.equal(model.weight, own)
    assert average.state_dict() == {}


def test_state_is_taken_back():
    model = torch.nn.Linear(2, 2)
    average, other = (Average(EMA(), model, steps=9) for _ in range(2))
    for step in walk(model, 4):
        average.update(step)
    other.load_state_dict(average.state_dict())
    for step in walk(model, 3):
        average.update(4 + step)
        other.update(4 + step)
    assert all(torch.equal(average.mean[name], other.mean[name]) for name in average.mean)
