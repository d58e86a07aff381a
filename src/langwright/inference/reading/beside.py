"""Texts that an encoder reads together, laid end to end: nothing is padded, and each attends to itself alone.

A batch reaches a model padded, as ever, and leaves it so: what embeds texts and what makes labels of them is not touched.
Only in front of the stack of layers, where nearly all of the time goes, the padding is taken out, and behind it put back.
The stack treats positions alike but for attention, and that is told the lengths: it stands in transformers' interface
as "langwright-beside", whose mask is no mask but says which positions are texts' own.

Whether a model can be read so is found by reading some (ready.py); what its attention wants beside is refused.

Source    Zhai et al. 2022 (ByteTransformer), arXiv:2210.03052 (the padding-free algorithm); Krell et al. 2021,
          arXiv:2107.02027, section 3.2 (packing without cross-contamination)
Differs   the model's code stays as it is and no kernel is ours; texts of one length, which stand together where batches
          are made by length, attend in one call, and each other length in one of its own
Shapes    B rows    T positions    P texts' positions end to end    N heads    H width of a head    W width
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import AttentionInterface, AttentionMaskInterface, PretrainedConfig, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import bidirectional_mask_function, sdpa_mask

from langwright.inference.running.attention import CHOSEN, MEANINGLESS, Unpackable, configs_of
from langwright.models.parity import inside

NAME = "langwright-beside"
BY_HAND = 48  # positions of bfloat16 from which two matrix products are faster than torch's attention
BY_HEADS = 192  # of float32 from which products by oneDNN, a head at a time, are
PRODUCT = "_linear_pointwise"  # oneDNN's, which torch lacks where it was built without


@dataclass(frozen=True)
class Lengths:
    """What stands for the mask of a padded batch.

    runs      (texts, positions of each) of neighbouring rows of one length
    places_P  int64, where the texts' positions are among the B·T of the batch
    shape     B, T
    """

    runs: tuple[tuple[int, int], ...]
    places_P: Tensor
    shape: tuple[int, int]

    @classmethod
    def of(cls, mask_BT: Tensor) -> Lengths:
        """The lengths of rows by their mask, true for texts."""
        sizes = mask_BT.sum(1).tolist()
        runs = tuple((len(list(same)), int(size)) for size, same in groupby(sizes) if size)
        B, T = mask_BT.shape
        return cls(runs, mask_BT.flatten().nonzero().squeeze(1), (B, T))

    def beside(self, x_BTW: Tensor) -> Tensor:
        """(B, T, W) without padding, (1, P, W)."""
        return x_BTW.flatten(0, 1)[self.places_P][None]

    def apart(self, x_1PW: Tensor) -> Tensor:
        """(1, P, W) with zeros for padding, (B, T, W)."""
        B, T = self.shape
        x_BTW = x_1PW.new_zeros(B * T, x_1PW.shape[-1])
        x_BTW[self.places_P] = x_1PW[0]
        return x_BTW.view(B, T, -1)


# --- as transformers calls it ------------------------------------------------------------------


def beside_mask(
    batch_size: int,
    q_length: int,
    kv_length: int,
    mask_function: Callable[..., Any] | None = None,
    attention_mask: Tensor | None = None,
    use_vmap: bool = False,
    **kwargs: Any,
) -> Lengths | Tensor | None:
    """The lengths of rows whose positions all see each other, None where nothing is padded; other masks as ever."""
    both_ways = mask_function is bidirectional_mask_function and not use_vmap and q_length == kv_length
    if both_ways and attention_mask is not None and attention_mask.dim() == 2:
        return None if bool(attention_mask.all()) else Lengths.of(attention_mask)
    given = {} if mask_function is None else {"mask_function": mask_function}
    mask: Tensor | None = sdpa_mask(
        batch_size=batch_size, q_length=q_length, kv_length=kv_length, attention_mask=attention_mask,
        use_vmap=use_vmap, **given, **kwargs,
    )  # fmt: skip
    return mask


def beside_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Lengths | Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention of (B, N, T, H), or of (1, N, P, H) beside each other, each text to itself; gives (B, T, N, H).

    raises  Unpackable where texts lie beside each other and more is wanted than plain attention
    """
    plain = not any(value is not None for name, value in kwargs.items() if name not in MEANINGLESS | {"is_causal"})
    causal = getattr(module, "is_causal", True) if kwargs.get("is_causal") is None else kwargs["is_causal"]
    beside = isinstance(attention_mask, Lengths)
    alike = query.shape == key.shape == value.shape and not dropout and not causal and plain
    if beside and not alike:
        raise Unpackable("its attention is not that of an encoder")
    if not alike or isinstance(attention_mask, Tensor):
        out, _ = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **kwargs
        )  # fmt: skip
        return out, None
    scale = float(query.shape[-1] ** -0.5 if scaling is None else scaling)
    if not isinstance(attention_mask, Lengths):
        return attended(query, key, value, scale).transpose(1, 2), None
    q_PNH, k_PNH, v_PNH = (x[0].transpose(0, 1) for x in (query, key, value))
    found, at = [], 0
    for texts, size in attention_mask.runs:
        end = at + texts * size
        rows = [x[at:end].view(texts, size, *x.shape[1:]).transpose(1, 2) for x in (q_PNH, k_PNH, v_PNH)]
        found.append(attended(rows[0], rows[1], rows[2], scale).transpose(1, 2).flatten(0, 1))
        at = end
    return torch.cat(found)[None], None


