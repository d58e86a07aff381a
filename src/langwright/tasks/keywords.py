"""Keywords: a text in, the words and phrases that say what it is about out. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from langwright.tasks.declaration import Task, TaskInput, TaskOutput
from langwright.tasks.solving.quote import Part
from langwright.wording import say


class KeywordsInput(TaskInput):
    """A text, and how many keywords are wanted."""

    text: Annotated[str, Field(min_length=1, description="The text to find keywords in")]
    count: Annotated[int, Field(ge=1, le=1000, description="At most so many")] = 5
    background: Annotated[
        tuple[str, ...],
        Field(description="Other texts, against which tf-idf sees which words are rare; all count the same without"),
    ] = ()
    relevance: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="Where there is a choice, what nearness to the whole counts beside being unlike what was chosen before: 1 looks at nearness alone",
        ),
    ] = 0.7


class Keyword(Part):
    """A word or phrase with its weight, by which only keywords of the same text and solver can be compared."""

    text: Annotated[str, Field(description="As it stands first in the text")]
    score: Annotated[float, Field(description="Its weight")]
    places: Annotated[tuple[tuple[int, int], ...], Field(description="Where it stands: start and end, not included")]


class KeywordsOutput(TaskOutput):
    """The keywords of a text."""

    keywords: Annotated[tuple[Keyword, ...], Field(description="Words and phrases, the weightiest first")]

    def lines(self) -> list[str]:
        """One line a keyword."""
        return [f"{one.text}  {one.score:.3g}" for one in self.keywords] or [say("nothing was found")]


KEYWORDS = Task(
    name="keywords",
    summary="Find the words and phrases that say what a text is about",
    dataset="",
    input=KeywordsInput,
    output=KeywordsOutput,
    solvers=("tf-idf", "textrank", "rake", "nearest"),
    panel=("text", "count", "background", "relevance"),
)
