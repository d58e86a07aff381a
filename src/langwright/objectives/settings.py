"""What may be laid around an objective, and what a wrong label costs: declarations. Imports nothing heavy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, assert_never

from pydantic import Field, model_validator

from langwright.errors import UserError
from langwright.settings import Settings
from langwright.training.settings import TrainingSettings

if TYPE_CHECKING:
    from torch import nn

    from langwright.training.loss import LogitObjective, Objective

RADIUS = "Length of the change of a row's embeddings"
STEP = "Length of one step of the change"
STEPS = "Steps of the change"
WEIGHT = "Weight of what is added to the loss"


class FGM(Settings):
    """Train also on each example moved a step up its gradient (Miyato et al. 2017, arXiv:1605.07725); about 2.3 times the time."""

    kind: Literal["fgm"] = "fgm"
    epsilon: Annotated[float, Field(ge=0, description=RADIUS)] = 1.0
    weight: Annotated[float, Field(ge=0, description=WEIGHT)] = 1.0


class PGD(Settings):
    """Train also on the worst point found in a ball by several steps (Madry et al. 2018, arXiv:1706.06083)."""

    kind: Literal["pgd"] = "pgd"
    epsilon: Annotated[float, Field(ge=0, description=RADIUS)] = 1.0
    step_size: Annotated[float, Field(gt=0, description=STEP)] = 0.3
    steps: Annotated[int, Field(ge=1, description=STEPS)] = 3
    weight: Annotated[float, Field(ge=0, description=WEIGHT)] = 1.0


class FreeLB(Settings):
    """Train on the mean of the losses along the way to the worst point (Zhu et al. 2020, arXiv:1909.11764)."""

    kind: Literal["freelb"] = "freelb"
    epsilon: Annotated[float, Field(ge=0, description=RADIUS)] = 1.0
    step_size: Annotated[float, Field(gt=0, description=STEP)] = 0.3
    steps: Annotated[int, Field(ge=1, description=STEPS)] = 3


class VAT(Settings):
    """Ask that the prediction moves little under the change that moves it most, labels aside (Miyato et al. 2018, arXiv:1704.03976)."""

    kind: Literal["vat"] = "vat"
    epsilon: Annotated[float, Field(ge=0, description=RADIUS)] = 1.0
    probe: Annotated[float, Field(gt=0, description="Length of the change with which the direction is looked for")] = (
        0.1
    )
    iterations: Annotated[int, Field(ge=1, description="Power iterations that look for the direction")] = 1
    weight: Annotated[float, Field(ge=0, description=WEIGHT)] = 1.0


class RDrop(Settings):
    """Ask that two passes with different dropout agree (Liang et al. 2021, arXiv:2106.14448); twice the time."""

    kind: Literal["r-drop"] = "r-drop"
    weight: Annotated[float, Field(ge=0, description=WEIGHT)] = 1.0


class LwF(Settings):
    """Ask that the model go on saying what it said before this training began (Li & Hoiem 2017, arXiv:1606.09282); one more forward pass."""

    kind: Literal["lwf"] = "lwf"
    weight: Annotated[float, Field(ge=0, description=WEIGHT)] = 1.0
    temperature: Annotated[float, Field(gt=0, description="What both models' logits are divided by")] = 2.0


class L1(Settings):
    """Add the weights' absolute values to the loss, which drives them to zero."""

    kind: Literal["l1"] = "l1"
    strength: Annotated[float, Field(ge=0, description="What the penalty is multiplied with")] = 1e-5


class L2(Settings):
    """Add half the weights' squares to the loss; with AdamW its own weight decay is usually better."""

    kind: Literal["l2"] = "l2"
    strength: Annotated[float, Field(ge=0, description="What the penalty is multiplied with")] = 1e-3


class L2SP(Settings):
    """Pull the weights towards where this training began (Li et al. 2018, arXiv:1802.01483)."""

    kind: Literal["l2-sp"] = "l2-sp"
    strength: Annotated[float, Field(ge=0, description="What the penalty is multiplied with")] = 1e-2


Around = Annotated[FGM | PGD | FreeLB | VAT | RDrop | LwF | L1 | L2 | L2SP, Field(discriminator="kind")]
HOOKED = (FGM, PGD, FreeLB, VAT)  # these reach into the forward pass, which a compiled model does not allow
LAYERS: tuple[tuple[type[Settings], ...], ...] = (
    (VAT, RDrop, LwF),
    (FGM, PGD, FreeLB),
    (L1, L2, L2SP),
)  # from the inside out


