"""Who may import whom: a room imports only rooms above it in this list, inside functions too."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from tests.house.source import SRC, Module, called, package, parse

ORDER = (
    "wording", "errors", "settings", "measures", "files", "jobrecord", "artifacts", "runlog", "workspace", "sandbox", "tokenizers", "data",
    "models", "training", "objectives", "inference", "metrics", "tasks", "knowledge", "compression", "evaluation", "explanation",
    "safety", "stages", "serving", "cli", "__init__", "__main__",
)  # fmt: skip


def imported(module: Module) -> Iterator[tuple[ast.AST, str]]:
    """(place, room) of everything of ours that a module imports; a relative import gives the room '.'."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from ((node, room) for room in rooms_of(alias.name, ()))
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield node, "."
            else:
                yield from ((node, room) for room in rooms_of(node.module or "", [a.name for a in node.names]))
        elif isinstance(node, ast.Call) and called(node) in ("import_module", "__import__") and node.args:
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield from ((node, room) for room in rooms_of(name.value, ()))


def rooms_of(module: str, names: tuple[str, ...] | list[str]) -> Iterator[str]:
    """The rooms that `import module` or `from module import names` reaches."""
    first, _, rest = module.partition(".")
    if first != "langwright":
        return
    if rest:
        yield rest.partition(".")[0]
        return
    for name in names or ("__init__",):
        yield name if name in ORDER else "__init__"


def complaints(module: Module) -> list[str]:
    """Imports of a module that point down the list."""
    here = ORDER.index(module.room)
    return [
        f"{module.at(node)} imports {'relatively' if room == '.' else room}"
        for node, room in imported(module)
        if room == "." or ORDER.index(room) > here
    ]


def test_every_room_has_its_place() -> None:
    rooms = {module.room for module in package()}
    assert rooms <= set(ORDER), rooms - set(ORDER)


def test_no_room_imports_a_later_one() -> None:
    wrong = [line for module in package() for line in complaints(module)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "line",
    [
        "from langwright.cli.main import main",
        "import langwright.cli",
        "import langwright.cli.main as m",
        "from langwright import cli",
        "import langwright",
        "from langwright import load",
        "from . import next",
        "from ..cli import main",
        "def f():\n    from langwright.serving import app",
        "if TYPE_CHECKING:\n    from langwright.stages import STAGES",
        "import importlib\nimportlib.import_module('langwright.serving.app')",
    ],
)
def test_each_form_of_import_is_seen(line: str) -> None:
    assert complaints(parse(SRC / "data" / "example.py", line))


@pytest.mark.parametrize(
    "line", ["from langwright.errors import UserError", "from langwright import errors", "import torch", "import json"]
)
def test_imports_of_earlier_rooms_and_of_others_are_fine(line: str) -> None:
    assert not complaints(parse(SRC / "data" / "example.py", line))
