"""A model of these shapes as a GGUF file, for llama.cpp: F16, Q8_0 or Q4_0, every matrix alike, as is fastest there.

Runs where the package `gguf` is installed. Not a way to export models: it knows no other architecture than Llama's
and writes a vocabulary of numbers.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

KINDS = ("F16", "Q8_0", "Q4_0")
NAMES = {
    "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
}  # fmt: skip


def write(folder: Path, kind: str, file: Path) -> None:
    """The model of a transformers folder as one file."""
    import gguf
    from safetensors.numpy import load_file

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
    writer = gguf.GGUFWriter(str(file), "llama")
    describe(writer, config)
    wanted = gguf.GGMLQuantizationType[kind]
    for full, array in load_file(str(folder / "model.safetensors")).items():
        name = name_of(full)
        part = name.split(".")[-2]
        if part in heads:
            array = interleaved(array, heads[part])
        keeps = array.ndim == 1  # norms
        numbers = array.astype("float32") if keeps else gguf.quants.quantize(array.astype("float32"), wanted)
        writer.add_tensor(name, numbers, raw_dtype=gguf.GGMLQuantizationType.F32 if keeps else wanted)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def describe(writer: Any, config: dict[str, Any]) -> None:
    """Sizes, and tokens of which most are called by their numbers."""
    import gguf

    count = config["vocab_size"]
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_dimension_count(config["hidden_size"] // config["num_attention_heads"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    writer.add_vocab_size(count)
    bytes_ = [(f"<0x{byte:02X}>", gguf.TokenType.BYTE) for byte in range(256)]
    special = [("<unk>", gguf.TokenType.UNKNOWN), *((name, gguf.TokenType.CONTROL) for name in ("<s>", "</s>"))]
    known = [*special, *bytes_]  # llama.cpp opens no vocabulary without
    tokens = [*known, *((f"t{id}", gguf.TokenType.NORMAL) for id in range(len(known), count))]
    writer.add_tokenizer_model("llama")
    writer.add_token_list([text for text, _ in tokens])
    writer.add_token_scores([-float(id) for id in range(count)])
    writer.add_token_types([kind for _, kind in tokens])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)


def name_of(full: str) -> str:
    """What llama.cpp calls a tensor.

    >>> name_of("model.layers.3.self_attn.q_proj.weight"), name_of("model.norm.weight")
    ('blk.3.attn_q.weight', 'output_norm.weight')
    """
    outside = {"model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight"}
    if full in outside:
        return outside[full]
    layer, _, rest = full.removeprefix("model.layers.").partition(".")
    return f"blk.{layer}.{NAMES[rest.removesuffix('.weight')]}.weight"


def interleaved(weight: Any, heads: int) -> Any:
    """Rows of queries or keys as llama.cpp rotates them: neighbours in pairs, and not the two halves of a head."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)
