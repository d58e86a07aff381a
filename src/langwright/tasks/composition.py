"""Stories, scripts, news, blogs, advertising: a text of a stated kind about a stated subject, for a stated reader.

Each kind has a form that a verifier looks at. Facts that are given bring their numbers, and no others may appear, so that
news and advertising make up none. A reader's profile says what interests them, what to leave out and how hard it may be.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from langwright.inference.control.counting import count, sentences
from langwright.inference.control.settings import Control, Length
from langwright.tasks.declaration import Task, TaskOutput
from langwright.tasks.solving.checks import NUMBER, has_all, has_none, in_language, language_or, length_between
from langwright.tasks.solving.drafting import NAME, Check, Draft, DraftInput, Held, Pen, Wanted
from langwright.wording import Language, say

Kind = Literal["story", "script", "news", "blog", "advertisement", "marketing email", "speech", "article"]
Level = Literal["simple", "plain", "demanding"]
SENTENCE: dict[Level, float] = {"simple": 12, "plain": 22}  # most words a sentence, on average
LEVELS: dict[Level, dict[Language, str]] = {
    "simple": {"en": "in short sentences and easy words", "zh": "用短句和简单的词"},
    "plain": {"en": "in plain words", "zh": "语言平实"},
    "demanding": {"en": "for readers who know the subject", "zh": "面向熟悉该题材的读者"},
}
NOBODY: dict[Language, str] = {"en": "anybody", "zh": "一般读者"}
NONE: dict[Language, str] = {"en": "none given", "zh": "无"}
_SPEECH = re.compile(r"^\s*([^\s:：][^:：\n]{0,30})[:：]\s*\S", re.MULTILINE)


@dataclass(frozen=True)
class Shape:
    """What a kind of text looks like.

    about   what the model is told
    words   fewest and most words
    wrong   text -> what is wrong with its form; "" where nothing is
    """

    about: dict[Language, str]
    words: tuple[int, int]
    wrong: Callable[[str], str] = lambda text: ""


def paragraphs(text: str) -> list[str]:
    """Lines that have something in them."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def headline_wrong(text: str) -> str:
    """A first line that is a headline: short, and no sentence; then at least one paragraph."""
    parts = paragraphs(text)
    if len(parts) < 2:
        return say("there is no headline with a text below it")
    return (
        say("the first line is no headline") if count("words", parts[0]) > 30 or parts[0][-1:] in tuple("。.") else ""
    )


def blog_wrong(text: str) -> str:
    """A headline and at least two paragraphs."""
    return headline_wrong(text) or (say("a blog has two paragraphs at least") if len(paragraphs(text)) < 3 else "")


def script_wrong(text: str) -> str:
    """At least two who speak, in at least three speeches."""
    speakers = _SPEECH.findall(text)
    enough = len(speakers) >= 3 and len(set(speakers)) >= 2
    return "" if enough else say("a script has two speakers and three speeches at least, each as NAME: what is said")


def story_wrong(text: str) -> str:
    """At least three sentences."""
    return say("a story has three sentences at least") if len(sentences(text)) < 3 else ""


SHAPES: dict[Kind, Shape] = {
    "story": Shape({"en": "a story with a beginning, a turn and an end", "zh": "一个有开头、转折和结尾的故事"}, (60, 600), story_wrong),
    "script": Shape({"en": "a scene of a script, each speech as NAME: words", "zh": "一场戏的剧本，每句台词写成“人物：台词”"}, (40, 600), script_wrong),
    "news": Shape({"en": "a news item: a headline, then what happened, where, when, to whom", "zh": "一则新闻：标题之后写明何事、何地、何时、何人"}, (40, 400), headline_wrong),
    "blog": Shape({"en": "a blog post: a title, then paragraphs in a personal voice", "zh": "一篇博客：标题之后分段，用个人口吻"}, (80, 800), blog_wrong),
    "advertisement": Shape({"en": "an advertisement that promises nothing that is not said below", "zh": "一则广告，不许诺下文没有的内容"}, (8, 80)),
    "marketing email": Shape({"en": "a marketing email: a subject line, then the message", "zh": "一封营销邮件：先写主题行，再写正文"}, (30, 250), headline_wrong),
    "speech": Shape({"en": "a speech to be read aloud", "zh": "一篇供朗读的讲稿"}, (60, 800)),
    "article": Shape({"en": "an article: a title, then paragraphs", "zh": "一篇文章：标题之后分段"}, (80, 1000), headline_wrong),
}  # fmt: skip


