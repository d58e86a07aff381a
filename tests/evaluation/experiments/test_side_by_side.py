"""Models side by side: paired numbers by hand, what is said of them, and where they differ."""

from __future__ import annotations

from pathlib import Path

import pytest
from scipy import stats

from langwright.errors import UserError
from langwright.evaluation.experiments.side_by_side import (
    Contestant,
    contestant,
    gaps,
    side_by_side_page,
    side_measures,
)
from langwright.evaluation.measuring.findings import Item
from langwright.evaluation.measuring.items import read_items, write_items
from langwright.evaluation.pages.report import Made
from langwright.measures import Measure
from langwright.metrics.classification import ACCURACY


def items(hits: list[int], first: int = 0) -> list[Item]:
    return [
        Item(data="set/test", name=str(first + place), asked=f"question {first + place}", right="yes", said="yes" if hit else "no",
             marks={"accuracy": (float(hit), 1.0), "bits per byte": (8.0 + hit, 4.0)})
        for place, hit in enumerate(hits)
    ]  # fmt: skip


def model(name: str, hits: list[int], first: int = 0) -> Contestant:
    measure = ACCURACY.measure(sum(hits) / len(hits), n=len(hits))
    return contestant(name, [measure.model_copy(update={"model": name, "data": "set/test"})], items(hits, first))


OLD = [1, 1, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0]
NEW = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1]  # seven gained, one lost


@pytest.mark.spec("EV10", "models on the same items: paired differences and McNemar's exact test, by hand and by scipy")
def test_differences_are_paired() -> None:
    found = {gap.of: gap for gap in gaps([model("old", OLD), model("new", NEW)])}
    accuracy = found["accuracy"]
    assert accuracy.difference.value == pytest.approx(6 / 12) and accuracy.difference.n == 12
    assert accuracy.difference.low is not None and accuracy.difference.low > 0
    assert accuracy.test is not None
    assert accuracy.test.value == pytest.approx(stats.binomtest(1, 8).pvalue)
    bits = found["bits per byte"]
    assert bits.difference.value == pytest.approx(6 / 48) and bits.test is None  # weighted by bytes; no right or wrong
    assert accuracy.difference.model == "new − old"
    measures = side_measures([model("old", OLD), model("new", NEW)], list(found.values()), "again")
    assert [(m.name, m.model) for m in measures][:3] == [("accuracy", "old"), ("accuracy", "new"), ("difference in accuracy", "new − old")]  # fmt: skip


def test_only_items_that_both_did_count() -> None:
    (accuracy, _) = gaps([model("old", OLD), model("new", NEW, first=6)])
    assert accuracy.difference.n == 6
    assert accuracy.difference.value == pytest.approx((sum(NEW[:6]) - sum(OLD[6:])) / 6)
    with pytest.raises(UserError, match="no item in common"):
        gaps([model("old", OLD), model("new", NEW, first=100)])


@pytest.mark.parametrize(
    ("new", "said", "chinese"),
    [
        (NEW, "new is better than old on 12 items", "在 12 项上，new 优于 old"),
        ([1 - hit for hit in NEW], "new is worse than old on 12 items", "在 12 项上，new 不如 old"),
        (OLD, "new cannot be told from old on 12 items", "在 12 项上，new 与 old 分不出高下"),
    ],
)
@pytest.mark.spec("EV10", "one page: a table with intervals, what they allow to say, and the items where models differ")
def test_the_page_says_what_the_intervals_allow(new: list[int], said: str, chinese: str) -> None:
    both = [model("old", [1] * 12 if new[0] == 0 else OLD), model("new", new)]
    found = gaps(both)
    page = side_by_side_page(both, found, side_measures(both, found, "again"), Made(), "en")
    assert said in page and chinese in page
    differing = sum(a != b for a, b in zip(OLD if new[0] else [1] * 12, new, strict=True))
    assert f"new and old differ on {max(differing, 0)} of 12 items" in page
    if differing:
        assert "question 2" in page


def test_items_are_written_and_read(tmp_path: Path) -> None:
    write_items(tmp_path, items([1, 0]))
    assert read_items(tmp_path) == items([1, 0])
    (tmp_path / "items.jsonl").write_text('{"data": 1}\n', encoding="utf-8")
    with pytest.raises(UserError, match="is not a report this version can read"):
        read_items(tmp_path)
    with pytest.raises(UserError, match="does not say what was measured of each item"):
        read_items(tmp_path / "nowhere")


def test_one_contestant_has_its_own_measures() -> None:
    one = contestant("old", [Measure(name="accuracy", value=1.0, model="old", data="a"), Measure(name="accuracy", value=0.5, model="baseline", data="a")], [])  # fmt: skip
    found = one.measure("accuracy", "a")
    assert found is not None and found.value == 1.0
    assert one.measure("accuracy", "b") is None
