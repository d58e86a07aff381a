"""More tokens for a tokenizer that there is: byte-pair encoding goes on from its own merges, on other text.

Every new merge stands behind all old ones, so a text is first cut as it always was; where no new pair stands in it,
its ids are the same as before.

Source    Sennrich et al. 2016, arXiv:1508.07909, algorithm 1, begun with the pieces the old merges give instead of
          letters: Purason et al. 2025, arXiv:2512.03989 ("continued BPE training")
Differs   a pair that would spell a token there is already is left out, so that old tokens keep their uses
"""

from __future__ import annotations

import heapq
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from langwright.errors import UserError
from langwright.settings import Settings

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

Pair = tuple[int, int]


class VocabularySettings(Settings):
    """How a vocabulary is extended."""

    tokens: Annotated[
        int, Field(ge=0, description="New tokens to learn from the text; 0 leaves the vocabulary as it is")
    ] = 0
    min_frequency: Annotated[
        int, Field(ge=1, description="A pair seen less often than this in the training text is never made a token")
    ] = 2
    max_token_bytes: Annotated[
        int, Field(ge=4, description="Longest token in bytes; a Chinese character takes three")
    ] = 24
    max_megabytes: Annotated[
        float,
        Field(gt=0, description="Learn from about this much text at most, rows taken evenly from the whole dataset"),
    ] = 4.0


@dataclass
class Merging:
    """Pre-tokens as sequences of ids with their counts, and where each pair of neighbours stands.

    names    what each id stands for
    longest  most units of a name; pairs that would be longer, or rarer than `least`, are never joined
    """

    names: dict[int, str]
    spoken: set[str]
    longest: int
    least: int
    widths: dict[int, int]
    words: list[list[int]] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)
    pairs: Counter[Pair] = field(default_factory=Counter)
    where: defaultdict[Pair, set[int]] = field(default_factory=lambda: defaultdict(set))
    heap: list[tuple[int, Pair]] = field(default_factory=list)

    def add(self, word: list[int], count: int) -> None:
        """A pre-token that occurs so often."""
        place = len(self.words)
        self.words.append(word)
        self.counts.append(count)
        for pair in pairwise(word):
            self.pairs[pair] += count
            self.where[pair].add(place)

    def _offer(self, pairs: Iterable[Pair]) -> None:
        for pair in pairs:
            if self.pairs[pair] >= self.least:
                heapq.heappush(self.heap, (-self.pairs[pair], pair))

    def begin(self) -> None:
        """All pairs are counted."""
        self._offer(self.pairs)

    def most_frequent(self) -> Pair | None:
        """The most frequent pair that may be joined, the one of lower ids among equals; None where there is none."""
        while self.heap:
            count, pair = heapq.heappop(self.heap)
            if -count != self.pairs[pair]:
                continue  # counted anew since, and offered again
            too_long = self.widths[pair[0]] + self.widths[pair[1]] > self.longest
            if too_long or self.names[pair[0]] + self.names[pair[1]] in self.spoken:
                continue
            return pair
        return None

    def join(self, pair: Pair, new: int) -> None:
        """Put `new` wherever the pair stands."""
        self.names[new] = self.names[pair[0]] + self.names[pair[1]]
        self.widths[new] = self.widths[pair[0]] + self.widths[pair[1]]
        self.spoken.add(self.names[new])
        touched: set[Pair] = set()
        for place in self.where.pop(pair):
            self.words[place], changes = joined(self.words[place], pair, new)
            for other, times in changes.items():
                self.pairs[other] += times * self.counts[place]
                if times > 0:
                    self.where[other].add(place)
            touched |= changes.keys()
        del self.pairs[pair]
        touched.discard(pair)
        self._offer(touched)


