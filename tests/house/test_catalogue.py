"""Everything said to a person has its Chinese twin, with the same fields, and no twin is left over.

Templates are found in the source (scripts/said.py), where each must stand as a literal.
"""

from __future__ import annotations

import ast
import string
import tomllib
from collections.abc import Iterator

import pytest
from scripts.said import Said, said
from tests.house.source import SRC, Module, package, parse

OWN = ("langwright.errors", "langwright.wording")  # they hand templates on


def templates(module: Module) -> Iterator[Said]:
    """What a module says."""
    return (one for one in said(module.tree) if one.text is not None or module.name not in OWN)


def catalogue() -> Iterator[tuple[str, str, str]]:
    """(file, English, Chinese) of every twin."""
    for file in sorted((SRC / "chinese").glob("*.toml")):
        for english, chinese in tomllib.loads(file.read_text(encoding="utf-8")).items():
            yield file.name, english, chinese


def twins() -> dict[str, tuple[str, str]]:
    """English -> (Chinese, file)."""
    return {english: (chinese, file) for file, english, chinese in catalogue()}


def fields(template: str) -> set[str]:
    """Names in braces."""
    return {name.partition(".")[0].partition("[")[0] for _, name, _, _ in string.Formatter().parse(template) if name}


def test_templates_are_literals() -> None:
    hidden = [
        f"{module.at(one.node)} {one.by} is given something else than a literal"
        for module in package()
        for one in templates(module)
        if one.text is None
    ]
    assert not hidden, "\n".join(hidden)


def test_everything_said_has_its_twin() -> None:
    known = twins()
    missing = {
        f"{module.at(one.node)}: {one.text!r}"
        for module in package()
        for one in templates(module)
        if one.text is not None and one.text not in known and not untranslatable(one.text)
    }
    assert not missing, "\n".join(sorted(missing))


def untranslatable(text: str) -> bool:
    """Whether a template holds nothing but fields and signs."""
    return not any(char.isalpha() for piece, *_ in string.Formatter().parse(text) for char in piece)


def test_help_of_every_command_has_its_twin() -> None:
    """What reaches help texts by way of tables is looked at where it arrives."""
    from langwright.cli.commands import COMMANDS, SECTIONS
    from langwright.cli.teaching import EVERYWHERE

    said = {*SECTIONS, *(help for _, help in EVERYWHERE)}
    for command in COMMANDS.values():
        said |= {command.summary, command.details, *(help for _, help in command.arguments)}
        said |= {getattr(parameter, "help", None) or "" for parameter in command.build().params}
    missing = sorted(text for text in said if text and text not in twins())
    assert not missing, "\n".join(missing)


def test_settings_of_every_stage_have_their_twins() -> None:
    from langwright.settings import entries
    from langwright.stages import STAGES

    help = {(stage.name, entry.key, entry.help) for stage in STAGES.values() for entry in entries(stage.settings)}
    missing = sorted(f"{stage} {key}: {text!r}" for stage, key, text in help if text not in twins())
    assert not missing, "\n".join(missing)


def test_twins_in_several_files_agree() -> None:
    said: dict[str, tuple[str, str]] = {}
    wrong = []
    for file, english, chinese in catalogue():
        first, where = said.setdefault(english, (chinese, file))
        if first != chinese:
            wrong.append(f"{english!r}: {first!r} in {where}, {chinese!r} in {file}")
    assert not wrong, "\n".join(wrong)


def test_twins_have_the_same_fields() -> None:
    wrong = [
        f"{file}: {english!r} has {sorted(fields(english))}, its twin {sorted(fields(chinese))}"
        for english, (chinese, file) in twins().items()
        if fields(english) != fields(chinese)
    ]
    assert not wrong, "\n".join(wrong)


def test_no_twin_is_left_over() -> None:
    written = {
        node.value
        for module in package()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    unused = [f"{file}: {english!r}" for english, (_, file) in twins().items() if english not in written]
    assert not unused, "\n".join(unused)


@pytest.mark.parametrize(
    "code",
    [
        "raise UserError('a new problem', fix='a new fix')",
        "raise UserError('a {x} problem' if x else 'other', fix='a new fix')",
        "log.write(Warned(message='a new warning'))",
        "x: Annotated[int, Field(description='a new setting')]",
        "NOTE = 'a new note'\nsay(NOTE)",
        "TABLE = {1: 'a new entry'}\nsay(TABLE[x])",
        "typer.Option('--x', help='a new option')",
        "Choice(message='a new reason')",
    ],
)
def test_each_way_to_say_something_is_seen(code: str) -> None:
    found = [one.text for one in templates(parse(SRC / "data" / "x.py", code))]
    assert any(text and text not in twins() for text in found)


def test_a_table_of_another_module_is_seen() -> None:
    code = "from langwright.settings import TYPES\nsay(TYPES[x])"
    assert "a whole number" in [one.text for one in templates(parse(SRC / "data" / "x.py", code))]


@pytest.mark.parametrize("code", ["raise UserError(f'{x} is wrong', fix='y')", "Warned(message=text())"])
def test_hidden_templates_are_seen(code: str) -> None:
    assert None in [one.text for one in templates(parse(SRC / "data" / "x.py", code))]
