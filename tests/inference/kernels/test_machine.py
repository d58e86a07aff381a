"""Kernels are tried in another process: one that kills it is left out, and what was found is remembered."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from langwright.inference.kernels import machine

FAKE = """#!{python}
import os, signal, sys
for name in sys.argv[3:]:
    if name.startswith("int8"):
        os.kill(os.getpid(), signal.SIGILL)
    print(name + "=" + ("wrong" if name.startswith("int4") else "right"), flush=True)
"""


@pytest.fixture
def dying_interpreter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interpreter that dies of an illegal instruction when it is to try int8."""
    file = tmp_path / "python"
    file.write_text(FAKE.format(python=sys.executable))
    file.chmod(0o755)
    monkeypatch.setattr(machine.sys, "executable", str(file))


@pytest.mark.usefixtures("dying_interpreter")
def test_a_kernel_that_kills_the_process_is_left_out() -> None:
    found = machine.survivors(machine.NAMES)
    assert found == {name: name.startswith("packed") for name in machine.NAMES}


@pytest.mark.usefixtures("dying_interpreter")
def test_what_was_found_is_not_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = machine.found_out()
    assert machine.read_record(machine.record_file()) == found
    monkeypatch.setattr(machine.sys, "executable", str(tmp_path / "no such program"))
    assert machine.found_out() == found
    machine.record_file().write_text("[1, 2")
    with pytest.raises(FileNotFoundError):  # a record that is no record is made again
        machine.found_out()


def test_this_machine_computes_rightly_what_it_is_asked_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in machine.NAMES:
        assert machine.try_kind(name), name
    monkeypatch.setattr(machine, "MOST_ERROR", dict.fromkeys(machine.MOST_ERROR, 1e-9))
    assert not machine.try_kind("int8 float32")
