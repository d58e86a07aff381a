"""Examples of each task that come with the package: `examples/NAME.jsonl`, half of them Chinese and half English.

A line is a row of the task's dataset (its schema in `data.schemas`), from which the task's `ask` makes an input; of a
task without a dataset, a line is an instance of its input, with what a model should write in the field `written` where it
writes (`front.dictation`). All are written for this package, about nobody real. They are what `langwright tasks` shows,
and what the contract test (tests/contract/test_tasks.py) trains a tiny model on.
"""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path
from typing import Any

from langwright.data.schemas import SCHEMAS, Row
from langwright.tasks.declaration import Task, TaskInput


def examples_file(name: str) -> Path:
    """Where the examples of a task lie."""
    return Path(str(resources.files("langwright.tasks").joinpath("examples", f"{name}.jsonl")))


def example_lines(task: Task) -> list[str]:
    """The lines of a task's examples; none where there are none."""
    file = examples_file(task.name)
    return file.read_text(encoding="utf-8").splitlines() if file.is_file() else []


def example_rows(task: Task) -> list[Row]:
    """The examples of a task with a dataset, as its rows."""
    return [SCHEMAS[task.dataset].model_validate_json(line) for line in example_lines(task)]


def example_inputs(task: Task) -> list[TaskInput]:
    """The examples of a task as its inputs."""
    if task.ask is not None:
        return [task.ask(row) for row in example_rows(task)]
    return [task.input.model_validate(asked) for asked, _ in written_examples(task)]


def written_examples(task: Task) -> list[tuple[dict[str, Any], list[str]]]:
    """The examples of a task without a dataset: the fields of its input, and what a model should write to them."""
    found = []
    for line in example_lines(task):
        fields = json.loads(line)
        written = fields.pop("written", [])
        found.append((fields, [written] if isinstance(written, str) else written))
    return found
