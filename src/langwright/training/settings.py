"""How a model is trained: the settings every training stage shares. Imports neither torch nor transformers."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from langwright.errors import UserError
from langwright.settings import Settings
from langwright.training.averaging import Averaging, NoAverage
from langwright.training.cost import CostSettings
from langwright.training.gradients import Gradients, PlainSum
from langwright.training.optimizers import AdamW, Optimizer
from langwright.training.schedules import Cosine, Schedule

# what a run that was begun may go on with others of: nothing that its weights, its optimizer or its place in the data rest on
CHANGEABLE = (
    "steps",
    "learning_rate",
    "schedule",
    "clip",
    "clip_value",
    "evaluate_every_share",
    "evaluate_rows",
    "sample_every_share",
    "patience",
    "end_with",
    "keep_checkpoints",
    "cost",
)


class TrainingSettings(Settings):
    """What every training stage lets a person choose."""

    steps: Annotated[
        int | None, Field(ge=1, description="Optimizer updates; chosen from `epochs` or `minutes` when left out")
    ] = None
    seed: Annotated[int, Field(ge=0, description="Seed of everything that is drawn")] = 42
    learning_rate: Annotated[
        float | None, Field(gt=0, description="Peak learning rate; chosen by model size when left out")
    ] = None
    layer_decay: Annotated[
        float,
        Field(
            gt=0,
            le=1,
            description="Each layer learns at this share of the rate of the layer above it, the head at the full rate",
        ),
    ] = 1.0
    rates: Annotated[
        dict[str, float],
        Field(
            description="What the rate of weights is multiplied with, by name with * for any letters, such as *.bias"
        ),
    ] = Field(default_factory=dict)
    schedule: Schedule = Cosine()
    optimizer: Optimizer = AdamW()
    clip: Annotated[float, Field(ge=0, description="Largest norm of the whole gradient; 0 turns clipping off")] = 1.0
    clip_value: Annotated[
        float | None,
        Field(
            gt=0,
            description="Largest absolute value of each entry of the gradient, cut before the norm; none when left out",
        ),
    ] = None
    gradients: Gradients = PlainSum()
    batch_rows: Annotated[
        int | None, Field(ge=1, description="Rows in one update; chosen by model size when left out")
    ] = None
    micro_rows: Annotated[
        int | None,
        Field(
            ge=1, description="Rows computed at once; the result does not depend on it. Chosen by memory when left out"
        ),
    ] = None
    dtype: Annotated[
        Literal["auto", "float32", "bfloat16", "float16"],
        Field(
            description="Type that matrices are multiplied in; auto measures which is faster here. Weights stay float32"
        ),
    ] = "auto"
    compile: Annotated[
        Literal["auto", "on", "off"],
        Field(description="Compile the model with torch.compile; auto does when the run is long enough to repay it"),
    ] = "auto"
    gradient_checkpointing: Annotated[
        bool, Field(description="Recompute activations in the backward pass: less memory, about a third more time")
    ] = False
    device: Annotated[str, Field(description="auto, cpu, cuda or cuda:N")] = "auto"
    evaluate_every_share: Annotated[
        float, Field(gt=0, le=1, description="Evaluate on the validation split each time this share of the run is done")
    ] = 0.1
    evaluate_rows: Annotated[
        int | None,
        Field(
            ge=1,
            description="Validation rows of the training curve; so few when left out that looking costs about 5 % of the run, 64 at most. `evaluate` uses all",
        ),
    ] = None
    sample_every_share: Annotated[
        float, Field(gt=0, le=1, description="Show what the model says each time this share of the run is done")
    ] = 0.2
    average: Averaging = NoAverage()
    patience: Annotated[
        int | None,
        Field(
            ge=1,
            description="Evaluations in a row without a lower validation loss after which training ends; never when left out",
        ),
    ] = None
    end_with: Annotated[
        Literal["auto", "last", "best"],
        Field(
            description="Weights the run ends with: of the last update, or of the lowest validation loss; auto takes the best where patience is given"
        ),
    ] = "auto"
    keep_checkpoints: Annotated[
        int, Field(ge=1, description="How many of the latest checkpoints are kept; the best one is kept besides")
    ] = 2

    cost: Annotated[CostSettings, Field(description="What energy and emissions are reckoned with")] = CostSettings()

    @field_validator("rates")
    @classmethod
    def rates_are_factors(cls, rates: dict[str, float]) -> dict[str, float]:
        """UserError for one that is less than 0."""
        for name, rate in rates.items():
            if rate < 0:
                raise UserError("rates.{name} = {rate} is less than 0", fix="give 0 or more; 1 changes nothing", name=name, rate=rate)  # fmt: skip
        return rates

    @model_validator(mode="after")
    def parts_fit_the_whole(self) -> Self:
        """Rows computed at once are a part of an update's rows."""
        if self.micro_rows is not None and self.batch_rows is not None and self.micro_rows > self.batch_rows:
            raise UserError(
                "micro_rows = {micro} is more than batch_rows = {batch}, of which it is to be a part",
                fix="lower micro_rows, or raise batch_rows",
                micro=self.micro_rows,
                batch=self.batch_rows,
            )
        return self

    @property
    def ends_with_best(self) -> bool:
        """Whether the run ends with the weights of its lowest validation loss."""
        return self.end_with == "best" or (self.end_with == "auto" and self.patience is not None)
