"""What this machine can do: device, matrix rates, compute type, memory, compiler.

Nothing is assumed from a processor's name: rates are measured, and limits that a container sets are read.
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import sys
import sysconfig
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Literal, Self

import psutil
import torch

from langwright.errors import UserError
from langwright.training.cores import CGROUP

DtypeName = Literal["float32", "bfloat16", "float16"]

CLEAR_REFS, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")
MULTIPLY = (512, 768, 768)  # rows, inner, columns: a small model's layer
FASTER = 1.3  # less is lost again to conversions
TURNS = 3  # products of each type, at the least


def choose_device(name: str = "auto") -> torch.device:
    """The device of a setting: a GPU where there is one and auto is asked for, else the CPU.

    raises  UserError for a GPU that is not there, or a name that is none
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "auto":
        return torch.device("cuda" if count else "cpu")
    if name == "cpu":
        return torch.device("cpu")
    kind, _, number = name.partition(":")
    if kind != "cuda" or not (number.isdigit() or name == "cuda"):
        raise UserError("there is no device {name}", fix="give auto, cpu, cuda or cuda:N", name=name)
    if count == 0:
        raise UserError(
            "device {name} was asked for, and this machine has no GPU that torch can use",
            fix="leave device at auto, or install a CUDA build of torch",
            name=name,
        )
    if number and int(number) >= count:
        raise UserError(
            "device {name} was asked for, and this machine has {count} GPUs, counted from 0",
            fix="leave device at auto, or give a smaller number",
            name=name,
            count=count,
        )
    return torch.device(name)


# --- speed ---------------------------------------------------------------------------------------


@cache
def matrix_rate(dtype: DtypeName, device_type: str, seconds: float = 0.15) -> float:
    """Measured rate of matrix products in FLOP/s, the best product of as many as fit in the time, once a process.

    The best and not the mean: other programs only ever make it slower.
    """
    best, end = float("inf"), time.perf_counter() + seconds
    multiply = Multiply(dtype, device_type)
    while best == float("inf") or time.perf_counter() < end:
        best = min(best, multiply.seconds(time.perf_counter))
    return multiply.flops / best


@cache
def bfloat16_gain(device_type: str, seconds: float = 0.3) -> float:
    """How many times faster products are in bfloat16 than in float32, once a process.

    The two take turns, and on a CPU its own time is counted and not the clock's: on a busy machine the clock says
    anything, and a run that takes the wrong type for it is several times slower to its end.
    """
    clock = time.process_time if device_type == "cpu" else time.perf_counter
    wide, narrow = Multiply("float32", device_type), Multiply("bfloat16", device_type)
    best_wide = best_narrow = float("inf")
    turns, end = 0, time.perf_counter() + seconds
    while turns < TURNS or time.perf_counter() < end:
        best_wide, best_narrow = min(best_wide, wide.seconds(clock)), min(best_narrow, narrow.seconds(clock))
        turns += 1
    return best_wide / best_narrow


class Multiply:
    """One product of matrices of the size that a small model's layer has, to be timed."""

    def __init__(self, dtype: DtypeName, device_type: str) -> None:
        rows, inner, columns = MULTIPLY if device_type == "cpu" else tuple(8 * size for size in MULTIPLY)
        kind = getattr(torch, dtype)
        self.a = torch.ones(rows, inner, device=device_type, dtype=kind)
        self.b = torch.ones(inner, columns, device=device_type, dtype=kind)
        self.flops = 2 * rows * inner * columns

    def seconds(self, clock: Callable[[], float]) -> float:
        """What one product takes by a clock."""
        began = clock()
        self.a @ self.b
        if self.a.is_cuda:
            torch.cuda.synchronize()
        return clock() - began


def compute_dtype(setting: str, device: torch.device) -> DtypeName:
    """The type that matrices are multiplied in: auto takes bfloat16 only where it is measured to be faster.

    raises  UserError for float16 on a CPU, which multiplies it more slowly than float32
    """
    if setting == "float16":
        if device.type == "cpu":
            raise UserError(
                "dtype float16 is for GPUs, and this run is on the CPU",
                fix="leave dtype at auto, or take bfloat16, which needs no scaling of the loss",
            )
        return "float16"
    if setting != "auto":
        return "bfloat16" if setting == "bfloat16" else "float32"
    return "bfloat16" if bfloat16_gain(device.type) > FASTER else "float32"


