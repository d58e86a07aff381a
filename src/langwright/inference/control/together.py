"""Several constraints on one continuation: what all of them allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from langwright.inference.control.forms import nothing_follows

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor
    from transformers import PreTrainedModel

    from langwright.inference.protocol import Constraint, Cursor, FinishReason, Guidance, Guide


def together(constraints: Sequence[Constraint | None]) -> Constraint | None:
    """One constraint that allows what all of these allow; None for none."""
    given = tuple(constraint for constraint in constraints if constraint is not None)
    if len(given) < 2:
        return given[0] if given else None
    return Together(given)


@dataclass(frozen=True)
class Together:
    """`Constraint` of several."""

    constraints: tuple[Constraint, ...]

    def start(self) -> TogetherCursor:
        return TogetherCursor(tuple(constraint.start() for constraint in self.constraints))


@dataclass(frozen=True)
class TogetherCursor:
    """`Cursor` of several."""

    cursors: tuple[Cursor, ...]

    @property
    def ended(self) -> FinishReason | None:
        """The first reason that one of them has."""
        return next((cursor.ended for cursor in self.cursors if cursor.ended is not None), None)

    def allowed(self) -> NDArray[np.bool_]:
        """Which ids may come next, shape (V,)."""
        flags = [cursor.allowed() for cursor in self.cursors]
        size = min(map(len, flags))
        allowed: NDArray[np.bool_] = np.logical_and.reduce([flag[:size] for flag in flags])
        if not allowed.any():
            raise nothing_follows()
        return allowed

    def after(self, id: int) -> TogetherCursor:
        """The cursor behind a token."""
        return TogetherCursor(tuple(cursor.after(id) for cursor in self.cursors))


def guides_together(guides: Sequence[Guide | None]) -> Guide | None:
    """One guide that does what these do, one after the other; None for none."""
    given = tuple(guide for guide in guides if guide is not None)
    if len(given) < 2:
        return given[0] if given else None
    return Guides(given)


@dataclass(frozen=True)
class Guides:
    """`Guide` of several."""

    guides: tuple[Guide, ...]

    def start(self, model: PreTrainedModel, prompt: Sequence[int]) -> GuidancesTogether:
        return GuidancesTogether(tuple(guide.start(model, prompt) for guide in self.guides))


@dataclass(frozen=True)
class GuidancesTogether:
    """`Guidance` of several."""

    guidances: tuple[Guidance, ...]

    def steered(self, logits_V: Tensor) -> Tensor:
        """The logits as each one leaves them to the next."""
        for guidance in self.guidances:
            logits_V = guidance.steered(logits_V)
        return logits_V

    def after(self, id: int) -> GuidancesTogether:
        """Behind a token."""
        return GuidancesTogether(tuple(guidance.after(id) for guidance in self.guidances))
