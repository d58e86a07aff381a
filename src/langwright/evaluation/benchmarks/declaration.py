"""What a benchmark is: which rows, how each is put as a question, and how answers are marked.

Both forms, lm-evaluation-harness's YAML (harness.py) and our TOML (definitions.py), give these.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Row = Mapping[str, Any]
Output = Literal["multiple_choice", "loglikelihood", "loglikelihood_rolling", "generate_until"]
Sampler = Literal["default", "first_n"]
Code = Callable[..., Any]  # of a benchmark's own, where the person allowed it
Part = str | int | Sequence[Any] | Mapping[str, Any] | Code | None
"""The name of a column, a jinja2 template, a value for all rows, or allowed code."""


@dataclass(frozen=True)
class Table:
    """Files of one split.

    paths    local files, read one after the other
    columns  names, where a file of columns has no header
    field    where in a JSON object the list of rows lies
    unfold   whether files have SQuAD's layout, of which each question is a row
    """

    paths: tuple[Path, ...]
    columns: tuple[str, ...] = ()
    field: str = ""
    unfold: bool = False


@dataclass(frozen=True)
class Layout:
    """How a row becomes text.

    text, target, choice  the question, the right answer, the answers to choose from
    delimiter             between question and answer; between: behind each example
    prefix                what every answer begins with
    """

    text: Part = None
    target: Part = None
    choice: Part = None
    delimiter: str = " "
    between: str = "\n\n"
    prefix: Part = None


@dataclass(frozen=True)
class Examples:
    """The examples shown before a question.

    count    how many
    split    where they are drawn from; None goes by what there is: train, validation, test
    sampler  drawn anew for every question, or the first ones
    samples  rows given in the benchmark itself
    where    column whose value examples share with the question
    """

    count: int
    layout: Layout
    split: str | None = None
    sampler: Sampler = "default"
    samples: tuple[Row, ...] | None = None
    where: str | None = None


@dataclass(frozen=True)
class Metric:
    """One way to mark. `name` is lm-evaluation-harness's, or the name of the code."""

    name: str
    aggregation: str | Code | None = None
    higher: bool | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    code: Code | None = None


@dataclass(frozen=True)
class Extraction:
    """What is done to answers before they are marked: (name of the step, its options), in order."""

    name: str
    steps: tuple[tuple[str, Mapping[str, Any]], ...]


PLAIN = Extraction("none", (("take_first", {}),))


@dataclass(frozen=True)
class Generation:
    """How answers are written."""

    until: tuple[str, ...] = ()
    most: int = 256  # new tokens
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0


@dataclass(frozen=True)
class Benchmark:
    """One benchmark.

    splits       name -> files; train, validation, test: which of them play these parts
    by           columns whose values are marked apart too
    origin       the file it was read from
    """

    name: str
    output: Output
    layout: Layout
    examples: Examples
    splits: Mapping[str, Table]
    train: str | None = None
    validation: str | None = None
    test: str | None = None
    description: Part = ""
    metrics: tuple[Metric, ...] = ()
    extractions: tuple[Extraction, ...] = (PLAIN,)
    generation: Generation = Generation()
    repeats: int = 1
    by: tuple[str, ...] = ()
    language: str = "en"
    prepare: Code | None = None  # process_docs
    mark: Code | None = None  # process_results
    origin: Path = Path()

    @property
    def asked(self) -> str:
        """The split whose rows are asked."""
        found = self.test or self.validation
        assert found is not None  # both forms refuse a benchmark without one
        return found


@dataclass(frozen=True)
class Mean:
    """A metric over the benchmarks of a group, each weighing as its rows do or all alike."""

    metric: str
    extractions: tuple[str, ...] | None = None
    by_rows: bool = True


@dataclass(frozen=True)
class Group:
    """Benchmarks under one name."""

    name: str
    members: tuple[str, ...]  # names of benchmarks
    means: tuple[Mean, ...] = ()


@dataclass(frozen=True)
class Plan:
    """All that is to be run."""

    benchmarks: tuple[Benchmark, ...]
    groups: tuple[Group, ...] = ()
