"""What is gained where a model may leave out what it is least sure of.

Shapes    N items, by falling confidence
Sources   El-Yaniv & Wiener 2010, JMLR 11:1605 (risk against coverage)
          Geifman & El-Yaniv 2017, arXiv:1705.08500 (the area; algorithms 1 and 2: a bound on the share of errors);
          Geifman et al. 2019, arXiv:1805.08206 (the area)
Differs   items with equal confidence are kept or left out together on average: each counts their mean
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langwright.measures import Measure
from langwright.metrics.calibration import checked
from langwright.metrics.intervals import wilson
from langwright.metrics.yardsticks import Yardstick

if TYPE_CHECKING:
    from langwright.metrics.intervals import Floats

SELECTIVE = Yardstick(
    name="accuracy on the surest {share}", unit="share", better="higher",
    method="share of right answers among the {kept} of {n} items that the model is surest of; Wilson interval",
    does_not_show="how the others fare; whether the confidence is right as a probability",
)  # fmt: skip
RISK_AREA = Yardstick(
    name="area under risk and coverage", unit="share", better="lower",
    method="share of wrong answers among the surest 1, 2, … {n} items, mean over all of these (Geifman et al. 2019)",
    does_not_show="whether errors are few or well ordered: both make it small",
)  # fmt: skip

ANSWERED = Yardstick(
    name="share answered at a risk of {risk}", unit="share", better="higher",
    method="share of {n} items whose confidence is at least {threshold}, the threshold that was chosen on held-out rows to keep wrong answers under {risk}; Wilson interval",
    does_not_show="how often these answers are wrong, which stands beside it",
)  # fmt: skip
WRONG = Yardstick(
    name="wrong answers at a risk of {risk}", unit="share", better="lower",
    method="share of wrong answers among the {n} that are given at a confidence of at least {threshold}; Wilson interval",
    does_not_show="how many questions are left open, which stands beside it",
)  # fmt: skip


def at_risk(confidence: Sequence[float], right: Sequence[bool], risk: float, threshold: float) -> tuple[Measure, ...]:
    """How much is answered from a threshold on that was chosen for a risk, and how much of that is wrong, if any is.

    raises  ValueError when lengths differ or nothing is given
    """
    sure_N, hits_N = checked(confidence, right)
    kept = hits_N[sure_N >= threshold]
    about: dict[str, Any] = {"risk": f"{risk:.0%}", "threshold": f"{threshold:.4g}"}
    many, wrong = len(kept), len(kept) - int(kept.sum())
    share = ANSWERED.measure(
        many / len(hits_N), wilson(many, len(hits_N)), n=len(hits_N), name=ANSWERED.name.format(**about), **about
    )
    if not many:
        return (share,)
    return share, WRONG.measure(wrong / many, wilson(wrong, many), n=many, name=WRONG.name.format(**about), **about)


def risk_coverage(confidence: Sequence[float], right: Sequence[bool]) -> tuple[Floats, Floats]:
    """Share of items kept and share of wrong ones among them, (N,) each, from the surest item alone to all."""
    import numpy as np

    sure_N, hits_N = checked(confidence, right)
    order = np.argsort(-sure_N, kind="stable")
    _, place_N, counts = np.unique(-sure_N[order], return_inverse=True, return_counts=True)
    evened_N = (np.bincount(place_N, 1 - hits_N[order]) / counts)[place_N]
    kept_N = np.arange(1, len(sure_N) + 1)
    return kept_N / len(sure_N), np.cumsum(evened_N) / kept_N


def risk_area(confidence: Sequence[float], right: Sequence[bool]) -> Measure:
    """Area under the curve; ValueError when lengths differ or nothing is given."""
    _, risk_N = risk_coverage(confidence, right)
    return RISK_AREA.measure(risk_N.mean(), n=len(risk_N))


def selective_accuracy(confidence: Sequence[float], right: Sequence[bool], share: float = 0.8) -> Measure:
    """Accuracy on the surest items, those as sure as the last one kept included.

    share   of the items to keep, above 0, at most 1
    raises  ValueError when lengths differ, nothing is given, or the share is none
    """
    import numpy as np

    sure_N, hits_N = checked(confidence, right)
    if not 0 < share <= 1:
        raise ValueError(f"a share of {share}")
    cut = np.sort(sure_N)[::-1][max(1, round(share * len(sure_N))) - 1]
    kept = hits_N[sure_N >= cut]
    hits = int(kept.sum())
    name = SELECTIVE.name.format(share=f"{share:.0%}")
    return SELECTIVE.measure(hits / len(kept), wilson(hits, len(kept)), n=len(sure_N), name=name, kept=len(kept))


@dataclass(frozen=True)
class Bound:
    """From which confidence on to answer, and what was seen and is promised of the answers.

    threshold  answer where the confidence is at least this
    kept       share of the held-out items that are answered
    risk       share of wrong ones among these
    bound      what the share of wrong answers stays under, but for a chance of `doubt` of having drawn odd items
    """

    threshold: float
    kept: float
    risk: float
    bound: float
    doubt: float


def upper_bound(wrong: int, of: int, doubt: float) -> float:
    """The largest share of errors that still gives so few wrong ones with probability `doubt` (Clopper & Pearson 1934).

    >>> round(upper_bound(0, 59, 0.05), 3)
    0.05
    """
    from scipy.stats import beta

    return 1.0 if wrong >= of else float(beta.ppf(1 - doubt, wrong + 1, of - wrong))


def bounded_risk(confidence: Sequence[float], right: Sequence[bool], risk: float, doubt: float = 0.05) -> Bound | None:
    """The lowest confidence found by halving whose answers are wrong no more often than `risk`; None where none is.

    The items must be neither learned from nor measured on, and like those to come. Each of the log2(N) thresholds that
    are tried takes its part of the doubt, so the promise holds for the one that is chosen.

    raises  ValueError when lengths differ, nothing is given, or risk or doubt is no share
    """
    import numpy as np

    sure_N, hits_N = checked(confidence, right)
    if not 0 < risk < 1 or not 0 < doubt < 1:
        raise ValueError(f"a risk of {risk} with a doubt of {doubt}")
    rising = np.sort(sure_N)
    rounds = max(1, math.ceil(math.log2(len(rising))))
    low, high, best = 0, len(rising) - 1, None
    for _ in range(rounds):
        middle = math.ceil((low + high) / 2)
        kept = sure_N >= rising[middle]
        wrong, of = int((1 - hits_N)[kept].sum()), int(kept.sum())
        bound = upper_bound(wrong, of, doubt / rounds)
        if bound <= risk:
            high = middle
            if best is None or of / len(rising) > best.kept:
                best = Bound(float(rising[middle]), of / len(rising), wrong / of, bound, doubt)
        else:
            low = middle
    return best
