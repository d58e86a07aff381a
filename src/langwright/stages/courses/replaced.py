"""Replaced-token detection on running text, for ELECTRA's family."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langwright.artifacts import Ability
from langwright.objectives.pretraining import ReplacedTokenDetection
from langwright.stages.courses import masked
from langwright.stages.courses.course import Course, Reading

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from langwright.objectives.replaced import ReplacedExamples, ReplacedTokens


def examples(reading: Reading, split: str, settings: ReplacedTokenDetection) -> ReplacedExamples:
    """Rows as for masked language modelling."""
    from langwright.objectives.replaced import ReplacedExamples

    return ReplacedExamples(masked.examples(reading, split, settings))


def objective(
    settings: ReplacedTokenDetection, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, compiled: bool
) -> ReplacedTokens:
    """With a generator of its own."""
    from langwright.objectives.replaced import ReplacedTokens, generator_for

    generator = generator_for(model, settings.generator_share)
    return ReplacedTokens(model, generator, weight=settings.weight, compiled=compiled)


COURSE = Course(
    settings=ReplacedTokenDetection,
    families=("electra",),
    presets=("electra-tiny", "electra-mini", "electra-small", "electra-base"),
    usual="electra-mini",
    head="pretraining",
    abilities=(Ability(task="detect", solver="discriminator"),),
    examples=examples,
    objective=objective,
    prepare=masked.prepare,
    predicted=lambda settings: 0.0,
)
