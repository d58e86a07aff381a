"""Models with random weights, from transformers' own classes.

Weights are normal with a standard deviation of 0.02; the matrices that write into the residual stream
(attention output, second feed-forward matrix) are divided by sqrt(2 · layers), so that the stream does
not grow with depth.

Source    Radford et al. 2019, "Language Models are Unsupervised Multitask Learners", section 2.3;
          transformers does so for GPT-2 itself, here it is done for the Llama family too
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn
from transformers import BertConfig, ElectraConfig, GPT2Config, LlamaConfig

from langwright.errors import UserError
from langwright.models.attention import attention_for
from langwright.models.dropout import with_dropout
from langwright.models.encoder_decoders import bart_config, set_decoder_start, t5_config
from langwright.models.heads import OWN_HEADS, Head, auto_class
from langwright.models.presets import ModelType, Preset

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

RESIDUAL_WRITERS = ("self_attn.o_proj.weight", "mlp.down_proj.weight")  # transformers' names in the Llama family


@dataclass(frozen=True)
class SpecialIds:
    """Ids a model's config names; None where there is none."""

    begin: int | None = None
    end: int | None = None
    pad: int | None = None

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> SpecialIds:
        """As the tokenizer has them.

        A pad token that is also the first or last of a text is left out: transformers never trains the
        embedding of a model's pad token, and those must be learned.
        """
        begin, end, pad = tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id
        return cls(begin, end, None if pad in (begin, end) else pad)


def build_model(
    shape: Preset | PreTrainedConfig,
    vocab_size: int | None = None,
    context: int | None = None,
    seed: int = 0,
    tokenizer: PreTrainedTokenizerBase | None = None,
    special: SpecialIds | None = None,
    head: Head | None = None,
    dropout: float | None = None,
) -> PreTrainedModel:
    """A model with random float32 weights on the CPU, in training mode.

    shape       a preset, or any config of transformers
    vocab_size  rows of the embedding; the shape's own when left out
    context     most positions, T; the shape's own when left out
    seed        draws the weights; torch's own generators are left as they were
    tokenizer   gives the special ids, where `special` does not
    head        what it is to say; the family's own when left out
    dropout     share of activations set to zero in training; the shape's own when left out
    raises      UserError for a vocabulary or context that cannot be, or a tokenizer with more ids than the vocabulary
    """
    config = build_config(shape, vocab_size, context, tokenizer, special)
    if dropout is not None:
        config = with_dropout(config, dropout)
    with generator_kept():
        torch.default_generator.manual_seed(seed)
        model: PreTrainedModel = auto_class(head or OWN_HEADS.get(config.model_type, "causal")).from_config(
            config, attn_implementation=attention_for(config), dtype=torch.float32
        )
        scale_residual_writers(model)
    return model.train()


def build_config(
    shape: Preset | PreTrainedConfig,
    vocab_size: int | None = None,
    context: int | None = None,
    tokenizer: PreTrainedTokenizerBase | None = None,
    special: SpecialIds | None = None,
) -> PreTrainedConfig:
    """transformers' config of a shape with these changes, as in `build_model`; the shape itself is left as it is."""
    if special is None and tokenizer is not None:
        special = SpecialIds.of(tokenizer)
    if isinstance(shape, Preset):
        config = preset_config(shape, special or SpecialIds())
    else:
        config = type(shape).from_dict(shape.to_dict())
        if special is not None:
            set_special(config, special)
    if vocab_size is not None:
        config.vocab_size = vocab_size
    if context is not None:
        config.max_position_embeddings = context
    check_config(config, tokenizer)
    return config


def preset_config(preset: Preset, special: SpecialIds) -> PreTrainedConfig:
    """transformers' config of a preset; dropout is off, as in one pass over fresh text there is nothing to overfit."""
    config = CONFIGS[preset.model_type](preset)
    config.vocab_size, config.tie_word_embeddings = preset.vocab_size, preset.tie_word_embeddings
    set_special(config, special)
    return config


def set_special(config: PreTrainedConfig, special: SpecialIds) -> None:
    """Name the special ids in a config, and what a decoder begins with where an encoder stands before it."""
    config.bos_token_id, config.eos_token_id, config.pad_token_id = special.begin, special.end, special.pad
    set_decoder_start(config)


def gpt2_config(preset: Preset) -> GPT2Config:
    """GPT-2's."""
    return GPT2Config(
        n_embd=preset.hidden_size,
        n_layer=preset.num_hidden_layers,
        n_head=preset.num_attention_heads,
        n_inner=preset.intermediate_size,
        n_positions=preset.max_position_embeddings,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
    )


def llama_config(preset: Preset) -> LlamaConfig:
    """The Llama family's."""
    return LlamaConfig(
        hidden_size=preset.hidden_size,
        num_hidden_layers=preset.num_hidden_layers,
        num_attention_heads=preset.num_attention_heads,
        num_key_value_heads=preset.num_key_value_heads,
        intermediate_size=preset.intermediate_size,
        max_position_embeddings=preset.max_position_embeddings,
        rms_norm_eps=1e-5,
    )


def bert_config(preset: Preset) -> BertConfig:
    """BERT's."""
    return BertConfig(
        hidden_size=preset.hidden_size,
        num_hidden_layers=preset.num_hidden_layers,
        num_attention_heads=preset.num_attention_heads,
        intermediate_size=preset.intermediate_size,
        max_position_embeddings=preset.max_position_embeddings,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )


def electra_config(preset: Preset) -> ElectraConfig:
    """ELECTRA's: of the discriminator, which is what is kept."""
    return ElectraConfig(
        embedding_size=preset.own_embedding_size or preset.hidden_size,
        hidden_size=preset.hidden_size,
        num_hidden_layers=preset.num_hidden_layers,
        num_attention_heads=preset.num_attention_heads,
        intermediate_size=preset.intermediate_size,
        max_position_embeddings=preset.max_position_embeddings,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )


CONFIGS: dict[ModelType, Callable[[Preset], PreTrainedConfig]] = {
    "bert": bert_config,
    "electra": electra_config,
    "gpt2": gpt2_config,
    "llama": llama_config,
    "t5": t5_config,
    "bart": bart_config,
}


def check_config(config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase | None) -> None:
    """UserError for sizes that cannot be built or used."""
    if config.vocab_size < 1 or config.max_position_embeddings < 1:
        raise UserError(
            "a model with a vocabulary of {vocab_size} and a context of {context} cannot be built",
            fix="give numbers of at least 1",
            vocab_size=config.vocab_size,
            context=config.max_position_embeddings,
        )
    if tokenizer is not None and len(tokenizer) > config.vocab_size:
        raise UserError(
            "the tokenizer has {ids} ids, and the model's vocabulary has room for {vocab_size}",
            fix="build the model with a vocabulary of at least {ids}",
            ids=len(tokenizer),
            vocab_size=config.vocab_size,
        )


@torch.no_grad()
def scale_residual_writers(model: nn.Module) -> None:
    """Divide what writes into the residual stream by sqrt(2 · layers), in place; see the module."""
    writers = [weight for name, weight in model.named_parameters() if name.endswith(RESIDUAL_WRITERS)]
    for weight in writers:
        weight.div_(math.sqrt(len(writers)))  # two a layer


@contextmanager
def generator_kept() -> Iterator[None]:
    """Give torch's generator of the CPU back the state it had; those of GPUs are never touched."""
    state = torch.default_generator.get_state()
    try:
        yield
    finally:
        torch.default_generator.set_state(state)
