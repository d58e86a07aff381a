"""The space that a search moves in: which settings of a stage may take which values.

[search.learning_rate]            a range; whole numbers where the setting is one
low = 1e-5
high = 1e-3
log = true
[search.batch_rows]               choices, of any kind that the setting takes
choices = [8, 16, 32]
[search.optimizer]                settings inside a kind are tried where that kind was chosen
kind.choices = ["adamw", "lion"]
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any, Protocol, Self, get_args, get_origin

from pydantic import Field, JsonValue, model_validator

from langwright.errors import UserError, unknown
from langwright.settings import Entry, Settings, entries, place, toml_value, validate
from langwright.wording import Phrase

Values = dict[str, JsonValue]  # dotted setting -> value


class Range(Settings):
    """Values between two ends, both included."""

    low: Annotated[float, Field(description="Smallest value")]
    high: Annotated[float, Field(description="Largest value")]
    log: Annotated[bool, Field(description="Even steps of the logarithm: each order of magnitude counts alike")] = False
    points: Annotated[int, Field(ge=2, description="Values of it that a grid tries, evenly spread")] = 4

    @model_validator(mode="after")
    def in_order(self) -> Self:
        """UserError for a range that is empty, or whose logarithm does not exist."""
        if self.low >= self.high:
            raise UserError(
                "low = {low} is not below high = {high}", fix="exchange them, or fix the value under settings",
                low=self.low, high=self.high,
            )  # fmt: skip
        if self.log and self.low <= 0:
            raise UserError("log = true and low = {low}: a logarithm needs more than 0", fix="raise low, or leave log out", low=self.low)  # fmt: skip
        return self


class Choices(Settings):
    """Some values."""

    choices: Annotated[tuple[JsonValue, ...], Field(min_length=2, description="The values to choose from")]


class Proposer(Protocol):
    """What is asked for values: an optuna trial, or whatever stands for one."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float: ...

    def suggest_int(self, name: str, low: int, high: int, *, log: bool) -> int: ...

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any: ...


@dataclass(frozen=True)
class Dimension:
    """One setting that is searched.

    whole   the setting is a whole number
    inside  for each way to be inside tagged choices, the kind of each; empty at the top level
    """

    key: str
    values: Range | Choices
    whole: bool
    inside: tuple[Mapping[str, str], ...]

    def ask(self, trial: Proposer) -> JsonValue:
        """A value, proposed by the trial."""
        if isinstance(self.values, Choices):
            return self.of(trial.suggest_categorical(self.key, [scalar(choice) for choice in self.values.choices]))
        low, high, log = self.values.low, self.values.high, self.values.log
        if self.whole:
            return trial.suggest_int(self.key, math.ceil(low), math.floor(high), log=log)
        return trial.suggest_float(self.key, low, high, log=log)

    def of(self, kept: Any) -> JsonValue:
        """A value as the stage takes it, from how a study keeps it."""
        if isinstance(self.values, Choices):
            return next(choice for choice in self.values.choices if scalar(choice) == kept)
        return int(kept) if self.whole else float(kept)

    def ends(self) -> list[JsonValue]:
        """Values that must all be allowed for the rest to be."""
        if isinstance(self.values, Choices):
            return list(self.values.choices)
        ends = (math.ceil(self.values.low), math.floor(self.values.high)) if self.whole else (self.values.low, self.values.high)  # fmt: skip
        return list(ends)

    def grid(self) -> list[JsonValue]:
        """The values that a grid tries."""
        if isinstance(self.values, Choices):
            return list(self.values.choices)
        low, high, parts = self.values.low, self.values.high, self.values.points - 1
        if self.values.log:
            found = [low * (high / low) ** (i / parts) for i in range(parts)]
        else:
            found = [low + (high - low) * i / parts for i in range(parts)]
        return list(dict.fromkeys(round(value) for value in [*found, high])) if self.whole else [*found, high]


