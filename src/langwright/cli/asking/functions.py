"""Every command as a function that may be asked for in words: what it is for, what it takes, whether it writes anything.

All of it is read off the commands' own declarations, in both languages.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from typer.core import TyperArgument, TyperOption

from langwright.cli.teaching import Command, argument_name
from langwright.stages import STAGES
from langwright.wording import say

if TYPE_CHECKING:
    from langwright.stages.declaration import Stage

READS = frozenset(
    {
        "tasks", "score", "fill", "predict", "generate", "tokenizer inspect", "watermark detect", "templates list",
        "templates show", "runs list", "runs watch", "history", "recipe", "doctor", "keys list", "audit", "person list",
        "recommend next", "cowrite show", "rate collect", "gate",
    }
)  # fmt: skip
"""Commands that leave everything as it was. Any other is confirmed before it runs."""
APART = frozenset({"ask", "chat", "rewrite offer", "rewrite decide", "cowrite begin", "cowrite go", "cowrite decide", "store restore", "person delete", "store migrate", "store reseal"})  # fmt: skip
"""Commands that are not asked for in words: talks of their own, and what cannot be undone."""
KINDS = ("model", "dataset", "tokenizer", "report")


@dataclass(frozen=True)
class Slot:
    """One thing that a command is followed by.

    kind  of artifact; source for files, out for a folder to make, text for what is said, name for anything else
    """

    name: str
    kind: str
    needed: bool = True
    many: bool = False


@dataclass(frozen=True)
class Option:
    """An option with a value, or a flag where it has none."""

    name: str
    help: str
    flag: bool


@dataclass(frozen=True)
class Function:
    """A command.

    said  all that its declaration says of it, in English and in Chinese: what requests are compared with
    """

    name: str
    summary: str
    slots: tuple[Slot, ...]
    options: Mapping[str, Option]
    writes: bool
    said: str

    def schema(self) -> dict[str, object]:
        """Its arguments as a JSON schema, as tools are described."""
        properties: dict[str, object] = {slot.name: {"type": "string", "description": slot.kind} for slot in self.slots}
        properties |= {
            one.name: {"type": "boolean" if one.flag else "string", "description": one.help}
            for one in self.options.values()
        }
        needed = [slot.name for slot in self.slots if slot.needed]
        return {"type": "object", "properties": properties, "required": needed, "additionalProperties": False}


@cache
def functions() -> dict[str, Function]:
    """Every command that may be asked for, by its name."""
    from langwright.cli.commands import COMMANDS

    return {
        name: function_of(command)
        for name, command in COMMANDS.items()
        if name not in APART and not name.startswith("check ")
    }


def function_of(command: Command) -> Function:
    """A command from its declaration."""
    built = command.build()
    stage = next((one for one in STAGES.values() if one.name.replace("-", " ", 1) == command.name), None)
    slots = slots_of_stage(stage) if stage is not None else tuple(
        slot_of(argument_name(one), one.required, one.nargs == -1) for one in built.params if isinstance(one, TyperArgument)
    )  # fmt: skip
    options = {
        one.opts[0]: Option(one.opts[0], one.help or "", bool(one.is_flag))
        for one in built.params
        if isinstance(one, TyperOption)
        and one.opts[0] not in ("--recipe", "--set", "--restart", "--accept-changes", "--on")
    }
    texts = [command.summary, *(help for _, help in command.arguments)]
    texts += [one.help or "" for one in built.params if isinstance(one, TyperArgument) and one.help]
    said = [command.name, *command.examples, *(say(text, lang=lang) for text in texts for lang in ("en", "zh"))]
    return Function(command.name, command.summary, slots, options, command.name not in READS, "\n".join(said))


def slots_of_stage(stage: Stage) -> tuple[Slot, ...]:
    """What a stage is given, and what it makes."""
    given = [Slot(one.role.upper(), one.kind, not one.optional, one.many) for one in stage.inputs]
    return (*given, Slot("OUT", "out"))


def slot_of(shown: str, needed: bool, many: bool) -> Slot:
    """An argument by how it is called."""
    name = shown.strip("[].")
    kinds = {
        "MODEL": "model", "URL|MODEL": "model", "MODEL|REPORT": "model", "TOKENIZER": "tokenizer", "ARTIFACT": "artifact",
        "RUN": "artifact", "PROMPT": "text", "TEXT": "text", "INPUT": "text", "OUT": "out", "TASK": "task", "STAGE": "stage",
        "FILE": "file", "GATE.toml": "file", "PIPELINE.toml": "file", "ITEMS": "file", "FOLDER": "file", "SESSION": "file",
    }  # fmt: skip
    return Slot(name, kinds.get(name, "name"), needed, many)
