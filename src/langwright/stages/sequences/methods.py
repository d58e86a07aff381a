"""The methods against forgetting: for each task what is minimised, on which rows, by which gradient rule, and what
is taken down when it has been learned.

Source    the settings of each name its paper; the mathematics is in `objectives` and `training.gradients`
Differs   generative replay trains classifier and writer one after the other, and the writer is told the task by its
          name on the first line (as LAMOL's task token, Sun et al. 2020, arXiv:1909.03329, section 3.3), so that each
          earlier task gets the same number of texts
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from langwright.data.drawing import draws
from langwright.data.order import Order
from langwright.objectives.classification import Classification, TextExamples
from langwright.objectives.forgetting import HeadATask, LwF, worth
from langwright.objectives.penalties import Anchored, Penalised, fisher_diagonal, running
from langwright.objectives.wrapping import own_weights
from langwright.stages.sequences import settings as kinds
from langwright.stages.sequences.tasks import Task
from langwright.training.gradients import AGEM, GradientRule, PathIntegral, build_rule
from langwright.training.loop import forward_precision
from langwright.training.mixing import MixedOrder

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from langwright.training.feed import Order as AnyOrder
    from langwright.training.loss import Objective


@dataclass(frozen=True)
class Ground:
    """What every method stands on."""

    model: PreTrainedModel
    tasks: tuple[Task, ...]
    objective: Classification
    settings: kinds.ContinualSettings
    seed: int
    autocast: torch.dtype | None


@dataclass(frozen=True)
class Study:
    """How a task is learned."""

    objective: Objective[Any]
    examples: TextExamples
    order: AnyOrder
    rule: GradientRule


class Naive:
    """Each task by itself; the others differ from it where they say so."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground

    def study(self, task: int) -> Study:
        """How this task is to be learned, with the model as the one before left it."""
        ground = self.ground
        examples = ground.tasks[task].train
        rule = build_rule(ground.settings.gradients, ground.seed)
        return Study(ground.objective, examples, Order(ground.seed + task, len(examples)), rule)

    def learned(self, task: int) -> None:
        """Take down what later tasks need of this one."""

    def state_dict(self) -> dict[str, Tensor]:
        """What was taken down."""
        return {}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state_dict` gave."""


def kept_rows(ground: Ground, task: int, most: int) -> TextExamples:
    """Some rows of the tasks before this one, as many of each; always the same."""
    found = []
    for number in range(task):
        examples = ground.tasks[number].train
        generator = draws(ground.seed, 0, number, "kept rows")
        rows = np.sort(generator.choice(len(examples), min(most, len(examples)), replace=False))
        found.append(examples.taken(rows))
    return joined(found)


def joined(parts: list[TextExamples]) -> TextExamples:
    """All rows, end to end."""
    return TextExamples(
        [text for part in parts for text in part.texts],
        np.concatenate([part.labels for part in parts]),
        parts[0].pad_id,
        None if parts[0].types is None else [types for part in parts for types in part.types or ()],
    )


def with_old(study: Study, old: TextExamples, share: float, seed: int) -> Study:
    """The same study with old rows making up a share of each update."""
    order = MixedOrder(seed, (len(study.examples), len(old)), (1 - share, share))
    return replace(study, examples=joined([study.examples, old]), order=order)


class Replay(Naive):
    """New rows and kept old ones."""

    def __init__(self, ground: Ground, own: kinds.Replay) -> None:
        super().__init__(ground)
        self.own = own

    def study(self, task: int) -> Study:
        """See `Naive.study`."""
        study = super().study(task)
        if task == 0:
            return study
        old = kept_rows(self.ground, task, self.own.rows)
        return with_old(study, old, self.own.share, self.ground.seed + task)


class AGEMMethod(Naive):
    """A-GEM against the gradient on kept rows."""

    def __init__(self, ground: Ground, own: kinds.AGEM) -> None:
        super().__init__(ground)
        self.own = own

    def study(self, task: int) -> Study:
        """See `Naive.study`."""
        study = super().study(task)
        if task == 0:
            return study
        ground, old = self.ground, kept_rows(self.ground, task, self.own.rows)

        def reference(update: int) -> Tensor:
            generator = draws(ground.seed, task, update, "memory")
            rows = generator.choice(len(old), min(self.own.batch_rows, len(old)), replace=False)
            with forward_precision(ground.model, ground.autocast):
                loss = ground.objective(ground.model, old.batch(rows))
            return loss.total / loss.units

        return replace(study, rule=AGEM(study.rule, reference))


class EWC(Naive):
    """An anchor for each earlier task, or a running one."""

    def __init__(self, ground: Ground, own: kinds.EWC | kinds.OnlineEWC) -> None:
        super().__init__(ground)
        self.own = own
        self.anchors: list[Anchored] = []

    def study(self, task: int) -> Study:
        """See `Naive.study`."""
        study = super().study(task)
        if not self.anchors:
            return study
        held = {f"ewc-{number}": anchor for number, anchor in enumerate(self.anchors)}
        return replace(study, objective=Penalised(study.objective, held))

    def learned(self, task: int) -> None:
        """The Fisher information of this task, at the weights it ended with."""
        ground, own = self.ground, self.own
        examples = ground.tasks[task].train
        generator = draws(ground.seed, 0, task, "fisher")
        rows = np.sort(generator.choice(len(examples), min(own.fisher_rows, len(examples)), replace=False))
        singles = (examples.batch(rows[i : i + 1]) for i in range(len(rows)))
        found = fisher_diagonal(ground.model, ground.objective, singles, seed=ground.seed + task)
        if isinstance(own, kinds.OnlineEWC):
            before = self.anchors[0].importance if self.anchors else None
            found = running(before or {}, found, own.decay)
            self.anchors = []
        self.anchors.append(Anchored(own.strength, own_weights(ground.model), found))

    def state_dict(self) -> dict[str, Tensor]:
        """Anchors and their importance."""
        return {
            f"{n}/{key}": value for n, anchor in enumerate(self.anchors) for key, value in anchor.state_dict().items()
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state_dict` gave."""
        self.anchors = []
        for number in range(len({key.partition("/")[0] for key in state})):
            own = {key.partition("/")[2]: value for key, value in state.items() if key.startswith(f"{number}/")}
            anchor = Anchored(self.own.strength, {})
            anchor.load_state_dict(own)
            self.anchors.append(anchor)


class SynapticIntelligence(Naive):
    """Weights held by what their moves were worth."""

    def __init__(self, ground: Ground, own: kinds.SI) -> None:
        super().__init__(ground)
        self.own = own
        self.importance: dict[str, Tensor] = {}
        self.start: dict[str, Tensor] = {}
        self.path: PathIntegral | None = None

    def study(self, task: int) -> Study:
        """See `Naive.study`."""
        study, weights = super().study(task), own_weights(self.ground.model)
        self.start = {name: weight.detach().clone() for name, weight in weights.items()}
        held = Anchored(2 * self.own.strength, self.start, self.importance) if self.importance else None
        model = self.ground.model
        self.path = PathIntegral(study.rule, weights, None if held is None else lambda: held(model))
        objective = study.objective if held is None else Penalised(study.objective, {"si": held})
        return replace(study, objective=objective, rule=self.path)

    def learned(self, task: int) -> None:
        """What each weight's way through this task was worth."""
        assert self.path is not None  # a task is studied before it is learned
        end = {name: weight.detach() for name, weight in own_weights(self.ground.model).items()}
        self.importance = worth(
            self.path.integral, self.start, end, damping=self.own.damping, before=self.importance or None
        )

    def state_dict(self) -> dict[str, Tensor]:
        """The importance of each weight."""
        return dict(self.importance)

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state_dict` gave."""
        self.importance = dict(state)


class LearningWithoutForgetting(Naive):
    """The old model's answers to earlier tasks kept on the new task's texts."""

    def __init__(self, ground: Ground, own: kinds.LwF) -> None:
        super().__init__(ground)
        self.own = own

    def study(self, task: int) -> Study:
        """See `Naive.study`."""
        import copy

        study, ground = super().study(task), self.ground
        if task == 0:
            return study
        old = [each.classes for each in ground.tasks[:task]]
        # with a head for each task every one of them was a question of its own, else all their classes are one question
        groups = old if isinstance(ground.objective, HeadATask) else [sorted({one for group in old for one in group})]
        objective = LwF(
            ground.objective, copy.deepcopy(ground.model), weight=self.own.weight, temperature=self.own.temperature,
            groups=groups, scored=lambda logits, batch: logits,
        )  # fmt: skip
        return replace(study, objective=objective)


class Joint(Naive):
    """All tasks at once; learned as if it were the last task."""

    def study(self, task: int) -> Study:
        """See `Naive.study`."""
        examples = joined([each.train for each in self.ground.tasks])
        return replace(super().study(task), examples=examples, order=Order(self.ground.seed, len(examples)))
