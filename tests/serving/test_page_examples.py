"""What the handbook's page on serving shows works as shown, against a server with a model called chat."""

from __future__ import annotations

import contextlib
import io
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from langwright.inference.fake import parrot

DOCS = Path(__file__).resolve().parents[2] / "docs"
ADDRESS = "http://127.0.0.1:8000"


def blocks(language: str, kind: str) -> list[str]:
    """The page's code blocks of one kind."""
    page = (DOCS / language / "serving.md").read_text(encoding="utf-8")
    return re.findall(rf"^```{kind}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_commands(serving: Callable[..., Any], language: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    running = serving(parrot("chat"))
    (block,) = [block for block in blocks(language, "console") if "curl" in block]
    commands = block.replace("\\\n", " ").strip().splitlines()
    answers = []
    for command in commands:
        assert ADDRESS in command
        script = command.replace(ADDRESS, running.url).replace("curl", "curl -sS --fail-with-body", 1)
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        answers.append(done.stdout)
    question, beginning = (
        ("What is a token?", "Once upon a time") if language == "en" else ("什么是词元？", "从前有座山")
    )
    assert f'"content":"{question}"' in answers[0]
    assert answers[1].endswith("data: [DONE]\n\n") and '"seed":7' in answers[1]
    assert answers[2] == f'{{"generated_text":"{beginning * 2}"}}'


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_python(serving: Callable[..., Any], language: str) -> None:
    running = serving(parrot("chat"))
    (block,) = blocks(language, "python")
    out = io.StringIO()
    script = compile_block(block.replace(ADDRESS, running.url))
    with contextlib.redirect_stdout(out):
        script()
    assert out.getvalue() == ("What is a token?" if language == "en" else "什么是词元？")


def compile_block(text: str) -> Callable[[], None]:
    """A block of the page as something to call, through a module of its own."""
    import importlib.util
    import tempfile

    def run() -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "example.py"
            path.write_text(text, encoding="utf-8")
            spec = importlib.util.spec_from_file_location("example", path)
            assert spec is not None and spec.loader is not None
            spec.loader.exec_module(importlib.util.module_from_spec(spec))

    return run
