"""Fitting, on rows that were not learned from, what turns a head's scores into confidences, and when to abstain.

Every other row is to fit the temperature by, the rest to choose the thresholds by, and to say what the temperature did.

Source    Guo et al. 2017, arXiv:1706.04599, section 4.2 (temperature scaling); Platt 1999, "Probabilistic outputs for
          support vector machines" (a slope and a shift, where one score says how sure an answer is); Geifman &
          El-Yaniv 2017, arXiv:1705.08500 (thresholds for a stated share of errors)
Differs   Platt's smoothed targets are not used; the slope is written as a temperature
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from langwright.measures import Bounded, Calibration, Measure
from langwright.metrics.abstaining import bounded_risk
from langwright.metrics.calibration import at_temperature, calibration_error, fit_temperature, unscaled_error

if TYPE_CHECKING:
    from langwright.tasks.front.headed import Floats

RISKS = (0.01, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
FEWEST = 20  # rows to fit anything by


def calibrate_labels(logits_NC: Floats, right_N: Sequence[int]) -> tuple[Calibration, tuple[Measure, ...]] | None:
    """The temperature of a head that gives one label, and thresholds; calibration error before and after it.

    None with fewer than twice FEWEST rows.
    """
    right = np.asarray(right_N)
    if len(right) < 2 * FEWEST:
        return None
    temperature = fit_temperature(logits_NC[::2].tolist(), right[::2].tolist())
    shares_NC = at_temperature(logits_NC[1::2].tolist(), temperature)
    raw_NC = at_temperature(logits_NC[1::2].tolist(), 1.0)
    hits = (logits_NC[1::2].argmax(-1) == right[1::2]).tolist()
    sure, before = (np.minimum(one.max(-1), 1.0).tolist() for one in (shares_NC, raw_NC))
    found = Calibration(rows=len(right), temperature=temperature, bounds=thresholds(sure, hits))
    return found, (unscaled_error(before, hits, temperature), calibration_error(sure, hits))


def calibrate_answers(scores: Sequence[float], right: Sequence[bool]) -> tuple[Calibration, tuple[Measure, ...]] | None:
    """How the scores of answers become confidences, and thresholds; calibration error before and after.

    scores  how much likelier each answer is than none, in logits
    None with fewer than twice FEWEST rows, or where all are right or all wrong.
    """
    values, hits = np.asarray(scores, float), np.asarray(right, float)
    if len(hits) < 2 * FEWEST or not 0 < hits[::2].mean() < 1:
        return None
    temperature, shift = fit_slope(values[::2], hits[::2])
    sure = confidence_of(values[1::2], temperature, shift)
    before = confidence_of(values[1::2], 1.0, 0.0)
    so = (hits[1::2] > 0).tolist()
    found = Calibration(rows=len(hits), temperature=temperature, shift=shift, bounds=thresholds(sure.tolist(), so))
    return found, (unscaled_error(before.tolist(), so, temperature), calibration_error(sure.tolist(), so))


def fit_slope(values_N: Floats, hits_N: Floats) -> tuple[float, float]:
    """Temperature and shift with the least negative log-likelihood of sigmoid(value / temperature + shift)."""
    from scipy.optimize import minimize

    def nats(parameters: Floats) -> float:
        logits = values_N * np.exp(parameters[0]) + parameters[1]
        return float(np.mean(np.logaddexp(0, logits) - hits_N * logits) + 1e-6 * np.square(parameters).sum())

    found = minimize(nats, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-9, "maxiter": 2000})
    return float(np.exp(-found.x[0])), float(found.x[1])


def confidence_of(values: Floats, temperature: float, shift: float) -> Floats:
    """sigmoid(value / temperature + shift)."""
    from scipy.special import expit

    sure: Floats = expit(values / temperature + shift)
    return sure


def thresholds(sure: Sequence[float], hits: Sequence[bool]) -> tuple[Bounded, ...]:
    """For each of the usual risks the threshold that keeps it, where there is one."""
    found = ((risk, bounded_risk(sure, hits, risk)) for risk in RISKS)
    return tuple(
        Bounded(risk=risk, threshold=one.threshold, kept=one.kept, bound=one.bound, doubt=one.doubt)
        for risk, one in found
        if one is not None
    )
