"""Every declared setting is read somewhere: a setting that nothing looks at would be silently ignored."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import pytest
from tests.house.source import SRC, Module, package, parse

TAG = "kind"  # names a choice; it is read by choosing the class
NEUTRAL = {"NOT_DONE", "Unset", "Empty", "EmptyTable", "Zero"}  # accepts only the value that changes nothing


def classes() -> dict[str, tuple[Module, ast.ClassDef]]:
    """Every class of the package by name."""
    return {
        node.name: (module, node)
        for module in package()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
    }


def descends(node: ast.ClassDef, known: dict[str, tuple[Module, ast.ClassDef]]) -> bool:
    """Whether a class is a settings model."""
    names = [base.id for base in node.bases if isinstance(base, ast.Name)]
    return "Settings" in names or any(descends(known[name][1], known) for name in names if name in known)


def declared() -> Iterator[tuple[Module, ast.ClassDef, ast.AnnAssign, str]]:
    """Every setting: where it stands and its name."""
    known = classes()
    for module, node in known.values():
        if descends(node, known):
            for item in node.body:
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and not neutral(item):
                    yield module, node, item, item.target.id


def neutral(item: ast.AnnAssign) -> bool:
    """Whether a setting is there only to be refused politely when it asks for something."""
    return any(isinstance(node, ast.Name) and node.id in NEUTRAL for node in ast.walk(item.annotation))


def read_names(modules: tuple[Module, ...]) -> set[str]:
    """Names that are read as attributes: `settings.name`, `getattr(settings, "name")`, or in a tuple of names."""
    found = set()
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                found.add(node.attr)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
                found |= {a.value for a in node.args[1:2] if isinstance(a, ast.Constant) and isinstance(a.value, str)}
    return found


def test_every_setting_is_read() -> None:
    read = read_names(package())
    ignored = [
        f"{module.at(item)} {node.name}.{name}"
        for module, node, item, name in declared()
        if name not in read and name != TAG
    ]
    assert not ignored, "\n".join(ignored)


def test_settings_are_found() -> None:
    names = {f"{node.name}.{name}" for _, node, _, name in declared()}
    assert {"Sampling.temperature", "Cosine.final_share", "PretrainSettings.minutes"} <= names


@pytest.mark.parametrize(("code", "name"), [("x = settings.rate", "rate"), ("y = getattr(settings, 'rate')", "rate")])
def test_reading_is_seen(code: str, name: str) -> None:
    assert name in read_names((parse(SRC / "x.py", code),))


def test_writing_is_not_reading() -> None:
    assert "rate" not in read_names((parse(SRC / "x.py", "settings.rate = 1"),))
