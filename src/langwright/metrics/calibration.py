"""Whether probabilities mean what they say, and the one number that mends them.

Shapes    N items    L labels    B bins
Sources   Guo et al. 2017, arXiv:1706.04599, equations 2, 3 (reliability, ECE) and 9 (temperature scaling)
          Nguyen & O'Connor 2015, arXiv:1508.05154 (bins of equally many items)
          Brier 1950, Monthly Weather Review 78:1; Murphy 1973, Journal of Applied Meteorology 12:595
          (its parts)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langwright.measures import Measure
from langwright.metrics.intervals import DRAWS, bootstrap_mean, bootstrap_sums
from langwright.metrics.yardsticks import Interval, Yardstick

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from langwright.metrics.intervals import Floats

BINS = 15  # as Guo et al.

ECE = Yardstick(
    name="calibration error", unit="share", better="lower",
    method="mean distance of confidence from accuracy in {bins} bins of equal width, weighted by their items, {n} items (ECE of Guo et al. 2017); interval: {draws} bootstrap draws over items",
    does_not_show="errors that cancel inside a bin; with few items it is above 0 even where every probability is right",
)  # fmt: skip
ADAPTIVE_ECE = Yardstick(
    name="adaptive calibration error", unit="share", better="lower",
    method="mean distance of confidence from accuracy in {bins} bins of equally many items, {n} items (Nguyen & O'Connor 2015); interval: {draws} bootstrap draws over items, bins as they are",
    does_not_show="errors that cancel inside a bin; with few items it is above 0 even where every probability is right",
)  # fmt: skip
UNSCALED_ECE = Yardstick(
    name="calibration error before scaling", unit="share", better="lower",
    method="the same as calibration error ({bins} bins of equal width, {n} items; Guo et al. 2017), of the head's scores as they are, without the temperature {temperature} that was fitted on other rows; interval: {draws} bootstrap draws over items",
    does_not_show="errors that cancel inside a bin; with few items it is above 0 even where every probability is right",
)  # fmt: skip
BRIER = Yardstick(
    name="Brier score", unit="", better="lower",
    method="squared distance of the probabilities of all labels from what was so, 0 to 2, mean over {n} items (Brier 1950); interval: {draws} bootstrap draws over items",
    does_not_show="whether a bad score comes from wrong probabilities or from items that nobody could tell",
)  # fmt: skip


@dataclass(frozen=True)
class Bin:
    """One bar of a reliability diagram.

    low, high             what confidences it holds: above low, up to high
    confidence, accuracy  means of its items; not numbers where it has none
    """

    low: float
    high: float
    items: int
    confidence: float
    accuracy: float


def reliability(confidence: Sequence[float], right: Sequence[bool], bins: int = BINS, *, adaptive: bool = False) -> list[Bin]:  # fmt: skip
    """Bars of the reliability diagram, of equal width or, adaptive, of equally many items; empty ones stay."""
    import numpy as np

    sure_N, hits_N = checked(confidence, right)
    place_N, edges = binned(sure_N, bins, adaptive)
    bars = []
    for place in range(bins):
        inside = place_N == place
        count = int(inside.sum())
        means = (float(sure_N[inside].mean()), float(hits_N[inside].mean())) if count else (np.nan, np.nan)
        bars.append(Bin(float(edges[place]), float(edges[place + 1]), count, *means))
    return bars


def calibration_error(confidence: Sequence[float], right: Sequence[bool], bins: int = BINS, *, adaptive: bool = False, seed: int = 0) -> Measure:  # fmt: skip
    """ECE of the confidence in what was predicted.

    confidence  probability of the predicted label, in 0..1
    right       whether it was so
    adaptive    bins of equally many items
    raises      ValueError when lengths differ, nothing is given, or a confidence is no probability
    """
    import numpy as np

    sure_N, hits_N = checked(confidence, right)
    place_N, _ = binned(sure_N, bins, adaptive)
    gaps_NB = np.zeros((len(sure_N), bins))
    gaps_NB[np.arange(len(sure_N)), place_N] = sure_N - hits_N
    n = len(sure_N)

    def error(sums_RB: Floats) -> Floats:
        total: Floats = np.abs(sums_RB).sum(axis=1) / n
        return total

    kind = ADAPTIVE_ECE if adaptive else ECE
    interval = bootstrap_sums(gaps_NB, error, seed=seed)
    return kind.measure(error(gaps_NB.sum(0)[None])[0], interval, n=n, seed=seed, bins=bins, draws=DRAWS)


def unscaled_error(confidence: Sequence[float], right: Sequence[bool], temperature: float, seed: int = 0) -> Measure:
    """ECE of confidences as a head gives them, beside those that a temperature made of them."""
    found = calibration_error(confidence, right, seed=seed)
    interval = Interval(found.low, found.high) if found.low is not None and found.high is not None else None
    return UNSCALED_ECE.measure(
        found.value, interval, n=found.n, seed=seed, bins=BINS, draws=DRAWS, temperature=f"{temperature:.3f}"
    )


def checked(confidence: Sequence[float], right: Sequence[bool]) -> tuple[Floats, Floats]:
    """Both as arrays; ValueError when they cannot be."""
    import numpy as np

    sure_N, hits_N = np.asarray(confidence, float), np.asarray(right, float)
    if sure_N.shape != hits_N.shape or not sure_N.size or not ((sure_N >= 0) & (sure_N <= 1)).all():
        raise ValueError(f"{sure_N.size} confidences for {hits_N.size} items, or some outside 0 to 1")
    return sure_N, hits_N


def binned(sure_N: Floats, bins: int, adaptive: bool) -> tuple[NDArray[np.int64], Floats]:
    """Which bin each item is in, and the edges (B + 1) of the bins."""
    import numpy as np

    if adaptive:
        place_N = np.zeros(len(sure_N), dtype=np.int64)
        parts = np.array_split(np.argsort(sure_N, kind="stable"), bins)
        for place, part in enumerate(parts):
            place_N[part] = place
        tops = [float(sure_N[part].max()) if len(part) else 1.0 for part in parts]
        return place_N, np.array([0.0, *tops[:-1], 1.0])
    edges = np.linspace(0, 1, bins + 1)
    # a bin holds what is above its lower edge, up to its upper one; 0 is in the first
    return np.clip(np.searchsorted(edges, sure_N, side="left") - 1, 0, bins - 1), edges


def brier(probabilities_NL: Sequence[Sequence[float]], right_N: Sequence[int], *, seed: int = 0) -> Measure:
    """Brier score of probabilities over labels.

    right_N  place of the right label of each item
    raises   ValueError when lengths differ or nothing is given
    """
    import numpy as np

    given = np.asarray(probabilities_NL, float)
    if given.ndim != 2 or len(given) != len(right_N) or not given.size:
        raise ValueError(f"probabilities of shape {given.shape} for {len(right_N)} items")
    so = np.zeros_like(given)
    so[np.arange(len(given)), np.asarray(right_N)] = 1
    off_N = ((given - so) ** 2).sum(axis=1)
    return BRIER.measure(off_N.mean(), bootstrap_mean(list(off_N), seed=seed), n=len(off_N), seed=seed, draws=DRAWS)


@dataclass(frozen=True)
class Parts:
    """What the Brier score of one event consists of: reliability - resolution + uncertainty."""

    reliability: float
    resolution: float
    uncertainty: float


def brier_parts(probability: Sequence[float], so: Sequence[bool]) -> Parts:
    """Murphy's three parts of mean (probability - so)², items with equal probability taken together."""
    import numpy as np

    said_N, so_N = checked(probability, so)
    values, place_N = np.unique(said_N, return_inverse=True)
    counts = np.bincount(place_N)
    shares = np.bincount(place_N, so_N) / counts
    base, n = so_N.mean(), len(so_N)
    return Parts(
        float((counts * (values - shares) ** 2).sum() / n),
        float((counts * (shares - base) ** 2).sum() / n),
        float(base * (1 - base)),
    )


