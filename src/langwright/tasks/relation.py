"""Relations: a text and two things in it in, what holds between them out. Imports nothing heavy.

A head is taught texts in which the two are marked, @the first@ and #the second#.

Source    Zhou & Chen 2021, arXiv:2102.01373, section 3.2 (entity markers of punctuation, which every vocabulary has)
Differs   the head reads the whole text's state as for any label, and not the states of the two marks
"""

from __future__ import annotations

from itertools import permutations
from typing import Annotated

from pydantic import Field

from langwright.data.schemas import RelationRow
from langwright.errors import UserError
from langwright.tasks.declaration import Task, TaskInput
from langwright.tasks.solving.quote import Part, Quote
from langwright.tasks.solving.quoting import QuotedOutput
from langwright.tasks.solving.writing import Chosen
from langwright.wording import say

NONE = frozenset({"none", "no_relation", "no relation", "other", "无", "无关系", "没有关系"})
FIRST, SECOND = "@", "#"


class RelationInput(TaskInput):
    """A text, and the things in it between which relations are looked for."""

    text: Annotated[str, Field(min_length=1, description="The text that says what holds")]
    things: Annotated[
        tuple[str, ...],
        Field(
            description="What relations are looked for between, word for word as in the text: two or more for a trained "
            "head, which judges every ordered pair; any where a model that writes finds them itself"
        ),
    ] = ()
    labels: Annotated[
        tuple[str, ...], Field(description="Relations to choose from; those the model knows when left out")
    ] = ()
    sampling: Chosen = None


class Relation(Part):
    """What holds between two things of a text."""

    first: Annotated[Quote, Field(description="Of what it holds")]
    second: Annotated[Quote, Field(description="To what")]
    label: Annotated[str, Field(min_length=1, description="What holds")]
    probability: Annotated[float | None, Field(description="Of the relation among all labels, by a trained head")] = (
        None
    )


class RelationOutput(QuotedOutput):
    """The relations of a text."""

    relations: Annotated[tuple[Relation, ...], Field(description="What holds; pairs without a relation are left out")]

    def lines(self) -> list[str]:
        """One line a relation."""
        found = [f"{one.first.text} – {one.label} – {one.second.text}" for one in self.relations]
        return found or [say("nothing was found")]


def marked(text: str, first: tuple[int, int], second: tuple[int, int]) -> str:
    """A text with two stretches of it marked; they may not overlap.

    >>> marked("Ann leads Acme", (0, 3), (10, 14))
    '@Ann@ leads #Acme#'
    """
    marks = sorted([(*first, FIRST), (*second, SECOND)])
    (a, b, one), (c, d, other) = marks
    return f"{text[:a]}{one}{text[a:b]}{one}{text[b:c]}{other}{text[c:d]}{other}{text[d:]}"


def marked_row(row: RelationRow) -> str:
    """A row's text with its two things marked."""
    return marked(row.text, (row.first_start, row.first_end), (row.second_start, row.second_end))


def pairs_of(asked: RelationInput) -> list[tuple[Quote, Quote]]:
    """Every ordered pair of the things that are asked about.

    raises  UserError for fewer than two, or one that does not stand in the text
    """
    if len(asked.things) < 2:
        raise UserError(
            "a trained head says what holds between two things, and {count} were given",
            fix="name them as they stand in the text, with --set things=A,B",
            count=len(asked.things),
        )
    quotes = []
    for thing in asked.things:
        start = asked.text.find(thing)
        if not thing or start < 0:
            raise UserError(
                "{thing!r} does not stand in the text", fix="write it as the text does, with the same case", thing=thing
            )
        quotes.append(Quote.of(asked.text, start, start + len(thing)))
    return [(one, other) for one, other in permutations(quotes, 2) if one.end <= other.start or other.end <= one.start]


def ask(row: RelationRow) -> RelationInput:
    """What is asked of a row."""
    things = (row.text[row.first_start : row.first_end], row.text[row.second_start : row.second_end])
    return RelationInput(text=row.text, things=things)


RELATION = Task(
    name="relation",
    summary="Say what holds between things that a text names",
    dataset="relation",
    input=RelationInput,
    output=RelationOutput,
    solvers=("head", "quoting"),
    measures=("accuracy", "macro F1", "micro F1", "F1 of {label}"),
    templates={
        "en": "{text}\n\nThings (all if none is named): {things}\nRelations to choose from (any if none is named): {labels}\nWrite down in JSON which relation (label) holds of which thing (first) to which (second). Quote the things word for word.",
        "zh": "{text}\n\n事物（未列出则为全部）：{things}\n可选关系（未列出则不限）：{labels}\n用 JSON 写出哪个事物（first）对哪个事物（second）有什么关系（label）。事物逐字引用原文。",
    },
    panel=("text", "things", "labels"),
    lesson="relation",
    ask=ask,
)
