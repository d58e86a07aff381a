"""What an evaluation found: measures, and beside them what a person wants to look at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from langwright.errors import UserError
from langwright.measures import Measure


class Shown(BaseModel):
    """Base of what `details.json` holds."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Sample(Shown):
    """A beginning and what the model wrote after it."""

    prompt: str
    text: str


class Reply(Shown):
    """One question, what was expected, and what the model said."""

    prompt: str
    expect: str
    text: str
    right: bool
    language: str = ""


class Labelled(Shown):
    """A text that got a wrong label."""

    text: str
    right: str
    predicted: str
    probability: float | None = None  # of the predicted label


class Confusion(Shown):
    """Row the right label, column the predicted one."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


class Bar(Shown):
    """Items of about equal confidence, and how often they were right: one bar of the reliability diagram."""

    items: int
    confidence: float
    accuracy: float


class Details(Shown):
    """`details.json` beside `report.json`: samples, replies, mistakes, the confusion matrix, the reliability diagram."""

    task: str
    rows: int  # measured on
    samples: tuple[Sample, ...] = ()
    replies: tuple[Reply, ...] = ()
    mistakes: tuple[Labelled, ...] = ()
    confusion: Confusion | None = None
    reliability: tuple[Bar, ...] = ()
    outcomes: dict[str, int] = {}  # how programs ended, and how often
    thresholds: dict[str, float] = {}  # of each label, where a text may have several


MOST_SHOWN = 1000  # characters of a text that is kept with its marks


class Item(Shown):
    """One item as one model did it.

    data   the data of the measures it is in; name: what tells it from the others there
    asked  what was put to the model; right: what was expected, if anything; said: what it answered
    marks  measure -> (what it adds to the sum, its weight): a hit is (1, 1), bits of a text stand over its bytes
    """

    data: str
    name: str
    asked: str
    right: str = ""
    said: str = ""
    marks: dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Findings:
    """All that an evaluation gives."""

    measures: tuple[Measure, ...]
    details: Details
    items: tuple[Item, ...] = ()


def read_details(path: Path) -> Details:
    """The details of a `details.json` file; UserError when it is not one."""
    try:
        return Details.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            "{path} is not a report this version can read: {error}",
            fix="make it again with `langwright evaluate`",
            path=path,
            error=str(error).splitlines()[0],
        ) from None


SCRATCH, TRANSFERRED = "from scratch", "transferred"


@dataclass(frozen=True)
class Point:
    """One run of a curve over numbers of labels: an arm, a seed, a number of labels, the accuracy on held-out rows."""

    arm: str
    seed: int
    labels: int
    accuracy: float
