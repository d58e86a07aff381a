"""Attention inside documents, under the name "langwright" in transformers' attention interface.

A model set to it computes causal attention that begins anew at each document of a packed row, and
never builds a T × T mask. Documents are told by `document_boundaries` or `cu_seq_lens_q` among the
model's keyword arguments, else by `position_ids` that begin anew, which is transformers' own convention
for packed rows. Encoders, whose positions see each other, are computed in the same way where no mask is given.
Whatever is not such plain attention of equal lengths (padding masks, a cache with something in it,
sliding windows) goes to transformers' "sdpa" unchanged.

On the CPU the work is one custom operator, opaque to torch.compile, so that a compiled model neither
unrolls its loops nor is compiled again for other boundaries. Its gradient is batched matrix products;
torch's own flash gradient for the CPU is the slowest part of training a small model.

Source    Krell et al. 2021, arXiv:2107.02027, section 3.2 (packing without cross-contamination)
          Dao et al. 2022, arXiv:2205.14135 (the logarithm of the row sums is all a gradient needs)
Shapes    B rows    T positions    N query heads    K key heads    H head width
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from langwright.models.attention_blocks import accumulation_type, attend_blocks, attend_blocks_backward
from langwright.models.documents import document_groups

if TYPE_CHECKING:
    from collections.abc import Callable

    from transformers import PreTrainedConfig

NAME = "langwright"

FAMILIES = frozenset({"gpt2", "gpt_neox", "llama", "mistral", "olmo2", "phi3", "qwen2", "qwen3", "smollm3", "stablelm"})
"""Model types whose packed documents are tested to give the logits of each document alone."""
ENCODERS = frozenset({"bert", "electra"})
"""Model types whose positions all see each other, tested to give the same logits and gradients."""


def attention_for(config: PreTrainedConfig) -> str | None:
    """The attention a model of this config is best loaded with; None leaves the choice to transformers."""
    return NAME if config.model_type in FAMILIES | ENCODERS else None


# --- as transformers calls it ------------------------------------------------------------------


def document_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    document_boundaries: Tensor | None = None,
    cu_seq_lens_q: Tensor | None = None,
    position_ids: Tensor | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention of (B, N, T, H) queries to (B, K, T, H) keys and values; gives (B, T, N, H).

    Under autocast all three are brought to its type, as torch does for its own attention: rotary positions
    leave queries and keys in float32.
    """
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    special = any(kwargs.get(name) is not None for name in ("softcap", "position_bias", "s_aux", "cache"))
    documents = document_boundaries if document_boundaries is not None else cu_seq_lens_q
    plain = attention_mask is None and not special and query.shape[2] == key.shape[2]
    ours = plain and (causal or (documents is None and dropout == 0.0 and query.device.type == "cpu"))
    if not ours:
        out, _ = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, is_causal=is_causal, **kwargs
        )
        return out, None
    if documents is None and causal:
        documents = position_ids
    scale = float(query.shape[-1] ** -0.5 if scaling is None else scaling)
    dtype = value.dtype
    if torch.is_autocast_enabled(value.device.type):
        dtype = torch.get_autocast_dtype(value.device.type)
    q_BNTH, k_BKTH, v_BKTH = query.to(dtype), key.to(dtype), value.to(dtype)
    if not causal:
        return attend_on_cpu(q_BNTH, k_BKTH, v_BKTH, None, scale, False)[0], None
    return attend(q_BNTH, k_BKTH, v_BKTH, documents, scale, dropout), None


def document_mask(
    batch_size: int,
    q_length: int,
    kv_length: int,
    q_offset: int | Tensor = 0,
    kv_offset: int = 0,
    attention_mask: Tensor | None = None,
    local_size: int | None = None,
    use_vmap: bool = False,
    **kwargs: Any,
) -> Tensor | None:
    """None where `document_attention` needs no mask, else what "sdpa" would use."""
    plain = (
        attention_mask is None
        and isinstance(q_offset, int)
        and q_offset == 0
        and kv_offset == 0
        and q_length == kv_length
        and (local_size is None or kv_length < local_size)
        and not use_vmap  # someone's own mask function
        and "allow_is_bidirectional_skip" not in kwargs  # a bidirectional mask
    )
    if plain:
        return None
    mask: Tensor | None = sdpa_mask(
        batch_size=batch_size,
        q_length=q_length,
        kv_length=kv_length,
        q_offset=q_offset,
        kv_offset=kv_offset,
        attention_mask=attention_mask,
        local_size=local_size,
        use_vmap=use_vmap,
        **kwargs,
    )
    return mask


