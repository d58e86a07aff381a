"""How a model is trained: the settings every training stage shares. Imports neither torch nor transformers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from langwright.settings import Settings


class Cosine(Settings):
    """Warm-up, then half a cosine down to a share of the peak (Loshchilov & Hutter 2017, arXiv:1608.03983)."""

    kind: Literal["cosine"] = "cosine"
    warmup_share: Annotated[
        float, Field(ge=0, lt=1, description="Share of the steps in which the rate rises from zero")
    ] = 0.05
    final_share: Annotated[float, Field(ge=0, le=1, description="Share of the peak rate that is left at the end")] = 0.1


class Linear(Settings):
    """Warm-up, then a straight line down to zero."""

    kind: Literal["linear"] = "linear"
    warmup_share: Annotated[
        float, Field(ge=0, lt=1, description="Share of the steps in which the rate rises from zero")
    ] = 0.05


class Trapezoid(Settings):
    """Warm-up, a plateau, then a straight line down to zero (Zhai et al. 2022, arXiv:2106.04560; Hägele et al. 2024, arXiv:2405.18392)."""

    kind: Literal["trapezoid"] = "trapezoid"
    warmup_share: Annotated[
        float, Field(ge=0, lt=1, description="Share of the steps in which the rate rises from zero")
    ] = 0.05
    decay_share: Annotated[
        float, Field(gt=0, lt=1, description="Share of the steps, at the end, in which the rate falls to zero")
    ] = 0.2


class AdamW(Settings):
    """Adam with decoupled weight decay (Loshchilov & Hutter 2019, arXiv:1711.05101)."""

    kind: Annotated[Literal["adamw"], Field(description="The optimizer")] = "adamw"
    beta1: Annotated[float, Field(ge=0, lt=1, description="Decay of the running mean of gradients")] = 0.9
    beta2: Annotated[float, Field(ge=0, lt=1, description="Decay of the running mean of squared gradients")] = 0.95
    epsilon: Annotated[float, Field(gt=0, description="Added to the denominator")] = 1e-8
    weight_decay: Annotated[
        float, Field(ge=0, description="Decoupled decay of matrices; norms and biases are never decayed")
    ] = 0.1


Schedule = Annotated[
    Cosine | Linear | Trapezoid, Field(discriminator="kind", description="How the learning rate moves over the run")
]
Optimizer = AdamW


class TrainingSettings(Settings):
    """What every training stage lets a person choose."""

    steps: Annotated[
        int | None, Field(ge=1, description="Optimizer updates; chosen from `epochs` or `minutes` when left out")
    ] = None
    seed: Annotated[int, Field(ge=0, description="Seed of everything that is drawn")] = 42
    learning_rate: Annotated[
        float | None, Field(gt=0, description="Peak learning rate; chosen by model size when left out")
    ] = None
    schedule: Schedule = Cosine()
    optimizer: Optimizer = AdamW()
    clip: Annotated[float, Field(ge=0, description="Largest norm of the whole gradient; 0 turns clipping off")] = 1.0
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
        Literal["auto", "float32", "bfloat16"],
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
        int, Field(ge=1, description="Most validation rows used for the curve; `evaluate` uses all")
    ] = 64
    sample_every_share: Annotated[
        float, Field(gt=0, le=1, description="Show what the model says each time this share of the run is done")
    ] = 0.2
    keep_checkpoints: Annotated[
        int, Field(ge=1, description="How many of the latest checkpoints are kept; the best one is kept besides")
    ] = 2
