"""Outlines and sections of an article: the two tasks that writing together (`cowriting`) is made of. Imports nothing heavy."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from langwright.inference.control.settings import Control, Length
from langwright.tasks.declaration import Task, TaskOutput
from langwright.tasks.solving.checks import in_language, language_or, length_between
from langwright.tasks.solving.drafting import NAME, Check, Draft, DraftInput, Held, Pen, Wanted, alike, complaints
from langwright.wording import Language, say

# --- the outline -----------------------------------------------------------------------------------


class Heading(BaseModel):
    """A section as it is planned."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    heading: Annotated[str, Field(min_length=1, description="What the section is called")]
    points: Annotated[tuple[str, ...], Field(description="What it says, point by point")] = ()


class OutlineInput(DraftInput):
    """What is to be written about."""

    title: Annotated[str, Field(min_length=1, description="What the article is called")]
    brief: Annotated[str, Field(description="What it is to say, and for whom")] = ""
    sections: Annotated[int, Field(ge=1, le=20, description="How many sections")] = 4
    language: Annotated[Language | None, Field(description="Language to write in; that of the title when left out")] = (
        None
    )
    unlike: Annotated[tuple[str, ...], Field(description="Texts that were rejected and are not wanted again")] = ()

    def written(self, pen: Pen) -> Outline:
        language = language_or(self.language, self.title)
        fields = {"title": self.title, "brief": self.brief or self.title, "sections": str(self.sections)}
        control = Control(json_schema=outline_schema(self.sections))
        checks = (
            Check("outline", outline_wrong),
            Check("language", lambda text: in_language(language).judge(said_in(text))),
        )
        wanted = Wanted(
            pen.prompt("outline", language, fields), control, checks, 0.1 if self.unlike else 0, self.unlike
        )
        (draft,) = pen.drafts(wanted)
        return Outline(sections=headings_of(draft.text), checks=draft.checks, seed=draft.seed, solver=NAME)


class Outline(TaskOutput):
    """The sections of an article as they are planned."""

    sections: Annotated[tuple[Heading, ...], Field(description="The sections in their order")]
    checks: Annotated[tuple[Held, ...], Field(description="What each verifier found")]
    seed: Annotated[int, Field(description="The seed in use, given or drawn")]

    def lines(self) -> list[str]:
        found = []
        for number, one in enumerate(self.sections, 1):
            found += [f"{number}. {one.heading}", *(f"   - {point}" for point in one.points)]
        return [*found, *complaints(self.checks)]


def outline_schema(sections: int) -> dict[str, Any]:
    """The JSON that an outline is written in."""
    heading = {"type": "string", "minLength": 1, "maxLength": 80}
    points = {
        "type": "array",
        "items": {"type": "string", "minLength": 1, "maxLength": 200},
        "minItems": 1,
        "maxItems": 4,
    }
    item = {
        "type": "object",
        "properties": {"heading": heading, "points": points},
        "required": ["heading", "points"],
        "additionalProperties": False,
    }
    return {"type": "array", "items": item, "minItems": sections, "maxItems": sections}


def headings_of(text: str) -> tuple[Heading, ...]:
    """The sections that an outline in JSON names; none where it is not whole."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return ()
    return tuple(Heading(heading=one["heading"].strip() or "-", points=tuple(one["points"])) for one in found)


def said_in(text: str) -> str:
    """The headings and points of an outline, without their names in JSON."""
    return " ".join(" ".join((one.heading, *one.points)) for one in headings_of(text))


def outline_wrong(text: str) -> str:
    """Sections that are called the same, or an outline that was cut."""
    sections = headings_of(text)
    names = [one.heading.casefold() for one in sections]
    if not sections:
        return say("it is not whole JSON")
    return say("two sections are called the same") if len(set(names)) < len(names) else ""


# --- a section -------------------------------------------------------------------------------------


class SectionInput(DraftInput):
    """The section that is to be written, and what stands around it."""

    title: Annotated[str, Field(min_length=1, description="What the article is called")]
    heading: Annotated[str, Field(min_length=1, description="What the section is called")]
    points: Annotated[tuple[str, ...], Field(description="What it says, point by point")] = ()
    headings: Annotated[tuple[str, ...], Field(description="All sections of the article in their order")] = ()
    before: Annotated[str, Field(description="The end of what stands before it")] = ""
    start: Annotated[str, Field(description="How it begins; it is gone on from there")] = ""
    at_least: Annotated[int, Field(ge=1, description="Fewest words; a Chinese character is one")] = 60
    at_most: Annotated[int, Field(ge=1, description="Most words")] = 300
    language: Annotated[Language | None, Field(description="Language to write in; that of the title when left out")] = (
        None
    )
    unlike: Annotated[tuple[str, ...], Field(description="Texts that were rejected and are not wanted again")] = ()

    def written(self, pen: Pen) -> Section:
        language = language_or(self.language, self.title)
        mark = "；" if language == "zh" else "; "
        fields = {
            "title": self.title,
            "heading": self.heading,
            "points": mark.join(self.points) or self.heading,
            "headings": mark.join(self.headings) or self.heading,
            "before": self.before or "-",
            "start": self.start,
        }
        length = Length(unit="words", at_least=self.at_least, at_most=self.at_most, whole=True)
        checks = (length_between(self.at_least, self.at_most), in_language(language), new_text(self.before))
        prompt = pen.prompt("section-start" if self.start else "section", language, fields if self.start else without_start(fields))  # fmt: skip
        (draft,) = pen.drafts(Wanted(prompt, Control(length=length), checks, 0.2, self.unlike))
        text = joined(self.start, draft.text, language)
        return Section(text=text, checks=draft.checks, seed=draft.seed, solver=NAME)


class Section(TaskOutput):
    """A section of an article."""

    text: Annotated[str, Field(description="The section, without its heading")]
    checks: Annotated[tuple[Held, ...], Field(description="What each verifier found")]
    seed: Annotated[int, Field(description="The seed in use, given or drawn")]

    def lines(self) -> list[str]:
        return Draft(text=self.text, checks=self.checks, seed=self.seed).lines()


def without_start(fields: dict[str, str]) -> dict[str, str]:
    """The fields of a section that has no beginning yet."""
    return {name: value for name, value in fields.items() if name != "start"}


def joined(start: str, more: str, language: Language) -> str:
    """A beginning with what it goes on with; a space between where words have spaces."""
    if not start:
        return more
    return start.rstrip() + ("" if language == "zh" else " ") + more


def new_text(before: str) -> Check:
    """Not what stands before it again."""

    def judge(text: str) -> str:
        near = alike(text, before) if before else 0.0
        return say("{share} of it is what stands before it", share=f"{near:.0%}") if near > 0.8 else ""

    return Check("new", judge)


OUTLINE = Task(
    name="outline",
    summary="Plan the sections of an article",
    dataset="",
    input=OutlineInput,
    output=Outline,
    solvers=(NAME,),
    panel=("title", "brief", "sections"),
)
SECTION = Task(
    name="section",
    summary="Write a section of an article, or go on from its beginning",
    dataset="",
    input=SectionInput,
    output=Section,
    solvers=(NAME,),
    panel=("title", "heading", "points", "before", "start"),
)