AttentionInterface.register(NAME, document_attention)
AttentionMaskInterface.register(NAME, document_mask)


# --- as a function of tensors ------------------------------------------------------------------


def attend(
    q_BNTH: Tensor, k_BKTH: Tensor, v_BKTH: Tensor, documents: Tensor | None, scale: float, dropout: float = 0.0
) -> Tensor:
    """Causal attention inside each document, shape (B, T, N, H).

    documents  as in `document_groups`; None makes every row one document
    dropout    share of the attention weights set to zero
    """
    if q_BNTH.device.type == "cpu" and dropout == 0.0:
        out_BTNH: Tensor = attend_on_cpu(q_BNTH, k_BKTH, v_BKTH, documents, scale, True)[0]
        return out_BTNH
    return attend_uncompiled(q_BNTH, k_BKTH, v_BKTH, documents, scale, dropout)


def attend_by_group(
    q_BNTH: Tensor, k_BKTH: Tensor, v_BKTH: Tensor, documents: Tensor | None, scale: float, dropout: float
) -> Tensor:
    """The same through torch's own attention, one call for each group of documents: any device, with dropout."""
    B, N, T, H = q_BNTH.shape
    groups = document_groups(documents, B, T)
    parts = []
    for group in groups:
        q_MNLH, k_MKLH, v_MKLH = (group.take(x) for x in (q_BNTH, k_BKTH, v_BKTH))
        out_MNLH = F.scaled_dot_product_attention(
            q_MNLH, k_MKLH, v_MKLH, is_causal=True, scale=scale, dropout_p=dropout, enable_gqa=k_BKTH.shape[1] != N
        )
        if group.whole:
            return out_MNLH.transpose(1, 2).contiguous()
        parts.append(group.real(out_MNLH))
    places = torch.cat([group.real_places() for group in groups])
    return torch.cat(parts)[places.argsort().to(q_BNTH.device)].view(B, T, N, H)


attend_uncompiled: Callable[..., Tensor] = torch.compiler.disable(attend_by_group)  # type: ignore[no-untyped-call]


# --- the operator ------------------------------------------------------------------------------


@torch.library.custom_op("langwright::document_attention", mutates_args=(), device_types="cpu")
def attend_on_cpu(
    q_BNTH: Tensor, k_BKTH: Tensor, v_BKTH: Tensor, documents: Tensor | None, scale: float, causal: bool
) -> tuple[Tensor, Tensor]:
    """What is attended to, where `causal` is off by whole rows only, as the zeros behind shorter documents would be seen.

    returns  out (B, T, N, H) and the logarithms of the row sums (B, T, N), which the gradient needs."""
    B, N, T, H = q_BNTH.shape
    out_BTNH = q_BNTH.new_empty(B, T, N, H)
    lse_BTN = torch.empty(B, T, N, dtype=accumulation_type(q_BNTH.dtype))
    for group in document_groups(documents, B, T):
        out_MNLH, lse_MNL = attend_group(group.take(q_BNTH), group.take(k_BKTH), group.take(v_BKTH), scale, causal)
        group.put(out_BTNH, out_MNLH)
        group.put(lse_BTN[..., None], lse_MNL[..., None])
    return out_BTNH, lse_BTN


