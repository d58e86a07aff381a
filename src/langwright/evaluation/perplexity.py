"""How well a model foresees text, scored in windows that roll over documents longer than its context.

Shapes    a document of n tokens; windows of at most W tokens, one of them only context at the very start

Every token is scored once. The first window scores all it holds; each later one scores `stride` new tokens
and keeps the rest of the window as context, so that no token but a document's first W has less than
W - stride tokens before it. The windows are those of lm-evaluation-harness's rolling log-likelihood
(lm_eval.utils.get_rolling_token_windows with max_seq_len = W - 1 and context_len = W - stride).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from langwright.errors import UserError
from langwright.inference.protocol import Engine
from langwright.metrics.likelihood import DocumentScore

# token ids -> for each position but the last, the id the model finds likeliest to come next
Likeliest = Callable[[Sequence[Sequence[int]]], list[list[int]]]
ROWS_AT_ONCE = 32  # rows handed to the engine together; it cuts them into batches as its memory allows


@dataclass(frozen=True)
class Window:
    """One row to score: `ids`, of which the last `scored` are counted and the others only seen."""

    ids: Sequence[int]
    scored: int


@dataclass(frozen=True)
class Document:
    """Token ids with a separator or other unscored token in front, and which of them count.

    ids      the first is given and never scored
    counted  one flag an id after the first; None counts them all
    bytes    UTF-8 bytes of the text
    charge   nats added for a token that cannot be scored because nothing can stand before it
    """

    ids: Sequence[int]
    bytes: int
    counted: Sequence[bool] | None = None
    charge: float = 0.0


def windows(ids: Sequence[int], length: int, stride: int) -> Iterator[Window]:
    """Cut ids into rows of at most `length`, scoring every id but the first exactly once.

    length  most ids in a row, W; at least 2
    stride  how many new ids each row after the first scores, 1 to W - 1

    >>> [(list(w.ids), w.scored) for w in windows([0, 1, 2, 3, 4, 5], length=4, stride=2)]
    [([0, 1, 2, 3], 3), ([2, 3, 4, 5], 2)]
    """
    if not 1 <= stride < length:
        raise ValueError(f"a stride of {stride} for windows of {length}")
    end = min(length, len(ids))
    if end > 1:
        yield Window(ids[:end], end - 1)
    while end < len(ids):
        new = min(stride, len(ids) - end)
        end += new
        yield Window(ids[end - length : end], new)


def document_of(tokenizer: Any, text: str) -> Document:
    """A text as it is scored: the begin token, else the end token, then the text's tokens.

    tokenizer  a transformers tokenizer; without either token the first token is charged log V nats
    """
    ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    size = len(text.encode("utf-8"))
    start = tokenizer.bos_token_id if tokenizer.bos_token_id is not None else tokenizer.eos_token_id
    if start is None:
        return Document(ids, size, charge=math.log(len(tokenizer)) if ids else 0.0)
    return Document([start, *ids], size)


def score_documents(
    engine: Engine,
    documents: Iterable[Document],
    *,
    length: int = 0,
    stride: int = 0,
    likeliest: Likeliest | None = None,
) -> Iterator[DocumentScore]:
    """The summed negative log-probability of each document, in order, a few rows held at a time.

    length     window in tokens; 0 takes the engine's context
    stride     new tokens a window; 0 takes half the window
    likeliest  gives arg-max ids, for next-token accuracy; without it hits are None
    raises     UserError when a window does not fit the engine, or the model gives a probability of zero or no number
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
        for (number, document, window), found in zip(block, _scored(engine, [b[2] for b in block], likeliest), strict=True):  # fmt: skip
            if number != open_number:
                if open_number >= 0:
                    yield sums.score(open_document)
                open_number, open_document, sums = number, document, _Sums()
            sums.add(open_document, window, *found)
    if open_number >= 0:
        yield sums.score(open_document)


def fitted(engine: Engine, length: int, stride: int) -> tuple[int, int]:
    """Window and stride with defaults filled in; UserError when they do not fit the engine or each other."""
    if length > engine.context:
        raise UserError(
            "windows of {length} tokens do not fit a model with a context of {context}",
            fix="give at most {context}, or 0 for the whole context", length=length, context=engine.context,
        )  # fmt: skip
    length = length or engine.context
    stride = stride or max(1, length // 2)
    if not 1 <= stride < length:
        raise UserError(
            "a stride of {stride} tokens does not fit windows of {length}",
            fix="give a stride of 1 to {most}, or 0 for half the window",
            stride=stride, length=length, most=length - 1,
        )  # fmt: skip
    return length, stride


@dataclass
class _Sums:
    """Running sums of one document. `hits` stays None when arg-max ids are not computed."""

    nats: float = 0.0
    tokens: int = 0
    hits: int | None = None
    seen: int = 0  # ids after the first that were scored so far

    def add(self, document: Document, window: Window, logprobs: Sequence[float], right: Sequence[bool] | None) -> None:
        flags = document.counted
        counts = [True] * window.scored if flags is None else flags[self.seen : self.seen + window.scored]
        self.seen += window.scored
        self.nats -= math.fsum(p for p, counted in zip(logprobs, counts, strict=True) if counted)
        self.tokens += sum(counts)
        if right is not None:
            self.hits = (self.hits or 0) + sum(r for r, counted in zip(right, counts, strict=True) if counted)

    def score(self, document: Document) -> DocumentScore:
        if not math.isfinite(self.nats):
            raise UserError(
                "the model gives a probability of zero, or no number, to a token of the text",
                fix="check that the model's weights are finite and that tokenizer and model belong together",
            )
        charged = 1 if document.charge else 0
        return DocumentScore(self.nats + document.charge, self.tokens + charged, document.bytes, self.hits)


def _scored(
    engine: Engine, rows: Sequence[Window], likeliest: Likeliest | None
) -> Iterator[tuple[list[float], list[bool] | None]]:
    """Log-probabilities of each window's counted tokens, and which of them were the likeliest."""
    ids = [row.ids for row in rows if row.scored]
    logprobs = iter(engine.score(ids) if ids else [])
    best = iter(likeliest(ids)) if likeliest and ids else None
    for row in rows:
        if not row.scored:
            yield [], [] if likeliest else None
            continue
        right = None
        if best is not None:
            right = [a == b for a, b in zip(next(best)[-row.scored :], row.ids[-row.scored :], strict=True)]
        yield next(logprobs)[-row.scored :], right
