"""From answers to marks, and from marks to measures, as lm-evaluation-harness 0.4.13 counts them.

Differs   Brier score, F1 and correlation of choices may have questions with different numbers of choices; translation
          metrics take one right answer alone, where the harness gives a hit to any answer that is not empty
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langwright.errors import UserError, unknown
from langwright.evaluation.benchmarks.declaration import Metric, Output
from langwright.evaluation.benchmarks.questions import Question
from langwright.measures import Measure
from langwright.metrics import choices as yards
from langwright.metrics.answers import ANSWER_F1, CMRC_F1, answer_f1, cmrc_f1, exact_share, matches, mean_f1
from langwright.metrics.calibration import brier, calibration_error
from langwright.metrics.intervals import DRAWS, bootstrap_mean, bootstrap_ratio
from langwright.metrics.label_rates import MATTHEWS, rates
from langwright.metrics.likelihood import DocumentScore, bits_per_byte
from langwright.metrics.translation import Kind, translation_score
from langwright.metrics.yardsticks import Interval, Yardstick


@dataclass(frozen=True)
class Likelihood:
    """What a model says of an answer: its log-probability in nats, and whether each token was the likeliest."""

    logprob: float
    greedy: bool
    tokens: int


# --- marks of one question -----------------------------------------------------------------------


def best(values: Sequence[float]) -> int:
    """The place of the highest value, the first where several are equal."""
    return max(range(len(values)), key=values.__getitem__)


def right(place: int, target: int | list[int]) -> float:
    """1 for a right choice."""
    return float(place in target if isinstance(target, list) else place == target)


def choice_marks(question: Question, found: Sequence[Likelihood], names: Sequence[str]) -> dict[str, Any]:
    """Marks of a question with choices, for metrics of these names."""
    count, target = len(question.choices), question.target
    values = [one.logprob for one in found[:count]]
    first = target[0] if isinstance(target, list) else target
    targets = target if isinstance(target, list) else [target]
    marks: dict[str, Callable[[], Any]] = {
        "acc": lambda: right(best(values), target),
        "acc_norm": lambda: right(best([v / len(c) for v, c in zip(values, question.choices, strict=True)]), target),
        "acc_bytes": lambda: right(
            best([v / len(c.encode()) for v, c in zip(values, question.choices, strict=True)]), target
        ),
        "acc_mutual_info": lambda: right(best([v - u.logprob for v, u in zip(values, found[count:], strict=True)]), target),
        "exact_match": lambda: float(any(found[place].greedy for place in targets)),
        "brier_score": lambda: (first, softmax(values)),
        "ece": lambda: (max(softmax(values)), right(best(values), target)),
        "f1": lambda: (first, best(values)),
        "mcc": lambda: (first, best(values)),
    }  # fmt: skip
    return {name: marks[name]() for name in names}


def softmax(values: Sequence[float]) -> list[float]:
    """exp(v) / sum exp(v), safe for large numbers."""
    top = max(values)
    weights = [math.exp(value - top) for value in values]
    return [weight / math.fsum(weights) for weight in weights]


def likelihood_marks(found: Likelihood, names: Sequence[str]) -> dict[str, Any]:
    """Marks of a continuation."""
    marks = {"acc": float(found.greedy), "perplexity": found.logprob}
    return {name: marks[name] for name in names}


def rolling_marks(text: str, found: Likelihood, names: Sequence[str]) -> dict[str, Any]:
    """Marks of running text: (log-probability, units, tokens)."""
    units = {"word_perplexity": len(re.split(r"\s+", text))}
    return {name: (found.logprob, units.get(name, len(text.encode())), found.tokens) for name in names}


ANSWERS: dict[str, Callable[[str, Sequence[str]], float]] = {
    "answer_exact": matches,
    "answer_f1": answer_f1,
    "cmrc_f1": cmrc_f1,
}


def written_marks(answer: Any, target: Any, metrics: Sequence[Metric]) -> dict[str, Any]:
    """Marks of a written answer; `target` is one right answer or several."""
    several = list(target) if isinstance(target, (list, tuple)) else [target]
    texts = [str(one) for one in several]
    found: dict[str, Any] = {}
    for metric in metrics:
        if metric.code is not None:
            given = metric.code(references=[target], predictions=[answer], **metric.options)
            found |= given if isinstance(given, dict) else {metric.name: given}
        elif metric.name == "exact_match":
            same = plainly(str(answer), metric.options)
            found[metric.name] = float(any(plainly(text, metric.options) == same for text in texts))
        elif metric.name in ANSWERS:
            found[metric.name] = float(ANSWERS[metric.name](str(answer), texts))
        else:
            found[metric.name] = (str(answer), texts)
    return found


def plainly(text: str, options: Mapping[str, Any]) -> str:
    """A text without what `exact_match` is told to overlook."""
    for ignored in options.get("regexes_to_ignore") or ():
        text = re.sub(ignored, "", text)
    text = text.lower() if options.get("ignore_case") else text
    if options.get("ignore_punctuation"):
        text = text.translate(str.maketrans("", "", string.punctuation))
    return text.translate(str.maketrans("", "", string.digits)) if options.get("ignore_numbers") else text


# --- measures of all questions -------------------------------------------------------------------

SHARES = {
    "acc": yards.CHOSEN, "acc_norm": yards.CHOSEN_BY_CHARACTERS, "acc_bytes": yards.CHOSEN_BY_BYTES,
    "acc_mutual_info": yards.CHOSEN_BY_GAIN, "exact_match": yards.WRITTEN_GREEDILY,
}  # fmt: skip
TRANSLATION: dict[str, Kind] = {"bleu": "BLEU", "chrf": "chrF", "chrf++": "chrF++", "ter": "TER"}
KNOWN: dict[Output, frozenset[str]] = {
    "multiple_choice": frozenset({*SHARES, "brier_score", "ece", "f1", "mcc"}),
    "loglikelihood": frozenset({"acc", "perplexity"}),
    "loglikelihood_rolling": frozenset({"word_perplexity", "byte_perplexity", "bits_per_byte"}),
    "generate_until": frozenset({"exact_match", *TRANSLATION, *ANSWERS}),
}
USUAL: dict[Output, tuple[str, ...]] = {  # where a benchmark names none
    "multiple_choice": ("acc", "acc_norm"),
    "loglikelihood": ("perplexity", "acc"),
    "loglikelihood_rolling": ("word_perplexity", "byte_perplexity", "bits_per_byte"),
    "generate_until": ("exact_match",),
}
OVERLOOKED = frozenset({"regexes_to_ignore", "ignore_case", "ignore_punctuation", "ignore_numbers"})
AGGREGATIONS = {
    "acc": "mean", "acc_norm": "mean", "acc_bytes": "mean", "acc_mutual_info": "mean", "exact_match": "mean",
    "brier_score": "brier_score", "f1": "f1", "mcc": "matthews_corrcoef", "perplexity": "perplexity",
    "word_perplexity": "weighted_perplexity", "byte_perplexity": "weighted_perplexity", "bits_per_byte": "bits_per_byte",
    "bleu": "bleu", "chrf": "chrf", "chrf++": "chrf++", "ter": "ter",
}  # fmt: skip


def check_metric(metric: Metric, output: Output, own: bool) -> None:
    """UserError for a metric, an option or an aggregation that is not known here.

    own  whether the benchmark marks by code of its own, which may give marks of any name
    """
    if own or metric.code is not None:
        if isinstance(metric.aggregation, str) and metric.aggregation not in ("mean", "nanmean", "median"):
            raise unknown("aggregation", metric.aggregation, ("mean", "nanmean", "median"))
        return
    if metric.name not in KNOWN[output]:
        raise unknown("metric", metric.name, KNOWN[output])
    allowed = OVERLOOKED if metric.name == "exact_match" else frozenset()
    for option in metric.options:
        if option not in allowed:
            raise unknown("option of a metric", option, allowed)
    usual = AGGREGATIONS.get(metric.name)
    if metric.aggregation is not None and metric.aggregation not in (usual, "nanmean" if usual == "mean" else usual):
        raise UserError(
            "{metric} is aggregated by {usual} here, not by {asked}",
            fix="leave the aggregation out",
            metric=metric.name,
            usual=usual,
            asked=metric.aggregation,
        )


def measured(metric: Metric, output: Output, items: Sequence[Any], *, language: str, own: bool, seed: int = 0) -> Measure:  # fmt: skip
    """One measure from the marks of all questions."""
    if own or metric.code is not None:
        return own_measure(metric, items, seed)
    if output == "loglikelihood":
        perplexity = metric.name == "perplexity"
        return yards.target_perplexity(items, seed=seed) if perplexity else yards.shared(yards.WRITTEN_GREEDILY, items)
    if output == "loglikelihood_rolling":
        return rolling_measure(metric.name, items, seed)
    return written_measure(metric, items, language, seed) if output == "generate_until" else choice_measure(metric.name, items, seed)  # fmt: skip


def written_measure(metric: Metric, items: Sequence[Any], language: str, seed: int) -> Measure:
    """A measure of written answers."""
    if metric.name == "exact_match":
        return yards.shared(yards.EXACT_ANSWERS, items, but=overlooked(metric.options))
    if metric.name == "answer_exact":
        return exact_share(items)
    if metric.name in ANSWERS:
        return mean_f1(CMRC_F1 if metric.name == "cmrc_f1" else ANSWER_F1, items, seed=seed)
    said, targets = [answer for answer, _ in items], [texts for _, texts in items]
    return translation_score(TRANSLATION[metric.name], said, targets, language, seed=seed)


def choice_measure(name: str, items: Sequence[Any], seed: int) -> Measure:
    """A measure of choices."""
    if name in SHARES:
        return yards.shared(SHARES[name], items)
    if name == "ece":
        return calibration_error([sure for sure, _ in items], [hit == 1 for _, hit in items], seed=seed)
    if name == "brier_score":
        most = max(len(chances) for _, chances in items)
        padded = [[*chances, *[0.0] * (most - len(chances))] for _, chances in items]
        return brier(padded, [place for place, _ in items], seed=seed)
    places, guesses = [place for place, _ in items], [guess for _, guess in items]
    if name == "mcc":
        found = rates(list(map(str, guesses)), list(map(str, places)), seed=seed)
        return next(one for one in found if one.name == MATTHEWS.name)
    if not {*places, *guesses} <= {0, 1}:
        raise UserError(
            "f1 is of questions with two choices, and some have more", fix="use acc, or mcc, which takes any number"
        )
    return yards.f1_of_choices([guess == 1 for guess in guesses], [place == 1 for place in places], seed=seed)


def rolling_measure(name: str, items: Sequence[tuple[float, int, int]], seed: int) -> Measure:
    """Perplexity per word or byte, or bits per byte, of texts counted together."""
    if name == "bits_per_byte":
        return bits_per_byte([DocumentScore(-logprob, tokens, size) for logprob, size, tokens in items], seed=seed)
    nats, units = [-logprob for logprob, _, _ in items], [float(count) for _, count, _ in items]
    interval = bootstrap_ratio(nats, units, seed=seed)
    raised = Interval(math.exp(interval.low), math.exp(interval.high)) if interval else None
    yardstick = yards.WORD_PERPLEXITY if name == "word_perplexity" else yards.BYTE_PERPLEXITY
    value = math.exp(math.fsum(nats) / math.fsum(units))
    return yardstick.measure(value, raised, n=len(items), seed=seed, draws=DRAWS, units=int(sum(units)))


def own_measure(metric: Metric, items: Sequence[Any], seed: int) -> Measure:
    """A measure of marks that a benchmark's own code gave."""
    yardstick: Yardstick = yards.OWN_MARK
    name = yardstick.name.format(name=metric.name)
    interval = None
    if callable(metric.aggregation):
        value, how = float(metric.aggregation(list(items))), "the benchmark's own sum"
    else:
        numbers = [float(item) for item in items]
        if metric.aggregation == "nanmean":
            numbers = [number for number in numbers if not math.isnan(number)]
        if metric.aggregation == "median":
            value, how = sorted(numbers)[len(numbers) // 2], "median"
        else:
            value, how = math.fsum(numbers) / len(numbers) if numbers else math.nan, "mean"
            interval = bootstrap_mean(numbers, seed=seed)
    better = "neither" if metric.higher is None else "higher" if metric.higher else "lower"
    measure = yardstick.measure(value, interval, n=len(items), seed=seed, name=name, how=how)
    return measure.model_copy(update={"better": better})


def overlooked(options: Mapping[str, Any]) -> str:
    """What `exact_match` overlooks, for the method."""
    named = {"ignore_case": "case", "ignore_punctuation": "punctuation", "ignore_numbers": "digits"}
    words = [word for option, word in named.items() if options.get(option)]
    words += [f"/{pattern}/" for pattern in options.get("regexes_to_ignore") or ()]
    return f" but for {', '.join(words)}" if words else ""