@torch.library.custom_op("langwright::document_attention_backward", mutates_args=(), device_types="cpu")
def attend_on_cpu_backward(
    dout_BTNH: Tensor,
    q_BNTH: Tensor,
    k_BKTH: Tensor,
    v_BKTH: Tensor,
    out_BTNH: Tensor,
    lse_BTN: Tensor,
    documents: Tensor | None,
    scale: float,
    causal: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of queries, keys and values, laid out as (B, T, heads, H) in memory."""
    B, _, T, H = q_BNTH.shape
    inputs = (dout_BTNH.transpose(1, 2), q_BNTH, k_BKTH, v_BKTH, out_BTNH.transpose(1, 2))
    found = tuple(x.new_empty(B, T, x.shape[1], H) for x in (q_BNTH, k_BKTH, v_BKTH))
    for group in document_groups(documents, B, T):
        taken = [group.take(x) for x in inputs]
        lse_MNL = group.take(lse_BTN.transpose(1, 2)[..., None])[..., 0]
        if q_BNTH.dtype is torch.float16:  # the exponentials of what lies above the diagonal would overflow
            taken = [x.float() for x in taken]
        dout, q, k, v, out_MNLH = taken
        gradients = attend_blocks_backward(dout, q, k, v, out_MNLH, lse_MNL, scale, causal=causal)
        for out, gradient in zip(found, gradients, strict=True):
            group.put(out, gradient)
    return tuple(x.transpose(1, 2) for x in found)  # type: ignore[return-value]


@attend_on_cpu.register_fake
def _(
    q_BNTH: Tensor, k_BKTH: Tensor, v_BKTH: Tensor, documents: Tensor | None, scale: float, causal: bool
) -> tuple[Tensor, Tensor]:
    B, N, T, H = q_BNTH.shape
    return q_BNTH.new_empty(B, T, N, H), q_BNTH.new_empty(B, T, N, dtype=accumulation_type(q_BNTH.dtype))


@attend_on_cpu_backward.register_fake
def _(
    dout_BTNH: Tensor, q_BNTH: Tensor, k_BKTH: Tensor, v_BKTH: Tensor, *_: Tensor | float | None
) -> tuple[Tensor, ...]:
    return tuple(
        x.new_empty(x.shape[0], x.shape[2], x.shape[1], x.shape[3]).transpose(1, 2) for x in (q_BNTH, k_BKTH, v_BKTH)
    )


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    *tensors, documents, scale, causal = inputs
    ctx.save_for_backward(*tensors, *output)
    ctx.documents, ctx.scale, ctx.causal = documents, scale, causal


def _backward(ctx: Any, dout_BTNH: Tensor, _dlse: Tensor) -> tuple[Tensor | None, ...]:
    gradients = attend_on_cpu_backward(dout_BTNH, *ctx.saved_tensors, ctx.documents, ctx.scale, ctx.causal)
    return (*gradients, None, None, None)


attend_on_cpu.register_autograd(_backward, setup_context=_keep)


def attend_group(q_MNLH: Tensor, k_MKLH: Tensor, v_MKLH: Tensor, scale: float, causal: bool) -> tuple[Tensor, Tensor]:
    """Forward of one group by whichever kernel is fast here; the choice depends on the processor alone.

    torch's flash kernel multiplies bfloat16 fast with AMX only; float32 is equally fast either way, and
    the flash kernel needs less memory.
    """
    if q_MNLH.dtype is torch.bfloat16 and not has_matrix_tiles():
        return attend_blocks(q_MNLH, k_MKLH, v_MKLH, scale, causal=causal)
    G = q_MNLH.shape[1] // k_MKLH.shape[1]
    q_MNLH, k_MKLH, v_MKLH = (x if x.stride(-1) == 1 else x.contiguous() for x in (q_MNLH, k_MKLH, v_MKLH))
    outs, sums = (
        q_MNLH.new_empty(q_MNLH.shape),
        q_MNLH.new_empty(q_MNLH.shape[:3], dtype=accumulation_type(q_MNLH.dtype)),
    )
    for number in range(G):  # query heads number, number + G, … share the key heads in order
        outs[:, number::G], sums[:, number::G] = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(
            q_MNLH[:, number::G], k_MKLH, v_MKLH, 0.0, causal, scale=scale
        )
    return outs, sums


@cache
def has_matrix_tiles() -> bool:
    """Whether the processor multiplies bfloat16 tiles (AMX)."""
    return bool(torch.cpu.get_capabilities().get("amx_tile", False))
