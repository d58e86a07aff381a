"""Decisions with their grounds: an answer, how sure it is, what in the text it rests on, or no answer at all.

Source    El-Yaniv & Wiener 2010, JMLR 11:1605 (answering only where sure enough); Li, Monroe & Jurafsky 2016,
          arXiv:1612.08220 (what a prediction rests on, by leaving parts of the text out)

Imports nothing heavy.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from langwright.errors import UserError
from langwright.tasks.declaration import Task, TaskInput, TaskOutput
from langwright.tasks.solving.solvers import Solver
from langwright.wording import say

if TYPE_CHECKING:
    from langwright.data.schemas import ClassificationRow
    from langwright.measures import Bounded
    from langwright.tasks.front.headed import Headed
    from langwright.tasks.front.loading import Model

CLAUSE = re.compile(r"[^.!?。！？；;\n]+[.!?。！？；;]*\s*")
PART = re.compile(r"[^,，、:：]+[,，、:：]*\s*")
WORD = re.compile(r"[^\W_]+|[^\w\s]")
MOST_PARTS = 64


class DecisionInput(TaskInput):
    """A case, and how sure an answer must be."""

    text: Annotated[str, Field(min_length=1, description="The case to decide; with a passage, the question about it")]
    context: Annotated[str, Field(description="A passage to answer from, for a model that answers from passages")] = ""
    risk: Annotated[
        float,
        Field(
            gt=0,
            lt=1,
            description="Share of answers that may be wrong; below the confidence that keeps it, none is given",
        ),
    ] = 0.1
    threshold: Annotated[
        float | None, Field(ge=0, le=1, description="Least confidence of an answer, instead of one chosen for the risk")
    ] = None
    evidence: Annotated[int, Field(ge=0, le=20, description="Most pieces of evidence to give")] = 3


class Evidence(BaseModel):
    """A stretch that the answer rests on, in characters, the end not included.

    weight  how much less likely the answer becomes without it, in nats; none where it holds the answer itself
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: Literal["text", "context"]
    start: int
    end: int
    text: str
    weight: float | None = None


class DecisionOutput(TaskOutput):
    """The answer, or that there is none, and what speaks for it."""

    answer: Annotated[str | None, Field(description="The answer; none where the model is not sure enough")]
    likeliest: Annotated[str, Field(description="What it would have answered; empty where nothing was found")]
    confidence: Annotated[float, Field(description="Calibrated probability that the likeliest answer is right")]
    threshold: Annotated[
        float | None, Field(description="Confidence from which an answer is given; none where no confidence is enough")
    ]
    bound: Annotated[
        float | None,
        Field(description="Share of wrong answers that is not exceeded, as found on held-out rows like these"),
    ] = None
    evidence: Annotated[tuple[Evidence, ...], Field(description="What it rests on, in the order of the text")] = ()

    @property
    def abstained(self) -> bool:
        """Whether no answer is given."""
        return self.answer is None

    def lines(self) -> list[str]:
        """The answer with its confidence, and one line a piece of evidence."""
        sure = self.confidence
        said = say("{answer} ({confidence:.0%} sure)", answer=self.answer, confidence=sure)
        if self.answer is None:
            said = say(
                "no answer: {answer} would be likeliest, but only {confidence:.0%} sure",
                answer=self.likeliest, confidence=sure,
            )  # fmt: skip
        return [said, *(f"  {one.start}–{one.end}  {one.text.strip()}" for one in self.evidence)]


def ask(row: ClassificationRow) -> DecisionInput:
    """What is asked of a row."""
    return DecisionInput(text=row.text, threshold=0.5)  # whatever the model was calibrated on


def decide(model: Model, task: Task, asked: DecisionInput) -> DecisionOutput:
    """Answer, where sure enough.

    raises  UserError for a head without calibration where no threshold is given, or for several labels a text
    """
    assert model.headed is not None
    headed = model.headed
    limit, bound = limits(headed, asked)
    answers = "qa" in headed.taught
    if not answers and headed.several:
        raise UserError(
            "{name} gives several labels a text, and a decision is for one answer",
            fix="teach a model one label a text: `langwright finetune MODEL DATASET OUT --task classification`",
            name=headed.name,
        )
    likeliest, confidence, evidence = (from_passage if answers else from_labels)(headed, asked)
    sure = limit is not None and confidence >= limit and bool(likeliest)
    return DecisionOutput(
        answer=likeliest if sure else None, likeliest=likeliest, confidence=confidence, threshold=limit,
        bound=bound.bound if bound else None, evidence=evidence, solver=DECIDER.name,
    )  # fmt: skip


