"""The families that read with one stack of layers and write with another: their configs, and what training them takes.

Source    Raffel et al. 2020, arXiv:1910.10683, section 2.1 (T5: relative positions, norms without bias, ReLU);
          Lewis et al. 2020, arXiv:1910.13461, section 2.1 (BART: learned positions, GELU)
          Operations are counted as in `sizes`, with every matrix at the positions it is used at: the encoder's and
          cross-attention's keys and values at those of the encoder, all others at those of the decoder.
Shapes    S encoder positions    T decoder positions    N heads    A = N · head width
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from langwright.models.heads import auto_class

if TYPE_CHECKING:
    from transformers import BartConfig, PreTrainedConfig, T5Config

    from langwright.models.presets import Preset
    from langwright.models.sizes import ComputeType

Kept = dict["ComputeType", tuple[tuple[int, int, int], tuple[int, int, int]]]

CROSS_KEYS = ("EncDecAttention.k", "EncDecAttention.v", "encoder_attn.k_proj", "encoder_attn.v_proj")
"""Matrices of the decoder that read what the encoder wrote, as transformers names them in T5's and in BART's kin."""


def t5_config(preset: Preset) -> T5Config:
    """T5's as first published. Its positions are relative; the context it was trained with is kept all the same."""
    from transformers import T5Config

    return T5Config(
        d_model=preset.hidden_size,
        num_layers=preset.num_hidden_layers,
        num_heads=preset.num_attention_heads,
        d_kv=preset.head_dim,
        d_ff=preset.intermediate_size,
        max_position_embeddings=preset.max_position_embeddings,
        dropout_rate=0.0,
    )


def bart_config(preset: Preset) -> BartConfig:
    """BART's."""
    from transformers import BartConfig

    return BartConfig(
        d_model=preset.hidden_size,
        encoder_layers=preset.num_hidden_layers,
        decoder_layers=preset.num_hidden_layers,
        encoder_attention_heads=preset.num_attention_heads,
        decoder_attention_heads=preset.num_attention_heads,
        encoder_ffn_dim=preset.intermediate_size,
        decoder_ffn_dim=preset.intermediate_size,
        max_position_embeddings=preset.max_position_embeddings,
        dropout=0.0,
    )


def set_decoder_start(config: PreTrainedConfig) -> None:
    """Name the token that the decoder begins with, as each family was published: T5's pad token, else the last of a text."""
    if config.is_encoder_decoder:
        config.decoder_start_token_id = config.pad_token_id if config.model_type == "t5" else config.eos_token_id
        if config.model_type == "bart":
            config.forced_eos_token_id = config.eos_token_id


@dataclass(frozen=True)
class Counted:
    """Numbers of weights."""

    parameters: int
    encoder: int  # of matrices that are multiplied with at encoder positions
    decoder: int  # the same at decoder positions, the head included


def count(config: PreTrainedConfig, vocab_size: int, context: int) -> Counted:
    """Counts of any such model of transformers, by building it without memory."""
    import torch

    from langwright.models.sizes import number_of_weights

    config = type(config).from_dict(config.to_dict())
    config.vocab_size, config.max_position_embeddings = vocab_size, context
    with torch.device("meta"):
        model = auto_class("seq2seq").from_config(config)
    encoder = decoder = 0
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.Linear):
            if name.endswith(CROSS_KEYS) or "encoder" in name.split("."):
                encoder += module.weight.numel()
            else:
                decoder += module.weight.numel()
    return Counted(number_of_weights(model), encoder, decoder)


def forward_operations(config: PreTrainedConfig, counted: Counted, length: int, decoded: float) -> float:
    """Floating-point operations of a forward pass, a position of encoder or decoder.

    length   positions of the wider of the two
    decoded  share of all positions that are the decoder's
    """
    S, T = widths(length, decoded)
    layers, A = config.num_hidden_layers, config.hidden_size
    attention: float = layers * A * (4 * S * S + 2 * T * T + 4 * T * S)  # causal: half
    return 2 * ((1 - decoded) * counted.encoder + decoded * counted.decoder) + attention / (S + T)


def widths(length: int, decoded: float) -> tuple[float, float]:
    """S and T, the wider one `length`."""
    return (length, length * decoded / (1 - decoded)) if decoded <= 0.5 else (length * (1 - decoded) / decoded, length)


def row_bytes(
    config: PreTrainedConfig, vocab_size: int, length: int, decoded: float, dtype: ComputeType, checkpointing: bool
) -> float:
    """What is kept of one row for the backward pass, the logits with the loss's copies of them.

    Of a layer, for each position: a multiple of D, of the feed-forward width and of the heads, as autograd keeps
    them. T5's attention has a learned bias, whose gradient needs the whole matrix of weights: N numbers for each
    pair of positions. Families that are neither are counted as T5.
    """
    S, T = widths(length, decoded)
    narrow = 2 if dtype == "bfloat16" else 4
    D, F, N, layers = config.hidden_size, feed_forward(config), config.num_attention_heads, config.num_hidden_layers
    kept = BART_KEPT if config.model_type == "bart" else T5_KEPT
    pairs = 0 if config.model_type == "bart" else 4 * N * (S * S + T * T)
    encoder, decoder = (of_D * D + of_F * F + of_N * N + 24 for of_D, of_F, of_N in kept[dtype])
    layer = encoder * S + decoder * T + pairs
    stack: float = layer + 4 * D * (S + T) * layers if checkpointing else layer * layers
    ends: float = 12 * D * (S + T) + (8 + narrow) * vocab_size * T
    return stack + ends


def feed_forward(config: PreTrainedConfig) -> int:
    """Width of the feed-forward layers."""
    found: int = getattr(config, "d_ff", None) or getattr(config, "encoder_ffn_dim", None) or 4 * config.hidden_size
    return found


T5_KEPT: Kept = {"float32": ((48, 4, 4), (60, 4, 0)), "bfloat16": ((46, 4, 4), (52, 4, 0))}
BART_KEPT: Kept = {"float32": ((40, 8, 4), (48, 8, 8)), "bfloat16": ((32, 4, 4), (34, 4, 8))}
"""Bytes for each of D, F and N that a layer of encoder and of decoder keeps of a position; a test holds them."""
