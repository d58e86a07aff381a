"""From rows to questions: templates filled, examples before them, what is to be scored or written.

Texts are those of lm-evaluation-harness 0.4.13 (`ConfigurableTask.fewshot_context`, `construct_requests`): the same
rows, joined by the same delimiters, with examples drawn by the same random numbers (Mersenne Twister, seed 1234, one
stream a benchmark, rows in order).

Differs   a row without a column, without answers to choose from, or whose right answer is none of them is refused
          instead of being counted as wrong; a question is never among its own examples, which the harness allows where
          no split for examples is named
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any

from langwright.errors import UserError, unknown
from langwright.evaluation.benchmarks.declaration import Benchmark, Layout, Part, Row
from langwright.evaluation.benchmarks.rows import read_rows
from langwright.evaluation.benchmarks.templates import filled, literal

SEED = 1234  # lm-evaluation-harness's for examples


@dataclass(frozen=True)
class Question:
    """One row, ready to be asked.

    number    its place in the split, from 0
    contexts  what stands before the answer; one for each choice where these are contexts, else one
    choices   the answers to choose from, as they are measured; empty where there are none
    pairs     (given, text) whose log-probability is asked
    text      what is to be scored as running text
    target    the right answer: its place among the choices, a text, or several
    """

    number: int
    row: Row
    contexts: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()
    text: str = ""
    target: Any = None


class Paper:
    """The questions of one benchmark.

    benchmark  what is asked
    shots      examples before each question; the benchmark's own number when left out
    limit      ask so many rows only
    spread     whether these are spread evenly over all, or the first ones
    raises     UserError when rows cannot be read
    """

    def __init__(self, benchmark: Benchmark, shots: int | None = None, limit: int | None = None, spread: bool = False) -> None:  # fmt: skip
        self.benchmark = benchmark
        self.shots = benchmark.examples.count if shots is None else shots
        self.limit, self.spread = limit, spread
        self._splits: dict[str, list[Row]] = {}
        self._random = Random(SEED)

    @cached_property
    def rows(self) -> list[Row]:
        """The rows that are asked."""
        every = self.split(self.benchmark.asked)
        return [every[number] for number in self.numbers]

    @cached_property
    def numbers(self) -> list[int]:
        """Their places in the split."""
        count = len(self.split(self.benchmark.asked))
        limit = min(self.limit or count, count)
        return [place * count // limit for place in range(limit)] if self.spread else list(range(limit))

    def split(self, name: str) -> list[Row]:
        """The rows of a split, prepared."""
        if name not in self._splits:
            table = self.benchmark.splits.get(name)
            if table is None:
                raise unknown("split", name, self.benchmark.splits)
            rows = read_rows(table)
            self._splits[name] = prepared(self.benchmark, rows) if self.benchmark.prepare else rows
        return self._splits[name]

    @cached_property
    def columns(self) -> frozenset[str]:
        """Names of all columns of the rows that are asked."""
        return frozenset(name for row in self.rows for name in row)

    @cached_property
    def several_contexts(self) -> bool:
        """Whether the choices are contexts and the answer follows each, as the first row shows."""
        return self.benchmark.layout.choice is not None and isinstance(self.question(self.rows[0]), int)

    @cached_property
    def several_targets(self) -> bool:
        """Whether several answers are right, as the first row shows."""
        return isinstance(self.target(self.rows[0]), list)

    def questions(self) -> Iterator[Question]:
        """All questions, in the order of the rows. Examples are drawn on the way: from the beginning each time."""
        self._random = Random(SEED)
        for number, row in zip(self.numbers, self.rows, strict=True):
            with of_row(self.benchmark, number):
                question = self.asked(number, row)
            yield question

    def asked(self, number: int, row: Row) -> Question:
        """One row as a question."""
        output, delimiter = self.benchmark.output, self.benchmark.layout.delimiter
        if output == "loglikelihood_rolling":
            text = str(self.target(row))
            return Question(number, row, text=text, target=text)
        before = self.before(row)
        if output == "multiple_choice":
            choices = self.choices(row)
            if self.several_contexts:
                contexts = tuple(before + self.turn(choice, row) for choice in choices)
                pairs = [(context, f"{delimiter}{self.target(row)}") for context in contexts]
                target: Any = self.question(row)
            else:
                contexts = (before + self.turn(self.question(row), row),)
                pairs = [(contexts[0], f"{delimiter}{choice}") for choice in choices]
                target = self.target(row)
            if any(metric.name == "acc_mutual_info" for metric in self.benchmark.metrics):
                pairs += [("", f"{delimiter}{choice}") for choice in choices]
            places = placed(target, choices, self.several_targets and not self.several_contexts)
            return Question(number, row, contexts, choices, tuple(pairs), target=places)
        context = before + self.turn(self.question(row), row)
        target = self.target(row)
        if output == "loglikelihood":
            return Question(number, row, (context,), pairs=((context, str(target)),), target=target)
        if self.benchmark.layout.choice is not None:
            target = self.choices(row)[one_place(target, self.choices(row))]
        return Question(number, row, (context,), target=target)

    # --- what stands before ----------------------------------------------------------------------

    def before(self, row: Row) -> str:
        """The description, and the examples with their answers."""
        description = self.part(self.benchmark.description, row)
        return str(description or "") + "".join(self.shown(example) for example in self.drawn(row))

    def shown(self, row: Row) -> str:
        """An example: question and answer."""
        layout = self.benchmark.examples.layout
        question, answer = self.question(row, layout), self.target(row, layout)
        choices = self.choices(row, layout) if layout.choice is not None else ()
        if self.several_contexts:
            question = choices[one_place(question, choices)]
        elif choices and isinstance(answer, int):
            answer = choices[one_place(answer, choices)]
        if isinstance(answer, list):
            answer = answer[0] if answer else ""
        prefix = str(self.part(layout.prefix, row) or "")
        joined = layout.delimiter if (answer not in ("", None) and not prefix) or apart(str(question), prefix) else ""
        if answer in ("", None):
            return f"{question}{joined}{prefix}"
        return f"{question}{joined}{delimited(prefix, str(answer))}{layout.between}"

    def turn(self, question: Any, row: Row) -> str:
        """The question itself, with what every answer begins with."""
        prefix = str(self.part(self.benchmark.layout.prefix, row) or "")
        delimiter = "" if self.several_contexts else self.benchmark.layout.delimiter
        return f"{question}{delimiter if apart(str(question), prefix) else ''}{prefix}"

    @property
    def source(self) -> str | None:
        """The split that examples are drawn from; None where the benchmark gives them itself."""
        examples, benchmark = self.benchmark.examples, self.benchmark
        if examples.split is None and examples.samples is not None:
            return None
        return examples.split or benchmark.train or benchmark.validation or benchmark.asked

    @cached_property
    def pool(self) -> list[Row]:
        """Rows that examples are drawn from."""
        return list(self.benchmark.examples.samples or ()) if self.source is None else self.split(self.source)

    def drawn(self, row: Row) -> Sequence[Row]:
        """The examples of a question; never the question itself."""
        count, examples = self.shots, self.benchmark.examples
        if count == 0:
            return ()
        pool = self.pool
        if examples.where is not None:
            pool = [one for one in pool if one.get(examples.where) == row.get(examples.where)]
        # whether the question may be among them; the second condition is how the harness knows
        itself = self.source == self.benchmark.asked or (
            self.source is not None and examples.split == self.benchmark.test
        )
        others = [one for one in pool if one != row] if itself else pool
        if len(others) < count:
            raise UserError(
                "{count} examples are asked for, and there are {known} rows to draw them from",
                fix="ask for fewer with --set shots=N, or name another split for examples",
                count=count,
                known=len(others),
            )
        if examples.sampler == "first_n":
            return others[:count]
        if not itself:
            return self._random.sample(pool, count)
        found = [one for one in self._random.sample(pool, count + 1) if one != row][:count]
        return found if len(found) == count else self._random.sample(others, count)

    # --- parts of a row --------------------------------------------------------------------------

    def question(self, row: Row, layout: Layout | None = None) -> Any:
        """The question; a whole number where it is a place among the choices."""
        layout = layout or self.benchmark.layout
        return self.part(layout.text, row, numbers=layout.choice is not None)

    def target(self, row: Row, layout: Layout | None = None) -> Any:
        """The right answer."""
        layout = layout or self.benchmark.layout
        found = self.part(layout.target, row, numbers=layout.choice is not None)
        if isinstance(found, str) and isinstance(layout.target, str) and layout.target not in self.columns:
            spelt = literal(found) if found.startswith("[") and found.endswith("]") else found
            return spelt if isinstance(spelt, list) else found
        return list(found) if isinstance(found, (list, tuple)) else found

    def choices(self, row: Row, layout: Layout | None = None) -> tuple[str, ...]:
        """The answers to choose from; UserError where there are none, or one is empty."""
        part = (layout or self.benchmark.layout).choice
        found = self.part(part, row)
        if isinstance(part, str) and part not in self.columns:
            found = literal(str(found))
        if isinstance(found, dict):
            found = list(found.values())
        if not isinstance(found, (list, tuple)) or not found or "" in found:
            raise UserError(
                "there is nothing to choose from: the choices are {choices!r}",
                fix="give each row a list of answers, none of them empty",
                choices=found,
            )
        return tuple(map(str, found))

    def part(self, part: Part, row: Row, *, numbers: bool = False) -> Any:
        """A column, a filled template, a value, or what allowed code makes of the row.

        numbers  whether a template that gives digits stands for a number
        """
        if callable(part):
            return part(row)
        if not isinstance(part, str):
            return part
        if part in self.columns:
            if part not in row:
                raise UserError(
                    "it has no column {column}", fix="give every row the column, or leave that row out", column=part
                )
            return row[part]
        text = filled(part, row)
        return int(text) if numbers and text.isdecimal() else text


@contextmanager
def of_row(benchmark: Benchmark, number: int) -> Iterator[None]:
    """Say of which row a complaint is."""
    try:
        yield
    except UserError as error:
        raise UserError(
            "{benchmark}, row {row}: {reason}",
            fix="{way}",
            benchmark=benchmark.name,
            row=number + 1,
            reason=error.problem(),
            way=error.fix(),
        ) from error


def prepared(benchmark: Benchmark, rows: list[Row]) -> list[Row]:
    """Rows after a benchmark's own `process_docs`, which is written for the library datasets."""
    assert benchmark.prepare is not None
    try:
        from datasets import Dataset
    except ImportError:
        raise UserError(
            "{benchmark} prepares its rows by code that needs the library datasets",
            fix="install it: pip install datasets",
            benchmark=benchmark.name,
        ) from None
    return [dict(row) for row in benchmark.prepare(Dataset.from_list([dict(row) for row in rows]))]


def apart(question: str, prefix: str) -> bool:
    """Whether what every answer begins with needs a delimiter before it."""
    return bool(question and prefix) and not (question[-1].isspace() or prefix[0].isspace())


def delimited(prefix: str, answer: str) -> str:
    """An answer behind what every answer begins with."""
    return f"{prefix} {answer}" if apart(prefix, answer) else prefix + answer


def placed(target: Any, choices: Sequence[str], several: bool) -> Any:
    """Places of right answers among the choices: one, or a list where several may be right."""
    if several:
        return [one_place(one, choices) for one in (target if isinstance(target, list) else [target])]
    return one_place(target, choices)


def one_place(target: Any, choices: Sequence[str]) -> int:
    """The place of a right answer, given by its place or in words; UserError where it is none of them."""
    if isinstance(target, str) and target in choices:
        return choices.index(target)
    if not isinstance(target, int) or not 0 <= target < len(choices):
        raise UserError(
            "the right answer {target!r} is none of the {count} choices",
            fix="give its place, from 0, or its text exactly as among the choices",
            target=target,
            count=len(choices),
        )
    return int(target)
