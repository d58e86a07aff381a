"""SynthID-Text: the next token is the winner of a tournament that a secret key decides.

Source   Dathathri et al. 2024, Nature 634:818, "Scalable watermarking for identifying large language model outputs":
         Methods, tournament sampling with two competitors a match in its vectorised form (each layer multiplies a
         probability by 1 + g - sum of p g), g-values that are 0 or 1 with equal probability, a sliding window of
         the last tokens as the seed, contexts that come again left unmarked, the mean and the weighted mean score
         with weights that fall evenly from 10 to 1
Differs  the g-values of a token's layers are the bits of one 64-bit word; the Bayesian score, which has to be trained
         for each model, is left out
Shapes   V vocabulary    S tokens with any probability    L layers    T scored tokens
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from langwright.inference.watermark.detection import Evidence, tail_of_mean
from langwright.inference.watermark.settings import SynthID
from langwright.inference.watermark.words import seed_of, words_after

if TYPE_CHECKING:
    from torch import Tensor

Floats = NDArray[np.float64]
PURPOSE = b"synthid"
FIRST_WEIGHT, LAST_WEIGHT = 10.0, 1.0


def tournament(probability_S: Floats, values_LS: NDArray[np.uint64]) -> Floats:
    """Probabilities of the winner, shape (S,), from those of the competitors and the g-value of each in each layer."""
    for value_S in values_LS.astype(np.float64):
        winning_S = 1 + value_S - (probability_S * value_S).sum()
        probability_S = probability_S * np.maximum(winning_S, 0.0)  # the sum may be rounded up beyond 1
    won_S: Floats = probability_S / probability_S.sum()
    return won_S


def layer_weights(depth: int) -> Floats:
    """How much each layer counts in the weighted mean, shape (L,), 1 on average: the first layers choose most."""
    weights_L = np.linspace(FIRST_WEIGHT, LAST_WEIGHT, depth)
    return np.asarray(weights_L / weights_L.mean())


@dataclass(frozen=True)
class TournamentMark:
    """`Watermark` by tournament. The key is secret and never shown."""

    settings: SynthID
    key: bytes = field(repr=False)

    @property
    def kind(self) -> str:
        """What it is called in settings."""
        return self.settings.kind

    def values(self, contexts: Sequence[Sequence[int]], ids_S: NDArray[np.int64]) -> NDArray[np.uint64]:
        """The g-values of tokens, each after its context or all after one, 0 or 1, shape (L, S)."""
        words_S = words_after(np.asarray([seed_of(self.key, context, PURPOSE) for context in contexts]), ids_S)
        return (words_S[None] >> np.arange(self.settings.depth, dtype=np.uint64)[:, None]) & np.uint64(1)

    def marked(self, logits_V: Tensor, ids: Sequence[int], begin: int) -> Tensor:
        """Logits of the next token after the tournament, shape (V,).

        Unchanged where fewer tokens stand before than the mark depends on, or where these have come before. In
        numpy, whose sums do not depend on the number of threads.
        """
        import torch

        width = self.settings.width
        if len(ids) < width or came_before(ids, begin, width):
            return logits_V
        given_V = logits_V.double().cpu().numpy()
        some_S = np.flatnonzero(given_V > -np.inf)
        likely_S = np.exp(given_V[some_S] - given_V[some_S].max())
        won_S = tournament(likely_S / likely_S.sum(), self.values([ids[len(ids) - width :]], some_S))
        found_V = np.full_like(given_V, -np.inf)
        with np.errstate(divide="ignore"):  # a layer may leave nothing of what lost it for certain
            found_V[some_S] = np.log(won_S)
        return torch.from_numpy(found_V).to(logits_V)

    def evidence(self, ids: Sequence[int], begin: int = 0) -> Evidence:
        """The weighted mean of the g-values of the tokens from `begin` on, each context counted once."""
        width = self.settings.width
        first: dict[tuple[int, ...], int] = {}
        for place in range(max(begin, width), len(ids)):
            first.setdefault(tuple(ids[place - width : place]), ids[place])
        values_LT = self.values(list(first), np.asarray(list(first.values()), dtype=np.int64))
        weights_L = layer_weights(self.settings.depth)
        means_T = weights_L @ values_LT.astype(np.float64) / len(weights_L)
        depth = len(weights_L)
        return tail_of_mean(
            means_T.tolist(), float((weights_L**2).sum()) / (4 * depth**2), float(weights_L[-1]) / depth
        )


def came_before(ids: Sequence[int], begin: int, width: int) -> bool:
    """Whether an earlier token from `begin` on was chosen after the same `width` tokens as the next one."""
    seen = np.asarray(ids[max(0, begin - width) : -1])
    if len(seen) < width:
        return False
    windows = np.lib.stride_tricks.sliding_window_view(seen, width)
    return bool(np.all(windows == np.asarray(ids[len(ids) - width :]), axis=-1).any())