class Profile(BaseModel):
    """Who it is written for."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    reader: Annotated[str, Field(description="Who reads it, in words")] = ""
    interests: Annotated[tuple[str, ...], Field(description="What interests them")] = ()
    avoid: Annotated[tuple[str, ...], Field(description="Words that do not appear")] = ()
    level: Annotated[Level, Field(description="How hard it may be to read")] = "plain"


class CompositionInput(DraftInput):
    """What is to be written, and for whom."""

    subject: Annotated[str, Field(min_length=1, description="What the text is about")]
    kind: Annotated[Kind, Field(description="What kind of text it is")] = "story"
    facts: Annotated[tuple[str, ...], Field(description="What is true and may be said; no other numbers appear")] = ()
    tone: Annotated[str, Field(description="How it sounds, in words")] = ""
    profile: Annotated[Profile, Field(description="Who it is written for")] = Profile()
    keep: Annotated[tuple[str, ...], Field(description="Words that have to appear")] = ()
    at_least: Annotated[int | None, Field(ge=1, description="Fewest words; that of its kind when left out")] = None
    at_most: Annotated[int | None, Field(ge=1, description="Most words; that of its kind when left out")] = None
    language: Annotated[
        Language | None, Field(description="Language to write in; that of the subject when left out")
    ] = None

    def written(self, pen: Pen) -> Composition:
        language = language_or(self.language, self.subject)
        least, most = self.at_least or SHAPES[self.kind].words[0], self.at_most or SHAPES[self.kind].words[1]
        control = Control(
            length=Length(unit="words", at_least=min(least, most), at_most=max(least, most), whole=True),
            must=self.keep,
            never=self.profile.avoid,
        )
        prompt = pen.prompt("composition", language, self.fields(language, least, most))
        (draft,) = pen.drafts(Wanted(prompt, control, self.checks(language, least, most)))
        return Composition(text=draft.text, checks=draft.checks, seed=draft.seed, solver=NAME)

    def fields(self, language: Language, least: int, most: int) -> dict[str, str]:
        """What the template is filled with."""
        comma = "、" if language == "zh" else ", "
        profile = self.profile
        return {
            "kind": SHAPES[self.kind].about[language],
            "subject": self.subject,
            "facts": "\n".join(f"- {fact}" for fact in self.facts) or NONE[language],
            "tone": self.tone or LEVELS[profile.level][language],
            "reader": profile.reader or NOBODY[language],
            "interests": comma.join(profile.interests) or NONE[language],
            "level": LEVELS[profile.level][language],
            "least": str(least),
            "most": str(most),
        }

    def checks(self, language: Language, least: int, most: int) -> tuple[Check, ...]:
        """What is looked at."""
        found = [Check("form", SHAPES[self.kind].wrong), length_between(least, most), in_language(language)]
        if self.keep:
            found.append(has_all(self.keep))
        if self.profile.avoid:
            found.append(has_none(self.profile.avoid))
        if self.facts:
            found.append(no_other_numbers(" ".join((self.subject, *self.facts, *self.keep))))
        if self.profile.level in SENTENCE:
            found.append(short_sentences(SENTENCE[self.profile.level] * (2 if language == "zh" else 1)))
        return tuple(found)


class Composition(TaskOutput):
    """The text, and what was looked at in it."""

    text: Annotated[str, Field(description="What was written")]
    checks: Annotated[tuple[Held, ...], Field(description="What each verifier found")]
    seed: Annotated[int, Field(description="The seed in use, given or drawn")]

    def lines(self) -> list[str]:
        return Draft(text=self.text, checks=self.checks, seed=self.seed).lines()


def no_other_numbers(known: str) -> Check:
    """No number that is not among what is known."""
    right = set(NUMBER.findall(known))

    def judge(text: str) -> str:
        made_up = sorted(set(NUMBER.findall(text)) - right)
        return say("it adds {words}", words=", ".join(made_up)) if made_up else ""

    return Check("numbers", judge)


def short_sentences(most: float) -> Check:
    """So many words a sentence at most, on average; a Chinese character is a word, so twice as many are allowed."""

    def judge(text: str) -> str:
        mean = count("words", text) / max(1, sum(len(sentences(line)) for line in paragraphs(text)))
        return say("its sentences have {mean} words on average", mean=f"{mean:.0f}") if mean > most else ""

    return Check("reading level", judge)


COMPOSITION = Task(
    name="composition",
    summary="Write a story, script, news item, blog, advertisement or article for a stated reader",
    dataset="",
    input=CompositionInput,
    output=Composition,
    solvers=(NAME,),
    panel=("subject", "kind", "facts", "tone", "profile"),
)
