"""`langwright doctor`: what this machine can do, what is missing, and which sizes of model can be trained here."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import typer

from langwright.cli.screen import Screen, screen_of
from langwright.cli.teaching import Command
from langwright.cli.way import tier_of, way_of
from langwright.wording import say

State = Literal["good", "note", "problem"]
MARKS: dict[State, str] = {"good": "  ok", "note": "  --", "problem": "  !!"}
OLDEST_PYTHON = (3, 11)
LITTLE_MEMORY = 4e9  # bytes: less is tight for torch, transformers and a small model
LITTLE_DISK = 5e9


@dataclass(frozen=True)
class Check:
    """One thing looked at. `value` and `advice` are templates of `wording.say`."""

    name: str
    state: State
    value: str
    advice: str = ""
    values: dict[str, str | int | float] = field(default_factory=dict)

    def table(self) -> dict[str, object]:
        """As an object, in words."""
        return {
            "name": self.name, "state": self.state, "value": say(self.value, lang=None, **self.values),
            "advice": say(self.advice, lang=None, **self.values) if self.advice else "",
        }  # fmt: skip


@dataclass(frozen=True)
class Size:
    """A preset, as it could be trained here.

    tokens_per_second  an upper bound: the measured matrix rate over the operations of a token
    """

    preset: str
    parameters: int
    memory_bytes: int  # weights, gradients, moments, and one row's activations
    fits: bool
    tokens_per_second: float


def doctor(
    ctx: typer.Context,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="[MODEL]", help="A model to open here, to see how requests to it run and why not better"
        ),
    ] = None,
) -> None:
    """Look at everything, and say it."""
    screen = screen_of(ctx)
    checks = [*look(), *(() if model is None else (requests_to(model),))]
    sizes = list(trainable())
    screen.table([[MARKS[c.state], say(c.name), say(c.value, lang=None, **c.values)] for c in checks])
    for check in checks:
        if check.advice:
            screen.line(f"{say(check.name)}: {say(check.advice, lang=None, **check.values)}")
    show_sizes(screen, sizes)
    screen.answer(
        {"checks": [check.table() for check in checks], "sizes": [asdict(size) for size in sizes]},
        next="langwright data read FOLDER runs/text",
    )


def show_sizes(screen: Screen, sizes: list[Size]) -> None:
    """Which presets fit, and how fast they could be at most."""
    screen.line()
    screen.line(
        say("Models that can be trained here (speed is an upper bound, from the measured rate of matrix products):")
    )
    heads = [say(word) for word in ("preset", "weights", "memory", "fits", "tokens/s at most")]
    rows = [
        [s.preset, f"{s.parameters / 1e6:.1f}M", gigabytes(s.memory_bytes), say("yes") if s.fits else say("no"), f"{s.tokens_per_second:,.0f}"]
        for s in sizes
    ]  # fmt: skip
    screen.table([[f"  {first}", *rest] for first, *rest in [heads, *rows]])


# --- looking -------------------------------------------------------------------------------------


def look() -> Iterator[Check]:
    """Every check, in the order in which they are shown."""
    yield python()
    yield from libraries()
    yield compiler()
    yield from resources()
    yield from processors()
    yield from extras()


def python() -> Check:
    """The interpreter and the system."""
    values: dict[str, str | int | float] = {
        "version": platform.python_version(), "system": platform.system(), "machine": platform.machine(),
    }  # fmt: skip
    if sys.version_info < OLDEST_PYTHON:
        return Check("Python", "problem", "{version} on {system} {machine}", "install Python 3.11 or newer", values)
    return Check("Python", "good", "{version} on {system} {machine}", values=values)


def libraries() -> Iterator[Check]:
    """The libraries that everything stands on, torch's build first."""
    import torch

    build = "CPU"
    for name, found in (("CUDA", torch.version.cuda), ("ROCm", torch.version.hip)):
        build = f"{name} {found}" if found else build
    yield Check(
        "torch", "good", "{version}, built for {build}", values={"version": str(torch.__version__), "build": build}
    )
    for name in ("transformers", "tokenizers", "safetensors", "peft", "pyarrow"):
        found = installed(name)
        if found is None:
            yield Check(name, "problem", "missing", "run `make setup`, or pip install {name}", {"name": name})
        else:
            yield Check(name, "good", "{version}", values={"version": found})


def compiler() -> Check:
    """What torch.compile needs; without it models train uncompiled."""
    from langwright.training.devices import compile_available

    wanted = os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")
    if compile_available():
        return Check("C++ compiler", "good", "{name}", values={"name": wanted})
    if shutil.which(wanted) is None:
        return Check(
            "C++ compiler", "note", "none",
            "models are trained uncompiled, which is slower in long runs; on Debian and Ubuntu: apt install g++",
        )  # fmt: skip
    return Check(
        "C++ compiler", "note", "found, but Python.h is missing",
        "models are trained uncompiled; on Debian and Ubuntu: apt install python3-dev",
    )  # fmt: skip


