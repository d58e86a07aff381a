"""How good a model of this size, taught with this much text, can be: said in plain words from what was measured.

Source    Hoffmann et al. 2022, arXiv:2203.15556 (about 20 training tokens a parameter are best for a given computation)
"""

from __future__ import annotations

from collections.abc import Sequence

from langwright.evaluation.baselines.language import NGRAMS, XZ
from langwright.evaluation.pages.bilingual import Words, both, translated
from langwright.evaluation.pages.numbers import number, short
from langwright.measures import Measure
from langwright.metrics.containment import CONTAINMENT

BEST_RATIO = 20


def what_to_expect(parameters: int) -> Words:
    """What models of this size are known to be able to do."""
    if parameters < 20_000_000:
        return both(
            "A model of this size learns spelling, common phrases and the form of a conversation. It does not know facts beyond those its training text repeats, it cannot reason, and what reads well in it is close to what it has read. It is good for learning how such models are made, for text in a narrow style, and for labelling texts after fine-tuning."
        )
    if parameters < 400_000_000:
        return both(
            "A model of this size can write fluent sentences and keep to a topic for a paragraph. Facts it states are often wrong, and it loses the thread of a longer text. It is a good start for fine-tuning on one task."
        )
    return both(
        "A model of this size can write fluent text on many topics. Facts it states still have to be checked, and how far it can be trusted has to be measured on the task at hand."
    )


def how_taught(parameters: int, tokens: float) -> Words:
    """How much text it was taught with, beside what is best for the computation spent."""
    if tokens >= BEST_RATIO * parameters:
        template = (
            "It was trained on {tokens} tokens, {ratio} for each of its {parameters} parameters; about {best} make the best of a given amount of computation (Hoffmann et al. 2022), so a larger model could now learn more from the same text."
        )  # fmt: skip
        return both(template, tokens=short(tokens), ratio=number(tokens / parameters, 2), parameters=short(parameters), best=BEST_RATIO)  # fmt: skip
    return both(
        "It was trained on {tokens} tokens, {ratio} for each of its {parameters} parameters; about {best} make the best of a given amount of computation (Hoffmann et al. 2022), so more text and more time would make it better.",
        tokens=short(tokens), ratio=number(tokens / parameters, 2), parameters=short(parameters), best=BEST_RATIO,
    )  # fmt: skip


def beside_simple_methods(measures: Sequence[Measure], model: str) -> list[Words]:
    """Whether it foresees held-out text better than a compressor and than counting, where these were measured."""
    bits = [m for m in measures if m.name == "bits per byte"]
    mine = next((m for m in bits if m.model == model), None)
    found = []
    for name in (NGRAMS, XZ):
        other = next((m for m in bits if m.model == name and mine is not None and m.data == mine.data), None)
        if mine is None or other is None:
            continue
        values = {"model": model, "mine": number(mine.value), "other": translated(name), "theirs": number(other.value)}
        if mine.value < other.value:
            found.append(both("{model} needs {mine} bits for a byte of held-out text and {other} needs {theirs}: it has learned more than that.", **values))  # fmt: skip
        else:
            found.append(both("{model} needs {mine} bits for a byte of held-out text and {other} only {theirs}: so far it has learned less than that.", **values))  # fmt: skip
    return found


def replies(measures: Sequence[Measure], model: str) -> list[Words]:
    """How many questions it answered as expected, where that was measured."""
    mine = next((m for m in measures if m.name == CONTAINMENT.name and m.model == model), None)
    if mine is None:
        return []
    template = "Of {count} questions of {data}, {model} answers {right} with the expected phrase."
    return [both(template, count=mine.n, data=mine.data, model=model, right=round(mine.value * mine.n))]


def by_heart() -> Words:
    """What the share of right replies does and does not mean."""
    return both(
        "Questions that stood in the training data show what it learned by heart; only others show what it can make of it."
    )
