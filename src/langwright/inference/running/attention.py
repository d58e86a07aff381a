"""Attention of rows that run together, packed into one row of tokens, each over keys and values of its own.

Registered with transformers as "langwright-packed". A model set to it is given the tokens of many
requests as one row, with `position_ids`; everything but attention treats tokens alike, and attention asks
the step that runs which tokens belong together. Keys and values lie with us (shelves.py), model code is
untouched, transformers' own cache is not used.

The mask function builds no mask: it says how far back a layer looks, nothing where that is everything.
Whatever else a model wants of attention (a mask of its own, a bias for positions, chunks) is refused with
`Unpackable`, and such a model runs in another tier.

Shapes    T packed tokens    R rows of a shelf    C tokens of a piece    S positions held
          N query heads    K key-value heads    G = N / K    H width of a head
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AttentionInterface, AttentionMaskInterface, PretrainedConfig

NAME = "langwright-packed"
CHOSEN = "_attn_implementation_internal"  # where a config keeps what was chosen; its setter takes longer than a layer

MEANINGLESS = frozenset(
    {"sliding_window", "position_ids", "use_cache", "output_attentions", "output_hidden_states", "cache_position",
     "return_dict", "deterministic", "output_router_logits"}
)  # fmt: skip
"""Arguments that change nothing here; a window counts as the mask has it, which is what "sdpa" goes by."""


class Unpackable(Exception):
    """What a model asks of attention that packed rows cannot give: a template and its values."""

    def __init__(self, problem: str, **values: object) -> None:
        super().__init__(problem, values)
        self.problem = problem
        self.values = values


@dataclass(frozen=True)
class Window:
    """What stands for the mask of a layer that sees so many positions, its own included."""

    size: int


class Manner(NamedTuple):
    """How one layer attends."""

    scale: float
    window: int | None
    softcap: float | None
    sinks_N: Tensor | None


class Part(Protocol):
    """Neighbouring tokens of a step that attend in one call."""

    @property
    def tokens(self) -> int:
        """How many."""
        ...

    def attend(self, layer: int, q_TNH: Tensor, k_TKH: Tensor, v_TKH: Tensor, manner: Manner) -> Tensor:
        """Keep the keys and values of these tokens, and say what they see, shape (T, N, H)."""
        ...


_RUNNING = threading.local()


@contextmanager
def packed(configs: Sequence[PretrainedConfig], parts: Sequence[Part]) -> Iterator[None]:
    """Until the end of the block this thread's forward pass is over these parts, in this order.

    configs  of the model that is run: `configs_of` it
    """
    before = [vars(config)[CHOSEN] for config in configs]
    _RUNNING.parts, _RUNNING.sizes = parts, [part.tokens for part in parts]
    try:
        for config in configs:
            vars(config)[CHOSEN] = NAME
        yield
    finally:
        for config, name in zip(configs, before, strict=True):
            vars(config)[CHOSEN] = name
        del _RUNNING.parts, _RUNNING.sizes


def configs_of(model: nn.Module) -> list[PretrainedConfig]:
    """The configs that a model's modules read, each once."""
    configs = (getattr(module, "config", None) for module in model.modules())
    return list({id(config): config for config in configs if isinstance(config, PretrainedConfig)}.values())