def fit_temperature(logits_NL: Sequence[Sequence[float]], right_N: Sequence[int]) -> float:
    """The temperature that the logits are to be divided by: the one with the least negative log-likelihood.

    Take rows that were neither trained on nor are measured on. What is predicted does not change. The likelihood is
    convex in 1 / T, which is searched between 0.01 and 100.

    raises  ValueError when lengths differ or nothing is given
    """
    import numpy as np
    from scipy.optimize import minimize_scalar

    given, right = np.asarray(logits_NL, float), np.asarray(right_N)
    if given.ndim != 2 or len(given) != len(right) or not given.size:
        raise ValueError(f"logits of shape {given.shape} for {len(right)} items")
    found = minimize_scalar(
        lambda log_beta: nats(given * np.exp(log_beta), right),
        bounds=(np.log(0.01), np.log(100)), method="bounded", options={"xatol": 1e-9},
    )  # fmt: skip
    return float(np.exp(-found.x))


def nats(logits_NL: Floats, right_N: NDArray[np.int64]) -> float:
    """Mean negative log-likelihood of the right labels."""
    import numpy as np
    from scipy.special import logsumexp

    return float((logsumexp(logits_NL, axis=1) - logits_NL[np.arange(len(right_N)), right_N]).mean())


def at_temperature(logits_NL: Sequence[Sequence[float]], temperature: float) -> Floats:
    """Probabilities (N, L) of logits divided by a temperature."""
    import numpy as np
    from scipy.special import softmax

    given: Floats = softmax(np.asarray(logits_NL, float) / temperature, axis=1)
    return given
