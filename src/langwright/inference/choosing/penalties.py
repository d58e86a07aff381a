"""What is done to the logits of one row because of what stands before, each a function of tensors.

Sources   repetition   Keskar et al. 2019 (CTRL), arXiv:1909.05858, section 4.1; for negative logits the
                       penalty multiplies, as in transformers (dividing them would make them likelier)
          presence and frequency   OpenAI's API reference: each new token j gets
                       μ_j − c_j · frequency − [c_j > 0] · presence, c_j how often it was written
          no n-gram twice   Paulus et al. 2017, arXiv:1705.04304, section 2.5
Shapes    V vocabulary    K some ids

Repetition and n-grams look at the prompt and what was written after it, as in transformers; presence and
frequency at what was written alone. The order is that of transformers: bias, repetition, presence and
frequency, then what is ruled out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from langwright.inference.choosing.history import History
from langwright.inference.protocol import Cursor


def biased(logits_V: Tensor, ids_K: Tensor, bias_K: Tensor) -> Tensor:
    """Something added to the logits of some tokens."""
    return logits_V.index_add(0, ids_K, bias_K)


def repetition(logits_V: Tensor, seen_K: Tensor, penalty: float) -> Tensor:
    """Logits of tokens that were seen, each id once, divided by the penalty; multiplied where they are negative."""
    own_K = logits_V[seen_K]
    return logits_V.index_copy(0, seen_K, torch.where(own_K < 0, own_K * penalty, own_K / penalty))


def presence_frequency(logits_V: Tensor, ids_K: Tensor, counts_K: Tensor, presence: float, frequency: float) -> Tensor:
    """Logits of tokens that were written, lowered once and by how often they were written."""
    return logits_V.index_add(0, ids_K, -(counts_K * frequency + presence))


def ruled_out(logits_V: Tensor, ids_K: Tensor) -> Tensor:
    """Logits with some tokens at minus infinity."""
    return logits_V.index_fill(0, ids_K, -torch.inf)


def guided(logits_BV: Tensor, histories: Sequence[History], refused: dict[int, Exception]) -> Tensor:
    """Logits with those of guided rows replaced, shape (B, V).

    refused  takes in the rows whose guide cannot go on, for whatever reason
    """
    steered = {row: history.guidance for row, history in enumerate(histories) if history.guidance is not None}
    if not steered:
        return logits_BV
    logits_BV = logits_BV.clone()
    for row, guidance in steered.items():
        try:
            logits_BV[row] = guidance.steered(logits_BV[row])
        except Exception as error:
            refused[row] = error
    return logits_BV


def altered(logits_BV: Tensor, histories: Sequence[History], refused: dict[int, Exception]) -> Tensor:
    """Logits, or log-probabilities, of rows with all that is done to them before anything is chosen.

    refused  takes in the rows that nothing may follow
    """
    penalties = [row for row, history in enumerate(histories) if history.sampling.alters]
    if penalties:
        logits_BV = logits_BV.clone()
        for row in penalties:
            logits_BV[row] = penalised(logits_BV[row], histories[row])
    return restricted(logits_BV, [history.cursor for history in histories], refused)


def restricted(logits_BV: Tensor, cursors: Sequence[Cursor | None], refused: dict[int, Exception]) -> Tensor:
    """Logits with what each row's constraint rules out at minus infinity, shape (B, V).

    refused  takes in the rows that nothing may follow, or whose constraint cannot go on
    """
    bound = {row: cursor for row, cursor in enumerate(cursors) if cursor is not None}
    if not bound:
        return logits_BV
    allowed_BV = torch.ones(logits_BV.shape, dtype=torch.bool)
    for row, cursor in bound.items():
        try:
            allowed_V = torch.from_numpy(cursor.allowed())[: logits_BV.shape[-1]]
        except Exception as error:
            refused[row] = error
            continue
        allowed_BV[row, : len(allowed_V)] = allowed_V
        allowed_BV[row, len(allowed_V) :] = False
    return logits_BV.masked_fill(~allowed_BV.to(logits_BV.device), -torch.inf)


def penalised(logits_V: Tensor, history: History) -> Tensor:
    """Logits, or log-probabilities, of one row with all that its sampling asks for but its constraint."""
    sampling, size = history.sampling, len(logits_V)

    def ids_of(ids: Iterable[int]) -> Tensor:
        return torch.tensor([id for id in ids if id < size], dtype=torch.long, device=logits_V.device)

    def numbers(values: Iterable[float]) -> Tensor:
        return torch.tensor(list(values), dtype=logits_V.dtype, device=logits_V.device)

    if sampling.logit_bias:
        bias = {id: value for id, value in sampling.logit_bias.items() if id < size}
        logits_V = biased(logits_V, ids_of(bias), numbers(bias.values()))
    if sampling.repetition_penalty != 1:
        logits_V = repetition(logits_V, ids_of(history.seen), sampling.repetition_penalty)
    if history.counts and (sampling.presence_penalty or sampling.frequency_penalty):
        counts = {id: count for id, count in history.counts.items() if id < size}
        logits_V = presence_frequency(
            logits_V, ids_of(counts), numbers(counts.values()), sampling.presence_penalty, sampling.frequency_penalty
        )
    out = history.ruled_out()
    return ruled_out(logits_V, ids_of(out)) if out else logits_V
