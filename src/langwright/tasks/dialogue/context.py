"""What a model is given of a conversation: what is pinned, a summary of older turns, and recent turns whole.

Turns leave from the front, a question never without its answer, when the room is used up; so many at once that the
summary that takes their place holds for several turns. A summary names the last turn that it covers, so one belongs
to every branch that goes through that turn, and to no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, Protocol

from langwright.data.schemas import Message
from langwright.errors import UserError
from langwright.tasks.dialogue.settings import ContextSettings
from langwright.tasks.dialogue.shortening import shortened
from langwright.tasks.solving.languages import language_of
from langwright.wording import Language

LEAST = 12  # tokens; less room holds no summary worth the name
HEADS: dict[Language, str] = {
    "en": "Summary of the conversation before ({turns} turns):\n{text}",
    "zh": "此前对话的摘要（{turns} 轮发言）：\n{text}",
}
Count = Callable[[Sequence[Message]], int]


class Said(Protocol):
    """A turn."""

    @property
    def id(self) -> str: ...

    @property
    def role(self) -> str: ...

    @property
    def content(self) -> str: ...


@dataclass(frozen=True)
class Summary:
    """What stands for turns that are no longer given whole.

    upto   the last turn it covers
    turns  how many it covers, from the first
    by     who made it: the model, or sentences as they were said
    why    why it was not the model, where it was asked to
    """

    text: str
    upto: str
    turns: int
    by: Literal["model", "extract"]
    why: str = ""

    def facts(self) -> dict[str, Any]:
        """As JSON can hold it."""
        return asdict(self)


def summary_of(facts: Mapping[str, Any]) -> Summary:
    """A summary that was kept."""
    return Summary(**facts)


@dataclass(frozen=True)
class Counts:
    """What is given, in tokens but where it says otherwise.

    room          most that may be given: the budget without the answer's share
    answer        what is left for the answer
    pinned        what always stands at the front, with the marks of its turn
    turns         turns given whole, and `summed`, `dropped`: turns in the summary, and turns of which nothing is given
    left_out      characters of the last turn that were left out of its middle
    """

    room: int
    answer: int
    given: int
    pinned: int
    summary: int
    recent: int
    turns: int
    summed: int
    dropped: int
    left_out: int = 0


@dataclass(frozen=True)
class Context:
    """What a model is given.

    summary  the one in use; `made` when it was made for this
    """

    messages: tuple[Message, ...]
    counts: Counts
    summary: Summary | None = None
    made: bool = False


@dataclass(frozen=True)
class Outline:
    """What is known before turns are chosen.

    room   most tokens that may be given
    count  of a conversation as the model reads it
    """

    pinned: str
    room: int
    answer: int
    count: Count
    language: Language

    def messages(self, turns: Sequence[Said], summary: Summary | None = None) -> tuple[Message, ...]:
        """These turns behind what is pinned and a summary."""
        head = [self.pinned] if self.pinned else []
        if summary is not None:
            head.append(HEADS[self.language].format(turns=summary.turns, text=summary.text))
        opening = [Message(role="system", content="\n\n".join(head))] if head else []
        return (*opening, *(Message.model_validate({"role": one.role, "content": one.content}) for one in turns))

    def size(self, turns: Sequence[Said], summary: Summary | None = None) -> int:
        """Tokens of these turns behind what is pinned and a summary."""
        return self.count(self.messages(turns, summary))

    def fits(self, turns: Sequence[Said], summary: Summary | None = None, room: int | None = None) -> bool:
        """Whether they do."""
        return self.size(turns, summary) <= (self.room if room is None else room)

    def chosen(
        self,
        turns: Sequence[Said],
        first: int,
        summary: Summary | None = None,
        *,
        made: bool = False,
        left_out: int = 0,
    ) -> Context:
        """The context of the turns from `first` on."""
        recent = turns[first:]
        given, alone = self.size(recent, summary), self.size(recent)
        bare = self.count([Message.model_validate({"role": one.role, "content": one.content}) for one in recent])
        summed = summary.turns if summary is not None else 0
        counts = Counts(
            room=self.room, answer=self.answer, given=given, pinned=alone - bare, summary=given - alone, recent=bare,
            turns=len(recent), summed=summed, dropped=first - summed, left_out=left_out,
        )  # fmt: skip
        return Context(self.messages(recent, summary), counts, summary, made)


Write = Callable[[Summary | None, Sequence[Said], Callable[[str], bool]], Summary | None]
"""(the summary before, every turn to be covered, whether a text fits) -> a summary of them; None where none fits."""


def fitted(
    turns: Sequence[Said],
    *,
    pinned: str,
    count: Count,
    context: int,
    answer: int,
    write: Write,
    kept: Sequence[Summary] = (),
    settings: ContextSettings = ContextSettings(),
) -> Context:
    """What a model is given of a conversation whose last turn it is to answer.

    turns    from the first to the one to be answered
    pinned   what always stands at the front; "" for nothing
    count    tokens of a conversation as the model reads it, with what begins its answer
    context  most tokens that the model takes, of which `answer` are for what it writes
    kept     summaries that were made before; those of other branches are left alone
    raises   UserError when what is pinned and the last turn do not fit, and the turn may not be cut
    """
    budget = min(context, settings.tokens or context)
    outline = Outline(pinned, budget - answer, answer, count, language_of(turns[-1].content))
    if outline.room > 0 and outline.fits(turns):
        return outline.chosen(turns, 0)
    first = begins(turns)
    before = [one for one in sorted(kept, key=lambda one: one.turns) if at(turns, one) == one.turns]
    for one in reversed(before):
        if one.turns in first and outline.fits(turns[one.turns :], one):
            return outline.chosen(turns, one.turns, one)
    if outline.room <= 0 or not outline.fits(turns[first[-1] :]):
        return last_alone(turns, first[-1], outline, settings)
    begin = first_kept(turns, first, outline, settings)
    room = min(int(settings.summary_share * outline.room), outline.room - outline.size(turns[begin:]))
    if room < LEAST:
        return outline.chosen(turns, begin)
    most = outline.size(turns[begin:]) + room

    def fits(text: str) -> bool:
        return outline.fits(turns[begin:], Summary(text, turns[begin - 1].id, begin, "model"), most)

    earlier = [one for one in before if one.turns <= begin]
    made = write(earlier[-1] if earlier else None, turns[:begin], fits)
    return outline.chosen(turns, begin, made, made=made is not None)


def begins(turns: Sequence[Said]) -> list[int]:
    """Where what is given may begin: at the first turn, and at every question."""
    return [0, *(place for place, one in enumerate(turns) if place and one.role == "user")]


def at(turns: Sequence[Said], summary: Summary) -> int:
    """How many turns a summary covers of this branch; -1 where it is of another one."""
    return next((place + 1 for place, one in enumerate(turns) if one.id == summary.upto), -1)


def first_kept(turns: Sequence[Said], first: Sequence[int], outline: Outline, settings: ContextSettings) -> int:
    """Where the turns that stay whole begin: as many as fill their share of the room, the last question in any case."""
    share = int(settings.keep_share * outline.room)
    low, high = 0, len(first) - 1  # the last one stays; a later beginning is shorter
    while low < high:
        middle = (low + high) // 2
        if outline.fits(turns[first[middle] :], room=share):
            high = middle
        else:
            low = middle + 1
    return first[low]


def last_alone(turns: Sequence[Said], first: int, outline: Outline, settings: ContextSettings) -> Context:
    """The last question by itself, shortened where that is allowed."""
    recent = list(turns[first:])
    last = recent[-1]

    def fits(text: str) -> bool:
        return outline.room > 0 and outline.fits([*recent[:-1], Cut(last.id, last.role, text)])

    if settings.long_turns == "refuse" or not fits(""):
        raise UserError(
            "the last turn and what is pinned take {tokens} tokens, and {room} are left beside an answer of {answer}",
            fix="say it in several turns, ask for a shorter answer, or set long_turns to cut",
            tokens=outline.size(recent),
            room=max(0, outline.room),
            answer=outline.answer,
        )
    text, left_out = shortened(last.content, fits, outline.language)
    whole = [*turns[:first], *recent[:-1], Cut(last.id, last.role, text)]
    return outline.chosen(whole, first, left_out=left_out)


@dataclass(frozen=True)
class Cut:
    """A turn that is not whole."""

    id: str
    role: str
    content: str
