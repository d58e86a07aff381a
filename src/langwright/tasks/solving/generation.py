"""Solving by writing, as taught: the model's own continuation of what it was taught to continue is the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from langwright.data.schemas import Message
from langwright.inference.protocol import Sampling
from langwright.tasks.chat import ChatInput, ChatOutput
from langwright.tasks.declaration import Task, TaskInput, TaskOutput
from langwright.tasks.solving.languages import named
from langwright.tasks.solving.parts import LongInput, written_in_parts
from langwright.tasks.solving.solvers import Solver
from langwright.tasks.solving.writing import USUAL

if TYPE_CHECKING:
    from langwright.inference.texts.text import Prompt
    from langwright.inference.texts.written import TextCompletion
    from langwright.tasks.front.loading import Model


AT_ONCE = 16  # texts begun together, so that the engine can write them side by side


def generate(model: Model, task: Task, asked: TaskInput) -> TaskOutput:
    """The assistant's next turn, or the text that a model was taught to write from another.

    raises  UserError when the model has no chat template where it needs one, or what it reads does not fit its context
    """
    return generate_all(model, task, [asked])[0]


def generate_all(model: Model, task: Task, asked: Sequence[TaskInput]) -> list[TaskOutput]:
    """The same of many inputs, some of them at a time; long ones, which are read in parts, one after the other."""
    found: list[TaskOutput] = []
    for begin in range(0, len(asked), AT_ONCE):
        some = asked[begin : begin + AT_ONCE]
        if any(isinstance(one, LongInput) for one in some):
            found += [in_parts(model, task, one) for one in some if isinstance(one, LongInput)]
            continue
        streams = [model.stream(prompt_of(model, task, one), sampling_of(one)) for one in some]
        found += [output_of(task, stream.result()) for stream in streams]
    return found


def in_parts(model: Model, task: Task, asked: LongInput) -> TaskOutput:
    """What is written from a text that may be longer than the context."""
    sampling = sampling_of(asked)
    read = written_in_parts(
        model, getattr(asked, task.panel[0]),
        lambda part: prompt_of(model, task, asked.model_copy(update={task.panel[0]: part})),
        lambda prompt: model.complete(prompt, sampling), sampling, asked.overlap,
    )  # fmt: skip
    return output_of(task, read.made, parts=read.parts)


def sampling_of(asked: TaskInput) -> Sampling:
    """How the next token is chosen."""
    return getattr(asked, "sampling", None) or USUAL


def output_of(task: Task, made: TextCompletion, **others: object) -> TaskOutput:
    """What was written, as the task gives it."""
    said: dict[str, object] = {
        "text": made.text, "finish_reason": made.finish_reason, "solver": GENERATION.name, **others
    }  # fmt: skip
    if task.output is ChatOutput:
        said |= {"token_ids": made.token_ids, "seed": made.seed}
    return task.output.model_validate(said)


def prompt_of(model: Model, task: Task, asked: TaskInput) -> Prompt:
    """What the model is given: a conversation as it is; the text as it was taught to read it, to a model that converses as a turn."""
    if isinstance(asked, ChatInput):
        return asked.messages
    read = what_is_read(model, task, asked)
    return read if model.writer("write").kind == "rewrites" else [Message(role="user", content=read)]


def what_is_read(model: Model, task: Task, asked: TaskInput) -> str:
    """The text behind the prefix that the model learned with."""
    from langwright.tasks import TASKS

    card = model.artifact.card if model.artifact else None
    prefix = card.settings.get("prefix") if card else None
    taught = [one.task for one in (card.abilities if card else ()) if task.done_by(one.task, TASKS)]
    usual = TASKS[taught[0]].prefix if taught and taught[0] in TASKS else task.prefix
    return behind_prefix(
        usual if prefix is None else str(prefix), str(getattr(asked, task.panel[0])),
        getattr(asked, "source_language", ""), getattr(asked, "target_language", ""),
    )  # fmt: skip


def behind_prefix(prefix: str, text: str, language: str = "", target_language: str = "") -> str:
    """A text with what is to be done before it, in training and in use alike (T5's prefixes).

    >>> behind_prefix("translate <language> to <target_language>: ", "Hallo", "de", "en")
    'translate German to English: Hallo'
    """
    for field, code in (("<language>", language), ("<target_language>", target_language)):
        prefix = prefix.replace(field, named(code))
    return prefix + text


GENERATION = Solver(
    name="generation",
    summary="The model writes the answer, as it was taught",
    needs="taught",
    maker="langwright finetune MODEL DATASET OUT --task {task}",
    solve=generate,
    solve_all=generate_all,
)
