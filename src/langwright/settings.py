"""Settings: frozen pydantic models, read strictly from TOML and `--set`, printed as commented recipes.

Choices with their own settings are unions tagged by `kind`. Nothing unknown is accepted: a name that
does not exist is refused with the nearest one that does.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticUndefined

from langwright.errors import UserError, unknown
from langwright.wording import Language, say

Table = dict[str, JsonValue]


class Settings(BaseModel):
    """Base of every settings model. Help for a field is `Annotated[int, Field(description="…")]`."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", allow_inf_nan=False)


S = TypeVar("S", bound=BaseModel)


# --- reading -----------------------------------------------------------------------------------


def read_settings(
    model: type[S],
    *,
    recipe: str | None = None,
    sets: Sequence[str] = (),
    given: Mapping[str, JsonValue | None] | None = None,
) -> S:
    """Settings from a TOML recipe, then the command's own options, then `--set key=value`; later ones win.

    recipe  TOML text
    sets    strings such as "schedule.warmup=100"; a value that is not TOML is taken as a string
    given   dotted key -> value from options; None means the option was not used
    raises  UserError for bad TOML, an unknown setting, or a value that is not allowed
    """
    table = parse_toml(recipe) if recipe else {}
    for key, value in (given or {}).items():
        if value is not None:
            place(table, key, value)
    for item in sets:
        key, equals, text = item.partition("=")
        if not equals:
            raise UserError(
                "--set {item} has no '='", fix="write it as --set KEY=VALUE, for example --set seed=7", item=item
            )
        place(table, key.strip(), parse_value(text.strip()))
    return validate(model, table)


def validate(model: type[S], table: Mapping[str, JsonValue]) -> S:
    """The settings model of a table, or a UserError naming the first thing that is wrong."""
    complete = with_default_kinds(model, dict(table))
    try:
        return model.model_validate_json(json.dumps(complete))
    except ValidationError as error:
        raise explain(model, error.errors()[0]) from None


def parse_toml(text: str) -> Table:
    """A TOML document as a table; UserError with the position when it cannot be read."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise UserError(
            "the recipe is not valid TOML: {error}",
            fix="correct it there, or start from `langwright recipe STAGE`",
            error=error,
        ) from None


def parse_value(text: str) -> JsonValue:
    """One TOML value; anything that is not TOML is a plain string, so that `--set preset=tiny` works."""
    try:
        value: JsonValue = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return value


def place(table: Table, key: str, value: JsonValue) -> None:
    """Put a value at a dotted key, making the tables on the way."""
    *parents, last = key.split(".")
    for parent in parents:
        inner = table.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise UserError(
                "setting {key!r} goes through {parent!r}, which is a plain value",
                fix="set {parent} itself, or remove it",
                key=key,
                parent=parent,
            )
        table = inner
    table[last] = value


def with_default_kinds(model: type[BaseModel], table: Table) -> Table:
    """Give a table of a tagged choice the default's kind where it names none."""
    for name, field in model.model_fields.items():
        inner = table.get(name)
        if not isinstance(inner, dict):
            continue
        if field.discriminator and "kind" not in inner and isinstance(field.default, BaseModel):
            table[name] = inner = {"kind": field.default.kind, **inner}  # type: ignore[attr-defined]
        for choice in models_in(field.annotation):
            kind = choice.model_fields.get("kind")
            if kind is None or kind.default == inner.get("kind"):
                table[name] = with_default_kinds(choice, inner)
    return table


def explain(model: type[BaseModel], error: ErrorDetails) -> UserError:
    """pydantic's first complaint as ours: the key as typed, the value, and what would be allowed."""
    path = [str(part) for part in error["loc"]]
    key = ".".join(part for part in path if part not in kinds_of(model))
    if error["type"] == "extra_forbidden":
        return unknown("setting", key, [entry.key for entry in entries(model)])
    if error["type"] == "missing":
        return UserError("setting {key!r} is missing", fix="add it with --set {key}=VALUE or in the recipe", key=key)
    if error["type"] == "value_error":
        inner = error.get("ctx", {}).get("error")
        if isinstance(inner, UserError):
            return inner
    for entry in entries(model):
        if entry.key == key:
            return UserError(
                "setting {key} = {value!r} is not allowed",
                fix="give {allowed}",
                key=key,
                value=error["input"],
                allowed=entry.allowed(),
            )
    return UserError(
        "setting {key} = {value!r} is not allowed", fix="{reason}", key=key, value=error["input"], reason=error["msg"]
    )


# --- looking -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """One setting as it is shown in recipes, forms and the reference."""

    key: str  # dotted
    field: FieldInfo
    default: object  # PydanticUndefined when it must be given
    choice: str | None = None  # the kind this setting belongs to, inside a tagged choice

    @property
    def help(self) -> str:
        """English help text, the key of its Chinese twin."""
        return self.field.description or ""

    def allowed(self, lang: Language | None = None) -> str:
        """What a value may be, in words."""
        return describe(self.field, lang)


