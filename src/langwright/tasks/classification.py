"""Classification: a text in, its label out, or every label that fits. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from langwright.data.schemas import ClassificationRow
from langwright.tasks.declaration import Task, TaskInput, TaskOutput
from langwright.wording import say

Normalise = Literal["pmi", "byte", "token", "sum"]


class ClassificationInput(TaskInput):
    """A text, and what there is to choose from."""

    text: Annotated[str, Field(description="The text to label")]
    labels: Annotated[
        tuple[str, ...], Field(description="Labels to choose from; those the model was trained on when left out")
    ] = ()
    multi_label: Annotated[bool, Field(description="Give every label that fits, each judged by itself")] = False
    threshold: Annotated[
        float, Field(gt=0, lt=1, description="With multi_label, the probability from which a label is given")
    ] = 0.5
    whole: Annotated[
        bool,
        Field(
            description="Where a trained head reads a text that is longer than its context: in parts of whole sentences, "
            "each counted by its length; otherwise only the beginning is read"
        ),
    ] = False
    normalise: Annotated[
        Normalise,
        Field(
            description="How labels of different length and frequency are made comparable when a model is asked in words: "
            "pmi subtracts how likely the label is without the text, byte and token divide by length, sum does nothing"
        ),
    ] = "pmi"


class ClassificationOutput(TaskOutput):
    """The labels of a text."""

    label: Annotated[str | None, Field(description="The likeliest label; none with multi_label")]
    labels: Annotated[tuple[str, ...], Field(description="The labels given, likeliest first")]
    probabilities: Annotated[
        dict[str, float],
        Field(description="Of each label; they add up to 1, except with multi_label, where each is judged by itself"),
    ]
    truncated: Annotated[bool, Field(description="True when the text was cut to fit the model")] = False

    def lines(self) -> list[str]:
        """The labels, and the probability of each."""
        ranked = sorted(self.probabilities.items(), key=lambda pair: -pair[1])
        said = [", ".join(self.labels) or say("no label fits")]
        said += [f"  {probability:.3f}  {label}" for label, probability in ranked]
        return said + ([say("(the text was cut to fit the model)")] if self.truncated else [])


def ask(row: ClassificationRow) -> ClassificationInput:
    """What is asked of a row."""
    return ClassificationInput(text=row.text)


CLASSIFICATION = Task(
    name="classification",
    summary="Give a text its label",
    dataset="classification",
    input=ClassificationInput,
    output=ClassificationOutput,
    solvers=("head", "likelihood"),
    measures=("accuracy", "macro F1", "micro F1", "F1 of {label}"),
    templates={
        "en": "Text: {text}\nPossible labels: {labels}\nThe label that fits best:",
        "zh": "文本：{text}\n可选标签：{labels}\n最合适的标签：",
    },
    panel=("text", "labels", "multi_label"),
    lesson="classification",
    ask=ask,
)
