"""Benchmarks in our own TOML, those that are shipped, and plain tables whose columns say what they are.

name = "capitals"
ask = "choices"                       # choices, continuation, running-text or writing
files = { test = "capitals.jsonl" }   # beside this file, or below the data folder
prompt = "The capital of {{country}} is"
choices = "cities"                    # a column, a template, or a list
answer = "right"
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from langwright.errors import UserError
from langwright.evaluation.benchmarks.declaration import (
    PLAIN,
    Benchmark,
    Examples,
    Extraction,
    Generation,
    Layout,
    Metric,
    Output,
    Row,
    Table,
)
from langwright.evaluation.benchmarks.extraction import step_of
from langwright.evaluation.benchmarks.marking import USUAL, check_metric
from langwright.evaluation.benchmarks.rows import rows_of
from langwright.evaluation.benchmarks.sources import Sources, located
from langwright.settings import Settings, read_settings

SHIPPED = Path(__file__).with_name("shipped")
Ask = Literal["choices", "continuation", "running-text", "writing"]
OUTPUTS: dict[Ask, Output] = {
    "choices": "multiple_choice",
    "continuation": "loglikelihood",
    "running-text": "loglikelihood_rolling",
    "writing": "generate_until",
}


class Take(Settings):
    """What is taken out of a written answer."""

    name: Annotated[str, Field(description="What this way of taking is called in measures; none is not shown")] = "none"
    pattern: Annotated[str | None, Field(description="What is looked for; its first group is taken")] = None
    place: Annotated[int, Field(description="Which match is taken: 0 the first, -1 the last")] = 0
    otherwise: Annotated[str, Field(description="What is marked where nothing matches")] = "[invalid]"
    strip: Annotated[bool, Field(description="Without blanks at the ends")] = False

    def extraction(self) -> Extraction:
        """The same as steps."""
        steps: list[tuple[str, Mapping[str, object]]] = []
        if self.pattern is not None:
            steps.append(
                ("regex", {"regex_pattern": self.pattern, "group_select": self.place, "fallback": self.otherwise})
            )
        if self.strip:
            steps.append(("remove_whitespace", {}))
        steps.append(("take_first", {}))
        for step in steps:
            step_of(*step)
        return Extraction(self.name, tuple(steps))


class Definition(Settings):
    """One benchmark in TOML. Texts are columns or jinja2 templates, as in lm-evaluation-harness's YAML."""

    name: Annotated[str, Field(description="What it is called")]
    about: Annotated[str, Field(description="What it asks, in a sentence")] = ""
    language: Annotated[str, Field(description="Language of its texts, by which they are cut into words")] = "en"
    ask: Annotated[Ask, Field(description="What is asked of the model")]
    files: Annotated[dict[str, str], Field(description="Split -> file")]
    columns: Annotated[tuple[str, ...], Field(description="Names of columns, for .csv and .tsv without a header")] = ()
    unfold: Annotated[bool, Field(description="Whether files have SQuAD's layout")] = False
    split: Annotated[str, Field(description="The split whose rows are asked")] = "test"
    description: Annotated[str, Field(description="What stands before everything")] = ""
    prompt: Annotated[str, Field(description="The question")] = ""
    choices: Annotated[str | tuple[str, ...] | None, Field(description="The answers to choose from")] = None
    answer: Annotated[str, Field(description="The right answer: its place among the choices, or its text")]
    delimiter: Annotated[str, Field(description="Between question and answer")] = " "
    between: Annotated[str, Field(description="Behind each example")] = "\n\n"
    shots: Annotated[int, Field(ge=0, description="Examples before each question")] = 0
    shots_from: Annotated[str | None, Field(description="The split that examples are drawn from")] = None
    shots_first: Annotated[bool, Field(description="The first rows as examples, instead of drawn ones")] = False
    shots_where: Annotated[
        str | None, Field(description="Column whose value examples share with the question, such as subject")
    ] = None
    metrics: Annotated[tuple[str, ...], Field(description="How answers are marked; the usual ways when left out")] = ()
    take: Annotated[tuple[Take, ...], Field(description="What is taken out of written answers")] = ()
    overlook: Annotated[tuple[str, ...], Field(description="Patterns that exact_match overlooks")] = ()
    overlook_case: Annotated[bool, Field(description="Whether exact_match overlooks case")] = False
    until: Annotated[tuple[str, ...], Field(description="Strings that end a written answer")] = ("\n\n",)
    max_new_tokens: Annotated[int, Field(ge=1, description="Most tokens of a written answer")] = 256
    by: Annotated[tuple[str, ...], Field(description="Columns whose values are marked apart too")] = ()

    def benchmark(self, origin: Path, sources: Sources) -> Benchmark:
        """What it declares.

        raises  UserError for metrics that are not known, or choices that are missing
        """
        output = OUTPUTS[self.ask]
        layout = Layout(self.prompt, self.answer, self.choices, self.delimiter, self.between)
        if output == "multiple_choice" and self.choices is None:
            raise UserError("{path} has no choices, which ask = choices needs", fix="give a column or a list", path=origin)  # fmt: skip
        overlook = {"regexes_to_ignore": self.overlook, "ignore_case": self.overlook_case}
        metrics = tuple(
            Metric(name, options=overlook if name == "exact_match" and output == "generate_until" else {})
            for name in self.metrics or USUAL[output]
        )
        for metric in metrics:
            check_metric(metric, output, own=False)
        given = sources.files or {}
        splits = {
            split: Table(
                (self.file_of(split, file, origin, sources, given),), self.columns, unfold=self.unfold
            )
            for split, file in self.files.items()
        }  # fmt: skip
        return Benchmark(
            name=self.name, output=output, layout=layout,
            examples=Examples(self.shots, layout, self.shots_from, "first_n" if self.shots_first else "default", where=self.shots_where),
            splits=splits, train="train" if "train" in splits else None, test=self.split, description=self.description,
            metrics=metrics, extractions=tuple(one.extraction() for one in self.take) or (PLAIN,),
            generation=Generation(self.until, self.max_new_tokens), by=self.by, language=self.language, origin=origin,
        )  # fmt: skip

    def file_of(self, split: str, file: str, origin: Path, sources: Sources, given: Mapping[str, str]) -> Path:
        """Where a split's file lies: as the person says, else beside the definition, else below the data folder."""
        other = given.get(f"{self.name}/{split}", given.get(self.name) if split == self.split else None)
        return Path(other).expanduser() if other else located(file, origin.parent, sources.data)


