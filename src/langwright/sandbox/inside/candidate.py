"""Holds a program and does with it what an examiner asks: python candidate.py HEARS SAYS, two open descriptors."""

from __future__ import annotations

import linecache
import operator
import sys
import traceback
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __package__:
    from langwright.sandbox.inside import exchange
else:  # as a script of its own, which sees the standard library and the files beside it
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    import exchange  # type: ignore[import-not-found, no-redef]

NAME = "program.py"
held: list[Any] = []


def hold(value: Any) -> list[Any]:
    """Keep what is not plain, and say by which number."""
    if isinstance(value, types.ModuleType):
        return ["module", value.__name__]
    held.append(value)
    name = getattr(value, "__name__", "")
    return ["thing", len(held) - 1, type(value).__name__, name if isinstance(name, str) else ""]


def load(source: str) -> dict[str, Any]:
    """Run the program's text, which defines what it has; its names with their values."""
    linecache.cache[NAME] = (len(source), None, source.splitlines(keepends=True), NAME)
    program = types.ModuleType("program")
    sys.modules["program"] = program
    exec(compile(source, NAME, "exec"), program.__dict__)
    return program.__dict__


def mutable(values: list[Any]) -> list[Any]:
    """Arguments as a call left them, where it can have changed them."""
    return [
        exchange.packed(value, hold) if isinstance(value, list | dict | set | bytearray) else None for value in values
    ]


def done(asked: dict[str, Any], names: dict[str, Any]) -> dict[str, Any]:
    """The answer to one question."""
    kind = asked["ask"]
    if kind == "names":
        return {"names": sorted(names)}
    if kind == "name":
        return {"value": exchange.packed(names[asked["name"]], hold)}
    subject = held[asked["thing"]]
    arguments = [exchange.unpacked(one, lambda said: held[said[1]]) for one in asked.get("arguments", [])]
    if kind == "call":
        named = {key: exchange.unpacked(one, lambda said: held[said[1]]) for key, one in asked["named"].items()}
        value = subject(*arguments, **named)
        return {"value": exchange.packed(value, hold), "arguments": mutable(arguments)}
    ways: dict[str, Callable[[], Any]] = {
        "attribute": lambda: getattr(subject, asked["name"]), "item": lambda: subject[arguments[0]],
        "assign": lambda: setattr(subject, asked["name"], arguments[0]),
        "put": lambda: operator.setitem(subject, arguments[0], arguments[1]), "length": lambda: len(subject), "begin": lambda: iter(subject), "next": lambda: next(subject),
        "text": lambda: str(subject), "shown": lambda: repr(subject), "holds": lambda: arguments[0] in subject,
        "equal": lambda: bool(operator.eq(subject, arguments[0])),
    }  # fmt: skip
    return {"value": exchange.packed(ways[kind](), hold)}


def complaint(error: BaseException) -> dict[str, Any]:
    """An error as its kind, its words, and the lines of the program that led to it."""
    where = error.__traceback__
    while where is not None and where.tb_frame.f_code.co_filename != NAME:
        where = where.tb_next
    try:
        lines = "".join(traceback.format_exception(type(error), error, where, limit=-8))
        return {"error": [type(error).__name__, str(error)[:2000], lines[-4000:]]}
    except Exception:  # an error's own words can fail
        return {"error": [type(error).__name__, "", ""]}


def main() -> None:
    """Answer until the examiner is gone."""
    line = exchange.Line(int(sys.argv[1]), int(sys.argv[2]))
    source = (Path(__file__).resolve().parent / NAME).read_bytes().decode()
    names: dict[str, Any] | None = None
    while (asked := line.hear()) is not None:
        try:
            if names is None:
                names = load(source)
            answer = done(asked, names)
        except BaseException as error:
            answer = complaint(error)
        line.say(answer)


if __name__ == "__main__":
    main()
