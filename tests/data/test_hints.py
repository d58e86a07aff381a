"""What counting says of tokens, by hand: names begin and go on; words of a question match alone or with a neighbour."""

from __future__ import annotations

import doctest
import json

import pytest

from langwright.data import hints
from langwright.data.gazetteer import Gazetteer
from langwright.data.hints import Asked, Named, hints_from, word_types
from langwright.data.schemas import Span, TaggingRow

NAMED = Named(Gazetteer.of([TaggingRow(text="北京大学 Ann", spans=(Span(start=0, end=4, label="school"), Span(start=5, end=8, label="person")))]), ("person", "school"))  # fmt: skip


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(hints).failed == 0


def test_names_begin_and_go_on() -> None:
    """Types: 0 outside, 1 and 2 begin and inside of an unsure person, 3 and 4 of a sure one, 5 to 8 of a school."""
    text = "在北京大学见Ann"
    places = [(number, number + 1) for number in range(6)] + [(6, 7), (7, 9)]
    assert NAMED.types == 9 and NAMED.of(text, places) == [0, 7, 8, 8, 8, 0, 3, 4]
    assert NAMED.of("北京大学北京大学", [(0, 2), (2, 4), (4, 8), (8, 8)]) == [7, 8, 7, 0]


def test_a_config_keeps_them() -> None:
    kept = json.loads(json.dumps(NAMED.told()))
    again = hints_from(kept)
    assert isinstance(again, Named) and again.of("见Ann", [(0, 1), (1, 4)]) == [0, 3]
    assert hints_from(json.loads(json.dumps(Asked().told()))) == Asked() and hints_from(None) is None


@pytest.mark.spec("AP11", "what counting says of tokens, names seen in training and words of a question, by hand")
def test_words_of_a_question_alone_with_a_neighbour_and_around() -> None:
    """Question: who built the mill. Of "a b c the mill was built d e f g h i", each within four words on both sides.

    Weights: every word stands once, log 2 = w each: the w, and w for the pair "the mill"; mill w; built w.
    Around: a (0-4) 3w; b 3w; c 4w; the 4w; mill 4w; was (1-9) 4w; built 4w; d (3-11) 4w; e (4-12) 2w; f w; g w; h 0.
    Steps of 4w in quarters: 3w is 3, 4w 3, 2w 2, w 1. Matches: "the" and "mill" 2 as neighbours, "built" 1.
    """
    passage = ["a", "b", "c", "the", "mill", "was", "built", "d", "e", "f", "g", "h", "i"]
    types = word_types(["who", "built", "the", "mill"], passage)
    assert [(one - 1) // 4 for one in types] == [0, 0, 0, 2, 2, 0, 1, 0, 0, 0, 0, 0, 0]
    assert [(one - 1) % 4 for one in types] == [3, 3, 3, 3, 3, 3, 3, 3, 2, 1, 1, 0, 0]


def test_tokens_have_the_type_of_the_word_they_begin_in() -> None:
    context = "Mills, mill"
    places = [(0, 3), (3, 5), (5, 6), (7, 11)]
    first, second, comma, last = Asked().of("The mill", context, places)
    assert first == second == comma == 1 + 3 and last == 1 + 4 + 3
    assert Asked().of("q", "", []) == []
