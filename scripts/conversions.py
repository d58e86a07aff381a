"""From a public file to the form that tests and recipes read: one small function for each step.

A step takes the contents of its sources and its options, and returns the contents of one file. Where rows
were drawn at random, the draw is made again: `drawn` gives the same rows in the same order, whatever the
machine, because Python's generator and its shuffle are the same everywhere.
"""

from __future__ import annotations

import csv
import io
import json
import math
import random
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

Step = Callable[..., bytes]


def copy(data: bytes) -> bytes:
    """The file as it is."""
    return data


def unix_lines(data: bytes) -> bytes:
    """CR LF becomes LF."""
    return data.replace(b"\r\n", b"\n")


# --- Chinese prose -----------------------------------------------------------------------------


def passages(squad: bytes) -> bytes:
    """The paragraphs of a SQuAD-style file, one a line, each once."""
    table = json.loads(squad)
    contexts = (paragraph["context"] for article in table["data"] for paragraph in article["paragraphs"])
    return lines(dict.fromkeys(context.replace("\n", " ") for context in contexts))


def abstracts(*tables: bytes) -> bytes:
    """The second column of tab-separated files, one a line, each once."""
    rows = (row for table in tables for row in table.decode("utf-8").split("\n") if row)
    return lines(dict.fromkeys(row.split("\t")[1] for row in rows))


def lines(texts: Iterable[str]) -> bytes:
    """One text a line."""
    return "".join(f"{text}\n" for text in texts).encode("utf-8")


# --- rows drawn at random ------------------------------------------------------------------------


def drawn(rows: Iterable[str], skip: int, start: int, stop: int) -> list[str]:
    """Rows start to stop of a shuffle with seed 7, after `skip` 32-bit words of its stream were used by others."""
    generator = random.Random(7)
    if skip:
        generator.getrandbits(32 * skip)
    order = list(rows)
    generator.shuffle(order)
    return order[start:stop]


def drawn_lines(data: bytes, *, skip: int, start: int, stop: int) -> bytes:
    """Drawn rows of a file without header, one row a line."""
    return lines(drawn([row for row in data.decode("utf-8").split("\n") if row], skip, start, stop))


def drawn_csv(data: bytes, *, header: str, has_header: bool, skip: int, start: int, stop: int) -> bytes:
    """Drawn rows of a CSV file, those without text left out, under the given header."""
    table = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    rows = [row for row in table[int(has_header) :] if row[-1].strip()]
    numbers = drawn([str(number) for number in range(len(rows))], skip, start, stop)
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header.split(","))
    writer.writerows(rows[int(number)] for number in numbers)
    return out.getvalue().encode("utf-8")


# --- a llama2.c checkpoint as a Hugging Face folder ----------------------------------------------


@dataclass(frozen=True)
class Shape:
    """The seven numbers at the head of a llama2.c checkpoint."""

    width: int
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    vocabulary: int  # positive: the head is the embedding
    context: int

    @property
    def head_width(self) -> int:
        return self.width // self.heads


def shape_of(checkpoint: bytes) -> Shape:
    """Read the header."""
    return Shape(*struct.unpack("<7i", checkpoint[:28]))


def llama_tensors(checkpoint: bytes) -> Iterator[tuple[str, tuple[int, ...], bytes]]:
    """(name in transformers, shape, little-endian float32) of every weight.

    llama2.c turns neighbouring channels of a head together, transformers turns channel i with channel
    i + half; the rows of the query and key projections are reordered accordingly.
    """
    s = shape_of(checkpoint)
    kv = s.kv_heads * s.head_width
    groups: tuple[tuple[str, int, tuple[int, ...]], ...] = (
        ("model.embed_tokens.weight", 1, (s.vocabulary, s.width)),
        ("input_layernorm.weight", s.layers, (s.width,)),
        ("self_attn.q_proj.weight", s.layers, (s.width, s.width)),
        ("self_attn.k_proj.weight", s.layers, (kv, s.width)),
        ("self_attn.v_proj.weight", s.layers, (kv, s.width)),
        ("self_attn.o_proj.weight", s.layers, (s.width, s.width)),
        ("post_attention_layernorm.weight", s.layers, (s.width,)),
        ("mlp.gate_proj.weight", s.layers, (s.hidden, s.width)),
        ("mlp.down_proj.weight", s.layers, (s.width, s.hidden)),
        ("mlp.up_proj.weight", s.layers, (s.hidden, s.width)),
        ("model.norm.weight", 1, (s.width,)),
    )
    position = 28
    for name, count, dims in groups:
        size = 4 * math.prod(dims)
        turned = name in ("self_attn.q_proj.weight", "self_attn.k_proj.weight")
        for layer in range(count):
            data = checkpoint[position : position + size]
            position += size
            full = name if count == 1 else f"model.layers.{layer}.{name}"
            yield full, dims, half_split(data, s.width, s.head_width) if turned else data