def scalar(value: JsonValue) -> str | int | float | bool | None:
    """A choice as a study can keep it: lists and tables as text."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True) if isinstance(value, (list, dict)) else value


@dataclass(frozen=True)
class Space:
    """All settings that are searched, kinds before what is inside of them, and those that stay.

    model  the stage's settings
    fixed  what every trial has, as nested tables
    """

    model: type[Settings]
    fixed: Mapping[str, JsonValue]
    dimensions: tuple[Dimension, ...]

    def propose(self, trial: Proposer) -> Values:
        """A value for each setting that exists with the kinds chosen."""
        found: Values = {}
        for dimension in self.dimensions:
            if self.exists(dimension, found):
                found[dimension.key] = dimension.ask(trial)
        return found

    def exists(self, dimension: Dimension, values: Mapping[str, JsonValue]) -> bool:
        """Whether a setting exists with the kinds that these values choose."""
        return not dimension.inside or any(
            all(self.kind(group, values) == kind for group, kind in way.items()) for way in dimension.inside
        )

    def kind(self, group: str, values: Mapping[str, JsonValue]) -> JsonValue:
        """The kind of a tagged choice: searched, fixed, or its default."""
        key = f"{group}.kind"
        if key in values:
            return values[key]
        table: JsonValue = dict(self.fixed)
        for part in key.split("."):
            table = table.get(part) if isinstance(table, dict) else None
        return table if table is not None else next(e.default for e in entries(self.model) if e.key == key)  # type: ignore[return-value]

    def settings(self, values: Mapping[str, JsonValue], **others: JsonValue) -> Settings:
        """The stage's settings with these values; UserError where they do not go together."""
        table = json.loads(json.dumps(self.fixed))
        for key, value in {**values, **others}.items():
            place(table, key, value)
        return validate(self.model, table)

    def values_of(self, params: Mapping[str, Any]) -> Values:
        """The settings that a study keeps, as they were proposed."""
        return {d.key: d.of(params[d.key]) for d in self.dimensions if d.key in params}

    @property
    def seed(self) -> int:
        """The seed that every trial trains with."""
        return int(self.settings({}).seed)  # type: ignore[attr-defined]

    def grid(self) -> list[Values]:
        """Every combination, each once: settings that do not exist with a kind do not multiply it."""
        found: dict[str, Values] = {}
        for values in itertools.product(*(dimension.grid() for dimension in self.dimensions)):
            whole = dict(zip((d.key for d in self.dimensions), values, strict=True))
            kept = {d.key: whole[d.key] for d in self.dimensions if self.exists(d, whole)}
            found.setdefault(json.dumps(kept, sort_keys=True), kept)
        return list(found.values())


# --- reading -------------------------------------------------------------------------------------

NEVER = ("seed", "cost")  # the luckiest seed is not the best setting; and what energy is reckoned with changes nothing


def read_space(model: type[Settings], fixed: Mapping[str, JsonValue], search: Mapping[str, JsonValue]) -> Space:
    """Read and check a space, so that a mistake in it is said before anything runs.

    fixed   settings of every trial
    search  nested tables that end in a range or choices
    raises  UserError for a setting that does not exist, is fixed too, or cannot take one of the values
    """
    known = [entry for entry in entries(model) if "[]" not in entry.key]  # what is inside a list has no one place
    found = [dimension_of(key, table, known) for key, table in dimensions_in(search)]
    if not found:
        raise UserError("nothing is searched", fix="add a setting, such as [search.learning_rate] with low and high")
    # kinds come first, outer ones before inner ones
    ordered = sorted(found, key=lambda d: (not d.key.endswith(".kind"), d.key.count(".") if d.key.endswith(".kind") else 0))  # fmt: skip
    space = Space(model, fixed, tuple(ordered))
    for dimension in space.dimensions:
        with in_setting(dimension.key):
            refuse_fixed(dimension.key, fixed)
            check_values(space, dimension)
    space.settings({})  # the default, which the best is compared with
    space.settings(space.propose(First()))
    return space


