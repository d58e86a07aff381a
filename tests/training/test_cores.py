"""Threads keep to what this process may use."""

from __future__ import annotations

from pathlib import Path

import pytest

from langwright.training import cores
from langwright.training.cores import cgroup_cpus, physical_cores


def test_threads_keep_to_every_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    most = physical_cores()
    assert most >= 1
    monkeypatch.setattr(cores, "cgroup_cpus", lambda: 0.5)
    assert physical_cores() == 1
    monkeypatch.setattr(cores, "cgroup_cpus", lambda: 1000.0)
    assert physical_cores() == most
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert physical_cores() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "junk")
    assert physical_cores() == most


def test_a_containers_share(tmp_path: Path) -> None:
    assert cgroup_cpus(tmp_path) is None
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert cgroup_cpus(tmp_path) == 1.5
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert cgroup_cpus(tmp_path) is None
