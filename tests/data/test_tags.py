"""Tags as spans and back, against seqeval's rules by hand and against each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langwright.data.conll import joined
from langwright.data.tags import spans_of, tags_of


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("O B-a I-a O", [(1, 3, "a")]),
        ("B-a B-a I-a", [(0, 1, "a"), (1, 3, "a")]),
        ("I-a I-a O I-b", [(0, 2, "a"), (3, 4, "b")]),  # IOB1: what goes on where nothing has begun begins
        ("B-a I-b I-b", [(0, 1, "a"), (1, 3, "b")]),
        ("B-a M-a E-a S-b", [(0, 3, "a"), (3, 4, "b")]),  # BMES
        ("B-a I-a E-a B-a E-a O U-b", [(0, 3, "a"), (3, 5, "a"), (6, 7, "b")]),
        ("S-a S-a", [(0, 1, "a"), (1, 2, "a")]),
        ("PER PER O LOC", [(0, 2, "PER"), (3, 4, "LOC")]),  # without prefixes
        ("B-per.nam I-per.nam", [(0, 2, "per.nam")]),
        ("B-x-y I-x-y", [(0, 2, "x-y")]),
        ("O O", []),
        ("", []),
    ],
)
def test_every_scheme_by_hand(tags: str, spans: list[tuple[int, int, str]]) -> None:
    assert list(spans_of(tags.split())) == spans


@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["a", "b", None])), max_size=8))
def test_there_and_back(runs: list[tuple[int, str | None]]) -> None:
    spans, at = [], 0
    for length, label in runs:
        if label:
            spans.append((at, at + length, label))
        at += length
    assert list(spans_of(tags_of(spans, at))) == spans


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["New", "York", "."], "New York ."),
        (list("中国CSOL"), "中国CSOL"),
        (["我们", "在", "New", "York", "见面", "。"], "我们在New York见面。"),
        (["", "a"], "a"),
        ([], ""),
    ],
)
def test_words_joined(words: list[str], text: str) -> None:
    found, places = joined(words)
    assert found == text and [found[a:b] for a, b in places] == words
