"""`langwright predict` on a text of many parts."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Run


def test_the_command_line_shows_it(run: Run) -> None:
    Path("long.txt").write_text(" ".join(f"Town {number} has a mill." for number in range(1500)))
    said = run("predict", "summarization", "@long.txt", "--solver", "lexrank", "--set", "sentences=1")
    assert said.code == 0 and "reading a long text in parts" in said.err and "2/2" in said.err.replace(" ", "")
    assert "in parts" not in run("predict", "summarization", "A mill. A town.", "--solver", "lexrank").err
