"""The kinds of rows a dataset may hold, declared once. Imports nothing heavy.

Every row also has id, source, licence and language.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SchemaName = Literal["text", "chat", "classification"]


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


SCHEMAS: dict[str, type[Row]] = {"text": TextRow, "chat": ChatRow, "classification": ClassificationRow}
