"""Help that teaches: what a command is for, an example, its inputs and its options, in the language in force."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import typer
from typer.core import TyperArgument, TyperCommand, TyperOption
from typer.main import get_command

from langwright.cli.screen import folded, padded, width
from langwright.errors import UserError
from langwright.wording import say

WIDEST = 100
NAMES = 28  # columns for names before their help
EVERYWHERE: tuple[tuple[str, str], ...] = (
    ("--lang zh|en", "Language of messages and help; the locale's when left out"),
    ("--json", "Print one JSON object on standard output; progress goes to standard error"),
    ("--help", "Show this text"),
)


@dataclass(frozen=True)
class Command:
    """One command: its words, what it is for, an example, and the function that does it.

    arguments  (name, help) of positional arguments, where the function takes them all in one list
    """

    name: str
    section: str
    summary: str
    examples: tuple[str, ...]
    run: Callable[..., None]
    arguments: tuple[tuple[str, str], ...] = ()
    details: str = ""

    def build(self) -> Teaching:
        """The command as typer parses it."""
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        app.command(cls=Teaching, help=self.summary, context_settings={"allow_extra_args": True})(self.run)
        built = get_command(app)
        assert isinstance(built, Teaching)
        built.declared = self
        return built


class Teaching(TyperCommand):
    """A typer command with our help."""

    declared: Command

    def get_help(self, ctx: typer.Context) -> str:  # type: ignore[override]
        """The whole help text."""
        return command_help(self)

    def invoke(self, ctx: typer.Context) -> object:  # type: ignore[override]
        """Refuse what is left over, then run."""
        if ctx.args:
            raise UserError(
                "{command} takes no {argument!r}",
                fix="see what it takes with `langwright {command} --help`",
                command=self.declared.name,
                argument=ctx.args[0],
            )
        return super().invoke(ctx)


def command_help(command: Teaching) -> str:
    """What `langwright COMMAND --help` shows."""
    declared = command.declared
    arguments = declared.arguments or tuple(
        (argument_name(p), p.help or "") for p in command.params if isinstance(p, TyperArgument)
    )
    options = [(option_name(p), p.help or "") for p in command.params if isinstance(p, TyperOption) and not p.hidden]
    usage = " ".join(["langwright", declared.name, *(name for name, _ in arguments), f"[{say('options')}]"])
    parts = [usage, "", *(f"  {line}" for line in folded(say(declared.summary), line_width() - 2))]
    if declared.details:
        parts += ["", *(f"  {line}" for line in folded(say(declared.details), line_width() - 2))]
    parts += ["", say("Example" if len(declared.examples) == 1 else "Examples")]
    parts += [f"  {example}" for example in declared.examples]
    if arguments:
        parts += ["", say("Arguments"), *listed(arguments)]
    parts += ["", say("Options"), *listed([*options, *EVERYWHERE])]
    return "\n".join(parts)


def argument_name(argument: TyperArgument) -> str:
    """An argument as the usage line shows it."""
    name = (argument.metavar or argument.name.upper()) + ("..." if argument.nargs == -1 else "")
    return name if argument.required else f"[{name}]"


def option_name(option: TyperOption) -> str:
    """An option as the list shows it."""
    names = ", ".join(option.opts)
    return names if option.is_flag else f"{names} {option.metavar or option.name.upper()}"


def overview(commands: Mapping[str, Command], sections: Sequence[str]) -> str:
    """What `langwright --help` shows."""
    parts = [
        say("Langwright: from raw text to a language model you can serve, measure, explain and stand behind."),
        "",
        f"langwright {say('COMMAND')} [{say('options')}]",
    ]
    for section in sections:
        rows = [(c.name, c.summary) for c in commands.values() if c.section == section]
        if rows:
            parts += ["", say(section), *listed(rows)]
    parts += ["", say("Everywhere"), *listed(EVERYWHERE)]
    parts += ["", f"{say('next')}: langwright data read --help"]
    return "\n".join(parts)


def group_help(words: str, commands: Mapping[str, Command]) -> str:
    """What `langwright runs --help` shows: the commands that begin with these words."""
    rows = [(c.name, c.summary) for name, c in commands.items() if name.startswith(words + " ")]
    return "\n".join(
        [
            f"langwright {words} {say('COMMAND')} [{say('options')}]",
            "",
            *listed(rows),
            "",
            say("Everywhere"),
            *listed(EVERYWHERE),
        ]
    )


def listed(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Names with their translated help beside or below them."""
    lines: list[str] = []
    for name, help in rows:
        text = folded(say(help), line_width() - NAMES - 2)
        if width(name) > NAMES - 2:
            lines.append(f"  {name}")
        else:
            lines.append(f"  {padded(name, NAMES)}{text.pop(0)}")
        lines += [" " * (NAMES + 2) + line for line in text]
    return lines


def line_width() -> int:
    """Columns to write in."""
    return min(WIDEST, max(60, shutil.get_terminal_size((WIDEST, 24)).columns))
