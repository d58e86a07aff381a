"""Events: a text in, what happens in it out: a trigger for each event, and who or what takes part in which role.

A tagger is taught labels of two kinds: `attack` for the word that says that there was an attack, and `attack.place` for
what has a role in one. A participant belongs to the nearest trigger of its event's type. Imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from langwright.data.schemas import Span, TaggingRow
from langwright.tasks.declaration import Task, TaskInput
from langwright.tasks.solving.quote import Part, Quote
from langwright.tasks.solving.quoting import QuotedOutput
from langwright.tasks.solving.writing import Chosen
from langwright.wording import say

ROLE = "."  # between an event's type and a role, in labels


class EventsInput(TaskInput):
    """A text."""

    text: Annotated[str, Field(min_length=1, description="The text to look for events in")]
    types: Annotated[
        tuple[str, ...], Field(description="Which types of events are wanted; all that the model knows when left out")
    ] = ()
    sampling: Chosen = None


class Participant(Part):
    """Who or what takes part."""

    role: Annotated[str, Field(min_length=1, description="As what")]
    quote: Annotated[Quote, Field(description="Where it stands")]


class Event(Part):
    """Something that happens."""

    type: Annotated[str, Field(min_length=1, description="What kind of event it is")]
    trigger: Annotated[Quote, Field(description="The words that say it")]
    participants: Annotated[tuple[Participant, ...], Field(description="Who or what takes part in it")]


class EventsOutput(QuotedOutput):
    """The events of a text."""

    events: Annotated[
        tuple[Event, ...], Field(description="The events, in the order of the text where a tagger found them")
    ]
    alone: Annotated[
        tuple[Participant, ...],
        Field(description="What a tagger found in a role of an event that it found no trigger of, as type.role"),
    ] = ()

    def lines(self) -> list[str]:
        """A line an event."""
        found = [
            f"{one.type}: {one.trigger.text}" + "".join(f"  {part.role}={part.quote.text}" for part in one.participants)
            for one in self.events
        ]
        return found or [say("nothing was found")]


def events_of(text: str, spans: Sequence[Span], solver: str, types: Sequence[str] = ()) -> EventsOutput:
    """Events from a tagger's spans.

    types  which are wanted; all when left out
    """
    kept = [span for span in spans if not types or span.label.partition(ROLE)[0] in types]
    triggers = [span for span in kept if ROLE not in span.label]
    taking_part: dict[int, list[Participant]] = {number: [] for number in range(len(triggers))}
    alone = []
    for span in kept:
        kind, dot, role = span.label.partition(ROLE)
        if not dot:
            continue
        quote = Quote.of(text, span.start, span.end)
        own = [number for number, trigger in enumerate(triggers) if trigger.label == kind]
        if own:
            nearest = min(own, key=lambda number: apart(triggers[number], span))
            taking_part[nearest].append(Participant(role=role, quote=quote))
        else:
            alone.append(Participant(role=span.label, quote=quote))
    events = tuple(
        Event(type=one.label, trigger=Quote.of(text, one.start, one.end), participants=tuple(taking_part[number]))
        for number, one in enumerate(triggers)
    )
    return EventsOutput(events=events, alone=tuple(alone), solver=solver)


def apart(one: Span, other: Span) -> int:
    """Characters between two spans; 0 where they touch or overlap."""
    return max(0, one.start - other.end, other.start - one.end)


def ask(row: TaggingRow) -> EventsInput:
    """What is asked of a row."""
    return EventsInput(text=row.text)


EVENTS = Task(
    name="events",
    summary="Find what happens in a text, with who takes part in which role",
    dataset="tagging",
    input=EventsInput,
    output=EventsOutput,
    solvers=("head", "quoting"),
    measures=("entity F1", "entity precision", "entity recall"),
    templates={
        "en": "{text}\n\nTypes of events that are wanted (all if none is named): {types}\nWrite down every event of the text in JSON: its type, the word that says it (trigger), and the participants with their roles. Quote the text word for word.",
        "zh": "{text}\n\n需要的事件类型（未列出则为全部）：{types}\n用 JSON 写出文中的每个事件：类型（type）、触发词（trigger）与参与者（participants）及其角色（role）。逐字引用原文。",
    },
    panel=("text", "types"),
    lesson="tagging",
    ask=ask,
)
