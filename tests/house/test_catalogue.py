"""Everything said to a person has its Chinese twin, with the same fields, and no twin is left over.

Templates are found in the source: what is given to UserError, `say`, events, field descriptions, stages,
inputs, tasks, commands and options. A template must stand there as a literal, so that it can be found.
"""

from __future__ import annotations

import ast
import string
import tomllib
from collections.abc import Iterator

import pytest

from tests.house.source import SRC, Module, argument, called, package, parse

# called name -> (keyword, position) of each template among its arguments
TEMPLATES: dict[str, tuple[tuple[str, int | None], ...]] = {
    "UserError": (("problem", 0), ("fix", None)),
    "Chosen": (("message", None),),
    "Warned": (("message", None),),
    "Progressed": (("what", None),),
    "say": (("template", 0),),
    "Term": (("", 0),),
    "unknown": (("kind", 0),),
    "Field": (("description", None),),
    "Input": (("role", 0), ("help", 2)),
    "Stage": (("summary", None),),
    "Task": (("summary", None),),
    "Command": (("summary", None), ("section", None), ("details", None)),
    "Option": (("help", None),),
    "Argument": (("help", None),),
}
MUST_BE_LITERAL = {"UserError", "Chosen", "Warned", "Progressed", "Field", "Stage", "Task"}


def literals(module: Module, node: ast.expr) -> list[str] | None:
    """The texts that an expression may be; None where that cannot be read off the source."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.IfExp):
        both = [literals(module, node.body), literals(module, node.orelse)]
        return None if None in both else [text for texts in both for text in texts or []]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = literals(module, node.left), literals(module, node.right)
        return None if left is None or right is None else [a + b for a in left for b in right]
    if isinstance(node, ast.Name):
        found: list[str] = []
        for other in ast.walk(module.tree):
            targets = other.targets if isinstance(other, ast.Assign) else []
            if any(isinstance(target, ast.Name) and target.id == node.id for target in targets):
                assert isinstance(other, ast.Assign)
                texts = literals(module, other.value) if not isinstance(other.value, ast.Name) else None
                found += texts or []
        return found or None
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        return table_texts(module, node.value.id)
    return None


def table_texts(module: Module, name: str) -> list[str] | None:
    """The texts among the values of a table at the top of the module."""
    for node in module.tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target if isinstance(node, ast.AnnAssign) else None
        value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
        if isinstance(target, ast.Name) and target.id == name and isinstance(value, ast.Dict):
            return [text for item in value.values for text in literals(module, item) or []]
    return None


def templates(module: Module) -> Iterator[tuple[ast.AST, str, str | None]]:
    """(place, who says it, template) of everything said in a module; None for what is no literal and must be."""
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call) or called(node) not in TEMPLATES:
            continue
        name = called(node)
        for keyword, position in TEMPLATES[name]:
            given = argument(node, keyword, position)
            if given is None:
                continue
            texts = literals(module, given)
            if texts is None:
                if name in MUST_BE_LITERAL and module.name not in ("langwright.errors", "langwright.wording"):
                    yield node, name, None
                continue
            yield from ((node, name, text) for text in texts if text.strip())


def twins() -> dict[str, tuple[str, str]]:
    """English -> (Chinese, file)."""
    found: dict[str, tuple[str, str]] = {}
    for file in sorted((SRC / "chinese").glob("*.toml")):
        for english, chinese in tomllib.loads(file.read_text(encoding="utf-8")).items():
            assert found.get(english, (chinese,))[0] == chinese, f"{file.name} says {english!r} otherwise than another"
            found[english] = (chinese, file.name)
    return found


def fields(template: str) -> set[str]:
    """Names in braces."""
    return {name.partition(".")[0].partition("[")[0] for _, name, _, _ in string.Formatter().parse(template) if name}


def test_templates_are_literals() -> None:
    hidden = [
        f"{module.at(node)} {name} is given something else than a literal"
        for module in package()
        for node, name, text in templates(module)
        if text is None
    ]
    assert not hidden, "\n".join(hidden)


def test_everything_said_has_its_twin() -> None:
    known = twins()
    missing = {
        f"{module.at(node)}: {text!r}"
        for module in package()
        for node, _, text in templates(module)
        if text is not None and text not in known and not untranslatable(text)
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
    ],
)
def test_each_way_to_say_something_is_seen(code: str) -> None:
    found = [text for _, _, text in templates(parse(SRC / "data" / "x.py", code))]
    assert any(text and text not in twins() for text in found)


@pytest.mark.parametrize("code", ["raise UserError(f'{x} is wrong', fix='y')", "Warned(message=text())"])
def test_hidden_templates_are_seen(code: str) -> None:
    assert None in [text for _, _, text in templates(parse(SRC / "data" / "x.py", code))]
