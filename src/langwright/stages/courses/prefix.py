"""Prefix language modelling on running text, for decoders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langwright.artifacts import Ability
from langwright.objectives.pretraining import PrefixPrediction
from langwright.stages.courses.course import Course, Reading
from langwright.stages.courses.next_token import sampler

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from langwright.objectives.prefix import PrefixBatch, PrefixExamples, PrefixLM
    from langwright.training.preflight import Preflight


def examples(reading: Reading, split: str, settings: PrefixPrediction) -> PrefixExamples:
    """The split end to end, cut into rows; prefixes are drawn anew in each epoch."""
    from langwright.data.packing import saved_plan
    from langwright.objectives.prefix import PrefixExamples

    store = reading.store(split)
    layout = saved_plan(store, "stream", reading.length)
    return PrefixExamples(store, layout, reading.tokenizer.pad_token_id, reading.stop_at_documents, reading.seed)


def objective(
    settings: PrefixPrediction, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, compiled: bool
) -> PrefixLM:
    """It has no settings."""
    from langwright.objectives.prefix import PrefixLM

    return PrefixLM(compiled=compiled)


def looked_at(report: Preflight, batch: PrefixBatch, tokenizer: PreTrainedTokenizerBase) -> Preflight:
    """What stands in a prefix is not learned."""
    return report.model_copy(update={"supervised": batch.units / (batch.positions - batch.padding)})


COURSE = Course(
    settings=PrefixPrediction,
    families=("llama", "gpt2"),
    presets=("tiny", "mini", "small", "base"),
    usual="mini",
    head="causal",
    abilities=(Ability(task="generate", solver="generation"),),
    examples=examples,
    objective=objective,
    sampler=sampler,
    looked_at=looked_at,
)
