"""Learning-rate schedules as functions of the update's number.

Differs from `transformers.get_scheduler`: update s (from 0) of N uses what transformers gives at s + 1 of
N + 1, so that neither the first nor the last update is made with a rate of zero.
"""

from __future__ import annotations

import math

from langwright.training.settings import Cosine, Linear, Schedule, Trapezoid


def rate_factor(schedule: Schedule, update: int, updates: int) -> float:
    """What the peak learning rate is multiplied with at an update.

    update   number of updates already done, 0 <= update < updates
    updates  number of updates planned
    """
    warmup = round(schedule.warmup_share * updates)
    at, end = update + 1, updates + 1
    if at <= warmup:
        return at / warmup
    done = (at - warmup) / (end - warmup)
    match schedule:
        case Cosine():
            return schedule.final_share + (1 - schedule.final_share) * 0.5 * (1 + math.cos(math.pi * done))
        case Linear():
            return 1 - done
        case Trapezoid():
            decay = max(1, round(schedule.decay_share * updates))
            return min(1.0, (end - at) / decay)
