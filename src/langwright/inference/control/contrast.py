"""Contrast: the logits of one prompt against those of another, or of one model against another.

Sources   Sanchez et al. 2023, arXiv:2306.17806, equations 4 and 5: log p(w) = log p(w | other) + γ (log p(w | prompt) -
          log p(w | other)), the other being no prompt or one to move away from
          Liu et al. 2021, arXiv:2105.03023 (DExperts), equation 1: z + α (z⁺ - z⁻), an expert's logits against an
          anti-expert's
Differs   no prompt: the last token of the prompt stands alone, as in transformers' implementation; DExperts truncates
          the base model's distribution first, here sampling truncates what comes out
Shapes    V ids of the vocabulary
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langwright.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from langwright.inference.control.reading import Reader


@dataclass(frozen=True)
class AgainstPrompt:
    """`Guide` away from another prompt.

    other     its ids; none for the last token of the prompt alone
    strength  γ
    """

    other: tuple[int, ...]
    strength: float

    def start(self, model: PreTrainedModel, prompt: Sequence[int]) -> AgainstPromptGuidance:
        from langwright.inference.control.reading import Reader

        return AgainstPromptGuidance(self.strength, Reader(model), self.other or (prompt[-1],))


@dataclass(frozen=True)
class AgainstPromptGuidance:
    """`Guidance` away from another prompt."""

    strength: float
    reader: Reader
    ids: tuple[int, ...]

    def steered(self, logits_V: Tensor) -> Tensor:
        """Log-probabilities, up to a constant."""
        other_V = self.reader.logits(self.ids).log_softmax(-1)
        return other_V + self.strength * (logits_V.log_softmax(-1) - other_V)

    def after(self, id: int) -> AgainstPromptGuidance:
        """Behind a token."""
        return AgainstPromptGuidance(self.strength, self.reader, (*self.ids, id))


@dataclass(frozen=True)
class Experts:
    """`Guide` by two models of the same vocabulary: towards the one, away from the other.

    strength  α
    """

    expert: PreTrainedModel
    against: PreTrainedModel
    strength: float = 2.0

    def start(self, model: PreTrainedModel, prompt: Sequence[int]) -> ExpertsGuidance:
        from langwright.inference.control.reading import Reader

        size = model.get_input_embeddings().num_embeddings
        for other in (self.expert, self.against):
            if (found := other.get_input_embeddings().num_embeddings) != size:
                raise UserError(
                    "an expert has a vocabulary of {found} tokens, and the model one of {size}",
                    fix="fine-tune the experts from the model itself, or from one with its tokenizer",
                    found=found,
                    size=size,
                )
        return ExpertsGuidance(self.strength, Reader(self.expert), Reader(self.against), tuple(prompt))


@dataclass(frozen=True)
class ExpertsGuidance:
    """`Guidance` by two models."""

    strength: float
    expert: Reader
    against: Reader
    ids: tuple[int, ...]

    def steered(self, logits_V: Tensor) -> Tensor:
        """The logits, moved by what the two disagree about."""
        apart_V = self.expert.logits(self.ids) - self.against.logits(self.ids)
        return logits_V + self.strength * apart_V.to(logits_V.device)

    def after(self, id: int) -> ExpertsGuidance:
        """Behind a token."""
        return ExpertsGuidance(self.strength, self.expert, self.against, (*self.ids, id))
