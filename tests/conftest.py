"""What every test may rely on: no network, English messages, the shared data sets, and the record of what was proved."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

# A change is judged by the same examples each time; on a person's machine the search goes on with new ones.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

ROOT = Path(__file__).resolve().parent.parent

os.environ["LC_ALL"] = "C.UTF-8"  # messages in English unless a test asks otherwise
os.environ.update(HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", TOKENIZERS_PARALLELISM="false")

if "PYTEST_XDIST_WORKER" in os.environ:  # tests share the cores by processes, so each computes with one thread
    os.environ["OMP_NUM_THREADS"] = "1"
    assert "torch" not in sys.modules, "too late to choose the number of threads"

pytest_plugins = [
    *(["tests.house.recording"] if os.environ.get("LANGWRIGHT_RECORD") == "1" else []),
    *(["tests.house.proving"] if os.environ.get("LANGWRIGHT_PROOF") else []),
]


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that would reach beyond this machine fails, and says whom it wanted."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        host = address[0] if isinstance(address, tuple) else "localhost"
        if host not in ("localhost", "::1") and not str(host).startswith("127."):
            raise AssertionError(f"a test tried to reach {address}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def _locale_language() -> Iterator[None]:
    """A language chosen in one test is not spoken in the next."""
    from langwright.wording import use_language

    yield
    use_language(None)


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """`shared_data("en-cls-sst2")` is the folder of a public data set; the test is skipped where there is none."""
    root = Path(os.environ.get("LANGWRIGHT_DATA", ROOT.parent / "shared" / "data"))

    def folder(name: str) -> Path:
        path = root / name
        if not path.is_dir():
            pytest.skip(f"data set {name} is not here; `make data` fetches it, LANGWRIGHT_DATA says where it lies")
        return path

    return folder
