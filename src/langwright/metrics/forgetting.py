"""What is kept and what is forgotten when tasks are learned one after the other.

Source    average accuracy, backward and forward transfer: Lopez-Paz & Ranzato 2017, arXiv:1706.08840, equations 2 to 4
          forgetting: Chaudhry et al. 2018, arXiv:1801.10112, section 3, equations 3 and 4
Symbols   a[i][j] accuracy on task j after learning tasks 0 … i; b[j] before learning anything; T tasks
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from langwright.metrics.yardsticks import Yardstick

Matrix = Sequence[Sequence[float]]
ONE_SEQUENCE = "other tasks, or the same tasks in another order"

AVERAGE_ACCURACY = Yardstick(
    name="average accuracy", unit="share", better="higher", does_not_show=ONE_SEQUENCE,
    method="accuracy on every task after the last one was learned, averaged over tasks (Lopez-Paz & Ranzato 2017); "
    "mean over {n} seeds; interval: Student's t over seeds",
)  # fmt: skip
FORGETTING = Yardstick(
    name="forgetting", unit="share", better="lower", does_not_show=ONE_SEQUENCE,
    method="best accuracy on an earlier task so far less its accuracy at the end, averaged over earlier tasks "
    "(Chaudhry et al. 2018); "
    "mean over {n} seeds; interval: Student's t over seeds",
)  # fmt: skip
BACKWARD = Yardstick(
    name="backward transfer", unit="share", better="higher", does_not_show=ONE_SEQUENCE,
    method="accuracy on an earlier task at the end less that right after it was learned, averaged over earlier tasks "
    "(Lopez-Paz & Ranzato 2017); "
    "mean over {n} seeds; interval: Student's t over seeds",
)  # fmt: skip
FORWARD = Yardstick(
    name="forward transfer", unit="share", better="higher", does_not_show=ONE_SEQUENCE,
    method="accuracy on a task just before it is learned less that of the untrained head, averaged over later tasks "
    "(Lopez-Paz & Ranzato 2017); "
    "mean over {n} seeds; interval: Student's t over seeds",
)  # fmt: skip
GAP = Yardstick(
    name="average accuracy beyond naive", unit="share", better="higher", does_not_show=ONE_SEQUENCE,
    method="average accuracy less that of naive training from the same seed; mean over {n} seeds; interval: Student's t over seeds",
)  # fmt: skip


def average_accuracy(a: Matrix) -> float:
    """Mean over tasks of the accuracy after the last.

    >>> average_accuracy([[0.9, 0.5], [0.6, 0.8]])
    0.7
    """
    return statistics.fmean(a[-1])


def forgetting(a: Matrix) -> float:
    """Mean over earlier tasks of the best accuracy any earlier model had less the last one's; two tasks at least.

    >>> round(forgetting([[0.9, 0.5], [0.6, 0.8]]), 6)
    0.3
    """
    last = len(a) - 1
    return statistics.fmean(max(a[i][j] for i in range(last)) - a[last][j] for j in range(last))


def backward_transfer(a: Matrix) -> float:
    """Mean over earlier tasks of the last accuracy less the one right after learning it; negative where it is forgotten.

    >>> round(backward_transfer([[0.9, 0.5], [0.6, 0.8]]), 6)
    -0.3
    """
    last = len(a) - 1
    return statistics.fmean(a[last][j] - a[j][j] for j in range(last))


def forward_transfer(a: Matrix, b: Sequence[float]) -> float:
    """Mean over later tasks of the accuracy before learning it less that before learning anything.

    >>> round(forward_transfer([[0.9, 0.6], [0.6, 0.8]], [0.5, 0.5]), 6)
    0.1
    """
    return statistics.fmean(a[j - 1][j] - b[j] for j in range(1, len(a)))
