"""Code that a YAML benchmark calls: refused unless it is allowed by name, and not even read before."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from langwright.errors import UserError


@dataclass(frozen=True)
class Called:
    """Code that a YAML names."""

    name: str
    folder: Path


def calls_in(value: Any) -> Iterator[Called]:
    """Every function that is named somewhere in a value."""
    if isinstance(value, Called):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from calls_in(one)
    elif isinstance(value, list):
        for one in value:
            yield from calls_in(one)


def refuse_code(config: dict[str, Any], file: Path, allowed: frozenset[str]) -> None:
    """UserError for code that is called without being allowed."""
    called = sorted({call.name for call in calls_in(config)} - allowed)
    if called:
        raise UserError(
            "{path} calls code: {names}",
            fix="read that code, and allow it by name: --set 'allow_code=[{quoted}]'",
            path=file,
            names=", ".join(called),
            quoted=", ".join(f'"{name}"' for name in called),
        )


def resolved(value: Any) -> Any:
    """A value with functions in place of their names."""
    if isinstance(value, Called):
        return function_of(value)
    if isinstance(value, dict):
        return {key: resolved(one) for key, one in value.items()}
    return [resolved(one) for one in value] if isinstance(value, list) else value


def function_of(called: Called) -> Callable[..., Any]:
    """The function of a name, from the Python file beside the YAML, else from an installed module."""
    module, _, name = called.name.rpartition(".")
    file = called.folder / f"{module.replace('.', '/')}.py"
    try:
        if file.is_file():
            spec = importlib.util.spec_from_file_location(f"langwright_benchmark_{abs(hash(file))}", file)
            assert spec is not None and spec.loader is not None
            loaded = importlib.util.module_from_spec(spec)
            sys.modules[spec.name] = loaded
            spec.loader.exec_module(loaded)
        else:
            loaded = importlib.import_module(module)
        found = getattr(loaded, name)
    except (ImportError, AttributeError, ValueError, SyntaxError) as error:
        raise UserError(
            "{name} cannot be loaded: {error}", fix="see that it stands in {file}", name=called.name, error=error, file=file
        ) from None  # fmt: skip
    return found  # type: ignore[no-any-return]
