"""Several processes, each with a part of weights, gradients and optimizer: fully sharded data parallelism.

Source    Rajbhandari et al. 2020, "ZeRO", arXiv:1910.02054, section 5 (stage 3); Zhao et al. 2023, "PyTorch FSDP",
          arXiv:2304.11277; torch's own second implementation, `fully_shard`, does the work
Differs   gradients are summed, not averaged: a loss is already divided by the units of all processes. The model
          that was given stays as it is but for its weights, which are emptied during the run and filled at its
          end, so that whoever holds it needs to know nothing
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import CPUOffloadPolicy, FSDPModule, OffloadPolicy, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from langwright.errors import UserError
from langwright.training.processes import Processes


class Sharded(Processes):
    """See `training.crew.Crew`."""

    def __init__(self, rank: int, size: int, device: str, *, offload: bool) -> None:
        super().__init__(rank, size)
        self.mesh = init_device_mesh(device, (size,))
        self.policy = CPUOffloadPolicy() if offload else OffloadPolicy()
        self.trained: nn.Module | None = None

    def prepared(self, model: nn.Module, extra: Sequence[Tensor]) -> nn.Module:
        """A copy of the model in parts; the model itself is emptied.

        raises  UserError when the objective has weights of its own
        """
        if extra:
            raise UserError(
                "this objective has weights of its own, which fsdp does not keep in parts", fix="use ddp: --on processes:{count}",
                count=self.size,
            )  # fmt: skip
        super().prepared(model, extra)
        self.trained = copy.deepcopy(model)
        for weight in model.parameters():
            weight.data = weight.data.new_empty(0)
        for module in (*blocks(self.trained), self.trained):
            shard = fully_shard(module, mesh=self.mesh, offload_policy=self.policy)
            assert isinstance(shard, FSDPModule)
            shard.set_gradient_divide_factor(1.0)
            shard.set_force_sum_reduction_for_comms(True)  # gloo knows no other
        return self.trained

    def add_gradients(self, weights: Sequence[nn.Parameter]) -> bool:
        """They were added up during the backward pass; whose were not finite is not known."""
        return True

    def whole(self, tensor: Tensor) -> Tensor:
        """All processes' parts put together."""
        return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor

    def part(self, whole: Tensor, like: Tensor) -> Tensor:
        """This process's part; nothing is sent, since each has the whole."""
        if not isinstance(like, DTensor) or whole.shape != like.shape:
            return whole
        return distribute_tensor(whole.to(like.device), like.device_mesh, like.placements, src_data_rank=None)

    @contextmanager
    def filled(self, model: nn.Module) -> Iterator[None]:
        """Put together in the first process, and emptied again."""
        self.finish(model)
        try:
            yield
        finally:
            for weight in model.parameters():
                weight.data = weight.data.new_empty(0)

    @torch.no_grad()
    def finish(self, model: nn.Module) -> None:
        """Weights and buffers, put together; in the other processes the model stays empty."""
        assert self.trained is not None
        targets = dict(model.named_parameters())
        for name, weight in self.trained.named_parameters():
            whole = self.whole(weight.detach())
            if self.rank == 0:
                targets[name].data = whole.to(targets[name].device)
        buffers = dict(model.named_buffers())
        for name, buffer in self.trained.named_buffers():
            buffers[name].copy_(buffer)


def blocks(model: nn.Module) -> list[nn.Module]:
    """The layers whose weights are fetched together: those that transformers says must not be split."""
    names = set(getattr(model, "_no_split_modules", None) or ())
    for module in model.modules():  # a model inside a model, as peft wraps it
        names |= set(getattr(module, "_no_split_modules", None) or ())
    return [module for module in model.modules() if type(module).__name__ in names]
