"""Masked language modelling on running text, for encoders."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langwright.artifacts import Ability
from langwright.objectives.pretraining import MaskedTokens, MaskingSettings, ReplacedTokenDetection
from langwright.stages.courses.course import Course, Reading

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import nn
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from langwright.data.store import TokenStore
    from langwright.objectives.masked import Marks, Masked, MaskedExamples
    from langwright.objectives.masking import Masking


def prepare(tokenizer: PreTrainedTokenizerBase) -> None:
    """[CLS], [SEP] and [MASK]."""
    from langwright.tokenizers.marks import add_marks

    add_marks(tokenizer)


def masking_of(settings: MaskingSettings, tokenizer: PreTrainedTokenizerBase) -> Masking:
    """The masking that the settings ask for."""
    from langwright.objectives.masking import Masking, ordinary_ids

    ordinary = ordinary_ids(len(tokenizer), tokenizer.all_special_ids)
    return Masking(settings.probability, settings.as_mask, settings.as_random, int(tokenizer.mask_token_id), ordinary)


def marks_of(tokenizer: PreTrainedTokenizerBase) -> Marks:
    """A tokenizer's ids of the marks around a text."""
    from langwright.objectives.masked import Marks

    return Marks(int(tokenizer.cls_token_id), int(tokenizer.sep_token_id), int(tokenizer.pad_token_id))


def words_of(reading: Reading, store: TokenStore, settings: MaskingSettings) -> NDArray[np.bool_] | None:
    """Where words begin in the store's tokens; None when tokens are hidden one by one."""
    from langwright.data.words import saved_words

    if settings.together == "token":
        return None
    return saved_words(store, reading.plain, reading.work.log, chinese=settings.together == "chinese-word")


def examples(reading: Reading, split: str, settings: MaskedTokens | ReplacedTokenDetection) -> MaskedExamples:
    """The split end to end, cut into rows, masked as they are read."""
    from langwright.data.packing import saved_plan
    from langwright.objectives.masked import MaskedExamples

    store = reading.store(split)
    return MaskedExamples(
        store,
        saved_plan(store, "blocks", reading.length - 2),
        marks_of(reading.tokenizer),
        masking_of(settings, reading.tokenizer),
        words_of(reading, store, settings),
        reading.stop_at_documents,
        settings.dynamic,
        reading.seed,
    )


def objective(
    settings: MaskedTokens, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, compiled: bool
) -> Masked:
    """What was masked is all it needs to know."""
    from langwright.objectives.masked import Masked

    return Masked(model, compiled=compiled)


@dataclass(frozen=True)
class Blanks:
    """Shows a model some texts with a word hidden, and what it puts there."""

    tokenizer: PreTrainedTokenizerBase
    texts: tuple[str, ...]

    def __call__(self, model: nn.Module) -> Iterable[tuple[str, str]]:
        """(text with the mask, text as the model fills it in) pairs; the middle token is hidden."""
        import torch

        found = []
        for text in self.texts:
            ids = self.tokenizer(text, return_tensors="pt")["input_ids"].to(next(model.parameters()).device)[:, :64]
            middle = ids.shape[1] // 2
            ids[0, middle] = self.tokenizer.mask_token_id
            shown = self.tokenizer.decode(ids[0, 1:-1])
            with torch.no_grad():
                ids[0, middle] = model(input_ids=ids).logits[0, middle].argmax()
            found.append((shown, self.tokenizer.decode(ids[0, 1:-1])))
        return found


COURSE = Course(
    settings=MaskedTokens,
    families=("bert",),
    presets=("bert-tiny", "bert-mini", "bert-small", "bert-base"),
    usual="bert-mini",
    head="masked",
    abilities=(Ability(task="fill", solver="masked"),),
    examples=examples,
    objective=objective,
    prepare=prepare,
    sampler=Blanks,
    predicted=lambda settings: settings.probability,
)
