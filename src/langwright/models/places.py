"""Letting the head of a masked language model see only the places that are predicted.

A head's logits are vocabulary-wide, and of a masked row only a seventh of them are asked for. A hook in front of the
head takes those places out of the hidden states, so the rest is never computed; the model itself stays transformers'
own, and gives all logits whenever nobody has asked for places.

Source    Devlin et al. 2019's own code does so (`gather_indexes` in run_pretraining.py); transformers' classes do not
Shapes    B rows    T positions    D width    P places    V vocabulary
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

HEADS = ("cls.predictions", "generator_predictions", "lm_head")
"""What turns hidden states into logits, by its name in transformers' models of the BERT, ELECTRA and RoBERTa families."""


class Places:
    """The places that a model's head is to look at; made once for a model, before it is compiled."""

    def __init__(self, model: nn.Module) -> None:
        """raises  ValueError for a model whose head is not known."""
        found = [module for name, module in model.named_modules() if name.endswith(HEADS)]
        if not found:
            raise ValueError(f"{type(model).__name__} has no head that is known here")
        self._wanted_P: Tensor | None = None
        found[0].register_forward_pre_hook(self._take)

    @contextmanager
    def only(self, places_P: Tensor) -> Iterator[None]:
        """Within the block the head's logits are of shape (P, V).

        places_P  int64, places in the rows laid end to end
        """
        self._wanted_P = places_P
        try:
            yield
        finally:
            self._wanted_P = None

    def _take(self, head: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...] | None:
        if self._wanted_P is None:
            return None
        hidden_BTD, *rest = given
        return (hidden_BTD.flatten(0, 1)[self._wanted_P], *rest)
