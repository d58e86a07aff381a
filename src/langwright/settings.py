"""Settings: frozen pydantic models, read strictly from TOML and `--set`, printed as commented recipes.

Choices with their own settings are unions tagged by `kind`. Nothing unknown is accepted: a name that
does not exist is refused with the nearest one that does.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, PydanticUndefined

from langwright.errors import UserError, unknown
from langwright.wording import Language, Phrase, say

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
    complete = with_default_kinds(model, table)
    try:
        return model.model_validate_json(json.dumps(complete, default=str))  # TOML's dates and times are texts here
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


def with_default_kinds(model: type[BaseModel], given: Mapping[str, JsonValue]) -> Table:
    """A table whose choices all name their kind: the default's, where none is given."""
    table = dict(given)
    for name, field in model.model_fields.items():
        inner = table.get(name)
        if field.discriminator and isinstance(inner, str):
            table[name] = inner = {"kind": inner}  # the name of a choice stands for the choice
        if not isinstance(inner, dict):
            continue
        if field.discriminator and "kind" not in inner and isinstance(field.default, BaseModel):
            inner = {"kind": kind_of(type(field.default)), **inner}
        table[name] = inner
        for choice in models_in(field.annotation):
            if not field.discriminator or kind_of(choice) == inner.get("kind"):
                table[name] = with_default_kinds(choice, inner)
    return table


def explain(model: type[BaseModel], error: ErrorDetails) -> UserError:
    """pydantic's first complaint as ours: the key as typed, the value, and what would be allowed."""
    if error["type"] == "json_invalid":  # what stands for undecodable bytes of a command line is no JSON
        return UserError("a setting holds text that is not valid UTF-8", fix="write it in UTF-8")
    key, chosen = typed(model, error["loc"])
    known = list(entries(model))
    if error["type"] == "extra_forbidden":
        return misplaced(key, chosen, known) or unknown("setting", key, candidates(known, error["input"]))
    if error["type"] in ("missing", "union_tag_not_found"):
        key = key if error["type"] == "missing" else f"{key}.kind"
        fix = "give it in that item of the list" if "[" in key else "add it with --set {key}=VALUE or in the recipe"
        return UserError("setting {key!r} is missing", fix=fix, key=key)
    value = error["input"]
    if error["type"] == "union_tag_invalid":
        key, value = f"{key}.kind", value["kind"]
    kinds = {(any_item(group), kind) for group, kind in chosen}
    if about := [entry for entry in known if within(key, entry.key) and set(entry.choices) <= kinds]:
        nearest = max(about, key=lambda entry: len(entry.key))
        return UserError(
            "setting {key} = {value!r} is not allowed",
            fix="give {allowed}",
            key=key,
            value=value,
            allowed=Phrase(nearest.allowed),
        )
    return UserError(
        "setting {key} = {value!r} is not allowed",
        fix="it is a group; set what is in it: {choices}",
        key=key,
        value=value,
        choices=", ".join(dict.fromkeys(entry.key for entry in known if entry.key.startswith(key + "."))),
    )


def any_item(key: str) -> str:
    """A key with `[]` for the numbers of the items on its way."""
    return re.sub(r"\[\d+\]", "[]", key)


def within(key: str, group: str) -> bool:
    """Whether a key as typed is this one or lies in it; `[]` in the second stands for any item of a list."""
    key = any_item(key)
    return key == group or key.startswith((group + ".", group + "[]"))


def misplaced(key: str, chosen: Sequence[tuple[str, str]], known: Sequence[Entry]) -> UserError | None:
    """The refusal of a setting that another kind of the choice around it has; None where no kind has it."""
    group = key.rpartition(".")[0]
    place = any_item(key)
    alike = [dict(entry.choices) for entry in known if within(entry.key, place)]
    own = place.rpartition(".")[0]
    kinds = dict.fromkeys(choices[own] for choices in alike if own in choices)
    if not kinds:
        return None
    return UserError(
        "there is no {key} where {group}.kind is {kind}",
        fix="leave it out, or set {group}.kind to one of: {kinds}",
        key=key, group=group, kind=dict(chosen)[group], kinds=", ".join(kinds),
    )  # fmt: skip


