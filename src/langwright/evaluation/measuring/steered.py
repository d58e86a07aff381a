"""How often a text is what was asked for, by each way of asking, beside a prompt alone.

Every way begins with the same starts of held-out texts, is asked for each label, and draws with the same seeds, so the
ways are compared in pairs. What was written, without the start, is judged by a classifier that no way saw, or by a
measure of reading level.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from langwright.inference.control.codes import code
from langwright.inference.control.contrast import AgainstPrompt
from langwright.inference.control.future import Labelled, Towards
from langwright.inference.control.settings import Control
from langwright.inference.protocol import Guide, Sampling
from langwright.metrics.comparison import difference
from langwright.metrics.intervals import wilson
from langwright.metrics.yardsticks import Yardstick

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from langwright.inference.control.topics import TopicModel
    from langwright.inference.texts.text import TextModel
    from langwright.inference.texts.written import TextCompletion
    from langwright.measures import Measure

SUCCESS = Yardstick(
    name="control success: {way}", unit="share", better="higher",
    method="share of {n} continuations that are what was asked for, as {judge} says; Wilson's interval",
    does_not_show="whether the texts make sense; mistakes of the judge, which it may share with a guide",
)  # fmt: skip
SURPRISE = Yardstick(
    name="surprise to the base model: {way}", unit="nats/token", better="lower",
    method="mean negative log-probability of the tokens written, by the model that was not taught anything, after the start alone",
    does_not_show="whether the texts make sense",
)  # fmt: skip
PROMPT = "prompt"


@dataclass(frozen=True)
class Asked:
    """One text to write."""

    model: TextModel
    prompt: str
    guide: Guide | None = None


Way = Callable[[str, str], Asked]
"""(label, start of a text) -> what is asked."""


@dataclass
class Written:
    """What came of one way, in the order of labels and starts."""

    texts: list[str] = field(default_factory=list)
    hits: list[bool] = field(default_factory=list)
    surprise: list[float] = field(default_factory=list)


def by_prompt(model: TextModel, label: str, start: str) -> Asked:
    """The label in words before the start."""
    return Asked(model, code(label) + start)


def by_contrast(model: TextModel, others: Sequence[str], strength: float, label: str, start: str) -> Asked:
    """The label in words, away from the same start with the other labels; with none where there are several."""
    against = code(others[0]) + start if len(others) == 1 else start
    return Asked(model, code(label) + start, AgainstPrompt(tuple(model.tokenize(against)), strength))


def by_classifier(model: TextModel, classifier: PreTrainedModel, strength: float, label: str, start: str) -> Asked:
    """The start alone, each token with what a classifier makes of the text then."""
    return Asked(model, start, Towards(Labelled(classifier, label), strength))


def by_topic(model: TextModel, topics: TopicModel, numbers: dict[str, int], strength: float, label: str, start: str) -> Asked:  # fmt: skip
    """The start alone, towards the topic of a topic model that goes with the label."""
    from langwright.inference.control.topics import About

    return Asked(model, start, Towards(About(topics, numbers[label], model.vocabulary), strength))


def topic_of_labels(topics: TopicModel, rows: Sequence[tuple[str, str]], labels: Sequence[str]) -> dict[str, int]:
    """For each label the topic that speaks most for it: its mean evidence in texts of the label, above all texts.

    rows  (text, label)
    """
    import numpy as np

    evidence_NT = np.array([[topics.evidence(text, t) for t in range(len(topics.shares_TW))] for text, _ in rows])
    of = np.array([label for _, label in rows])
    return {label: int((evidence_NT[of == label].mean(0) - evidence_NT.mean(0)).argmax()) for label in labels}


@dataclass(frozen=True)
class Trial:
    """What is tried.

    judge   texts and labels -> whether each is what was asked for
    judged  in words
    """

    labels: tuple[str, ...]
    starts: tuple[str, ...]
    sampling: Sampling
    judge: Callable[[Sequence[str], Sequence[str]], list[bool]]
    judged: str

    def pairs(self) -> Iterator[tuple[int, str, str]]:
        """(number, label, start) of every text."""
        for label in self.labels:
            for start in self.starts:
                yield self.labels.index(label) * len(self.starts) + self.starts.index(start), label, start


def tried(trial: Trial, way: Way, base: TextModel) -> Written:
    """All texts of one way, judged."""
    from langwright.inference.texts.written import results

    asked = [(way(label, start), label, start, number) for number, label, start in trial.pairs()]
    done: list[TextCompletion] = results(
        [
            partial(
                one.model.stream,
                one.prompt,
                trial.sampling.model_copy(update={"seed": (trial.sampling.seed or 0) + number}),
                guide=one.guide,
                control=Control(),
            )
            for one, _, _, number in asked
        ]
    )
    written = Written([one.text for one in done])
    written.hits = trial.judge(written.texts, [label for _, label, _, _ in asked])
    for (_, _, start, _), one in zip(asked, done, strict=True):
        before = base.tokenize(start)
        room = base.context - len(before)
        ids = [*before, *one.token_ids[:room]]
        logprobs = base.engine.score([ids])[0][len(before) - 1 :] if one.token_ids else []
        written.surprise.append(-math.fsum(logprobs) / max(1, len(logprobs)))
    return written


def measured(trial: Trial, found: dict[str, Written], *, seed: int) -> list[Measure]:
    """The success of each way, its gain over a prompt alone with an interval, and what it costs in surprise."""
    from langwright.metrics.intervals import bootstrap_mean

    measures: list[Measure] = []
    for way, written in found.items():
        hits, n = written.hits, len(written.hits)
        measures.append(
            SUCCESS.measure(
                sum(hits) / n, wilson(sum(hits), n), n=n, name=f"control success: {way}", judge=trial.judged
            )
        )
        if way != PROMPT and PROMPT in found:
            measures.append(
                difference(
                    [float(hit) for hit in hits], [float(hit) for hit in found[PROMPT].hits],
                    of=f"control success, {way} less {PROMPT}", unit="share", seed=seed,
                )
            )  # fmt: skip
        measures.append(
            SURPRISE.measure(
                math.fsum(written.surprise) / n, bootstrap_mean(written.surprise, seed=seed), n=n, seed=seed,
                name=f"surprise to the base model: {way}",
            )
        )  # fmt: skip
    return measures