def half_split(data: bytes, columns: int, head_width: int) -> bytes:
    """Rows of each head in the order 0, 2, 4, …, 1, 3, 5, …"""
    row = 4 * columns
    order = [*range(0, head_width, 2), *range(1, head_width, 2)]
    heads = range(0, len(data), row * head_width)
    return b"".join(data[head + row * i : head + row * (i + 1)] for head in heads for i in order)


def llama_safetensors(checkpoint: bytes) -> bytes:
    """`model.safetensors`: an 8-byte length, a JSON header, the weights in the order of their names."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    body = bytearray()
    for name, dims, data in sorted(llama_tensors(checkpoint)):
        header[name] = {"dtype": "F32", "shape": dims, "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + bytes(body)


def llama_config(checkpoint: bytes) -> bytes:
    """`config.json`."""
    s = shape_of(checkpoint)
    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": s.vocabulary,
        "hidden_size": s.width, "intermediate_size": s.hidden, "num_hidden_layers": s.layers,
        "num_attention_heads": s.heads, "num_key_value_heads": s.kv_heads, "head_dim": s.head_width,
        "max_position_embeddings": s.context, "hidden_act": "silu", "rms_norm_eps": 1e-05, "rope_theta": 10000.0,
        "attention_bias": False, "mlp_bias": False, "tie_word_embeddings": True, "bos_token_id": 1,
        "eos_token_id": 2, "torch_dtype": "float32", "use_cache": True,
    }  # fmt: skip
    return pretty(config) + b"\n"


def llama_generation(checkpoint: bytes) -> bytes:
    """`generation_config.json`: the mark that begins a text also ends it."""
    return pretty({"bos_token_id": 1, "eos_token_id": [1, 2], "do_sample": False})


SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}


def llama_special_tokens(checkpoint: bytes) -> bytes:
    """`special_tokens_map.json`."""
    return pretty(SPECIAL) + b"\n"


def llama_tokenizer_config(checkpoint: bytes) -> bytes:
    """`tokenizer_config.json`."""
    more = {
        "add_bos_token": True,
        "clean_up_tokenization_spaces": False,
        "model_max_length": shape_of(checkpoint).context,
    }
    return pretty({"tokenizer_class": "PreTrainedTokenizerFast", **SPECIAL, **more}) + b"\n"


def pieces(table: bytes) -> Iterator[tuple[str, float]]:
    """(piece, score) of a llama2.c tokenizer file, in the order of their ids."""
    position = 4  # the first number is the length of the longest piece
    while position < len(table):
        score, length = struct.unpack_from("<fi", table, position)
        yield table[position + 8 : position + 8 + length].decode("utf-8"), score
        position += 8 + length


def llama_tokenizer(table: bytes) -> bytes:
    """`tokenizer.json`: byte-pair encoding whose merges are the ways to make a piece from two others, best first."""
    names = [name.strip() if name.strip() in ("<s>", "</s>") else name for name, score in pieces(table)]
    vocabulary = {name.replace(" ", "▁"): number for number, name in enumerate(names)}
    special = [
        {"id": number, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
         "normalized": False, "special": True}
        for number, content in enumerate(("<unk>", "<s>", "</s>"))
    ]  # fmt: skip
    space = {"String": " "}
    table_out = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": {
            "type": "Sequence",
            "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": space, "content": "▁"}],
        },
        "pre_tokenizer": None,
        "post_processor": first_token_processor(),
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
                {"type": "Strip", "content": " ", "start": 1, "stop": 0},
            ],
        },
        "model": {
            "type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
            "vocab": vocabulary, "merges": merges(vocabulary),
        },
    }  # fmt: skip
    return pretty(table_out) + b"\n"


def first_token_processor() -> dict[str, object]:
    """Every text begins with `<s>`."""

    def begun(sequence: str, number: int) -> list[dict[str, object]]:
        return [{"SpecialToken": {"id": "<s>", "type_id": number}}, {"Sequence": {"id": sequence, "type_id": number}}]

    return {
        "type": "TemplateProcessing",
        "single": begun("A", 0),
        "pair": begun("A", 0) + begun("B", 1),
        "special_tokens": {"<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]}},
    }


def merges(vocabulary: dict[str, int]) -> list[list[str]]:
    """Every way to make a piece of two others; pieces in the order of their ids, which is that of their scores."""
    found = []
    for piece in list(vocabulary)[259:]:  # after three marks and 256 bytes
        cuts = [(piece[:at], piece[at:]) for at in range(1, len(piece))]
        known = [(left, right) for left, right in cuts if left in vocabulary and right in vocabulary]
        found += [list(cut) for cut in sorted(known, key=lambda cut: (vocabulary[cut[0]], vocabulary[cut[1]]))]
    return found


def pretty(table: object) -> bytes:
    """JSON with two blanks of indent."""
    return json.dumps(table, indent=2, ensure_ascii=False).encode("utf-8")


STEPS: dict[str, Step] = {
    step.__name__: step
    for step in (
        copy, unix_lines, passages, abstracts, drawn_lines, drawn_csv, llama_safetensors, llama_config,
        llama_generation, llama_special_tokens, llama_tokenizer_config, llama_tokenizer,
    )
}  # fmt: skip
