"""Summaries of turns: written by the model and looked at, or sentences as they were said.

What a model writes is taken when it came to its end, is in the language of the talk, fits, adds no number, and most of
its words are words of the talk. That finds what is made up of whole cloth, not every mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langwright.tasks.dialogue.context import Said, Summary, Write
from langwright.tasks.solving.languages import language_of
from langwright.wording import Language, say

if TYPE_CHECKING:
    from langwright.tasks.front.model import Model

SPEAKERS: dict[Language, dict[str, str]] = {
    "en": {"user": "User", "assistant": "Assistant", "system": "System"},
    "zh": {"user": "用户", "assistant": "助手", "system": "系统"},
}
COLON: dict[Language, str] = {"en": ": ", "zh": "："}
MOST_SENTENCES = 12
MOST_TOKENS = 160
COMMON = 0.5  # of a summary's words, the share that must be words of the talk


def extracted(turns: Sequence[Said], fits: Callable[[str], bool], why: str = "") -> Summary | None:
    """The sentences that say most of what was said, as they stand, each with its speaker; None where not one fits."""
    from langwright.tasks.extraction.summaries import summary

    language = language_of("\n".join(one.content for one in turns))
    text, starts = "", []
    for one in turns:
        starts.append(len(text))
        text += one.content + "\n"
    best = sorted(summary(text, MOST_SENTENCES), key=lambda one: -one.score)
    for size in range(len(best), 0, -1):
        lines = []
        for sentence in sorted(best[:size], key=lambda one: one.start):
            turn = turns[max(place for place, start in enumerate(starts) if start <= sentence.start)]
            lines.append(spoken(turn.role, sentence.text, language))
        if fits("\n".join(lines)):
            return Summary("\n".join(lines), turns[-1].id, len(turns), "extract", why)
    return None


def spoken(role: str, text: str, language: Language) -> str:
    """A line of a written conversation.

    >>> spoken("user", "你好", "zh")
    '用户：你好'
    """
    return f"{SPEAKERS[language][role]}{COLON[language]}{text}"


@dataclass
class Spent:
    """Tokens that were read and written to sum up."""

    read: int = 0
    written: int = 0


def writer_of(model: Model | None, spent: Spent | None = None) -> Write:
    """What sums up with this model, and with sentences as they stand where its summary does not hold.

    model  None to take sentences always
    spent  is told what the model read and wrote
    """

    def write(before: Summary | None, turns: Sequence[Said], fits: Callable[[str], bool]) -> Summary | None:
        if model is None:
            return extracted(turns, fits)
        if not model.converses:
            return extracted(turns, fits, say("{name} was not taught to converse", name=model.name))
        text, wrong = written(model, before, turns, fits, spent or Spent())
        return extracted(turns, fits, wrong) if wrong else Summary(text, turns[-1].id, len(turns), "model")

    return write


def written(
    model: Model, before: Summary | None, turns: Sequence[Said], fits: Callable[[str], bool], spent: Spent
) -> tuple[str, str]:
    """(what the model wrote, why it is not to be taken: "" where it is).

    It reads the summary before and what was said since; all of it where that does not fit its context is refused here
    and left to sentences as they stand.
    """
    from langwright.inference.protocol import Sampling
    from langwright.tasks.solving.drafting import Pen

    language = language_of("\n".join(one.content for one in turns))
    fresh = turns[before.turns :] if before is not None and before.by == "model" else turns
    said = "\n".join(spoken(one.role, one.content, language) for one in fresh)
    known = before.text if before is not None and before.by == "model" else "-"
    prompt = Pen(model).prompt("dialogue-summary", language, {"summary": known, "turns": said})
    text_model = model.local("sum up")
    ids = text_model.ids_of(prompt)
    if len(ids) + MOST_TOKENS > text_model.context:
        return "", say("what was said is too long for {name} to sum up", name=model.name)
    made = text_model.complete(prompt, Sampling(max_new_tokens=MOST_TOKENS))
    spent.read += len(ids)
    spent.written += len(made.token_ids)
    text = made.text.strip()
    return text, refused(text, made.finish_reason == "stop", f"{known}\n{said}", fits, language)


def refused(text: str, whole: bool, source: str, fits: Callable[[str], bool], language: Language) -> str:
    """Why a summary is not taken; "" where it is."""
    from langwright.metrics.units import units
    from langwright.tasks.solving.checks import NUMBER, in_language

    if not text or not whole:
        return say("the model's summary was cut or empty")
    if not fits(text):
        return say("the model's summary is too long")
    if wrong := in_language(language).judge(text):
        return wrong
    added = set(NUMBER.findall(text)) - set(NUMBER.findall(source))
    if added:
        return say("the model's summary adds numbers: {numbers}", numbers=", ".join(sorted(added)))
    words = [unit for unit in units(text) if unit.isalnum()]
    known = set(units(source))
    if not words or sum(unit in known for unit in words) < COMMON * len(words):
        return say("the model's summary says something else")
    return ""