def candidates(known: Sequence[Entry], given: object) -> list[str]:
    """What a name that does not exist may have been meant for: a group where a table was given, else any setting."""
    groups = [entry.key.rpartition(".")[0] for entry in known if "." in entry.key]
    groups += [entry.key for entry in known if get_origin(entry.field.annotation) is dict]
    return groups if groups and isinstance(given, dict) else [entry.key for entry in known]


def typed(model: type[BaseModel], place: Sequence[int | str]) -> tuple[str, list[tuple[str, str]]]:
    """The dotted key that a person would type for pydantic's place of an error, and (key, kind) of the choices around it.

    pydantic names the chosen kind after a choice, and the branch of a union after any other setting.
    """
    parts: list[str] = []
    chosen: list[tuple[str, str]] = []
    members, rest = [model], list(place)
    while rest:
        parts.append(str(rest.pop(0)))
        field = next((m.model_fields[parts[-1]] for m in members if parts[-1] in m.model_fields), None)
        if field is None:
            break
        members = list(models_in(field.annotation))
        if field.discriminator and rest:
            chosen.append((".".join(parts), str(rest.pop(0))))
            members = [member for member in members if kind_of(member) == chosen[-1][1]]
        elif items := list(items_in(field.annotation)):
            parts[-1] += "".join(f"[{part}]" for part in rest[:1])  # which item
            rest = rest[1:]
            members = items
            if rest and tagged(items):
                chosen.append((".".join(parts), str(rest.pop(0))))
                members = [item for item in items if kind_of(item) == chosen[-1][1]]
        elif not members and get_origin(field.annotation) in (tuple, dict):
            parts += [str(part) for part in rest[:1]]  # which item
        if not members:
            break
    return ".".join(parts), chosen


# --- looking -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """One setting as it is shown in recipes, forms and the reference."""

    key: str  # dotted
    field: FieldInfo
    default: object  # PydanticUndefined when it must be given
    choices: tuple[tuple[str, str], ...] = ()  # (key, kind) of the tagged choices it is inside of, outermost first

    @property
    def choice(self) -> str | None:
        """The kind it belongs to, inside a tagged choice."""
        return self.choices[-1][1] if self.choices else None

    @property
    def help(self) -> str:
        """English help text, the key of its Chinese twin."""
        return self.field.description or ""

    def allowed(self, lang: Language | None = None) -> str:
        """What a value may be, in words."""
        return describe(self.field, lang)


def entries(model: type[BaseModel], prefix: str = "", choices: tuple[tuple[str, str], ...] = ()) -> Iterator[Entry]:
    """Every setting of a model, nested ones by dotted key, in the order they are declared."""
    for name, field in model.model_fields.items():
        key = prefix + name
        default = field.get_default(call_default_factory=True)
        inner = list(models_in(field.annotation))
        items = list(items_in(field.annotation))
        if not inner:
            yield Entry(key, field, default, choices)
            for member in items:
                kinds = ((f"{key}[]", kind_of(member)),) if tagged(items) else ()
                inside = entries(member, f"{key}[].", (*choices, *kinds))
                yield from (entry for entry in inside if entry.key != f"{key}[].kind")
        elif not field.discriminator:
            for member in inner:
                yield from entries(member, key + ".", choices)
        else:
            kind = kind_of(type(default)) if isinstance(default, BaseModel) else PydanticUndefined
            yield Entry(key + ".kind", field, kind, choices)
            for member in inner:
                inside = entries(member, key + ".", (*choices, (key, kind_of(member))))
                yield from (entry for entry in inside if entry.key != key + ".kind")


def tagged(choices: Iterable[type[BaseModel]]) -> bool:
    """Whether these are kinds of one choice, and not one model with nothing to choose."""
    return all("kind" in choice.model_fields for choice in choices)


def kind_of(choice: type[BaseModel]) -> str:
    """The tag of one member of a choice."""
    return str(choice.model_fields["kind"].default)


