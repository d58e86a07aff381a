"""Reading a text in its context: what of the context it hangs together with, who is in it, what it is about, how it feels.

What each part stands on is said: a model's vectors or shared words, a trained head or none. Imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from langwright.tasks.declaration import Task, TaskInput, TaskOutput
from langwright.tasks.keywords import Keyword, KeywordsInput
from langwright.tasks.solving.languages import language_of
from langwright.tasks.solving.quote import Part, Quote
from langwright.tasks.solving.solvers import Solver
from langwright.tasks.solving.writing import USUAL, Chosen
from langwright.tasks.tagging import Entity, TaggingInput
from langwright.wording import say

if TYPE_CHECKING:
    from langwright.tasks.front.loading import Model


class AnalyzeInput(TaskInput):
    """A text, and the text that it stands in or belongs to."""

    text: Annotated[str, Field(min_length=1, description="The text to read")]
    context: Annotated[str, Field(description="The text around it, or what is known of its matter; of any length")] = ""
    count: Annotated[int, Field(ge=1, le=100, description="At most so many related sentences and keywords")] = 5
    sampling: Chosen = None


class Related(Part):
    """A sentence of the context, and how much it has to do with the text."""

    quote: Annotated[Quote, Field(description="The sentence, in characters of the context")]
    score: Annotated[float, Field(description="The cosine of vectors, or BM25 where there are none")]


class Feeling(Part):
    """The label that a trained head gives the text, with its probability."""

    label: Annotated[str, Field(description="The likeliest label")]
    probability: Annotated[float, Field(description="Its probability")]


class AnalyzeOutput(TaskOutput):
    """What was found; a part that needs what the model has not is left out."""

    related: Annotated[tuple[Related, ...], Field(description="Sentences of the context, the most related first")]
    keywords: Annotated[tuple[Keyword, ...], Field(description="What the text is about, beside its context")]
    entities: Annotated[
        tuple[Entity, ...], Field(description="Names and the like in the text, where the model was taught them")
    ] = ()
    sentiment: Annotated[
        Feeling | None, Field(description="The label of the text, where the model was taught labels such as sentiments")
    ] = None
    explanation: Annotated[
        str, Field(description="What the text means in its context, where the model writes; it can be wrong")
    ] = ""
    stands_on: Annotated[
        dict[str, str], Field(description="By part: which solver found it; parts that are left out are not here")
    ]

    def lines(self) -> list[str]:
        """Part by part."""
        found = [self.explanation] if self.explanation else []
        found += [f"{one.score:.3g}  {one.quote.text}" for one in self.related]
        if self.keywords:
            found.append(say("keywords: {words}", words=", ".join(one.text for one in self.keywords)))
        found += [f"{one.text}  {one.label}" for one in self.entities]
        if self.sentiment is not None:
            found.append(f"{self.sentiment.label}  {self.sentiment.probability:.3f}")
        return found or [say("nothing was found")]


def analyze(model: Model, task: Task, asked: AnalyzeInput) -> AnalyzeOutput:
    """Every part that the model, or no model, can give."""
    from langwright.data.passages import sentences
    from langwright.tasks.solving.extractive import keywords

    places = sentences(asked.context)
    said = [asked.context[start:end] for start, end in places]
    found = keywords("tf-idf", model, KeywordsInput(text=asked.text, count=asked.count, background=tuple(said)))
    stands_on = {"keywords": "tf-idf"}
    related: tuple[Related, ...] = ()
    if said:
        scores, stands_on["related"] = nearness(model, task, asked.text, said)
        order = sorted(range(len(said)), key=lambda number: (-scores[number], number))
        kept = [number for number in order if scores[number] > 0][: asked.count]
        related = tuple(Related(quote=Quote.of(asked.context, *places[number]), score=scores[number]) for number in kept)  # fmt: skip
    entities, sentiment = by_heads(model, asked.text)
    if entities is not None:
        stands_on["entities"] = "head"
    if sentiment is not None:
        stands_on["sentiment"] = "head"
    explanation = ""
    if model.has("text", task):
        explanation = explained(model, task, asked, [one.quote.text for one in related] or said)
        stands_on |= {"explanation": "writing"} if explanation else {}
    return AnalyzeOutput(
        related=related, keywords=found.keywords, entities=entities or (), sentiment=sentiment, explanation=explanation,
        stands_on=stands_on, solver=ANALYSIS.name,
    )  # fmt: skip


def nearness(model: Model, task: Task, text: str, said: Sequence[str]) -> tuple[list[float], str]:
    """How much each sentence has to do with the text, and what that goes by."""
    if model.has("vectors", task):
        vectors = model.embed([text, *said], normalise=True, truncate=True)
        return [float(score) for score in vectors[1:] @ vectors[0]], "vectors"
    from langwright.tasks.extraction.bm25 import bm25

    return bm25(text, said), "bm25"


def by_heads(model: Model, text: str) -> tuple[tuple[Entity, ...] | None, Feeling | None]:
    """Entities and the label of the text, each where the model has a head for it."""
    from langwright.tasks import TASKS

    if model.has("head", TASKS["tagging"]):
        return model.tag(TaggingInput(text=text).text).entities, None
    if model.has("head", TASKS["classification"]):
        label = model.predict(text)
        best = max(label.probabilities, key=lambda name: label.probabilities[name])
        return None, Feeling(label=best, probability=label.probabilities[best])
    return None, None


def explained(model: Model, task: Task, asked: AnalyzeInput, context: Sequence[str]) -> str:
    """What the model writes about the text, with as many related sentences as it can read; "" where it cannot read the text."""
    from langwright.tasks.solving.parts import room_of, tokens_of
    from langwright.tasks.solving.writing import prompt_of

    language, kept = language_of(asked.text), list(context)
    sampling = asked.sampling or USUAL
    room = room_of(model, sampling)
    while True:
        told = asked.model_copy(update={"context": (" " if language == "en" else "").join(kept)})
        prompt = prompt_of(model, task, told, language)
        if room is None or tokens_of(model, prompt) <= room:
            stop = () if model.converses else ("\n\n",)
            return model.complete(prompt, sampling, stop=stop).text.strip()
        if not kept:
            return ""
        kept.pop()


ANALYSIS = Solver(
    name="analysis",
    summary="Parts that need no model, and those that the model has vectors, a head or words for",
    needs="nothing",
    maker="langwright predict {task} INPUT",
    solve=analyze,
)
ANALYZE = Task(
    name="analyze",
    summary="Read a text in its context: related sentences, keywords, entities, sentiment, an explanation",
    dataset="",
    input=AnalyzeInput,
    output=AnalyzeOutput,
    solvers=("analysis",),
    templates={
        "en": "Context: {context}\n\nText: {text}\n\nWhat the text means in this context, in a few sentences:",
        "zh": "上下文：{context}\n\n文本：{text}\n\n用几句话说明文本在这一上下文中的含义与背景：",
    },
    panel=("text", "context", "count"),
)
