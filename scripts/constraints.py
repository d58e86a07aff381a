"""Writes constraints.txt: an exact pin for everything that the core and its extras pull in, as installed here.

    .venv/bin/python scripts/constraints.py

The closure is walked over installed metadata, so what happens to lie in the environment besides is left
out. Local parts of versions (torch's "+cpu") are dropped: which build of torch is taken is decided by
the index it comes from. A CUDA build pins its own nvidia packages.
"""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("pip", "editables")  # what scripts/setup.py installs with, besides the build backend
HEADER = """\
# Exact versions of everything the core and the extras pull in. Written by scripts/constraints.py.
# torch's local version is left out, so that `make TORCH_INDEX=URL` can choose the build.
"""


def wanted(pyproject: Path) -> list[Requirement]:
    """The requirements of the core, of every extra and of the build."""
    table = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    lines = [*table["project"]["dependencies"], *table["build-system"]["requires"], *TOOLS]
    for extra in table["project"]["optional-dependencies"].values():
        lines += extra
    return [Requirement(line) for line in lines]


def closure(requirements: list[Requirement]) -> dict[str, str]:
    """Canonical name -> installed version of the requirements and of all they require here."""
    found: dict[str, str] = {}
    done: set[tuple[str, frozenset[str]]] = set()
    queue = list(requirements)
    while queue:
        requirement = queue.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in done:
            continue
        done.add((name, extras))
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            raise SystemExit(f"{name} is required and not installed; run `make setup` first") from None
        found[name] = installed.version.partition("+")[0]
        for line in installed.requires or []:
            further = Requirement(line)
            if any(further.marker is None or further.marker.evaluate({"extra": extra}) for extra in (extras or {""})):
                queue.append(further)
    return found


def main() -> None:
    """Write constraints.txt at the root."""
    pins = closure(wanted(ROOT / "pyproject.toml"))
    lines = [f"{name}=={version}\n" for name, version in sorted(pins.items())]
    (ROOT / "constraints.txt").write_text(HEADER + "".join(lines), encoding="utf-8")
    print(f"constraints.txt: {len(pins)} pins")


if __name__ == "__main__":
    main()
