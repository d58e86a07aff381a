"""The kinds of rows a dataset may hold, declared once. Imports nothing heavy.

Every row also has id, source, licence and language.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SchemaName = Literal["text", "chat", "classification", "translation", "summary"]


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
    """A text with its label."""

    text: str
    label: str


class TranslationRow(Row):
    """A text, in the row's `language`, and what it says in another."""

    text: str
    translation: str
    target_language: str


class SummaryRow(Row):
    """A text and a shorter one that says what matters in it."""

    text: str
    summary: str


WRITTEN = ("translation", "summary")
"""Schemas of a text from which another is to be written; that stands in the field of the schema's own name."""

SCHEMAS: dict[str, type[Row]] = {
    "text": TextRow,
    "chat": ChatRow,
    "classification": ClassificationRow,
    "translation": TranslationRow,
    "summary": SummaryRow,
}