# --- as transformers calls it ------------------------------------------------------------------


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Window | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    softcap: float | None = None,
    s_aux: Tensor | None = None,
    is_causal: bool | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention of (1, N, T, H) queries to what their parts hold and to themselves; gives (1, T, N, H).

    raises  Unpackable for anything else than causal attention with windows, soft caps and sinks
    """
    if attention_mask is not None and not isinstance(attention_mask, Window):
        raise Unpackable("it makes a mask of its own")
    for name, given in kwargs.items():
        if given is not None and name not in MEANINGLESS:
            raise Unpackable("its attention takes {name}, which is not known here", name=name)
    layer = getattr(module, "layer_idx", None)
    if not isinstance(layer, int) or is_causal is False or dropout:
        raise Unpackable("its attention is not that of causal layers with numbers")
    manner = Manner(
        float(query.shape[-1] ** -0.5 if scaling is None else scaling),
        None if attention_mask is None else attention_mask.size,
        softcap,
        s_aux,
    )
    parts, sizes = _RUNNING.parts, _RUNNING.sizes
    one = query.shape[2] == 1  # token, as where a single row writes: each view less is felt there
    q_TNH, k_TKH, v_TKH = (x.squeeze(2) if one else x[0].transpose(0, 1) for x in (query, key, value))
    if len(parts) == 1:
        return parts[0].attend(layer, q_TNH, k_TKH, v_TKH, manner)[None], None
    split = zip(parts, *(x.split(sizes) for x in (q_TNH, k_TKH, v_TKH)), strict=True)  # type: ignore[no-untyped-call]
    return torch.cat([part.attend(layer, q, k, v, manner) for part, q, k, v in split])[None], None


def packed_mask(
    config: PretrainedConfig, local_size: int | None = None, use_vmap: bool = False, **kwargs: Any
) -> Window | None:
    """How far back layers of this kind look; None where they see everything before them.

    raises  Unpackable for masks that are neither causal nor a sliding window
    """
    if use_vmap or "allow_is_bidirectional_skip" in kwargs:
        raise Unpackable("it makes a mask of its own")
    if local_size is None:
        return None
    if local_size != getattr(config, "sliding_window", None):
        raise Unpackable("its layers look at chunks of the text")
    return Window(local_size)


AttentionInterface.register(NAME, packed_attention)
AttentionMaskInterface.register(NAME, packed_mask)


# --- as a function of tensors ------------------------------------------------------------------


def attend_rows(q_RNH: Tensor, k_RKSH: Tensor, v_RKSH: Tensor, mask_R11S: Tensor, manner: Manner) -> Tensor:
    """One query a row over all that the row holds, shape (R, N, H); the mask is added to the scores."""
    R, N, H = q_RNH.shape
    K = k_RKSH.shape[1]
    q_RKGH = q_RNH.view(R, K, N // K, H)
    out_RKGH = scored(q_RKGH, k_RKSH, v_RKSH, mask_R11S, manner)
    return out_RKGH.reshape(R, N, -1)


def attend_piece(q_CNH: Tensor, k_KSH: Tensor, v_KSH: Tensor, mask_CS: Tensor | None, manner: Manner) -> Tensor:
    """The last C of S positions, which see themselves and what the mask leaves of those before; shape (C, N, H).

    mask_CS  added to the scores; None where C equals S and everything before is seen
    """
    C, N, _ = q_CNH.shape
    K = k_KSH.shape[0]
    plain = manner.softcap is None and manner.sinks_N is None
    if mask_CS is None and plain:
        q_1NCH = q_CNH.transpose(0, 1)[None]
        out_1NCH: Tensor = F.scaled_dot_product_attention(
            q_1NCH, k_KSH[None], v_KSH[None], is_causal=True, scale=manner.scale, enable_gqa=K != N
        )
        return out_1NCH[0].transpose(0, 1)
    if mask_CS is None:
        mask_CS = earlier(torch.arange(C, device=q_CNH.device), C, None, q_CNH.dtype)
    G = N // K
    q_CKGH = q_CNH.unflatten(1, (K, G))  # type: ignore[no-untyped-call]
    q_1KMH = q_CKGH.permute(1, 2, 0, 3).reshape(1, K, G * C, -1)
    mask_MS = mask_CS.repeat(G, 1)
    if plain:
        out_1KMH = F.scaled_dot_product_attention(
            q_1KMH, k_KSH[None], v_KSH[None], attn_mask=mask_MS[None, None], scale=manner.scale
        )
    else:
        out_1KMH = scored(q_1KMH, k_KSH[None], v_KSH[None], mask_MS, manner, C)
    return out_1KMH.view(K, G, C, -1).permute(2, 0, 1, 3).reshape(C, N, -1)


def scored(q_RKMH: Tensor, k_RKSH: Tensor, v_RKSH: Tensor, mask: Tensor, manner: Manner, each: int = 1) -> Tensor:
    """Attention by matrix products, with all that a manner may ask for, shape (R, K, M, H).

    For single queries on a CPU this is several times faster than torch's own attention, which is made for many.

    mask  added to the scores, broadcastable to (R, K, M, S)
    each  neighbouring queries of the M that belong to one head
    """
    scores_RKMS = (q_RKMH * manner.scale) @ k_RKSH.transpose(-1, -2)
    if manner.softcap is not None:
        scores_RKMS = (scores_RKMS / manner.softcap).tanh() * manner.softcap
    scores_RKMS = scores_RKMS.add_(mask)
    if manner.sinks_N is None:
        return scores_RKMS.softmax(-1, dtype=torch.float32).to(v_RKSH.dtype) @ v_RKSH
    R, K, M, S = scores_RKMS.shape
    sinks_KM = manner.sinks_N.float().view(K, -1).repeat_interleave(each, 1)
    whole = torch.cat([scores_RKMS.float(), sinks_KM[None, :, :, None].expand(R, K, M, 1)], -1)
    return whole.softmax(-1)[..., :S].to(v_RKSH.dtype) @ v_RKSH


def earlier(positions_C: Tensor, size: int, window: int | None, dtype: torch.dtype) -> Tensor:
    """What is added to the scores of queries at these positions: 0 where they look, else minus infinity; (C, S)."""
    behind_CS = positions_C[:, None] - torch.arange(size, device=positions_C.device)
    hidden_CS = behind_CS < 0
    if window is not None:
        hidden_CS |= behind_CS >= window
    return torch.zeros(hidden_CS.shape, dtype=dtype, device=positions_C.device).masked_fill_(hidden_CS, -torch.inf)
