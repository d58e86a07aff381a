"""Next-token prediction on running text, for decoders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langwright.artifacts import Ability
from langwright.objectives.pretraining import NextTokenPrediction
from langwright.stages.courses.course import Course, Reading

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from langwright.objectives.next_token import NextToken, RowExamples
    from langwright.stages.fitting import Samples


def examples(reading: Reading, split: str, settings: NextTokenPrediction) -> RowExamples:
    """The split end to end, cut into rows."""
    from langwright.data.packing import saved_plan
    from langwright.objectives.next_token import RowExamples

    store = reading.store(split)
    layout = saved_plan(store, "stream", reading.length)
    return RowExamples(store, layout, reading.tokenizer.pad_token_id, reading.stop_at_documents)


def objective(
    settings: NextTokenPrediction, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, compiled: bool
) -> NextToken:
    """It has no settings."""
    from langwright.objectives.next_token import NextToken

    return NextToken(compiled=compiled)


def sampler(tokenizer: PreTrainedTokenizerBase, prompts: tuple[str, ...]) -> Samples:
    """How the model goes on from the prompts."""
    from langwright.stages.fitting import Samples

    return Samples(tokenizer, prompts)


COURSE = Course(
    settings=NextTokenPrediction,
    families=("llama", "gpt2"),
    presets=("tiny", "mini", "small", "base"),
    usual="mini",
    head="causal",
    abilities=(Ability(task="generate", solver="generation"),),
    examples=examples,
    objective=objective,
    sampler=sampler,
    per_byte=True,
)
