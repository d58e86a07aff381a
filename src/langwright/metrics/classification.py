"""Accuracy, F1 and the confusion matrix of one label an item.

Shapes    L labels    R bootstrap draws
Source    Manning, Raghavan & Schütze 2008, Introduction to Information Retrieval, section 13.6 (macro and micro averages)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from langwright.measures import Measure
from langwright.metrics.intervals import DRAWS, FEWEST, percentiles, wilson
from langwright.metrics.yardsticks import Interval, Yardstick

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ACCURACY = Yardstick(
    name="accuracy", unit="share", better="higher",
    method="share of {n} items whose label is right; Wilson interval",
    does_not_show="how errors are spread: where one label is common, always naming it scores high; see the F1 of each label",
)  # fmt: skip

UNDER_NOISE = Yardstick(
    name="accuracy under character noise", unit="share", better="higher",
    method="share of {n} items whose label is right after {share} of the characters were swapped, left out, doubled or replaced by chance; Wilson interval",
    does_not_show="mistakes that people make, which are not spread by chance; changes chosen to mislead",
)  # fmt: skip

UNDER_ATTACK = Yardstick(
    name="accuracy under attack", unit="share", better="higher",
    method="share of {n} items whose label stays right at every one of {steps} steps of projected gradient ascent within {epsilon} of the word embeddings; Wilson interval",
    does_not_show="texts that a person could type: the points between words are no words; stronger attacks",
)  # fmt: skip

F1_MACRO = Yardstick(
    name="macro F1", unit="share", better="higher",
    method="mean of the F1 of {labels} labels over {n} items, a label never named counting 0; interval: {draws} bootstrap draws over items",
    does_not_show="how many items are right: a rare label weighs as much as a common one",
)  # fmt: skip

F1_MICRO = Yardstick(
    name="micro F1", unit="share", better="higher",
    method="F1 of all decisions counted together over {n} items; with one label an item it equals accuracy; interval: {draws} bootstrap draws over items",
    does_not_show="how rare labels fare",
)  # fmt: skip

F1_OF_LABEL = Yardstick(
    name="F1 of {label}", unit="share", better="higher",
    method="harmonic mean of precision and recall of this label, {support} of {n} items; interval: {draws} bootstrap draws over items",
    does_not_show="which labels it is taken for; see the confusion matrix",
)  # fmt: skip


def accuracy(predicted: Sequence[str], right: Sequence[str]) -> Measure:
    """Share of equal labels; ValueError when lengths differ or nothing is given."""
    n = paired(predicted, right)
    hits = sum(p == r for p, r in zip(predicted, right, strict=True))
    return ACCURACY.measure(hits / n, wilson(hits, n), n=n)


def under_noise(predicted: Sequence[str], right: Sequence[str], share: float) -> Measure:
    """Accuracy on mistyped texts."""
    n, hits = paired(predicted, right), sum(p == r for p, r in zip(predicted, right, strict=True))
    return UNDER_NOISE.measure(hits / n, wilson(hits, n), n=n, share=f"{share:.4g}")


def under_attack(predicted: Sequence[str], right: Sequence[str], epsilon: float, steps: int) -> Measure:
    """Accuracy under projected gradient ascent."""
    n, hits = paired(predicted, right), sum(p == r for p, r in zip(predicted, right, strict=True))
    return UNDER_ATTACK.measure(hits / n, wilson(hits, n), n=n, epsilon=f"{epsilon:g}", steps=steps)


def confusion(predicted: Sequence[str], right: Sequence[str], labels: Sequence[str]) -> NDArray[np.int64]:
    """Counts (L, L): row the right label, column the predicted one."""
    import numpy as np

    paired(predicted, right)
    place = {label: index for index, label in enumerate(labels)}
    counts_LL = np.zeros((len(labels), len(labels)), dtype=np.int64)
    for p, r in zip(predicted, right, strict=True):
        counts_LL[place[r], place[p]] += 1
    return counts_LL


def f1_scores(counts_RLL: NDArray[np.int64]) -> NDArray[np.float64]:
    """F1 of each label, (R, L), from confusion counts (R, L, L); 0 for a label neither right nor named."""
    import numpy as np

    hits_RL = np.diagonal(counts_RLL, axis1=-2, axis2=-1)
    either_RL = counts_RLL.sum(-1) + counts_RLL.sum(-2)
    scores_RL: NDArray[np.float64] = np.zeros(hits_RL.shape)
    np.divide(2.0 * hits_RL, either_RL, out=scores_RL, where=either_RL > 0)
    return scores_RL


def f1(predicted: Sequence[str], right: Sequence[str], labels: Sequence[str] | None = None, *, seed: int = 0) -> tuple[Measure, ...]:  # fmt: skip
    """Macro F1, micro F1, then F1 of each label, with bootstrap intervals over items.

    labels  those averaged over; default: every label that occurs, as scikit-learn does
    """
    n = paired(predicted, right)
    labels = sorted({*predicted, *right}) if labels is None else list(dict.fromkeys([*labels, *predicted, *right]))
    counts_LL = confusion(predicted, right, labels)
    each_L = f1_scores(counts_LL[None])[0]
    drawn = drawn_f1(counts_LL, seed) if n >= FEWEST else None
    micro = float(counts_LL.trace()) / n
    macro_interval, micro_interval, label_intervals = drawn or (None, None, [None] * len(labels))
    found = [
        F1_MACRO.measure(each_L.mean(), macro_interval, n=n, seed=seed, labels=len(labels), draws=DRAWS),
        F1_MICRO.measure(micro, micro_interval, n=n, seed=seed, draws=DRAWS),
    ]
    for index, label in enumerate(labels):
        name, support = F1_OF_LABEL.name.format(label=label), int(counts_LL[index].sum())
        found.append(
            F1_OF_LABEL.measure(
                each_L[index], label_intervals[index], n=n, seed=seed, name=name, support=support, draws=DRAWS
            )
        )
    return tuple(found)


def drawn_f1(counts_LL: NDArray[np.int64], seed: int) -> tuple[Interval, Interval, list[Interval | None]]:
    """Intervals of macro F1, micro F1 and each label's F1."""
    import numpy as np

    drawn = drawn_margins(counts_LL, seed)
    either_RL = drawn.named_RL + drawn.right_RL
    f1_RL = np.divide(2 * drawn.hits_RL, either_RL, out=np.zeros_like(either_RL), where=either_RL > 0)
    each: list[Interval | None] = [percentiles(column_R) for column_R in f1_RL.T]
    return percentiles(f1_RL.mean(axis=1)), percentiles(drawn.hits_RL.sum(axis=1) / counts_LL.sum()), each


