"""What single tokens stand for: bytes in byte-level vocabularies, text in others."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Kind = Literal["byte-level", "byte-fallback", "text"]
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_CHINESE = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
CONTINUES = "##"  # how WordPiece marks a token that goes on with a word
SPACE = "▁"  # how SentencePiece writes a space


def kind_of(tokenizer: PreTrainedTokenizerBase) -> Kind:
    """How a tokenizer's tokens become text, read from its decoder."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or backend.decoder is None:
        return "text"
    decoder = json.loads(backend.decoder.__getstate__())
    names = [part["type"] for part in decoder.get("decoders", [decoder])]
    if "ByteFallback" in names:
        return "byte-fallback"
    return "byte-level" if names == ["ByteLevel"] else "text"


def bytes_of_token(token: str, kind: Kind) -> bytes | None:
    """The bytes of a token that may be part of a character; None for a token that is text."""
    if kind == "byte-level":
        table = byte_of_character()
        if all(character in table for character in token):
            return bytes(table[character] for character in token)
        return token.encode()
    byte = _BYTE.fullmatch(token) if kind == "byte-fallback" else None
    return bytes([int(byte[1], 16)]) if byte else None


def pieces_of(tokenizer: PreTrainedTokenizerBase) -> list[bytes]:
    """What each id adds to the UTF-8 bytes of a text, by id; nothing for special tokens.

    WordPiece leaves spaces out: one is put before each token that does not go on with a word, but not before
    Chinese characters, which are tokens each and between which there was none.
    """
    kind = kind_of(tokenizer)
    special = set(tokenizer.all_special_ids)
    tokens = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    word_pieces = any(token.startswith(CONTINUES) and len(token) > len(CONTINUES) for token in tokens if token)
    found = []
    for id, token in enumerate(tokens):
        if token is None or id in special:
            found.append(b"")
        elif (data := bytes_of_token(token, kind)) is not None:
            found.append(data)
        elif word_pieces and kind == "text" and SPACE not in token:
            apart = not token.startswith(CONTINUES) and not _CHINESE.match(token)
            found.append((" " * apart + token.removeprefix(CONTINUES)).encode())
        else:
            found.append(token.replace(SPACE, " ").encode())
    return found


@cache
def byte_of_character() -> dict[str, int]:
    """GPT-2's alphabet: the printable character that stands for each byte (Radford et al. 2019, `encoder.py`)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    table = {chr(byte): byte for byte in printable}
    others = [byte for byte in range(256) if byte not in printable]
    return table | {chr(256 + number): byte for number, byte in enumerate(others)}
