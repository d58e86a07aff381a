"""Runs of words and pieces: the weights are scikit-learn's, what is kept is hashes, and nothing depends on order."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from langwright.data.characters import units
from langwright.data.lexicon import Lexicon, counted, fit_lexicon, hashed
from langwright.data.lexicon_settings import Runs

TEXTS = ["Not good, not good at all!", "很好吃，不难吃", "a good good day", "不好吃 at all", "good"]


def runs_of(text: str) -> list[str]:
    found = units(text)
    return [" ".join(found[at : at + n]) for n in (1, 2) for at in range(len(found) - n + 1)]


def test_weights_are_those_of_scikit_learn() -> None:
    lexicon = fit_lexicon(TEXTS, Runs(words=2, letters=0, fewest=1))
    theirs = TfidfVectorizer(analyzer=runs_of, sublinear_tf=True).fit(TEXTS)
    assert len(lexicon.keys) == len(theirs.vocabulary_)
    unseen = "Good good, very good 很好 indeed"
    for text in [*TEXTS, unseen]:
        dense = np.zeros(len(lexicon.keys))
        found = lexicon.terms(text)
        dense[found.places] = found.weights
        row = theirs.transform([text]).toarray()[0]
        for run, place in theirs.vocabulary_.items():
            assert dense[np.searchsorted(lexicon.keys, hashed(run))] == pytest.approx(row[place], abs=1e-6), run


def test_pieces_mark_the_edges_of_words_and_have_a_length_of_their_own() -> None:
    _, pieces = counted("cat 猫 a", 1, 3)
    marked = ["\x02c", "ca", "at", "t\x02", "\x02ca", "cat", "at\x02"]
    assert pieces == {
        hashed("\x02\x02" + piece): 1 for piece in marked
    }  # neither of a character nor of a single letter
    lexicon = fit_lexicon(["cat", "cat 猫"], Runs(words=1, letters=3, fewest=1))
    weights = lexicon.terms("cat").weights
    assert np.square(weights).sum() == pytest.approx(2)  # the word, and its pieces together


def test_what_is_rare_is_not_known_and_the_commonest_are_kept() -> None:
    assert len(fit_lexicon(TEXTS, Runs(letters=0, fewest=6)).keys) == 0
    kept = fit_lexicon(TEXTS, Runs(words=1, letters=0, most=1))
    assert kept.keys.tolist() == [hashed("good")]
    assert np.array_equal(kept.keys, fit_lexicon(TEXTS[::-1], Runs(words=1, letters=0, most=1)).keys)


@pytest.mark.parametrize("text", ["", "   ", "没有见过的", "\x02", "💥" * 500])
def test_a_text_of_which_nothing_is_known_has_nothing(text: str) -> None:
    for lexicon in (
        fit_lexicon(TEXTS[:1], Runs(fewest=1)),
        Lexicon(2, 3, np.zeros(0, np.int64), np.zeros(0, np.float32)),
    ):
        found = lexicon.terms(text)
        assert found.places.shape == found.weights.shape == (0,)
        assert found.places.dtype == np.int64 and found.weights.dtype == np.float32


def test_hashes_are_the_same_everywhere() -> None:
    assert (hashed("good"), hashed("不 好")) == (542560439949309232, -1621239312233843097)
