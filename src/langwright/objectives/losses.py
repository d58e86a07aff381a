"""What a wrong answer costs, as functions of tensors: each gives one loss a unit, to be summed by its objective.

Source    label smoothing: Szegedy et al. 2016, arXiv:1512.00567, section 7
          focal loss: Lin et al. 2017, arXiv:1708.02002, equations 4 and 5
          weights of classes: inverse frequency, King & Zeng 2001; effective numbers: Cui et al. 2019,
          arXiv:1901.05555, equation 2
          multi-class hinge: Crammer & Singer 2001, JMLR 2:265, equation 5
          pairwise ranking: Herbrich et al. 1999 (hinge); Burges et al. 2005 (logistic, RankNet)
Shapes    U units    C classes
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def cross_entropy(
    logits_UC: Tensor,
    labels_U: Tensor,
    *,
    smoothing: float = 0.0,
    focus: float = 0.0,
    class_weights_C: Tensor | None = None,
) -> Tensor:
    """-w_y (1 - p_y)^focus · Σ_c q_c log p_c in nats, shape (U,).

    smoothing  q is 1 - smoothing at the label and smoothing / C everywhere besides
    focus      the focal loss's γ: 0 is plain cross-entropy, 2 all but ignores what is already right
    """
    losses_U = F.cross_entropy(logits_UC, labels_U, reduction="none", label_smoothing=smoothing)
    if focus:
        p_U = logits_UC.log_softmax(-1).gather(-1, labels_U[:, None]).squeeze(-1).exp()
        losses_U = (1 - p_U) ** focus * losses_U
    if class_weights_C is not None:
        losses_U = class_weights_C[labels_U] * losses_U
    return losses_U


def binary_cross_entropy(logits_UC: Tensor, targets_UC: Tensor, *, focus: float = 0.0) -> Tensor:
    """Each class a question of its own (several labels may hold): nats summed over classes, shape (U,)."""
    losses_UC = F.binary_cross_entropy_with_logits(logits_UC, targets_UC, reduction="none")
    if focus:
        wrong_UC = torch.where(targets_UC > 0.5, 1 - logits_UC.sigmoid(), logits_UC.sigmoid())
        losses_UC = wrong_UC**focus * losses_UC
    return losses_UC.sum(-1)


def squared_error(values_U: Tensor, targets_U: Tensor) -> Tensor:
    """(value - target)², shape (U,)."""
    return (values_U - targets_U).square()


def hinge(logits_UC: Tensor, labels_U: Tensor, *, margin: float = 1.0) -> Tensor:
    """How far the best wrong class comes within the margin of the right one, shape (U,)."""
    right_U1 = logits_UC.gather(-1, labels_U[:, None])
    others_UC = logits_UC.scatter(-1, labels_U[:, None], -torch.inf)
    return (margin + others_UC.max(-1).values - right_U1.squeeze(-1)).clamp(min=0)


def ranking_hinge(better_U: Tensor, worse_U: Tensor, *, margin: float = 1.0) -> Tensor:
    """How far the worse one's score comes within the margin of the better one's, shape (U,)."""
    return (margin - (better_U - worse_U)).clamp(min=0)


def ranking_logistic(better_U: Tensor, worse_U: Tensor) -> Tensor:
    """-log σ(better - worse) in nats, shape (U,)."""
    return -F.logsigmoid(better_U - worse_U)


def balanced_weights(counts: Sequence[int], beta: float | None = None) -> Tensor:
    """Weights of classes whose mean over examples is 1, shape (C,).

    counts  examples of each class, all above 0
    beta    None for inverse frequency; else effective numbers, where 0 is no weighting and 1 inverse frequency
    """
    counts_C = torch.tensor(counts, dtype=torch.float64)
    weights_C = 1 / counts_C if beta is None else (1 - beta) / (1 - beta**counts_C)
    return (weights_C * counts_C.sum() / (weights_C * counts_C).sum()).float()
