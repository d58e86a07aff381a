"""How often the answer that a model finds likeliest is the right one, and what it takes to be likeliest.

Source    Brown et al. 2020, arXiv:2005.14165, section 2.4 (answers compared by likelihood, by the token, and beyond their
          own likelihood); Gao et al., lm-evaluation-harness 0.4.13 (acc, acc_norm, acc_bytes, acc_mutual_info)
Differs   none in values; intervals are Wilson's
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from langwright.measures import Measure
from langwright.metrics.intervals import DRAWS, bootstrap_mean, bootstrap_ratio, wilson
from langwright.metrics.yardsticks import Interval, Yardstick

CHOSEN = Yardstick(
    name="accuracy of choices", unit="share", better="higher",
    method="share of {n} questions whose likeliest answer is a right one, an answer's log-probability being the sum over its tokens (acc); Wilson interval",
    does_not_show="whether the model would write the answer; long answers are less likely than short ones whatever they say",
)  # fmt: skip
CHOSEN_BY_CHARACTERS = Yardstick(
    name="accuracy of choices by characters", unit="share", better="higher",
    method="share of {n} questions whose answer of the highest log-probability a character is a right one (acc_norm); Wilson interval",
    does_not_show="whether the model would write the answer",
)  # fmt: skip
CHOSEN_BY_BYTES = Yardstick(
    name="accuracy of choices by bytes", unit="share", better="higher",
    method="share of {n} questions whose answer of the highest log-probability a UTF-8 byte is a right one (acc_bytes); Wilson interval",
    does_not_show="whether the model would write the answer",
)  # fmt: skip
CHOSEN_BY_GAIN = Yardstick(
    name="accuracy of choices by gain", unit="share", better="higher",
    method="share of {n} questions where the answer is a right one whose log-probability the question raises most above what it is without one (acc_mutual_info); Wilson interval",
    does_not_show="whether the model would write the answer",
)  # fmt: skip
WRITTEN_GREEDILY = Yardstick(
    name="right continuations written greedily", unit="share", better="higher",
    method="share of {n} questions where each token of a right answer is the likeliest in its place; Wilson interval",
    does_not_show="right answers in other words",
)  # fmt: skip
TARGET_PERPLEXITY = Yardstick(
    name="perplexity of answers", unit="per answer", better="lower",
    method="exp of the mean negative log-probability of {n} whole answers (perplexity of lm-evaluation-harness); interval: {draws} bootstrap draws over answers",
    does_not_show="models with another tokenizer, where answers are parted otherwise; whether other answers are right too",
)  # fmt: skip
WORD_PERPLEXITY = Yardstick(
    name="perplexity per word", unit="per word", better="lower",
    method="exp of the negative log-probability of {n} texts over their {units} words, parted at blanks; interval: {draws} bootstrap draws over texts",
    does_not_show="languages that part words otherwise, such as Chinese, where a sentence counts as a word",
)  # fmt: skip
BYTE_PERPLEXITY = Yardstick(
    name="perplexity per byte", unit="per byte", better="lower",
    method="exp of the negative log-probability of {n} texts over their {units} UTF-8 bytes; interval: {draws} bootstrap draws over texts",
    does_not_show="whether text is true, useful or pleasant; how languages compare, as a Chinese character takes three bytes",
)  # fmt: skip
EXACT_ANSWERS = Yardstick(
    name="exact answers", unit="share", better="higher",
    method="share of {n} answers that equal a right one letter by letter{but} (exact_match); Wilson interval",
    does_not_show="answers that are right in other words, or that stand where they were not looked for",
)  # fmt: skip
OWN_MARK = Yardstick(
    name="{name} of the benchmark", unit="", better="neither",
    method="{how} over {n} questions of what the benchmark's own code gives",
    does_not_show="anything but what that code counts",
)  # fmt: skip
F1_OF_CHOICES = Yardstick(
    name="F1 of choices", unit="share", better="higher",
    method="F1 of the second of two choices over {n} questions (f1); interval: {draws} bootstrap draws over questions",
    does_not_show="how the first choice fares",
)  # fmt: skip
CHANCE = "guessing"
COMMONEST_PLACE = "always the commonest place"
BY_CHANCE = Yardstick(
    name="accuracy of choices", unit="share", better="higher",
    method="mean over {n} questions of one over the number of choices",
    does_not_show="what knowing the answers' lengths or habits of the test's makers would achieve",
)  # fmt: skip
BY_PLACE = Yardstick(
    name="accuracy of choices", unit="share", better="higher",
    method="share of {n} questions whose right answer stands where it stands most often in these questions; Wilson interval",
    does_not_show="what other simple methods achieve",
)  # fmt: skip


def shared(yardstick: Yardstick, hits: Sequence[float], but: str = "") -> Measure:
    """A share of questions; ValueError where there are none. `but`: what exact answers overlook."""
    n, right = len(hits), int(sum(hits))
    return yardstick.measure(right / n, wilson(right, n), n=n, but=but)


def target_perplexity(logprobs: Sequence[float], *, seed: int = 0) -> Measure:
    """exp of the mean negative log-probability of whole answers, in nats each."""
    value = math.exp(-math.fsum(logprobs) / len(logprobs))
    interval = bootstrap_mean(logprobs, seed=seed)
    raised = Interval(math.exp(-interval.high), math.exp(-interval.low)) if interval else None
    return TARGET_PERPLEXITY.measure(value, raised, n=len(logprobs), seed=seed, draws=DRAWS)


def f1_of_choices(said: Sequence[bool], right: Sequence[bool], *, seed: int = 0) -> Measure:
    """F1 of one of two choices; 0 where it is never said and never right."""
    hits = [2.0 * (one and other) for one, other in zip(said, right, strict=True)]
    either = [float(one) + other for one, other in zip(said, right, strict=True)]
    value = sum(hits) / sum(either) if any(either) else 0.0
    interval = bootstrap_ratio(hits, either, seed=seed)
    return F1_OF_CHOICES.measure(value, interval, n=len(hits), seed=seed, draws=DRAWS)


def guessing(counts: Sequence[int], places: Sequence[int]) -> tuple[Measure, ...]:
    """What guessing achieves, and naming the commonest place, unless right answers all stand in the same.

    counts  choices of each question; places: where a right one stands
    """
    n = len(counts)
    most = max(sum(place == one for place in places) for one in set(places))
    chance = BY_CHANCE.measure(math.fsum(1 / count for count in counts) / n, n=n)
    found = [chance.model_copy(update={"model": CHANCE})]
    if most < n:
        place = BY_PLACE.measure(most / n, wilson(most, n), n=n)
        found.append(place.model_copy(update={"model": COMMONEST_PLACE}))
    return tuple(found)