def dimensions_in(table: Mapping[str, JsonValue], path: str = "") -> Iterator[tuple[str, Mapping[str, JsonValue]]]:
    """(dotted setting, its range or choices) of nested tables."""
    for name, inner in table.items():
        key = f"{path}{name}"
        if not isinstance(inner, dict):
            raise UserError(
                "search.{key} = {value} is neither a range nor choices",
                fix="give low and high, or choices; a value that stays belongs under settings",
                key=key, value=toml_value(inner),
            )  # fmt: skip
        if ends_here(inner):
            yield key, inner
        else:
            yield from dimensions_in(inner, key + ".")


def ends_here(table: Mapping[str, JsonValue]) -> bool:
    """Whether a table is a range or choices, and not a group of settings."""
    return any(name in table and not isinstance(table[name], dict) for name in ("low", "high", "choices", "log", "points"))  # fmt: skip


def dimension_of(key: str, table: Mapping[str, JsonValue], known: Sequence[Entry]) -> Dimension:
    """One dimension, with its setting found in the stage."""
    here = [entry for entry in known if entry.key == key]
    if not here:
        raise unknown("setting", key, [entry.key for entry in known])
    with in_setting(key):
        if key.split(".")[0] in NEVER:
            raise UserError(
                "this is not searched: choosing the luckiest seed, or a cheaper reckoning, makes no model better",
                fix="leave it out; `confirm` says with how many new seeds the best is trained again",
            )
        values = validate(Choices, table) if "choices" in table else validate(Range, table)
        types = {kind for entry in here for kind in number_types(entry.field.annotation)}
        if isinstance(values, Range) and not types:
            raise UserError(
                "this is not a number, so it has no range",
                fix="give choices: {allowed}",
                allowed=Phrase(here[0].allowed),
            )
    inside = tuple(dict(entry.choices) for entry in here if entry.choices)
    return Dimension(key, values, float not in types, inside)


def number_types(annotation: object) -> set[type]:
    """int and float, where an annotation allows them."""
    if annotation in (int, float):
        return {annotation}
    return {found for part in get_args(annotation) for found in number_types(part)} if get_origin(annotation) is not tuple else set()  # fmt: skip


def refuse_fixed(key: str, fixed: Mapping[str, JsonValue]) -> None:
    """UserError where a setting has a value that stays."""
    table: JsonValue = dict(fixed)
    for part in key.split("."):
        if not isinstance(table, dict) or part not in table:
            return
        table = table[part]
    raise UserError("it is searched and fixed at {value} under settings too", fix="leave out one of the two", value=toml_value(table))  # fmt: skip


def check_values(space: Space, dimension: Dimension) -> None:
    """UserError where the setting cannot take one of the values, whatever else is chosen."""
    for value in dimension.ends():
        others = kinds_around(space, dimension)
        space.settings({**others, dimension.key: value})


def kinds_around(space: Space, dimension: Dimension) -> Values:
    """Kinds with which a setting exists: those in force where they do, else the first that allow it."""
    searched = {d.key: d for d in space.dimensions}
    for way in dimension.inside:
        free = {f"{group}.kind": kind for group, kind in way.items() if space.kind(group, {}) != kind}
        if all(key in searched and kind in searched[key].ends() for key, kind in free.items()):
            return dict(free)
    if not dimension.inside:
        return {}
    group, kind = next(iter(dimension.inside[0].items()))
    raise UserError(
        "it exists only where {group}.kind is {kind}, which no trial chooses",
        fix="set {group}.kind under settings, or search it too", group=group, kind=kind,
    )  # fmt: skip


class First:
    """Proposes the first of everything."""

    def suggest_float(self, name: str, low: float, high: float, *, log: bool) -> float:
        """The lower end."""
        return low

    def suggest_int(self, name: str, low: int, high: int, *, log: bool) -> int:
        """The lower end."""
        return low

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        """The first."""
        return choices[0]


@contextmanager
def in_setting(key: str) -> Iterator[None]:
    """Put the setting before what is wrong about it."""
    try:
        yield
    except UserError as error:
        raise UserError(
            "in search.{key}: {mistake}",
            fix="{remedy}",
            key=key,
            mistake=Phrase(error.problem),
            remedy=Phrase(error.fix),
        ) from error
