"""Which tokens may be drawn at all: each rule puts the logits of the others at minus infinity.

Sources   top-k    Fan et al. 2018, arXiv:1805.04833, section 5.4 (draw among the k likeliest)
          top-p    Holtzman et al. 2020, arXiv:1904.09751, equations 2 and 3 (the smallest set of likeliest
                   tokens that holds at least p, renormalised)
          min-p    Nguyen et al. 2024, arXiv:2407.01082, section 3 (at least a share of the likeliest one's probability)
          typical  Meister et al. 2022, arXiv:2202.00666, section 4 (the tokens whose surprise is nearest to
                   the entropy, until they hold a mass)
          eta      Hewitt et al. 2022, arXiv:2210.15191, section 4 (η = min(ε, √ε · exp(−entropy)))
          mirostat Basu et al. 2020, arXiv:2007.14966, algorithm 1, in the authors' second form: what surprises
                   by more than a limit is cut off, and the limit follows the surprise of what was drawn
Shapes    B rows    V vocabulary

Each rule sees what the one before left, renormalised. What it makes of a row does not depend on the other
rows, to the last bit: softmax and cumulative sums work row by row, and a row whose setting is neutral is
left as it is. (`sum` and `logsumexp` split a single long row between threads, and do not serve here.)

Differs from transformers: among tokens of equal probability exactly k are kept, the lowest ids first
(theirs keeps all that tie with the k-th), so that top-k 1 is greedy; the same holds for top-p.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

HEAD = 256  # likeliest tokens looked at before all of them are sorted


def tempered(logits_BV: Tensor, temperature_B: Tensor) -> Tensor:
    """Logits at a temperature above 0, the largest of each row 0. However small it is, nothing overflows."""
    shifted_BV = logits_BV - logits_BV.amax(-1, keepdim=True)
    return shifted_BV / temperature_B[:, None]


def likeliest(logits_BV: Tensor, top_k_B: Tensor, top_p_B: Tensor) -> Tensor:
    """Top-k, then top-p.

    top_k_B  0 means all
    top_p_B  in (0, 1]
    """
    share_BV = logits_BV.softmax(-1)
    vocabulary = share_BV.shape[-1]
    width = min(vocabulary, max(HEAD, int(top_k_B.max())))
    while True:
        head_BW = share_BV.topk(width, -1).values
        through_BW = head_BW.cumsum(-1)
        limit_B = torch.where(top_k_B == 0, vocabulary, top_k_B).clamp(max=vocabulary)
        held_B = torch.where(top_k_B == 0, 1.0, through_BW.gather(-1, limit_B.clamp(max=width)[:, None] - 1)[:, 0])
        wanted_B = top_p_B * held_B
        if width == vocabulary or bool(((through_BW[:, -1] >= wanted_B) | (top_k_B > 0) | (top_p_B >= 1)).all()):
            break
        width = vocabulary
    before_BW = torch.nn.functional.pad(through_BW[:, :-1], (1, 0))
    nucleus_B = torch.where(top_p_B >= 1, vocabulary, (before_BW < wanted_B[:, None]).sum(-1))
    count_B = torch.minimum(limit_B, nucleus_B)
    least_B1 = head_BW.gather(-1, count_B.clamp(max=width)[:, None] - 1)
    tied_BV = share_BV == least_B1
    room_B1 = count_B[:, None] - (share_BV > least_B1).sum(-1, keepdim=True)
    kept_BV = (share_BV > least_B1) | (tied_BV & (tied_BV.cumsum(-1) <= room_B1)) | (count_B[:, None] == vocabulary)
    return logits_BV.masked_fill(~kept_BV, -torch.inf)


def min_p(logits_BV: Tensor, share_B: Tensor) -> Tensor:
    """Tokens with at least this share of the likeliest one's probability; 0 leaves all."""
    probability_BV = logits_BV.softmax(-1)
    return logits_BV.masked_fill(probability_BV < share_B[:, None] * probability_BV.amax(-1, keepdim=True), -torch.inf)


def typical(logits_BV: Tensor, mass_B: Tensor) -> Tensor:
    """The tokens whose surprise is nearest to the entropy, until they hold the mass, with ties; 1 leaves all."""
    logprob_BV, probability_BV = logits_BV.log_softmax(-1), logits_BV.softmax(-1)
    distance_BV = (logprob_BV + entropy(logprob_BV, probability_BV)[:, None]).abs()
    sorted_BV, order_BV = distance_BV.sort(dim=-1, stable=True)
    through_BV = probability_BV.gather(-1, order_BV).cumsum(-1)
    last_B1 = (through_BV < mass_B[:, None]).sum(-1, keepdim=True).clamp(max=logits_BV.shape[-1] - 1)
    far_BV = distance_BV > sorted_BV.gather(-1, last_B1)
    return logits_BV.masked_fill(far_BV & (mass_B < 1)[:, None], -torch.inf)


def eta(logits_BV: Tensor, epsilon: Sequence[float]) -> Tensor:
    """Tokens at least as probable as η, and the likeliest; 0 leaves all."""
    logprob_BV = logits_BV.log_softmax(-1)
    log_B = logprob_BV.new_tensor([math.log(value) if value else -math.inf for value in epsilon])
    floor_B = torch.minimum(log_B, log_B / 2 - entropy(logprob_BV, logits_BV.softmax(-1)))
    return logits_BV.masked_fill((logprob_BV < floor_B[:, None]) & below_the_top(logprob_BV), -torch.inf)


def unsurprising(logits_BV: Tensor, bits_B: Tensor) -> Tensor:
    """Tokens that surprise by at most so many bits, and the likeliest; infinity leaves all."""
    logprob_BV = logits_BV.log_softmax(-1)
    too_much_BV = -logprob_BV > bits_B[:, None] * math.log(2)
    return logits_BV.masked_fill(too_much_BV & below_the_top(logprob_BV), -torch.inf)


def below_the_top(logprob_BV: Tensor) -> Tensor:
    """Flags of the tokens that are not the likeliest."""
    return logprob_BV < logprob_BV.amax(-1, keepdim=True)


def entropy(logprob_BV: Tensor, probability_BV: Tensor) -> Tensor:
    """In nats, shape (B,); what cannot come adds nothing."""
    parts_BV = torch.where(probability_BV > 0, probability_BV * logprob_BV, 0)
    return -parts_BV.cumsum(-1)[:, -1]


def draw(logits_BV: Tensor, uniform_B: Tensor) -> Tensor:
    """The token at which the cumulative probability, in order of ids, first exceeds the uniform number; shape (B,).

    In order of ids and not of probability: two tokens that are equal but for rounding would change
    places there from one batch to another, and with them what is drawn.
    """
    cumulative_BV = logits_BV.softmax(-1).cumsum(-1)
    total_B = cumulative_BV[:, -1]
    target_B = torch.minimum(uniform_B * total_B, torch.nextafter(total_B, torch.zeros_like(total_B)))
    return (cumulative_BV <= target_B[:, None]).sum(-1)
