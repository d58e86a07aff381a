"""The package's own source, parsed once, for the tests of this folder."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src" / "langwright"


@dataclass(frozen=True)
class Module:
    """One parsed file."""

    path: Path
    name: str  # dotted, or the path from the root where it is not of the package
    text: str
    tree: ast.Module

    @property
    def room(self) -> str:
        """First name below the package; `__init__` for the package's own file."""
        return self.path.relative_to(SRC).parts[0].removesuffix(".py")

    def at(self, node: ast.AST) -> str:
        """Where a node stands, for a message."""
        return f"{self.path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


def parse(path: Path, text: str | None = None) -> Module:
    """A file as a module."""
    text = path.read_text(encoding="utf-8") if text is None else text
    parts = path.relative_to(ROOT).with_suffix("").parts
    inside = parts[1:] if parts[0] == "src" else parts
    name = ".".join(inside[:-1] if inside[-1] == "__init__" else inside)
    return Module(path, name, text, ast.parse(text, str(path)))


@cache
def package() -> tuple[Module, ...]:
    """Every Python file of the package."""
    return tuple(parse(path) for path in sorted(SRC.rglob("*.py")))


@cache
def everything() -> tuple[Module, ...]:
    """Every Python file of the repository: the package, its scripts and its tests."""
    folders = ("scripts", "tests", "benchmarks", "examples", "docs")
    others = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return package() + tuple(parse(path) for path in others if "_build" not in path.parts)


@cache
def repository_files() -> tuple[Path, ...]:
    """What a checkout holds: tracked files and new ones that are not ignored."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:  # an unpacked archive: everything but what is made
        made = {".venv", "docs/_build", "dist", "build", "runs"}
        return tuple(
            path
            for path in sorted(ROOT.rglob("*"))
            if path.is_file() and not any(path.is_relative_to(ROOT / folder) for folder in made)
        )
    return tuple(ROOT / name for name in sorted(set(done.stdout.split("\0"))) if name and (ROOT / name).is_file())


def calls(tree: ast.AST, name: str) -> Iterator[ast.Call]:
    """Calls of a function or class by its plain name or as an attribute."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and called(node) == name:
            yield node


def called(node: ast.Call) -> str:
    """The last name of what is called."""
    if isinstance(node.func, ast.Name):
        return node.func.id
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def argument(node: ast.Call, name: str, position: int | None = None) -> ast.expr | None:
    """An argument by keyword, or by position where one is given."""
    for keyword in node.keywords:
        if keyword.arg == name:
            return keyword.value
    if position is not None and len(node.args) > position:
        return node.args[position]
    return None


def dotted(node: ast.AST) -> str:
    """`a.b.c` of names and attributes; an empty text for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        inner = dotted(node.value)
        return f"{inner}.{node.attr}" if inner else ""
    return ""
