"""`langwright templates list|show|add`, and prompts from templates."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from langwright.cli.sampling import read_input
from langwright.cli.screen import screen_of
from langwright.cli.teaching import Command
from langwright.errors import UserError, unknown
from langwright.wording import LANGUAGES, Language, current_language, say

if TYPE_CHECKING:
    from langwright.data.schemas import Message
    from langwright.tasks.solving.prompting import Template

TemplateName = Annotated[
    str | None,
    typer.Option("--template", metavar="NAME", help="Make the prompt from a template; NAME@2 is its second version"),
]
TemplateFields = Annotated[
    list[str] | None,
    typer.Option("--field", metavar="NAME=TEXT", help="Fill a field of the template; NAME=@FILE reads a file; may be given again"),
]  # fmt: skip
TemplateLanguage = Annotated[
    str | None,
    typer.Option("--template-language", metavar="zh|en", help="Language of the template's text; that of the messages when left out"),
]  # fmt: skip
TEMPLATE = Annotated[str, typer.Argument(metavar="NAME", help="A template; NAME@2 is its second version")]


def read_prompt(
    prompt: str | None, template: str | None, fields: Sequence[str], language: str | None
) -> str | list[Message]:
    """What to hand to a model: a text, or what a template makes of its fields.

    raises  UserError when there is neither or both, and for fields without a template
    """
    if (prompt is None) == (template is None):
        raise UserError(
            "a prompt and a template exclude each other, and one is needed",
            fix="give a PROMPT, or --template NAME with --field NAME=TEXT for each of its fields",
        )
    if template is None:
        if fields:
            raise UserError("--field fills a template, and there is none", fix="name one with --template NAME")
        return read_input(prompt or "")
    from langwright.tasks.solving.prompting import Templates

    return Templates().get(template).fill(language_named(language), read_fields(fields))


def read_fields(given: Sequence[str]) -> dict[str, str]:
    """Field -> text; UserError where there is no '='."""
    found = {}
    for item in given:
        name, equals, text = item.partition("=")
        if not equals:
            raise UserError("--field {item} has no '='", fix="write it as --field NAME=TEXT", item=item)
        found[name.strip()] = read_input(text) if text.startswith("@") else text
    return found


def language_named(language: str | None) -> Language:
    """The language asked for, or the one in force; UserError for one we do not speak."""
    if language is not None and language not in LANGUAGES:
        raise unknown("language", language, LANGUAGES)
    return next((one for one in LANGUAGES if one == language), current_language())


# --- commands ------------------------------------------------------------------------------------


def templates_list(ctx: typer.Context) -> None:
    """One line a template."""
    screen = screen_of(ctx)
    from langwright.tasks.solving.prompting import Templates

    every = list(Templates().all().values())
    heads = [say(word) for word in ("template", "where from", "fields", "what for")]
    rows = [
        [f"{one.name}@{one.version}", say(one.source), ", ".join(one.written.fields), one.written.about.in_(current_language())]
        for one in every
    ]  # fmt: skip
    screen.table([heads, *rows])
    first = shlex.join(["langwright", "templates", "show", every[0].name])
    screen.answer({"templates": [as_table(one) for one in every], "next": first}, next=first)


def templates_show(ctx: typer.Context, name: TEMPLATE) -> None:
    """Its fields and its text in both languages."""
    screen = screen_of(ctx)
    from langwright.tasks.solving.prompting import Templates

    found = Templates().get(name)
    written = found.written
    screen.line(f"{found.name}@{found.version}  {written.about.in_(current_language())}")
    for field, declared in written.fields.items():
        default = declared.default.in_(current_language()) if declared.default else None
        said = declared.about.in_(current_language())
        screen.line(f"  {field}: {said}" + (f" ({default})" if default is not None else ""))
    for language in LANGUAGES:
        for part in (written.system, written.text):
            if part is not None:
                screen.line()
                screen.line(part.in_(language))
    fields = [word for field in written.fields for word in ("--field", f"{field}=…")]
    after = shlex.join(["langwright", "generate", "MODEL", "--template", found.name, *fields])
    screen.answer(as_table(found) | {"next": after}, next=after)


def templates_add(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="A template file, called NAME.VERSION.toml")],
) -> None:
    """Check a template and put it into the workspace."""
    screen = screen_of(ctx)
    from langwright.tasks.solving.prompting import Templates

    added = Templates().add(Path(file))
    after = shlex.join(["langwright", "templates", "show", added.name])
    screen.line(say("added {name}, version {version}", name=added.name, version=added.version))
    screen.answer(as_table(added) | {"next": after}, next=after)


def as_table(template: Template) -> dict[str, object]:
    """A template as one object."""
    return {"name": template.name, "source": template.source, **template.written.model_dump(mode="json")}


TEMPLATES = (
    Command(
        name="templates list",
        section="Use a model",
        summary="List the prompt templates that there are",
        examples=("langwright templates list",),
        run=templates_list,
    ),
    Command(
        name="templates show",
        section="Use a model",
        summary="Show a prompt template: its fields, and its text in both languages",
        examples=("langwright templates show summary", "langwright templates show summary@1"),
        run=templates_show,
    ),
    Command(
        name="templates add",
        section="Use a model",
        summary="Add a prompt template, or a new version of one, to this workspace",
        examples=("langwright templates add letter.1.toml",),
        run=templates_add,
    ),
)
