"""What training is about to see: counted on the real rows, before the first step, and refused when it cannot work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict

from langwright.data.packing import RowPlan
from langwright.data.store import TokenStore
from langwright.errors import UserError


class Decoder(Protocol):
    """What is needed of a tokenizer here."""

    unk_token_id: int | None
    all_special_ids: list[int]

    def decode(self, ids: Sequence[int]) -> str: ...


class Piece(BaseModel):
    """A stretch of a row, with whether it is learned."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    supervised: bool


class Preflight(BaseModel):
    """`run/preflight.json`: what the rows of a run are like. Shares are of token positions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    documents: int
    tokens: int
    rows: int
    supervised: float  # of tokens
    padding: float  # of positions in rows
    truncated: int  # documents cut to fit a row
    unknown: float  # of tokens
    doubled: int  # places where the same special token stands twice in a row
    leaked: int  # validation texts that stand in the training split too
    labels: dict[str, int] = {}
    sample: tuple[Piece, ...] = ()
    steps: int | None = None
    batch_rows: int | None = None
    micro_rows: int | None = None
    seconds_per_update: float | None = None
    memory_bytes: int | None = None
    rates: tuple[float, ...] = ()  # learning rates over the run, evenly spaced


SAMPLE_ROWS = 64


def inspect_rows(store: TokenStore, plan: RowPlan, tokenizer: Decoder, *, leaked: int = 0) -> Preflight:
    """Count over the store, and over some rows where reading all would take long.

    raises  UserError when nothing is supervised
    """
    if store.facts.supervised == 0:
        raise UserError(
            "nothing in this dataset is supervised: no token would be learned",
            fix="check that conversations have assistant turns and that rows are long enough for them",
        )
    rows = np.unique(np.linspace(0, len(plan) - 1, min(SAMPLE_ROWS, len(plan))).astype(np.int64))
    samples = [plan.row(store, int(row)) for row in rows]
    counted = sum(len(sample.ids) for sample in samples)
    if not any(sample.supervised.any() for sample in samples):
        raise UserError(
            "in none of {count} rows looked at is a token supervised: all examples are cut before the part to learn",
            fix="raise the row length with --set length=N",
            count=len(samples),
        )
    specials = np.array(tokenizer.all_special_ids, dtype=np.int64)
    doubled = sum(int(((s.ids[1:] == s.ids[:-1]) & np.isin(s.ids[1:], specials)).sum()) for s in samples)
    unknown = (
        sum(int((s.ids == tokenizer.unk_token_id).sum()) for s in samples) if tokenizer.unk_token_id is not None else 0
    )
    return Preflight(
        documents=store.facts.documents,
        tokens=store.facts.tokens,
        rows=len(plan),
        supervised=store.facts.supervised / store.facts.tokens,
        padding=1 - plan.filled,
        truncated=plan.truncated,
        unknown=unknown / counted,
        doubled=doubled,
        leaked=leaked,
        sample=masked_pieces(samples[0].ids[:200], samples[0].supervised[:200], tokenizer),
    )


def masked_pieces(ids: np.ndarray, supervised: np.ndarray, tokenizer: Decoder) -> tuple[Piece, ...]:
    """A row as text, cut wherever learning begins or ends."""
    edges = [0, *(np.flatnonzero(np.diff(supervised.astype(np.int8))) + 1).tolist(), len(ids)]
    return tuple(
        Piece(text=tokenizer.decode(ids[a:b].tolist()), supervised=bool(supervised[a]))
        for a, b in pairwise(edges)
        if b > a
    )


def count_leaks(train: Iterable[str], validation: Iterable[str]) -> int:
    """How many validation texts stand in the training split too, compared without case and spacing."""
    seen = {fingerprint(text) for text in train}
    return sum(fingerprint(text) in seen for text in validation)


def fingerprint(text: str) -> bytes:
    """A text without its case and spacing, as 16 bytes."""
    return blake2b("".join(text.casefold().split()).encode(), digest_size=16).digest()


def inspect_labels(labels: Sequence[str]) -> dict[str, int]:
    """Examples of each label, most frequent first.

    raises  UserError when there are fewer than two labels
    """
    counts = Counter(labels)
    if len(counts) < 2:
        raise UserError(
            "the training split has {count} label: {labels}",
            fix="classification needs at least two; check the label column",
            count=len(counts),
            labels=", ".join(counts) or "-",
        )
    return dict(counts.most_common())
