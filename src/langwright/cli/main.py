"""`langwright`: reads the words of the command line, runs the command, and turns mistakes into two lines and exit code 2."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import typer

from langwright.cli.commands import COMMANDS, SECTIONS
from langwright.cli.screen import Screen, use_utf8
from langwright.cli.teaching import Command, Teaching, group_help, overview
from langwright.errors import UserError, unknown
from langwright.stages.execution import terminable
from langwright.wording import LANGUAGES, Language, say, use_language

# typer carries its own copy of click, whose exceptions lie beside the one that it offers.
complaints = sys.modules[typer.BadParameter.__module__]
EXIT_MISTAKE = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, as shells count
EXIT_UNHEARD = 141  # 128 + SIGPIPE


@dataclass(frozen=True)
class Everywhere:
    """What may stand anywhere on the line."""

    lang: Language | None
    as_json: bool
    rest: tuple[str, ...]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code: 0, 2 for a person's mistake, 130 when it was stopped."""
    use_utf8()
    words = list(sys.argv[1:] if argv is None else argv)
    screen = Screen(
        as_json="--json" in before_dashes(words), out=sys.stdout, err=sys.stderr, command=("langwright", *words)
    )
    # Whatever a library prints must not get into the one object.
    quiet = contextlib.redirect_stdout(sys.stderr) if screen.as_json else contextlib.nullcontext()
    with quiet, terminable():
        try:
            given = everywhere(words)
            use_language(given.lang)
            return run(given, screen)
        except UserError as error:
            screen.error(error)
            return EXIT_MISTAKE
        except KeyboardInterrupt:
            return interrupted(screen)
        except BrokenPipeError:  # whoever read our output has left, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return EXIT_UNHEARD
        finally:
            use_language(None)


def interrupted(screen: Screen) -> int:
    """Say that the work was stopped, unless the command already has."""
    if not screen.answered:
        if screen.as_json:
            problem, fix = say("stopped"), say("run the same command again")
            screen.answer({"error": {"code": "stopped", "params": {}, "problem": problem, "fix": fix}})
        else:
            screen.note(say("stopped"))
    return EXIT_INTERRUPTED


def before_dashes(words: Sequence[str]) -> list[str]:
    """The words up to `--`, behind which everything is meant literally."""
    return list(words[: words.index("--")] if "--" in words else words)


def everywhere(words: Sequence[str]) -> Everywhere:
    """Take `--lang` and `--json` out, wherever they stand.

    raises  UserError for a language we do not speak
    """
    mine, literal = before_dashes(words), list(words[len(before_dashes(words)) :])
    rest: list[str] = []
    lang: str | None = None
    waiting = iter(mine)
    for word in waiting:
        if word == "--lang":
            lang = next(waiting, "")
        elif word.startswith("--lang="):
            lang = word.removeprefix("--lang=")
        elif word != "--json":
            rest.append(word)
    if lang is not None and lang not in LANGUAGES:
        raise unknown("language", lang, LANGUAGES)
    return Everywhere(next((known for known in LANGUAGES if known == lang), None), "--json" in mine, (*rest, *literal))


def run(given: Everywhere, screen: Screen) -> int:
    """Find the command and let it run."""
    words = given.rest
    if words[:1] == ("--version",):
        from importlib.metadata import version

        screen.line(f"langwright {version('langwright')}")
        screen.answer({"version": version("langwright")})
        return 0
    command, arguments = find(words)
    if command is None:
        help_for(arguments, screen)
        return 0
    if screen.as_json and "--help" in before_dashes(arguments):
        with contextlib.redirect_stdout(io.StringIO()) as text:
            code = call(command.build(), arguments, screen)
        screen.answer({"help": text.getvalue()})
        return code
    return call(command.build(), arguments, screen)


def find(words: Sequence[str]) -> tuple[Command | None, list[str]]:
    """The command that the first words name, and what is left; None for the help of everything or of a group."""
    for count in (3, 2, 1):
        name = " ".join(words[:count])
        if len(words) >= count and name in COMMANDS:
            return COMMANDS[name], list(words[count:])
    return None, list(words)


def help_for(words: Sequence[str], screen: Screen) -> None:
    """Help of everything, or of the group that the words name.

    raises  UserError for words that are no command
    """
    plain = [word for word in words if word != "--help"]
    if not plain:
        text = overview(COMMANDS, SECTIONS)
    else:
        group = group_of(plain)
        if len(plain) > len(group):
            known = names_after(group)
            raise unknown("command" if not plain[len(group)].startswith("-") else "option", plain[len(group)], known)
        text = group_help(" ".join(group), COMMANDS)
    screen.line(text)
    screen.answer({"help": text})


def group_of(words: Sequence[str]) -> list[str]:
    """The longest beginning of the words that some commands share."""
    for count in range(len(words), 0, -1):
        start = " ".join(words[:count]) + " "
        if any(name.startswith(start) for name in COMMANDS):
            return list(words[:count])
    return []


def names_after(group: Sequence[str]) -> list[str]:
    """The words that may follow a group's."""
    depth = len(group)
    return list(dict.fromkeys(n.split()[depth] for n in COMMANDS if n.split()[:depth] == list(group)))


def call(command: Teaching, arguments: Sequence[str], screen: Screen) -> int:
    """Let typer parse the arguments and call the function; its complaints become ours."""
    name = f"langwright {command.declared.name}"
    try:
        code = command.main(args=list(arguments), prog_name=name, standalone_mode=False, obj=screen)
    except complaints.UsageError as error:
        raise complaint(command, error) from None
    if code == EXIT_INTERRUPTED:  # typer makes this of a KeyboardInterrupt
        return interrupted(screen)
    return code if isinstance(code, int) else 0


def complaint(command: Teaching, error: Any) -> UserError:
    """What typer complains about, in our words and both languages."""
    name = command.declared.name
    if isinstance(error, complaints.MissingParameter):
        return UserError(
            "{command} lacks its argument {argument}",
            fix="for example `{example}`; `langwright {command} --help` tells more",
            command=name,
            argument=error.param.metavar or error.param.name.upper() if error.param else "?",
            example=command.declared.examples[0],
        )
    if isinstance(error, complaints.NoSuchOption):
        options = [option for param in command.params for option in param.opts if option.startswith("--")]
        return unknown("option", error.option_name, [*options, "--lang", "--json", "--help"])
    if isinstance(error, complaints.BadOptionUsage):
        return UserError(
            "{option} needs a value",
            fix="see what it takes with `langwright {command} --help`",
            option=error.option_name,
            command=name,
        )
    return UserError(
        "the command line cannot be read: {reason}",
        fix="see what it takes with `langwright {command} --help`",
        reason=error.format_message(),
        command=name,
    )


if __name__ == "__main__":
    sys.exit(main())
