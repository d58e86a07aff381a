"""What a run leaves open, resolved for this machine once and written down; a resume uses the same."""

from __future__ import annotations

import math
from pathlib import Path

from langwright.errors import UserError
from langwright.files import write_whole
from langwright.training.plan import Plan
from langwright.training.preflight import Preflight
from langwright.training.schedules import Schedule, rate_factor
from langwright.training.settings import TrainingSettings


def pretraining_rate(parameters: int) -> float:
    """Peak learning rate for training from scratch, by model size (Kaplan et al. 2020, arXiv:2001.08361, equation D.1)."""
    return 0.003239 - 0.0001395 * math.log(parameters)


def finetuning_rate(parameters: int, *, adapter: bool) -> float:
    """Peak learning rate for fine-tuning: 5e-5 at 100M weights, as is usual for BERT- and GPT-2-sized models, more for
    smaller ones by the square root of the size, at most 1e-3; ten times that for adapters: LoRA's update is scaled down
    (Schulman et al. 2025, "LoRA Without Regret", find a factor of about ten).
    """
    rate = min(1e-3, 5e-5 * math.sqrt(1e8 / parameters))
    return min(5e-3, 10 * rate) if adapter else rate


def steps_for(steps: int | None, epochs: float | None, rows: int, batch_rows: int) -> int:
    """Updates of a run: as many as asked for, or as many as make the epochs."""
    if steps is not None:
        return steps
    return max(1, math.ceil((epochs or 1.0) * rows / batch_rows))


USUAL_EVALUATION = 64  # rows


def evaluation_rows(wanted: int | None, steps: int, batch_rows: int, every_share: float) -> int:
    """Validation rows of the training curve: those asked for, else so few that looking costs about 5 % of the run; at least 8.

    A forward pass alone costs a third of a step over the same rows.
    """
    if wanted is not None:
        return wanted
    affordable = 0.05 * steps * batch_rows * 3 * every_share
    return min(USUAL_EVALUATION, max(8, int(affordable)))


def rows_that_fit(wanted: int, bytes_per_row: float, fixed_bytes: float, available_bytes: float) -> int:
    """Rows to compute at once so that half of the free memory is enough; the largest divisor of `wanted` that fits.

    raises  UserError when not even one row fits
    """
    room = available_bytes * 0.5 - fixed_bytes
    if room < bytes_per_row:
        raise UserError(
            "one row needs {need:.1f} GB of memory beside the model's {model:.1f} GB, and {free:.1f} GB are free",
            fix="shorten the rows with --set length=N, turn on gradient_checkpointing, or take a smaller model",
            need=bytes_per_row / 1e9,
            model=fixed_bytes / 1e9,
            free=available_bytes / 1e9,
        )
    most = int(room // bytes_per_row)
    return max(rows for rows in range(1, wanted + 1) if wanted % rows == 0 and rows <= max(most, 1))


POINTS = 72  # of a schedule, as it is shown before the run


def foreseen(report: Preflight, plan: Plan, schedule: Schedule, rows: int) -> Preflight:
    """A preflight with what the plan says of the run: updates, time, memory, and learning rates over it.

    rows  of the training split
    """
    updates = sorted({round(point * (plan.steps - 1) / (POINTS - 1)) for point in range(POINTS)})
    an_epoch = rows / plan.batch_rows
    rates = (rate_factor(schedule, update, plan.steps, updates_an_epoch=an_epoch) for update in updates)
    return report.model_copy(
        update={
            "steps": plan.steps,
            "batch_rows": plan.batch_rows,
            "micro_rows": plan.micro_rows,
            "seconds_per_update": plan.seconds_per_update,
            "memory_bytes": plan.memory_bytes,
            "rates": tuple(plan.learning_rate * rate for rate in rates),
        }
    )


def save_plan(run: Path, plan: Plan) -> None:
    """Write `run/plan.json`."""
    write_whole(run / "plan.json", plan.model_dump_json(indent=2).encode() + b"\n")


def read_plan(run: Path, settings: TrainingSettings | None = None) -> Plan | None:
    """The plan of a run that was begun, or None.

    settings  those it goes on with: what they say themselves counts, which is what the plan says too unless the
              person has accepted a change
    """
    file = run / "plan.json"
    if not file.is_file():
        return None
    plan = Plan.model_validate_json(file.read_bytes())
    said = (
        {}
        if settings is None
        else {name: getattr(settings, name) for name in ("steps", "learning_rate", "evaluate_rows")}
    )
    return plan.model_copy(update={name: value for name, value in said.items() if value is not None})
