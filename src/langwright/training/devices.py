"""What this machine can do: device, matrix rates, compute type, threads, memory, compiler."""

from __future__ import annotations

import resource
import shutil
import sys
import time
from functools import cache
from typing import Literal

import psutil
import torch

from langwright.errors import UserError

DtypeName = Literal["float32", "bfloat16"]


def choose_device(name: str = "auto") -> torch.device:
    """The device of a setting: a GPU where there is one and auto is asked for, else the CPU.

    raises  UserError when a GPU is asked for and none is there
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UserError(
            "device {name} was asked for, and this machine has no GPU that torch can use",
            fix="leave device at auto, or install a CUDA build of torch",
            name=name,
        )
    return device


@cache
def matrix_rate(dtype: DtypeName, device_type: str, seconds: float = 0.15) -> float:
    """Measured rate of matrix products in FLOP/s: (1024, 768) by (768, 768), best of what fits in the time."""
    kind = getattr(torch, dtype)
    a = torch.randn(1024, 768, device=device_type).to(kind)
    b = torch.randn(768, 768, device=device_type).to(kind)
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        for _ in range(4):
            a @ b
        if device_type == "cuda":
            torch.cuda.synchronize()
        best = min(best, (time.perf_counter() - began) / 4)
    return 2 * 1024 * 768 * 768 / best


def compute_dtype(setting: str, device: torch.device) -> DtypeName:
    """The type that matrices are multiplied in: auto takes bfloat16 only where it is measured to be faster."""
    if setting == "float32":
        return "float32"
    if setting == "bfloat16":
        return "bfloat16"
    faster = matrix_rate("bfloat16", device.type) > 1.3 * matrix_rate("float32", device.type)
    return "bfloat16" if faster else "float32"


def compile_available() -> bool:
    """Whether torch.compile has a C++ compiler to work with."""
    return any(shutil.which(name) for name in ("g++", "c++", "clang++"))


def physical_cores() -> int:
    """Cores that this process may compute on."""
    allowed = (
        len(psutil.Process().cpu_affinity()) if hasattr(psutil.Process, "cpu_affinity") else psutil.cpu_count() or 1
    )
    return max(1, min(allowed, psutil.cpu_count(logical=False) or allowed))


def available_memory(device: torch.device) -> int:
    """Free bytes on the device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def peak_memory_bytes(device: str) -> int:
    """Largest memory so far: resident size of the process, or allocated on the GPU."""
    if device.startswith("cuda"):
        return int(torch.cuda.max_memory_allocated())
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size if sys.platform == "darwin" else size * 1024
