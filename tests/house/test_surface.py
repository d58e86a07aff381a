"""What `import langwright` gives, and that it costs nothing."""

from __future__ import annotations

import subprocess
import sys

from tests.house.test_modules import heavy_after

import langwright


def test_the_public_names() -> None:
    assert langwright.__all__ == ["UserError", "do", "load", "load_async", "prompt"]
    assert all(hasattr(langwright, name) for name in langwright.__all__)


def test_importing_the_package_is_light() -> None:
    assert heavy_after(["langwright"]) == []


def test_importing_the_package_says_nothing_and_asks_nobody() -> None:
    code = (
        "import socket\n"
        "def refuse(*a): raise SystemExit('it tried to connect')\n"
        "socket.socket.connect = refuse\n"
        "import langwright, langwright.cli.main, langwright.tasks.front.loading\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
