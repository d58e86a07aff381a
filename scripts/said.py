"""Finds in the source what is said to a person: for the test that all of it is translated, and the page of errors.

A template is a text literal, or a name, table or condition that leads to literals. What is given to UserError,
to an event or to a declaration must lead to literals, or it could not be found here.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

SRC = Path(__file__).resolve().parent.parent / "src"

# called name -> (keyword, position) of each template among its arguments
TEMPLATES: dict[str, tuple[tuple[str, int | None], ...]] = {
    "UserError": (("problem", 0), ("fix", None)),
    "StoreError": (("problem", 0), ("fix", None)),
    "Chosen": (("message", None),),
    "Warned": (("message", None),),
    "Progressed": (("what", None),),
    "Unpackable": (("problem", 0),),
    "Why": (("problem", 0),),
    "say": (("template", 0),),
    "Term": (("", 0),),
    "unknown": (("kind", 0),),
    "Field": (("description", None),),
    "Input": (("role", 0), ("help", 2)),
    "Stage": (("summary", None),),
    "Task": (("summary", None),),
    "Solver": (("summary", None),),
    "Yardstick": (("name", None), ("method", None), ("does_not_show", None)),
    "Command": (("summary", None), ("section", None), ("details", None)),
    "Option": (("help", None),),
    "Argument": (("help", None),),
}
MUST_BE_LITERAL = {"UserError", "StoreError", "Chosen", "Warned", "Progressed", "Field", "Stage", "Task"}


@dataclass(frozen=True)
class Said:
    """One thing said."""

    node: ast.Call
    by: str  # what is called
    keyword: str
    text: str | None  # None for what leads to no literal and should


@cache
def module_tree(name: str) -> ast.Module | None:
    """A module of ours by its dotted name; None where there is none."""
    path = SRC.joinpath(*name.split("."))
    for file in (path.with_suffix(".py"), path / "__init__.py"):
        if file.is_file():
            return ast.parse(file.read_text(encoding="utf-8"))
    return None


def literals(tree: ast.Module, node: ast.expr) -> list[str] | None:
    """The texts that an expression may be; None where that cannot be read off the source."""
    match node:
        case ast.Constant(value=value):
            return [value] if isinstance(value, str) else []
        case ast.IfExp(body=body, orelse=orelse):
            both = [literals(tree, body), literals(tree, orelse)]
            return None if None in both else [text for texts in both for text in texts or []]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            before, after = literals(tree, left), literals(tree, right)
            return None if before is None or after is None else [a + b for a in before for b in after]
        case ast.Name(id=name):
            return named(tree, name)
        case ast.Subscript(value=ast.Name(id=name)):
            return named(tree, name)
        case ast.Dict(values=values):
            return [text for value in values for text in literals(tree, value) or []]
        case ast.Attribute(attr="message"):
            return []  # a template made elsewhere, where it stands as `message=`
    return None


def named(tree: ast.Module, name: str) -> list[str] | None:
    """The texts that a name may stand for: what is assigned to it here, or in the module it is imported from."""
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in node.targets):
            value: ast.expr | None = node.value
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == name:
            value = node.value
        elif isinstance(node, ast.ImportFrom) and any((a.asname or a.name) == name for a in node.names):
            other = module_tree(node.module or "")
            original = next(a.name for a in node.names if (a.asname or a.name) == name)
            found += (named(other, original) or []) if other is not None and other is not tree else []
            continue
        else:
            continue
        if value is not None and not isinstance(value, ast.Name):
            found += literals(tree, value) or []
    return found or None


def argument(node: ast.Call, name: str, position: int | None = None) -> ast.expr | None:
    """An argument by keyword, or by position where one is given."""
    for keyword in node.keywords:
        if keyword.arg == name:
            return keyword.value
    if position is not None and len(node.args) > position and not isinstance(node.args[position], ast.Starred):
        return node.args[position]
    return None


def called(node: ast.Call) -> str:
    """The last name of what is called."""
    if isinstance(node.func, ast.Name):
        return node.func.id
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def said(tree: ast.Module) -> Iterator[Said]:
    """Everything said in a module."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = called(node)
        if name == "filterwarnings":  # its message is a pattern
            continue
        places = TEMPLATES.get(name, (("message", None),))
        for keyword, position in places:
            given = argument(node, keyword, position)
            if given is None:
                continue
            texts = literals(tree, given)
            if texts is None and name in MUST_BE_LITERAL:
                yield Said(node, name, keyword, None)
            if name in TEMPLATES or isinstance(given, ast.Constant):
                yield from (Said(node, name, keyword, text) for text in texts or [] if text.strip())
