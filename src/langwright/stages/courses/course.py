"""What `pretrain` asks of an objective: which models it trains, how text becomes examples, what it learns by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langwright.artifacts import Ability
from langwright.models.heads import Head
from langwright.settings import Settings
from langwright.stages.declaration import Work

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from langwright.data.dataset import Dataset
    from langwright.data.store import TokenStore
    from langwright.training.feed import StoreExamples
    from langwright.training.fit import Sampler
    from langwright.training.loss import Objective
    from langwright.training.preflight import Preflight


@dataclass(frozen=True)
class Reading:
    """A run's text, as a course is to read it.

    plain              the tokenizer as it lies in its folder, which cuts the text
    folder             where that is
    tokenizer          the same with what the course adds to it
    length             positions a row
    stop_at_documents  what the documents of a row may see of each other: nothing, where the course can
    seed               of everything that is drawn for a row
    """

    work: Work
    dataset: Dataset
    plain: PreTrainedTokenizerBase
    folder: Path
    tokenizer: PreTrainedTokenizerBase
    length: int
    stop_at_documents: bool
    seed: int

    def store(self, split: str) -> TokenStore:
        """The tokens of a split."""
        from langwright.stages.fitting import open_split

        return open_split(self.work, self.dataset, split, self.plain, self.folder, texts=True)


@dataclass(frozen=True)
class Course:
    """How a model is pre-trained with an objective. `settings` below is the objective's own.

    families        model types it can train
    presets         from small to large, what `minutes` chooses from
    usual           the preset where nothing says which
    head            the class of the model
    abilities       what the model can do then
    examples        (reading, split, settings) -> the split's rows
    objective       (settings, model, tokenizer, compiled) -> what learns from them; `compiled` asks that its own
                    mathematics be compiled too
    prepare         adds the tokens it needs to the tokenizer, in place
    sampler         (tokenizer, prompts) -> what to show of the model as it learns
    predicted       (settings) -> share of positions whose logits are computed, which are a decoder's where an encoder
                    stands before it
    per_byte        each unit of loss is a token of the text, so that bits per byte can be given
    looked_at       (preflight of the text, a batch, tokenizer) -> the same as this course sees it
    one_shape       every batch has the same shape, so that the model can be compiled once
    """

    settings: type[Settings]
    families: tuple[str, ...]
    presets: tuple[str, ...]
    usual: str
    head: Head
    abilities: tuple[Ability, ...]
    examples: Callable[[Reading, str, Any], StoreExamples]
    objective: Callable[[Any, PreTrainedModel, PreTrainedTokenizerBase, bool], Objective[Any]]
    prepare: Callable[[PreTrainedTokenizerBase], None] = lambda tokenizer: None
    sampler: Callable[[PreTrainedTokenizerBase, tuple[str, ...]], Sampler] | None = None
    predicted: Callable[[Any], float] = lambda settings: 1.0
    per_byte: bool = False
    looked_at: Callable[[Preflight, Any, PreTrainedTokenizerBase], Preflight] = lambda report, batch, tokenizer: report
    one_shape: bool = True
