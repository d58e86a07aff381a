"""The mean of a model's weights along its training, which is often better than where training ends.

Source    exponential: Polyak & Juditsky 1992; as used for networks in Tarvainen & Valpola 2017, arXiv:1703.01780,
          equation 1, with the decay (1 + n) / (10 + n) while n, the number of updates, is small
          stochastic weight averaging: Izmailov et al. 2018, arXiv:1803.05407, algorithm 1 (every weight since
          some point counts the same)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from langwright.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor, nn


class NoAverage(Settings):
    """The weights are taken as training leaves them."""

    kind: Literal["none"] = "none"


class EMA(Settings):
    """An exponential moving average."""

    kind: Literal["ema"] = "ema"
    decay: Annotated[float, Field(ge=0, lt=1, description="Share of the average that each update keeps")] = 0.999


class SWA(Settings):
    """The plain mean over the last part of the run."""

    kind: Literal["swa"] = "swa"
    start_share: Annotated[
        float, Field(ge=0, lt=1, description="Share of the run after which weights are averaged")
    ] = 0.75


Averaging = Annotated[
    NoAverage | EMA | SWA,
    Field(discriminator="kind", description="Whether the model ends as a mean of its weights along the way"),
]


class Average:
    """A running mean of the trainable weights, kept in float32 beside them."""

    def __init__(self, settings: EMA | SWA, model: nn.Module, steps: int) -> None:
        self.settings = settings
        self.weights = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
        self.first = 0 if isinstance(settings, EMA) else int(settings.start_share * steps)  # updates before it begins
        self.mean: dict[str, Tensor] = {}

    def update(self, step: int) -> None:
        """Take in the weights after update `step`, counted from 1."""
        import torch

        count = step - self.first
        if count <= 0:
            return
        if not self.mean:
            self.mean = {name: weight.detach().clone() for name, weight in self.weights.items()}
            return
        kept = (
            min(self.settings.decay, (1 + count) / (10 + count))
            if isinstance(self.settings, EMA)
            else (count - 1) / count
        )
        torch._foreach_lerp_(
            list(self.mean.values()), [weight.detach() for weight in self.weights.values()], weight=1 - kept
        )

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within the block the model has the mean for its weights."""
        import torch

        own = {name: weight.detach().clone() for name, weight in self.weights.items()} if self.mean else {}
        with torch.no_grad():
            self.copy(self.mean)
            try:
                yield
            finally:
                self.copy(own)

    def copy(self, values: Mapping[str, Tensor]) -> None:
        """Write values into the model; nothing where there are none yet."""
        import torch

        with torch.no_grad():
            for name, value in values.items():
                self.weights[name].copy_(value)

    def state_dict(self) -> dict[str, Tensor]:
        """The mean, by weight name."""
        return dict(self.mean)

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state_dict` gave."""
        self.mean = {name: state[name].to(weight.device) for name, weight in self.weights.items()} if state else {}