def models_in(annotation: object) -> Iterator[type[BaseModel]]:
    """The settings models that an annotation names, through Annotated and unions."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, UnionType):
        for part in get_args(annotation):
            yield from models_in(part)
    elif get_origin(annotation) is Annotated:
        yield from models_in(get_args(annotation)[0])


def items_in(annotation: object) -> Iterator[type[BaseModel]]:
    """The settings models, tagged by kind, that the items of a list may be."""
    if get_origin(annotation) is tuple:
        yield from models_in(get_args(annotation)[0])


BOUNDS = {"gt": "more than {bound}", "ge": "at least {bound}", "lt": "less than {bound}", "le": "at most {bound}"}
TYPES: dict[object, str] = {
    int: "a whole number", float: "a number", str: "a text in quotes", bool: "true or false", NoneType: "nothing (leave it out)",
    JsonValue: "any value",
}  # fmt: skip


def describe(field: FieldInfo, lang: Language | None = None) -> str:
    """In words, what a field accepts: 'a whole number, at least 1'."""
    if field.discriminator:
        kinds = [kind_of(member) for member in models_in(field.annotation)]
        return say("one of: {choices}", lang=lang, choices=", ".join(kinds))
    words = [describe_type(field.annotation, lang)]
    for constraint in field.metadata:
        for name, template in BOUNDS.items():
            bound = getattr(constraint, name, None)
            if bound is not None:
                words.append(say(template, lang=lang, bound=bound))
    return say(", ", lang=lang).join(words)


def describe_type(annotation: object, lang: Language | None) -> str:
    """The type of a setting in words."""
    if annotation in TYPES:
        return say(TYPES[annotation], lang=lang)
    origin = get_origin(annotation)
    if origin is Annotated:
        return describe_type(get_args(annotation)[0], lang)
    if origin is Literal:
        return say("one of: {choices}", lang=lang, choices=", ".join(str(choice) for choice in get_args(annotation)))
    if origin in (Union, UnionType):
        return say(" or ", lang=lang).join(describe_type(part, lang) for part in get_args(annotation))
    if items := list(items_in(annotation)):
        if not tagged(items):
            return say("a list of tables", lang=lang)
        return say("a list of tables, each with a kind: {choices}", lang=lang, choices=", ".join(map(kind_of, items)))
    if origin is tuple:
        return say("a list, each: {item}", lang=lang, item=describe_type(get_args(annotation)[0], lang))
    if origin is dict:
        return say("a table, each: {item}", lang=lang, item=describe_type(get_args(annotation)[1], lang))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        names = list(annotation.model_fields)
        return say("a table of {fields}", lang=lang, fields=", ".join(names if len(names) <= 8 else [*names[:7], "…"]))
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
        items = (f"{toml_key(str(k))} = {toml_value(v)}" for k, v in value.items() if v is not None)
        return "{" + ", ".join(items) + "}"
    return toml_text(str(value))


def toml_text(text: str) -> str:
    """A text as TOML's basic string: JSON's, but for the control character that JSON lets stand."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def toml_key(name: str) -> str:
    """One part of a key, in quotes where it is not of the characters that need none."""
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else toml_text(name)


def to_toml(settings: BaseModel) -> str:
    """The settings as TOML, complete; what is unset is left out."""
    lines = (
        f"{'.'.join(toml_key(name) for name in path)} = {toml_value(value)}\n"
        for path, value in leaves(settings.model_dump(mode="json"))
        if value is not None
    )
    return "".join(lines)


def recipe(model: type[BaseModel], lang: Language | None = None) -> str:
    """Every setting with its default, its help and what it accepts, ready to edit and to pass to `--recipe`.

    What has no default, or belongs to a kind that is not the default, is there as a comment.
    """
    kinds: dict[str, object] = {}  # of the choices that count, by key
    lines = []
    for entry in entries(model):
        counts = all(kinds.get(key) == kind for key, kind in entry.choices)
        if counts and entry.field.discriminator:
            kinds[entry.key.removesuffix(".kind")] = entry.default
        about = "{help} ({allowed})" if counts else "{help} ({allowed}), where {choice}"
        choice = ", ".join(f"{key}.kind = {toml_text(kind)}" for key, kind in entry.choices)
        text = say(about, lang=lang, help=say(entry.help, lang=lang), allowed=entry.allowed(lang), choice=choice)
        unset = entry.default in (None, PydanticUndefined)
        value = "" if unset else toml_value(plain(entry.default))
        lines += [f"# {text}", f"{'' if counts and not unset else '# '}{entry.key} = {value}".rstrip(), ""]
    return "\n".join(lines)


def plain(value: object) -> object:
    """Nested models as tables."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    return value


def leaves(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """The values of a nested table with the names that lead to them."""
    for key, value in table.items():
        if isinstance(value, dict) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def flat(table: Mapping[str, Any]) -> dict[str, object]:
    """A nested table with dotted keys."""
    return {".".join(path): value for path, value in leaves(table)}


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
