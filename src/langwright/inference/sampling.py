"""Which token comes next.

Sources   top-k: Fan et al. 2018, arXiv:1805.04833, section 5.4 (draw among the k likeliest)
          nucleus (top-p): Holtzman et al. 2020, arXiv:1904.09751, equations 2 and 3 (the smallest set
          of likeliest tokens that holds at least p, renormalised)
Shapes    B rows    V vocabulary    K alternatives reported

A guide acts before all else, then a constraint; then temperature, then top-k, then top-p on what is left, as in
transformers. One uniform number per token decides, taken from the request's own generator, so what a
request draws does not depend on its neighbours in a batch, on the device, or on any global generator.

Differs from transformers: among tokens of equal probability exactly k are kept, the lowest ids first
(theirs keeps all that tie with the k-th), so that top-k 1 is greedy.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from langwright.errors import UserError
from langwright.inference.protocol import Cursor, Guidance, Sampling, Token

MAX_DRAWN_SEED = 2**32  # drawn seeds stay exact in JSON readers that know only doubles


def draw_seed() -> int:
    """A seed for a request that names none, from the operating system, so that no global generator is touched."""
    return random.SystemRandom().randrange(MAX_DRAWN_SEED)


def tempered(logits_BV: Tensor, temperature_B: Tensor) -> Tensor:
    """Probabilities at a temperature above 0, shape (B, V). However small it is, nothing overflows."""
    shifted_BV = logits_BV - logits_BV.max(-1, keepdim=True).values
    return (shifted_BV / temperature_B[:, None]).softmax(-1)


def truncated(probability_BV: Tensor, top_k_B: Tensor, top_p_B: Tensor) -> Tensor:
    """Probabilities with the unlikely tokens set to zero and the rest renormalised, shape (B, V).

    top_k_B  0 means all
    top_p_B  in (0, 1]
    """
    sorted_BV, order_BV = probability_BV.sort(stable=True, dim=-1, descending=True)
    vocabulary = probability_BV.shape[-1]
    rank_V = torch.arange(vocabulary, device=probability_BV.device)
    limit_B = torch.where(top_k_B == 0, vocabulary, top_k_B)
    sorted_BV = torch.where(rank_V < limit_B[:, None], sorted_BV, 0)
    sorted_BV = sorted_BV / sorted_BV.sum(-1, keepdim=True)
    before_BV = sorted_BV.cumsum(-1) - sorted_BV
    inside_BV = (before_BV < top_p_B[:, None]) | (top_p_B >= 1)[:, None]
    kept_BV = torch.zeros_like(sorted_BV).scatter(-1, order_BV, torch.where(inside_BV, sorted_BV, 0))
    return kept_BV / kept_BV.sum(-1, keepdim=True)


def draw(probability_BV: Tensor, uniform_B: Tensor) -> Tensor:
    """The token at which the cumulative probability, in order of ids, first exceeds the uniform number; shape (B,).

    In order of ids and not of probability: two tokens that are equal but for rounding would change
    places there from one batch to another, and with them what is drawn.
    """
    cumulative_BV = probability_BV.cumsum(-1)
    total_B = cumulative_BV[:, -1]
    target_B = torch.minimum(uniform_B * total_B, torch.nextafter(total_B, torch.zeros_like(total_B)))
    return (cumulative_BV <= target_B[:, None]).sum(-1)


def guided(logits_BV: Tensor, guidances: Sequence[Guidance | None], refused: dict[int, UserError]) -> Tensor:
    """Logits with those of guided rows replaced, shape (B, V).

    refused  takes in the rows whose guide cannot go on
    """
    steered = {row: guidance for row, guidance in enumerate(guidances) if guidance is not None}
    if not steered:
        return logits_BV
    logits_BV = logits_BV.clone()
    for row, guidance in steered.items():
        try:
            logits_BV[row] = guidance.steered(logits_BV[row])
        except UserError as error:
            refused[row] = error
    return logits_BV


def restricted(logits_BV: Tensor, cursors: Sequence[Cursor | None], refused: dict[int, UserError]) -> Tensor:
    """Logits with what each row's constraint rules out at minus infinity, shape (B, V).

    refused  takes in the rows that nothing may follow
    """
    bound = {row: cursor for row, cursor in enumerate(cursors) if cursor is not None}
    if not bound:
        return logits_BV
    allowed_BV = torch.ones(logits_BV.shape, dtype=torch.bool)
    for row, cursor in bound.items():
        try:
            allowed_V = torch.from_numpy(cursor.allowed())[: logits_BV.shape[-1]]
        except UserError as error:
            refused[row] = error
            continue
        allowed_BV[row, : len(allowed_V)] = allowed_V
        allowed_BV[row, len(allowed_V) :] = False
    return logits_BV.masked_fill(~allowed_BV.to(logits_BV.device), -torch.inf)


@dataclass(frozen=True)
class Chosen:
    """One token a row.

    ids_B   on the device, ready for the next step
    tokens  the same with their log-probabilities; for a row that cannot go on, why
    """

    ids_B: Tensor
    tokens: list[Token | UserError]


class Chooser:
    """How each row of a batch chooses. Made anew when rows join or leave, not at every step."""

    def __init__(self, samplings: Sequence[Sampling], top_logprobs: Sequence[int], device: torch.device) -> None:
        self.wide = torch.float32 if device.type == "mps" else torch.float64  # the device has no doubles
        self.device = device
        self.drawing = [row for row, sampling in enumerate(samplings) if sampling.temperature > 0]
        drawn = [samplings[row] for row in self.drawing]
        self.rows_D = torch.tensor(self.drawing, device=device, dtype=torch.long)
        self.temperature_D = torch.tensor([s.temperature for s in drawn], device=device, dtype=self.wide)
        self.top_k_D = torch.tensor([s.top_k for s in drawn], device=device, dtype=torch.long)
        self.top_p_D = torch.tensor([s.top_p for s in drawn], device=device, dtype=self.wide)
        self.truncates = any(s.top_k > 0 or s.top_p < 1 for s in drawn)
        self.top_logprobs = list(top_logprobs)

    def __call__(
        self,
        logits_BV: Tensor,
        generators: Sequence[random.Random],
        cursors: Sequence[Cursor | None] = (),
        guidances: Sequence[Guidance | None] = (),
    ) -> Chosen:
        """Choose; draws one number from the generator of each row that samples, none from the others.

        cursors    of each row's constraint
        guidances  of each row's guide
        """
        own_BV = logits_BV.float()
        refused: dict[int, UserError] = {}
        logits_BV = restricted(guided(own_BV, guidances, refused), cursors, refused)
        ids_B = logits_BV.argmax(-1)
        if self.drawing:
            uniform_D = torch.tensor(
                [generators[row].random() for row in self.drawing], device=self.device, dtype=self.wide
            )
            logits_DV = logits_BV if len(self.drawing) == len(ids_B) else logits_BV[self.rows_D]
            kept_DV = tempered(logits_DV.to(self.wide), self.temperature_D)
            if self.truncates:
                kept_DV = truncated(kept_DV, self.top_k_D, self.top_p_D)
            ids_B = ids_B.index_copy(0, self.rows_D, draw(kept_DV, uniform_D))
        norm_B = own_BV.logsumexp(-1)
        logprob_B = own_BV.gather(-1, ids_B[:, None]).squeeze(-1) - norm_B
        finite_B = norm_B.isfinite() & logits_BV.amax(-1).isfinite()
        alternatives = min(max(self.top_logprobs, default=0), logits_BV.shape[-1])
        columns = [ids_B[:, None], logprob_B[:, None], finite_B[:, None]]
        if alternatives:
            top = logits_BV.topk(alternatives, -1)
            own_BK = own_BV.gather(-1, top.indices).where(top.values > -math.inf, -math.inf)  # none that was ruled out
            columns += [top.indices, own_BK - norm_B[:, None]]
        table = torch.cat([column.to(self.wide) for column in columns], -1).tolist()  # the step's one synchronisation
        tokens = [refused.get(row) or self._token(row, numbers, alternatives) for row, numbers in enumerate(table)]
        return Chosen(ids_B, tokens)

    def _token(self, row: int, numbers: list[float], alternatives: int) -> Token | UserError:
        id, logprob, finite = numbers[:3]
        if not finite:
            return UserError(
                "the model's output is not a finite number",
                fix="its weights or its number format overflow; load it in float32, or use an earlier checkpoint",
            )
        ids, values = numbers[3 : 3 + alternatives], numbers[3 + alternatives :]
        wanted = self.top_logprobs[row]
        pairs = zip(ids[:wanted], values[:wanted], strict=True)
        top = tuple((int(other), value) for other, value in pairs if value > -math.inf)
        return Token(int(id), logprob, top)
