"""Parameters, floating-point operations and memory of a model, known from its shape before anything is allocated.

Operations of training a token are three times those of the forward pass's matrix products (a gradient
for the inputs and one for the weights, each as large as the product itself), the head included:

    forward = 2 · (weights of all matrices, the head included, the embedding not)
            + 2 · layers · (attention heads · head width) · T

where the last line is QKᵀ and PV, 2 · 2 · T · width, at half: a causal token attends to T / 2 others on average.
Where tokens see both sides it is whole. Of a head that is asked for some positions only, that share is counted.

Source    Kaplan et al. 2020, arXiv:2001.08361, section 2.1 (2 per weight forward, 6 for training);
          Chowdhery et al. 2022, arXiv:2204.02311, appendix B (the attention term, which we halve)

Memory of activations counts what autograd keeps of each layer, tensor by tensor, uncompiled; compiling a
model keeps less. The logits are counted with the copies that the loss makes of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from langwright.models.heads import OWN_HEADS, auto_class
from langwright.models.presets import Preset

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedConfig

ComputeType = Literal["float32", "bfloat16", "float16"]
FLOAT32 = 4  # bytes
ADAM_BYTES = 8  # two float32 moments a weight


GELU = ("bert", "electra", "gpt2")  # families with GPT-2's kind of layer


@dataclass(frozen=True)
class Estimate:
    """What training a model takes."""

    parameters: int
    trainable: int
    flops_per_token: float  # of training, at the length asked for
    weight_bytes: int  # float32, and a copy in the compute type where that is another
    gradient_bytes: int
    optimizer_bytes: int  # AdamW
    activation_bytes: int  # of all rows computed at once, logits included
    positions: int  # of all rows computed at once

    @property
    def activation_bytes_per_token(self) -> float:
        """Activations and logits of one position."""
        return self.activation_bytes / self.positions

    @property
    def fixed_bytes(self) -> int:
        """What does not grow with the batch."""
        return self.weight_bytes + self.gradient_bytes + self.optimizer_bytes

    @property
    def total_bytes(self) -> int:
        """At the most in one step."""
        return self.fixed_bytes + self.activation_bytes


@dataclass(frozen=True)
class Counted:
    """What the formulas need of a model. Widths are numbers of elements."""

    gelu: bool  # GPT-2's kind of layer; else the Llama family's
    hidden: int  # D
    layers: int
    heads: int  # N
    queries: int  # N · H
    keys: int  # K · H
    feed_forward: int  # F
    vocabulary: int  # V
    parameters: int
    matrices: int  # weights that are multiplied with, the head included
    causal: bool = True  # a token sees those before it only


def estimate(
    shape: Preset | PreTrainedConfig,
    length: int | None = None,
    *,
    rows: int = 1,
    dtype: ComputeType = "float32",
    vocab_size: int | None = None,
    context: int | None = None,
    trainable: int | None = None,
    checkpointing: bool = False,
    predicted: float = 1.0,
) -> Estimate:
    """What training a model of this shape takes.

    length         positions a row, T; the context when left out; of an encoder-decoder, of the wider of the two
    rows           rows computed at once, B
    dtype          type that matrices are multiplied in
    vocab_size     in place of the shape's own; so is context
    trainable      weights that are trained; all when left out
    checkpointing  activations are recomputed in the backward pass: only each layer's input is kept, and one layer's rest
    predicted      share of positions whose logits are computed; of an encoder-decoder, that are the decoder's, half
                   of them where nothing is said
    """
    if dtype == "float16":
        dtype = "bfloat16"  # as wide
    positions = context if context is not None else shape.max_position_embeddings
    if OWN_HEADS.get(shape.model_type) == "seq2seq" or getattr(shape, "is_encoder_decoder", False):
        size = positions if length is None else length
        return of_encoder_decoder(shape, size, rows, dtype, vocab_size, positions, trainable, checkpointing, predicted)
    counted = count(shape, vocab_size if vocab_size is not None else shape.vocab_size, positions)
    length = positions if length is None else length
    trained = counted.parameters if trainable is None else trainable
    seen = length if counted.causal else 2 * length
    head = counted.vocabulary * counted.hidden
    forward = 2 * (counted.matrices - (1 - predicted) * head) + 2 * counted.layers * counted.queries * seen
    return Estimate(
        parameters=counted.parameters,
        trainable=trained,
        flops_per_token=3.0 * forward,
        weight_bytes=counted.parameters * FLOAT32 + (2 * counted.matrices if dtype == "bfloat16" else 0),
        gradient_bytes=trained * FLOAT32,
        optimizer_bytes=trained * ADAM_BYTES,
        activation_bytes=activation_bytes(counted, rows * length, dtype, checkpointing, predicted),
        positions=rows * length,
    )


def of_encoder_decoder(
    shape: Preset | PreTrainedConfig,
    length: int,
    rows: int,
    dtype: ComputeType,
    vocab_size: int | None,
    context: int,
    trainable: int | None,
    checkpointing: bool,
    predicted: float,
) -> Estimate:
    """`estimate` of a model with two stacks of layers; what is predicted is what is decoded."""
    from langwright.models import encoder_decoders
    from langwright.models.building import build_config

    config = build_config(shape, vocab_size, context)
    counted = encoder_decoders.count(config, config.vocab_size, context)
    trained = counted.parameters if trainable is None else trainable
    decoded = predicted if predicted < 1 else 0.5
    matrices = counted.encoder + counted.decoder
    row = encoder_decoders.row_bytes(config, config.vocab_size, length, decoded, dtype, checkpointing)
    return Estimate(
        parameters=counted.parameters,
        trainable=trained,
        flops_per_token=3.0 * encoder_decoders.forward_operations(config, counted, length, decoded),
        weight_bytes=counted.parameters * FLOAT32 + (2 * matrices if dtype == "bfloat16" else 0),
        gradient_bytes=trained * FLOAT32,
        optimizer_bytes=trained * ADAM_BYTES,
        activation_bytes=round(rows * row),
        positions=round(rows * sum(encoder_decoders.widths(length, decoded))),
    )


def count(shape: Preset | PreTrainedConfig, vocab_size: int, context: int) -> Counted:
    """By formula for presets and their two families, else from the model itself without memory (torch's meta device)."""
    if isinstance(shape, Preset):
        if shape.model_type in ("llama", "gpt2"):
            return counted_by_formula(shape, shape.tie_word_embeddings, vocab_size, context, attention_bias=False)
        from langwright.models.building import build_config

        shape = build_config(shape)
    plain = shape.model_type == "llama" and not shape.mlp_bias
    if plain or (shape.model_type == "gpt2" and not shape.add_cross_attention):
        return counted_by_formula(
            as_preset(shape), shape.tie_word_embeddings, vocab_size, context,
            attention_bias=shape.model_type == "llama" and shape.attention_bias,
        )  # fmt: skip
    return counted_on_meta(shape, vocab_size, context)


def as_preset(config: PreTrainedConfig) -> Preset:
    """A config of the two families in a preset's fields."""
    gpt2 = config.model_type == "gpt2"
    return Preset(
        name="",
        model_type="gpt2" if gpt2 else "llama",
        hidden_size=config.hidden_size,
        num_hidden_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        num_key_value_heads=config.num_attention_heads if gpt2 else config.num_key_value_heads,
        intermediate_size=(config.n_inner or 4 * config.hidden_size) if gpt2 else config.intermediate_size,
        vocab_size=config.vocab_size,
        max_position_embeddings=config.max_position_embeddings,
        own_head_dim=None if gpt2 else config.head_dim,
    )


def counted_by_formula(preset: Preset, tied: bool, vocab_size: int, context: int, *, attention_bias: bool) -> Counted:
    """Exact counts of the two families."""
    D, F, L = preset.hidden_size, preset.intermediate_size, preset.num_hidden_layers
    queries = preset.num_attention_heads * preset.head_dim
    keys = preset.num_key_value_heads * preset.head_dim
    gelu = preset.model_type == "gpt2"
    attention = 2 * D * queries + 2 * D * keys
    feed_forward = (2 if gelu else 3) * D * F
    others = 9 * D + F if gelu else 2 * D + attention_bias * (queries + 2 * keys + D)  # biases and norms
    outside = (context * D + 2 * D) if gelu else D  # positions and the last norm
    layers = L * (attention + feed_forward)
    embeddings = vocab_size * D * (1 if tied else 2)
    return Counted(
        gelu, D, L, preset.num_attention_heads, queries, keys, F, vocab_size,
        parameters=embeddings + layers + L * others + outside,
        matrices=layers + vocab_size * D,
    )  # fmt: skip


def counted_on_meta(config: PreTrainedConfig, vocab_size: int, context: int) -> Counted:
    """Counts of any model of transformers with its family's own head, by building it without memory.

    Every expert of a mixture is counted as if each token used it.
    """
    import torch
    from transformers.pytorch_utils import Conv1D

    head = OWN_HEADS.get(config.model_type, "causal")
    config = type(config).from_dict(config.to_dict())
    config.vocab_size, config.max_position_embeddings = vocab_size, context
    with torch.device("meta"):
        model = auto_class(head).from_config(config)
    matrices = {
        id(module.weight): module.weight.numel()
        for module in model.modules()
        if isinstance(module, (torch.nn.Linear, Conv1D))
    }
    heads = config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // heads
    key_heads = getattr(config, "num_key_value_heads", None) or heads
    feed_forward = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    return Counted(
        config.model_type in GELU, config.hidden_size, config.num_hidden_layers, heads, heads * width, key_heads * width, feed_forward, vocab_size,
        parameters=number_of_weights(model),
        matrices=sum(matrices.values()),
        causal=head == "causal",
    )  # fmt: skip


def number_of_weights(model: nn.Module, *, trainable: bool = False) -> int:
    """Weights of a model, shared ones counted once; with `trainable` only those that are trained."""
    return sum(weight.numel() for weight in model.parameters() if weight.requires_grad or not trainable)


def activation_bytes(c: Counted, tokens: int, dtype: ComputeType, checkpointing: bool, predicted: float) -> int:
    """What is kept for the backward pass of this many positions, and the logits with the loss's copies of them.

    Of a Llama layer: twice a norm's input and its normalised form in float32; queries, keys, values, the
    attention's output and the two norms' outputs; gate, up, the activated gate and their product. Autocast
    keeps a norm's output once for each matrix that reads it. Of a GPT-2 layer: the norms' inputs, their
    outputs, queries, keys and values, the attention's output; the feed-forward width five times, as GELU's
    approximation is computed in steps. Both: a number a head, and the norms' statistics.
    """
    narrow = 2 if dtype == "bfloat16" else FLOAT32
    attention = 2 * c.queries + 2 * c.keys
    if c.gelu:
        layer = FLOAT32 * (2 * c.hidden + 4 + c.heads) + narrow * (2 * c.hidden + attention + 5 * c.feed_forward)
    else:
        copies = 5 if dtype == "bfloat16" else 2
        layer = FLOAT32 * (4 * c.hidden + 2 + c.heads) + narrow * (copies * c.hidden + attention + 4 * c.feed_forward)
    kept = FLOAT32 * c.hidden * c.layers + layer if checkpointing else layer * c.layers
    ends = FLOAT32 * (2 if c.gelu else 4) * c.hidden  # the last norm, and what the head reads
    logits = predicted * (2 * FLOAT32 + narrow) * c.vocabulary  # as made, their log-softmax, and its gradient
    return int(tokens * (kept + ends + logits))
