"""Pairs: two texts in, the label of what holds between them out. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from langwright.data.schemas import PairRow
from langwright.tasks.classification import ClassificationOutput, Normalise
from langwright.tasks.declaration import Task, TaskInput


class PairInput(TaskInput):
    """Two texts, and what there is to choose from."""

    text_a: Annotated[str, Field(description="The first text of a pair")]
    text_b: Annotated[str, Field(description="The second text of a pair")]
    labels: Annotated[
        tuple[str, ...], Field(description="Labels to choose from; those the model was trained on when left out")
    ] = ()
    normalise: Annotated[
        Normalise,
        Field(
            description="How labels of different length and frequency are made comparable when a model is asked in words: "
            "pmi subtracts how likely the label is without the text, contextual how likely it is among the labels with "
            "texts that say nothing, byte and token divide by length, sum does nothing"
        ),
    ] = "pmi"

    @property
    def text(self) -> str:
        """Both, as a model is asked in words."""
        return f"A: {self.text_a}\nB: {self.text_b}"


def ask(row: PairRow) -> PairInput:
    """What is asked of a row."""
    return PairInput(text_a=row.text_a, text_b=row.text_b)


PAIR = Task(
    name="pair",
    summary="Give what holds between two texts its label",
    dataset="pair",
    input=PairInput,
    output=ClassificationOutput,
    solvers=("head", "likelihood"),
    measures=("accuracy", "macro F1", "micro F1", "F1 of {label}"),
    templates={
        "en": "{text}\nPossible labels: {labels}\nThe label that fits A and B best:",
        "zh": "{text}\n可选标签：{labels}\n最适合 A 与 B 的标签：",
    },
    panel=("text_a", "text_b", "labels"),
    lesson="pair",
    ask=ask,
)
ENTAILMENT = Task(
    name="entailment",
    summary="Say whether the second text follows from the first, contradicts it, or neither",
    dataset="pair",
    input=PairInput,
    output=ClassificationOutput,
    solvers=("head", "likelihood"),
    measures=("accuracy", "macro F1", "F1 of {label}"),
    templates={
        "en": "{text}\nPossible labels: {labels}\nIf A is true, what of B:",
        "zh": "{text}\n可选标签：{labels}\n若 A 为真，则 B：",
    },
    panel=("text_a", "text_b", "labels"),
    lesson="pair",
    ask=ask,
    labels={"en": ("entailment", "neutral", "contradiction"), "zh": ("蕴含", "中立", "矛盾")},
)
