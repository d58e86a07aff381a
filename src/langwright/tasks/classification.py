"""Classification: a text in, its label out, or every label that fits. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from langwright.data.schemas import ClassificationRow
from langwright.tasks.declaration import Task, TaskInput, TaskOutput
from langwright.wording import say

Normalise = Literal["pmi", "contextual", "byte", "token", "sum"]


class ClassificationInput(TaskInput):
    """A text, and what there is to choose from."""

    text: Annotated[str, Field(description="The text to label")]
    labels: Annotated[
        tuple[str, ...], Field(description="Labels to choose from; those the model was trained on when left out")
    ] = ()
    multi_label: Annotated[bool, Field(description="Give every label that fits, each judged by itself")] = False
    threshold: Annotated[
        float | None,
        Field(
            gt=0,
            lt=1,
            description="Where a text may have several labels, the probability from which one is given; those that were "
            "chosen for each label on held-out rows, or else one half, when left out",
        ),
    ] = None
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
            "pmi subtracts how likely the label is without the text, contextual how likely it is among the labels with "
            "texts that say nothing, byte and token divide by length, sum does nothing"
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
    groups: Annotated[
        dict[str, float],
        Field(
            description="Where labels are paths such as finance/shares: of each group the sum of what lies below it; "
            "not with several labels a text"
        ),
    ] = Field(default_factory=dict)
    truncated: Annotated[bool, Field(description="True when the text was cut to fit the model")] = False

    @model_validator(mode="before")
    @classmethod
    def sums(cls, given: Any) -> Any:
        """Fill in the groups."""
        if isinstance(given, dict) and given.get("label") is not None and "groups" not in given:
            return {**given, "groups": summed(given["probabilities"])}
        return given

    def lines(self) -> list[str]:
        """The labels, and the probability of each."""
        ranked = sorted(self.probabilities.items(), key=lambda pair: -pair[1])
        said = [", ".join(self.labels) or say("no label fits")]
        said += [f"  {probability:.3f}  {label}" for label, probability in ranked]
        said += [f"  {share:.3f}  {group}/" for group, share in self.groups.items()]
        return said + ([say("(the text was cut to fit the model)")] if self.truncated else [])


def summed(probabilities: Mapping[str, float]) -> dict[str, float]:
    """Of every group that labels lie in, written as paths, the sum of their probabilities; the widest group first.

    >>> summed({"a/x": 0.5, "a/y/z": 0.25, "b": 0.25})
    {'a': 0.75, 'a/y': 0.25}
    """
    found: dict[str, float] = {}
    for label, share in probabilities.items():
        parts = label.split("/")
        for size in range(1, len(parts)):
            group = "/".join(parts[:size])
            found[group] = found.get(group, probabilities.get(group, 0.0)) + share
    return dict(sorted(found.items(), key=lambda pair: (pair[0].count("/"), -pair[1])))


def ask(row: ClassificationRow) -> ClassificationInput:
    """What is asked of a row."""
    return ClassificationInput(text=row.text)


CLASSIFICATION = Task(
    name="classification",
    summary="Give a text its label",
    dataset="classification",
    input=ClassificationInput,
    output=ClassificationOutput,
    solvers=("head", "entailment", "likelihood", "label-vectors"),
    measures=("accuracy", "macro F1", "micro F1", "F1 of {label}"),
    templates={
        "en": "Text: {text}\nPossible labels: {labels}\nThe label that fits best:",
        "zh": "文本：{text}\n可选标签：{labels}\n最合适的标签：",
    },
    panel=("text", "labels", "multi_label"),
    lesson="classification",
    ask=ask,
)
