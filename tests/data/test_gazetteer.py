"""A dictionary of labelled names by hand: longest match, whole Latin words, and what a row sees of itself."""

from __future__ import annotations

import doctest

from langwright.data import gazetteer
from langwright.data.gazetteer import Gazetteer
from langwright.data.schemas import Span, TaggingRow


def row(text: str, *spans: tuple[int, int, str]) -> TaggingRow:
    return TaggingRow(text=text, spans=tuple(Span(start=a, end=b, label=label) for a, b, label in spans))


def found(known: Gazetteer, text: str, own: TaggingRow | None = None) -> list[tuple[int, int, str]]:
    return [(span.start, span.end, span.label) for span, _ in known.matches(text, own)]


TRAIN = [
    row("北京 北京大学", (0, 2, "place"), (3, 7, "school")),
    row("北京", (0, 2, "team")),
    row("北京", (0, 2, "place")),
]


def test_the_examples_in_the_docstrings() -> None:
    assert doctest.testmod(gazetteer).failed == 0


def test_the_longest_name_and_the_commonest_label() -> None:
    assert found(Gazetteer.of(TRAIN), "在北京大学和北京") == [(1, 5, "school"), (6, 8, "place")]


def test_a_row_sees_the_names_of_all_others() -> None:
    """北京 is a place twice and a team once: without the first row once each, and the team came first; 北京大学 is gone."""
    known = Gazetteer.of(TRAIN)
    assert found(known, TRAIN[0].text, TRAIN[0]) == [(0, 2, "place"), (3, 5, "place")]
    assert found(known, "北京", TRAIN[1]) == [(0, 2, "place")]
    alone = row("上海", (0, 2, "place"))
    assert found(Gazetteer.of([alone]), alone.text) == [(0, 2, "place")]
    assert found(Gazetteer.of([alone]), alone.text, alone) == []


def test_latin_names_are_whole_words() -> None:
    known = Gazetteer.of([row("York", (0, 4, "place"))])
    assert found(known, "Yorkshire, New York") == [(15, 19, "place")]
    assert found(known, "在York住") == [(1, 5, "place")]


def test_a_name_is_sure_where_half_of_its_places_are_labelled() -> None:
    """木 stands four times and is a name once; 林 twice and once. Without their own rows: 木 in none of two, 林 in none of one."""
    rows = [row("木和林", (0, 1, "x"), (2, 3, "x")), row("木木和林"), row("木")]
    known = Gazetteer.of(rows)
    assert known.seen == {"木": 4, "林": 2}
    assert [match.sure for match in known.matches("木林")] == [False, True]
    assert known.matches(rows[0].text, rows[0]) == []
    both = Gazetteer.of([*rows, row("林", (0, 1, "x"))])  # 林 is left once of two places without the first row
    assert [(match.span.label, match.sure) for match in both.matches(rows[0].text, rows[0])] == [("x", True)]
