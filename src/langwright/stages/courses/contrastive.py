"""Contrastive vectors of sentences from running text, for encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langwright.artifacts import Ability
from langwright.errors import UserError
from langwright.objectives.pretraining import ContrastiveVectors
from langwright.stages.courses.course import Course, Reading
from langwright.stages.courses.masked import marks_of, prepare

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from langwright.objectives.contrastive import Contrastive, SentenceExamples


def examples(reading: Reading, split: str, settings: ContrastiveVectors) -> SentenceExamples:
    """Every sentence of the split is a row."""
    from langwright.data.sentences import plan_sentences, sentence_ends
    from langwright.objectives.contrastive import SentenceExamples
    from langwright.tokenizers.pieces import pieces_of

    store = reading.store(split)
    ends = sentence_ends(pieces_of(reading.plain))
    plan = plan_sentences(store, ends, reading.length - 2, single=True)
    return SentenceExamples(store, plan, marks_of(reading.tokenizer))


def objective(
    settings: ContrastiveVectors, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, compiled: bool
) -> Contrastive:
    """UserError for a model without dropout, which is all that two readings of a text differ by."""
    from langwright.models.dropout import rates
    from langwright.objectives.contrastive import Contrastive

    if not any(getattr(model.config, name) for name in rates(model.config)):
        raise UserError(
            "two readings of a text differ by dropout alone, and this model has none", fix="set dropout to 0.1"
        )
    return Contrastive(temperature=settings.temperature)


COURSE = Course(
    settings=ContrastiveVectors,
    families=("bert",),
    presets=("bert-tiny", "bert-mini", "bert-small", "bert-base"),
    usual="bert-mini",
    head="backbone",
    abilities=(Ability(task="embedding", solver="pooled"),),
    examples=examples,
    objective=objective,
    prepare=prepare,
    predicted=lambda settings: 0.0,
)
