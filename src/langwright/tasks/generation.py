"""Solving by writing, as taught: the model's own continuation of what it was taught to continue is the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langwright.data.schemas import Message
from langwright.tasks.chat import ChatInput, ChatOutput
from langwright.tasks.declaration import Task, TaskInput, TaskOutput
from langwright.tasks.languages import named
from langwright.tasks.parts import LongInput, written_in_parts
from langwright.tasks.solvers import Solver
from langwright.tasks.writing import USUAL

if TYPE_CHECKING:
    from langwright.inference.text import Prompt
    from langwright.tasks.loading import Model


def generate(model: Model, task: Task, asked: TaskInput) -> TaskOutput:
    """The assistant's next turn, or the text that a model was taught to write from another.

    raises  UserError when the model has no chat template where it needs one, or what it reads does not fit its context
    """
    if isinstance(asked, ChatInput):
        made = model.complete(asked.messages, asked.sampling)
        return ChatOutput(
            text=made.text, token_ids=made.token_ids, finish_reason=made.finish_reason, seed=made.seed,
            solver=GENERATION.name,
        )  # fmt: skip
    sampling = getattr(asked, "sampling", None) or USUAL
    found = {}
    if isinstance(asked, LongInput):
        text, overlap = getattr(asked, task.panel[0]), asked.overlap
        read = written_in_parts(
            model, text, lambda part: prompt_of(model, task, asked.model_copy(update={task.panel[0]: part})),
            lambda prompt: model.complete(prompt, sampling), sampling, overlap,
        )  # fmt: skip
        made, found = read.made, {"parts": read.parts}
    else:
        made = model.complete(prompt_of(model, task, asked), sampling)
    return task.output.model_validate(
        {"text": made.text, "finish_reason": made.finish_reason, "solver": GENERATION.name, **found}
    )


def prompt_of(model: Model, task: Task, asked: TaskInput) -> Prompt:
    """What the model is given: the text as it was taught to read it, to a model that converses as a turn."""
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
)
