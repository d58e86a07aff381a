"""Every module imports; those that declare things import nothing heavy."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys

import pytest
from tests.house.source import SRC as SRC
from tests.house.source import Module, called, package, parse

HEAVY = ("torch", "transformers", "pyarrow", "sqlalchemy", "peft", "sklearn", "scipy")


@pytest.mark.parametrize("name", [module.name for module in package()])
def test_module_imports(name: str) -> None:
    importlib.import_module(name)


def declares(module: Module) -> bool:
    """Whether a module declares settings, stages, tasks, schemas or commands, which help and forms are made from."""
    if module.room == "cli":
        return True
    for node in module.tree.body:
        if isinstance(node, ast.ClassDef) and any(
            isinstance(base, ast.Name) and base.id in ("Settings", "Row") for base in node.bases
        ):
            return True
        value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
        if isinstance(value, ast.Call) and called(value) in ("Stage", "Task"):
            return True
    return False


def heavy_after(names: list[str]) -> list[str]:
    """What of the heavy libraries is loaded after importing these modules in a fresh process."""
    code = f"import sys\nfor name in {names!r}: __import__(name)\nprint(*[h for h in {HEAVY!r} if h in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_declarations_are_light() -> None:
    names = [module.name for module in package() if declares(module)]
    assert names
    if heavy_after(names):
        guilty = {name: found for name in names if (found := heavy_after([name]))}
        pytest.fail("\n".join(f"{name} loads {', '.join(found)}" for name, found in guilty.items()))


def test_a_server_is_there_before_a_model_is() -> None:
    assert not {"torch", "transformers"} & set(heavy_after(["langwright.serving.running", "langwright.inference.fake"]))


def test_a_heavy_module_is_noticed() -> None:
    assert "torch" in heavy_after(["langwright.training.loss"])


def test_declarations_are_recognised() -> None:
    assert declares(parse(SRC / "data" / "x.py", "class A(Settings):\n    pass"))
    assert declares(parse(SRC / "stages" / "x.py", "STAGE = Stage(name='x')"))
    assert not declares(parse(SRC / "data" / "x.py", "class A:\n    pass"))
