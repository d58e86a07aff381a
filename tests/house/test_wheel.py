"""The wheel holds all that a run needs, and works where nothing else of ours is."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from tests.house.source import ROOT, SRC

PIPELINE = """
out = "made"
seed = 3

[[step]]
name = "text"
stage = "data-read"
inputs = ["${LANGWRIGHT_SHIPPED}/prose.zh"]
settings = { unit = "paragraph" }

[[step]]
name = "clean"
stage = "data-clean"
inputs = ["text"]

[[step]]
name = "tokenizer"
stage = "tokenizer-train"
inputs = ["clean"]
settings = { vocab_size = 600 }

[[step]]
name = "base"
stage = "pretrain"
inputs = ["clean", "tokenizer"]
settings = { preset = "tiny", steps = 8, length = 64, batch_rows = 8, compile = "off" }

[[step]]
name = "talks"
stage = "data-read"
inputs = ["${LANGWRIGHT_SHIPPED}/conversations.zh.jsonl"]
settings = { schema_name = "chat" }

[[step]]
name = "chat"
stage = "finetune"
inputs = ["base", "talks"]
settings = { steps = 4, compile = "off" }

[[step]]
name = "measured"
stage = "evaluate"
inputs = ["base", "clean"]
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as `make wheel` does."""
    out = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = out.glob("*.whl")
    return built


def environment_of(folder: Path) -> dict[str, str]:
    """Nothing of this checkout on the path."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "LANGWRIGHT"))}
    return {**kept, "PATH": f"{folder / 'bin'}:{kept.get('PATH', '')}", "OMP_NUM_THREADS": "2"}


def run(folder: Path, cwd: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A command of the environment, somewhere else."""
    line = [str(folder / "bin" / command[0]), *command[1:]]
    return subprocess.run(line, cwd=cwd, env=environment_of(folder), capture_output=True, text=True, check=False)


def test_the_wheel_holds_everything_that_is_read(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    data = [
        path.relative_to(SRC.parent).as_posix()
        for path in SRC.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and "__pycache__" not in path.parts
    ]
    assert set(data) <= names
    held = {name.partition("/")[0] for name in names}
    assert held == {"langwright", next(name for name in held if name.endswith(".dist-info"))}
    for needed in (
        "langwright/chinese/cli.toml",
        "langwright/data/shipped/conversations.zh.jsonl",
        "langwright/py.typed",
    ):
        assert needed in names
    assert any(name.startswith("langwright/evaluation/templates/") for name in names)


def test_the_wheel_says_who_it_is(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (name for name in archive.namelist() if name.endswith("METADATA"))
    text = archive.read(metadata).decode()
    assert "License-Expression: Apache-2.0" in text
    assert "Requires-Python: >=3.11" in text
    (points,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
    assert "langwright = langwright.cli.main:main" in archive.read(points).decode()
    assert any(name.endswith("licenses/LICENSE") for name in archive.namelist())


def test_the_installed_wheel_shows_its_help(wheel: Path, tmp_path: Path) -> None:
    """Installed into an environment of its own, which borrows only the libraries from this one."""
    folder = tmp_path / "env"
    venv.create(folder, with_pip=False, symlinks=True)
    inside = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(inside)
    (inside / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    where = run(folder, tmp_path, "python", "-c", "import langwright; print(langwright.__file__)")
    assert where.stdout.startswith(str(inside)), where.stderr
    shown = run(folder, tmp_path, "python", "-m", "langwright.cli.main", "--help", "--lang", "zh")
    assert shown.returncode == 0, shown.stderr
    assert "langwright" in shown.stdout
    assert any("\u4e00" <= char <= "\u9fff" for char in shown.stdout)


@pytest.mark.heavy
@pytest.mark.timeout(1800)
@pytest.mark.spec("TL1", "the wheel installs into a clean environment with its pins and runs a pipeline there")
def test_a_clean_environment_runs_a_pipeline(wheel: Path, tmp_path: Path) -> None:
    folder = tmp_path / "env"
    venv.create(folder, with_pip=True, symlinks=True)
    pins = str(ROOT / "constraints.txt")
    done = run(folder, tmp_path, "python", "-m", "pip", "install", "--quiet", "-c", pins, str(wheel))
    if done.returncode and "No matching distribution" in done.stderr:
        pytest.skip("the package index cannot be reached from here")
    assert done.returncode == 0, done.stderr
    shown = run(folder, tmp_path, "langwright", "--help")
    assert shown.returncode == 0, shown.stderr
    (tmp_path / "minute.toml").write_text(PIPELINE, encoding="utf-8")
    ran = run(folder, tmp_path, "langwright", "run", "minute.toml", "--json")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    json.loads(ran.stdout)
    written = run(
        folder, tmp_path, "langwright", "generate", "made/base", "语言模型", "--max-new-tokens", "8", "--json"
    )
    assert len(json.loads(written.stdout)["token_ids"]) <= 8
    assert (tmp_path / "made" / "measured" / "report.json").is_file()
