"""How a tokenizer cuts a text, and what that costs.

A token may hold part of a character only (a Chinese character is three bytes), so tokens are shown by their bytes,
and as text only where the bytes are whole characters.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from langwright.measures import Measure

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LONGEST = 20  # tokens listed
SAMPLES: dict[str, str] = {
    "zh": (
        "春天来了，河边的柳树发了芽。老师带着孩子们去郊外看花，一路上有说有笑。有人问：“为什么桃花先开花、后长叶？”"
        "老师说，花芽在去年秋天就已经长好，天气一暖，它就先醒了。语言模型也是这样，先读很多文字，再学会回答问题。"
        "二〇二四年，这座城市新建了三条地铁线路，每天运送乘客约一百二十万人次。"
    ),
    "en": (
        "When the rain stopped, the children went down to the river to see how high the water had risen. An old man who "
        "was mending his nets told them that he had seen it higher, forty years ago, when the bridge was carried away. "
        "Language models learn from text of this kind: they read a great deal and guess, again and again, the next word."
    ),
    "code": (
        "def moving_average(values: list[float], width: int = 3) -> list[float]:\n"
        '    """Mean of each window of `width` neighbours."""\n'
        "    if width < 1:\n"
        '        raise ValueError(f"width must be positive, not {width}")\n'
        "    return [sum(values[i : i + width]) / width for i in range(len(values) - width + 1)]\n"
    ),
}


class Plain(BaseModel):
    """Base of what is shown."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Piece(Plain):
    """One token of a text."""

    id: int
    token: str  # as the vocabulary writes it
    text: str | None  # what it stands for; None where its bytes are no whole characters
    bytes: str  # in hexadecimal; empty for a special token
    special: bool
    unknown: bool


class Inspection(Plain):
    """A text cut into tokens."""

    pieces: tuple[Piece, ...]
    characters: int
    bytes: int
    tokens: int
    unknown: int
    bytes_per_token: float


class Group(Plain):
    """What one kind of text costs."""

    name: str  # zh, en or code
    data: str  # "sample" (ours, the same for every tokenizer) or "validation"
    bytes: int
    tokens: int
    unknown: int
    bytes_per_token: float
    tokens_per_character: float


class TokenizerReport(Plain):
    """`inspection.json`."""

    vocab_size: int
    groups: tuple[Group, ...]
    longest: tuple[str, ...]


def inspect(tokenizer: PreTrainedTokenizerBase, text: str) -> Inspection:
    """Every token of a text, nothing added to it."""
    encoding = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    special = set(tokenizer.added_tokens_decoder)
    reader = TokenBytes(tokenizer)
    pieces = []
    for id, (begin, end) in zip(encoding["input_ids"], encoding["offset_mapping"], strict=True):
        token = tokenizer.convert_ids_to_tokens(id)
        known = id != tokenizer.unk_token_id
        raw = reader.of(token) if id not in special and known else None
        data = text[begin:end].encode() if raw is None else raw
        pieces.append(
            Piece(id=id, token=token, text=whole(data), bytes=data.hex(), special=id in special, unknown=not known)
        )
    size = len(text.encode())
    return Inspection(
        pieces=tuple(pieces), characters=len(text), bytes=size, tokens=len(pieces),
        unknown=sum(piece.unknown for piece in pieces), bytes_per_token=size / max(len(pieces), 1),
    )  # fmt: skip


def report_on(tokenizer: PreTrainedTokenizerBase, held_out: Mapping[str, str]) -> TokenizerReport:
    """What a tokenizer costs on our samples and on held-out text, and its longest tokens."""
    groups = [cost(tokenizer, name, "sample", text) for name, text in SAMPLES.items()]
    groups += [cost(tokenizer, name, "validation", text) for name, text in held_out.items()]
    return TokenizerReport(vocab_size=len(tokenizer), groups=tuple(groups), longest=tuple(longest(tokenizer)))


def cost(tokenizer: PreTrainedTokenizerBase, name: str, data: str, text: str) -> Group:
    """What one text costs."""
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    size = len(text.encode())
    unknown = sum(id == tokenizer.unk_token_id for id in ids) if tokenizer.unk_token_id is not None else 0
    return Group(
        name=name, data=data, bytes=size, tokens=len(ids), unknown=unknown,
        bytes_per_token=size / max(len(ids), 1), tokens_per_character=len(ids) / max(len(text), 1),
    )  # fmt: skip


def longest(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """The longest tokens by bytes, as text, special tokens aside."""
    reader = TokenBytes(tokenizer)
    special = set(tokenizer.added_tokens_decoder)
    found = []
    for token, id in tokenizer.get_vocab().items():
        data = reader.of(token) if id not in special else None
        text = whole(data) if data is not None else token
        if id not in special and text is not None:
            found.append((-len(text.encode()), text))
    return [text for _, text in sorted(found)[:LONGEST]]


class TokenBytes:
    """The bytes that a vocabulary entry stands for."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        rules = tokenizer.backend_tokenizer.to_str()
        self.byte_level = '"type":"ByteLevel"' in rules
        self.spaced = '"▁"' in rules

    def of(self, token: str) -> bytes | None:
        """Bytes of a token; None where it is written in no way we know."""
        if self.byte_level:
            table = byte_of_letter()
            return bytes(table[letter] for letter in token) if all(letter in table for letter in token) else None
        if len(token) == 6 and token.startswith("<0x") and token.endswith(">"):
            return bytes.fromhex(token[3:5])
        return token.replace("▁", " ").encode() if self.spaced else None


@cache
def byte_of_letter() -> dict[str, int]:
    """The letters by which byte-level vocabularies write bytes (GPT-2's table): printable ones as themselves."""
    plain = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    table = {chr(byte): byte for byte in plain}
    others = [byte for byte in range(256) if byte not in plain]
    return table | {chr(256 + number): byte for number, byte in enumerate(others)}


def whole(data: bytes) -> str | None:
    """The bytes as text, or None where they are no whole characters."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def inspection_measures(report: TokenizerReport, data: str, command: str) -> tuple[Measure, ...]:
    """The report as measures."""
    measures = []
    for group in report.groups:
        where = data + " validation" if group.data == "validation" else "our sample text"
        measures.append(
            Measure(
                name=f"bytes per token, {group.name}",
                value=group.bytes_per_token,
                n=group.tokens,
                unit="bytes/token",
                better="higher",
                data=where,
                method="UTF-8 bytes over tokens",
                command=command,
                does_not_show="how well a model learns with it",
            )
        )
        if group.unknown:
            measures.append(
                Measure(name=f"unknown tokens, {group.name}", value=group.unknown / group.tokens, n=group.tokens,
                        unit="share", better="lower", data=where, method="counted", command=command)
            )  # fmt: skip
    return tuple(measures)
