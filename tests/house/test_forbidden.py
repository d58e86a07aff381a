"""What no file may do: unpickle, evaluate text, run a stranger's code, swallow errors, or grow without end."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from tests.house.source import SRC, Module, called, dotted, everything, package, parse

PICKLERS = {"pickle", "cPickle", "dill", "shelve", "marshal", "cloudpickle", "joblib", "_pickle"}
CALLS = {
    "torch.load": "unpickles", "torch.save": "pickles", "torch.serialization.load": "unpickles",
    "pd.read_pickle": "unpickles", "pandas.read_pickle": "unpickles", "os.system": "runs a shell",
    "torch.hub.load": "runs a stranger's code",
}  # fmt: skip
LONGEST_FUNCTION, LONGEST_FILE = 70, 450
APART = SRC / "sandbox" / "inside"  # runs programs: what is started there is held by the sandbox


def sins(module: Module) -> Iterator[str]:
    """Each forbidden thing of a file, with its place."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            names = []
        for name in names:
            if name.partition(".")[0] in PICKLERS:
                yield f"{module.at(node)} imports {name}"
        if isinstance(node, ast.Call):
            allowed = {"calls exec"} if module.path.parent == APART else set()
            yield from (f"{module.at(node)} {sin}" for sin in sins_of_call(node) if sin not in allowed)
        if isinstance(node, ast.ExceptHandler):
            yield from (f"{module.at(node)} {sin}" for sin in sins_of_handler(node))


def sins_of_call(node: ast.Call) -> Iterator[str]:
    """What is wrong with a call."""
    if isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec"):
        yield f"calls {node.func.id}"
    if dotted(node.func) in CALLS:
        yield f"{dotted(node.func)} {CALLS[dotted(node.func)]}"
    for keyword in node.keywords:
        on = isinstance(keyword.value, ast.Constant) and keyword.value.value is True
        if keyword.arg in ("allow_pickle", "trust_remote_code", "shell") and on:
            yield f"{keyword.arg}=True"
    if called(node) == "suppress" and any(dotted(arg) in ("Exception", "BaseException") for arg in node.args):
        yield "suppresses every exception"


def sins_of_handler(node: ast.ExceptHandler) -> Iterator[str]:
    """What is wrong with an except clause."""
    if node.type is None:
        yield "catches everything with a bare except"
    silent = (ast.Pass, ast.Expr)
    if all(isinstance(s, silent) and not isinstance(getattr(s, "value", None), ast.Call) for s in node.body):
        yield "swallows an error"


def test_nothing_forbidden() -> None:
    found = [sin for module in everything() for sin in sins(module)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from pickle import loads",
        "import torch\ntorch.load('x')",
        "import numpy as np\nnp.load('x', allow_pickle=True)",
        "eval('1')",
        "model(trust_remote_code=True)",
        "try:\n    f()\nexcept ValueError:\n    pass",
        "try:\n    f()\nexcept ValueError:\n    ...",
        "try:\n    f()\nexcept:\n    g()",
        "with suppress(Exception):\n    f()",
    ],
)
def test_each_sin_is_seen(code: str) -> None:
    assert list(sins(parse(SRC / "x.py", code)))


@pytest.mark.parametrize("code", ["model.eval()", "try:\n    f()\nexcept ValueError:\n    log(1)", "np.load('x')"])
def test_innocent_code_is_left_alone(code: str) -> None:
    assert not list(sins(parse(SRC / "x.py", code)))


def lengths(module: Module) -> Iterator[str]:
    """Functions and files beyond the limit."""
    lines = module.text.count("\n")
    if lines > LONGEST_FILE:
        yield f"{module.at(module.tree)}: {lines} lines"
    for node in ast.walk(module.tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            size = (node.end_lineno or 0) - node.lineno + 1
            if size > LONGEST_FUNCTION:
                yield f"{module.at(node)} {node.name}: {size} lines"


def test_files_and_functions_stay_readable() -> None:
    long = [line for module in package() for line in lengths(module)]
    assert not long, "\n".join(long)


def test_a_long_function_is_noticed() -> None:
    code = "def f():\n" + "    x = 1\n" * LONGEST_FUNCTION
    assert list(lengths(parse(SRC / "x.py", code)))


def test_errors_are_of_a_kind() -> None:
    """A bare Exception says nothing a caller could act on."""
    bare = [
        module.at(node)
        for module in package()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and dotted(node.exc.func) in ("Exception", "BaseException")
    ]
    assert not bare, "\n".join(bare)


VAGUE = {"utils", "helpers", "common", "base", "manager", "misc"}


def test_files_are_named_after_their_subject() -> None:
    vague = [str(module.path) for module in everything() if module.path.stem in VAGUE]
    assert not vague, vague
