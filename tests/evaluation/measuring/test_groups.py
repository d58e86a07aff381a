"""Groups of rows by a column."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.evaluation.test_running import dataset_of, named, run

from langwright.data.schemas import ClassificationRow
from langwright.errors import UserError
from langwright.evaluation.baselines.word_counts import Guess
from langwright.evaluation.measuring.groups import Part, groups_of, part_of
from langwright.evaluation.settings import EvaluateSettings
from langwright.metrics.intervals import wilson

ROWS = [
    ClassificationRow(id=str(place), text=text, label="good" if place % 2 else "bad", source=source, language=language)
    for place, (text, source, language) in enumerate(
        [("a", "web", "en"), ("b", "web", "en"), ("c", "book", "zh"), ("d", "book", "zh"), ("e", "", "zh")] * 3
    )
]


def test_rows_are_told_apart_by_language_and_by_what_is_asked_for() -> None:
    found = dict(groups_of(ROWS, ["source", "licence"]))
    assert set(found) == {
        "en",
        "zh",
        "source=web",
        "source=book",
    }  # no row has a licence; rows without source are in none
    assert found["source=book"] == [2, 3, 7, 8, 12, 13]
    assert dict(groups_of(ROWS[:2], ["source"])) == {}
    with pytest.raises(UserError) as refused:
        list(groups_of(ROWS, ["sources"]))
    assert refused.value.values["near"] == "source"
    with pytest.raises(UserError, match="column"):
        list(groups_of(ROWS, ["labels"]))


def test_a_group_is_read_from_the_name_of_the_data() -> None:
    assert part_of("set/test (source=the web (2))") == Part("set/test", "source", "the web (2)")
    assert part_of("set/test (zh)") == Part("set/test", "language", "zh")
    assert part_of("set/test") == Part("set/test")


@pytest.mark.spec("EV9", "each group of a column is measured by itself, with its own interval")
def test_labels_by_group(tmp_path: Path) -> None:
    """Right on the web, wrong in books."""
    dataset = dataset_of(tmp_path / "set", "classification", {"test": ROWS})
    settings = EvaluateSettings(baselines=False, split="test", groups=("source",))
    answers = iter([row.label if row.source == "web" else "other" for row in ROWS])
    findings = run(dataset, settings, predictor=lambda labels: lambda texts: [Guess(next(answers)) for _ in texts])
    web, book = (named(findings, "accuracy", data=f"set/test (source={source})") for source in ("web", "book"))
    assert (web.value, book.value) == (1, 0) and (web.low, web.high) == wilson(6, 6)
    assert named(findings, "accuracy", data="set/test").value == pytest.approx(6 / 15)
    assert named(findings, "accuracy", data="set/test (en)").value == 1
    assert named(findings, "macro F1", data="set/test (source=web)").value == 1
