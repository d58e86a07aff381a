"""What a model that goes on learning from other text does not forget: old rows replayed, weights held, gradients put right.

Source    the settings of each name its paper; the mathematics is in `objectives.penalties` and `training.gradients`
Differs   an example of the Fisher information is a row of tokens, all of them drawn from the model; what a row gives is
          divided by its tokens, since the loss beside the penalty is a mean over tokens too
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, assert_never

from pydantic import Field

from langwright.errors import UserError
from langwright.stages.sequences.settings import AGEM, EWC, Naive, Replay

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor, nn

    from langwright.training.feed import Examples, Feed
    from langwright.training.gradients import GradientRule
    from langwright.training.loss import Batch, Objective
    from langwright.training.settings import TrainingSettings

    Rows = NDArray[np.int64]


class TextEWC(EWC):
    """Weights are held where training begins, as firmly as their Fisher information on rows of text says (Kirkpatrick et al. 2017, arXiv:1612.00796)."""

    strength: Annotated[float, Field(ge=0, description="What the penalty is multiplied with")] = 100.0


Keeping = Annotated[
    Naive | Replay | TextEWC | AGEM,
    Field(
        discriminator="kind",
        description="What is done so that the domain the model comes from is not forgotten, whose text is the last input: "
        "naive, nothing; replay, some of its rows are learned too; ewc, weights are held as firmly as it needs them; "
        "a-gem, what would raise its loss is taken out of the gradient",
    ),
]


def check_keeping(keeping: Keeping, *, origin: bool) -> None:
    """UserError where something is to be kept and its text was not given."""
    if not isinstance(keeping, Naive) and not origin:
        raise UserError(
            "keeping.kind = {kind} needs text of the domain that the model comes from, and none was given",
            fix="name a dataset of it behind the one to learn from, or leave keeping out",
            kind=keeping.kind,
        )


@dataclass(frozen=True)
class Some:
    """Some rows of other examples: `rows` are their numbers there."""

    examples: Examples
    rows: Rows

    def __len__(self) -> int:
        return len(self.rows)

    def arrange(self, rows: Rows) -> Rows:
        """The examples' own arrangement."""
        return self.examples.arrange(self.rows[rows])

    def batch(self, rows: Rows, epochs: Rows | None = None) -> Batch:
        """See `training.feed.Examples`."""
        return self.examples.batch(self.rows[rows], epochs)


@dataclass(frozen=True)
class Learning:
    """What is minimised, on which rows, by which gradient rule; the settings' own rule where None."""

    objective: Objective[Any]
    feed: Feed
    rule: GradientRule | None = None


@dataclass(frozen=True)
class Kept:
    """How the domain before is kept.

    old  its rows
    """

    keeping: Replay | TextEWC | AGEM
    old: Examples
    seed: int

    def rows(self, new: int) -> int:
        """Rows in one pass over `new` rows, the old ones between them included."""
        return round(new / (1 - self.keeping.share)) if isinstance(self.keeping, Replay) else new

    def around(self, plain: Learning, inner: Objective[Any], model: nn.Module, settings: TrainingSettings) -> Learning:
        """The same with what keeps; the model as it is when training begins.

        inner   the objective without what the settings lay around it
        raises  UserError for an objective that compares rows, with replay, or that has no logits, with EWC
        """
        match self.keeping:
            case Replay():
                return self.replayed(plain, self.keeping)
            case TextEWC():
                return self.held(plain, self.keeping, inner, model)
            case AGEM():
                return self.put_right(plain, self.keeping, inner, model, settings)
        assert_never(self.keeping)

    def some(self, most: int) -> Some:
        """Old rows, drawn once and for all."""
        import numpy as np

        from langwright.data.drawing import draws

        generator = draws(self.seed, 0, 0, "kept rows")
        return Some(self.old, np.sort(generator.choice(len(self.old), min(most, len(self.old)), replace=False)))

    def replayed(self, plain: Learning, own: Replay) -> Learning:
        """Old rows as a share of every update."""
        from langwright.training.mixing import Blend, MixedOrder, Tasks

        if not plain.objective.separable:
            raise UserError(
                "this objective compares the examples of a batch, and with keeping.kind = replay an update has batches of two texts",
                fix="choose keeping.kind = ewc or a-gem, or another objective",
            )
        feed, old = plain.feed, self.some(own.rows)
        order = MixedOrder(self.seed, (len(feed.examples), len(old)), (1 - own.share, own.share))
        both = Tasks({"new": feed.examples, "old": old})
        return replace(plain, feed=Blend(both, order, feed.batch_rows, feed.micro_rows))

    def held(self, plain: Learning, own: TextEWC, inner: Objective[Any], model: nn.Module) -> Learning:
        """Weights anchored where they are, by the Fisher information of old rows."""
        from langwright.objectives.penalties import Anchored, Penalised, fisher_diagonal
        from langwright.objectives.wrapping import own_weights
        from langwright.training.loss import LogitObjective

        if not isinstance(inner, LogitObjective):
            raise UserError(
                "keeping.kind = ewc asks what the model says of old text, and this objective has no logits to say it with",
                fix="choose keeping.kind = replay or a-gem, or another objective",
            )
        rows = list(singles(self.some(own.fisher_rows)))
        tokens = max(1.0, sum(row.units for row in rows) / len(rows))
        whole = fisher_diagonal(model, inner, rows, seed=self.seed)
        found = {name: value / tokens for name, value in whole.items()}
        held = Anchored(own.strength, own_weights(model), found)
        return replace(plain, objective=Penalised(plain.objective, {"ewc": held}))

    def put_right(
        self, plain: Learning, own: AGEM, inner: Objective[Any], model: nn.Module, settings: TrainingSettings
    ) -> Learning:
        """What in a gradient points against that on old rows is taken out."""
        from langwright.data.drawing import draws
        from langwright.training.devices import autocast_type, compute_dtype
        from langwright.training.gradients import AGEM as Rule
        from langwright.training.gradients import build_rule
        from langwright.training.loop import forward_precision

        old = self.some(own.rows)
        autocast = autocast_type(compute_dtype(settings.dtype, next(model.parameters()).device))

        def reference(update: int) -> Tensor:
            generator = draws(self.seed, 0, update, "memory")
            rows = generator.choice(len(old), min(own.batch_rows, len(old)), replace=False)
            with forward_precision(model, autocast):
                loss = inner(model, old.batch(rows))
            return loss.total / max(loss.units, 1)

        return replace(plain, rule=Rule(build_rule(settings.gradients, settings.seed), reference))


def singles(examples: Examples) -> Iterator[Batch]:
    """Each row as a batch of its own."""
    import numpy as np

    for row in range(len(examples)):
        yield examples.batch(np.array([row], dtype=np.int64))
