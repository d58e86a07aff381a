"""How much of a model's quality a cheaper precision costs, and which layers are given theirs back.

The model's own log-probabilities on some rows of tokens are taken before its layers are replaced, and
compared after. Where perplexity has grown by more than is allowed, layers go back to bfloat16: the head
first, then the projections down from the wide middle of a block, then the rest, each time those whose
output on these rows is the furthest from what it was; twice as many each time until it holds.

Shapes    R rows    T tokens    V vocabulary
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from langwright.inference.kernels.sharing import forward
from langwright.models.loading import quiet

MOST_GROWTH = 0.01


@dataclass(frozen=True)
class Quality:
    """A model beside itself as it was.

    perplexity     on the rows, now
    before         on the rows, as it was
    divergence     mean Kullback–Leibler divergence of the next token's distribution, nats
    agreement      share of places where the likeliest token is the same
    """

    perplexity: float
    before: float
    divergence: float
    agreement: float
    tokens: int

    @property
    def growth(self) -> float:
        """Relative growth of perplexity."""
        return self.perplexity / self.before - 1

    def holds(self, most_growth: float = MOST_GROWTH) -> bool:
        """Whether perplexity is near enough to what it was, upwards and downwards; never for what is not a number."""
        return abs(self.growth) <= most_growth


class Held(Protocol):
    """What a gate found."""

    def holds(self) -> bool:
        """Whether the model is near enough to what it was."""
        ...


class Gate(ABC):
    """What a model said to rows of tokens, to compare with what it says later."""

    rows: list[Tensor]

    @abstractmethod
    def quality(self, model: PreTrainedModel) -> Held:
        """The model as it is now, beside what it was."""

    def damage(
        self, layers: Mapping[str, tuple[nn.Module, Sequence[nn.Module]]], model: PreTrainedModel
    ) -> dict[str, float]:
        """How far what layers give on these rows is from what they gave before, as a share of its size.

        layers  by name what stands there now, and the linears it stands for; the first of them is called first
        """
        wrong, size = dict.fromkeys(layers, 0.0), dict.fromkeys(layers, 1e-30)

        def compare(
            name: str, originals: Sequence[nn.Module]
        ) -> Callable[[nn.Module, tuple[Tensor, ...], Tensor], None]:
            def hook(stand: nn.Module, given: tuple[Tensor, ...], found: Tensor) -> None:
                expected = originals[0](given[0].to(next(originals[0].parameters()).dtype)).float()
                wrong[name] += float((found.float() - expected).square().sum())
                size[name] += float(expected.square().sum())

            return hook

        handles = [stand.register_forward_hook(compare(name, before)) for name, (stand, before) in layers.items()]
        try:
            for ids_1T in self.rows:
                forward(model, ids_1T)
        finally:
            for handle in handles:
                handle.remove()
        return {name: wrong[name] / size[name] for name in layers}


class Yardstick(Gate):
    """The log-probabilities of a model on rows of tokens."""

    def __init__(self, model: PreTrainedModel, rows: Sequence[Sequence[int]]) -> None:
        """rows: of at least two tokens each."""
        self.rows = [torch.tensor([list(row)]) for row in rows if len(row) > 1]
        if not self.rows:
            raise ValueError("the quality of a model is measured on rows of at least two tokens")
        self.before = [self._logprobs(model, row) for row in self.rows]

    def quality(self, model: PreTrainedModel) -> Quality:
        """The model as it is now, beside what it was."""
        loss = loss_before = divergence = same = 0.0
        places = 0
        for ids_1T, before_TV in zip(self.rows, self.before, strict=True):
            now_TV = self._logprobs(model, ids_1T)
            next_T1 = ids_1T[0, 1:, None]
            loss -= float(now_TV.gather(1, next_T1).sum())
            loss_before -= float(before_TV.gather(1, next_T1).sum())
            divergence += float((before_TV.exp() * (before_TV - now_TV)).nansum())  # a word that cannot be: 0 × ∞
            same += float((before_TV.argmax(-1) == now_TV.argmax(-1)).sum())
            places += len(next_T1)
        perplexity, before = math.exp(min(loss / places, 700)), math.exp(min(loss_before / places, 700))
        return Quality(perplexity if loss == loss else math.nan, before, divergence / places, same / places, places)

    @staticmethod
    def _logprobs(model: PreTrainedModel, ids_1T: Tensor) -> Tensor:
        return forward(model, ids_1T)[:-1].log_softmax(-1)


def own_text(model: PreTrainedModel, rows: int = 8, tokens: int = 64) -> list[list[int]]:
    """What a model writes by itself, the same each time: rows of ids on which its quality can be measured without data.

    The expected growth of the loss on text that a model has written is the divergence from it, so no text of another
    kind is judged by.
    """
    size = model.get_input_embeddings().num_embeddings
    known = (model.config.bos_token_id, model.config.eos_token_id)
    start = next((id for id in known if isinstance(id, int) and 0 <= id < size), 0)
    with torch.random.fork_rng([]), quiet():
        torch.manual_seed(0)
        ids_RT = model.generate(
            torch.full((rows, 1), start), attention_mask=torch.ones(rows, 1), do_sample=True, temperature=1.0, top_k=0,
            top_p=1.0, min_new_tokens=tokens, max_new_tokens=tokens, pad_token_id=start,
        )  # fmt: skip
    found: list[list[int]] = ids_RT.tolist()
    return found


def keep_until(
    holds: Callable[[], bool], give_back: Callable[[str], None], damage: Mapping[str, float], first: Sequence[str]
) -> tuple[str, ...]:
    """Give layers back until it holds; their names, in that order.

    damage  of each layer that may be given back
    first   those of them that go before all others, in order
    """
    order = [*first, *sorted((name for name in damage if name not in first), key=lambda name: -damage[name])]
    given, step = 0, 1
    while given < len(order) and not holds():
        for name in order[given : given + step]:
            give_back(name)
        given, step = min(len(order), given + step), step * 2
    return tuple(order[:given])
