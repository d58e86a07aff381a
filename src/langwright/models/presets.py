"""Shapes of models to train from scratch, by name. To add one: add its line to PRESETS.

Fields are named as in the `config.json` of transformers, and every preset is built from transformers'
own classes. Parameter counts are at the preset's own `vocab_size`, embedding and head tied.

Sources   Touvron et al. 2023, arXiv:2302.13971 (the Llama family: pre-norm, SwiGLU, rotary positions)
          Radford et al. 2019, "Language Models are Unsupervised Multitask Learners" (the GPT-2 family:
          learned positions, GELU with a feed-forward width of 4 × hidden)
          A SwiGLU layer has three matrices where GELU has two, so 8/3 × hidden gives the Llama-style
          preset and its GPT-2-style twin nearly the same size (Shazeer 2020, arXiv:2002.05202).
          Devlin et al. 2019, arXiv:1810.04805, section 3 (BERT: norms after each block, learned positions, two
          token types), in the sizes of Turc et al. 2019, arXiv:1908.08962, table 1, with vocabularies of ours
          Raffel et al. 2020, arXiv:1910.10683 (the T5 family: relative positions, ReLU); Lewis et al. 2020,
          arXiv:1910.13461 (the BART family: learned positions, GELU). Encoder and decoder have half of the
          twin's layers each.
          Clark et al. 2020, arXiv:2003.10555, appendix A, table 6 (ELECTRA: `electra-small` and `electra-base`)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from langwright.errors import unknown

ModelType = Literal["llama", "gpt2", "bert", "electra", "t5", "bart"]


@dataclass(frozen=True)
class Preset:
    """A shape; vocabulary and context may be replaced when a model is built."""

    name: str
    model_type: ModelType
    hidden_size: int
    num_hidden_layers: int  # of an encoder-decoder, in each of the two
    num_attention_heads: int
    num_key_value_heads: int
    intermediate_size: int
    vocab_size: int
    max_position_embeddings: int  # tokens
    tie_word_embeddings: bool = True
    own_head_dim: int | None = None  # where it is not hidden_size / num_attention_heads
    own_embedding_size: int | None = None  # width of the embeddings where it is not the model's

    @property
    def head_dim(self) -> int:
        """Width of one attention head, H."""
        return self.own_head_dim or self.hidden_size // self.num_attention_heads


_ALL = (
    #                               hidden layers heads  kv  mlp   vocab  context
    Preset("tiny", "llama",            128,  4,    4,    4,  352,   2048,  512),  # 1.1M
    Preset("mini", "llama",            256,  4,    4,    4,  672,   8192,  512),  # 5.2M
    Preset("small", "llama",           288,  6,    6,    6,  768,   8192,  512),  # 8.3M
    Preset("base", "llama",            768, 12,   12,   12, 2048,  32000, 1024),  # 109.5M
    Preset("gpt2-tiny", "gpt2",        128,  4,    4,    4,  512,   2048,  512),  # 1.1M
    Preset("gpt2-mini", "gpt2",        256,  4,    4,    4, 1024,   8192,  512),  # 5.4M
    Preset("gpt2-small", "gpt2",       288,  6,    6,    6, 1152,   8192,  512),  # 8.5M
    Preset("gpt2-base", "gpt2",        768, 12,   12,   12, 3072,  32000, 1024),  # 110.4M
    Preset("bert-tiny", "bert",        128,  2,    2,    2,  512,   2048,  512),  # 0.7M
    Preset("bert-mini", "bert",        256,  4,    4,    4, 1024,   8192,  512),  # 5.5M
    Preset("bert-small", "bert",       512,  4,    8,    8, 2048,   8192,  512),  # 17.3M
    Preset("bert-base", "bert",        768, 12,   12,   12, 3072,  32000,  512),  # 110.6M
    Preset("electra-tiny", "electra",  128,  2,    2,    2,  512,   2048,  512, own_embedding_size=64),  # 0.6M
    Preset("electra-mini", "electra",  256,  4,    4,    4, 1024,   8192,  512, own_embedding_size=128),  # 4.4M
    Preset("electra-small", "electra", 256, 12,    4,    4, 1024,   8192,  512, own_embedding_size=128),  # 10.7M
    Preset("electra-base", "electra",  768, 12,   12,   12, 3072,  32000,  512),  # 110.6M
    Preset("t5-tiny", "t5",            128,  2,    4,    4,  512,   2048,  512),  # 1.2M
    Preset("t5-mini", "t5",            256,  2,    4,    4, 1024,   8192,  512),  # 5.8M
    Preset("t5-small", "t5",           288,  3,    6,    6, 1152,   8192,  512),  # 9.3M
    Preset("bart-tiny", "bart",        128,  2,    4,    4,  512,   2048,  512),  # 1.3M
    Preset("bart-mini", "bart",        256,  2,    4,    4, 1024,   8192,  512),  # 6.0M
    Preset("bart-small", "bart",       288,  3,    6,    6, 1152,   8192,  512),  # 9.6M
)  # fmt: skip

PRESETS: dict[str, Preset] = {preset.name: preset for preset in _ALL}


def preset_named(name: str) -> Preset:
    """The preset of this name; UserError with the nearest one when there is none."""
    if name not in PRESETS:
        raise unknown("preset", name, PRESETS)
    return PRESETS[name]
