"""The studio in a real browser over a real server: the guided run to a model that answers; a training cancelled and resumed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from scripts import studio


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Where `langwright studio` says that it is."""
    command = [sys.executable, "-m", "langwright.cli.main", "studio", "--no-browser", "--port", "0", "--lang", "en"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        said = re.search(r"http://[\d.:]+", server.stdout.readline())
        assert said is not None
        yield said[0]
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0


@pytest.mark.heavy
@pytest.mark.timeout(2400)
def test_a_person_gets_to_a_model_that_answers(url: str) -> None:
    node = studio.find_node(fetch=False)
    if node is None or shutil.which(os.environ.get("CHROMIUM", "chromium")) is None:
        pytest.skip("no Node 20.19 or newer, or no Chromium, on this computer")
    try:
        studio.build(node)
    except studio.Failed:
        pytest.skip("the npm registry cannot be reached from here")
    done = subprocess.run(
        [str(shutil.which("npx", path=node)), "playwright", "test", "tests/real"], cwd=studio.STUDIO, check=False,
        env={**os.environ, "PATH": node, "STUDIO_URL": url}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