AttentionInterface.register(NAME, beside_attention)
AttentionMaskInterface.register(NAME, beside_mask)


# --- as a function of tensors ------------------------------------------------------------------


def attended(q_BNTH: Tensor, k_BNTH: Tensor, v_BNTH: Tensor, scale: float) -> Tensor:
    """Every position's attention to all of its row, (B, N, T, H), by what is fastest for rows of this length on a CPU."""
    on_cpu, T = q_BNTH.device.type == "cpu", q_BNTH.shape[2]
    if on_cpu and q_BNTH.dtype == torch.bfloat16 and T >= BY_HAND:
        scores_BNTT = (q_BNTH * scale) @ k_BNTH.transpose(-1, -2)
        return scores_BNTT.softmax(-1) @ v_BNTH
    if on_cpu and q_BNTH.dtype == torch.float32 and T >= BY_HEADS and hasattr(torch.ops.mkldnn, PRODUCT):
        return by_heads(q_BNTH, k_BNTH, v_BNTH, scale)
    return F.scaled_dot_product_attention(q_BNTH, k_BNTH, v_BNTH, scale=scale)


def by_heads(q_BNTH: Tensor, k_BNTH: Tensor, v_BNTH: Tensor, scale: float) -> Tensor:
    """The same by oneDNN's products, one head after the other: torch multiplies float32 batches by MKL, which is slow on AMD."""
    product = partial(getattr(torch.ops.mkldnn, PRODUCT), B=None, attr="none", scalars=[], algorithm="")
    B, N, T, H = q_BNTH.shape
    q_MTH, k_MTH = ((x.reshape(B * N, T, H)) for x in (q_BNTH * scale, k_BNTH))
    v_MHT = v_BNTH.transpose(-1, -2).reshape(B * N, H, T)
    heads = zip(q_MTH.contiguous(), k_MTH.contiguous(), v_MHT.contiguous(), strict=True)
    found = [product(product(q_TH, k_TH).softmax(-1), v_HT) for q_TH, k_TH, v_HT in heads]
    return torch.stack(found).view(B, N, T, H)


# --- around a model's layers -------------------------------------------------------------------


def stack_of(model: PreTrainedModel) -> nn.Module | None:
    """The module that holds an encoder's layers and nothing else; None where its layers stand in the model itself."""
    body = inside(model).base_model
    for module in body.modules():
        if any(isinstance(child, nn.ModuleList) for child in module.children()):
            return None if module is body else module
    return None


def lay_beside(model: PreTrainedModel) -> list[Callable[[], object]]:
    """Let texts lie beside each other in a model's layers; what takes it back.

    raises  Unpackable for a model whose layers cannot be given them
    """
    stack = stack_of(model)
    if stack is None or model.config.is_encoder_decoder:
        raise Unpackable("its layers are not those of an encoder")
    configs = configs_of(model)
    before = [vars(config)[CHOSEN] for config in configs]
    handles = [
        stack.register_forward_pre_hook(enter, with_kwargs=True),
        stack.register_forward_hook(leave, with_kwargs=True),
    ]
    set_attention(configs, [NAME] * len(configs))
    return [*(handle.remove for handle in handles), partial(set_attention, configs, before)]


@contextmanager
def seen_beside(model: PreTrainedModel) -> Iterator[None]:
    """Within the block texts have to be read beside each other at least once.

    raises  Unpackable where they were not, for the model makes masks of its own
    """
    stack, seen = stack_of(model), []

    def watch(stack: nn.Module, args: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
        seen.append(lengths_in(args, named))

    assert stack is not None  # or else they were not laid
    handle = stack.register_forward_hook(watch, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()
    if not any(seen):
        raise Unpackable("its layers are not those of an encoder")


def set_attention(configs: list[PretrainedConfig], names: list[str]) -> None:
    """Choose how models of these configs attend."""
    for config, name in zip(configs, names, strict=True):
        vars(config)[CHOSEN] = name


def enter(stack: nn.Module, args: tuple[Any, ...], named: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]] | None:  # fmt: skip
    """Take the padding out of hidden states, where the mask says lengths."""
    lengths = lengths_in(args, named)
    if lengths is None:
        return None
    if args:
        return (lengths.beside(args[0]), *args[1:]), named
    return args, {**named, "hidden_states": lengths.beside(named["hidden_states"])}


def leave(stack: nn.Module, args: tuple[Any, ...], named: dict[str, Any], output: Any) -> Any:
    """Put it back."""
    lengths = lengths_in(args, named)
    if lengths is None:
        return None
    output["last_hidden_state"] = lengths.apart(output["last_hidden_state"])
    return output


def lengths_in(args: tuple[Any, ...], named: dict[str, Any]) -> Lengths | None:
    """The lengths among what a stack is given."""
    return next((one for one in (*args, *named.values()) if isinstance(one, Lengths)), None)
