"""What is resolved for this machine before the first step, and written down."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from langwright.training.together import Strategy


class Plan(BaseModel):
    """`run/plan.json`: what was resolved for this machine before the first step; a resume uses the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: str = ""  # shape of a model that is trained from scratch
    steps: int
    batch_rows: int
    micro_rows: int
    length: int  # positions a row
    learning_rate: float
    dtype: Literal["float32", "bfloat16", "float16"]
    compile: bool
    threads: int
    device: str
    evaluate_rows: int  # validation rows of the training curve
    seconds_per_update: float | None = None  # as the probe foretells, uncompiled
    memory_bytes: int | None = None  # at the most, as the probe foretells
    processes: int = 1  # of the last start; a resume may have others
    strategy: Strategy = "ddp"
