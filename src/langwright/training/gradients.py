"""Gradient rules: what lies between the parts of a batch and the gradient the optimizer sees."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from torch import Tensor


class GradientRule(Protocol):
    """Turns the losses of an update's parts into `.grad` of the weights."""

    def backward(self, parts: Iterable[Tensor]) -> None:
        """Backpropagate each part as it comes.

        parts  one scalar a micro-batch, already divided by the units of the whole update; the forward
               pass of a part runs when it is asked for, so only one graph is alive at a time
        """
        ...


class Sum:
    """The ordinary gradient: the parts added up."""

    def backward(self, parts: Iterable[Tensor]) -> None:
        """See `GradientRule.backward`."""
        for part in parts:
            part.backward()  # type: ignore[no-untyped-call]
