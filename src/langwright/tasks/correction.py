"""Correction: a text in, the same without its mistakes of spelling and grammar out, edit by edit. Imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from langwright.errors import UserError
from langwright.tasks.declaration import HERE, Task, TaskInput, TaskOutput
from langwright.tasks.solving.solvers import Solver
from langwright.tasks.solving.writing import USUAL, Chosen, filled
from langwright.wording import say

if TYPE_CHECKING:
    from langwright.data.schemas import CorrectionRow
    from langwright.metrics.edits import Edit
    from langwright.tasks.front.loading import Model


class RewrittenInput(TaskInput):
    """A text that is to be mended, and from where on a change is made."""

    text: Annotated[str, Field(min_length=1, description="The text to mend")]
    sure: Annotated[
        float | None,
        Field(
            ge=0,
            le=1,
            description="Make only corrections of at least this confidence; when left out, those that are likelier than "
            "what stands there, or for the solver counting those above the bound that it chose on training rows",
        ),
    ] = None
    sampling: Chosen = None


class CorrectionInput(RewrittenInput):
    """The same, and what the solver without a model learns from."""

    learned_from: Annotated[
        str,
        Field(
            description="For the solver counting: a dataset of corrections, whose train split it counts words in",
            json_schema_extra=HERE,
        ),
    ] = ""


class Correction(BaseModel):
    """One change: a stretch of the given text, in characters, the end not included, and what is to stand there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    start: int
    end: int
    original: str
    replacement: str
    confidence: float | None = None


class CorrectionOutput(TaskOutput):
    """The corrected text, and what was changed."""

    text: Annotated[str, Field(description="The text with its corrections made")]
    edits: Annotated[tuple[Correction, ...], Field(description="What was changed, in the order of the text")]

    def lines(self) -> list[str]:
        """The text, and one line an edit."""
        found = [
            f"{one.start}–{one.end}  {one.original!r} → {one.replacement!r}"
            + (f"  {one.confidence:.2f}" if one.confidence is not None else "")
            for one in self.edits
        ]
        return [self.text, *(found or [say("nothing to correct was found")])]


def ask(row: CorrectionRow) -> CorrectionInput:
    """What is asked of a row."""
    return CorrectionInput(text=row.text)


def output_of(text: str, edits: list[tuple[Edit, float | None]], solver: str) -> CorrectionOutput:
    """An output of edits that are in order and apart."""
    from langwright.metrics.edits import applied

    made = tuple(
        Correction(
            start=edit.start, end=edit.end, original=text[edit.start : edit.end], replacement=edit.replacement,
            confidence=confidence,
        )
        for edit, confidence in edits
    )  # fmt: skip
    return CorrectionOutput(text=applied(text, [edit for edit, _ in edits]), edits=made, solver=solver)


# --- solvers ---------------------------------------------------------------------------------------


def replace(model: Model, task: Task, asked: RewrittenInput) -> CorrectionOutput:
    """Keep or replace each token, as a masked language model was taught to.

    raises  UserError where it was not taught to
    """
    from langwright.tasks.correcting.replacing import replacements

    if not model.was_taught(task) or model.filler is None:
        raise UserError(
            "{name} fills blanks, but was not taught to correct",
            fix="`langwright finetune {name} DATASET OUT --task correction` teaches it",
            name=model.name,
        )
    found = replacements(model.filler.model, model.filler.tokenizer, [asked.text])[0]
    kept = [(one.edit, one.confidence) for one in found if one.confidence >= (asked.sure or 0.0)]
    return output_of(asked.text, list(kept), REPLACEMENT.name)


def rewrite(model: Model, task: Task, asked: RewrittenInput) -> CorrectionOutput:
    """Let the model write the corrected text, as it was taught or asked in words; the edits are what differs.

    Each edit's confidence is the mean probability of a written token, the same for all of a text.
    """
    import math

    from langwright.data.schemas import Message
    from langwright.metrics.edits import edits_between
    from langwright.tasks.solving.generation import what_is_read
    from langwright.tasks.solving.languages import language_of

    rewrites = model.writer("write").kind == "rewrites"
    stop: tuple[str, ...] = ()
    if model.was_taught(task):
        read, plain = what_is_read(model, task, asked), rewrites
    elif rewrites:  # pre-trained to rebuild noised text: what it reads is the text as it is
        read, plain = with_own_masks(model, asked.text), True
    else:
        language = language_of(asked.text)
        read, plain, stop = filled(task.templates[language], asked, language), not model.converses, ("\n",)
    prompt = read if plain else [Message(role="user", content=read)]
    made = model.complete(prompt, asked.sampling or USUAL, stop=stop)
    confidence = math.exp(made.mean_logprob)
    edits = edits_between(asked.text, made.text.strip()) if confidence >= (asked.sure or 0.0) else ()
    return output_of(asked.text, [(edit, confidence) for edit in edits], REWRITING.name)


def with_own_masks(model: Model, text: str) -> str:
    """A text with its gaps, each written [MASK], as the model's tokenizer writes them."""
    mask = model.local("write").tokenizer.mask_token
    return text.replace("[MASK]", str(mask)) if mask else text


def count(model: Model, task: Task, asked: CorrectionInput) -> CorrectionOutput:
    """Correct by a noisy channel counted over a dataset.

    raises  UserError where none is named
    """
    from langwright.tasks.correcting.counting import corrector_of

    if not asked.learned_from:
        raise UserError(
            "the solver counting needs corrections to count in",
            fix="name a dataset of schema correction with --set learned_from=DATASET, or ask a model that `langwright finetune MODEL DATASET OUT --task correction` made",
        )
    corrector = corrector_of(asked.learned_from)
    found = corrector.correct(asked.text, asked.sure)
    return output_of(asked.text, [(one.edit, one.confidence) for one in found], COUNTING.name)


REPLACEMENT = Solver(
    name="replacement",
    summary="A masked language model keeps or replaces each token of the text, as it was taught",
    needs="blanks",
    maker="langwright finetune MODEL DATASET OUT --task {task}",
    solve=replace,
)
REWRITING = Solver(
    name="rewriting",
    summary="A model writes the text once more without its mistakes; what differs are the edits",
    needs="text",
    maker="langwright finetune MODEL DATASET OUT --task {task}",
    solve=rewrite,
)
COUNTING = Solver(
    name="counting",
    summary="A noisy channel without a neural model: what is written often, and which mistakes are made, counted",
    needs="nothing",
    maker="langwright finetune MODEL DATASET OUT --task {task}",
    solve=count,
)
CORRECTION = Task(
    name="correction",
    summary="Correct spelling and grammar",
    dataset="correction",
    input=CorrectionInput,
    output=CorrectionOutput,
    solvers=("replacement", "rewriting", "counting"),
    measures=(
        "sentences with mistakes found, F1", "sentences corrected, F1", "mistakes found, F1", "mistakes corrected, F1",
        "precision of corrections", "recall of corrections", "right sentences that were changed",
    ),
    templates={
        "en": "Correct the spelling and grammar of this sentence and change nothing else.\nSentence: {text}\nCorrected:",
        "zh": "请改正下面句子中的错别字和语法错误，其余保持不变。\n句子：{text}\n改正：",
    },
    panel=("text", "sure"),
    lesson="correction",
    prefix="correct: ",
    ask=ask,
)  # fmt: skip
