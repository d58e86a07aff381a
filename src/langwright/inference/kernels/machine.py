"""Which kinds of products this machine computes rightly, tried in another process, which may die of it.

A kernel that was built for other processors ends the process with an illegal instruction, and nothing in
Python can catch that. So each kind is tried once for each machine and version of torch in a child; what
came out is kept in the user's cache folder.

    python -m langwright.inference.kernels.machine "int8 float32"    tries this kind, and says how it went
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from langwright.files import write_whole
from langwright.inference.kernels import products
from langwright.inference.kernels.products import GROUP, Int4, Int8, Kind, Packed, Plain, Product
from langwright.wording import say

NAMES = ("packed bfloat16", "int8 float32", "int8 bfloat16", "int4 bfloat16")
"""Kinds of products with the type of what they multiply, which processors may lack."""
ANYWHERE = ("packed float32",)
"""What needs no trial, only a torch with oneDNN: its float32 products are those of torch's own convolutions."""
PATIENCE_S = 120.0
MOST_TIME = 50  # times what float32 takes: no kernel is that slow, and what stands in for one is slower
MOST_ERROR: dict[Kind, float] = {"plain": 1e-5, "packed": 1e-2, "int8": 0.03, "int4": 0.2}
"""Largest error of a product, as a share of the size of what should come out (root mean square)."""


def product_of(kind: Kind, weight_NK: Tensor, bias_N: Tensor | None, strict: bool = False) -> Product:
    """A weight made ready for a kind of product.

    strict  4 bits are taken for any number of rows, since a row may not depend on how many there are
    """
    if kind == "plain":
        return Plain(weight_NK, bias_N)
    if kind == "packed":
        return Packed(weight_NK, bias_N)
    if kind == "int8":
        return Int8(weight_NK, bias_N)
    return Int4(weight_NK, bias_N, few=sys.maxsize if strict else products.FEW)


def why_not(kind: Kind, weight_NK: Tensor) -> str | None:
    """Why a weight of this shape has no such product, in words for a report; None when it has."""
    outputs, inputs = weight_NK.shape
    if kind == "int4" and (inputs % GROUP or outputs % 16):
        return say("4 bits need inputs in 32s and outputs in 16s")
    return None


def most_error(kind: Kind, dtype: torch.dtype) -> float:
    """Largest error that a kind of product may have in a type."""
    return MOST_ERROR["plain" if kind == "packed" and dtype == torch.float32 else kind]


def error_of(product: Product, weight_NK: Tensor, bias_N: Tensor | None, rows: int, dtype: torch.dtype) -> float:
    """Root mean square error of a product on random rows, as a share of the size of what should come out."""
    generator = torch.Generator().manual_seed(rows)
    x_MK = torch.randn(rows, weight_NK.shape[1], generator=generator).to(dtype)
    expected_MN = torch.nn.functional.linear(
        x_MK.float(), weight_NK.float(), None if bias_N is None else bias_N.float()
    )
    found_MN = product(x_MK).float()
    size = expected_MN.square().mean().sqrt()
    error = (found_MN - expected_MN).square().mean().sqrt()
    return float(error / size) if size > 0 else float(error)


def exact_sums(product: Int8, weight_NK: Tensor) -> bool:
    """Whether integer products are exact where they are the largest, as kernels that add in 16 bits are not."""
    q_NK, scale_N1 = products.quantised_rows(weight_NK)
    x_MK = torch.full((3, weight_NK.shape[1]), 127)
    x_MK[1], x_MK[2, ::2] = -127, -127
    expected_MN = (x_MK @ q_NK.long().t()).float() * scale_N1[:, 0]
    return torch.equal(product.scaled((x_MK + products.ZERO).to(torch.uint8)), expected_MN)


