"""The noises of BART, each by hand and as a property."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langwright.objectives.noises import delete_tokens, infill, mask_tokens, permute_sentences, rotate, span_lengths

MASK = 999
rows = st.lists(st.integers(0, 9), min_size=1, max_size=80).map(lambda ids: np.array(ids, dtype=np.int64))
shares = st.sampled_from([0.0, 0.15, 0.3, 0.9, 1.0])
seeds = st.integers(0, 99).map(np.random.default_rng)


class Told:
    """A generator that draws what it is told."""

    def __init__(self, poisson=(), choice=(), permutation=(), integers=0):
        self.drawn = iter(poisson)
        self.chosen, self.order, self.number = np.array(choice, dtype=np.int64), permutation, integers

    def poisson(self, mean):
        return next(self.drawn)

    def choice(self, pool, count, replace):
        assert not replace and len(self.chosen) == count and all(self.chosen < pool)
        return self.chosen

    def permutation(self, count):
        assert count == len(self.order)
        return np.array(self.order)

    def integers(self, high):
        assert self.number < high
        return self.number


def test_by_hand():
    abcde = np.array([1, 2, 3, 4, 5])
    assert mask_tokens(abcde, 0.4, MASK, Told(choice=[1, 3])).tolist() == [1, MASK, 3, MASK, 5]
    assert delete_tokens(abcde, 0.4, Told(choice=[1, 3])).tolist() == [1, 3, 5]
    assert rotate(abcde, Told(integers=2)).tolist() == [3, 4, 5, 1, 2]
    stops = np.zeros(10, dtype=bool)
    stops[9] = True
    assert permute_sentences(np.array([1, 2, 9, 3, 9, 4]), stops, Told(permutation=[2, 0, 1])).tolist() == [4, 1, 2, 9, 3, 9]  # fmt: skip


def test_infilling_by_hand():
    """A span of two, one of none and one of one, at the first, third and fifth of the 7 + 3 - 3 + 0 places there are."""
    text = np.arange(10, 20)
    filled = infill(text, 0.3, 3.0, MASK, Told(poisson=[2, 0, 4], choice=[0, 2, 5]))
    #  span 10 11 | 12 | nothing | 13 14 | span 15 | the rest
    assert filled.tolist() == [MASK, 12, MASK, 13, 14, MASK, 16, 17, 18, 19]


@given(rows, shares, seeds)
def test_masking_keeps_every_other_token_in_its_place(ids, share, numbers):
    masked = mask_tokens(ids, share, MASK, numbers)
    assert len(masked) == len(ids) and (masked == MASK).sum() == round(share * len(ids))
    assert (masked == ids)[masked != MASK].all()


@given(rows, shares, seeds)
def test_deleting_leaves_the_rest_in_order(ids, share, numbers):
    places = delete_tokens(np.arange(len(ids)), share, numbers)
    assert len(places) == len(ids) - round(share * len(ids)) and (np.diff(places) > 0).all()


@pytest.mark.spec(
    "P8", "infilling replaces spans of any length, none among them, by one mask each and keeps the rest in order"
)
@given(rows, shares, st.sampled_from([1.0, 3.0, 8.0]), seeds)
def test_infilling_hides_its_share_and_is_never_longer(ids, share, mean, numbers):
    filled = infill(np.arange(len(ids)), share, mean, MASK, numbers)
    kept = filled[filled != MASK]
    assert len(kept) == len(ids) - round(share * len(ids)) and (np.diff(kept) > 0).all()
    assert len(filled) <= len(ids)


def test_lengths_of_spans_are_those_of_poisson():
    lengths = np.concatenate([span_lengths(3000, 3.0, np.random.default_rng(seed)) for seed in range(20)])
    assert lengths.mean() == pytest.approx(3, abs=0.05) and lengths.var() == pytest.approx(3, abs=0.15)
    assert (lengths == 0).mean() == pytest.approx(np.exp(-3), abs=0.005)


def test_arrangements_of_an_infilling_are_equally_likely():
    """One span of one among two kept tokens: three places."""
    numbers = np.random.default_rng(0)
    found = [tuple(infill(np.array([1, 2, 3]), 1 / 3, 1e9, MASK, numbers)) for _ in range(3000)]
    kinds, counts = np.unique(found, axis=0, return_counts=True)
    assert len(kinds) == 3 and np.abs(counts - 1000).max() < 120


@given(rows, seeds)
def test_permutation_keeps_sentences_whole(ids, numbers):
    stops = np.arange(10) == 9
    shuffled = permute_sentences(ids, stops, numbers)
    assert sorted(shuffled) == sorted(ids)
    if ids[-1] == 9:  # else the unfinished one may come to stand before another
        assert sentences(shuffled) == sentences(ids)


def sentences(ids):
    return sorted("".join(map(str, ids)).split("9"))


@given(rows, seeds)
def test_rotation_is_undone_by_one(ids, numbers):
    turned = rotate(ids, numbers)
    assert any((np.roll(turned, by) == ids).all() for by in range(len(ids)))
