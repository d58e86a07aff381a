"""A stretch of a text that is quoted, and finding where what a model wrote stands in the text. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator


class Part(BaseModel):
    """A part of what is found."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Quote(Part):
    """A stretch of the given text, in characters, the end not included."""

    text: Annotated[str, Field(description="What stands there")]
    start: Annotated[int, Field(ge=0, description="Its first character")]
    end: Annotated[int, Field(description="The character behind its last one")]

    @model_validator(mode="before")
    @classmethod
    def found_in(cls, given: Any, info: ValidationInfo) -> Any:
        """A plain string is looked for in the text of the context; ValueError where it does not stand there."""
        if not isinstance(given, str):
            return given
        text = str((info.context or {}).get("text", ""))
        said = given.strip()
        start = text.find(said)
        if start < 0:  # a model may write another case
            start = text.casefold().find(said.casefold()) if len(text.casefold()) == len(text) else -1
        if not said or start < 0:
            raise ValueError("it does not stand in the text")
        return {"text": text[start : start + len(said)], "start": start, "end": start + len(said)}

    @classmethod
    def of(cls, text: str, start: int, end: int) -> Self:
        """The stretch of a text."""
        return cls(text=text[start:end], start=start, end=end)
