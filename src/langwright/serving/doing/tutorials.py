"""POST /generate, /translate and /classify, as tutorials on serving a language model teach them: a form in, one text out.

Where tutorials end, this goes on: both kinds of forms and JSON, every field checked, clear refusals,
Chinese as UTF-8, a bound on the work, languages and labels that the caller chooses.
"""

from __future__ import annotations

from functools import partial
from typing import Annotated, cast

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from langwright.inference.protocol import Sampling
from langwright.serving.doing.forms import FORM, JSON, PARTS, read_fields
from langwright.serving.doing.tasks import count, heed, model_for
from langwright.serving.house import House, documented
from langwright.serving.openai.answers import Sparse
from langwright.serving.openai.measure import json_response, tokens_of
from langwright.serving.streaming import Ask, unless_gone
from langwright.settings import Settings
from langwright.tasks import TASKS
from langwright.tasks.classification import ClassificationInput, ClassificationOutput
from langwright.tasks.declaration import TaskInput, TaskOutput
from langwright.tasks.front.model import Model
from langwright.tasks.solving.languages import language_of
from langwright.tasks.solving.writing import WrittenOutput
from langwright.tasks.translation import TranslationInput
from langwright.wording import say

TRANSLATED = 256  # new tokens of a translation when nothing is said, as of the task


class GenerateRequest(Settings):
    """POST /generate: continue a text with the likeliest tokens."""

    text: Annotated[str, Field(min_length=1, description="The text to continue", examples=['"Once upon a time"'])]
    max_length: Annotated[
        int,
        Field(
            ge=1,
            description="Most new tokens (the text is not counted); fewer when the model's context is full or it ends by itself",
        ),
    ] = 100
    model: Annotated[str | None, Field(description="Name of the model; the first one served when left out")] = None


class GenerateAnswer(BaseModel):
    """The answer of POST /generate."""

    generated_text: str  # the text that was given, and what the model wrote after it


class TranslateRequest(Settings):
    """POST /translate: say in one language what a text says in another."""

    source_text: Annotated[str, Field(min_length=1, description="The text to translate", examples=['"你好"'])]
    source_lang: Annotated[
        str | None, Field(description="The language it is in, such as zh; told from its characters when left out")
    ] = None
    target_lang: Annotated[
        str | None,
        Field(
            description="The language it is to be in, such as en; Chinese and English are turned into each other when left out"
        ),
    ] = None
    target_text: Annotated[
        str | None, Field(description="Some tutorials send the answer along; it is not read, and the answer says so")
    ] = None
    max_length: Annotated[int, Field(ge=1, description="Most new tokens; the text is not counted")] = TRANSLATED
    model: Annotated[
        str | None, Field(description="Name of the model; the only one that can do this when left out")
    ] = None


class TranslateAnswer(Sparse):
    """The answer of POST /translate; warnings where there is reason for them."""

    translated_text: str
    warnings: list[str] | None = None


class ClassifyRequest(Settings):
    """POST /classify: give a text its label."""

    text: Annotated[str, Field(min_length=1, description="The text to label", examples=['"这部电影很好看"'])]
    labels: Annotated[
        tuple[str, ...],
        Field(
            description="Labels to choose from, a list, or in a form the field several times; those that the model was "
            "taught when left out",
            examples=['["好评", "差评"]'],
        ),
    ] = ()
    model: Annotated[
        str | None, Field(description="Name of the model; the only one that can do this when left out")
    ] = None


class ClassifyAnswer(Sparse):
    """The answer of POST /classify; warnings where there is reason for them."""

    predicted_label: str
    scores: dict[str, float]  # probability of each label, the likeliest first; they add up to 1
    warnings: list[str] | None = None


def tutorial_routes(house: House) -> APIRouter:
    """The routes, over the models of a house."""
    router = APIRouter(tags=["Tutorial"])

    @router.post("/generate", openapi_extra=documented(GenerateRequest, JSON, FORM, PARTS))
    async def generate(request: Request) -> GenerateAnswer:
        """Continue a text with the likeliest tokens."""
        asked = await read_fields(house, request, GenerateRequest, numbers=("max_length",))
        model = house.model(asked.model if asked.model is not None else next(iter(house.models or house.doing)))
        house.check_new_tokens(asked.max_length)
        prompt = await tokens_of(house, model, asked.text)
        room = min(asked.max_length, model.room(prompt))
        answers = await house.desk.open(model, [Ask(prompt, Sampling(temperature=0.0, max_new_tokens=room))])
        try:
            (done,) = await unless_gone(request.receive, answers.completions())
        finally:
            answers.cancel()
        return GenerateAnswer(generated_text=asked.text + done.text)

    @router.post(
        "/translate", response_model=TranslateAnswer, openapi_extra=documented(TranslateRequest, JSON, FORM, PARTS)
    )
    async def translate(request: Request) -> Response:
        """Say in one language what a text says in another."""
        asked = await read_fields(house, request, TranslateRequest, numbers=("max_length",))
        house.check_new_tokens(asked.max_length)
        source = asked.source_lang or language_of(asked.source_text)
        given = TranslationInput(
            text=asked.source_text,
            source_language=source,
            target_language=asked.target_lang or ("en" if source == "zh" else "zh"),
            sampling=Sampling(max_new_tokens=asked.max_length),
        )
        found, doubts = await done_by(house, asked.model, "translation", given)
        if asked.target_text:
            doubts.append(say("target_text was not read: it is what is asked for"))
        text = cast(WrittenOutput, found).text
        return json_response(TranslateAnswer(translated_text=text, **warned(doubts)))

    @router.post(
        "/classify", response_model=ClassifyAnswer, openapi_extra=documented(ClassifyRequest, JSON, FORM, PARTS)
    )
    async def classify(request: Request) -> Response:
        """Give a text its label."""
        asked = await read_fields(house, request, ClassifyRequest, lists=("labels",))
        given = ClassificationInput(text=asked.text, labels=asked.labels)
        found, doubts = await done_by(house, asked.model, "classification", given)
        labelled = cast(ClassificationOutput, found)
        ranked = sorted(labelled.probabilities.items(), key=lambda pair: -pair[1])
        label = labelled.label or ranked[0][0]
        return json_response(ClassifyAnswer(predicted_label=label, scores=dict(ranked), **warned(doubts)))

    return router


async def done_by(house: House, name: str | None, task: str, given: TaskInput) -> tuple[TaskOutput, list[str]]:
    """A task on one input, and what to know before trusting the answer.

    raises  UserError for a model that is not there, or cannot do it
    """
    model: Model = model_for(TASKS[task], name, house)
    model.require(task)
    heed(house, TASKS[task], model, given)
    async with house.desk.place():
        found = await house.desk.aside(partial(model.solve, task, given))
        doubts = await house.desk.aside(partial(model.doubts, task, given))
        await count(house, model, given, found)
    return found, list(doubts)


def warned(doubts: list[str]) -> dict[str, list[str]]:
    """The field of doubts, where there are any."""
    return {"warnings": doubts} if doubts else {}
