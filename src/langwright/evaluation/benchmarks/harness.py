"""Benchmarks in the YAML of lm-evaluation-harness 0.4.13: tasks, what they include, and groups of them.

Rows come from local files alone: those that the YAML names (dataset_path json, csv or parquet with data_files), or
those that the person gives in place of a data set on a hub. Code that a YAML calls is refused unless the person allows
it by name. Whatever else is not supported is refused by name, and nothing is passed over silently but names, tags and
metadata.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from langwright.errors import UserError, unknown
from langwright.evaluation.benchmarks.calls import Called
from langwright.evaluation.benchmarks.declaration import Benchmark, Group, Mean
from langwright.evaluation.benchmarks.harness_task import Config, benchmark_of, refuse_unknown, unsupported
from langwright.evaluation.benchmarks.sources import Sources

GROUP_KEYS = frozenset({"group", "group_alias", "task", "aggregate_metric_list", "metadata"})


# --- YAML ----------------------------------------------------------------------------------------


def read_yaml(path: Path, above: tuple[Path, ...] = ()) -> Config:
    """A YAML file with what it includes; its own keys win.

    raises  UserError where it cannot be read, is no mapping, or includes itself
    """
    path = path.resolve()
    if path in above:
        raise UserError("{path} includes itself", fix="take one of its includes out", path=path)

    loader_type: Any = type("Loader", (yaml.SafeLoader,), {})  # plain data, and the names of functions

    def called(loader: Any, node: Any) -> Called:
        return Called(str(loader.construct_scalar(node)), path.parent)

    loader_type.add_constructor("!function", called)
    try:
        found = yaml.load(path.read_text(encoding="utf-8"), Loader=loader_type)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(
            "{path} cannot be read as YAML: {error}",
            fix="correct it; tags other than !function are not supported",
            path=path,
            error=" ".join(str(error).split()),
        ) from None
    if not isinstance(found, dict):
        raise UserError(
            "{path} is no benchmark: a YAML of keys and values is",
            fix="write keys such as task, output_type and doc_to_text",
            path=path,
        )
    included = found.pop("include", [])
    whole: Config = {}
    for name in included if isinstance(included, list) else [included]:
        whole |= read_yaml(path.parent / str(name), (*above, path))
    whole.pop("task_list", None)
    return whole | found


class Library:
    """Benchmarks and groups of YAML files, by name."""

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self._read: dict[str, tuple[Config, Path]] = {}
        self._tags: dict[str, list[str]] = {}

    def add(self, path: Path) -> list[str]:
        """Read a file, or every YAML file of a folder; the names of what they hold.

        A file that has no name of its own is there to be included, and gives none.
        """
        files = sorted([*path.rglob("*.yaml"), *path.rglob("*.yml")]) if path.is_dir() else [path]
        names = []
        for file in files:
            config = read_yaml(file)
            name = config.get("group") if isinstance(config.get("task"), list) else config.get("task")
            if isinstance(name, str):
                self._read[name] = (config, file)
                names.append(name)
                tags = config.get("tag") or ()
                for tag in [tags] if isinstance(tags, str) else tags:
                    self._tags.setdefault(tag, []).append(name)
        return names

    @property
    def names(self) -> tuple[str, ...]:
        """All names, tags included."""
        return (*self._read, *self._tags)

    def __contains__(self, name: str) -> bool:
        return name in self._read or name in self._tags

    def plan(self, name: str) -> tuple[list[Benchmark], list[Group]]:
        """A benchmark, or a group with all that is in it."""
        benchmarks, groups = [], []
        for member in self.expanded(name, {}, None):
            if isinstance(member, Group):
                groups.append(member)
            else:
                benchmarks.append(member)
        return benchmarks, groups

    def expanded(self, name: str, changes: Config, group: Path | None) -> Iterator[Benchmark | Group]:
        """What a name stands for: its benchmarks first, then the group itself."""
        if name in self._tags and name not in self._read:
            for one in self._tags[name]:
                yield from self.expanded(one, changes, group)
            return
        if name not in self._read:
            raise unknown("benchmark", name, self.names)
        config, file = self._read[name]
        if isinstance(config.get("task"), list):
            yield from self.group(config, file, changes)
        else:
            yield benchmark_of(config | changes | {"task": name}, file, self.sources)

    def group(self, config: Config, file: Path, changes: Config) -> Iterator[Benchmark | Group]:
        """The members of a group with what it changes in them, then the group."""
        below = {key: value for key, value in config.items() if key not in GROUP_KEYS} | changes
        members: list[str] = []
        for one in config["task"]:
            for found in self.member(one, file, str(config["group"]), below):
                if isinstance(found, Benchmark):
                    members.append(found.name)
                yield found
        yield Group(str(config["group"]), tuple(dict.fromkeys(members)), tuple(means_of(config, file)))

    def member(self, one: Any, file: Path, group: str, changes: Config) -> Iterator[Benchmark | Group]:
        """One entry of a group's list: a name, a name with changes, or a benchmark or group written there."""
        if isinstance(one, str):
            yield from self.expanded(one, changes, file)
        elif isinstance(one, dict) and isinstance(one.get("task"), list) and "group" in one:
            yield from self.group(one | {"group": f"{group}::{one['group']}"}, file, changes)
        elif isinstance(one, dict) and (name := str(one.get("group") or one.get("task"))) in self:
            own = {key: value for key, value in one.items() if key not in ("task", "group")}
            yield from self.expanded(name, changes | own, file)
        elif isinstance(one, dict) and isinstance(one.get("task"), str):
            yield benchmark_of(changes | one | {"task": f"{group}::{one['task']}"}, file, self.sources)
        else:
            raise UserError(
                "{path} has an entry that is no benchmark: {entry}",
                fix="name a benchmark, or give one with its task",
                path=file,
                entry=one,
            )


def means_of(config: Config, file: Path) -> Iterator[Mean]:
    """What a group is averaged over."""
    given = config.get("aggregate_metric_list") or []
    for one in given if isinstance(given, list) else [given]:
        refuse_unknown(one, {"metric", "filter_list", "aggregation", "weight_by_size"}, file)
        if one.get("aggregation", "mean") != "mean":
            raise unsupported(file, "aggregation", one["aggregation"])
        filters = one.get("filter_list")
        named = None if filters is None else (filters,) if isinstance(filters, str) else tuple(filters)
        yield Mean(str(one["metric"]), named, bool(one.get("weight_by_size", True)))
