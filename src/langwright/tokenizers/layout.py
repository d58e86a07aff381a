"""How a tokenizer lays one text or two out for a model, and how long texts are cut into windows that overlap.

What a tokenizer puts around texts is found out by asking it once; a tokenizer that puts nothing between two texts,
as those of decoders, gets its end-of-text mark there, so that a model can tell where one ends.

Source    Devlin et al. 2019, arXiv:1810.04805, section 3 and figure 2 (two texts, told apart by a mark and by types);
          Radford et al. 2018 (GPT), section 3.3 (a delimiter token between two texts)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True)
class Pieces:
    """A text's tokens, without special ones, and where each stands in it: (start, end) in characters."""

    ids: list[int]
    places: list[tuple[int, int]]


@dataclass(frozen=True)
class Layout:
    """Special tokens around two texts, and whether a model is told which is which.

    before, between, after  ids
    types                   of: before, first, between, second, after; None where models are not told
    """

    before: tuple[int, ...]
    between: tuple[int, ...]
    after: tuple[int, ...]
    types: tuple[int, int, int, int, int] | None

    @property
    def specials(self) -> int:
        """Special tokens of a pair."""
        return len(self.before) + len(self.between) + len(self.after)

    def starts_second(self, first: Sequence[int]) -> int:
        """Where the second text begins."""
        return len(self.before) + len(first) + len(self.between)

    def pair(self, first: Sequence[int], second: Sequence[int]) -> tuple[list[int], list[int]]:
        """Ids of two texts together, and the type of each; all 0 where models are not told."""
        parts = (self.before, first, self.between, second, self.after)
        ids = [id for part in parts for id in part]
        types = [kind for kind, part in zip(self.types or (0,) * 5, parts, strict=True) for _ in part]
        return ids, types


def pieces(tokenizer: PreTrainedTokenizerBase, text: str) -> Pieces:
    """A text's tokens with their places, spaces that a token begins or ends with left out of its place."""
    return all_pieces(tokenizer, [text])[0]


def all_pieces(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str]) -> list[Pieces]:
    """The same of many texts, which the tokenizer reads together."""
    if not texts:
        return []
    found = tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    each = zip(texts, found["input_ids"], found["offset_mapping"], strict=True)
    return [Pieces(list(ids), [trimmed(text, a, b) for a, b in places]) for text, ids, places in each]


def trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    """A stretch of a text without the spaces at its ends; empty at its end where it is nothing else."""
    inside = text[start:end]
    if not inside.strip():
        return end, end
    return end - len(inside.lstrip()), start + len(inside.rstrip())


def layout_of(tokenizer: PreTrainedTokenizerBase) -> Layout:
    """What a tokenizer puts before, between and after two texts."""
    found = tokenizer("a", "b", return_token_type_ids=True)
    sides = found.sequence_ids(0)
    ids, types = list(found["input_ids"]), list(found["token_type_ids"])
    first, second = sides.index(0), sides.index(1)
    ends = len(sides) - sides[::-1].index(0), len(sides) - sides[::-1].index(1)
    between = tuple(ids[ends[0] : second]) or separator(tokenizer)
    told = "token_type_ids" in tokenizer.model_input_names and any(types)
    edges = (types[0], types[first], types[second - 1], types[second], types[-1])
    return Layout(tuple(ids[:first]), between, tuple(ids[ends[1] :]), edges if told else None)


def separator(tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """The mark between two texts where a tokenizer has none of its own; a line end where it has no mark at all."""
    marks = (tokenizer.sep_token_id, tokenizer.eos_token_id)
    known = next((mark for mark in marks if mark is not None), None)
    return (known,) if known is not None else tuple(tokenizer("\n", add_special_tokens=False)["input_ids"])


def shortened(first: Sequence[int], second: Sequence[int], room: int) -> tuple[Sequence[int], Sequence[int]]:
    """Two texts cut at their ends to so many tokens together, the longer one first."""
    over = len(first) + len(second) - room
    if over <= 0:
        return first, second
    keep_first = max(min(len(first), room - min(len(second), room // 2)), 0)
    return first[:keep_first], second[: room - keep_first]


def windows(count: int, size: int, overlap: int) -> list[tuple[int, int]]:
    """(start, end) of stretches of at most `size` that cover `count` items, each sharing `overlap` with the next."""
    if count <= size:
        return [(0, count)]
    step = size - overlap
    starts = range(0, count - overlap, step)
    return [(start, min(start + size, count)) for start in starts]


def owned(stretches: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """For each window the items that it is asked about: every item is one window's, the one it stands deeper in."""
    cuts = [(other[0] + one[1]) // 2 for one, other in pairwise(stretches)]
    return list(zip([stretches[0][0], *cuts], [*cuts, stretches[-1][1]], strict=True))
