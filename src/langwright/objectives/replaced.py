"""Replaced-token detection: a small generator fills masked places in, and the model says which tokens it replaced.

Source    Clark et al. 2020, arXiv:2003.10555 (ELECTRA), section 2: the loss is the generator's masked language
          modelling loss plus λ = 50 times the discriminator's, over all tokens (section 3.1 and appendix A); a token that
          the generator guesses right counts as original; section 3.2: embeddings of tokens, positions and types are
          shared, and the generator is narrower than the discriminator
Differs   Means are taken in each row and then over rows, so that a batch may be cut anywhere; they are the paper's own
          where rows are equally long. Tokens are drawn from the generator by one number a place that belongs to seed,
          epoch and row, in place of noise for each id
Shapes    B rows    T positions    P masked places    V vocabulary
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from langwright.data.drawing import draws
from langwright.data.packing import RowPlan
from langwright.data.store import TokenStore
from langwright.models.places import Places
from langwright.objectives.masked import MaskedBatch, MaskedExamples
from langwright.objectives.next_token import IGNORED
from langwright.objectives.sentence_pairs import row_weights
from langwright.training.loss import Loss, Stateless

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class ReplacedBatch:
    """Masked rows, and what decides which tokens the generator puts in.

    text       the rows, with the places that are masked
    weights_P  each place's share of its row's mean; 0 for what only fills up
    chances_P  in [0, 1), uniform: where in the generator's distribution a place's token is taken
    """

    text: MaskedBatch
    weights_P: Tensor
    chances_P: Tensor

    @property
    def tokens_BT(self) -> Tensor:
        """The rows' ids, masked."""
        return self.text.tokens_BT

    @property
    def units(self) -> int:
        """Rows."""
        return len(self.text.tokens_BT)

    @property
    def positions(self) -> int:
        """B·T."""
        return self.text.positions

    @property
    def padding(self) -> int:
        """Positions that hold no token."""
        return self.text.padding


