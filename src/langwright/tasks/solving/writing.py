"""Solving by writing, untaught: the model is asked in words, and its continuation is read in the form that was asked for.

An output that is a text is taken as written; any other is written as JSON by the schema of the task's output, which the
model is held to as it writes (`inference.control`).
"""

from __future__ import annotations

from string import Formatter
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, ValidationError

from langwright.data.schemas import Message
from langwright.errors import UserError
from langwright.inference.protocol import FinishReason, Sampling
from langwright.tasks.declaration import Task, TaskInput, TaskOutput
from langwright.tasks.solving.languages import language_of, named
from langwright.tasks.solving.parts import LongInput, written_in_parts
from langwright.tasks.solving.solvers import Solver
from langwright.wording import Language

if TYPE_CHECKING:
    from langwright.inference.texts.text import Prompt
    from langwright.tasks.front.loading import Model

Chosen = Annotated[
    Sampling | None, Field(description="How the next token is chosen; greedy, at most 256 tokens, when left out")
]
USUAL = Sampling(max_new_tokens=256)


class WrittenOutput(TaskOutput):
    """A text that was written."""

    text: Annotated[str, Field(description="What was written")]
    finish_reason: Annotated[
        FinishReason, Field(description="stop when the text came to its end, length when it was cut")
    ]

    def lines(self) -> list[str]:
        """The text."""
        return [self.text]


def write(model: Model, task: Task, asked: TaskInput) -> TaskOutput:
    """Ask by the task's template, in the language of the input, and read what is written.

    raises  UserError when the question does not fit the context, or what was written was cut before its end
    """
    from langwright.inference.control.settings import Control

    language = language_of(str(getattr(asked, task.panel[0])))
    prompt = prompt_of(model, task, asked, language)
    sampling = getattr(asked, "sampling", None) or USUAL
    if issubclass(task.output, WrittenOutput):
        stop = () if model.converses else ("\n\n",)
        if not isinstance(asked, LongInput):
            made = model.complete(prompt, sampling, stop=stop)
            return task.output(text=made.text.strip(), finish_reason=made.finish_reason, solver=WRITING.name)
        read = written_in_parts(
            model, getattr(asked, task.panel[0]),
            lambda part: prompt_of(model, task, asked.model_copy(update={task.panel[0]: part}), language),
            lambda given: model.complete(given, sampling, stop=stop), sampling, asked.overlap,
        )  # fmt: skip
        return task.output.model_validate(
            {"text": read.made.text.strip(), "finish_reason": read.made.finish_reason, "parts": read.parts, "solver": WRITING.name}
        )  # fmt: skip
    made = model.complete(prompt, sampling, control=Control(json_schema=form_of(task.output)))
    try:
        found = task.output.model_validate_json(with_solver(made.text))
    except ValidationError:
        raise UserError(
            "{name} did not come to the end of its answer in {tokens} tokens",
            fix="allow more with sampling.max_new_tokens, or take a model that was taught the task",
            name=model.name,
            tokens=len(made.token_ids),
        ) from None
    return found


def prompt_of(model: Model, task: Task, asked: TaskInput, language: Language) -> Prompt:
    """The question in a language, to a model that converses as a turn."""
    question = filled(task.templates[language], asked, language)
    return [Message(role="user", content=question)] if model.converses else question


def filled(template: str, asked: TaskInput, language: Language) -> str:
    """A question about an input: languages are called by their names, lists written with commas."""
    found = {}
    for _, name, _, _ in Formatter().parse(template):
        if name:
            value = getattr(asked, name)
            if isinstance(value, tuple):
                value = ("、" if language == "zh" else ", ").join(map(str, value))
            found[name] = named(value, language) if name.endswith("_language") else value
    return template.format_map(found)


def form_of(output: type[TaskOutput]) -> dict[str, Any]:
    """The JSON schema of what a model is to write: an output without the name of the solver, nothing left out."""
    schema = output.model_json_schema()
    schema["properties"].pop("solver")
    schema["required"] = list(schema["properties"])
    schema["additionalProperties"] = False
    return schema


def with_solver(written: str) -> str:
    """A JSON object with the name of this solver put into it."""
    return written.rstrip().removesuffix("}") + f', "solver": "{WRITING.name}"}}'


WRITING = Solver(
    name="writing",
    summary="The model is asked in words and writes the answer, in the form that is asked for",
    needs="text",
    maker="langwright finetune MODEL DATASET OUT --task chat",
    solve=write,
)