def layer_of(one: Around) -> int:
    """The first asks for logits, the second perturbs what it is around, and a penalty is to be counted once."""
    return next(number for number, kinds in enumerate(LAYERS) if isinstance(one, kinds))


def check_around(around: tuple[Around, ...]) -> None:
    """UserError where two take the same place: two penalties may stand together, two of the others may not."""
    for number, kinds in enumerate(LAYERS[:-1]):
        those = [one.kind for one in around if layer_of(one) == number]
        if len(those) > 1:
            raise UserError(
                "{given} were asked for together, and a loss can have one of {choices} around it",
                fix="keep one of them",
                given=", ".join(those),
                choices=", ".join(kind.model_fields["kind"].default for kind in kinds),
            )


def compilable(around: tuple[Around, ...]) -> bool:
    """Whether a model may be compiled with these around its objective."""
    return not any(isinstance(one, HOOKED) for one in around)


def wrapped(objective: Objective[Any], around: tuple[Around, ...], model: nn.Module) -> Objective[Any]:
    """The objective with these around it, from the inside out.

    model   as it is when training begins, which is where L2-SP holds its weights and LwF its answers
    raises  UserError for one that compares predictions, around an objective that makes none of the usual form
    """
    import copy

    from langwright.objectives import adversarial, consistency, forgetting, penalties
    from langwright.objectives.wrapping import own_weights

    found: Objective[Any] = objective
    for one in sorted(around, key=layer_of):
        match one:
            case VAT():
                inner = with_logits(objective, one)
                found = consistency.VAT(inner, epsilon=one.epsilon, probe=one.probe, iterations=one.iterations, weight=one.weight)  # fmt: skip
            case RDrop():
                found = consistency.RDrop(with_logits(objective, one), weight=one.weight)
            case LwF():
                inner = with_logits(objective, one)
                found = forgetting.LwF(inner, copy.deepcopy(model), weight=one.weight, temperature=one.temperature)
            case FGM():
                found = adversarial.FGM(found, epsilon=one.epsilon, weight=one.weight)
            case PGD():
                found = adversarial.PGD(found, epsilon=one.epsilon, step_size=one.step_size, steps=one.steps, weight=one.weight)  # fmt: skip
            case FreeLB():
                found = adversarial.FreeLB(found, epsilon=one.epsilon, step_size=one.step_size, steps=one.steps)
            case L1() | L2():
                norm = penalties.Norm(one.strength, 1 if isinstance(one, L1) else 2)
                found = penalties.Penalised(found, {one.kind: norm})
            case L2SP():
                held = penalties.Anchored(one.strength, own_weights(model))
                found = penalties.Penalised(found, {one.kind: held})
            case _:
                assert_never(one)
    return found


def with_logits(objective: Objective[Any], one: VAT | RDrop | LwF) -> LogitObjective[Any]:
    """The objective, where its loss is a function of logits; UserError otherwise."""
    from langwright.training.loss import LogitObjective

    if not isinstance(objective, LogitObjective):
        raise UserError(
            "{kind} compares two predictions, and this objective makes none that could be compared",
            fix="leave {kind} out of around, or choose another objective",
            kind=one.kind,
        )
    return objective


class LearningSettings(TrainingSettings):
    """What every stage that trains a model on an objective lets a person choose."""

    around: Annotated[
        tuple[Around, ...],
        Field(
            description="What is laid around the objective: adversarial training (fgm, pgd, freelb), consistency "
            "(r-drop, vat), the old model's answers kept (lwf), penalties on weights (l1, l2, l2-sp)"
        ),
    ] = ()
    dropout: Annotated[
        float | None,
        Field(
            ge=0,
            lt=1,
            description="Share of activations set to zero at random in training, everywhere the architecture can; the model's own when left out",
        ),
    ] = None

    @model_validator(mode="after")
    def one_of_each_layer(self) -> Self:
        """See `check_around`; and nothing that reaches into the forward pass of a model that is to be compiled."""
        check_around(self.around)
        if self.compile == "on" and not compilable(self.around):
            raise UserError(
                "compile = on and around = {kinds} do not go together: it changes the embeddings on their way",
                fix="leave compile out, or that one",
                kinds=", ".join(one.kind for one in self.around if isinstance(one, HOOKED)),
            )
        return self
