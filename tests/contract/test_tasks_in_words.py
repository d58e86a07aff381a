"""Every task that is done in words: its shipped examples hold what they show, and teach a small model to write so.

The way is the one of `langwright tasks TASK`: rows of the task's input with what should be written become conversations,
a model learns them, is asked the task itself, saved, opened, asked again, and measured twice: by the texts it was taught,
and by the task's own verifiers; programs by their own tests.
"""

from __future__ import annotations

import json
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from tests.contract.test_tasks import ISOLATION, near, round_trip, stage
from tests.tasks.scribe import asked_and_written, write_scribe

from langwright.data.schemas import ChatRow
from langwright.inference.protocol import Sampling
from langwright.measures import read_report
from langwright.metrics.containment import CONTAINMENT
from langwright.tasks import TASKS
from langwright.tasks.code import ProgramOutput
from langwright.tasks.declaration import TaskInput, TaskOutput
from langwright.tasks.examples import examples_file, written_examples
from langwright.tasks.front.dictation import dictated, faults
from langwright.tasks.front.loading import load
from langwright.tasks.front.model import Model
from langwright.workspace import Workspace

pytest.importorskip("pypinyin", reason="the checker of Chinese verse needs it")

IN_WORDS = [task.name for task in TASKS.values() if any(written for _, written in written_examples(task))]
RUN = {"sandbox": {"allow": True, "seconds": 20.0, "isolation": ISOLATION}}
"""Debugging runs the programs of its examples; they are ours."""
LEAST = 0.95
PASSES = {"composition": 80}  # the texts that say most
QUICK = ("grounded-answer", "poem")
"""Learned in `make test` too; the others in `make prove`."""


def shipped(task: str) -> list[tuple[TaskInput, list[str]]]:
    """The examples of a task, and what is to be written to each."""
    return asked_and_written(TASKS[task], **(RUN if task == "debugging" else {}))


@cache
def shown(task: str) -> list[tuple[TaskInput, TaskOutput, list[ChatRow]]]:
    """Each example of a task with what the task gives where it is written so, and the conversations that teach that."""
    return [(asked, *dictated(TASKS[task], asked, texts)) for asked, texts in shipped(task)]


def lesson(task: str) -> list[ChatRow]:
    """The conversations that teach a task."""
    return [row for _, _, rows in shown(task) for row in rows]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with one small model that knows the words of all examples and nothing of their order."""
    folder = tmp_path_factory.mktemp("words")
    rows = (row for task in IN_WORDS if task != "debugging" for row in lesson(task))
    programs = (text for asked, texts in shipped("debugging") for text in (str(asked), *texts))
    write_scribe(folder / "scribe", [*(turn.content for row in rows for turn in row.messages), *programs])
    return Workspace(folder)


def test_tasks_without_rows_of_their_own_are_shown_in_words() -> None:
    untaught = {
        "keywords",
        "analyze",
        "embedding",
        "fill",
        "score",
    }  # these choose, weigh and compare: nothing is written
    assert {task.name for task in TASKS.values() if not task.dataset} - untaught == set(IN_WORDS)


@pytest.mark.parametrize("task", IN_WORDS)
def test_every_example_holds_what_its_task_asks_for(task: str) -> None:
    written = [texts for _, texts in written_examples(TASKS[task])]
    assert len(written) == 32 and all(written)
    assert len(lesson(task)) == sum(map(len, written))  # `dictated` refuses a text that leaves its form
    assert len({text for texts in written for text in texts}) >= 16
    for asked, found, _ in shown(task):
        assert right(found)
        round_trip(task, asked, found)


def marks_of(task: str) -> list[pytest.MarkDecorator]:
    """Of a task's test."""
    shows = {"debugging": ("G16", "a small model learns to mend the shipped faults, and its programs pass their tests")}
    marks = [pytest.mark.spec(*shows[task])] if task in shows else []
    return marks if task in QUICK else [*marks, pytest.mark.heavy]


def greedy(asked: TaskInput) -> TaskInput:
    """The likeliest text, drawn once."""
    once = {"sampling": Sampling(max_new_tokens=400, seed=1)} | ({"tries": 1} if hasattr(asked, "tries") else {})
    return asked.model_copy(update=once)


def right(found: TaskOutput) -> bool:
    """Whether it holds everything that is looked at; a program, whether its tests pass."""
    return bool(found.passed) if isinstance(found, ProgramOutput) else not list(faults(found))


def answers(model: Model, task: str, asked: list[TaskInput]) -> list[TaskOutput]:
    """What the model gives, with its model-made parts alone."""
    return [model.solve(task, one) for one in asked]


def data_of(world: Workspace, task: str) -> Path:
    """The examples as a dataset, read as a person would; programs are not run by reading, so those come as conversations."""
    source, given = world.folder / f"{task}.jsonl", {"split.validation": 0}
    if task == "debugging":
        source.write_text("".join(row.model_dump_json() + "\n" for row in lesson(task)), encoding="utf-8")
        given |= {"schema_name": "chat"}
    else:
        shutil.copy(examples_file(task), source)
        given |= {"task": task}
    return stage(world, "data-read", {"source": [source]}, f"{task}-data", **given).path


@pytest.mark.spec("AP1", "tasks done in words are learned from their own examples, by what their verifiers find too")
@pytest.mark.parametrize("task", [pytest.param(task, marks=marks_of(task)) for task in IN_WORDS])
def test_a_task_in_words_is_learned_asked_and_measured(world: Workspace, task: str) -> None:
    data = data_of(world, task)
    learning: dict[str, Any] = {
        "task": "chat", "epochs": PASSES.get(task, 50), "learning_rate": 3e-3, "batch_rows": 1, "dropout": 0.0, "device": "cpu",
        "dtype": "float32", "compile": "off", "seed": 1,
    }  # fmt: skip
    made = stage(
        world, "finetune", {"model": [world.folder / "scribe"], "dataset": [data]}, f"{task}-model", **learning
    )
    asked = [greedy(one) for one, _ in shipped(task)]
    with load(made.path) as model:
        first = answers(model, task, asked)
    for one, found in zip(asked[::8], first[::8], strict=True):
        round_trip(task, one, found)
    assert sum(map(right, first)) >= LEAST * len(first), [list(faults(one)) for one in first if not right(one)]
    moved = world.folder / f"{task}-moved"
    shutil.copytree(made.path, moved)
    with load(moved) as model:
        again = answers(model, task, asked[::8])
    assert all(near(one.model_dump(), two.model_dump()) for one, two in zip(first[::8], again, strict=True))
    given = {"task": "chat", "split": "train", "max_new_tokens": 400, "baselines": False}
    report = stage(world, "evaluate", {"model": [made.path], "dataset": [data]}, f"{task}-report", **given)
    shares = [one.value for one in read_report(report.path / "report.json").measures if one.name == CONTAINMENT.name]
    assert shares and shares[0] >= LEAST, json.dumps(shares)
