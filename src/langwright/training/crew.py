"""The processes that make an update together, as the loop sees them; one alone is the ordinary case.

Nothing here imports torch.distributed: several processes are in `processes.py`, and in `sharding.py` where each
keeps a part of the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from torch import Tensor, nn

if TYPE_CHECKING:
    from langwright.training.together import Place


class Crew(Protocol):
    """Those who train one model. Each method is called by all of them at the same point, or by none.

    rank  this process's number, from 0; the first one writes everything
    size  how many there are
    """

    @property
    def rank(self) -> int: ...

    @property
    def size(self) -> int: ...

    def gather(self, said: Any) -> list[Any]:
        """What every process says here, as JSON can, by rank."""
        ...

    def prepared(self, model: nn.Module, extra: Sequence[Tensor]) -> nn.Module:
        """The model as this process trains it, equal in all; `extra` are further tensors to begin equal."""
        ...

    def add_gradients(self, weights: Sequence[nn.Parameter]) -> bool:
        """Make every gradient the sum of all processes' ones; whether this process's own were finite, as far as it can tell."""
        ...

    def whole(self, tensor: Tensor) -> Tensor:
        """A tensor of which this process may hold a part, in full."""
        ...

    def part(self, whole: Tensor, like: Tensor) -> Tensor:
        """What of a full tensor this process holds where it holds it as `like`."""
        ...

    def filled(self, model: nn.Module) -> AbstractContextManager[None]:
        """Within the block the model that was given to `prepared` has the weights as they are now, in the first process."""
        ...

    def finish(self, model: nn.Module) -> None:
        """Leave the trained weights in the model that was given to `prepared`, in the first process."""
        ...


class Alone:
    """One process: nothing to agree on, nothing to add up."""

    rank = 0
    size = 1

    def gather(self, said: Any) -> list[Any]:
        """See `Crew.gather`."""
        return [said]

    def prepared(self, model: nn.Module, extra: Sequence[Tensor]) -> nn.Module:
        """The model itself."""
        return model

    def add_gradients(self, weights: Sequence[nn.Parameter]) -> bool:
        """Nothing to add; the loop looks at the gradient's norm anyway."""
        return True

    def whole(self, tensor: Tensor) -> Tensor:
        """The tensor itself."""
        return tensor

    def part(self, whole: Tensor, like: Tensor) -> Tensor:
        """All of it."""
        return whole

    def filled(self, model: nn.Module) -> AbstractContextManager[None]:
        """It is the model that is trained."""
        return nullcontext()

    def finish(self, model: nn.Module) -> None:
        """It has them."""


ALONE = Alone()


@contextmanager
def assembled(place: Place | None, device: str, run: Path) -> Iterator[Crew]:
    """The crew of a run, together for the length of the block.

    device  the plan's: cpu or cuda
    run     folder for what the other processes say
    raises  UserError that names a process that stopped, and why
    """
    if place is None:
        yield ALONE
        return
    from langwright.training.processes import joined

    with joined(place, device, run) as crew:
        yield crew
