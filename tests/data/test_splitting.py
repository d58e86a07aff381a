"""Splits are a function of what a row says: duplicates together, stable under more rows, no split empty."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langwright.data.reading import Read
from langwright.data.schemas import ClassificationRow, Row, TextRow
from langwright.data.settings import SplitSettings
from langwright.data.splitting import Splitter, place_of
from langwright.errors import UserError

TEXTS = st.lists(st.text(st.sampled_from("ab 好"), max_size=4), min_size=1, max_size=40)


def split(rows: Iterable[Row], settings: SplitSettings | None = None) -> list[tuple[Row, str]]:
    return list(Splitter(settings or SplitSettings()).split(Read(row, None) for row in rows))


def texts(*said: str) -> list[TextRow]:
    return [TextRow(id=str(number), text=text) for number, text in enumerate(said)]


def by_text(found: list[tuple[Row, str]]) -> dict[str, set[str]]:
    splits = defaultdict(set)
    for row, name in found:
        splits["".join(row.text.casefold().split())].add(name)  # type: ignore[attr-defined]
    return splits


@pytest.mark.spec("D13", "rows that say the same, spacing and case aside, are never separated, and no row is lost")
@given(said=TEXTS, validation=st.floats(0, 0.6), test=st.floats(0, 0.3), seed=st.integers(0, 5))
def test_duplicates_stay_together_and_every_row_comes_once(
    said: list[str], validation: float, test: float, seed: int
) -> None:
    rows = texts(*said)
    found = split(rows, SplitSettings(validation=validation, test=test, seed=seed))
    assert sorted(int(row.id) for row, _ in found) == list(range(len(rows)))
    assert all(len(splits) == 1 for splits in by_text(found).values())


@given(pairs=st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("xyz")), min_size=1, max_size=60),
       test=st.sampled_from([0.0, 0.2]), seed=st.integers(0, 20))  # fmt: skip
def test_duplicates_stay_together_even_with_other_labels(pairs: list[tuple[str, str]], test: float, seed: int) -> None:
    rows = [ClassificationRow(id=str(i), text=text, label=label) for i, (text, label) in enumerate(pairs)]
    found = split(rows, SplitSettings(validation=0.2, test=test, seed=seed))
    assert len(found) == len(rows)
    assert all(len(splits) == 1 for splits in by_text(found).values())


def test_case_spacing_and_width_do_not_separate() -> None:
    many = [variant for n in range(200) for variant in (f"Text {n}", f"text  {n} ", f"ＴＥＸＴ{n}", f"TEXT\n{n}")]
    assert all(len(splits) == 1 for splits in by_text([(TextRow(text=row.text.replace("ＴＥＸＴ", "TEXT")), name)  # type: ignore[attr-defined]
                                                        for row, name in split(texts(*many))]).values())  # fmt: skip


def test_shares_are_as_asked() -> None:
    """20,000 rows: the standard error of a share of 0.2 is 0.003."""
    counts = Counter(
        name for _, name in split(texts(*map(str, range(20_000))), SplitSettings(validation=0.2, test=0.1))
    )
    assert counts["validation"] / 20_000 == pytest.approx(0.2, abs=0.012)
    assert counts["test"] / 20_000 == pytest.approx(0.1, abs=0.009)


def test_more_rows_and_another_order_move_none() -> None:
    some = [f"row {n}" for n in range(300)]
    more = some + [f"other {n}" for n in range(300)]
    random.Random(0).shuffle(more)
    before, after = by_text(split(texts(*some))), by_text(split(texts(*more)))
    assert all(after[text] == splits for text, splits in before.items())


def test_another_seed_chooses_others_and_validation_does_not_move_test() -> None:
    rows = texts(*map(str, range(3000)))
    chosen = {
        (seed, share): {
            row.id for row, name in split(rows, SplitSettings(seed=seed, validation=share, test=0.1)) if name == "test"
        }
        for seed, share in ((0, 0.1), (0, 0.3), (1, 0.1))
    }
    assert chosen[0, 0.1] == chosen[0, 0.3]
    assert len(chosen[0, 0.1] & chosen[1, 0.1]) < 0.25 * len(chosen[0, 0.1])


@pytest.mark.parametrize("count", [2, 3, 5, 9])
@pytest.mark.parametrize("seed", range(8))
def test_small_sets_have_no_empty_split(count: int, seed: int) -> None:
    rows = texts(*map(str, range(count)))
    assert {name for _, name in split(rows, SplitSettings(seed=seed))} == {"train", "validation"}
    found = {name for _, name in split(rows, SplitSettings(seed=seed, test=0.1))}
    assert found == ({"train", "validation", "test"} if count > 2 else {"train", "validation"})


@pytest.mark.parametrize("seed", range(5))
def test_a_single_row_is_trained_on(seed: int) -> None:
    assert split(texts("only", "ONLY "), SplitSettings(seed=seed, validation=0.9)) == [
        (row, "train") for row in texts("only", "ONLY ")
    ]


@pytest.mark.parametrize("seed", range(6))
def test_every_label_stands_in_every_split(seed: int) -> None:
    sizes = {"common": 300, "rare": 3, "pair": 2, "single": 1}
    rows = [ClassificationRow(text=f"{label} {n}", label=label) for label, size in sizes.items() for n in range(size)]
    random.Random(seed).shuffle(rows)
    found = defaultdict(set)
    for row, name in split(rows, SplitSettings(seed=seed, test=0.1)):
        found[row.label].add(name)  # type: ignore[attr-defined]
    assert found["common"] == found["rare"] == {"train", "validation", "test"}
    assert found["pair"] == {"train", "validation"}
    assert found["single"] == {"train"}


def test_labels_may_be_ignored() -> None:
    rows = [ClassificationRow(text=f"x{n}", label=str(n)) for n in range(400)]
    found = split(rows, SplitSettings(every_label=False))
    assert sum(name == "validation" for _, name in found) in range(20, 65)


def test_splits_of_their_own_take_nothing_from_the_others() -> None:
    rows = [Read(row, "validation" if number < 5 else None) for number, row in enumerate(texts(*map(str, range(300))))]
    counts = Counter(name for _, name in Splitter(SplitSettings(files={"dev": "*dev*"})).split(iter(rows)))
    assert counts == {"validation": 5, "train": 295}
    rows = [Read(read.row, "test" if read.split else None) for read in rows]
    counts = Counter(name for _, name in Splitter(SplitSettings(files={"test": "*"}, test=0.5)).split(iter(rows)))
    assert counts["test"] == 5
    assert 10 < counts["validation"] < 60


def test_shares_must_leave_something_to_train_on() -> None:
    with pytest.raises(UserError, match="leave nothing to train on"):
        Splitter(SplitSettings(validation=0.6, test=0.4))


def test_places_are_even_and_differ_by_seed() -> None:
    keys = [n.to_bytes(16, "big") for n in range(4000)]
    places = sorted(place_of(key, 0) for key in keys)
    assert max(abs(place - n / 4000) for n, place in enumerate(places)) < 0.03  # Kolmogorov: 0.026 at p = 0.01
    assert place_of(keys[0], 0) != place_of(keys[0], 1)
    assert all(0 <= place < 1 for place in places)
