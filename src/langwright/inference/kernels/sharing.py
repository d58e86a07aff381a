"""Which linears of a model are given the same tensor, found by watching one forward pass.

Shapes    T tokens    V vocabulary
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from langwright.models.parity import is_nested

TRIED = 7  # tokens of the forward pass that is watched


def linear_names(model: nn.Module) -> dict[str, nn.Module]:
    """The plain linear layers of a model by name, each once, without those that an adapter brought."""
    from langwright.inference.kernels.linears import is_linear

    return {name: module for name, module in model.named_modules() if is_linear(module) and "lora_" not in name}


def shared_inputs(
    model: PreTrainedModel, linears: Mapping[str, nn.Module]
) -> tuple[list[tuple[str, ...]], frozenset[str]]:
    """Names of the linears in groups that one module gives the same tensor, in the order of the calls; those called."""
    calls: list[tuple[str, Tensor]] = []  # the tensors are held, so that none takes the place of another

    def watch(name: str) -> Any:
        return lambda module, given: calls.append((name, given[0])) if given else None

    handles = [module.register_forward_pre_hook(watch(name)) for name, module in linears.items()]
    try:
        forward(model, trial_ids(model))
    finally:
        for handle in handles:
            handle.remove()
    groups: dict[tuple[int, str], list[str]] = {}
    for name, given in calls:
        group = groups.setdefault((id(given), name.rpartition(".")[0]), [])
        if name not in group:
            group.append(name)
    counts = {name: sum(name in group for group in groups.values()) for name in linears}
    found = [tuple(group) for group in groups.values() if all(counts[name] == 1 for name in group)]
    apart = {name for group in found for name in group}
    return [*found, *((name,) for name in linears if name not in apart)], frozenset(name for name, _ in calls)


def trial_ids(model: PreTrainedModel, tokens: int = TRIED, rows: int = 1) -> Tensor:
    """Random token ids, always the same, shape (rows, tokens)."""
    generator = torch.Generator().manual_seed(tokens)
    size = model.get_input_embeddings().num_embeddings
    return torch.randint(size, (rows, tokens), generator=generator)


@torch.no_grad()
def forward(model: PreTrainedModel, ids_1T: Tensor) -> Tensor:
    """Logits (T, V) of one row of ids, float32; of a model that has none, its last hidden states.

    Of a head that says one thing of the whole row its logits (C,), of one that tells where answers stand (T, 2).
    """
    ids_1T = ids_1T.to(model.device)
    more = {"decoder_input_ids": ids_1T} if model.config.is_encoder_decoder else {}
    if is_nested(model):
        ids_1T = ids_1T[:, None]
    return said_in(model(input_ids=ids_1T, use_cache=False, **more))[0].float()


def said_in(output: Any) -> Tensor:
    """What a model said: its logits, beginnings beside ends of answers, or else its last hidden states."""
    if "start_logits" in output:
        return torch.stack([output.start_logits, output.end_logits], dim=-1)
    found: Tensor = output.logits if "logits" in output else output.last_hidden_state
    return found


@contextmanager
def apart(sites: Sequence[Any]) -> Iterator[None]:
    """Within the block every linear computes on its own."""
    for site in sites:
        site.shares = False
        site.forget()
    try:
        yield
    finally:
        for site in sites:
            site.shares = True
            site.forget()
