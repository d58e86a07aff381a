"""Precision and recall of one label an item, and the correlation of what is named with what is right.

Shapes    L labels    R bootstrap draws
Sources   Manning, Raghavan & Schütze 2008, Introduction to Information Retrieval, sections 8.3 and 13.6
          Matthews 1975, Biochimica et Biophysica Acta 405:442; with more than two labels Gorodkin 2004,
          Computational Biology and Chemistry 28:367
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from langwright.measures import Measure
from langwright.metrics.classification import Margins, confusion, drawn_margins, margins, paired
from langwright.metrics.intervals import DRAWS, FEWEST, percentiles
from langwright.metrics.yardsticks import Interval, Yardstick

if TYPE_CHECKING:
    from langwright.metrics.intervals import Floats

PRECISION_MACRO = Yardstick(
    name="macro precision", unit="share", better="higher",
    method="mean of the precision of {labels} labels over {n} items, a label never named counting 0; interval: {draws} bootstrap draws over items",
    does_not_show="how many items of a label were missed",
)  # fmt: skip
RECALL_MACRO = Yardstick(
    name="macro recall", unit="share", better="higher",
    method="mean of the recall of {labels} labels over {n} items, a label that is never right counting 0; interval: {draws} bootstrap draws over items",
    does_not_show="how often a label is named where it is wrong",
)  # fmt: skip
PRECISION_OF_LABEL = Yardstick(
    name="precision of {label}", unit="share", better="higher",
    method="share of the {named} items given this label that have it, of {n} items; interval: {draws} bootstrap draws over items",
    does_not_show="how many items of this label were missed",
)  # fmt: skip
RECALL_OF_LABEL = Yardstick(
    name="recall of {label}", unit="share", better="higher",
    method="share of the {support} items with this label that are given it, of {n} items; interval: {draws} bootstrap draws over items",
    does_not_show="how often this label is named where it is wrong",
)  # fmt: skip
MATTHEWS = Yardstick(
    name="Matthews correlation", unit="", better="higher",
    method="correlation of predicted and right labels over {n} items (Matthews 1975, Gorodkin 2004): 1 is perfect, 0 is no better than chance; interval: {draws} bootstrap draws over items",
    does_not_show="which labels are confused; see the confusion matrix",
)  # fmt: skip


def rates(predicted: Sequence[str], right: Sequence[str], labels: Sequence[str] | None = None, *, seed: int = 0) -> tuple[Measure, ...]:  # fmt: skip
    """Macro precision, macro recall, Matthews correlation, then precision and recall of each label.

    labels  those averaged over; default: every label that occurs
    raises  ValueError when lengths differ or nothing is given
    """
    n = paired(predicted, right)
    labels = sorted({*predicted, *right}) if labels is None else list(dict.fromkeys([*labels, *predicted, *right]))
    counts_LL = confusion(predicted, right, labels)
    counted, drawn = margins(counts_LL[None]), drawn_margins(counts_LL, seed) if n >= FEWEST else None
    precision_L, recall_L = precision(counted)[0], recall(counted)[0]
    macro = {"n": n, "seed": seed, "labels": len(labels), "draws": DRAWS}
    found = [
        PRECISION_MACRO.measure(precision_L.mean(), drawn and percentiles(precision(drawn).mean(axis=1)), **macro),  # type: ignore[arg-type]
        RECALL_MACRO.measure(recall_L.mean(), drawn and percentiles(recall(drawn).mean(axis=1)), **macro),  # type: ignore[arg-type]
        MATTHEWS.measure(matthews(counted)[0], drawn and percentiles(matthews(drawn)), n=n, seed=seed, draws=DRAWS),
    ]
    for place, label in enumerate(labels):
        for kind, rate, value in ((PRECISION_OF_LABEL, precision, precision_L), (RECALL_OF_LABEL, recall, recall_L)):
            interval: Interval | None = drawn and percentiles(rate(drawn)[:, place])
            found.append(
                kind.measure(
                    value[place], interval, n=n, seed=seed, name=kind.name.format(label=label), draws=DRAWS,
                    named=int(counted.named_RL[0, place]), support=int(counted.right_RL[0, place]),
                )
            )  # fmt: skip
    return tuple(found)


def precision(counted: Margins) -> Floats:
    """(R, L): share of the items so named that are so; 0 for a label never named."""
    return divided(counted.hits_RL, counted.named_RL)


def recall(counted: Margins) -> Floats:
    """(R, L): share of the items that are so that were so named; 0 for a label never right."""
    return divided(counted.hits_RL, counted.right_RL)


def matthews(counted: Margins) -> Floats:
    """(R,): Gorodkin's correlation of K categories; 0 where all items are named alike or are alike."""
    import numpy as np

    n_R, hits_R = counted.right_RL.sum(-1), counted.hits_RL.sum(-1)
    together = hits_R * n_R - (counted.named_RL * counted.right_RL).sum(-1)
    spread = (n_R**2 - (counted.named_RL**2).sum(-1)) * (n_R**2 - (counted.right_RL**2).sum(-1))
    return divided(together, np.sqrt(spread))


def divided(above: Floats, below: Floats) -> Floats:
    """above / below, and 0 where there is nothing below."""
    import numpy as np

    return np.divide(above, below, out=np.zeros_like(below), where=below > 0)