def entries(model: type[BaseModel], prefix: str = "", choice: str | None = None) -> Iterator[Entry]:
    """Every setting of a model, nested ones by dotted key, in the order they are declared."""
    for name, field in model.model_fields.items():
        key = prefix + name
        inner = list(models_in(field.annotation))
        default = field.get_default(call_default_factory=True)
        if not inner:
            yield Entry(key, field, default, choice)
            continue
        if field.discriminator:
            kind = getattr(default, "kind", PydanticUndefined)
            yield Entry(key + ".kind", field, kind, choice)
        for member in inner:
            tag = member.model_fields["kind"].default if field.discriminator else None
            for entry in entries(member, key + ".", tag or choice):
                if not (field.discriminator and entry.key == key + ".kind"):
                    yield entry


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """The settings models that an annotation names, through Annotated and unions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, UnionType):
        for part in get_args(annotation):
            yield from models_in(part)
    elif get_origin(annotation) is Annotated:
        yield from models_in(get_args(annotation)[0])


def kinds_of(model: type[BaseModel]) -> set[str]:
    """Every tag of every choice inside a model."""
    found: set[str] = set()
    for field in model.model_fields.values():
        for inner in models_in(field.annotation):
            if field.discriminator:
                found.add(str(inner.model_fields["kind"].default))
            found |= kinds_of(inner)
    return found


BOUNDS = {"gt": "more than {bound}", "ge": "at least {bound}", "lt": "less than {bound}", "le": "at most {bound}"}
TYPES: dict[object, str] = {
    int: "a whole number", float: "a number", str: "a text in quotes", bool: "true or false", NoneType: "nothing (leave it out)",
}  # fmt: skip


def describe(field: FieldInfo, lang: Language | None = None) -> str:
    """In words, what a field accepts: 'a whole number, at least 1'."""
    if field.discriminator:
        kinds = [str(member.model_fields["kind"].default) for member in models_in(field.annotation)]
        return say("one of: {choices}", lang=lang, choices=", ".join(kinds))
    words = [describe_type(field.annotation, lang)]
    for constraint in field.metadata:
        for name, template in BOUNDS.items():
            bound = getattr(constraint, name, None)
            if bound is not None:
                words.append(say(template, lang=lang, bound=bound))
    return ", ".join(words)


def describe_type(annotation: object, lang: Language | None) -> str:
    """The type of a setting in words."""
    if annotation in TYPES:
        return say(TYPES[annotation], lang=lang)
    origin = get_origin(annotation)
    if origin is Literal:
        return say("one of: {choices}", lang=lang, choices=", ".join(str(choice) for choice in get_args(annotation)))
    if origin in (Union, UnionType):
        return say(" or ", lang=lang).join(describe_type(part, lang) for part in get_args(annotation))
    if origin is tuple:
        return say("a list, each: {item}", lang=lang, item=describe_type(get_args(annotation)[0], lang))
    if origin is dict:
        return say("a table, each: {item}", lang=lang, item=describe_type(get_args(annotation)[1], lang))
    return str(annotation)


# --- writing -----------------------------------------------------------------------------------


def toml_value(value: object) -> str:
    """One value as TOML."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    if isinstance(value, Mapping):
        return (
            "{"
            + ", ".join(f"{json.dumps(str(k), ensure_ascii=False)} = {toml_value(v)}" for k, v in value.items())
            + "}"
        )
    return json.dumps(str(value), ensure_ascii=False)


def to_toml(settings: BaseModel) -> str:
    """The settings as TOML, complete; what is unset is left out."""
    lines = (
        f"{key} = {toml_value(value)}"
        for key, value in flat(settings.model_dump(mode="json")).items()
        if value is not None
    )
    return "\n".join(lines) + "\n"


def recipe(model: type[BaseModel], lang: Language | None = None) -> str:
    """Every setting with its default, its help and what it accepts, ready to edit and to pass to `--recipe`."""
    chosen = {entry.default for entry in entries(model) if entry.key.endswith(".kind")}
    lines = []
    for entry in entries(model):
        lines.append(f"# {say(entry.help, lang=lang)} ({entry.allowed(lang)})")
        off = entry.default in (None, PydanticUndefined) or (entry.choice is not None and entry.choice not in chosen)
        value = "" if entry.default in (None, PydanticUndefined) else toml_value(plain(entry.default))
        lines += [f"{'# ' if off else ''}{entry.key} = {value}".rstrip(), ""]
    return "\n".join(lines)


def plain(value: object) -> object:
    """Nested models as tables."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return value


def flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, object]:
    """A nested table with dotted keys."""
    found: dict[str, object] = {}
    for key, value in table.items():
        if isinstance(value, dict) and value:
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


@dataclass(frozen=True)
class Change:
    """One setting that differs between two sets."""

    key: str
    before: object
    after: object

    def __str__(self) -> str:
        return f"{self.key}: {self.before!r} -> {self.after!r}"


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """Where two tables of settings differ, by dotted key."""
    old, new = flat(before), flat(after)
    keys: Iterable[str] = dict.fromkeys([*old, *new])
    return [Change(key, old.get(key), new.get(key)) for key in keys if old.get(key) != new.get(key)]
