"""Mining a collection: counts by hand, collocations, groups, and a page that holds them in both languages."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from langwright.data.schemas import ClassificationRow, TextRow
from langwright.evaluation.collections.mining import apart, collocations, common_keywords, graph, measures, mine
from langwright.evaluation.pages.bilingual import plain
from langwright.evaluation.pages.graphs import circle_graph
from langwright.measures import read_report
from langwright.settings import read_settings
from langwright.stages import STAGES
from langwright.stages.execution import execute
from langwright.workspace import Workspace

ROWS = [
    ClassificationRow(id="1", text="Solar panels need sun. Solar panels need roofs.", label="power"),
    ClassificationRow(id="2", text="Solar panels cost little.", label="power"),
    ClassificationRow(id="3", text="SOLAR  PANELS cost little.", label="power"),  # the same as the one before
    ClassificationRow(id="4", text="River boats need water. River boats float. River boats sink.", label="boats"),
    ClassificationRow(id="5", text="太阳能电池板需要阳光。太阳能电池板需要屋顶。", label="power"),
]


def test_counts_by_hand() -> None:
    found = mine(ROWS, "label")
    assert (found.texts, found.empty, found.repeated, found.sentences) == (5, 0, 1, 9)
    assert found.languages == {"en": 4, "zh": 1}
    assert found.lengths[:4] == [8, 4, 4, 10]
    assert found.words["solar"] == 4 and found.having["solar"] == 3
    assert found.pairs["solar", "panels"] == 4
    assert ("sun", "solar") not in found.pairs  # a full stop stands between them
    assert found.near["panels", "solar"] == 4
    assert found.curve[-1] == (found.total, len(found.words))


def test_collocations_groups_and_keywords() -> None:
    found = mine(ROWS, "label")
    pairs = [pair.words for pair in collocations(found, 5)]
    assert set(pairs[:2]) == {("solar", "panels"), ("river", "boats")}
    made = apart(found, 3)
    assert [word for word, *_ in made["boats"]][:2] == ["boats", "river"]
    assert "boats" not in [word for word, *_ in made["power"]]
    assert apart(mine(ROWS), 3) == {}
    assert {("River boats", 1), ("太阳能电池板", 1)} <= set(common_keywords(found, 9))
    names, weights = graph(found, 4)
    assert len(names) == 4
    assert weights["panels", "solar"] == 4


def test_measures_say_what_can_be_said() -> None:
    assert [one.name for one in measures(mine([]))] == []
    assert [one.name for one in measures(mine([TextRow(text="")]))] == ["duplicate texts"]
    found = {one.name: one.value for one in measures(mine(ROWS))}
    assert found["duplicate texts"] == 0.2
    assert {"Zipf exponent", "vocabulary growth", "Flesch reading ease", "characters a clause"} <= set(found)


def test_a_graph_is_drawn_and_escaped() -> None:
    svg = circle_graph(plain("t"), ["<a>", "b"], {("<a>", "b"): 2.0})
    assert "&lt;a&gt;" in svg and "<a>" not in svg
    assert svg.count("<path") == 1
    assert circle_graph(plain("t"), [], {}) == ""


@pytest.fixture
def dataset(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path)
    rows = [row.model_dump(include={"id", "text", "label"}) for row in ROWS]
    (tmp_path / "rows.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    settings = read_settings(STAGES["data-read"].settings, sets=["schema_name=classification"])
    execute(STAGES["data-read"], {"source": [tmp_path / "rows.jsonl"]}, tmp_path / "data", settings, workspace=workspace)  # fmt: skip
    return workspace


@pytest.mark.spec(
    "AP20",
    "one command makes a page on a collection: counts, laws of its words, keywords, collocations, groups, a graph",
)
def test_the_stage_writes_a_page_and_measures(dataset: Workspace) -> None:
    settings = read_settings(STAGES["mine"].settings, sets=["shown=5"])
    made = execute(STAGES["mine"], {"dataset": [dataset.folder / "data"]}, dataset.folder / "look", settings, workspace=dataset)  # fmt: skip
    page = (made.path / "report.html").read_text(encoding="utf-8")
    assert "solar panels" in page and "太阳能电池板" in page
    assert "Growth of the vocabulary" in page and "词汇的增长" in page
    assert not re.search(r"(src|href)=\"https?:", page)
    names = [one.name for one in read_report(made.path / "report.json").measures]
    assert "Zipf exponent" in names and "duplicate texts" in names


@pytest.mark.spec("AP20", "of hotel reviews, the words that set good ones apart from bad ones, and words by Zipf's law")
def test_groups_of_real_reviews(shared_data: Callable[[str], Path]) -> None:
    import csv
    import gzip

    file = next(iter(sorted(shared_data("zh-cls-waimai").glob("*train*"))))
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        head = lines.readline()
        reader = csv.DictReader([head, *lines][:1501], delimiter="\t" if "\t" in head else ",")
        rows = [
            ClassificationRow(text=row.get("review") or row.get("text") or "", label=row["label"]) for row in reader
        ]
    found = mine(rows, "label")
    words = {name: [word for word, *_ in some] for name, some in apart(found, 12).items()}
    assert "好吃" in words["1"] and "好吃" not in words["0"]
    exponent = next(one for one in measures(found) if one.name == "Zipf exponent").value
    assert 0.7 < exponent < 1.3
