"""Which guesses of a smaller model are kept in a text that is drawn: as many as can be, and the text is the larger model's.

Source    Leviathan et al. 2023, arXiv:2211.17192, algorithm 1 and appendix A.1: a guess x that was drawn with
          probability q(x) is kept with probability min(1, p(x) / q(x)); else a token is drawn from max(0, p - q),
          made to sum to 1. What stands there then has the distribution p, and of all rules that give p none
          keeps a guess more often: as often as 1 - Σ max(0, p - q).
Shapes    V vocabulary

p and q are the distributions that are drawn from: with temperature, truncation, penalties, constraint and watermark.
Whether a guess is kept, what is drawn instead, and the guess itself hang on three numbers of the place that are
independent of each other and of the one that chooses without guesses.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from langwright.inference.choosing.numbers import ACCEPT, REPLACE, uniform
from langwright.inference.choosing.truncation import draw


@dataclass(frozen=True)
class Proposal:
    """A guessed token, and the distribution that it was drawn from."""

    id: int
    share_V: Tensor


def decided(share_V: Tensor, proposal: Proposal, seed: int, place: int) -> int:
    """The token that comes to stand at a place, by the larger model's distribution."""
    own, guessed = float(share_V[proposal.id]), float(proposal.share_V[proposal.id])
    if uniform(seed, place, ACCEPT) * guessed < own:
        return proposal.id
    left_V = (share_V - proposal.share_V).clamp(min=0)
    if not left_V.any():  # the two are the same but for rounding
        left_V = share_V
    number_1 = left_V.new_tensor([uniform(seed, place, REPLACE)])
    return int(draw(left_V.log()[None], number_1))
