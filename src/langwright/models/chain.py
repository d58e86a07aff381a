"""A linear-chain conditional random field over the tags of a text: how likely a whole row of tags is, and the likeliest.

Source    Lafferty, McCallum & Pereira 2001, ICML, section 3 (equation 1; the forward recursion) and Viterbi's for the
          likeliest path; over the states of a network as in Lample et al. 2016, arXiv:1603.01360, section 2.2
Differs   an inside tag behind a tag that it cannot go on from (I-x behind anything but B-x and I-x) is ruled out rather
          than learned to be unlikely; a row may begin with one, as a window of a longer text does
Shapes    B rows    U places    C tags
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from langwright.data.tags import OUTSIDE, parts

NAME = "chain"  # of the module in a model, so of its weights in the file
RULED_OUT = -1e4  # a score that no sum of others makes up for, and finite, so that its gradient is 0 and not nan


class Chain(nn.Module):
    """Scores of one tag behind another, of the first and of the last, beside those that a head gives each place."""

    def __init__(self, tags: Sequence[str]) -> None:
        super().__init__()
        self.behind_CC = nn.Parameter(torch.zeros(len(tags), len(tags)))  # [before, after]
        self.first_C = nn.Parameter(torch.zeros(len(tags)))
        self.last_C = nn.Parameter(torch.zeros(len(tags)))
        allowed = [[may_follow(before, after) for after in tags] for before in tags]
        self.register_buffer("allowed_CC", torch.tensor(allowed, dtype=torch.bool), persistent=False)
        self.allowed_CC: Tensor

    def forward(self, scores_BUC: Tensor, mask_BU: Tensor, tags_BU: Tensor) -> Tensor:
        """Negative log-probability of each row's tags, shape (B,), in nats; 0 for a row without places.

        mask_BU  True where there is a place; rows begin at their first and are not interrupted
        tags_BU  int64, anything where there is no place
        """
        scores_BUC, moves_CC = scores_BUC.float(), self.moves()
        return log_sum(scores_BUC, mask_BU, moves_CC, self.first_C, self.last_C) - path_score(
            scores_BUC, mask_BU, tags_BU, moves_CC, self.first_C, self.last_C
        )

    def moves(self) -> Tensor:
        """Score of each tag behind each, shape (C, C), what is not allowed ruled out."""
        return self.behind_CC.masked_fill(~self.allowed_CC, RULED_OUT)

    @torch.no_grad()
    def best(self, scores_UC: Tensor) -> list[int]:
        """The likeliest tags of one row, as numbers."""
        return best_path(scores_UC.float().to(self.first_C.device), self.moves(), self.first_C, self.last_C)


def may_follow(before: str, after: str) -> bool:
    """Whether IOB2 allows a tag behind another."""
    prefix, label = parts(after)
    return after == OUTSIDE or prefix != "I" or (before != OUTSIDE and parts(before)[1] == label)


def log_sum(scores_BUC: Tensor, mask_BU: Tensor, moves_CC: Tensor, first_C: Tensor, last_C: Tensor) -> Tensor:
    """Logarithm of the sum over all rows of tags of exp(score), shape (B,), by the forward recursion."""
    if not scores_BUC.shape[1]:
        return scores_BUC.new_zeros(len(scores_BUC))
    so_far_BC = first_C + scores_BUC[:, 0]
    for place in range(1, scores_BUC.shape[1]):
        further_BC = torch.logsumexp(so_far_BC[:, :, None] + moves_CC, dim=1) + scores_BUC[:, place]
        so_far_BC = torch.where(mask_BU[:, place, None], further_BC, so_far_BC)
    return torch.where(mask_BU[:, 0], torch.logsumexp(so_far_BC + last_C, dim=1), 0.0)


def path_score(
    scores_BUC: Tensor, mask_BU: Tensor, tags_BU: Tensor, moves_CC: Tensor, first_C: Tensor, last_C: Tensor
) -> Tensor:
    """Score of each row's own tags, shape (B,): of the places, of each tag behind the one before, of both ends."""
    if not scores_BUC.shape[1]:
        return scores_BUC.new_zeros(len(scores_BUC))
    tags_BU = torch.where(mask_BU, tags_BU, 0)
    places_B = (scores_BUC.gather(-1, tags_BU[..., None]).squeeze(-1) * mask_BU).sum(1)
    moves_B = (moves_CC[tags_BU[:, :-1], tags_BU[:, 1:]] * mask_BU[:, 1:]).sum(1)
    ends_B = tags_BU.gather(1, (mask_BU.sum(1) - 1).clamp(min=0)[:, None]).squeeze(1)
    return (places_B + moves_B + first_C[tags_BU[:, 0]] + last_C[ends_B]) * mask_BU[:, 0]


def best_path(scores_UC: Tensor, moves_CC: Tensor, first_C: Tensor, last_C: Tensor) -> list[int]:
    """The row of tags with the highest score, by Viterbi's recursion; of equal ones the one with the smaller numbers."""
    if not len(scores_UC):
        return []
    so_far_C, came_from = first_C + scores_UC[0], []
    for place_C in scores_UC[1:]:
        best_C, from_C = (so_far_C[:, None] + moves_CC).max(0)
        so_far_C = best_C + place_C
        came_from.append(from_C)
    path = [int((so_far_C + last_C).argmax())]
    for from_C in reversed(came_from):
        path.append(int(from_C[path[-1]]))
    return path[::-1]


def chain_of(model: Any) -> Chain:
    """A model's chain, beside an adapter the one that is trained; KeyError where it has none."""
    for name, module in model.named_modules():
        if name.rpartition(".")[2] == NAME:
            found: Chain = module  # or peft's stand-in, which hands on to one
            return found
    raise KeyError(NAME)