def autocast_type(name: str) -> torch.dtype | None:
    """What autocast is told; None for float32, the weights' own type."""
    return {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(name)


@cache
def compile_available() -> bool:
    """Whether torch.compile has what it needs for the CPU: a C++ compiler and Python's headers."""
    usual = "clang++" if sys.platform == "darwin" else "g++"
    compiler = shutil.which(os.environ.get("CXX") or usual)
    return compiler is not None and (Path(sysconfig.get_paths()["include"]) / "Python.h").is_file()


# --- memory --------------------------------------------------------------------------------------


def available_memory(device: torch.device) -> int:
    """Free bytes on the device, a container's limit respected."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    free = int(psutil.virtual_memory().available)
    limit = cgroup_memory()
    return free if limit is None else max(0, min(free, limit))


def cgroup_memory(folder: Path = CGROUP) -> int | None:
    """Bytes that the container may still take, or None where there is no limit. What only caches files counts as free."""
    try:
        limit = (folder / "memory.max").read_text().strip()
        if limit == "max":
            return None
        used = int((folder / "memory.current").read_text())
        lines = (line.split() for line in (folder / "memory.stat").read_text().splitlines())
        cached = next((int(value) for name, value in lines if name == "inactive_file"), 0)
        return int(limit) - used + cached
    except (OSError, ValueError):
        return None


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # names and numbers of glibc's mallopt(3)


@cache
def keep_freed_memory() -> bool:
    """Let the process keep the memory it frees, for the next update; False where the C library is not glibc.

    Large tensors are otherwise given back to the system at their end and fetched anew, page by page and
    zeroed, at each update: about a seventh of the time of a small model's update on a CPU.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        set_option = ctypes.CDLL(None).mallopt
    except AttributeError:  # another C library
        return False
    return all(set_option(option, value) == 1 for option, value in ((M_MMAP_THRESHOLD, 1 << 30), (M_TRIM_THRESHOLD, (1 << 31) - 1)))  # fmt: skip


def give_back_memory() -> None:
    """Give memory that was freed and kept back to the system, so that what is measured next is not hidden by it."""
    if sys.platform.startswith("linux"):
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # another C library has none
        if trim is not None:
            trim(0)


def forget_peak_memory(device: str) -> None:
    """Begin to measure the largest memory anew, where that can be done: on Linux and on a GPU.

    What the process keeps of memory it has freed is given back first, so that one run's peak is not the next one's.
    """
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
    elif CLEAR_REFS.exists():
        give_back_memory()
        try:
            CLEAR_REFS.write_text("5")  # proc(5): the peak resident size begins anew
        except OSError:  # not allowed in some containers: the peak stays that of the whole process
            return


def peak_memory_bytes(device: str) -> int:
    """Largest memory so far, or since `forget_peak_memory`: resident size of the process, or allocated on the GPU."""
    if device.startswith("cuda"):
        return int(torch.cuda.max_memory_allocated(device))
    if STATUS.exists():
        line = next((line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM:")), None)
        if line is not None:
            return int(line.split()[1]) * 1024
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024


class MemoryWatch:
    """How much memory a block takes at the most: looked at all the while on the CPU, counted by torch on a GPU.

    most   bytes of the process, or allocated on the GPU
    grown  bytes more than when the block began
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.most = 0
        self.grown = 0

    def __enter__(self) -> Self:
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
            self._before = torch.cuda.memory_allocated(self.device)
        else:
            give_back_memory()
            self._over = threading.Event()
            self._before = self.most = psutil.Process().memory_info().rss
            self._thread = threading.Thread(target=self._look, daemon=True)
            self._thread.start()
        return self

    def _look(self) -> None:
        """Take the resident size every few milliseconds until the block is over."""
        process = psutil.Process()
        while not self._over.wait(0.002):
            self.most = max(self.most, process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        if self.device.type == "cuda":
            self.most = torch.cuda.max_memory_allocated(self.device)
        else:
            self._over.set()
            self._thread.join()
            self.most = max(self.most, psutil.Process().memory_info().rss)
        self.grown = self.most - self._before
