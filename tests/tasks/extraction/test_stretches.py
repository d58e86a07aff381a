"""The stretch of a text nearest to its summary, by hand and against trying all of them."""

from __future__ import annotations

import doctest
import random

import pytest

from langwright.metrics.rouge import rouge
from langwright.metrics.units import placed_units
from langwright.tasks.extraction import stretches
from langwright.tasks.extraction.stretches import best_stretch, growing


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(stretches).failed == 0


def test_f1_of_a_growing_stretch_by_hand() -> None:
    """Wanted: a b c, with pairs ab and bc. x: 0; x a: 2/5; x a b: words 4/6, pairs 1 of 2 and 2, so 2/4."""
    assert growing(["x", "a", "b"], ["a", "b", "c"]) == pytest.approx([0.0, 2 / 5, 4 / 6 + 2 / 4])
    assert growing(["a", "a"], ["a"]) == pytest.approx([1.0, 2 / 3])  # a word counts as often as it is wanted


def test_chinese_goes_by_characters_and_marks_stay_outside() -> None:
    text = "本文研究了，基于小波的去噪方法。结果良好。"
    found = best_stretch(text, "小波去噪")
    assert found is not None and text[slice(*found)] == "小波的去噪"
    assert best_stretch("雨", "no word of it") is None


@pytest.mark.spec("AP15", "an extractive model learns the stretch of a text whose ROUGE with the summary is highest")
def test_no_stretch_is_better() -> None:
    numbers = random.Random(0)
    for _ in range(30):
        text = " ".join(numbers.choices("abcd", k=12))
        summary = " ".join(numbers.choices("abcd", k=4))
        found = best_stretch(text, summary)
        if found is None:
            assert not set(text.split()) & set(summary.split())
            continue
        places = placed_units(text)
        tried = [text[places[i][1] : places[j][2]] for i in range(12) for j in range(i, min(12, i + 8))]
        assert worth(text[slice(*found)], summary) == pytest.approx(max(worth(one, summary) for one in tried))


def worth(said: str, right: str) -> float:
    found = rouge(said, [right])
    return found["1"].f1 + found["2"].f1
