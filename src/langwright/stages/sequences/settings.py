"""What `langwright continual` can be told: the methods to put side by side, and the sequence. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator

from langwright.errors import UserError
from langwright.settings import Settings
from langwright.training.settings import TrainingSettings

KEPT = "Rows kept of each earlier task, drawn from its training rows"
REPLAYED = "Share of each update's rows that comes from earlier tasks"


class Naive(Settings):
    """Each task is learned as if there were no other."""

    kind: Literal["naive"] = "naive"


class Replay(Settings):
    """Some rows of earlier tasks are kept and mixed into the new one (Robins 1995; Chaudhry et al. 2019, arXiv:1902.10486)."""

    kind: Literal["replay"] = "replay"
    rows: Annotated[int, Field(ge=1, description=KEPT)] = 200
    share: Annotated[float, Field(gt=0, lt=1, description=REPLAYED)] = 0.5


class GenerativeReplay(Settings):
    """A second model writes texts like those of earlier tasks and the old classifier labels them (Shin et al. 2017, arXiv:1705.08690)."""

    kind: Literal["generative-replay"] = "generative-replay"
    rows: Annotated[int, Field(ge=1, description="Texts written for each earlier task")] = 200
    share: Annotated[float, Field(gt=0, lt=1, description=REPLAYED)] = 0.5
    epochs: Annotated[
        float, Field(gt=0, description="Passes over a task's texts in which the model that writes learns them")
    ] = 3.0
    temperature: Annotated[
        float,
        Field(gt=0, le=10, description="Temperature at which texts are written; 1 is the model's own distribution"),
    ] = 1.0


class EWC(Settings):
    """Weights are held where each earlier task left them, as firmly as its Fisher information says (Kirkpatrick et al. 2017, arXiv:1612.00796)."""

    kind: Literal["ewc"] = "ewc"
    strength: Annotated[float, Field(ge=0, description="What the penalty is multiplied with")] = 10000.0
    fisher_rows: Annotated[int, Field(ge=1, description="Rows of a task that its Fisher information is taken from")] = (
        200
    )


class OnlineEWC(Settings):
    """EWC with one running Fisher information and one anchor for all earlier tasks (Schwarz et al. 2018, arXiv:1805.06370)."""

    kind: Literal["online-ewc"] = "online-ewc"
    strength: Annotated[float, Field(ge=0, description="What the penalty is multiplied with")] = 10000.0
    fisher_rows: Annotated[int, Field(ge=1, description="Rows of a task that its Fisher information is taken from")] = (
        200
    )
    decay: Annotated[float, Field(ge=0, le=1, description="Share of earlier importance that each task keeps")] = 1.0


class SI(Settings):
    """Weights are held as firmly as their moves have lowered the loss of earlier tasks (Zenke et al. 2017, arXiv:1703.04200)."""

    kind: Literal["si"] = "si"
    strength: Annotated[float, Field(ge=0, description="What the penalty is multiplied with")] = 1.0
    damping: Annotated[
        float,
        Field(gt=0, description="Added to the square of how far a weight moved, so that one that stayed counts little"),
    ] = 1e-3


class LwF(Settings):
    """On new texts the answers to earlier tasks are to stay those of the old model (Li & Hoiem 2017, arXiv:1606.09282)."""

    kind: Literal["lwf"] = "lwf"
    weight: Annotated[float, Field(ge=0, description="Weight of what is added to the loss")] = 1.0
    temperature: Annotated[float, Field(gt=0, description="What both models' logits are divided by")] = 2.0


class AGEM(Settings):
    """What in a gradient points against the one on kept rows of earlier tasks is taken out (Chaudhry et al. 2019, arXiv:1812.00420)."""

    kind: Literal["a-gem"] = "a-gem"
    rows: Annotated[int, Field(ge=1, description=KEPT)] = 200
    batch_rows: Annotated[int, Field(ge=1, description="Kept rows whose gradient is compared with in an update")] = 32


class Joint(Settings):
    """All tasks at once, with as many updates as all of them together: what forgetting is measured against."""

    kind: Literal["joint"] = "joint"


Method = Annotated[
    Naive | Replay | GenerativeReplay | EWC | OnlineEWC | SI | LwF | AGEM | Joint, Field(discriminator="kind")
]


class ContinualSettings(TrainingSettings):
    """How tasks are learned one after the other. Steps and epochs are of each task."""

    methods: Annotated[
        tuple[Method, ...],
        Field(min_length=1, description="The methods to put side by side, each with its own settings"),
    ] = (Naive(), Replay(), EWC(), OnlineEWC(), SI(), LwF(), AGEM(), Joint())
    scenario: Annotated[
        Literal["auto", "domain", "task", "class"],
        Field(
            description="domain: every task has the same labels; task: each has its own and is named with the question; "
            "class: each brings new labels and all are to be told apart; auto takes domain where labels are the same, else task"
        ),
    ] = "auto"
    seeds: Annotated[int, Field(ge=1, description="Runs of each method, with seed, seed + 1, …")] = 3
    epochs: Annotated[
        float | None, Field(gt=0, description="Passes over the rows of each task; 3 when steps is left out too")
    ] = None
    rows: Annotated[
        int | None, Field(ge=2, description="Most training rows of each task, drawn by the seed; all when left out")
    ] = None
    test_rows: Annotated[
        int | None, Field(ge=1, description="Most rows each task is measured on, drawn by the seed; all when left out")
    ] = None
    split: Annotated[
        Literal["auto", "validation", "test"], Field(description="Rows to measure on; auto takes validation, else test")
    ] = "auto"
    length: Annotated[
        int | None, Field(ge=8, description="Most tokens in a row; the model's context when left out, 512 at most")
    ] = None
    keep_models: Annotated[
        bool, Field(description="Keep what each method ends with, of the first seed, under models/")
    ] = False

    @field_validator("methods")
    @classmethod
    def each_once(cls, methods: tuple[Method, ...]) -> tuple[Method, ...]:
        """A method that is named twice would write over itself."""
        kinds = [one.kind for one in methods]
        twice = sorted({kind for kind in kinds if kinds.count(kind) > 1})
        if twice:
            raise UserError("{names} stands among the methods twice", fix="keep one of them", names=", ".join(twice))
        return methods