class Margins(NamedTuple):
    """By draw and label: items named rightly, items so named, items that are so."""

    hits_RL: NDArray[np.float64]
    named_RL: NDArray[np.float64]
    right_RL: NDArray[np.float64]


def margins(counts_RLL: NDArray[np.int64]) -> Margins:
    """What rates are made from, of confusion counts (R, L, L)."""
    import numpy as np

    hits_RL = np.diagonal(counts_RLL, axis1=-2, axis2=-1)
    return Margins(hits_RL.astype(float), counts_RLL.sum(-2).astype(float), counts_RLL.sum(-1).astype(float))


def drawn_margins(counts_LL: NDArray[np.int64], seed: int) -> Margins:
    """The margins of bootstrap draws over items.

    Drawing n items with replacement is drawing the occupied cells of the confusion matrix from a
    multinomial, so no item is looked at again.
    """
    import numpy as np

    n, size = int(counts_LL.sum()), len(counts_LL)
    rows, columns = np.nonzero(counts_LL)
    rng = np.random.default_rng(seed)
    cells_RC = rng.multinomial(n, counts_LL[rows, columns] / n, size=DRAWS)
    hits_RL, named_RL, right_RL = (np.zeros((DRAWS, size)) for _ in range(3))
    for cell, (row, column) in enumerate(zip(rows, columns, strict=True)):
        right_RL[:, row] += cells_RC[:, cell]
        named_RL[:, column] += cells_RC[:, cell]
        if row == column:
            hits_RL[:, row] += cells_RC[:, cell]
    return Margins(hits_RL, named_RL, right_RL)


def paired(predicted: Sequence[str], right: Sequence[str]) -> int:
    """How many items; ValueError when the two sides do not match or are empty."""
    if len(predicted) != len(right) or not right:
        raise ValueError(f"{len(predicted)} predictions for {len(right)} items")
    return len(right)