def read_definition(path: Path) -> Definition:
    """A definition of a TOML file; UserError where it cannot be read or says what is not known."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("{path} cannot be read: {error}", fix="check the path", path=path, error=error) from None
    return read_settings(Definition, recipe=text)


@cache
def shipped() -> dict[str, Definition]:
    """Those in the package, by name."""
    return {path.stem: read_definition(path) for path in sorted(SHIPPED.glob("*.toml"))}


# --- plain tables --------------------------------------------------------------------------------

QUESTION = ("question", "query", "prompt", "context", "input")
CHOICES = ("choices", "options")
PLACE = ("gold", "label", "answer", "target", "correct")
ANSWER = ("continuation", "answer", "answers", "target", "output", "completion")


def guessed(path: Path) -> Definition:
    """What a table's columns say that it asks, by its first row.

    raises  UserError where they say nothing
    """
    row: Row = next(iter(rows_of(path, Table((path,)))), {})

    def first(names: tuple[str, ...]) -> str | None:
        return next((name for name in names if name in row), None)

    question, choices, place, answer = first(QUESTION), first(CHOICES), first(PLACE), first(ANSWER)
    common = {"name": path.name.partition(".")[0], "files": {"test": str(path.resolve())}}
    if question and choices and place:
        return Definition(ask="choices", prompt=question, choices=choices, answer=place, **common)  # type: ignore[arg-type]
    if question == "context" and answer == "continuation":
        answered = "{{' ' + continuation}}"
        return Definition(ask="continuation", prompt=question, answer=answered, **common)  # type: ignore[arg-type]
    if question and answer:
        metrics = ("exact_match", "answer_f1")
        return Definition(ask="writing", prompt=question, answer=answer, metrics=metrics, until=("\n",), **common)  # type: ignore[arg-type]
    if "text" in row:
        return Definition(ask="running-text", answer="text", **common)  # type: ignore[arg-type]
    raise UserError(
        "{path} has the columns {columns}, which do not say what is asked",
        fix="name them question, choices and answer; context and continuation; question and answer; or text. "
        "Or write a benchmark in TOML",
        path=path,
        columns=", ".join(row),
    )
