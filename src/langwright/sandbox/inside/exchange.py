"""How an examiner and the program it examines talk: lines of JSON that can say plain values and nothing else.

What is no plain value stays where it is and is spoken of by a number. So nothing that a program returns can decide
how it is compared: the examiner only ever sees values of Python's own types.
"""

from __future__ import annotations

import builtins
import collections
import json
import os
from collections.abc import Callable
from typing import Any

SEQUENCES: dict[str, Any] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
    "deque": collections.deque,
}
TYPES: dict[str, Any] = {name: one for name, one in vars(builtins).items() if isinstance(one, type)}
Hold = Callable[[Any], list[Any]]


def packed(value: Any, hold: Hold) -> Any:
    """A value as JSON; `hold` says what stands for one that is not plain.

    >>> packed([1, (2.5, "a")], hold=lambda thing: ["thing", 0])
    ['list', [['int', '0x1'], ['tuple', [['float', '0x1.4000000000000p+1'], 'a']]]]
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return "".join(value)
    if isinstance(value, int):
        return ["int", hex(value)]
    if isinstance(value, float):
        return ["float", float.hex(value)]
    if isinstance(value, complex):
        return ["complex", float.hex(value.real), float.hex(value.imag)]
    if isinstance(value, (bytes, bytearray)):
        return [("bytes", "bytearray")[isinstance(value, bytearray)], value.hex()]
    if isinstance(value, range):
        return ["range", *(hex(part) for part in (value.start, value.stop, value.step))]
    if isinstance(value, dict):
        return ["dict", [[packed(key, hold), packed(one, hold)] for key, one in value.items()]]
    if known := type_name(value):
        return ["type", known]
    for name, kind in SEQUENCES.items():
        if isinstance(value, kind):
            return [name, [packed(one, hold) for one in value]]
    return hold(value)


def type_name(value: object) -> str:
    """The name of one of Python's own types; "" for anything else."""
    return next((name for name, one in TYPES.items() if one is value), "")


def unpacked(said: Any, thing: Callable[[list[Any]], Any]) -> Any:
    """The value that was packed; `thing` gives what a number stands for."""
    if not isinstance(said, list):
        return said
    name, *rest = said
    if name == "int":
        return int(rest[0], 16)
    if name == "float":
        return float.fromhex(rest[0])
    if name == "complex":
        return complex(float.fromhex(rest[0]), float.fromhex(rest[1]))
    if name in ("bytes", "bytearray"):
        return (bytes if name == "bytes" else bytearray).fromhex(rest[0])
    if name == "range":
        return range(*(int(part, 16) for part in rest))
    if name == "dict":
        return {unpacked(key, thing): unpacked(one, thing) for key, one in rest[0]}
    if name == "type" and rest[0] in TYPES:
        return TYPES[rest[0]]
    if name in SEQUENCES:
        return SEQUENCES[name]([unpacked(one, thing) for one in rest[0]])
    return thing(said)


class Line:
    """Two open descriptors: what the other says, and what is said to it."""

    def __init__(self, hears: int, says: int) -> None:
        for descriptor in (hears, says):
            os.set_inheritable(descriptor, False)
        self.hears = os.fdopen(hears, "rb")
        self.says = says

    def say(self, what: Any) -> None:
        """One line, whole."""
        left = memoryview(json.dumps(what).encode() + b"\n")
        while left:
            left = left[os.write(self.says, left) :]

    def hear(self) -> Any:
        """The next line; None when the other is gone."""
        line = self.hears.readline()
        return json.loads(line) if line.endswith(b"\n") else None
