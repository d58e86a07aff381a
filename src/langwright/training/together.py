"""Where a stage is trained: how many processes do it together, and how. Imports neither torch nor transformers.

It does not belong to the settings: an artifact that two processes made is the same kind of thing, and a run that
was begun by two may be finished by one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from langwright.errors import UserError

Strategy = Literal["ddp", "fsdp"]
FORM = "processes:N[,ddp|fsdp[,offload]]"


@dataclass(frozen=True)
class Together:
    """Some processes that train one model.

    strategy  ddp: each has the whole model, gradients are added up; fsdp: each keeps a part of weights, gradients
              and optimizer, and fetches what it needs
    offload   with fsdp on GPUs, the parts lie in the machine's memory
    """

    processes: int
    strategy: Strategy = "ddp"
    offload: bool = False

    @property
    def manner(self) -> str:
        """All but the number, as `--on` takes it."""
        return f"{self.strategy},offload" if self.offload else self.strategy


@dataclass(frozen=True)
class Place:
    """Where this process stands among those that train together.

    rank     from 0; the first one writes everything
    key      identity of what is asked for; all must agree
    beside   how many of them share this machine
    helper   command that starts another process of the run; empty where somebody else starts them, as torchrun does
    """

    together: Together
    rank: int
    key: str
    beside: int
    helper: tuple[str, ...] = ()


def parse_on(text: str, environment: Mapping[str, str] = os.environ) -> Together | None:
    """What `--on` says; None for one process.

    Under torchrun the number of processes is the launcher's, and only the strategy needs to be said.

    raises  UserError for another form, or a number that is not the launcher's

    >>> parse_on("processes:2,fsdp", {})
    Together(processes=2, strategy='fsdp', offload=False)
    """
    launched = launched_rank(environment)
    count = launched[1] if launched else None
    strategy: Strategy = "ddp"
    offload = False
    for word in text.split(",") if text else ():
        kind, colon, number = word.partition(":")
        if kind == "processes" and colon and number.isdigit() and int(number) > 0:
            if launched and int(number) != launched[1]:
                raise UserError(
                    "--on asks for {asked} processes, and the launcher started {count}",
                    fix="leave the number out: --on fsdp or --on ddp",
                    asked=int(number),
                    count=launched[1],
                )
            count = int(number)
        elif word in get_args(Strategy):
            strategy = "fsdp" if word == "fsdp" else "ddp"
        elif word == "offload":
            offload = True
        else:
            raise UserError("--on {text} is not understood", fix="give {form}", text=text, form=FORM)
    if count is None:
        if text:
            raise UserError("--on {text} does not say how many processes", fix="give {form}", text=text, form=FORM)
        return None
    if offload and strategy != "fsdp":
        raise UserError("offload goes with fsdp only", fix="give {form}", form=FORM)
    return Together(count, strategy, offload) if count > 1 else None


def launched_rank(environment: Mapping[str, str] = os.environ) -> tuple[int, int] | None:
    """(rank, number of processes) where a launcher such as torchrun started this process among others."""
    rank, size = environment.get("RANK", ""), environment.get("WORLD_SIZE", "")
    return (int(rank), int(size)) if rank.isdigit() and size.isdigit() and int(size) > 1 else None


def processes_beside(together: Together, environment: Mapping[str, str] = os.environ) -> int:
    """How many of a launcher's processes share this machine."""
    count = environment.get("LOCAL_WORLD_SIZE", "")
    return int(count) if count.isdigit() and int(count) > 0 else together.processes