def limits(headed: Headed, asked: DecisionInput) -> tuple[float | None, Bounded | None]:
    """The least confidence, and what it promises: the largest of the risks looked at that is not above the asked one."""
    if asked.threshold is not None:
        return asked.threshold, None
    if headed.calibration is None:
        raise UserError(
            "{name} was not calibrated, so no confidence is known that would keep the risk at {risk}",
            fix="teach it from a dataset with at least 40 validation rows, or say from which confidence on to answer with --set threshold=0.9",
            name=headed.name,
            risk=asked.risk,
        )
    kept = [one for one in headed.calibration.bounds if one.risk <= asked.risk]
    return (kept[-1].threshold, kept[-1]) if kept else (None, None)


def from_labels(headed: Headed, asked: DecisionInput) -> tuple[str, float, tuple[Evidence, ...]]:
    """The likeliest label, its probability, and the parts without which it is less likely."""
    import math

    parts = parts_of(asked.text) if asked.evidence else []
    texts = [asked.text, *(asked.text[:start] + asked.text[end:] for start, end in parts)]
    kept = [place for place, text in enumerate(texts) if text.strip()]
    rows_BC = headed.probabilities([texts[place] for place in kept])
    best = int(rows_BC[0].argmax())
    whole = max(float(rows_BC[0, best]), 1e-12)
    weights = {
        parts[place - 1]: math.log(whole) - math.log(max(float(rows_BC[row, best]), 1e-12))
        for row, place in enumerate(kept)
        if place
    }
    chosen = sorted((part for part in weights if weights[part] > 0), key=lambda part: -weights[part])[: asked.evidence]
    evidence = tuple(
        Evidence(field="text", start=start, end=end, text=asked.text[start:end], weight=weights[start, end])
        for start, end in sorted(chosen)
    )
    return headed.labels[best], min(float(rows_BC[0, best]), 1.0), evidence


def from_passage(headed: Headed, asked: DecisionInput) -> tuple[str, float, tuple[Evidence, ...]]:
    """The answer that stands in the passage, the confidence in it, and the sentence it stands in."""
    import numpy as np

    from langwright.tasks.solving.calibrating import confidence_of

    (found,) = headed.answer([(asked.text, asked.context)])
    fitted = headed.calibration
    slope = (fitted.temperature, fitted.shift) if fitted else (1.0, 0.0)
    confidence = float(confidence_of(np.array([found.score]), *slope)[0])
    around = [
        (one.start(), one.end())
        for one in CLAUSE.finditer(asked.context)
        if found.text and one.start() <= found.start < one.end()
    ]
    evidence = tuple(
        Evidence(field="context", start=start, end=end, text=asked.context[start:end]) for start, end in around
    )
    return found.text, confidence, evidence[: asked.evidence]


def parts_of(text: str) -> list[tuple[int, int]]:
    """What a text can be taken apart into: sentences; where there is one, its clauses; where there is one, its words.

    >>> parts_of("Good food. Bad service.")
    [(0, 11), (11, 23)]
    """
    for pattern in (CLAUSE, PART, WORD):
        found = [(one.start(), one.end()) for one in pattern.finditer(text) if one[0].strip()]
        if len(found) > 1:
            return found[:MOST_PARTS]
    return []


DECIDER = Solver(
    name="decider",
    summary="A trained head answers with a calibrated confidence and its evidence, and abstains where it is not sure enough",
    needs="head",
    maker="langwright finetune MODEL DATASET OUT --task classification",
    solve=decide,
)
DECISION = Task(
    name="decision",
    summary="Support a decision: an answer with calibrated confidence and evidence, or none where that is not enough",
    dataset="classification",
    input=DecisionInput,
    output=DecisionOutput,
    solvers=("decider",),
    measures=(
        "calibration error",
        "accuracy on the surest {share}",
        "area under risk and coverage",
        "share answered at a risk of {risk}",
        "wrong answers at a risk of {risk}",
    ),
    panel=("text", "context", "risk"),
    lesson="classification",
    also=("qa",),
    ask=ask,
)
