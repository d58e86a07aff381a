"""Contrastive search: of the likeliest tokens, the one that is least like what stands there already.

Source    Su et al. 2022, arXiv:2202.06417, equation 5: argmax over the k likeliest tokens v of
          (1 − α) · p(v | x) − α · max_j cos(h_v, h_j), h the last hidden states, j over all tokens before
Shapes    K candidates    T tokens before    V vocabulary    W width
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator

import torch
from torch import Tensor

from langwright.inference.choosing.history import History
from langwright.inference.choosing.penalties import altered, guided
from langwright.inference.choosing.sampling import not_finite, nothing_left
from langwright.inference.protocol import Candidate, Contrastive, FinishReason, Request, Token
from langwright.inference.searching.unrolling import Unroll


def contrast(probability_K: Tensor, hidden_KW: Tensor, before_TW: Tensor, alpha: float) -> Tensor:
    """Equation 5 without its argmax, shape (K,)."""
    likeness_KT = torch.nn.functional.normalize(hidden_KW, dim=-1) @ torch.nn.functional.normalize(before_TW, dim=-1).T
    return (1 - alpha) * probability_K - alpha * likeness_KT.amax(-1)


def search_contrastive(
    unroll: Unroll, request: Request, search: Contrastive, limit: int, expired: Callable[[], bool]
) -> Generator[None, None, list[Candidate]]:
    """The one continuation; yields after each pass of the model, so that others may have their turn.

    unroll   made with hidden states
    limit    most new tokens
    expired  asked before each pass; when true, the text ends as it is
    """
    history = History(request, seed=0)
    history.begin(unroll.model)
    tokens: list[Token] = []
    reason: FinishReason = "length"
    logits_1V, before_TW = unroll.begin(request.prompt)
    parent = 0
    while True:
        logprob_V = logits_1V[0].log_softmax(-1)
        refused: dict[int, Exception] = {}
        steered_1V = altered(guided(logits_1V, [history], refused), [history], refused)
        if refused:
            raise refused[0]
        best = steered_1V[0].log_softmax(-1).topk(min(search.top_k, logprob_V.numel()))
        if not math.isfinite(best.values[0]):
            raise nothing_left(history.made) if logprob_V.isfinite().any() else not_finite()
        ids_K = best.indices[best.values > -torch.inf]
        yield
        if expired():
            reason = "deadline"
            break
        logits_KV, hidden_KW = unroll.extend([parent] * len(ids_K), ids_K.tolist())
        assert before_TW is not None and hidden_KW is not None
        parent = int(contrast(best.values[: len(ids_K)].exp(), hidden_KW, before_TW, search.alpha).argmax())
        id = int(ids_K[parent])
        if id in request.stop_ids:
            reason = "stop"
            break
        tokens.append(Token(id, float(logprob_V[id])))
        history.take(id)
        if len(tokens) == limit:
            break
        logits_1V, before_TW = logits_KV[parent : parent + 1], torch.cat([before_TW, hidden_KW[parent : parent + 1]])
    return [Candidate(tuple(tokens), reason, math.fsum(token.logprob for token in tokens) / max(1, len(tokens)))]
