"""Several processes, each with the whole model: gradients are added up over all of them before every update.

Source    synchronous data parallelism: Li et al. 2020, "PyTorch Distributed", arXiv:2006.15704, sections 3.2.1
          and 3.2.3 (gradients in buckets, one all-reduce a bucket)
Differs   gradients are added after the last backward pass of an update and not during it: an objective may run
          several passes a batch or ask for gradients of its own, which hooks on a wrapped model do not allow.
          The sum is taken, not the mean: a loss is already divided by the units of all processes
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch._C._distributed_c10d import PrefixStore, Store, TCPStore
from torch.distributed.rendezvous import rendezvous

from langwright.errors import UserError
from langwright.training.crew import Crew
from langwright.training.launching import Helpers, helpers_of, loopback, not_answering
from langwright.training.together import FORM, Place

TIMEOUT = timedelta(minutes=10)  # a process that does not answer for so long is taken for lost
WAIT = timedelta(days=1)  # for the first process to look at its data before it trains
GO = "langwright/go"
READY = "langwright/ready/{rank}"
SAYING = 4096  # bytes of what one process says at once; more takes a second round
BUCKET = 8 * 2**20  # elements added up at once


class Processes:
    """See `training.crew.Crew`; each process holds everything."""

    def __init__(self, rank: int, size: int) -> None:
        self.rank, self.size = rank, size

    def gather(self, said: Any) -> list[Any]:
        """See `Crew.gather`; plain JSON travels, never a pickle."""
        data = json.dumps(said).encode()
        buffers = self._exchange(data, SAYING)
        lengths = [int.from_bytes(buffer[:4], "little") for buffer in buffers]
        if max(lengths) > SAYING:
            buffers = self._exchange(data, max(lengths))
        return [json.loads(buffer[4 : 4 + length]) for buffer, length in zip(buffers, lengths, strict=True)]

    def _exchange(self, data: bytes, room: int) -> list[bytes]:
        """Each process's length, and its bytes as far as there is room."""
        mine = torch.zeros(4 + room, dtype=torch.uint8)
        shown = len(data).to_bytes(4, "little") + data[:room]
        mine[: len(shown)] = torch.frombuffer(bytearray(shown), dtype=torch.uint8)
        found = [torch.empty_like(mine) for _ in range(self.size)]
        dist.all_gather(found, mine)
        return [buffer.numpy().tobytes() for buffer in found]

    def prepared(self, model: nn.Module, extra: Sequence[Tensor]) -> nn.Module:
        """The model, with the first process's weights and buffers."""
        with torch.no_grad():
            for tensor in [*model.parameters(), *model.buffers(), *extra]:
                dist.broadcast(tensor.detach() if tensor.is_contiguous() else tensor.detach().contiguous(), 0)
        return model

    def add_gradients(self, weights: Sequence[nn.Parameter]) -> bool:
        """See `Crew.add_gradients`; a weight that some did not use counts as zero there, one that none used stays without."""
        absent = [set(found) for found in self.gather([i for i, w in enumerate(weights) if w.grad is None])]
        unused = set.intersection(*absent)
        for number in absent[self.rank] - unused:
            weights[number].grad = torch.zeros_like(weights[number])
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        finite = bool(torch.isfinite(nn.utils.get_total_norm(gradients)))
        for bucket in buckets(gradients):
            flat = torch.cat([gradient.flatten() for gradient in bucket])
            dist.all_reduce(flat)
            for gradient, total in zip(bucket, torch.split(flat, [g.numel() for g in bucket]), strict=True):
                gradient.copy_(total.view_as(gradient))
        return finite

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


def buckets(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Gradients of one type in groups of about BUCKET elements, so that few messages are sent and little is copied at once."""
    for dtype in dict.fromkeys(gradient.dtype for gradient in gradients):
        group: list[Tensor] = []
        for gradient in (g for g in gradients if g.dtype is dtype):
            if group and sum(g.numel() for g in group) + gradient.numel() > BUCKET:
                yield group
                group = []
            group.append(gradient)
        if group:
            yield group


# --- coming together -----------------------------------------------------------------------------


@contextmanager
def joined(place: Place, device: str, run: Path) -> Iterator[Crew]:
    """Start the others or wait for them, and part at the end.

    raises  UserError where one of them stopped or did not answer
    """
    if ":" in device:
        raise UserError(
            "device {device} is one GPU, and {count} processes were asked for",
            fix="leave device at auto or cuda: each process takes the GPU of its number",
            device=device,
            count=place.together.processes,
        )
    if place.together.offload and device == "cpu":
        raise UserError(
            "offload moves parts of the model from a GPU to the machine's memory, and the device is {device}",
            fix="give {form}",
            form=FORM,
            device=device,
        )
    with helpers_of(place, run) as helpers:
        try:
            store = meeting_point(place, helpers)
            dist.init_process_group(
                "cpu:gloo,cuda:nccl" if device == "cuda" else "gloo",
                store=PrefixStore("langwright", store),
                rank=place.rank,
                world_size=place.together.processes,
                timeout=TIMEOUT,
            )
            try:
                yield crew_of(place, device)
            finally:
                dist.destroy_process_group()
        except RuntimeError as error:
            if not broke(error):
                raise
            raise helpers.loss_after(error) from error
        helpers.wait()


def broke(error: BaseException) -> bool:
    """Whether an error says that processes lost touch; gloo has no class of its own for that."""
    return isinstance(error, dist.DistError) or "gloo/" in str(error)


def crew_of(place: Place, device: str) -> Crew:
    """The crew for a strategy."""
    if place.together.strategy == "ddp":
        return Processes(place.rank, place.together.processes)
    from langwright.training.sharding import Sharded

    return Sharded(place.rank, place.together.processes, device, offload=place.together.offload)


def meeting_point(place: Place, helpers: Helpers) -> Store:
    """Where all of a run's processes find each other, once all are there."""
    store: Store
    if not place.helper:
        store = launcher_store()
    else:
        # One machine, so nothing is to be reachable from outside; the port is whichever is free.
        interface = loopback()
        if interface is not None:
            os.environ.setdefault("GLOO_SOCKET_IFNAME", interface)
        store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
        helpers.start(store.port)
    store.set(READY.format(rank=place.rank), "")
    if place.rank == 0:
        store.set(GO, place.key)
    others = [READY.format(rank=rank) for rank in range(place.together.processes)]
    until = time.monotonic() + TIMEOUT.total_seconds()
    while not store.check(others):
        helpers.check()
        if time.monotonic() > until:
            raise not_answering(TimeoutError(f"not all of {len(others)} processes came"))
        time.sleep(0.02)
    return store


def launcher_store() -> Store:
    """The meeting point that RANK, MASTER_ADDR and their like tell of; the first process or the launcher keeps it."""
    found: tuple[Store, int, int] = next(rendezvous("env://", timeout=WAIT))
    return found[0]


def wait_for_first(key: str, rank: int) -> None:
    """Wait until the first process has looked at its data and is about to train.

    raises  UserError where it was asked for something else
    """
    store = launcher_store()
    store.wait([GO], WAIT)
    if store.get(GO).decode() != key:
        raise UserError(
            "process {rank} was started with another stage, settings or inputs than process 0",
            fix="start all with the same command, on the same files",
            rank=rank,
        )
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", rank)))
