"""Advice on grammar, style and wording: places of a text, what is wrong there, and what could stand instead.

The model answers in JSON that decoding keeps to. An item counts only where its quotation stands in the text and its
replacement differs from it; every item says where, in characters, the end not included.
"""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from langwright.inference.control.settings import Control
from langwright.tasks.declaration import Task, TaskOutput
from langwright.tasks.solving.checks import language_or
from langwright.tasks.solving.drafting import NAME, Check, Draft, DraftInput, Held, Pen, Wanted, complaints
from langwright.wording import Language, say

Kind = Literal["grammar", "spelling", "punctuation", "wording", "style", "clarity"]
KINDS: tuple[Kind, ...] = ("grammar", "spelling", "punctuation", "wording", "style", "clarity")


class AdviceInput(DraftInput):
    """A text to be advised on."""

    text: Annotated[str, Field(min_length=1, description="The text")]
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1, description="What to look for")] = KINDS
    most: Annotated[int, Field(ge=1, le=50, description="Most pieces of advice")] = 5
    language: Annotated[Language | None, Field(description="Language to write in; that of the text when left out")] = (
        None
    )

    def written(self, pen: Pen) -> Advice:
        language = language_or(self.language, self.text)
        fields = {"text": self.text, "kinds": ", ".join(self.kinds), "most": str(self.most)}
        control = Control(json_schema=schema(self.kinds, self.most))
        wanted = Wanted(pen.prompt("advice", language, fields), control, (fits(self.text),))
        (draft,) = pen.drafts(wanted)
        return Advice(items=tuple(items_of(draft, self.text)), checks=draft.checks, seed=draft.seed, solver=NAME)


class AdviceItem(BaseModel):
    """One piece of advice."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    start: Annotated[int, Field(description="Where it begins in the text, in characters")]
    end: Annotated[int, Field(description="Where it ends, this character not included")]
    quote: Annotated[str, Field(description="What stands there")]
    kind: Annotated[Kind, Field(description="Which kind of advice it is")]
    replacement: Annotated[str, Field(description="What could stand there instead; empty to leave it out")]
    reason: Annotated[str, Field(description="Why, in words")]


class Advice(TaskOutput):
    """What could be better in a text; nothing where nothing was found."""

    items: Annotated[tuple[AdviceItem, ...], Field(description="In the order of the text")]
    checks: Annotated[tuple[Held, ...], Field(description="What each verifier found")]
    seed: Annotated[int, Field(description="The seed in use, given or drawn")]

    def lines(self) -> list[str]:
        found = [f"{one.start}-{one.end} {one.quote} → {one.replacement} ({one.reason})" for one in self.items]
        return [*found, *complaints(self.checks)] or [say("nothing was found")]

    def applied(self, text: str) -> str:
        """The text with all advice taken, from its end on, so that places stay right; of two that overlap the first."""
        kept: list[AdviceItem] = []
        for item in self.items:
            if not kept or item.start >= kept[-1].end:
                kept.append(item)
        for item in reversed(kept):
            text = text[: item.start] + item.replacement + text[item.end :]
        return text


def schema(kinds: tuple[Kind, ...], most: int) -> dict[str, Any]:
    """The JSON that advice is written in."""
    text = {"type": "string", "maxLength": 300}
    item = {
        "type": "object",
        "properties": {"quote": text | {"minLength": 1}, "kind": {"enum": list(kinds)}, "replacement": text, "reason": text},
        "required": ["quote", "kind", "replacement", "reason"],
        "additionalProperties": False,
    }  # fmt: skip
    return {"type": "array", "items": item, "maxItems": most}


def parsed(text: str) -> list[dict[str, str]] | None:
    """The items of advice as they were written; None where it is no JSON."""
    try:
        found = json.loads(text)
    except json.JSONDecodeError:
        return None
    return found if isinstance(found, list) else None


def fits(source: str) -> Check:
    """Every item quotes the text and changes it."""

    def judge(text: str) -> str:
        items = parsed(text)
        if items is None:
            return say("it is not whole JSON")
        for item in items:
            if item["quote"] not in source:
                return say("{quote} does not stand in the text", quote=item["quote"])
            if item["quote"] == item["replacement"]:
                return say("the advice on {quote} changes nothing", quote=item["quote"])
        return ""

    return Check("quotes", judge)


def items_of(draft: Draft, source: str) -> list[AdviceItem]:
    """The items that fit, where they stand: the first place that none of the items before has."""
    found: list[AdviceItem] = []
    for item in parsed(draft.text) or []:
        if item["quote"] == item["replacement"]:
            continue
        taken = {one.start for one in found if one.quote == item["quote"]}
        start = source.find(item["quote"])
        while start in taken:
            start = source.find(item["quote"], start + 1)
        if start >= 0:
            found.append(AdviceItem(start=start, end=start + len(item["quote"]), **item))
    return sorted(found, key=lambda item: (item.start, item.end))


ADVICE = Task(
    name="advice",
    summary="Advise on the grammar, style and wording of a text",
    dataset="",
    input=AdviceInput,
    output=Advice,
    solvers=(NAME,),
    panel=("text", "kinds", "most"),
)
