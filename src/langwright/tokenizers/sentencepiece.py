"""SentencePiece models, read without its library and turned into the rules of `tokenizers`.

Source    Kudo and Richardson 2018, arXiv:1808.06226; the layout of `sentencepiece_model.proto`
Limits    unigram and BPE models, as Llama-like checkpoints carry them; word and char models are refused
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from langwright.errors import UserError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

UNKNOWN, CONTROL, USER_DEFINED = 2, 3, 4  # types of pieces that are not plain text
UNIGRAM, BPE = 1, 2  # model types
SPACE = "▁"
Value = int | bytes


@dataclass
class Model:
    """What a `.model` file says."""

    pieces: list[tuple[str, float, int]] = field(default_factory=list)  # piece, score, type
    model_type: int = UNIGRAM
    byte_fallback: bool = False
    unk_id: int = 0
    bos_id: int = 1
    eos_id: int = 2
    pad_id: int = -1
    charsmap: bytes = b""
    dummy_prefix: bool = True
    remove_extra_spaces: bool = True


def read_model(path: Path) -> Model:
    """Read a `.model` file; UserError when it is not one."""
    model = Model()
    try:
        for number, value in fields(path.read_bytes()):
            if number == 1 and isinstance(value, bytes):
                model.pieces.append(piece(value))
            elif number == 2 and isinstance(value, bytes):
                read_trainer(model, value)
            elif number == 3 and isinstance(value, bytes):
                read_normalizer(model, value)
    except (IndexError, struct.error, UnicodeDecodeError, ValueError):
        model.pieces = []
    if not model.pieces or model.model_type not in (UNIGRAM, BPE):
        raise UserError(
            "{path} is not a SentencePiece model of type unigram or BPE",
            fix="give the tokenizer.json of the model instead, if it has one",
            path=path,
        )
    return model


def read_trainer(model: Model, data: bytes) -> None:
    """Type, byte fallback and the ids of marks."""
    for number, value in fields(data):
        if not isinstance(value, int):
            continue
        if number == 3:
            model.model_type = value
        elif number == 35:
            model.byte_fallback = bool(value)
        elif number in (40, 41, 42, 43):
            name = {40: "unk_id", 41: "bos_id", 42: "eos_id", 43: "pad_id"}[number]
            setattr(model, name, value)  # "none" is -1, which is written as a huge number and is no piece either


def read_normalizer(model: Model, data: bytes) -> None:
    """What is done to a text before it is cut."""
    for number, value in fields(data):
        if number == 2 and isinstance(value, bytes):
            model.charsmap = value
        elif number == 3:
            model.dummy_prefix = bool(value)
        elif number == 4:
            model.remove_extra_spaces = bool(value)


def piece(data: bytes) -> tuple[str, float, int]:
    """One vocabulary entry."""
    text, score, kind = "", 0.0, 1
    for number, value in fields(data):
        if number == 1 and isinstance(value, bytes):
            text = value.decode()
        elif number == 2 and isinstance(value, bytes):
            (score,) = struct.unpack("<f", value)
        elif number == 3 and isinstance(value, int):
            kind = value
    return text, score, kind


def fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """Field numbers and values of a protocol-buffer message; 32- and 64-bit values stay bytes."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = varint(data, at)
            yield number, value
            continue
        if wire == 2:
            size, at = varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if at + size > len(data):
            raise ValueError("the file ends inside a field")
        yield number, data[at : at + size]
        at += size


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of variable length, and where it ends."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, at
        shift += 7


# --- as rules of `tokenizers` --------------------------------------------------------------------


def to_tokenizer(model: Model) -> Tokenizer:
    """The same cuts, as a `tokenizers.Tokenizer`."""
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    unknown = model.pieces[model.unk_id][0]
    if model.model_type == UNIGRAM:
        vocabulary = [(text, score) for text, score, _ in model.pieces]
        tokenizer = Tokenizer(models.Unigram(vocabulary, unk_id=model.unk_id, byte_fallback=model.byte_fallback))
    else:
        ids = {text: number for number, (text, _, _) in enumerate(model.pieces)}
        tokenizer = Tokenizer(
            models.BPE(ids, merges(model), unk_token=unknown, fuse_unk=True, byte_fallback=model.byte_fallback)
        )
    steps: list[normalizers.Normalizer] = [normalizers.Precompiled(model.charsmap)] if model.charsmap else []
    if model.remove_extra_spaces:
        steps += [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    tokenizer.normalizer = normalizers.Sequence(steps)
    scheme = "always" if model.dummy_prefix else "never"
    # BPE merges reach over spaces in SentencePiece; a unigram's pieces hold a space only at their beginning.
    split = model.model_type == UNIGRAM
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme=scheme, split=split)
    parts = [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence([*parts, decoders.Strip(" ", 1, 0)] if model.dummy_prefix else parts)
    marks = [text for text, _, kind in model.pieces if kind in (UNKNOWN, CONTROL)]
    tokenizer.add_special_tokens([AddedToken(text, special=True, normalized=False) for text in marks])
    own = [text for text, _, kind in model.pieces if kind == USER_DEFINED]
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in own])
    return tokenizer


def merges(model: Model) -> list[tuple[str, str]]:
    """The merges that a BPE model's scores stand for: pieces by falling score, each from every pair that makes it."""
    scores = {text: score for text, score, kind in model.pieces if kind == 1}
    rank = {text: number for number, (text, _, _) in enumerate(model.pieces)}
    found = []
    for text in sorted(scores, key=lambda text: (-scores[text], rank[text])):
        pairs = [(text[:cut], text[cut:]) for cut in range(1, len(text))]
        known = [pair for pair in pairs if pair[0] in rank and pair[1] in rank]
        found += sorted(known, key=lambda pair: (rank[pair[0]], rank[pair[1]]))
    return found