def joined(word: list[int], pair: Pair, new: int) -> tuple[list[int], dict[Pair, int]]:
    """The word with `new` for every occurrence of the pair, from the left, and how the counts of its other pairs change.

    >>> joined([5, 1, 2, 1, 2], (1, 2), 9)
    ([5, 9, 9], {(5, 1): -1, (5, 9): 1, (2, 1): -1, (9, 1): 0, (9, 9): 1})
    """
    found: list[int] = []
    changes: dict[Pair, int] = {}
    first, second = pair
    at, end = 0, len(word)
    while at < end:
        if word[at] != first or at + 1 == end or word[at + 1] != second:
            found.append(word[at])
            at += 1
            continue
        around = [((found[-1], first), (found[-1], new))] if found else []
        if at + 2 < end:
            around.append(((second, word[at + 2]), (new, word[at + 2])))
        for gone, come in around:
            changes[gone] = changes.get(gone, 0) - 1
            changes[come] = changes.get(come, 0) + 1
        found.append(new)
        at += 2
    return found, changes


def extend_tokenizer(
    tokenizer: PreTrainedTokenizerBase, texts: Iterable[str], settings: VocabularySettings, out: Path
) -> dict[int, tuple[int, ...]]:
    """Write a tokenizer with more tokens into a folder; returns for each new id the old ids that it stands for.

    raises  UserError for a tokenizer that is not byte-pair encoding over pre-tokens, or text that gives no new token
    """
    from langwright.tokenizers.loading import save_tokenizer

    backend = backend_of(tokenizer)
    merging, first = counted(backend, texts, settings), len(tokenizer)
    parts: dict[int, tuple[int, ...]] = {}
    merges: list[tuple[str, str]] = []
    for new in range(first, first + settings.tokens):
        pair = merging.most_frequent()
        if pair is None:
            break
        merges.append((merging.names[pair[0]], merging.names[pair[1]]))
        parts[new] = tuple(old for id in pair for old in parts.get(id, (id,)))
        merging.join(pair, new)
    if not parts:
        raise UserError(
            "the text gives no new token: no pair of tokens stands in it {least} times",
            fix="give more text, or lower vocabulary.min_frequency",
            least=settings.min_frequency,
        )
    save_tokenizer(tokenizer, out)
    file = out / "tokenizer.json"
    described = json.loads(file.read_text(encoding="utf-8"))
    described["model"]["vocab"] |= {merging.names[new]: new for new in parts}
    old = described["model"]["merges"]
    described["model"]["merges"] = [*old, *((list(m) if not old or isinstance(old[0], list) else " ".join(m)) for m in merges)]  # fmt: skip
    file.write_text(json.dumps(described, ensure_ascii=False, indent=2), encoding="utf-8")
    return parts


def backend_of(tokenizer: PreTrainedTokenizerBase) -> Tokenizer:
    """The rules of a tokenizer; UserError where they are not byte-pair encoding over pre-tokens."""
    from tokenizers.models import BPE

    backend: Tokenizer | None = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or not isinstance(backend.model, BPE) or backend.pre_tokenizer is None:
        raise UserError(
            "the vocabulary of this model cannot be extended: its tokenizer is {kind}, and byte-pair encoding over words is needed",
            fix="set vocabulary.tokens to 0",
            kind=type(backend.model).__name__ if backend is not None else type(tokenizer).__name__,
        )
    return backend


def counted(backend: Tokenizer, texts: Iterable[str], settings: VocabularySettings) -> Merging:
    """The text's pre-tokens as the tokenizer cuts them now."""
    words: Counter[str] = Counter()
    for text in texts:
        plain = backend.normalizer.normalize_str(text) if backend.normalizer is not None else text
        words.update(word for word, _ in backend.pre_tokenizer.pre_tokenize_str(plain))
    vocabulary: Mapping[str, int] = backend.get_vocab(with_added_tokens=True)
    names = {id: name for name, id in vocabulary.items()}
    wide = width_of(json.loads(backend.to_str()))
    merging = Merging(
        names=names,
        spoken=set(vocabulary),
        longest=settings.max_token_bytes,
        least=settings.min_frequency,
        widths={id: wide(name) for id, name in names.items()},
    )
    for word, count in sorted(words.items()):
        merging.add([token.id for token in backend.model.tokenize(word)], count)
    merging.begin()
    return merging


def width_of(described: dict[str, Any]) -> Any:
    """How many bytes a token's name stands for: a letter each where bytes are written as letters, else its UTF-8."""
    return len if '"ByteLevel"' in json.dumps(described["pre_tokenizer"]) else lambda name: len(name.encode())
