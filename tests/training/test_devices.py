"""What the machine can do: choices from measured rates and real limits."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from langwright.errors import UserError
from langwright.training import devices
from langwright.training.devices import (
    available_memory,
    bfloat16_gain,
    cgroup_memory,
    choose_device,
    compile_available,
    compute_dtype,
    matrix_rate,
    peak_memory_bytes,
)

CPU = torch.device("cpu")


def with_gpus(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


def test_auto_takes_a_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with_gpus(monkeypatch, 0)
    assert choose_device() == CPU
    with_gpus(monkeypatch, 2)
    assert choose_device().type == "cuda"
    assert choose_device("cpu") == CPU
    assert choose_device("cuda:1") == torch.device("cuda:1")


@pytest.mark.parametrize(
    "name, count, word", [("cuda", 0, "no GPU"), ("cuda:0", 0, "no GPU"), ("cuda:2", 2, "2 GPUs"), ("gpu", 2, "gpu"), ("cuda:x", 2, "cuda:x"), ("mps", 0, "mps")]
)  # fmt: skip
def test_a_device_that_is_not_there(monkeypatch: pytest.MonkeyPatch, name: str, count: int, word: str) -> None:
    with_gpus(monkeypatch, count)
    with pytest.raises(UserError, match=word):
        choose_device(name)


FAULTS = """
import resource, sys, torch
from langwright.training.devices import keep_freed_memory
kept = sys.argv[1] == "keep" and keep_freed_memory()
def fetch():
    return torch.ones(16 << 20)  # 64 MiB: more than glibc keeps by itself
for _ in range(8):
    fetch()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(16):
    fetch()
print(kept, resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="an option of glibc")
def test_freed_memory_is_kept_for_the_next_update() -> None:
    """Pages fetched from the system by sixteen large tensors, one after the other: hardly any where memory is kept."""

    def fetched(how: str) -> tuple[str, int]:
        told, count = subprocess.check_output([sys.executable, "-c", FAULTS, how], text=True).split()
        return told, int(count)

    told, few = fetched("keep")
    if told == "False":
        pytest.skip("the C library is not glibc")
    _, many = fetched("leave")
    assert many >= 16 * (64 << 20) // resource.getpagesize()
    assert few < many / 4


@pytest.mark.skipif(not devices.CLEAR_REFS.exists(), reason="only Linux can forget a process's peak")
def test_the_peak_of_one_run_is_not_that_of_the_next() -> None:
    devices.forget_peak_memory("cpu")
    before = peak_memory_bytes("cpu")
    large = torch.ones(64 << 20)  # 256 MiB
    with_large = peak_memory_bytes("cpu")
    assert with_large > before + (250 << 20)
    del large
    assert abs(peak_memory_bytes("cpu") - with_large) < 1 << 20  # the counters are kept roughly
    devices.forget_peak_memory("cpu")
    assert peak_memory_bytes("cpu") < with_large - (200 << 20)


def test_rates_are_measured_fast_and_once() -> None:
    matrix_rate.cache_clear()
    began = time.process_time()
    rates = [matrix_rate(name, "cpu") for name in ("float32", "bfloat16")]
    took = time.process_time() - began
    assert all(1e8 < rate < 1e15 for rate in rates)
    assert took < 1.5  # 0.3 s on a free machine; one product more where bfloat16 is emulated
    began = time.process_time()
    assert [matrix_rate(name, "cpu") for name in ("float32", "bfloat16")] == rates
    assert time.process_time() - began < 0.01


@pytest.mark.parametrize("narrow, expected", [(0.1, "float32"), (1.2, "float32"), (1.4, "bfloat16"), (8, "bfloat16")])
def test_the_narrow_type_only_where_it_is_faster(monkeypatch: pytest.MonkeyPatch, narrow: float, expected: str) -> None:
    monkeypatch.setattr(devices, "bfloat16_gain", lambda _: narrow)
    assert compute_dtype("auto", CPU) == expected
    assert compute_dtype("float32", CPU) == "float32"
    assert compute_dtype("bfloat16", CPU) == "bfloat16"


def test_a_busy_machine_does_not_change_what_is_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock runs on while others compute: every product seems to last as long, and the gain is none by the clock."""
    taken = {torch.float32: 4e-3, torch.bfloat16: 1e-3}
    own = by_clock = 0.0

    def product(self: devices.Multiply, clock: Callable[[], float]) -> float:
        nonlocal own, by_clock
        began = clock()
        own += taken[self.a.dtype]
        by_clock += 0.1
        return clock() - began

    monkeypatch.setattr(devices.Multiply, "seconds", product)
    monkeypatch.setattr(devices.time, "process_time", lambda: own)
    monkeypatch.setattr(devices.time, "perf_counter", lambda: by_clock)
    bfloat16_gain.cache_clear()
    assert bfloat16_gain("cpu") == pytest.approx(4)
    bfloat16_gain.cache_clear()


def test_a_containers_memory(tmp_path: Path) -> None:
    assert cgroup_memory(tmp_path) is None
    (tmp_path / "memory.max").write_text("1000\n")
    (tmp_path / "memory.current").write_text("700\n")
    (tmp_path / "memory.stat").write_text("anon 400\ninactive_file 200\nactive_file 100\n")
    assert cgroup_memory(tmp_path) == 500
    (tmp_path / "memory.max").write_text("max\n")
    assert cgroup_memory(tmp_path) is None


def test_memory_readers(monkeypatch: pytest.MonkeyPatch) -> None:
    before = peak_memory_bytes("cpu")
    held = torch.ones(int(1e8) // 4)
    assert peak_memory_bytes("cpu") >= before
    assert 1e7 < before < 1e13 and held.numel()
    assert available_memory(CPU) > 0
    monkeypatch.setattr(devices, "cgroup_memory", lambda: 12345)
    assert available_memory(CPU) == 12345


def test_no_compiler_no_compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    compile_available.cache_clear()
    monkeypatch.setenv("CXX", "a-compiler-that-is-not-there")
    assert not compile_available()
    compile_available.cache_clear()
    monkeypatch.setenv("CXX", "python3")  # any program stands for one
    monkeypatch.setattr(devices.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(devices.sysconfig, "get_paths", lambda: {"include": "/nowhere"})
    assert not compile_available()
    compile_available.cache_clear()