@dataclass(frozen=True)
class ReplacedExamples:
    """Masked rows with the numbers that decide what is put in."""

    masked: MaskedExamples

    @property
    def store(self) -> TokenStore:
        """The tokens."""
        return self.masked.store

    @property
    def plan(self) -> RowPlan:
        """Which of them stand in which row."""
        return self.masked.plan

    def __len__(self) -> int:
        return len(self.masked)

    def arrange(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """As they come: all rows are equally wide."""
        return self.masked.arrange(rows)

    def batch(self, rows: NDArray[np.int64], epochs: NDArray[np.int64] | None = None) -> ReplacedBatch:
        """These rows."""
        text = self.masked.batch(rows, epochs)
        most = len(text.places_P) // len(rows)
        seen = np.zeros_like(rows) if epochs is None else epochs
        chances = [
            draws(self.masked.seed, int(epoch), int(row), "replacing").random(most, dtype=np.float32)
            for row, epoch in zip(rows, seen, strict=True)
        ]
        return ReplacedBatch(text, row_weights(text.targets_P, len(rows)), torch.from_numpy(np.concatenate(chances)))


def taken(logits_PV: Tensor, chances_P: Tensor) -> Tensor:
    """The ids at which the distributions' running sums pass the chances, shape (P,): a draw from each."""
    sums_PV = logits_PV.float().softmax(-1).cumsum(-1)
    found_P = torch.searchsorted(sums_PV, (chances_P[:, None] * sums_PV[:, -1:]).contiguous(), right=True).squeeze(-1)
    return found_P.clamp(max=logits_PV.shape[-1] - 1)


def generator_for(model: PreTrainedModel, share: float) -> PreTrainedModel:
    """A masked language model of `share` of the model's width, random but for the embeddings, which are the model's own.

    The width is a whole number of attention heads as wide as the model's; what is drawn follows from the model's weights.
    """
    from langwright.models.building import build_model

    config = type(model.config).from_dict(model.config.to_dict())
    head = config.hidden_size // config.num_attention_heads
    config.num_attention_heads = max(1, round(share * config.num_attention_heads))
    config.hidden_size = head * config.num_attention_heads
    config.intermediate_size = max(1, round(share * config.intermediate_size))
    theirs = model.base_model.embeddings
    drawn = theirs.word_embeddings.weight.detach().cpu().numpy().tobytes()
    seed = int.from_bytes(blake2b(drawn, digest_size=7).digest(), "little")
    generator = build_model(config, seed=seed, head="masked")
    ours = generator.base_model.embeddings
    for name in ("word_embeddings", "position_embeddings", "token_type_embeddings"):
        getattr(ours, name).weight = getattr(theirs, name).weight
    generator.get_output_embeddings().weight = theirs.word_embeddings.weight
    return generator.to(model.device)


class ReplacedTokens(Stateless):
    """The generator's loss and λ times the model's. The generator belongs to the objective, the embeddings to the model."""

    def __init__(
        self, model: PreTrainedModel, generator: PreTrainedModel, *, weight: float = 50.0, compiled: bool = False
    ) -> None:
        """generator: as `generator_for` makes it; weight: λ; compiled: compile the generator too."""
        self.generator, self.weight = generator, weight
        self._places = Places(generator)
        self._generate = torch.compile(generator, dynamic=False) if compiled else generator
        shared = {id(value) for value in model.parameters()}
        self._own = [value for value in generator.parameters() if id(value) not in shared]

    def __call__(self, model: nn.Module, batch: ReplacedBatch) -> Loss:
        """Over rows: each one's mean over masked places, and λ times its mean over tokens."""
        device = next(model.parameters()).device
        text = batch.text
        targets_P, weights_P = text.targets_P.to(device), batch.weights_P.to(device)
        inputs = {
            "token_type_ids": text.types_BT.to(device),
            "attention_mask": None if text.attention is None else text.attention.to(device),
            "position_ids": text.positions_BT.to(device),
        }
        self.generator.train(model.training)
        places_P, tokens_BT = text.places_P.to(device), text.tokens_BT.to(device)
        with self._places.only(places_P):
            logits_PV = self._generate(input_ids=tokens_BT, **inputs).logits
        losses_P = F.cross_entropy(logits_PV.float(), targets_P, ignore_index=IGNORED, reduction="none")
        generated = (losses_P * weights_P).sum()
        filled_BT, replaced_BT = fill(
            tokens_BT, places_P, targets_P, taken(logits_PV.detach(), batch.chances_P.to(device))
        )
        said_BT = model(input_ids=filled_BT, **inputs).logits.float()
        real_BT = text.real_BT.to(device)
        each_BT = F.binary_cross_entropy_with_logits(said_BT, replaced_BT.float(), reduction="none") * real_BT
        found_B = each_BT.sum(1) / real_BT.sum(1)
        right_B = (((said_BT.detach() > 0) == replaced_BT) * real_BT).sum(1) / real_BT.sum(1)
        metrics = {
            "generator_loss": generated.detach(),
            "detection_loss": found_B.detach().sum(),
            "detection_accuracy": right_B.sum(),
        }
        return Loss(generated + self.weight * found_B.sum(), batch.units, metrics)

    def parameters(self) -> list[nn.Parameter]:
        """The generator's, without what it shares with the model."""
        return self._own


def fill(tokens_BT: Tensor, places_P: Tensor, targets_P: Tensor, ids_P: Tensor) -> tuple[Tensor, Tensor]:
    """The rows with ids put into the masked places, and True where that is not the token that stood there.

    places_P, targets_P  as in MaskedBatch; what only fills up is left alone
    """
    real_P = targets_P != IGNORED
    filled, replaced = tokens_BT.flatten().clone(), torch.zeros_like(tokens_BT, dtype=torch.bool).flatten()
    filled[places_P[real_P]] = ids_P[real_P]
    replaced[places_P[real_P]] = ids_P[real_P] != targets_P[real_P]
    return filled.view_as(tokens_BT), replaced.view_as(tokens_BT)
