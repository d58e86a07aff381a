"""Poems in a form: decoding is kept to it where it can be, and a checker looks at all of it.

For Chinese forms decoding keeps lines, tones and rhymes (`verse.grammars`); for English ones the number of lines, and
syllables and rhymes are looked at and drawn again.
"""

from __future__ import annotations

import zlib
from typing import Annotated, Literal

from pydantic import Field

from langwright.inference.control.settings import Control
from langwright.tasks.declaration import Task, TaskOutput
from langwright.tasks.solving.drafting import NAME, Check, DraftInput, Held, Pen, Wanted, complaints
from langwright.wording import say

Form = Literal[
    "五言绝句", "七言绝句", "五言律诗", "七言律诗", "忆江南", "如梦令", "卜算子", "浣溪沙", "菩萨蛮", "西江月", "鹧鸪天", "蝶恋花",
    "couplet", "quatrain ABAB", "quatrain AABB", "ballad stanza", "limerick", "sonnet, Shakespearean", "sonnet, Petrarchan", "haiku",
]  # fmt: skip
Keep = Literal["nothing", "lines", "tones", "rhymes"]
MOST_NAMED = 3  # faults that a verifier tells


class PoemInput(DraftInput):
    """What a poem is to be about, and its form."""

    subject: Annotated[str, Field(min_length=1, max_length=2000, description="What the poem is about")]
    form: Annotated[Form, Field(description="Its form; Chinese forms give Chinese poems")] = "七言绝句"
    keep: Annotated[
        Keep,
        Field(
            description="What decoding is kept to: nothing, lines, also tones, or also rhymes; in English lines at most"
        ),
    ] = "rhymes"
    readings: Annotated[
        Literal["new", "old"],
        Field(description="How Chinese characters sound: new as spoken today, old nearer to Tang and Song"),
    ] = "new"
    script: Annotated[
        Literal["simplified", "traditional"], Field(description="Which characters Chinese poems are written in")
    ] = "simplified"

    def written(self, pen: Pen) -> Poem:
        from langwright.tasks.verse.chinese import CHINESE, completed, lines_of
        from langwright.tasks.verse.english import lines_of as english_lines

        chinese = self.form in CHINESE
        prompt = pen.prompt("poem", "zh" if chinese else "en", {"subject": self.subject, "form": self.form, "scheme": scheme(self.form)})  # fmt: skip
        trimmed = (lambda text: completed(text.strip(), self.form)) if chinese else str.strip
        (draft,) = pen.drafts(Wanted(prompt, self.control(), self.checks(), trimmed=trimmed))
        lines = lines_of(draft.text) if chinese else english_lines(draft.text)
        return Poem(text=draft.text, verses=tuple(lines), checks=draft.checks, seed=draft.seed, solver=NAME)

    def control(self) -> Control | None:
        """What decoding is kept to."""
        from langwright.tasks.verse.chinese import CHINESE
        from langwright.tasks.verse.english import lines_regex
        from langwright.tasks.verse.grammars import grammar_of

        if self.keep == "nothing":
            return None
        if self.form in CHINESE:
            return Control(grammar=grammar_of(self.form, self.keep, self.script, self.readings, self.rhyme))
        return Control(regex=lines_regex(self.form))

    @property
    def rhyme(self) -> int:
        """Which rhyme decoding is kept to: drawn by the seed, or without one by the subject."""
        return zlib.crc32(self.subject.encode()) if self.sampling.seed is None else self.sampling.seed

    def checks(self) -> tuple[Check, ...]:
        """A verifier for each thing that a form asks for."""
        from langwright.tasks.verse.chinese import CHINESE, LOOKED_AT

        names = LOOKED_AT if self.form in CHINESE else ("lines", "syllables", "rhymes")
        return tuple(Check(name, self.judge(name)) for name in names)

    def judge(self, name: str):  # type: ignore[no-untyped-def]
        """The verifier of one thing."""
        return lambda text: said_of(self.faults(text)[name])

    def faults(self, text: str) -> dict[str, list[str]]:
        """What is wrong with a poem, by what is looked at."""
        from langwright.tasks.verse import chinese, english

        if self.form in chinese.CHINESE:
            return chinese.faults(text, self.form, self.readings)
        return english.faults(text, self.form)


class Poem(TaskOutput):
    """A poem, and how it keeps its form."""

    text: Annotated[str, Field(description="The poem")]
    verses: Annotated[tuple[str, ...], Field(description="Its lines, without the signs between them")]
    checks: Annotated[tuple[Held, ...], Field(description="What each verifier found")]
    seed: Annotated[int, Field(description="The seed in use, given or drawn")]

    def lines(self) -> list[str]:
        return [self.text, *complaints(self.checks)]

    @property
    def keeps(self) -> bool:
        """Whether it keeps its form."""
        return all(one.held for one in self.checks)


def said_of(faults: list[str]) -> str:
    """Faults in one sentence, the first few of them."""
    more = len(faults) - MOST_NAMED
    return "; ".join(faults[:MOST_NAMED]) + (say(" and {count} more", count=more) if more > 0 else "")


def scheme(form: Form) -> str:
    """The form in short, for the model."""
    from langwright.tasks.verse.chinese import CHINESE, looks
    from langwright.tasks.verse.english import ENGLISH

    if form in CHINESE:
        return looks(form)
    asked = ENGLISH[form]
    sizes = ", ".join(f"{size.least}-{size.most}" for size in dict.fromkeys(asked.sizes))
    return f"{asked.lines} lines, rhymes {asked.rhymes}, {sizes} syllables"


POEM = Task(
    name="poem",
    summary="Write a poem in a given form",
    dataset="",
    input=PoemInput,
    output=Poem,
    solvers=(NAME,),
    panel=("subject", "form", "keep"),
)
