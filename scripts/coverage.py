"""Draws docs/coverage.md: which rows of the specification are proved, by which test, and where they are written about.

    python -m scripts.coverage

A row is proved when a test that speaks for it passed in its last recorded run and none failed; skipped when
all its tests were; open when no test speaks for it. The record is docs/coverage.json.
"""

from __future__ import annotations

import json
import tomllib
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
ROWS, RECORD, PAGE = (ROOT / "docs" / name for name in ("rows.toml", "coverage.json", "coverage.md"))
WORDS = {"proved": "已证", "failed": "失败", "skipped": "跳过", "open": "未做"}


@dataclass(frozen=True)
class Row:
    """A row of the specification with what was recorded of it."""

    name: str
    area: str
    en: str
    zh: str
    page: str | None
    tests: tuple[dict[str, Any], ...]

    @property
    def state(self) -> str:
        """failed before skipped before proved; open without a test."""
        outcomes = {test["outcome"] for test in self.tests}
        if not outcomes:
            return "open"
        if "failed" in outcomes:
            return "failed"
        return "proved" if "passed" in outcomes else "skipped"


def read_rows(rows: Path = ROWS, record: Path = RECORD) -> list[Row]:
    """Every row, with its tests."""
    table = tomllib.loads(rows.read_text(encoding="utf-8"))
    tests: dict[str, list[dict[str, Any]]] = defaultdict(list)
    if record.is_file():
        for entry in json.loads(record.read_text(encoding="utf-8"))["shown"]:
            tests[entry["row"]].append(entry)
    return [
        Row(name, entry["area"], entry["en"], entry["zh"], table["pages"].get(name), tuple(tests[name]))
        for name, entry in table["rows"].items()
    ]


def draw(rows: list[Row], areas: dict[str, dict[str, str]], date: str) -> str:
    """The whole page."""
    counts = Counter(row.state for row in rows)
    lines = [
        "# What is proved · 已证明的内容",
        "",
        "<!-- drawn by scripts/coverage.py from docs/coverage.json; change neither by hand -->",
        "",
        "A row of the specification is proved when a test marked with it passed in the last recorded run. "
        "Heavy tests run in `make prove`, the others in `make test`.",
        "",
        "规格中的一行，只有当标注了它的测试在最近一次记录中通过，才算已证。标有 heavy 的测试由 `make prove` 运行，其余由 `make test` 运行。",
        "",
        f"Recorded at the commit of {date or 'an unknown day'}: {counts['proved']} proved, {counts['failed']} failed, "
        f"{counts['skipped']} skipped, {counts['open']} open, of {len(rows)}.",
        "",
    ]
    for area, names in areas.items():
        inside = [row for row in rows if row.area == area]
        proved = sum(row.state == "proved" for row in inside)
        lines += [f"## {names['en']} · {names['zh']} ({proved}/{len(inside)})", ""]
        lines += ["| row | what · 内容 | state · 状态 | tests · 测试 |", "|---|---|---|---|"]
        lines += [line_of(row) for row in inside]
        lines.append("")
    return "\n".join(lines)


def line_of(row: Row) -> str:
    """One line of the table."""
    title = f"{row.en}<br>{row.zh}"
    if row.page:
        title += f"<br>[en](en/{row.page}.md) · [中文](zh/{row.page}.md)"
    return f"| {row.name} | {title} | {row.state} · {WORDS[row.state]} | {'<br>'.join(map(test_line, row.tests))} |"


def test_line(test: dict[str, Any]) -> str:
    """A test with what it shows, and how it came out where it did not pass."""
    text = f"{test['shows']} (`{test['test'].removeprefix('tests/')}`)".replace("|", "\\|")
    if test["heavy"]:
        text += " heavy"
    if test["outcome"] != "passed":
        text += f" **{test['outcome']}**" + (f": {test['reason']}".replace("|", "\\|") if test["reason"] else "")
    return text


def page() -> str:
    """docs/coverage.md as it should be."""
    areas = tomllib.loads(ROWS.read_text(encoding="utf-8"))["areas"]
    date = json.loads(RECORD.read_text(encoding="utf-8"))["date"] if RECORD.is_file() else ""
    return draw(read_rows(), areas, date)


def main() -> None:
    """Write the page and say where we stand."""
    PAGE.write_text(page(), encoding="utf-8")
    counts = Counter(row.state for row in read_rows())
    print(f"docs/coverage.md: {counts['proved']} rows proved, {counts['failed']} failed, {counts['skipped']} skipped")


if __name__ == "__main__":
    main()
