"""Beam search, and diverse beam search: the continuations of highest score rather than the likeliest next token.

Sources   beam search as transformers' `generate` does it, token for token: a score is the sum of log-probabilities
          over length ** length_penalty, the end counted, so that above 0 longer ones gain and below 0 shorter ones
          diverse    Vijayakumar et al. 2016, arXiv:1610.02424, algorithm 1, with Hamming diversity: groups choose
                     one after another, and a token costs `diversity` for every beam of a group before that
                     took it at the same step
Shapes    B beams    V vocabulary

Penalties and constraints act on log-probabilities, as in transformers' beam search.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from langwright.errors import UserError
from langwright.inference.choosing.history import History
from langwright.inference.choosing.penalties import altered, guided
from langwright.inference.choosing.sampling import not_finite, nothing_left
from langwright.inference.protocol import Beams, Candidate, FinishReason, Request, Token
from langwright.inference.searching.unrolling import Unroll


@dataclass(frozen=True)
class Beam:
    """A continuation that has not ended.

    row    where it was in the model's last pass, without its last token
    score  sum of log-probabilities, less what penalties and diversity took
    """

    row: int
    score: float
    history: History
    tokens: tuple[Token, ...] = ()


class Group:
    """Beams that compete with each other, and the best that have ended."""

    def __init__(self, search: Beams, first: History, limit: int) -> None:
        """limit: most new tokens."""
        self.search = search
        self.width = search.width // search.groups
        self.stop_ids = first.request.stop_ids
        self.limit = limit
        self.running = [Beam(0, 0.0, first)]
        self.ended: list[Candidate] = []

    def advance(self, first_row: int, scores_BV: Tensor, logprob_BV: Tensor) -> list[int]:
        """One more token for the beams, which are the rows from `first_row` on; the tokens that were taken.

        scores_BV   log-probabilities of each next token, as altered
        logprob_BV  the model's own
        """
        total_BV = scores_BV + scores_BV.new_tensor([beam.score for beam in self.running])[:, None]
        kept = max(2, 1 + len(self.stop_ids)) * self.width  # of which at least `width` do not end
        best = total_BV.flatten().topk(min(kept, total_BV.numel()))
        own = logprob_BV.flatten()[best.indices].tolist()
        made, size = len(self.running[0].tokens) + 1, total_BV.shape[-1]
        going: list[Beam] = []
        taken: list[int] = []
        takes_more = not (self._full and self.search.early_stopping is True)
        for rank, (score, place) in enumerate(zip(best.values.tolist(), best.indices.tolist(), strict=True)):
            if score == -math.inf:  # ruled out, and so is all that follows
                break
            beam, token = self.running[place // size], Token(place % size, own[rank])
            stops = token.id in self.stop_ids
            if not stops and made < self.limit:
                going.append(Beam(first_row + place // size, score, beam.history, (*beam.tokens, token)))
            elif rank < self.width and takes_more:
                tokens = beam.tokens if stops else (*beam.tokens, token)
                self._end(tokens, "stop" if stops else "length", score, made)
                taken.append(token.id)
        going = [parted(beam) for beam in going[: self.width]]
        for beam in going:
            if beam.history.ended is not None:
                self._end(beam.tokens, beam.history.ended, beam.score, made)
        self.ended = sorted(self.ended, key=lambda one: one.score, reverse=True)[: self.width]
        self.running = [beam for beam in going if beam.history.ended is None]
        if self._hopeless(made) or (self._full and self.search.early_stopping is True):
            self.running = []
        return taken + [beam.tokens[-1].id for beam in going]

    def stop(self, reason: FinishReason) -> None:
        """End what still runs where it is."""
        for beam in self.running:
            self._end(beam.tokens, reason, beam.score, max(1, len(beam.tokens)))
        self.running = []

    def _end(self, tokens: tuple[Token, ...], reason: FinishReason, score: float, made: int) -> None:
        self.ended.append(Candidate(tokens, reason, score / math.pow(made, self.search.length_penalty)))

    @property
    def _full(self) -> bool:
        return len(self.ended) == self.width

    def _hopeless(self, made: int) -> bool:
        """Whether the best that runs could not beat the worst that has ended, by transformers' rule of thumb."""
        if not self.running or not self._full:
            return False
        longest = self.limit if self.search.early_stopping == "never" and self.search.length_penalty > 0 else made
        return self.running[0].score <= self.ended[-1].score * math.pow(longest, self.search.length_penalty)


def parted(beam: Beam) -> Beam:
    """A beam with a history of its own, its last token in it."""
    history = beam.history.fork()
    history.take(beam.tokens[-1].id)
    return Beam(beam.row, beam.score, history, beam.tokens)


def allowed_scores(logits_BV: Tensor, histories: Sequence[History], refused: dict[int, Exception]) -> Tensor:
    """Log-probabilities of the next tokens with all that is done to them; minus infinity where nothing may follow."""
    stuck: dict[int, Exception] = {}
    scores_BV = altered(guided(logits_BV, histories, stuck).log_softmax(-1), histories, stuck)
    for error in stuck.values():
        if not isinstance(error, UserError):  # no beam is at its end: what steers it is broken
            raise error
    refused.update(stuck)
    return scores_BV.index_fill(0, torch.tensor(list(stuck), dtype=torch.long, device=scores_BV.device), -torch.inf)


def search_beams(
    unroll: Unroll, request: Request, search: Beams, limit: int, expired: Callable[[], bool]
) -> Generator[None, None, list[Candidate]]:
    """The candidates, best first, at most `width`; yields after each pass of the model, so that others may have their turn.

    limit    most new tokens
    expired  asked before each pass; when true, what runs ends as it is
    """
    first = History(request, seed=0)
    first.begin(unroll.model)
    groups = [Group(search, first, limit) for _ in range(search.groups)]
    logits_BV, _ = unroll.begin(request.prompt)
    row_of = [0] * len(groups)  # all groups begin with the only row there is
    refused: dict[int, Exception] = {}
    while True:
        if not logits_BV.isfinite().any(-1).all() or logits_BV.isnan().any():
            raise not_finite()
        taken_V = logits_BV.new_zeros(logits_BV.shape[-1])
        for group, row in zip(groups, row_of, strict=True):
            if not group.running:
                continue
            own_BV = logits_BV[row : row + len(group.running)]
            scores_BV = allowed_scores(own_BV, [beam.history for beam in group.running], refused)
            for id in group.advance(row, scores_BV - search.diversity * taken_V, own_BV.log_softmax(-1)):
                taken_V[id] += 1
        yield
        if expired():
            for group in groups:
                group.stop("deadline")
        beams = [beam for group in groups for beam in group.running]
        if not beams:
            break
        logits_BV, _ = unroll.extend([beam.row for beam in beams], [beam.tokens[-1].id for beam in beams])
        row_of = [sum(len(group.running) for group in groups[:at]) for at in range(len(groups))]
    if not any(group.ended for group in groups):
        raise next(iter(refused.values()), nothing_left(unroll.ids_BT.shape[1] - len(request.prompt)))
    return sorted((one for group in groups for one in group.ended), key=lambda one: one.score, reverse=True)