def time_of(product: Product, inputs: int, dtype: torch.dtype) -> float:
    """Seconds of processor that a product of 64 rows takes, the best of ten: a reference that stands in for a kernel shows.

    Not of the clock: what else runs on the machine must not decide, for what is found here is kept.
    """
    x_MK = torch.ones(64, inputs, dtype=dtype)
    times = []
    for _ in range(10):
        began = time.process_time()
        product(x_MK)
        times.append(time.process_time() - began)
    return min(times)


def try_kind(name: str) -> bool:
    """Whether a kind of product is right on a few sizes; ends the process where the processor cannot do it."""
    kind: Kind = cast(Kind, name.split()[0])
    dtype = getattr(torch, name.split()[1])
    generator = torch.Generator().manual_seed(0)
    for outputs, inputs in ((16, 32), (80, 160), (512, 512)):
        weight_NK = torch.randn(outputs, inputs, generator=generator).to(dtype)
        bias_N = torch.randn(outputs, generator=generator).to(dtype)
        product = product_of(kind, weight_NK, bias_N)
        for rows in (1, 3, 17, 64):
            if not error_of(product, weight_NK, bias_N, rows, dtype) <= most_error(kind, dtype):
                return False
        if time_of(product, inputs, dtype) > MOST_TIME * time_of(Plain(weight_NK.float(), None), inputs, torch.float32):
            return False
        if isinstance(product, Int8):
            extreme_NK = torch.full((outputs, inputs), 2.0)
            extreme_NK[::2] = -2.0
            if not exact_sums(Int8(extreme_NK, None), extreme_NK):
                return False
    return True


# --- from the process that serves ----------------------------------------------------------------


@cache
def works(kind: Kind, dtype_name: str) -> bool:
    """Whether this machine computes a kind of product rightly; the first time ever in a child process."""
    name = f"{kind} {dtype_name}"
    return kind == "plain" or (
        hasattr(torch.ops.mkldnn, "_linear_pointwise") if name in ANYWHERE else found_out()[name]
    )


def found_out() -> dict[str, bool]:
    """What is right on this machine, from the record, or else tried now."""
    file = record_file()
    known = read_record(file)
    if any(name not in known for name in NAMES):
        known = survivors(NAMES)
        write_record(file, known)
    return known


def survivors(names: Sequence[str]) -> dict[str, bool]:
    """Try these in a child process, and those behind one that it dies of in another."""
    known: dict[str, bool] = {}
    while left := [name for name in names if name not in known]:
        command = [sys.executable, "-m", "langwright.inference.kernels.machine", *left]
        try:
            told = subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False).stdout
        except subprocess.TimeoutExpired as error:
            told = error.stdout or b""
        said = dict(line.split("=") for line in told.decode().splitlines() if "=" in line)
        found = {name: said[name] == "right" for name in left if name in said}
        known |= found if len(found) == len(left) else {**found, left[len(found)]: False}
    return known


def cache_folder() -> Path:
    """Where this user's programs keep what they can find out again."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "langwright"


def record_file() -> Path:
    """What was found on this machine with this torch and these products."""
    source = Path(products.__file__).read_bytes() + Path(__file__).read_bytes()
    flags = Path("/proc/cpuinfo")
    processor = next((line for line in flags.read_text().splitlines() if line.startswith(("flags", "Features"))), "") if flags.exists() else platform.processor()  # fmt: skip
    about = f"{torch.__version__} {platform.machine()} {platform.node()} {processor}".encode()
    return cache_folder() / f"kernels-{hashlib.sha256(about + source).hexdigest()[:16]}.json"


def read_record(file: Path) -> dict[str, bool]:
    """What is known; nothing where the file is not there or not ours."""
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {name: value for name, value in found.items() if isinstance(value, bool)} if isinstance(found, dict) else {}


def write_record(file: Path, known: dict[str, bool]) -> None:
    """Keep what was found; a folder that cannot be written to only means that it is found out again."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps(known).encode())
    except OSError:
        return


if __name__ == "__main__":
    for asked in sys.argv[1:]:
        print(f"{asked}={'right' if try_kind(asked) else 'wrong'}", flush=True)
