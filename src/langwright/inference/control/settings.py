"""What a text must be like: its form, its length, the words in it. Imports neither torch nor transformers."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, TypedDict

from pydantic import Field, model_validator

from langwright.errors import UserError
from langwright.settings import Settings

Unit = Literal["tokens", "words", "characters", "sentences"]
Text = Annotated[str, Field(min_length=1, max_length=1000)]


class Length(Settings):
    """How long the text is to be; the prompt is not counted."""

    unit: Annotated[
        Unit,
        Field(
            description="What is counted. A Chinese character is a word; characters are counted without white space; "
            "a sentence ends with . ! ? … or 。！？"
        ),
    ] = "words"
    at_least: Annotated[int, Field(ge=0, description="The text does not end before it has so many")] = 0
    at_most: Annotated[int | None, Field(ge=1, description="No more than so many are written")] = None
    whole: Annotated[
        bool, Field(description="End with the first sentence that ends after at_least, instead of being cut at at_most")
    ] = False

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.at_most is not None and self.at_most < self.at_least:
            raise UserError(
                "a length of at least {at_least} and at most {at_most} {unit} contradicts itself",
                fix="give at_most that is not below at_least",
                at_least=self.at_least,
                at_most=self.at_most,
                unit=self.unit,
            )
        return self


class Contrast(Settings):
    """Another prompt, which the text is to move away from."""

    prompt: Annotated[str, Field(description="The prompt to move away from; empty for none at all")] = ""
    strength: Annotated[
        float, Field(ge=0, le=20, description="γ: 1 changes nothing, 1.5 to 3 is usual, more costs fluency")
    ] = 1.5


class Control(Settings):
    """What a text must be like. What is left out is free."""

    json_schema: Annotated[
        dict[str, Any] | bool | None,
        Field(description="JSON Schema (draft 2020-12) that the text fulfils; true for any JSON"),
    ] = None
    regex: Annotated[str | None, Field(description="Regular expression that the whole text matches")] = None
    grammar: Annotated[str | None, Field(description="Grammar in the notation of Lark that the text is of")] = None
    choices: Annotated[
        tuple[Text, ...] | None, Field(min_length=1, max_length=1000, description="The text is one of these")
    ] = None
    length: Annotated[Length | None, Field(description="How long the text is to be")] = None
    must: Annotated[tuple[Text, ...], Field(max_length=32, description="Words or phrases that appear in the text")] = ()
    never: Annotated[
        tuple[Text, ...],
        Field(
            max_length=200,
            description="Words or phrases that do not appear in it; A to Z as a to z, and no part of a longer word "
            "where words have spaces between them",
        ),
    ] = ()
    contrast: Annotated[Contrast | None, Field(description="Another prompt to move away from")] = None

    @model_validator(mode="after")
    def _what_goes_together(self) -> Self:
        forms = list(self.forms)
        bounds = [name for name, given in (("length", self.length), ("must", self.must)) if given]
        clash = forms[:2] if len(forms) > 1 else [*forms[:1], *bounds[:1]] if forms and bounds else []
        if clash:
            raise UserError(
                "{one} and {other} do not go together",
                fix="give one of them, and say the rest inside it, such as maxLength in a schema",
                one=clash[0],
                other=clash[1],
            )
        return self

    @property
    def form(self) -> str | None:
        """Which form is asked for, by name."""
        return next(iter(self.forms), None)

    @property
    def forms(self) -> dict[str, Any]:
        """The forms that are given, by name."""
        every = {"json_schema": self.json_schema, "regex": self.regex, "grammar": self.grammar, "choices": self.choices}
        return {name: form for name, form in every.items() if form is not None}


class ControlOptions(TypedDict, total=False):
    """`Control` as keyword arguments of Python's front door."""

    schema: dict[str, Any] | bool | None
    regex: str | None
    grammar: str | None
    choices: tuple[str, ...] | list[str] | None
    length: Length | None
    must: tuple[str, ...] | list[str]
    never: tuple[str, ...] | list[str]
    contrast: Contrast | None


def control_of(options: ControlOptions) -> Control | None:
    """The settings of these options; None where nothing is asked for.

    raises  UserError for what is not allowed
    """
    from langwright.settings import validate

    given = {"json_schema" if name == "schema" else name: value for name, value in options.items()}
    table: dict[str, Any] = {
        name: value.model_dump() if isinstance(value, Settings) else list(value) if isinstance(value, tuple) else value
        for name, value in given.items()
        if value is not None and value != () and value != []
    }
    return validate(Control, table) if table else None
