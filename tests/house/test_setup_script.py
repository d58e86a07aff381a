"""`make setup`: says how much it will download, does nothing twice, and names what is missing."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from scripts import constraints, setup

ROOT = Path(__file__).resolve().parents[2]


def item(url: str) -> dict[str, Any]:
    return {"download_info": {"url": url}}


@pytest.fixture(autouse=True)
def _english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")


@pytest.mark.spec("TL1", "set-up says how much it will download before it downloads")
def test_size_is_announced(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = {"https://x/torch-2.whl": 900_000_000, "https://x/nvidia_cudnn-9.whl": 600_000_000, "https://x/a-1.whl": 10}
    monkeypatch.setattr(setup, "size_of", sizes.get)
    setup.announce([item(url) for url in sizes])
    said = capsys.readouterr().out
    assert "3 packages to install, 1.5 GB to download" in said
    assert "the largest: torch 900 MB, nvidia_cudnn 600 MB" in said
    assert f"TORCH_INDEX={setup.CPU_TORCH}" in said


def test_unknown_sizes_are_said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(setup, "size_of", {"https://x/a.whl": 5_000_000, "https://x/b.whl": None}.get)
    setup.announce([item("https://x/a.whl"), item("https://x/b.whl")])
    assert "at least 5 MB to download (1 of unknown size)" in capsys.readouterr().out


def test_local_files_are_not_downloaded(capsys: pytest.CaptureFixture[str]) -> None:
    setup.announce([item("file:///x/a-1.whl")])
    assert capsys.readouterr().out == "nothing to download\n"


@pytest.mark.spec("TL1", "a Python without ensurepip is told which Debian package it needs")
def test_missing_ensurepip_names_the_package(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(setup.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit) as end:
        setup.check_python()
    assert end.value.code == 2
    assert "sudo apt install python{}.{}-venv".format(*sys.version_info[:2]) in capsys.readouterr().err


def test_an_old_python_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(setup, "OLDEST", (9, 0))
    with pytest.raises(SystemExit):
        setup.check_python()
    assert "Python 9.0 or newer is needed" in capsys.readouterr().err


def test_a_missing_compiler_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup.shutil, "which", lambda name: None)
    note = setup.compiler_note()
    assert note is not None
    assert "uncompiled" in note


def test_setup_again_does_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With stamps that fit, the script looks and leaves; with one that does not, it goes to work."""
    monkeypatch.setattr(setup, "VENV", tmp_path)
    monkeypatch.setattr(setup, "works", lambda folder: True)
    monkeypatch.setattr(setup, "update_pip", lambda python, constraints: pytest.fail("it went to work"))
    monkeypatch.setattr("sys.argv", ["setup", "core", "dev"])
    for name in ("core", "dev"):
        (tmp_path / f".{name}").write_text(setup.fingerprint(None), encoding="utf-8")
    setup.main()
    assert capsys.readouterr().out == ""
    (tmp_path / ".dev").write_text("of other pins", encoding="utf-8")
    with pytest.raises(pytest.fail.Exception, match="it went to work"):
        setup.main()


def test_make_setup_again_takes_under_a_second() -> None:
    if not (ROOT / ".venv" / ".all").is_file():
        pytest.skip("this environment was not made by `make setup`")
    asked = subprocess.run(["make", "--question", "setup"], cwd=ROOT, capture_output=True, check=False)
    if asked.returncode:
        pytest.skip("the pins are newer than what is installed")
    began = time.monotonic()
    subprocess.run(["make", "setup"], cwd=ROOT, capture_output=True, check=True)
    assert time.monotonic() - began < 1


def test_the_fingerprint_changes_with_the_index() -> None:
    assert setup.fingerprint(None) != setup.fingerprint("https://x")


def test_every_requirement_is_pinned_within_its_range() -> None:
    pins = dict(re.findall(r"^([^#\s=]+)==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.M))
    for requirement in constraints.wanted(ROOT / "pyproject.toml"):
        name = canonicalize_name(requirement.name)
        assert name in pins, f"{name} is not pinned; run scripts/constraints.py"
        assert requirement.specifier.contains(pins[name]), f"{name} is pinned outside its range"
    assert "+" not in pins["torch"]


def test_the_closure_is_pinned() -> None:
    """What is installed here pulls in nothing that has no pin."""
    pins = set(re.findall(r"^([^#\s=]+)==", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.M))
    core = [Requirement(line) for line in setup.wanted([], ROOT / "pyproject.toml")]
    assert constraints.closure(core).keys() <= pins


@pytest.mark.parametrize("text", setup.CHINESE)
def test_every_message_has_its_fields_in_both_languages(text: str) -> None:
    fields = re.findall(r"\{(\w+)", text)
    assert sorted(fields) == sorted(re.findall(r"\{(\w+)", setup.CHINESE[text]))


def test_every_message_is_said() -> None:
    source = (ROOT / "scripts" / "setup.py").read_text(encoding="utf-8")
    assert not [text for text in setup.CHINESE if source.count(f'"{text}"') < 2]
