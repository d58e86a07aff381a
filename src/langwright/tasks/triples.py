"""Open information extraction: a text in, what it says of what out, as subject, relation and object. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from langwright.tasks.declaration import Task, TaskInput
from langwright.tasks.solving.quote import Part, Quote
from langwright.tasks.solving.quoting import QuotedOutput
from langwright.tasks.solving.writing import Chosen
from langwright.wording import say


class TriplesInput(TaskInput):
    """A text."""

    text: Annotated[str, Field(min_length=1, description="The text to take statements from")]
    sampling: Chosen = None


class Triple(Part):
    """One statement; what is related stands in the text, the relation may be in other words."""

    subject: Annotated[Quote, Field(description="Of what something is said")]
    relation: Annotated[str, Field(min_length=1, description="What is said of it")]
    object: Annotated[Quote, Field(description="To what it is related")]


class TriplesOutput(QuotedOutput):
    """The statements of a text."""

    triples: Annotated[tuple[Triple, ...], Field(description="The statements that were found")]

    def lines(self) -> list[str]:
        """One line a statement."""
        found = [f"{one.subject.text} | {one.relation} | {one.object.text}" for one in self.triples]
        return found or [say("nothing was found")]


TRIPLES = Task(
    name="triples",
    summary="Say what a text states, as subject, relation and object",
    dataset="",
    input=TriplesInput,
    output=TriplesOutput,
    solvers=("quoting",),
    templates={
        "en": "{text}\n\nWrite down every fact that the text states, as subject, relation and object, in JSON. Quote subject and object word for word.",
        "zh": "{text}\n\n用 JSON 写出文中陈述的每个事实：主语（subject）、关系（relation）、宾语（object）。主语与宾语逐字引用原文。",
    },
    panel=("text",),
)
