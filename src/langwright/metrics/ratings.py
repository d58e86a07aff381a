"""The mean of what people said on a scale."""

from __future__ import annotations

from collections.abc import Sequence

from langwright.measures import Measure
from langwright.metrics.intervals import DRAWS, bootstrap_mean
from langwright.metrics.yardsticks import Yardstick

MEAN_RATING = Yardstick(
    name="mean rating", unit="", better="higher",
    method="mean over {n} texts of the mean of {ratings} ratings from 1 to {highest}; interval: {draws} bootstrap draws over texts, raters as they are",
    does_not_show="other raters, who may be stricter; that steps of the scale are equally far apart",
)  # fmt: skip


def mean_rating(ratings: Sequence[Sequence[float]], highest: int, *, seed: int = 0) -> Measure:
    """Mean over texts of the mean of each one's ratings; ValueError when a text has none, or there are no texts."""
    if not ratings or not all(ratings):
        raise ValueError(f"{len(ratings)} texts, or one without ratings")
    means = [sum(one) / len(one) for one in ratings]
    return MEAN_RATING.measure(
        sum(means) / len(means), bootstrap_mean(means, seed=seed), n=len(means), seed=seed,
        ratings=sum(map(len, ratings)), highest=highest, draws=DRAWS,
    )  # fmt: skip
