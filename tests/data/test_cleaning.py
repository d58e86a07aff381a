"""Each rule drops what it is for, keeps good text in Chinese, English and code, and counts what it did."""

from __future__ import annotations

import gzip
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from langwright.data.cleaning import EXAMPLES, RULES, Cleaner, Looked, Rule, first_reason
from langwright.data.dataset import DatasetWriter, open_dataset
from langwright.data.reading import Reader
from langwright.data.schemas import ClassificationRow, Row, TextRow
from langwright.data.settings import CleanSettings, ReadSettings
from langwright.data.shipped import conversations, prose_paths
from langwright.runlog import RunLog

GOOD = "春天来了，河边的柳树发了芽。老师带着孩子们去郊外看花，一路上有说有笑。"


def reason(text: str, **settings: object) -> str | None:
    found = first_reason(Looked(TextRow(text=text)), CleanSettings(**settings))  # type: ignore[arg-type]
    return found[0] if found else None


@pytest.mark.spec("D1", "each rule drops what it is for")
@pytest.mark.parametrize(
    ("text", "settings", "rule"),
    [
        ("好的。", {}, "too short"),
        (GOOD * 3, {"max_characters": 50}, "too long"),
        (GOOD + "\ufffd" * 3, {}, "replacement characters"),
        ("-- == ++ ** // !! ?? ,, .. ;; :: (( )) [[ ]] {{ }}", {}, "few letters"),
        ("a#b$c%d^e&f*g=h+i|j~k<l>m/n", {"min_letters": 0.0}, "many symbols"),
        ("14 15 92 65 35 89 79 32 38 46 26 43 38 32 79 50", {}, "many digits"),
        ("哈哈哈哈哈哈哈哈哈哈" + GOOD[:30], {}, "repeated characters"),
        ("点击这里查看更多精彩内容\n" * 6 + "另外的一行不一样的内容\n", {}, "repeated lines"),
        ("这一行在文中出现了两次啊\n这一行只有一次而且不重复\n这一行在文中出现了两次啊", {}, "repeated lines"),
        ("An English sentence with 中文 in it.", {"min_chinese": 0.5}, "little Chinese"),
        (GOOD + "点击购买", {"banned": ("点击购买",)}, "banned words"),
        ("Buy NOW, it is cheap and it is good", {"banned": ("buy now",)}, "banned words"),
        (GOOD, {"languages": ("en",)}, "language"),
    ],
)
def test_a_rule_drops_what_it_is_for(text: str, settings: dict[str, object], rule: Rule) -> None:
    assert rule in RULES
    assert reason(text, **settings) == rule
    assert reason(GOOD) is None


def test_limits_are_limits() -> None:
    assert reason("字" * 20, max_repeated_characters=1.0) is None
    assert reason("字" * 19, max_repeated_characters=1.0) == "too short"
    assert reason("字 " * 20) is None
    assert reason("a" * 5 + "1" * 5, min_characters=1, max_digits=0.5) is None
    assert reason("a" * 5 + "1" * 6, min_characters=1, max_digits=0.5) == "many digits"


def test_short_rows_of_tables_are_kept() -> None:
    assert first_reason(Looked(ClassificationRow(text="好", label="1")), CleanSettings()) is None


def dataset(folder: Path, rows: list[tuple[Row, str]], schema: str = "text") -> Path:
    with DatasetWriter(folder, schema) as writer:
        for row, split in rows:
            writer.write(row, split)
    return folder


@pytest.mark.spec("D2", "exact duplicates are dropped and counted, of two splits the one that measures is kept")
def test_duplicates_are_dropped_from_train_first(tmp_path: Path) -> None:
    rows: list[tuple[Row, str]] = [
        (TextRow(id="1", text=GOOD), "train"),
        (TextRow(id="2", text=GOOD.replace("，", "， ")), "train"),
        (TextRow(id="3", text=GOOD), "validation"),
        (TextRow(id="4", text=GOOD + "又一句。"), "train"),
        (TextRow(id="5", text="短"), "train"),
    ]
    cleaner = Cleaner(CleanSettings())
    kept = list(cleaner.clean(open_dataset(dataset(tmp_path, rows)), RunLog(None)))
    assert [(row.id, split) for row, split in kept] == [("3", "validation"), ("4", "train")]
    drops = cleaner.drops()
    assert (drops.rows, drops.kept, drops.counts) == (5, 2, {"too short": 1, "duplicate": 2})
    assert [(one.id, one.split) for one in drops.examples["duplicate"]] == [("1", "train"), ("2", "train")]
    assert drops.examples["too short"][0].text == "短"
    assert drops.examples["too short"][0].value == "1"


def test_duplicates_may_be_kept() -> None:
    cleaner = Cleaner(CleanSettings(duplicates=False))
    assert [cleaner.keep(TextRow(text=GOOD), "train") for _ in range(2)] == [True, True]


def test_examples_are_few_and_short() -> None:
    cleaner = Cleaner(CleanSettings(max_characters=50))
    for number in range(20):
        cleaner.keep(TextRow(id=str(number), text=GOOD * 100), "train")
    assert cleaner.counts == {"too long": 20}
    assert [one.id for one in cleaner.drops().examples["too long"]] == [str(n) for n in range(EXAMPLES)]
    assert all(len(one.text) == 200 for one in cleaner.drops().examples["too long"])


# --- good text is kept ---------------------------------------------------------------------------


def dropped_share(rows: list[Row]) -> float:
    cleaner = Cleaner(CleanSettings(duplicates=False))
    return 1 - sum(cleaner.keep(row, "train") for row in rows) / len(rows)


@pytest.mark.spec("D1", "the defaults keep good Chinese, English and code")
def test_the_shipped_texts_are_kept() -> None:
    assert dropped_share(list(conversations())) == 0
    assert dropped_share([TextRow(text=path.read_text(encoding="utf-8")) for path in prose_paths()]) == 0


def test_the_standard_library_is_kept() -> None:
    folder = Path(sysconfig.get_path("stdlib"))
    settings = ReadSettings(exclude=("**/test/**", "**/tests/**", "**/site-packages/**", "**/dist-packages/**"))
    rows = [
        read.row
        for read in Reader(settings, RunLog(None)).rows([folder / name for name in ("json", "email", "asyncio")])
    ]
    assert len(rows) > 40
    assert dropped_share(rows) < 0.05


@pytest.mark.parametrize("name", ["zh-text-novels", "zh-text-modern", "en-text-classics", "en-text-web"])
def test_real_texts_are_kept(shared_data: Callable[[str], Path], name: str) -> None:
    rows: list[Row] = []
    for file in sorted(shared_data(name).glob("*.gz")):
        text = gzip.decompress(file.read_bytes()).decode()
        rows += [TextRow(text=text[i : i + 2000]) for i in range(0, min(len(text), 200_000), 2000)]
    assert dropped_share(rows) < 0.02
