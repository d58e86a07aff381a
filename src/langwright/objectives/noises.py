"""Noises that a text is rebuilt from: masking, deletion, infilling, permutation of sentences, rotation.

Source    Lewis et al. 2020, arXiv:1910.13461 (BART), section 2.2. The model published with it is trained on
          infilling of 30 % and permutation of all sentences together (section 5.1).
Differs   Spans of an infilling are laid among the kept tokens so that every arrangement is equally likely,
          where the paper does not say; the last drawn span is shortened so that the share is met exactly.
Shapes    L tokens of a row
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]


def mask_tokens(ids: Ids, share: float, mask: int, numbers: np.random.Generator) -> Ids:
    """A random share of the tokens replaced by the mask, one for one."""
    masked = ids.copy()
    masked[some_places(len(ids), share, numbers)] = mask
    return masked


def delete_tokens(ids: Ids, share: float, numbers: np.random.Generator) -> Ids:
    """A random share of the tokens left out: the model must also find where something is missing."""
    return np.delete(ids, some_places(len(ids), share, numbers))


def some_places(length: int, share: float, numbers: np.random.Generator) -> Ids:
    """Places of a share of a row's tokens, rounded, drawn without repetition."""
    return numbers.choice(length, round(share * length), replace=False)


def infill(ids: Ids, share: float, mean: float, mask: int, numbers: np.random.Generator) -> Ids:
    """Spans of Poisson(mean) tokens, each replaced by one mask; a span of no tokens puts a mask in.

    share  of the tokens that lie in spans, rounded
    """
    lengths = span_lengths(round(share * len(ids)), mean, numbers)
    kept = len(ids) - int(lengths.sum())
    slots = np.sort(numbers.choice(kept + len(lengths), len(lengths), replace=False))
    filled, place = [], 0
    for number, (slot, length) in enumerate(zip(slots.tolist(), lengths.tolist(), strict=True)):
        begin = slot - number + int(lengths[:number].sum())  # kept tokens before it, and those of earlier spans
        filled += [ids[place:begin], np.array([mask], dtype=np.int64)]
        place = begin + length
    return np.concatenate([*filled, ids[place:]])


def span_lengths(tokens: int, mean: float, numbers: np.random.Generator) -> Ids:
    """Draws of Poisson(mean) until they add up to `tokens`, the last cut to fit.

    There are never more spans than tokens, so that masks never make a row longer than it was.
    """
    found: list[int] = []
    left = tokens
    while left > 0:
        last = len(found) == tokens - 1
        found.append(left if last else min(int(numbers.poisson(mean)), left))
        left -= found[-1]
    return np.array(found, dtype=np.int64)


def permute_sentences(ids: Ids, ends_sentence: NDArray[np.bool_], numbers: np.random.Generator) -> Ids:
    """The sentences of a row in random order; what follows the last full stop is one too."""
    ends = np.flatnonzero(ends_sentence[ids]) + 1
    sentences = [piece for piece in np.split(ids, ends) if len(piece)]
    order = numbers.permutation(len(sentences))
    return np.concatenate([sentences[place] for place in order]) if sentences else ids


def rotate(ids: Ids, numbers: np.random.Generator) -> Ids:
    """The row begun at a token chosen at random, with what stood before it behind its end."""
    return np.roll(ids, -int(numbers.integers(len(ids)))) if len(ids) else ids