def resources() -> Iterator[Check]:
    """Cores, memory, and the disk of the current folder."""
    import psutil

    from langwright.training.cores import physical_cores

    yield Check("cores", "good", "{cores}", values={"cores": physical_cores()})
    memory = psutil.virtual_memory()
    values: dict[str, str | int | float] = {"free": gigabytes(memory.available), "total": gigabytes(memory.total)}
    yield Check(
        "memory", "good" if memory.available > LITTLE_MEMORY else "note", "{free} free of {total}",
        "" if memory.available > LITTLE_MEMORY else "close other programs, or take the preset tiny", values,
    )  # fmt: skip
    disk = shutil.disk_usage(Path.cwd())
    values = {"free": gigabytes(disk.free), "total": gigabytes(disk.total), "folder": str(Path.cwd())}
    yield Check(
        "disk", "good" if disk.free > LITTLE_DISK else "note", "{free} free of {total} at {folder}",
        "" if disk.free > LITTLE_DISK else "checkpoints of larger models may not fit; free some space", values,
    )  # fmt: skip


def processors() -> Iterator[Check]:
    """GPUs, and the measured rate of matrix products in both types."""
    import torch

    from langwright.training.devices import choose_device, compute_dtype, matrix_rate

    if not torch.cuda.is_available():
        yield Check(
            "GPU", "note", "none that torch can use", "everything works on the CPU; large models are slow to train"
        )
    for number in range(torch.cuda.device_count()):
        facts = torch.cuda.get_device_properties(number)
        yield Check(
            "GPU", "good", "{name}, {memory}", values={"name": facts.name, "memory": gigabytes(facts.total_memory)}
        )
    device = choose_device()
    rates = {name: matrix_rate(name, device.type) / 1e9 for name in ("float32", "bfloat16")}
    yield Check(
        "matrix products", "good", "float32 {float32:.0f} GFLOP/s, bfloat16 {bfloat16:.0f} GFLOP/s: training takes {taken}",
        values={**rates, "taken": compute_dtype("auto", device)},
    )  # fmt: skip


def extras() -> Iterator[Check]:
    """Optional libraries that are not installed, by the extra that brings them."""
    from importlib.metadata import requires

    from packaging.requirements import Requirement

    missing: dict[str, list[str]] = {}
    for line in requires("langwright") or ():
        needed = Requirement(line)
        extra = next((e for e in known_extras() if needed.marker and needed.marker.evaluate({"extra": e})), None)
        if extra and not (needed.marker and needed.marker.evaluate({"extra": ""})) and installed(needed.name) is None:
            missing.setdefault(extra, []).append(needed.name)
    for extra, names in missing.items():
        yield Check(
            "extra", "note", "{extra}: {names} missing", "pip install 'langwright[{extra}]' brings it",
            {"extra": extra, "names": ", ".join(names)},
        )  # fmt: skip


def known_extras() -> list[str]:
    """The extras that the installed package declares."""
    from importlib.metadata import metadata

    return metadata("langwright").get_all("Provides-Extra") or []


def installed(name: str) -> str | None:
    """The version of a package that is there, or None."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None


def requests_to(name: str) -> Check:
    """How the requests to a model run, found out by opening it."""
    from langwright.tasks.front.loading import load

    with load(name) as model:
        tier, _ = tier_of(model)
        way = way_of(model) or say("{name} does not write here", name=name)
    return Check("requests", "good" if tier == "packed" else "note", "{way}", values={"way": way})


# --- sizes ---------------------------------------------------------------------------------------


def trainable() -> Iterator[Size]:
    """Every preset with what training it takes, one row at a time, at its own vocabulary and context."""
    from langwright.models.presets import PRESETS
    from langwright.models.sizes import estimate
    from langwright.training.devices import available_memory, choose_device, compute_dtype, matrix_rate

    device = choose_device()
    dtype = compute_dtype("auto", device)
    rate, free = matrix_rate(dtype, device.type), available_memory(device)
    for preset in PRESETS.values():
        cost = estimate(preset, dtype=dtype)
        memory = cost.weight_bytes + cost.gradient_bytes + cost.optimizer_bytes + cost.activation_bytes
        yield Size(preset.name, cost.parameters, memory, memory < free, rate / cost.flops_per_token)


def gigabytes(size: float) -> str:
    """Bytes as people say them."""
    return f"{size / 1e9:.1f} GB"


DOCTOR = Command(
    name="doctor",
    section="Look after runs",
    summary="Check this machine: what it has, what is missing, and which models can be trained here",
    examples=("langwright doctor", "langwright doctor runs/chat"),
    run=doctor,
)
