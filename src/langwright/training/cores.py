"""Cores to compute with. Imported where nothing is computed too, a server that only shares them out, so torch is not."""

from __future__ import annotations

import os
from pathlib import Path

import psutil

CGROUP = Path("/sys/fs/cgroup")


def physical_cores() -> int:
    """Threads to compute with: the cores this process may use, a container's share of them, at most OMP_NUM_THREADS."""
    process = psutil.Process()
    allowed = len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else psutil.cpu_count() or 1
    limits = [allowed, psutil.cpu_count(logical=False) or allowed]
    quota = cgroup_cpus()
    if quota is not None:
        limits.append(max(1, int(quota)))
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdigit() and int(asked) > 0:
        limits.append(int(asked))
    return max(1, min(limits))


def cgroup_cpus(folder: Path = CGROUP) -> float | None:
    """Cores that the container may use, or None where there is no limit."""
    try:
        quota, period = (folder / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError):  # another system, or an older kind of control group
        return None
