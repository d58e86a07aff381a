"""Area under the ROC curve: how often a positive item is scored above a negative one.

Shapes    N items    L labels
Sources   Hanley & McNeil 1982, Radiology 143:29 (the area is the Mann-Whitney probability; ties count half)
          DeLong et al. 1988, Biometrics 44:837 (its variance from placements)
          Provost & Domingos 2000, CeDER working paper IS-00-04 (several labels: each against all others, averaged)
Differs   averaged without weights, as scikit-learn's macro average is; the variance of the average sums placements of an
          item over labels, which for one label is DeLong's
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from langwright.measures import Measure
from langwright.metrics.intervals import Z
from langwright.metrics.yardsticks import Interval, Yardstick

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from langwright.metrics.intervals import Floats

AUC = Yardstick(
    name="ROC AUC", unit="probability", better="higher",
    method="how often one of {positive} positive items is scored above one of {negative} others, ties counting half; interval: DeLong et al. 1988",
    does_not_show="whether the scores are right as probabilities, or where to draw the line",
)  # fmt: skip
AUC_MACRO = Yardstick(
    name="macro ROC AUC", unit="probability", better="higher",
    method="how often an item of a label is scored above an item without it, ties counting half, mean over {labels} labels that occur with and without, {n} items; interval from placements after DeLong et al. 1988",
    does_not_show="whether the scores are right as probabilities, or where to draw the line; how rare labels fare",
)  # fmt: skip


def auc(scores: Sequence[float], positive: Sequence[bool]) -> Measure:
    """Area for one label.

    raises  ValueError when lengths differ, or all items are positive, or none is
    """
    import numpy as np

    if len(scores) != len(positive) or all(positive) or not any(positive):
        raise ValueError(f"{len(scores)} scores for {sum(positive)} positive of {len(positive)} items")
    value, placed_N = placements(np.asarray(scores, float), np.asarray(positive, bool))
    count = sum(map(bool, positive))
    return AUC.measure(
        value, normal(value, placed_N), n=len(positive), positive=count, negative=len(positive) - count
    )  # fmt: skip


def macro_auc(scores_NL: Sequence[Sequence[float]], positive_NL: Sequence[Sequence[bool]]) -> Measure:
    """Mean area over labels, each against all others; a label that all items have, or none, is left out.

    raises  ValueError when shapes differ or no label is left
    """
    import numpy as np

    scores, positive = np.asarray(scores_NL, float), np.asarray(positive_NL, bool)
    if scores.shape != positive.shape or scores.ndim != 2:
        raise ValueError(f"scores of shape {scores.shape} for labels of shape {positive.shape}")
    kept = [place for place in range(scores.shape[1]) if 0 < positive[:, place].sum() < len(positive)]
    if not kept:
        raise ValueError("no label that some items have and some have not")
    parts = [placements(scores[:, place], positive[:, place]) for place in kept]
    value = sum(area for area, _ in parts) / len(kept)
    return AUC_MACRO.measure(
        value, normal(value, np.mean([placed_N for _, placed_N in parts], axis=0)), n=len(positive), labels=len(kept)
    )


def placements(scores_N: Floats, positive_N: NDArray[np.bool_]) -> tuple[float, Floats]:
    """The area, and what each item adds to its error: the squares of these sum to DeLong's variance.

    A positive item's placement is the share of negative ones below it, a negative one's the share of positive ones above.
    """
    import numpy as np
    from scipy.stats import rankdata

    m, n = int(positive_N.sum()), int((~positive_N).sum())
    rank_N = rankdata(scores_N)
    among_positive, among_negative = rankdata(scores_N[positive_N]), rankdata(scores_N[~positive_N])
    placed_N = np.zeros(len(scores_N))
    placed_N[positive_N] = (rank_N[positive_N] - among_positive) / n
    placed_N[~positive_N] = 1 - (rank_N[~positive_N] - among_negative) / m
    area = float(placed_N[positive_N].mean())
    for side, count in ((positive_N, m), (~positive_N, n)):
        placed_N[side] = (placed_N[side] - area) / math.sqrt(max(1, count * (count - 1)))
    return area, placed_N


def normal(value: float, errors_N: Floats) -> Interval | None:
    """The interval of a sum of independent errors; None where they are all nothing, as where no two items are out of order."""
    half = Z * math.sqrt(float((errors_N**2).sum()))
    return Interval(max(0.0, value - half), min(1.0, value + half)) if half > 0 else None
