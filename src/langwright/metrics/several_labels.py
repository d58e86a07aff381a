"""Texts that may have several labels each: a threshold for each label, and what comes of them.

Shapes    N texts    L labels
Sources   Yang 2001, SIGIR, "A study of thresholding strategies for text categorization" (SCut: the cut of
          each label that scores best on validation rows)
          Tsoumakas & Katakis 2007, IJDWM 3(3):1 (Hamming loss)
          Zhang & Zhou 2014, IEEE TKDE 26:1819 (subset accuracy)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from langwright.measures import Measure
from langwright.metrics.intervals import DRAWS, bootstrap_mean, bootstrap_sums, wilson
from langwright.metrics.label_rates import divided
from langwright.metrics.yardsticks import Yardstick

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from langwright.metrics.intervals import Floats

LABELS_F1_MACRO = Yardstick(
    name="macro F1 of labels", unit="share", better="higher",
    method="mean of the F1 of {labels} labels over {n} texts that may have several, a label neither right nor named counting 0; interval: {draws} bootstrap draws over texts",
    does_not_show="how many texts are right: a rare label weighs as much as a common one",
)  # fmt: skip
ALL_LABELS = Yardstick(
    name="all labels right", unit="share", better="higher",
    method="share of {n} texts whose labels are exactly the right ones; Wilson interval",
    does_not_show="how near the others were: one label too many counts as much as all wrong",
)  # fmt: skip
HAMMING = Yardstick(
    name="Hamming loss", unit="share", better="lower",
    method="share of all yes-or-no decisions that are wrong, {labels} labels for each of {n} texts; interval: {draws} bootstrap draws over texts",
    does_not_show="how labels that few texts have fare: naming none is nearly right then",
)  # fmt: skip


def choose_thresholds(scores_NL: Sequence[Sequence[float]], right_NL: Sequence[Sequence[bool]]) -> list[float]:
    """For each label the cut with the best F1 on these rows, halfway between two scores; a score at the cut is above it.

    Take rows that were neither trained on nor are measured on. A label that no row has is never given: its cut is
    infinite. Of cuts that are equally good the highest is taken.

    raises  ValueError when shapes differ or there are no rows
    """
    import numpy as np

    scores, right = np.asarray(scores_NL, float), np.asarray(right_NL, bool)
    if scores.shape != right.shape or scores.ndim != 2 or not len(scores):
        raise ValueError(f"scores of shape {scores.shape} for labels of shape {right.shape}")
    return [best_cut(scores[:, place], right[:, place]) for place in range(scores.shape[1])]


def best_cut(scores_N: Floats, right_N: NDArray[np.bool_]) -> float:
    """The threshold of one label."""
    import numpy as np

    if not right_N.any():
        return float("inf")
    order = np.argsort(-scores_N, kind="stable")
    falling, hits = scores_N[order], np.cumsum(right_N[order])
    f1 = 2 * hits / (np.arange(1, len(order) + 1) + right_N.sum())
    f1[:-1][falling[:-1] == falling[1:]] = -1  # no cut goes between equal scores
    last = int(np.argmax(f1))
    return float((falling[last] + falling[last + 1]) / 2) if last + 1 < len(order) else float(falling[-1])


def above(scores_NL: Sequence[Sequence[float]], thresholds_L: Sequence[float]) -> NDArray[np.bool_]:
    """Which labels are given, (N, L)."""
    import numpy as np

    given: NDArray[np.bool_] = np.asarray(scores_NL, float) >= np.asarray(thresholds_L, float)
    return given


def several_labels_scores(named_NL: Sequence[Sequence[bool]], right_NL: Sequence[Sequence[bool]], *, seed: int = 0) -> tuple[Measure, ...]:  # fmt: skip
    """Macro F1 of labels, share of texts with all labels right, Hamming loss; micro F1 is `labels_f1` of `metrics.sets`.

    raises  ValueError when shapes differ or nothing is given
    """
    import numpy as np

    named, right = np.asarray(named_NL, bool), np.asarray(right_NL, bool)
    if named.shape != right.shape or named.ndim != 2 or not named.size:
        raise ValueError(f"predictions of shape {named.shape} for labels of shape {right.shape}")
    n, size = named.shape
    counted_NK = np.concatenate([2 * (named & right), named.astype(int) + right], axis=1).astype(float)

    def macro(sums_RK: Floats) -> Floats:
        mean: Floats = divided(sums_RK[:, :size], sums_RK[:, size:]).mean(axis=1)
        return mean

    exact, wrong_N = int((named == right).all(axis=1).sum()), (named != right).mean(axis=1)
    counts = {"n": n, "seed": seed, "labels": size, "draws": DRAWS}
    return (
        LABELS_F1_MACRO.measure(
            macro(counted_NK.sum(0)[None])[0], bootstrap_sums(counted_NK, macro, seed=seed), **counts
        ),
        ALL_LABELS.measure(exact / n, wilson(exact, n), n=n),
        HAMMING.measure(wrong_N.mean(), bootstrap_mean(list(wrong_N), seed=seed), **counts),
    )
