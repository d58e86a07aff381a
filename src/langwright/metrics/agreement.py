"""How far raters agree beyond chance.

Shapes    N items    C categories    R bootstrap draws
Sources   Cohen 1960, Educational and Psychological Measurement 20:37 (two raters); with weights Cohen 1968,
          Psychological Bulletin 70:213
          Fleiss 1971, Psychological Bulletin 76:378 (equally many ratings of each item)
          Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability" (any number, gaps allowed)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal

from langwright.measures import Measure
from langwright.metrics.intervals import DRAWS, bootstrap_sums
from langwright.metrics.label_rates import divided
from langwright.metrics.yardsticks import Yardstick

if TYPE_CHECKING:
    from langwright.metrics.intervals import Floats

CANNOT_TELL = (
    "whether the raters are right: they may err alike; two values from other shares of categories are not comparable"
)
COHEN = Yardstick(
    name="Cohen's kappa", unit="", better="higher", does_not_show=CANNOT_TELL,
    method="agreement of two raters beyond chance on {n} items ({weights} weights), 1 whole, 0 as by chance (Cohen 1960, 1968); interval: {draws} bootstrap draws over items",
)  # fmt: skip
FLEISS = Yardstick(
    name="Fleiss' kappa", unit="", better="higher", does_not_show=CANNOT_TELL,
    method="agreement beyond chance of {raters} ratings on each of {n} items, 1 whole, 0 as by chance (Fleiss 1971); interval: {draws} bootstrap draws over items",
)  # fmt: skip
ALPHA = Yardstick(
    name="Krippendorff's alpha", unit="", better="higher", does_not_show=CANNOT_TELL,
    method="1 less observed over expected disagreement of {ratings} ratings of {n} items with two or more ({level} distance), 1 whole, 0 as by chance (Krippendorff 2011); interval: {draws} bootstrap draws over items",
)  # fmt: skip

Weights = Literal["equal", "linear", "quadratic"]
Level = Literal["nominal", "ordinal", "interval"]
Rating = str | float


def cohen_kappa(first: Sequence[Rating], second: Sequence[Rating], weights: Weights = "equal", *, seed: int = 0) -> Measure:  # fmt: skip
    """Two raters; weights count how far two categories are apart, in their sorted order.

    raises  ValueError when lengths differ, nothing is given, or all ratings are the same
    """
    import numpy as np

    if len(first) != len(second) or not first:
        raise ValueError(f"{len(first)} and {len(second)} ratings")
    place = places([*first, *second])
    size = len(place)
    apart = np.abs(np.subtract.outer(np.arange(size), np.arange(size))).astype(float)
    cost_CC = {"equal": (apart > 0).astype(float), "linear": apart, "quadratic": apart**2}[weights]
    cells_NCC = np.zeros((len(first), size, size))
    cells_NCC[np.arange(len(first)), [place[a] for a in first], [place[b] for b in second]] = 1

    def kappa(sums_RK: Floats) -> Floats:
        table_RCC = sums_RK.reshape(-1, size, size)
        chance_RCC = table_RCC.sum(2)[:, :, None] * table_RCC.sum(1)[:, None, :] / len(first)
        return beyond((table_RCC * cost_CC).sum((1, 2)), (chance_RCC * cost_CC).sum((1, 2)))

    return measured(COHEN, cells_NCC.reshape(len(first), -1), kappa, seed, weights=weights)


def fleiss_kappa(ratings: Sequence[Sequence[Rating]], *, seed: int = 0) -> Measure:
    """Equally many ratings of each item, by whichever raters.

    raises  ValueError when items have unequally many ratings or fewer than two, or all ratings are the same
    """
    raters = len(ratings[0]) if ratings else 0
    if raters < 2 or any(len(one) != raters for one in ratings):
        raise ValueError(f"{len(ratings)} items with unequally many ratings, or fewer than two")
    counts_NC = tallied(ratings)

    def kappa(sums_RK: Floats) -> Floats:
        items_R, same_R, shares_RC = sums_RK[:, 0], sums_RK[:, 1], sums_RK[:, 2:]
        shares_RC = shares_RC / (items_R * raters)[:, None]
        return beyond(1 - same_R / items_R, 1 - (shares_RC**2).sum(1))

    import numpy as np

    same_N = (counts_NC * (counts_NC - 1)).sum(1) / (raters * (raters - 1))
    values_NK = np.concatenate([np.ones((len(ratings), 1)), same_N[:, None], counts_NC], axis=1)
    return measured(FLEISS, values_NK, kappa, seed, raters=raters)


def krippendorff_alpha(ratings: Sequence[Sequence[Rating]], level: Level = "nominal", *, seed: int = 0) -> Measure:
    """Any number of ratings of each item; items with fewer than two are left out.

    level   nominal: categories; ordinal: numbers whose order counts; interval: numbers whose differences count
    raises  ValueError when no item has two ratings, all ratings are the same, or a level needs numbers and has none
    """
    import numpy as np

    kept = [one for one in ratings if len(one) >= 2]
    if not kept:
        raise ValueError("no item with two ratings")
    if level != "nominal" and any(isinstance(rating, str) for one in kept for rating in one):
        raise ValueError(f"ratings that are no numbers, for {level} distance")
    values = list(places([rating for one in kept for rating in one]))
    counts_NC = tallied(kept)
    per_N = counts_NC.sum(1)
    # an item's coincidences: ordered pairs of its ratings, each weighing 1 / (ratings - 1)
    pairs_NCC = (counts_NC[:, :, None] * counts_NC[:, None, :] - counts_NC[:, :, None] * np.eye(len(values))) / (per_N - 1)[:, None, None]  # fmt: skip

    def alpha(sums_RK: Floats) -> Floats:
        table_RCC = sums_RK.reshape(-1, len(values), len(values))
        totals_RC = table_RCC.sum(2)
        n_R = totals_RC.sum(1)
        distance_RCC = distances(level, values, totals_RC)
        observed = (table_RCC * distance_RCC).sum((1, 2))
        expected = (totals_RC[:, :, None] * totals_RC[:, None, :] * distance_RCC).sum((1, 2)) / (n_R - 1)
        return beyond(observed, expected)

    return measured(ALPHA, pairs_NCC.reshape(len(kept), -1), alpha, seed, level=level, ratings=int(per_N.sum()))


def distances(level: Level, values: Sequence[Rating], totals_RC: Floats) -> Floats:
    """Squared distance of every two values, (R, C, C); of ordinal ones it depends on how many ratings lie between."""
    import numpy as np

    if level == "ordinal":
        middle_RC = np.cumsum(totals_RC, axis=1) - totals_RC / 2
        gaps: Floats = middle_RC[:, :, None] - middle_RC[:, None, :]
        return gaps**2
    numbers = np.arange(len(values)) if level == "nominal" else np.array(values, float)
    apart = np.subtract.outer(numbers, numbers)
    square = (apart != 0).astype(float) if level == "nominal" else apart**2
    return np.broadcast_to(square, (len(totals_RC), *square.shape))


def beyond(observed_R: Floats, expected_R: Floats) -> Floats:
    """1 - observed / expected disagreement; not a number where none is expected."""
    import numpy as np

    return np.where(expected_R > 0, 1 - divided(observed_R, expected_R), np.nan)


def places(ratings: Sequence[Rating]) -> dict[Rating, int]:
    """Every rating there is, sorted, with its place; numbers before words."""
    return {
        value: place for place, value in enumerate(sorted(set(ratings), key=lambda one: (isinstance(one, str), one)))
    }


def tallied(ratings: Sequence[Sequence[Rating]]) -> Floats:
    """How often each item was given each rating, (N, C)."""
    import numpy as np

    place = places([rating for one in ratings for rating in one])
    counts_NC = np.zeros((len(ratings), len(place)))
    for item, given in enumerate(ratings):
        for rating in given:
            counts_NC[item, place[rating]] += 1
    return counts_NC


def measured(
    kind: Yardstick, values_NK: Floats, statistic: Callable[[Floats], Floats], seed: int, **words: str | int
) -> Measure:
    """The statistic with its interval; ValueError where it has no value, as all ratings are the same."""
    import numpy as np

    value = statistic(values_NK.sum(0)[None])[0]
    if np.isnan(value):
        raise ValueError("all ratings are the same, so that agreement by chance is whole")
    interval = bootstrap_sums(values_NK, statistic, seed=seed)
    return kind.measure(value, interval, n=len(values_NK), seed=seed, draws=DRAWS, **words)  # type: ignore[arg-type]
