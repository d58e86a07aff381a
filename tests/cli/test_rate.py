"""`langwright rate make` and `langwright rate collect`, and the gate behind them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.cli.conftest import Run


@pytest.mark.spec("EV4", "sheets are written and read by the command line, and a release can be gated on them")
def test_from_sheets_to_a_gate(run: Run) -> None:
    for name in ("ours", "theirs"):
        rows = [{"prompt": f"Q{number}", "text": f"{name[0]} {number}"} for number in range(6)]
        Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    made = run("rate", "make", "ours.jsonl", "theirs.jsonl", "sheets", "--raters", "2", "--scale", "7")
    assert made.code == 0 and "2 sheets of 12 rows" in made.out
    assert made.last == "next: langwright rate collect sheets"
    for sheet in (1, 2):
        file = Path(f"sheets/sheet-{sheet}.csv")
        head, *rows = file.read_text(encoding="utf-8-sig").splitlines()
        assert head.endswith('"rating, 1 to 7",comment')
        filled = [row.removesuffix(",,") + (",6," if ",o " in row else f",{sheet + 1},") for row in rows]
        file.write_text("\n".join([head, *filled]))
    said = run("rate", "collect", "sheets", "--json")
    assert said.code == 0 and (said.json["filled"], said.json["rows"]) == (24, 24)
    found = {(m["name"], m["model"]): m["value"] for m in said.json["measures"]}
    assert found["mean rating", "ours"] == 6 and found["mean rating", "theirs"] == 2.5
    assert "平均评分" in run("rate", "collect", "sheets", "--lang", "zh").out
    Path("gate.toml").write_text('[[threshold]]\nmeasure = "mean rating"\nmodel = "ours"\nat_least = 5\n')
    assert run("gate", "sheets/report.json", "gate.toml").code == 0


def test_mistakes(run: Run) -> None:
    assert "no folder" in run("rate", "make", "only.jsonl").err
    assert run("rate", "collect", "nowhere").code == 2
    assert "不是评分表文件夹" in run("rate", "collect", "nowhere", "--lang", "zh").err
