"""What a search can be told. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, JsonValue

from langwright.settings import Settings


class TPE(Settings):
    """Propose what looks like the better trials and unlike the worse (tree-structured Parzen estimator)."""

    kind: Literal["tpe"] = "tpe"
    startup: Annotated[int, Field(ge=1, description="Trials drawn at random before the first that is proposed")] = 8


class RandomSearch(Settings):
    """Draw every trial at random."""

    kind: Literal["random"] = "random"


class Grid(Settings):
    """Try every combination; ranges count with their `points`."""

    kind: Literal["grid"] = "grid"


Method = Annotated[TPE | RandomSearch | Grid, Field(discriminator="kind", description="How settings are proposed")]

STARTUP = "Trials that come to their end before one is given up"
FROM = "Share of a run before which it is not given up"


class Median(Settings):
    """Give a trial up that is behind the median of the others at the same point of their runs."""

    kind: Literal["median"] = "median"
    startup: Annotated[int, Field(ge=1, description=STARTUP)] = 4
    from_share: Annotated[float, Field(ge=0, lt=1, description=FROM)] = 0.2


class Halving(Settings):
    """Let only the best of each rung go on to the next, each rung as many times longer (asynchronous successive halving)."""

    kind: Literal["halving"] = "halving"
    reduction: Annotated[
        int, Field(ge=2, description="Of how many trials one goes on, and how much longer it runs")
    ] = 3
    from_share: Annotated[float, Field(ge=0, lt=1, description=FROM)] = 0.1


class NoPruning(Settings):
    """Let every trial come to its end."""

    kind: Literal["none"] = "none"


Pruning = Annotated[
    Median | Halving | NoPruning, Field(discriminator="kind", description="When a trial is given up before its end")
]


class SearchSettings(Settings):
    """Which settings of a stage are tried, how, and how the best is confirmed."""

    stage: Annotated[Literal["finetune", "pretrain"], Field(description="The stage whose settings are searched")] = (
        "finetune"
    )
    settings: Annotated[
        dict[str, JsonValue], Field(default_factory=dict, description="Settings of the stage that every trial has")
    ]
    search: Annotated[
        dict[str, JsonValue],
        Field(
            default_factory=dict,
            description="What is searched: for each setting of the stage low and high (with log = true for orders of "
            "magnitude), or choices",
        ),
    ]
    method: Method = TPE()
    pruning: Pruning = Median()
    measure: Annotated[
        Literal["loss", "accuracy", "bits_per_byte"],
        Field(description="What on the validation rows is to become better"),
    ] = "loss"
    trials: Annotated[
        int | None,
        Field(ge=1, description="Most trials; 20 where no minutes are given either, and a grid's own number"),
    ] = None
    minutes: Annotated[
        float | None, Field(gt=0, description="Time after which no further trial is begun, confirmation left out")
    ] = None
    parallel: Annotated[int, Field(ge=1, description="Trials at the same time, which share the cores")] = 1
    confirm: Annotated[
        int,
        Field(ge=0, description="New seeds with which best and default settings are trained again; 0 leaves that out"),
    ] = 5
    confirm_split: Annotated[
        Literal["test", "validation"],
        Field(description="Rows that the confirmation is measured on; the search saw those of validation"),
    ] = "test"
    seed: Annotated[int, Field(ge=0, description="Seed of what is proposed, and of every trial's training")] = 42
