"""A dictionary from pairs of sentences: Model 1 against numbers by hand, and what becomes of words and marks."""

from __future__ import annotations

import doctest

import pytest

from langwright.evaluation.baselines import word_by_word
from langwright.evaluation.baselines.word_by_word import Dictionary, grown, learned

BOOKS = [("das Haus", "the house"), ("das Buch", "the book"), ("ein Buch", "a book")]
CUT = [(one.split(), other.split()) for one, other in BOOKS]


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(word_by_word).failed == 0


@pytest.mark.spec("AP16", "the dictionary of word-for-word translation is IBM's Model 1, by hand")
def test_rounds_of_model_1_by_hand() -> None:
    """All begin equal. Round 1: "the" is half das in both its sentences, so das has 1/2 + 1/2 of it, 1/2 of house and of book.

    Round 2: "the" of the first sentence comes from das by (1/2) / (1/2 + 1/2) = 1/2, of the second by (1/2) / (1/2 + 1/4)
    = 2/3; house from das by (1/4) / (1/4 + 1/2) = 1/3; book (2nd) by (1/4) / (1/4 + 1/2) = 1/3. Their sum is 11/6.
    """
    first, second = learned(CUT, 1, empty=False), learned(CUT, 2, empty=False)
    assert first.of("das") == pytest.approx({"the": 1 / 2, "house": 1 / 4, "book": 1 / 4})
    assert second.of("das") == pytest.approx({"the": 7 / 11, "house": 2 / 11, "book": 2 / 11})
    assert learned(CUT, 30).best() | {"": ""} == {"das": "the", "Haus": "house", "Buch": "book", "ein": "a", "": ""}


def test_every_row_of_the_table_sums_to_one() -> None:
    found = learned(CUT, 3)
    for word in found.read:
        assert sum(found.of(word).values()) == pytest.approx(1)


def test_texts_are_written_in_the_order_they_are_read() -> None:
    dictionary = Dictionary([(f"{one}.", f"{other}.") for one, other in BOOKS])
    assert dictionary("Ein Haus, das steht.") == "a house, the steht."


def test_words_do_not_become_marks() -> None:
    """Every sentence ends in a full stop, and the article has a form of its own in each."""
    pairs = [("a dog.", "ein Hund."), ("a cat.", "eine Katze."), ("a house.", "einem Haus."), ("a dog.", "einen Hund.")]
    assert "." not in Dictionary(pairs)("a dog")


def test_a_chinese_character_grows_to_the_word_it_is_of() -> None:
    pairs = [
        ("doctor came", "医生来"),
        ("the doctor", "那医生"),
        ("doctor slept", "医生睡"),
        ("she came", "她来"),
        ("she slept", "她睡"),
    ]
    assert Dictionary(pairs)("she doctor") == "她医生"
    assert grown("医", ["医院", "医生", "中医"]) == "医" and grown("医", ["医生"]) == "医"
