"""Puts tests to a program that runs elsewhere: python examiner.py HEARS SAYS VERDICT, three open descriptors.

The tests run here, in a sandbox of their own; the program runs in another and never sees them. Nothing that the
program prints, returns, raises or ends with can become the verdict: only this process writes it, after the last test.
"""

from __future__ import annotations

import builtins
import importlib
import json
import linecache
import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

if __package__:
    from langwright.sandbox.inside import exchange
else:  # as a script of its own, which sees the standard library and the files beside it
    sys.path.insert(0, str(Path(__file__).resolve().parent))
    import exchange  # type: ignore[import-not-found, no-redef]

NAME = "tests.py"
SHOWN = 400  # characters of a value


class Gone(Exception):
    """The program ended before it answered."""


class ProgramError(Exception):
    """The program raised something that Python itself does not have."""


class Program:
    """The program at the other end of the line."""

    def __init__(self, line: exchange.Line) -> None:
        self.line = line
        self.complaint = ""  # the lines of its last error
        self.last = ""  # the last call and what came of it

    def ask(self, **asked: Any) -> Any:
        """The value it answers with; its error is raised here."""
        self.line.say(asked)
        answer = self.line.hear()
        if answer is None:
            raise Gone
        if "error" in answer:
            kind, words, self.complaint = answer["error"]
            raise as_error(kind, words)
        return answer

    def value(self, **asked: Any) -> Any:
        """The value in its answer."""
        return self.unpack(self.ask(**asked)["value"])

    def unpack(self, said: Any) -> Any:
        """A plain value; a thing that stays there; a module, which is taken from here."""
        return exchange.unpacked(said, self.thing)

    def thing(self, said: list[Any]) -> Any:
        """What is no plain value."""
        if said[0] == "module" and said[1].partition(".")[0] in sys.stdlib_module_names:
            return importlib.import_module(said[1])
        return Thing(self, int(said[1]), str(said[2]), str(said[3]))


def as_error(kind: str, words: str) -> BaseException:
    """An error of the program as one of Python's own, where it is."""
    known = getattr(builtins, kind, None)
    if isinstance(known, type) and issubclass(known, Exception):
        try:
            return known(words)
        except TypeError:  # it takes other arguments
            return ProgramError(f"{kind}: {words}")
    return ProgramError(f"{kind}: {words}")


def hold(value: Any) -> list[Any]:
    """Things of the program are handed back to it; others of the tests cannot be handed over."""
    if isinstance(value, Thing):
        return ["thing", value.number]
    raise TypeError(f"the tests hand the program a {type(value).__name__}, which cannot be handed to another process")


class Thing:
    """A function, a class or an object of the program's, which stays there."""

    def __init__(self, program: Program, number: int, kind: str, name: str) -> None:
        self.__dict__.update(program=program, number=number, kind=kind, name=name)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        program = self.program
        said = ", ".join([*map(repr, arguments), *(f"{key}={one!r}" for key, one in named.items())])[:SHOWN]
        program.last = f"{self.name}({said}) did not return"
        answer = program.ask(
            ask="call", thing=self.number, arguments=[exchange.packed(one, hold) for one in arguments],
            named={key: exchange.packed(one, hold) for key, one in named.items()},
        )  # fmt: skip
        for one, after in zip(arguments, answer["arguments"], strict=True):
            if after is not None:
                renew(one, program.unpack(after))
        value = program.unpack(answer["value"])
        program.last = f"{self.name}({said}) returned {repr(value)[:SHOWN]}"
        return value

    def ask(self, kind: str, *arguments: Any, **more: Any) -> Any:
        """Something about it."""
        return self.program.value(
            ask=kind, thing=self.number, arguments=[exchange.packed(one, hold) for one in arguments], **more
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self.ask("attribute", name=name)

    def __setattr__(self, name: str, value: Any) -> None:
        self.ask("assign", value, name=name)

    def __iter__(self) -> Iterator[Any]:
        return self.ask("begin") if self.kind not in ("generator", "map", "filter", "zip", "iterator") else self

    def __next__(self) -> Any:
        return self.ask("next")

    def __getitem__(self, key: Any) -> Any:
        return self.ask("item", key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.ask("put", key, value)

    def __contains__(self, one: Any) -> bool:
        return bool(self.ask("holds", one))

    def __len__(self) -> int:
        return int(self.ask("length"))

    def __bool__(self) -> bool:
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Thing) and (self.number == other.number or bool(self.ask("equal", other)))

    def __hash__(self) -> int:
        return hash(self.number)

    def __str__(self) -> str:
        return str(self.ask("text"))

    def __repr__(self) -> str:
        return str(self.ask("shown"))


def renew(argument: Any, after: Any) -> None:
    """Let an argument be what the program made of it."""
    if isinstance(argument, list | bytearray):
        argument[:] = after
    elif isinstance(argument, dict | set):
        argument.clear()
        argument.update(after)


class Names(dict[str, Any]):
    """The names that tests see: their own, Python's, and then the program's."""

    def __init__(self, program: Program, names: list[str]) -> None:
        super().__init__(__name__="tests", __builtins__=builtins)
        self.program = program
        self.names = {name for name in names if not hasattr(builtins, name)}

    def __missing__(self, name: str) -> Any:
        if name not in self.names:
            raise KeyError(name)
        self[name] = self.program.value(ask="name", name=name)
        return self[name]


def run(code: str, names: dict[str, Any]) -> None:
    """A piece of the tests."""
    linecache.cache[NAME] = (len(code), None, code.splitlines(keepends=True), NAME)
    exec(compile(code, NAME, "exec"), names)


def examine(program: Program, told: dict[str, Any]) -> dict[str, Any]:
    """The verdict: passed when the last test has run, and else what went wrong first."""
    passed, stage = 0, "load"
    try:
        names = Names(program, program.ask(ask="names")["names"])
        stage = "tests"
        run(told["setup"], names)
        if told["entry"]:
            names[told["entry"]] = program.value(ask="name", name=told["entry"])
        for code in told["tests"]:
            run(code, names)
            passed += 1
    except Gone:
        return {"kind": "ended", "passed": passed, "detail": program.last}
    except BaseException as error:
        if program.complaint and stage == "load":
            return {"kind": "load", "passed": 0, "detail": program.complaint}
        words = "".join(traceback.format_exception_only(type(error), error))
        lines = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == NAME]
        where = f"{lines[-1].line}\n" if lines and lines[-1].line else ""
        kind = "error" if program.complaint else "failed"
        return {"kind": kind, "passed": passed, "detail": f"{where}{program.complaint or words}{program.last}"[-4000:]}
    return {"kind": "passed", "passed": passed, "detail": ""}


def main() -> None:
    """Examine, and write the verdict."""
    verdict = int(sys.argv[3])
    os.set_inheritable(verdict, False)
    told = json.loads((Path(__file__).resolve().parent / "tests.json").read_text(encoding="utf-8"))
    found = examine(Program(exchange.Line(int(sys.argv[1]), int(sys.argv[2]))), told)
    os.write(verdict, json.dumps(found).encode())


if __name__ == "__main__":
    main()
