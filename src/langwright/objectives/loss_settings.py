"""Which loss a task is taught with: declarations, and the functions they stand for. Imports nothing heavy at the top."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from langwright.errors import UserError
from langwright.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

    from langwright.objectives.classification import UnitLosses

Weighting = Literal["none", "balanced", "effective"]
WEIGHTS = (
    "What an example of a rare class counts for: none, all the same; balanced, by inverse frequency; effective, "
    "by effective number (Cui et al. 2019, arXiv:1901.05555)"
)
BETA = "With effective weights: 0 weighs nothing, towards 1 as balanced"
FOCUS = "How little counts what is right already: 0 is no focus"
MARGIN = "By how much the right one should be ahead"


class Usual(Settings):
    """The one that is usual for the task."""

    kind: Literal["auto"] = "auto"


class CrossEntropy(Settings):
    """Negative log-probability of the right class."""

    kind: Literal["cross-entropy"] = "cross-entropy"
    smoothing: Annotated[
        float, Field(ge=0, lt=1, description="Label smoothing: this share is spread over all classes")
    ] = 0.0
    weights: Annotated[Weighting, Field(description=WEIGHTS)] = "none"
    beta: Annotated[float, Field(ge=0, lt=1, description=BETA)] = 0.999


class Focal(Settings):
    """Cross-entropy that counts little what is right already (Lin et al. 2017, arXiv:1708.02002)."""

    kind: Literal["focal"] = "focal"
    focus: Annotated[float, Field(ge=0, description=FOCUS)] = 2.0
    weights: Annotated[Weighting, Field(description=WEIGHTS)] = "none"
    beta: Annotated[float, Field(ge=0, lt=1, description=BETA)] = 0.999


class BinaryCrossEntropy(Settings):
    """Each label a question of its own, where a text may have several."""

    kind: Literal["binary-cross-entropy"] = "binary-cross-entropy"
    focus: Annotated[float, Field(ge=0, description=FOCUS)] = 0.0


class Hinge(Settings):
    """How far the best wrong class comes within a margin of the right one."""

    kind: Literal["hinge"] = "hinge"
    margin: Annotated[float, Field(gt=0, description=MARGIN)] = 1.0


class SquaredError(Settings):
    """The square of how far a number is off."""

    kind: Literal["squared-error"] = "squared-error"


class Ranking(Settings):
    """Whether of two the better one has the larger score: of two texts of a batch, or of the right answer and another."""

    kind: Literal["ranking"] = "ranking"
    form: Annotated[
        Literal["logistic", "hinge"], Field(description="logistic has no margin and never ends; hinge stops at it")
    ] = "logistic"
    margin: Annotated[float, Field(gt=0, description=MARGIN)] = 1.0


TaskLoss = Annotated[
    Usual | CrossEntropy | Focal | BinaryCrossEntropy | Hinge | SquaredError | Ranking,
    Field(discriminator="kind", description="What a wrong answer costs"),
]
WRITING = ("translation", "summarization", "correction", "code")  # one text from another
CLASSES = ("auto", "cross-entropy", "focal", "hinge")
NUMBERS = ("auto", "squared-error", "ranking")
FITTING: dict[str, tuple[str, ...]] = {
    "chat": ("auto",), "embedding": ("auto",), "classification": (*CLASSES, "binary-cross-entropy"), "pair": (*CLASSES, *NUMBERS[1:]),
    "regression": NUMBERS, "similarity": NUMBERS, "relation": CLASSES, "tagging": CLASSES, "qa": ("auto", "cross-entropy"), "choice": ("auto", "cross-entropy", "hinge", "ranking"),
    **dict.fromkeys(WRITING, ("auto", "cross-entropy")),
}  # fmt: skip
"""By task: kinds of losses that it can be taught with."""
OPEN_CLASSES = ("qa", "choice")  # how many there are differs by row


def check_loss(task: str, loss: TaskLoss) -> None:
    """UserError where a task cannot be taught with a loss."""
    if task in FITTING:
        must_be(loss, FITTING[task], task)
    if task in WRITING and isinstance(loss, CrossEntropy) and loss.weights != "none":
        raise UserError(
            "loss.weights = {weights} weighs classes, and task = {task} has none",
            fix="leave loss.weights out",
            weights=loss.weights,
            task=task,
        )
    if task in OPEN_CLASSES and isinstance(loss, CrossEntropy) and (loss.weights != "none" or (task == "choice" and loss.smoothing)):  # fmt: skip
        raise UserError(
            "{names} were given together, and the classes of {task} are other ones in every row",
            fix="leave loss.weights out, and with choice loss.smoothing too",
            names=f"task = {task}, loss.weights = {loss.weights}, loss.smoothing = {loss.smoothing}",
            task=task,
        )


def must_be(loss: TaskLoss, kinds: Sequence[str], task: str) -> None:
    """UserError for a loss of another kind."""
    if loss.kind not in kinds:
        raise UserError(
            "loss.kind = {kind} does not go with {task}",
            fix="choose one of: {choices}",
            kind=loss.kind,
            task=task,
            choices=", ".join(kinds),
        )


def class_losses(loss: TaskLoss, counts: Sequence[int]) -> UnitLosses:
    """(logits (U, C), right class (U,)) -> (U,).

    counts  training examples of each class, by which rare ones are weighted; empty where none can be
    """
    from langwright.objectives import losses

    match loss:
        case Hinge():
            return partial(losses.hinge, margin=loss.margin)
        case Ranking():
            return among(pair_losses(loss))
        case CrossEntropy() | Focal():
            smoothing, focus = (loss.smoothing, 0.0) if isinstance(loss, CrossEntropy) else (0.0, loss.focus)
            return partial(losses.cross_entropy, smoothing=smoothing, focus=focus, class_weights_C=weights_of(loss, counts))  # fmt: skip
        case _:
            return losses.cross_entropy


def weights_of(loss: CrossEntropy | Focal, counts: Sequence[int]) -> Tensor | None:
    """What an example of each class counts for, shape (C,); None where all count the same."""
    from langwright.objectives.losses import balanced_weights

    if loss.weights == "none":
        return None
    # A tag that no row has is never right, so what it would count for does not matter.
    return balanced_weights([max(1, count) for count in counts], None if loss.weights == "balanced" else loss.beta)


def label_losses(loss: TaskLoss) -> UnitLosses:
    """(logits (U, C), which labels hold (U, C)) -> (U,)."""
    from langwright.objectives.losses import binary_cross_entropy

    return partial(binary_cross_entropy, focus=loss.focus if isinstance(loss, BinaryCrossEntropy) else 0.0)


def pair_losses(loss: Ranking) -> Callable[[Tensor, Tensor], Tensor]:
    """(scores of the better, scores of the worse) -> a loss a pair."""
    from langwright.objectives.losses import ranking_hinge, ranking_logistic

    return partial(ranking_hinge, margin=loss.margin) if loss.form == "hinge" else ranking_logistic


def among(pairwise: Callable[[Tensor, Tensor], Tensor]) -> UnitLosses:
    """The right one of several scores against each of the others: (scores (U, C), right (U,)) -> (U,), summed over the others."""
    import torch

    def losses(scores_UC: Tensor, right_U: Tensor) -> Tensor:
        better_U1 = scores_UC.gather(-1, right_U[:, None])
        others_UC = torch.ones_like(scores_UC, dtype=torch.bool).scatter(-1, right_U[:, None], False)
        return (pairwise(better_U1.expand_as(scores_UC), scores_UC) * others_UC).sum(-1)

    return losses
