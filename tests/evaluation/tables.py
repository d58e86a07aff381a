"""A whole language model whose every probability is written down: the next token depends on the last one alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from langwright.inference.fake import ParrotStream
from langwright.inference.protocol import Completion, Request


class Bigrams:
    """An engine over a table (V, V) of log-probabilities: row the token before, column the token."""

    def __init__(self, logp_VV: np.ndarray, context: int) -> None:
        self.logp_VV = logp_VV
        self._context = context
        self.rows_scored: list[list[int]] = []

    @property
    def context(self) -> int:
        return self._context

    def score(self, rows: Sequence[Sequence[int]], given: Sequence[Sequence[int]] | None = None) -> list[list[float]]:
        assert given is None
        assert all(2 <= len(row) <= self._context for row in rows)
        self.rows_scored += [list(row) for row in rows]
        return [[float(self.logp_VV[a, b]) for a, b in itertools.pairwise(row)] for row in rows]

    def judge(self, rows: Sequence[Sequence[int]]) -> list[list[tuple[float, bool]]]:
        best_V = self.logp_VV.argmax(axis=1)
        hits = [[bool(best_V[a] == b) for a, b in itertools.pairwise(row)] for row in rows]
        return [list(zip(p, h, strict=True)) for p, h in zip(self.score(rows), hits, strict=True)]

    def submit(self, request: Request) -> ParrotStream:
        last, reply = request.prompt[-1], []
        for _ in range(request.sampling.max_new_tokens):
            last = int(self.logp_VV[last].argmax())
            reply.append(last)
        most = min(request.sampling.max_new_tokens, self._context - len(request.prompt))
        return ParrotStream(request, reply, most, 0.0)

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        raise NotImplementedError

    def encode(self, rows):
        raise NotImplementedError

    def close(self) -> None:
        pass


def table(size: int, seed: int = 0) -> np.ndarray:
    """Random log-probabilities, each row summing to one."""
    raw_VV = np.random.default_rng(seed).normal(0, 2, (size, size))
    return raw_VV - np.log(np.exp(raw_VV).sum(axis=1, keepdims=True))
