"""Simple methods by hand: what a dictionary, a window, shared words and word-for-word translation say."""

from __future__ import annotations

import doctest

import pytest

from langwright.data.schemas import (
    Answer,
    ChoiceRow,
    PairRow,
    QaRow,
    RegressionRow,
    Span,
    SummaryRow,
    TaggingRow,
    TranslationRow,
)
from langwright.evaluation.baselines import tasks as simple


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(simple).failed == 0


def test_the_dictionary_takes_the_longest_name_and_the_commonest_label() -> None:
    train = [
        TaggingRow(
            text="北京 北京大学", spans=(Span(start=0, end=2, label="place"), Span(start=3, end=7, label="school"))
        ),
        TaggingRow(text="北京", spans=(Span(start=0, end=2, label="team"),)),
        TaggingRow(text="北京", spans=(Span(start=0, end=2, label="place"),)),
    ]
    ((name, said),) = simple.of_tags(train, [TaggingRow(text="在北京大学和北京", spans=())])
    assert name == "dictionary tagger" and said == [{(1, 5, "school"), (6, 8, "place")}]


def test_the_window_stands_where_the_question_does() -> None:
    """Of one-word spans that are not the question's, "1841" has lighthouse, built and in within four words, the most."""
    train = [QaRow(question="?", context="a b", answers=(Answer(text="a", start=0),))]
    asked = QaRow(
        question="When was the lighthouse built?",
        context="The mill burned in 1790. The lighthouse was built in 1841. Goats graze there.",
        answers=(),
    )
    ((_, (said,)),) = simple.of_questions(train, [asked])
    assert said in ("in", "1841")  # both see the same words of the question; the first is taken
    assert said == "in"


def test_each_pair_of_languages_has_its_dictionary() -> None:
    pairs = [
        ("red ball", "红球", "zh"),
        ("red hat", "红帽", "zh"),
        ("blue hat", "蓝帽", "zh"),
        ("red", "rot", "de"),
        ("red", "rot", "de"),
    ]
    train = [TranslationRow(text=a, translation=b, language="en", target_language=to) for a, b, to in pairs]
    asked = [
        TranslationRow(text=text, translation="", language="en", target_language=to)
        for text, to in (("blue ball", "zh"), ("red", "de"), ("red", "fr"))
    ]
    ((_, said),) = simple.of_translations(train, asked)
    assert said == ["蓝球", "rot", "red"]


def test_numbers_by_a_line_through_shared_words() -> None:
    train = [PairRow(text_a="a b", text_b="a b", score=5.0), PairRow(text_a="a b", text_b="c d", score=1.0)]
    words, mean = simple.of_similarities(train, [PairRow(text_a="a b", text_b="a c")])
    assert words[1] == pytest.approx([1 + 4 / 3]) and mean[1] == [3.0]
    values = dict(simple.of_values([RegressionRow(text="good", score=5), RegressionRow(text="bad", score=1)], [RegressionRow(text="good", score=0)]))  # fmt: skip
    assert values["TF-IDF and ridge regression"][0] > 3 and values["always the mean"] == [3.0]


def test_choices_labels_and_first_words() -> None:
    choices = dict(simple.of_choices([], [ChoiceRow(question="red or green?", choices=("blue", "green thing", "green"), answer=2)]))  # fmt: skip
    assert choices == {"shared words": [2], "always the first": [0]}
    train = [
        PairRow(text_a="some words", text_b=f"more words {label}{label}", label=label) for label in ("a", "a", "b")
    ]
    assert dict(simple.of_pairs(train, train))["always the commonest label"] == ["a"] * 3
    ((_, said),) = simple.of_summaries([SummaryRow(text="", summary="one two")], [SummaryRow(text="It was the best", summary="")])  # fmt: skip
    assert said == ["It was"]
