"""Repair: a damaged text in, with gaps, noise or disorder, the text as it should be out. Imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from langwright.errors import UserError
from langwright.tasks.correction import CorrectionOutput, RewrittenInput, output_of, replace
from langwright.tasks.declaration import Task
from langwright.tasks.solving.solvers import Solver

if TYPE_CHECKING:
    from langwright.data.schemas import CorrectionRow
    from langwright.tasks.front.loading import Model


class RepairInput(RewrittenInput):
    """A damaged text; a gap whose place is known is written [MASK]."""

    pieces: Annotated[
        int, Field(ge=1, le=8, description="Most tokens of a gap, for a model that fills blanks; every number is tried")
    ] = 1


def ask(row: CorrectionRow) -> RepairInput:
    """What is asked of a row."""
    return RepairInput(text=row.text)


def fill_gaps(model: Model, task: Task, asked: RepairInput) -> CorrectionOutput:
    """Fill the gaps of a text; where the model was taught to mend texts, keep or replace each token.

    Each filling's confidence is the probability of all of them together.

    raises  UserError for a text without gaps where it was not taught
    """
    from langwright.metrics.edits import Edit

    if "[MASK]" not in asked.text:
        if model.was_taught(task):
            return replace(model, task, asked).model_copy(update={"solver": GAPS.name})
        raise UserError(
            "{name} fills gaps, and the text has none",
            fix="write [MASK] where something is missing, or take a model that `langwright finetune MODEL DATASET OUT --task repair` made",
            name=model.name,
        )
    best = model.fill(asked.text, top=1, pieces=asked.pieces).fillings[0]
    edits, place = [], 0
    for word in best.words:
        start = asked.text.index("[MASK]", place)
        place = start + len("[MASK]")
        edits.append((Edit(start, place, word), best.probability))
    kept = edits if best.probability >= (asked.sure or 0.0) else []
    return output_of(asked.text, list(kept), GAPS.name)


GAPS = Solver(
    name="gaps",
    summary="A masked language model fills the gaps of a text, or replaces its wrong tokens as it was taught",
    needs="blanks",
    maker="langwright pretrain DATASET TOKENIZER OUT --set objective.kind=masked",
    solve=fill_gaps,
)
REPAIR = Task(
    name="repair",
    summary="Restore a damaged text: gaps, noise, disorder",
    dataset="correction",
    input=RepairInput,
    output=CorrectionOutput,
    solvers=("gaps", "rewriting"),
    measures=("mistakes corrected, F1", "sentences corrected, F1", "character error rate"),
    templates={
        "en": "This text is damaged: words are missing, mistyped or in the wrong order. Write it as it should be.\nText: {text}\nRestored:",
        "zh": "下面的文本已受损：有缺字、错字或语序混乱。请写出它本来的样子。\n文本：{text}\n复原：",
    },
    panel=("text", "sure"),
    lesson="correction",
    prefix="repair: ",
    ask=ask,
)
