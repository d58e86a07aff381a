"""Ratings of models from comparisons of two at a time.

Sources   Elo 1978, The Rating of Chessplayers, Past and Present (the update; its logistic form)
          Bradley & Terry 1952, Biometrika 39:324; fitted as by Hunter 2004, Annals of Statistics 32:384, equation 3
Differs   Elo depends on the order of the comparisons, so it is the mean over many orders drawn by chance; a tie is half
          a win for each. To Bradley-Terry's counts one tie of every pair that met is added, so that a model that always won
          has a rating; their strengths stand on Elo's scale, 400 points for odds of ten to one, around 1000.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langwright.measures import Measure
from langwright.metrics.intervals import FEWEST, percentiles, resamples
from langwright.metrics.yardsticks import Yardstick

if TYPE_CHECKING:
    from langwright.metrics.intervals import Floats

START = 1000.0
SCALE = 400.0
GAIN = 32.0  # points at stake in one comparison
ORDERS = 100
RATED = 500  # bootstrap draws; each is fitted anew

ELO = Yardstick(
    name="Elo rating", unit="points", better="higher",
    method="mean over {orders} orders of {n} comparisons with {rated} models, {gain} points at stake in each, from 1000 (Elo 1978); interval: the middle 95 % of one order each of {draws} bootstrap draws over comparisons",
    does_not_show="how good a model is by itself; other questions or other raters",
)  # fmt: skip
BRADLEY_TERRY = Yardstick(
    name="Bradley-Terry rating", unit="points", better="higher",
    method="strength that makes the wins among {rated} models likeliest, 400 points for odds of ten to one, mean 1000, {n} comparisons, a tie half a win for each, one tie added to every pair that met (Bradley & Terry 1952); interval: {draws} bootstrap draws over comparisons",
    does_not_show="how good a model is by itself; other questions or other raters; that there is one order of strength at all",
)  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """Two models on one item, and what came of it: 1 the first won, 0 the second, 0.5 neither."""

    first: str
    second: str
    score: float


def elo(compared: Sequence[Compared], start: float = START, gain: float = GAIN) -> dict[str, float]:
    """Ratings after the comparisons in the order given.

    >>> elo([Compared("a", "b", 1.0)])
    {'a': 1016.0, 'b': 984.0}
    """
    rating = {name: start for one in compared for name in (one.first, one.second)}
    for one in compared:
        expected = 1 / (1 + 10 ** ((rating[one.second] - rating[one.first]) / SCALE))
        moved = gain * (one.score - expected)
        rating[one.first] += moved
        rating[one.second] -= moved
    return rating


def elo_ratings(compared: Sequence[Compared], *, seed: int = 0) -> tuple[Measure, ...]:
    """One measure a model, the best first; ValueError when nothing is given."""
    import numpy as np

    if not compared:
        raise ValueError("no comparisons")
    drawing = random.Random(seed)
    names = sorted({name for one in compared for name in (one.first, one.second)})
    orders = [elo(drawing.sample(compared, len(compared))) for _ in range(ORDERS)]
    # a draw with replacement is in an order drawn by chance already
    drawn = [elo(drawing.choices(compared, k=len(compared))) for _ in range(RATED)]
    found = []
    for name in names:
        value = sum(one[name] for one in orders) / ORDERS
        spread = np.array([one.get(name, START) for one in drawn])
        interval = percentiles(spread) if len(compared) >= FEWEST else None
        found.append(
            ELO.measure(
                value, interval, n=len(compared), seed=seed, rated=len(names), orders=ORDERS, gain=f"{GAIN:g}", draws=RATED
            )
        )  # fmt: skip
    return named(found, names)


def wins_of(compared: Sequence[Compared], names: Sequence[str]) -> Floats:
    """(N, M, M): for each comparison, what the row's model won against the column's."""
    import numpy as np

    place = {name: number for number, name in enumerate(names)}
    wins_NMM = np.zeros((len(compared), len(names), len(names)))
    for number, one in enumerate(compared):
        wins_NMM[number, place[one.first], place[one.second]] = one.score
        wins_NMM[number, place[one.second], place[one.first]] = 1 - one.score
    return wins_NMM


def strengths(wins_MM: Floats, rounds: int = 10_000, tolerance: float = 1e-10) -> Floats:
    """Natural logarithms of Bradley-Terry strengths, mean 0, by Hunter's minorisation.

    wins_MM  how often the row's model beat the column's; a model that never lost or never won has no bound, and what is
             returned is where the rounds ended
    """
    import numpy as np

    met_MM, won_M = wins_MM + wins_MM.T, wins_MM.sum(1)
    log_M = np.zeros(len(wins_MM))
    for _ in range(rounds):
        strength_M = np.exp(log_M)
        weight_M = (met_MM / (strength_M[:, None] + strength_M[None, :])).sum(1)
        new_M = np.log(np.maximum(won_M, 1e-12) / np.maximum(weight_M, 1e-12))
        new_M -= new_M.mean()
        done = np.abs(new_M - log_M).max() < tolerance
        log_M = new_M
        if done:
            break
    return log_M


def bradley_terry(compared: Sequence[Compared], *, seed: int = 0) -> tuple[Measure, ...]:
    """One measure a model, the best first.

    Every pair that met is given one tie more, so that a model that always won has a rating too.

    raises  ValueError when nothing is given
    """
    import numpy as np

    if not compared:
        raise ValueError("no comparisons")
    names = sorted({name for one in compared for name in (one.first, one.second)})
    wins_NMM = wins_of(compared, names)
    met = (wins_NMM.sum(0) + wins_NMM.sum(0).T > 0) / 2

    def points(wins_MM: Floats) -> Floats:
        rated: Floats = START + SCALE / np.log(10) * strengths(wins_MM + met, rounds=1000, tolerance=1e-6)
        return rated

    value_M = points(wins_NMM.sum(0))
    flat = wins_NMM.reshape(len(compared), -1)
    drawn_RM = np.array(
        [points(sums.reshape(met.shape)) for weights in resamples(len(flat), seed, RATED) for sums in weights @ flat]
    )
    found = [
        BRADLEY_TERRY.measure(
            value_M[place], percentiles(drawn_RM[:, place]) if len(compared) >= FEWEST else None,
            n=len(compared), seed=seed, rated=len(names), draws=RATED,
        )
        for place in range(len(names))
    ]  # fmt: skip
    return named(found, names)


def named(measures: Sequence[Measure], names: Sequence[str]) -> tuple[Measure, ...]:
    """Measures of models, the highest first, signed with their names."""
    signed = [m.model_copy(update={"model": name}) for m, name in zip(measures, names, strict=True)]
    return tuple(sorted(signed, key=lambda m: -m.value))
