"""A command line in a fresh folder, with the toy stages beside the real ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.stages.toys import TOYS

from langwright.cli.commands import COMMANDS
from langwright.cli.main import main
from langwright.cli.stage import check_command, stage_command


@dataclass(frozen=True)
class Said:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on standard output, and nothing else there."""
        lines = self.out.splitlines()
        assert len(lines) == 1, self.out
        found = json.loads(lines[0])
        assert isinstance(found, dict)
        return found

    @property
    def last(self) -> str:
        """The last line on standard output."""
        return self.out.rstrip("\n").rpartition("\n")[2]


Run = Callable[..., Said]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("one")
    return tmp_path


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("data", "read", ...)` in the folder."""
    for stage in TOYS.values():
        example = (f"langwright {stage.name.replace('-', ' ', 1)} X Y",)
        for command in (stage_command(stage, "From text to model", example), check_command(stage)):
            monkeypatch.setitem(COMMANDS, command.name, command)
        for module in ("recipe", "run", "history"):
            monkeypatch.setattr(f"langwright.cli.{module}.STAGES", TOYS)

    def call(*words: str) -> Said:
        capsys.readouterr()
        code = main(words)
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return call
