"""Is a text marked? Counts against what chance gives, with a threshold that knows how short the text is.

Source   Kirchenbauer et al. 2023, arXiv:2301.10226, equation 3: z = (count - share T) / sqrt(T share (1 - share))
Shapes   T scored tokens

The p-value of a count is the binomial tail, not the normal one, which calls too many short texts marked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["marked", "not marked", "too short to tell"]
FALSE_POSITIVES = 0.01


@dataclass(frozen=True)
class Evidence:
    """What speaks for a mark in one text.

    scored     tokens that were judged: different n-grams for green tokens, different contexts for a tournament
    score      share of green tokens, or mean of the g-values
    expected   what an unmarked text has on average
    deviation  standard deviation of the score of an unmarked text of this length
    p_value    how often an unmarked text of this length scores as high
    exact      whether that is the binomial tail itself, not a normal one in its place
    step       least distance of two scores, half of which is taken off where a normal tail stands for a discrete one
    """

    scored: int
    score: float
    expected: float
    deviation: float
    p_value: float
    exact: bool
    step: float = 0.0

    @property
    def z(self) -> float:
        """Standard deviations above what an unmarked text has; 0 for a text without a scored token."""
        return (self.score - self.expected) / self.deviation if self.scored else 0.0

    def threshold(self, false_positives: float) -> float | None:
        """The z that a text of this length must reach to be called marked; None where none could."""
        from scipy.stats import binom, norm

        if not self.scored:
            return None
        if not self.exact:
            return float(norm.isf(false_positives)) + self.step / 2 / self.deviation
        count = int(binom.isf(false_positives, self.scored, self.expected)) + 1  # P(X >= count) <= false_positives
        return (count / self.scored - self.expected) / self.deviation if count <= self.scored else None

    def verdict(self, false_positives: float) -> Verdict:
        """Marked when an unmarked text scores as high in at most this share of cases."""
        if self.threshold(false_positives) is None:
            return "too short to tell"
        return "marked" if self.p_value <= false_positives else "not marked"


def tail_of_count(hits: int, trials: int, share: float) -> Evidence:
    """Evidence of so many hits in independent trials, each of which hits with probability `share` by chance."""
    from scipy.stats import binom

    if trials == 0:
        return Evidence(0, share, share, math.inf, 1.0, exact=True)
    deviation = math.sqrt(share * (1 - share) / trials)
    return Evidence(trials, hits / trials, share, deviation, float(binom.sf(hits - 1, trials, share)), exact=True)


def tail_of_mean(means_T: Sequence[float], variance: float, least: float) -> Evidence:
    """Evidence of weighted means of fair coins, one a token, each of this variance by chance.

    least  what the lightest coin adds to one of the means
    """
    from scipy.stats import norm

    if not means_T:
        return Evidence(0, 0.5, 0.5, math.inf, 1.0, exact=False)
    scored = len(means_T)
    score, deviation, step = math.fsum(means_T) / scored, math.sqrt(variance / scored), least / scored
    p_value = float(norm.sf((score - step / 2 - 0.5) / deviation))
    return Evidence(scored, score, 0.5, deviation, p_value, exact=False, step=step)
