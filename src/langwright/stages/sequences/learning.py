"""A sequence carried out: each method and seed goes through the tasks, and can be taken up again at any of them.

checkpoints/METHOD-SEED-TASK/          a task that was learned: row.json, and until the next one is, the weights
checkpoints/METHOD-SEED-TASK.steps/    the training loop's own checkpoints while it is being learned
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from langwright.evaluation.experiments.sequences import Learned
from langwright.runlog import Event, Progressed, RunLog, Warned
from langwright.stages.declaration import Work
from langwright.stages.sequences import methods
from langwright.stages.sequences import settings as kinds
from langwright.stages.sequences.methods import Ground, Naive
from langwright.stages.sequences.tasks import Curriculum
from langwright.training.checkpoints import stored, write_synced
from langwright.training.devices import autocast_type
from langwright.training.evaluating import evaluate_loss
from langwright.training.feed import Feed, whole_epoch
from langwright.training.fit import Fit, Plan, fit
from langwright.training.planning import steps_for

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from langwright.objectives.classification import Classification

DEFAULT_EPOCHS = 3.0


@dataclass(frozen=True)
class Programme:
    """What all runs share.

    fresh   the model as a run begins with it, its head drawn by the seed
    writer  the model that generative replay's writer begins as
    """

    work: Work
    curriculum: Curriculum
    plan: Plan
    objective: Classification
    tokenizer: PreTrainedTokenizerBase
    fresh: Callable[[int], PreTrainedModel]
    writer: Callable[[], PreTrainedModel]

    @property
    def settings(self) -> kinds.ContinualSettings:
        """Of the stage."""
        settings: kinds.ContinualSettings = self.work.settings
        return settings

    def steps(self, method: kinds.Method, task: int) -> int:
        """Updates of a task; joint training makes those of all tasks."""
        sizes = [len(each.train) for each in self.curriculum.tasks]
        each = [steps_for(self.settings.steps, self.settings.epochs or DEFAULT_EPOCHS, size, self.plan.batch_rows) for size in sizes]  # fmt: skip
        return sum(each) if method.kind == "joint" else each[task]


def learn_all(sequence: Programme) -> Iterator[tuple[Learned, PreTrainedModel]]:
    """Every method with every seed, seed by seed, and the model each ends with."""
    settings = sequence.settings
    count = len(sequence.curriculum.tasks)
    total = settings.seeds * sum(1 if method.kind == "joint" else count for method in settings.methods)
    done = 0
    for seed in range(settings.seed, settings.seed + settings.seeds):
        for method in settings.methods:
            run = Run(sequence, method, seed)
            for _ in run.go():
                done += 1
                sequence.work.log.write(Progressed(what="tasks learned", done=done, total=total))
            yield run.learned(), run.model


class Run:
    """One method with one seed."""

    def __init__(self, sequence: Programme, method: kinds.Method, seed: int) -> None:
        self.sequence, self.method, self.seed = sequence, method, seed
        self.tasks = sequence.curriculum.tasks
        self.settings = sequence.settings.model_copy(update={"seed": seed})
        self.model = sequence.fresh(seed)
        ground = Ground(
            self.model, self.tasks, sequence.objective, self.settings, seed,
            autocast_type(sequence.plan.dtype),
        )  # fmt: skip
        self.way = self.begun(ground)
        self.before: list[float] = []
        self.rows: list[list[float]] = []

    def begun(self, ground: Ground) -> Naive:
        """The method, nothing learned yet."""
        method = self.method
        match method:
            case kinds.Naive():
                return methods.Naive(ground)
            case kinds.Replay():
                return methods.Replay(ground, method)
            case kinds.GenerativeReplay():
                from langwright.stages.sequences.writer import GenerativeReplay

                folder = self.folder(0).with_name(f"{method.kind}-{self.seed}.writer")
                return GenerativeReplay(
                    ground, method, writer=self.sequence.writer(), tokenizer=self.sequence.tokenizer,
                    plan=self.sequence.plan, folder=folder, log=self.log,
                )  # fmt: skip
            case kinds.EWC() | kinds.OnlineEWC():
                return methods.EWC(ground, method)
            case kinds.SI():
                return methods.SynapticIntelligence(ground, method)
            case kinds.LwF():
                return methods.LearningWithoutForgetting(ground, method)
            case kinds.AGEM():
                return methods.AGEMMethod(ground, method)
            case kinds.Joint():
                return methods.Joint(ground)
        assert_never(method)

    def go(self) -> Iterator[int]:
        """Learn task after task, or take up what was learned of them before; yields each when it is done."""
        last = len(self.tasks) - 1
        places = [last] if self.method.kind == "joint" else list(range(len(self.tasks)))
        whole = [task for task in places if (self.folder(task) / "manifest.json").is_file()]
        for task in whole:
            found = json.loads((self.folder(task) / "row.json").read_bytes())
            self.before, self.rows = found["before"], [*self.rows, found["row"]]
            yield task
        if whole:
            self.take_up(whole[-1])
        else:
            self.before = self.accuracies()
        for task in places[len(whole) :]:
            self.learn(task)
            self.rows.append(self.accuracies())
            self.write(task)
            if task != places[0]:
                self.let_go(task - 1)
            yield task

    def learn(self, task: int) -> None:
        """Train on one task with the one loop, then let the method take down what it needs."""
        sequence = self.sequence
        study = self.way.study(task)
        plan = sequence.plan.model_copy(update={"steps": sequence.steps(self.method, task)})
        folder = self.folder(task)
        log = self.log(str(task))
        try:
            fit(
                Fit(
                    model=self.model,
                    objective=study.objective,
                    feed=Feed(study.examples, study.order, plan.batch_rows, plan.micro_rows),
                    validation=self.tasks[task].test if sequence.settings.patience is not None else None,
                    plan=plan,
                    settings=self.settings,
                    checkpoints=folder.with_name(folder.name + ".steps"),
                    run=self.run_folder(str(task)),
                    log=log,
                    gradients=study.rule,
                )
            )
        finally:
            log.close()
        self.way.learned(task)

    def accuracies(self) -> list[float]:
        """On every task's held-out rows, learned or not."""
        plan, objective = self.sequence.plan, self.sequence.objective
        return [
            evaluate_loss(self.model, objective, whole_epoch(task.test, plan.micro_rows), plan.dtype)["accuracy"]
            for task in self.tasks
        ]

    def learned(self) -> Learned:
        """What came of it."""
        return Learned(self.method.kind, self.seed, tuple(map(tuple, self.rows)), tuple(self.before))

    # --- on disk ------------------------------------------------------------------------------------

    def folder(self, task: int) -> Path:
        """Where a task that was learned lies."""
        return self.sequence.work.making.checkpoints / f"{self.method.kind}-{self.seed}-{task}"

    def run_folder(self, part: str) -> Path:
        """Events of one part of this run."""
        folder = self.sequence.work.making.run / f"{self.method.kind}-{self.seed}" / part
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def log(self, part: str) -> RunLog:
        """Its own events; warnings go to the whole run's log too."""

        def warnings(event: Event) -> None:
            if isinstance(event, Warned):
                self.sequence.work.log.write(event)

        return RunLog(self.run_folder(part) / "events.jsonl", warnings)

    def write(self, task: int) -> None:
        """Make a learned task whole on disk; its training's checkpoints are not needed any more."""
        final = self.folder(task)
        scratch = final.with_name(final.name + ".new")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        weights = dict(self.model.named_parameters())
        write_synced(scratch / "model.safetensors", save_tensors(stored(weights)))
        write_synced(scratch / "method.safetensors", save_tensors(stored(self.way.state_dict())))
        write_synced(scratch / "row.json", json.dumps({"before": self.before, "row": self.rows[-1]}).encode())
        write_synced(scratch / "manifest.json", b"{}\n")
        shutil.rmtree(final, ignore_errors=True)
        scratch.rename(final)
        shutil.rmtree(final.with_name(final.name + ".steps"), ignore_errors=True)

    def take_up(self, task: int) -> None:
        """The model and the method as this task left them."""
        folder = self.folder(task)
        weights = load_tensors((folder / "model.safetensors").read_bytes())
        with torch.no_grad():
            for name, weight in self.model.named_parameters():
                weight.copy_(weights[name])
        self.way.load_state_dict(load_tensors((folder / "method.safetensors").read_bytes()))

    def let_go(self, task: int) -> None:
        """Remove the weights of a task that a later one has built on."""
        for name in ("model.safetensors", "method.safetensors"):
            (self.folder(task) / name).unlink(missing_ok=True)
