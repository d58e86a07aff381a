"""The tasks of a sequence: their rows as token ids, their classes, and which labels may be answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from langwright.errors import UserError
from langwright.runlog import Warned
from langwright.stages.declaration import Work

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from langwright.data.dataset import Dataset
    from langwright.objectives.classification import TextExamples
    from langwright.stages.sequences.settings import ContinualSettings

Scenario = Literal["domain", "task", "class"]


@dataclass(frozen=True)
class Task:
    """One task.

    texts    of the training rows, as they were read
    classes  the numbers of its labels
    """

    name: str
    train: TextExamples
    test: TextExamples
    texts: tuple[str, ...]
    classes: tuple[int, ...]


@dataclass(frozen=True)
class Curriculum:
    """The tasks in their order.

    labels  of all classes, by number
    """

    tasks: tuple[Task, ...]
    labels: tuple[str, ...]
    scenario: Scenario
    length: int


def read_curriculum(work: Work, tokenizer: PreTrainedTokenizerBase, length: int) -> Curriculum:
    """Open and encode the datasets.

    raises  UserError for fewer than two tasks, two of one name, rows of another schema, no rows to measure on, or
            labels that do not suit the scenario
    """
    from langwright.training.preflight import inspect_labels

    settings: ContinualSettings = work.settings
    datasets = opened(work)
    names = [dataset.path.name for dataset in datasets]
    known = [tuple(sorted(inspect_labels(list(dataset.labels("train"))))) for dataset in datasets]
    scenario = scenario_of(settings.scenario, known)
    labels, classes = numbered(scenario, names, known)
    tasks = []
    for number, dataset in enumerate(datasets):
        split = split_of(dataset, settings.split)
        train, texts = encoded(work, dataset, "train", tokenizer, known[number], length, settings.rows)
        test, _ = encoded(work, dataset, split, tokenizer, known[number], length, settings.test_rows)
        tasks.append(
            Task(
                names[number],
                renumbered(train, classes[number]),
                renumbered(test, classes[number]),
                texts,
                classes[number],
            )
        )
    return Curriculum(tuple(tasks), labels, scenario, length)


def opened(work: Work) -> list[Dataset]:
    """The datasets of the work."""
    from langwright.data.dataset import open_dataset

    datasets = [open_dataset(artifact.path) for artifact in work.artifacts["dataset"]]
    names = [dataset.path.name for dataset in datasets]
    if len(datasets) < 2:
        raise UserError(
            "a sequence needs two tasks or more, and {count} dataset was given",
            fix="name several datasets before the output, in the order in which they are to be learned",
            count=len(datasets),
        )
    if len(set(names)) < len(names):
        raise UserError(
            "two of the datasets are called {name}, and tasks are told apart by name",
            fix="rename one of the folders",
            name=next(name for name in names if names.count(name) > 1),
        )
    for dataset in datasets:
        if dataset.schema_name != "classification":
            raise UserError(
                "{path} holds rows of schema {found}, and this task learns from {schema}",
                fix="read the data again with `langwright data read SOURCE OUT --schema {schema}`, or choose another --task",
                path=dataset.path,
                found=dataset.schema_name,
                schema="classification",
            )
    return datasets


def split_of(dataset: Dataset, wanted: str) -> str:
    """The split to measure on; UserError when there is none beside the training rows."""
    candidates = ("validation", "test") if wanted == "auto" else (wanted,)
    found = [split for split in candidates if split in dataset.splits]
    if not found:
        raise UserError(
            "dataset {path} has no split called {split!r}",
            fix="it has {splits}; splits are made by `langwright data read`",
            path=dataset.path,
            split=candidates[0],
            splits=", ".join(dataset.splits),
        )
    return found[0]


def scenario_of(wanted: str, known: Sequence[tuple[str, ...]]) -> Scenario:
    """The scenario; UserError where tasks have other labels and are to share theirs."""
    same = len(set(known)) == 1
    if wanted == "domain" and not same:
        other = next(labels for labels in known if labels != known[0])
        raise UserError(
            "scenario = domain wants the same labels in every task, and one has {first}, another {second}",
            fix="set scenario to task or class, or read the data again with the same labels",
            first=", ".join(known[0]),
            second=", ".join(other),
        )
    if wanted == "auto":
        return "domain" if same else "task"
    return wanted  # type: ignore[return-value]


def numbered(
    scenario: Scenario, names: Sequence[str], known: Sequence[tuple[str, ...]]
) -> tuple[tuple[str, ...], tuple[tuple[int, ...], ...]]:
    """All labels, and for each task the numbers of its own, in the order of its own."""
    own = [tuple(f"{name}/{label}" if scenario == "task" else label for label in labels) for name, labels in zip(names, known, strict=True)]  # fmt: skip
    labels = tuple(dict.fromkeys(label for each in own for label in each))
    number = {label: index for index, label in enumerate(labels)}
    return labels, tuple(tuple(number[label] for label in each) for each in own)


def encoded(
    work: Work,
    dataset: Dataset,
    split: str,
    tokenizer: PreTrainedTokenizerBase,
    labels: tuple[str, ...],
    length: int,
    most: int | None,
) -> tuple[TextExamples, tuple[str, ...]]:
    """A split as token ids with the task's own label numbers, and as texts; at most so many rows, drawn."""
    from langwright.data.drawing import draws
    from langwright.stages.lessons.classification import labelled_texts

    found, cut = labelled_texts(dataset, split, tokenizer, labels, length)
    if cut:
        work.log.write(
            Warned(
                message="{cut} of {all} examples are longer than a row and were cut",
                values={"cut": cut, "all": len(found)},
            )
        )
    texts = tuple(dataset.texts(split))
    if most is None or most >= len(found):
        return found, texts
    generator = draws(work.settings.seed, 0, 0, f"rows of {dataset.path.name} {split}")
    kept = np.sort(generator.choice(len(found), most, replace=False))
    return found.taken(kept), tuple(texts[i] for i in kept)


def renumbered(examples: TextExamples, classes: tuple[int, ...]) -> TextExamples:
    """The same rows with the sequence's label numbers."""
    from dataclasses import replace

    return replace(examples, labels=np.array(classes, dtype=np.int64)[examples.labels])
