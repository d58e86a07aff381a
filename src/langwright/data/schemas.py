"""The kinds of rows a dataset may hold, declared once. Imports nothing heavy.

Every row also has id, source, licence and language.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SchemaName = Literal[
    "text",
    "chat",
    "classification",
    "pair",
    "regression",
    "tagging",
    "qa",
    "choice",
    "translation",
    "summary",
    "correction",
    "code",
    "relation",
    "preference",
]


class Row(BaseModel):
    """What every row has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = ""  # given by the reader where the source has none
    source: str = ""
    licence: str = ""
    language: str = ""


class TextRow(Row):
    """Running text."""

    text: str


class Message(BaseModel):
    """One turn of a conversation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    role: Literal["system", "user", "assistant"]
    content: str


class ChatRow(Row):
    """A conversation; assistant turns are what is learned. `expect` is a phrase that a right last reply contains."""

    messages: Annotated[tuple[Message, ...], Field(min_length=1)]
    expect: str | None = None


class ClassificationRow(Row):
    """A text with its label, or with every label that holds of it, which may be none."""

    text: str
    label: str = ""  # where a text has one
    labels: tuple[str, ...] | None = None  # where it may have several


class PairRow(Row):
    """Two texts, and what holds between them: a label, or a number."""

    text_a: str
    text_b: str
    label: str = ""
    score: float | None = None


class RegressionRow(Row):
    """A text with a number."""

    text: str
    score: float


class Span(BaseModel):
    """A stretch of a text, in characters, the end not included."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: int
    end: int
    label: str


class TaggingRow(Row):
    """A text with labelled spans, in order; they may overlap."""

    text: str
    spans: tuple[Span, ...]


class RelationRow(Row):
    """A text, two stretches of it in characters, the ends not included, and what holds of the first to the second."""

    text: str
    first_start: int
    first_end: int
    second_start: int
    second_end: int
    label: str


class Answer(BaseModel):
    """A stretch of a passage that answers a question, and where it begins, in characters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    start: int


class QaRow(Row):
    """A question with a passage; no answers where the passage does not say."""

    question: str
    context: str
    answers: tuple[Answer, ...]


class ChoiceRow(Row):
    """A question with answers to choose from; `answer` is the right one's place, from 0."""

    question: str
    context: str = ""
    choices: Annotated[tuple[str, ...], Field(min_length=2)]
    answer: int


class TranslationRow(Row):
    """A text, in the row's `language`, and what it says in another."""

    text: str
    translation: str
    target_language: str


class SummaryRow(Row):
    """A text and a shorter one that says what matters in it."""

    text: str
    summary: str


class CorrectionRow(Row):
    """A text with mistakes or damage, or without, and what it should be."""

    text: str
    correction: str


class CodeRow(Row):
    """A wish, or the beginning of a program, a program that does it, and tests that such a program must pass.

    setup  code before the tests, whose names go before the program's
    entry  the function that the tests are about, whatever setup defines
    """

    text: str
    code: str
    tests: tuple[str, ...] = ()
    setup: str = ""
    entry: str = ""


class PreferenceRow(Row):
    """A conversation up to its last turn, and two ways to answer that, of which the first was preferred."""

    prompt: Annotated[tuple[Message, ...], Field(min_length=1)]
    chosen: str
    rejected: str


WRITTEN = ("translation", "summary", "correction")
"""Schemas of a text from which another is to be written; that stands in the field of the schema's own name."""

SCHEMAS: dict[str, type[Row]] = {
    "text": TextRow,
    "chat": ChatRow,
    "classification": ClassificationRow,
    "pair": PairRow,
    "regression": RegressionRow,
    "tagging": TaggingRow,
    "qa": QaRow,
    "choice": ChoiceRow,
    "relation": RelationRow,
    "translation": TranslationRow,
    "summary": SummaryRow,
    "correction": CorrectionRow,
    "code": CodeRow,
    "preference": PreferenceRow,
}
