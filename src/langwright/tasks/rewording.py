"""Saying it in other words: paraphrases, rewriting in several ways, another style. Imports nothing heavy.

What is kept is looked at as far as it can be without understanding: the language, the numbers, the size. Whether the
meaning is the same, no verifier here can tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from langwright.inference.control.settings import Control
from langwright.tasks.declaration import Task, TaskOutput
from langwright.tasks.solving.checks import in_language, keeps_numbers, language_or, reworded, size_between
from langwright.tasks.solving.drafting import NAME, Check, Draft, DraftInput, Pen, Wanted
from langwright.wording import Language, say

Way = Literal["shorter", "longer", "plainer", "more formal", "livelier", "gentler"]
WAYS: dict[Way, dict[Language, str]] = {
    "shorter": {"en": "shorter, with nothing that can be spared", "zh": "更简短，去掉可有可无的话"},
    "longer": {"en": "fuller, with more detail", "zh": "更充实，细节更多"},
    "plainer": {"en": "plainer, in everyday words and short sentences", "zh": "更浅显，用日常词语和短句"},
    "more formal": {"en": "more formal, as in a letter to an office", "zh": "更正式，像公文或商务信函"},
    "livelier": {"en": "livelier, with images and strong verbs", "zh": "更生动，多用形象的说法和有力的动词"},
    "gentler": {"en": "gentler and more polite", "zh": "更委婉、更有礼貌"},
}
SIZES: dict[Way, tuple[float, float]] = {"shorter": (0.1, 0.95), "longer": (1.05, 4.0)}
USUAL_SIZE = (0.4, 2.5)


class RewordingInput(DraftInput):
    """A text to be said otherwise."""

    text: Annotated[str, Field(min_length=1, description="The text")]
    language: Annotated[Language | None, Field(description="Language to write in; that of the text when left out")] = (
        None
    )
    keep: Annotated[tuple[str, ...], Field(description="Words that have to stay, such as names")] = ()

    def checks(self, language: Language, size: tuple[float, float] = USUAL_SIZE) -> tuple[Check, ...]:
        """What any rewording holds."""
        return (reworded(self.text), in_language(language), keeps_numbers(self.text), size_between(self.text, *size))

    def asked(self, pen: Pen, template: str, size: tuple[float, float] = USUAL_SIZE, **fields: str) -> Wanted:
        """The wish in words, with what must stay."""
        language = language_or(self.language, self.text)
        return Wanted(
            pen.prompt(template, language, {"text": self.text, **fields}),
            Control(must=self.keep) if self.keep else None,
            self.checks(language, size),
        )


class Reworded(TaskOutput):
    """A text said otherwise, once or several times."""

    text: Annotated[str, Field(description="The first of the texts; the one that holds most")]
    drafts: Annotated[tuple[Draft, ...], Field(description="All texts with what was looked at in each")]

    def lines(self) -> list[str]:
        return [line for draft in self.drafts for line in draft.lines()]

    @classmethod
    def of(cls, drafts: Sequence[Draft]) -> Reworded:
        """From what was drawn."""
        return cls(text=drafts[0].text, drafts=tuple(drafts), solver=NAME)


# --- paraphrase ------------------------------------------------------------------------------------


class ParaphraseInput(RewordingInput):
    """A text to be said in other words."""

    n: Annotated[int, Field(ge=1, le=16, description="How many different texts")] = 1
    apart: Annotated[
        float,
        Field(ge=0, le=1, description="Share of words and Chinese characters in which two of them differ at least"),
    ] = 0.2

    def written(self, pen: Pen) -> Reworded:
        wanted = self.asked(pen, "paraphrase")
        return Reworded.of(pen.drafts(Wanted(wanted.prompt, wanted.control, wanted.checks, self.apart), self.n))


PARAPHRASE = Task(
    name="paraphrase",
    summary="Say a text in other words",
    dataset="",
    input=ParaphraseInput,
    output=Reworded,
    solvers=(NAME,),
    panel=("text", "n", "keep"),
)

# --- another style ---------------------------------------------------------------------------------


class StyleInput(RewordingInput):
    """A text to be said in another style."""

    style: Annotated[str, Field(min_length=1, description="The style in words, such as formal, or for children")]

    def written(self, pen: Pen) -> Reworded:
        return Reworded.of(pen.drafts(self.asked(pen, "rewrite", style=self.style)))


STYLE = Task(
    name="style",
    summary="Say a text in another style",
    dataset="",
    input=StyleInput,
    output=Reworded,
    solvers=(NAME,),
    panel=("text", "style", "keep"),
)

# --- several ways ----------------------------------------------------------------------------------


class RewritingInput(RewordingInput):
    """A text to be rewritten in several ways, each another one."""

    ways: Annotated[tuple[Way, ...], Field(min_length=1, description="In what each suggestion differs from the text")] = (
        "shorter", "plainer", "more formal",
    )  # fmt: skip
    unlike: Annotated[tuple[str, ...], Field(description="Texts that were rejected and are not wanted again")] = ()
    apart: Annotated[
        float,
        Field(ge=0, le=1, description="Share of words and Chinese characters in which two of them differ at least"),
    ] = 0.1

    def written(self, pen: Pen) -> Rewritten:
        language = language_or(self.language, self.text)
        found: list[Suggestion] = []
        for way in self.ways:
            wanted = self.asked(pen, "rewrite", SIZES.get(way, USUAL_SIZE), style=WAYS[way][language])
            others = (*self.unlike, *(one.draft.text for one in found))
            (draft,) = pen.drafts(Wanted(wanted.prompt, wanted.control, wanted.checks, self.apart, others))
            found.append(Suggestion(way=way, draft=draft))
        return Rewritten(suggestions=tuple(found), solver=NAME)


class Suggestion(BaseModel):
    """One way to say it."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    way: Annotated[Way, Field(description="In what it was to differ")]
    draft: Annotated[Draft, Field(description="What was written, and what was looked at in it")]


class Rewritten(TaskOutput):
    """Suggestions, to be accepted or rejected by a person."""

    suggestions: Annotated[tuple[Suggestion, ...], Field(description="One for each way asked for")]

    def lines(self) -> list[str]:
        return [f"{say(one.way)}: {line}" for one in self.suggestions for line in one.draft.lines()]


REWRITING = Task(
    name="rewriting",
    summary="Suggest several ways to rewrite a text",
    dataset="",
    input=RewritingInput,
    output=Rewritten,
    solvers=(NAME,),
    panel=("text", "ways", "keep"),
)
