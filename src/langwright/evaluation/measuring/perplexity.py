"""How well a model foresees text, scored in windows that roll over documents longer than its context.

Shapes    a document of n tokens; windows of at most W tokens, one of them only context at the very start

Every token is scored once. The first window scores all it holds; each later one scores `stride` new tokens
and keeps the rest of the window as context, so that no token but a document's first W has less than
W - stride tokens before it. The windows are those of lm-evaluation-harness's rolling log-likelihood
(lm_eval.utils.get_rolling_token_windows with max_seq_len = W - 1 and context_len = W - stride).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from langwright.data.documents import BATCH_CHARACTERS, literal_backend
from langwright.errors import UserError
from langwright.inference.protocol import Engine
from langwright.inference.scoring.windows import Window, windows
from langwright.metrics.likelihood import DocumentScore

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

ROWS_AT_ONCE = 32  # rows handed to the engine together; it cuts them into batches as its memory allows


@runtime_checkable
class Judge(Protocol):
    """An engine that can also say, in the same pass, which tokens were the likeliest."""

    def judge(
        self, rows: Sequence[Sequence[int]], given: Sequence[Sequence[int]] | None = None
    ) -> list[list[tuple[float, bool]]]:
        """As `score`: of each token but the first its log-probability in nats, and whether none was likelier."""
        ...


@dataclass(frozen=True)
class Document:
    """Token ids with a separator or other unscored token in front, and which of them count.

    ids      the first is given and never scored
    bytes    UTF-8 bytes of the text
    counted  one flag an id after the first; None counts them all
    charge   nats added for a token that cannot be scored because nothing can stand before it
    """

    ids: Sequence[int]
    bytes: int
    counted: Sequence[bool] | None = None
    charge: float = 0.0


def text_documents(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]) -> Iterator[Document]:
    """Texts as they are scored: the begin token, else the end token, then the text's own tokens.

    Without either token the first token is charged log V nats. Names of special tokens in a text are text,
    as in training.
    """
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    charge = math.log(len(tokenizer)) if start is None else 0.0
    for text, ids in token_ids(tokenizer, texts):
        size = len(text.encode("utf-8"))
        yield Document(ids if start is None else [start, *ids], size, charge=charge if ids else 0.0)


def token_ids(tokenizer: PreTrainedTokenizerBase, texts: Iterable[str]) -> Iterator[tuple[str, list[int]]]:
    """Each text with its token ids and none that the tokenizer would add, a megabyte of text tokenised at a time."""
    backend = literal_backend(tokenizer)
    for block in blocks_of(texts, BATCH_CHARACTERS):
        encodings = backend.encode_batch_fast(block, add_special_tokens=False)
        yield from ((text, encoding.ids) for text, encoding in zip(block, encodings, strict=True))


def blocks_of(texts: Iterable[str], most: int) -> Iterator[list[str]]:
    """The texts in order, in lists that end when they hold `most` characters."""
    block: list[str] = []
    size = 0
    for text in texts:
        block.append(text)
        size += len(text)
        if size >= most:
            yield block
            block, size = [], 0
    if block:
        yield block


def score_documents(
    engine: Engine, documents: Iterable[Document], *, length: int | None = None, stride: int | None = None
) -> Iterator[DocumentScore]:
    """The summed negative log-probability of each document, in order, a few rows held at a time.

    length  window in tokens; the engine's context when left out
    stride  new tokens a window; half the window when left out
    yields  hits too, where the engine is a `Judge`
    raises  UserError when a window does not fit the engine, or the model gives a probability of zero or no number
    """
    length, stride = fitted(engine, length, stride)
    rows = (
        (number, document, window)
        for number, document in enumerate(documents)
        # a document with nothing to score still has to be answered, with zeros
        for window in list(windows(document.ids, length, stride)) or [Window((), 0)]
    )
    open_number, open_document, sums = -1, Document((), 0), _Sums()
    while block := list(islice(rows, ROWS_AT_ONCE)):
        found = judged(engine, [window for _, _, window in block])
        for (number, document, _), pairs in zip(block, found, strict=True):
            if number != open_number:
                if open_number >= 0:
                    yield sums.score(open_document)
                open_number, open_document, sums = (
                    number,
                    document,
                    _Sums(hits=0 if isinstance(engine, Judge) else None),
                )
            sums.add(open_document, pairs)
    if open_number >= 0:
        yield sums.score(open_document)


def fitted(engine: Engine, length: int | None, stride: int | None) -> tuple[int, int]:
    """Window and stride with defaults filled in; UserError when they do not fit the engine or each other."""
    length = length or engine.context
    if length > engine.context:
        raise UserError(
            "windows of {length} tokens do not fit a model with a context of {context}",
            fix="give at most {context}, or leave it out for the whole context",
            length=length,
            context=engine.context,
        )
    stride = stride or max(1, length // 2)
    if not 1 <= stride < length:
        raise UserError(
            "a stride of {stride} tokens does not fit windows of {length}",
            fix="give a stride of 1 to {most}, or leave it out for half the window",
            stride=stride,
            length=length,
            most=length - 1,
        )
    return length, stride


Pairs = list[tuple[float, bool]]  # of each counted token: log-probability in nats, and whether it was the likeliest


def judged(engine: Engine, rows: Sequence[Window]) -> Iterator[Pairs]:
    """What the engine says of each window's counted tokens; without a `Judge` every hit is False and not to be used."""
    ids = [row.ids for row in rows if row.scored]
    if isinstance(engine, Judge):
        found = iter(engine.judge(ids) if ids else [])
    else:
        found = iter([(logprob, False) for logprob in row] for row in (engine.score(ids) if ids else []))
    for row in rows:
        yield next(found)[-row.scored :] if row.scored else []


@dataclass
class _Sums:
    """Running sums of one document. `hits` stays None when they are not known."""

    nats: float = 0.0
    tokens: int = 0
    hits: int | None = None
    seen: int = 0  # ids after the first that were scored so far

    def add(self, document: Document, pairs: Pairs) -> None:
        flags = document.counted
        counts = [True] * len(pairs) if flags is None else flags[self.seen : self.seen + len(pairs)]
        self.seen += len(pairs)
        kept = [pair for pair, counted in zip(pairs, counts, strict=True) if counted]
        self.nats -= math.fsum(logprob for logprob, _ in kept)
        self.tokens += len(kept)
        if self.hits is not None:
            self.hits += sum(hit for _, hit in kept)

    def score(self, document: Document) -> DocumentScore:
        if not math.isfinite(self.nats):
            raise UserError(
                "the model gives a probability of zero, or no number, to a token of the text",
                fix="check that the model's weights are finite and that tokenizer and model belong together",
            )
        charged = 1 if document.charge else 0
        return DocumentScore(self.nats + document.charge, self.tokens + charged, document.bytes, self.hits)
