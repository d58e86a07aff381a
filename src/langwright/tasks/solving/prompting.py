"""Prompt templates: named, versioned, in Chinese and English, with fields that are checked.

A template is one TOML file, `NAME.VERSION.toml`. Those that come with the package lie in `tasks/templates`, a person's
own in the workspace's `templates/`, and these win. A version never changes: what a template says otherwise is a new
version, and an old one can still be asked for as `NAME@VERSION`, so that what was measured with it can be repeated.

    version = 1
    about = { en = "Sum up a text", zh = "概括一段文本" }
    text = { en = "Sum up in {sentences} sentences:\n{text}", zh = "用{sentences}句话概括：\n{text}" }

    [fields.text]
    about = { en = "The text", zh = "原文" }

    [fields.sentences]
    about = { en = "How many sentences", zh = "句数" }
    default = { en = "three", zh = "三" }
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Formatter
from typing import Annotated

from pydantic import Field

from langwright.data.schemas import Message
from langwright.errors import UserError, unknown
from langwright.files import write_whole
from langwright.settings import Settings, parse_toml, validate
from langwright.wording import Language
from langwright.workspace import Workspace

FILE = re.compile(r"(?P<name>[a-z0-9][a-z0-9-]*)\.(?P<version>[1-9][0-9]*)\.toml")
FOLDER = "templates"
OURS, YOURS = "ours", "yours"


class InBoth(Settings):
    """The same in both languages."""

    en: str
    zh: str

    def in_(self, language: Language) -> str:
        """In one of them."""
        return self.zh if language == "zh" else self.en


class TemplateField(Settings):
    """What a template is filled with."""

    about: Annotated[InBoth, Field(description="What to give")]
    default: Annotated[InBoth | None, Field(description="What stands there when nothing is given")] = None


class Written(Settings):
    """A template file."""

    version: Annotated[int, Field(ge=1, description="Counts up when what it says changes")]
    about: Annotated[InBoth, Field(description="What it is for")]
    text: Annotated[InBoth, Field(description="What the model is given, with fields in braces")]
    system: Annotated[
        InBoth | None, Field(description="What a model that converses is told beforehand; makes it a conversation")
    ] = None
    chat: Annotated[bool, Field(description="Whether the text is a turn of a conversation")] = False
    fields: Annotated[Mapping[str, TemplateField], Field(default_factory=dict, description="Its fields by name")]


@dataclass(frozen=True)
class Template:
    """A template with its name and where it comes from."""

    name: str
    written: Written
    source: str  # OURS or YOURS

    @property
    def version(self) -> int:
        """Its number."""
        return self.written.version

    def fill(self, language: Language, fields: Mapping[str, str]) -> str | list[Message]:
        """The prompt: a plain text, or the turns of a conversation.

        raises  UserError for a field that it does not have, or one that is missing
        """
        known = self.written.fields
        for name in fields:
            if name not in known:
                raise unknown("field", name, known)
        defaults = {name: field.default.in_(language) for name, field in known.items() if field.default is not None}
        values = {**defaults, **fields}
        missing = [name for name in known if name not in values]
        if missing:
            raise UserError(
                "template {name} lacks its field {field}: {about}",
                fix="give it with --field {field}=TEXT, or as an argument of that name",
                name=self.name, field=missing[0], about=known[missing[0]].about.in_(language),
            )  # fmt: skip
        text = self.written.text.in_(language).format_map(values)
        if self.written.system is None and not self.written.chat:
            return text
        turns = [Message(role="user", content=text)]
        if self.written.system is not None:
            turns.insert(0, Message(role="system", content=self.written.system.in_(language).format_map(values)))
        return turns


class Templates:
    """All templates that can be asked for: ours and those of a workspace."""

    def __init__(self, workspace: Workspace | None = None) -> None:
        self.folder = (workspace or Workspace()).folder / FOLDER

    def all(self) -> dict[tuple[str, int], Template]:
        """By name and version; UserError for a file that is no template."""
        found: dict[tuple[str, int], Template] = {}
        for source, files in ((OURS, shipped()), (YOURS, texts_in(self.folder))):
            for file, text in files:
                template = read_template(file, text, source)
                found[template.name, template.version] = template
        return dict(sorted(found.items()))

    def get(self, asked: str) -> Template:
        """`NAME`, its newest version, or `NAME@VERSION`.

        raises  UserError when there is none
        """
        name, at, version = asked.partition("@")
        every = self.all()
        of_name = {number: template for (known, number), template in every.items() if known == name}
        if not of_name:
            raise unknown("template", name, {known for known, _ in every})
        if not at:
            return of_name[max(of_name)]
        if not version.isdecimal() or int(version) not in of_name:
            raise unknown("version", version, [str(number) for number in of_name])
        return of_name[int(version)]

    def add(self, file: Path) -> Template:
        """Put a template file into the workspace; UserError when it is none, or its version is there already."""
        try:
            text = file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(
                "{path} cannot be read: {reason}",
                fix="check the path; a template is UTF-8 text",
                path=file,
                reason=error,
            ) from None
        template = read_template(file.name, text, YOURS)
        place = self.folder / f"{template.name}.{template.version}.toml"
        if (template.name, template.version) in self.all():
            raise UserError(
                "template {name} has a version {version} already",
                fix="raise version, and name the file {name}.{next}.toml",
                name=template.name, version=template.version, next=template.version + 1,
            )  # fmt: skip
        place.parent.mkdir(parents=True, exist_ok=True)
        write_whole(place, text.encode())
        return template


def read_template(file: str, text: str, source: str) -> Template:
    """A template from its file's name and text.

    raises  UserError for a name or content that does not fit, and for fields that are not those declared
    """
    named = FILE.fullmatch(file)
    if named is None:
        raise UserError(
            "{file} is no name of a template", fix="name it NAME.VERSION.toml, such as summary.1.toml, in small letters",
            file=file,
        )  # fmt: skip
    written = validate(Written, parse_toml(text))
    if int(named["version"]) != written.version:
        raise UserError(
            "{file} says version = {version}",
            fix="make the name and the version agree",
            file=file,
            version=written.version,
        )
    for part in (written.text, *([written.system] if written.system else [])):
        for language, said in (("en", part.en), ("zh", part.zh)):
            check_fields(file, language, said, written.fields)
    unused = [name for name in written.fields if all(name not in fields_of(said) for said in texts_of(written))]
    if unused:
        raise UserError(
            "field {field} of {file} stands in no text", fix="use it or leave it out", field=unused[0], file=file
        )
    return Template(named["name"], written, source)


def texts_of(written: Written) -> list[str]:
    """Everything that fields may stand in."""
    parts = [written.text, *([written.system] if written.system else [])]
    return [said for part in parts for said in (part.en, part.zh)]


def check_fields(file: str, language: str, text: str, fields: Mapping[str, TemplateField]) -> None:
    """UserError for a field in a text that is not declared, or braces that are no field."""
    try:
        names = fields_of(text)
    except ValueError:
        names = {""}
    wrong = next((name for name in sorted(names) if name not in fields), None)
    if wrong is not None:
        raise UserError(
            "{file} has {{{field}}} in its {language} text, and no such field",
            fix="declare it below [fields], or write {{{{ and }}}} for braces that are text",
            file=file, field=wrong, language=language,
        )  # fmt: skip


def fields_of(text: str) -> set[str]:
    """Names in braces; ValueError for braces that do not fit together, or hold more than a name.

    >>> sorted(fields_of("{b} {a} {{c}}"))
    ['a', 'b']
    """
    found = set()
    for _, name, form, conversion in Formatter().parse(text):
        if name is not None and (not name.isidentifier() or form or conversion):
            raise ValueError(name)
        if name is not None:
            found.add(name)
    return found


def shipped() -> Iterator[tuple[str, str]]:
    """(file name, text) of the templates that come with the package."""
    for file in sorted(resources.files("langwright.tasks").joinpath(FOLDER).iterdir(), key=lambda file: file.name):
        if file.name.endswith(".toml"):
            yield file.name, file.read_text(encoding="utf-8")


def texts_in(folder: Path) -> Iterator[tuple[str, str]]:
    """(file name, text) of the templates of a folder."""
    for file in sorted(folder.glob("*.toml")) if folder.is_dir() else ():
        yield file.name, file.read_text(encoding="utf-8")
