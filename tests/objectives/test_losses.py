"""Losses against torch's own and their closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from langwright.objectives.losses import (
    balanced_weights,
    binary_cross_entropy,
    cross_entropy,
    hinge,
    ranking_hinge,
    ranking_logistic,
    squared_error,
)

LOGITS = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
LABELS = torch.tensor([0, 1, 2, 3, 0, 0, 1, 2, 3])


@pytest.mark.spec("TR10", "cross-entropy with smoothing and class weights is torch's")
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_cross_entropy_is_torchs(smoothing):
    weights = torch.tensor([0.5, 2.0, 1.0, 3.0])
    found = cross_entropy(LOGITS, LABELS, smoothing=smoothing)
    torch.testing.assert_close(found, F.cross_entropy(LOGITS, LABELS, reduction="none", label_smoothing=smoothing))
    weighted = cross_entropy(LOGITS, LABELS, class_weights_C=weights)
    torch.testing.assert_close(weighted, F.cross_entropy(LOGITS, LABELS, weight=weights, reduction="none"))


@pytest.mark.parametrize("focus", [0.5, 2.0])
def test_focal_loss_by_hand(focus):
    p = LOGITS.softmax(-1)[torch.arange(9), LABELS]
    torch.testing.assert_close(cross_entropy(LOGITS, LABELS, focus=focus), -((1 - p) ** focus) * p.log())
    torch.testing.assert_close(cross_entropy(LOGITS, LABELS, focus=0.0), -p.log())


@pytest.mark.spec("TR10", "binary cross-entropy, squared error and the hinge are torch's or their closed forms")
def test_several_labels_at_once():
    targets = (torch.rand(9, 4, generator=torch.Generator().manual_seed(1)) > 0.5).float()
    found = binary_cross_entropy(LOGITS, targets)
    torch.testing.assert_close(found, F.binary_cross_entropy(LOGITS.sigmoid(), targets, reduction="none").sum(-1))
    p = torch.where(targets > 0, LOGITS.sigmoid(), 1 - LOGITS.sigmoid())
    torch.testing.assert_close(binary_cross_entropy(LOGITS, targets, focus=2.0), (-((1 - p) ** 2) * p.log()).sum(-1))


def test_hinge_by_hand():
    for row, label, found in zip(LOGITS, LABELS, hinge(LOGITS, LABELS, margin=0.7), strict=True):
        others = [value.item() for c, value in enumerate(row) if c != label]
        assert found.item() == pytest.approx(max(0.0, 0.7 + max(others) - row[label].item()), rel=1e-5)


def test_ranking_losses():
    better, worse = LOGITS[:, 0], LOGITS[:, 1]
    peer = F.margin_ranking_loss(better, worse, torch.ones(9), margin=0.5, reduction="none")
    torch.testing.assert_close(ranking_hinge(better, worse, margin=0.5), peer)
    torch.testing.assert_close(ranking_logistic(better, worse), torch.log1p(torch.exp(worse - better)))
    assert ranking_logistic(torch.zeros(1), torch.zeros(1)).item() == pytest.approx(math.log(2))


def test_squared_error():
    torch.testing.assert_close(squared_error(LOGITS[0], LOGITS[1]), F.mse_loss(LOGITS[0], LOGITS[1], reduction="none"))


@pytest.mark.spec("D5", "weights of classes give every class the same share of the loss, and are 1 on average")
@given(st.lists(st.integers(1, 500), min_size=2, max_size=6))
def test_balanced_weights(counts):
    found = balanced_weights(counts)
    shares = [weight * count for weight, count in zip(found.tolist(), counts, strict=True)]
    assert shares == pytest.approx([sum(counts) / len(counts)] * len(counts), rel=1e-5)
    even = balanced_weights(counts, beta=0.0)
    assert even.tolist() == pytest.approx([1.0] * len(counts), rel=1e-5)


def test_effective_numbers_lie_between():
    counts = [1000, 10]
    plain, even = balanced_weights(counts), balanced_weights(counts, beta=0.0)
    found = balanced_weights(counts, beta=0.99)
    assert even[1] < found[1] < plain[1]
    assert (found[1] / found[0]).item() == pytest.approx((1 - 0.99**1000) / (1 - 0.99**10), rel=1e-4)
