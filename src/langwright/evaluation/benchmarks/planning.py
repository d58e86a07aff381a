"""From what a person names to what is run: shipped benchmarks, files of our own, YAML, plain tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from langwright.errors import UserError, unknown
from langwright.evaluation.benchmarks.declaration import Benchmark, Group, Plan
from langwright.evaluation.benchmarks.definitions import guessed, read_definition, shipped
from langwright.evaluation.benchmarks.harness import Library
from langwright.evaluation.benchmarks.sources import Sources

YAML = (".yaml", ".yml")


def planned(tasks: Sequence[str], folders: Sequence[str], sources: Sources) -> Plan:
    """The benchmarks of these names, each once, in order.

    tasks    names, or paths of .toml, .yaml and tables
    folders  whose YAML files can be named too
    raises   UserError for a name that nothing has, and for whatever a definition says wrongly
    """
    library = Library(sources)
    for folder in folders:
        path = Path(folder).expanduser()
        if not path.is_dir():
            raise UserError("there is no folder {path}", fix="give a folder of YAML files", path=path)
        library.add(path)
    benchmarks: dict[str, Benchmark] = {}
    groups: dict[str, Group] = {}
    for task in tasks:
        found, grouped = found_by(task, library, sources)
        for one in found:
            other = benchmarks.setdefault(one.name, one)
            if other.origin != one.origin:
                raise UserError(
                    "two benchmarks are called {name}: {first} and {second}",
                    fix="name one of them otherwise",
                    name=one.name,
                    first=other.origin,
                    second=one.origin,
                )
        groups |= {group.name: group for group in grouped}
    return Plan(tuple(benchmarks.values()), tuple(groups.values()))


def found_by(task: str, library: Library, sources: Sources) -> tuple[list[Benchmark], list[Group]]:
    """What one name stands for."""
    path = Path(task).expanduser()
    if task in library:
        return library.plan(task)
    if path.suffix in YAML and path.is_file():
        names = library.add(path)
        if not names:
            raise UserError("{path} has no task of its own: it is there to be included", fix="name a file that includes it", path=path)  # fmt: skip
        library.add(path.parent)  # a group names what lies beside it
        return library.plan(names[0])
    if path.suffix == ".toml" and path.is_file():
        return [read_definition(path).benchmark(path, sources)], []
    if path.is_file():
        return [guessed(path).benchmark(path, sources)], []
    if task in shipped():
        definition = shipped()[task]
        return [definition.benchmark(Path(f"{task}.toml"), sources)], []
    if any(sign in task for sign in "/\\."):
        raise UserError(
            "there is no {path}", fix="check the path; names of shipped benchmarks stand in `langwright benchmark --help`", path=path
        )  # fmt: skip
    raise unknown("benchmark", task, [*shipped(), *library.names])
