"""What is said, and what is refused, before the first update."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langwright.errors import UserError
from langwright.runlog import Chosen, RunLog
from langwright.training.schedules import Plateau

if TYPE_CHECKING:
    from langwright.training.fit import Fit, Plan


def refuse_unwatched(job: Fit) -> None:
    """UserError where something is to be decided by a validation loss that nobody measures."""
    settings = job.settings
    asked = {
        "patience": settings.patience is not None,
        "end_with = best": settings.end_with == "best",
        "schedule.kind = plateau": isinstance(settings.schedule, Plateau),
    }
    wanted = [name for name, is_asked in asked.items() if is_asked]
    if wanted and job.validation is None:
        raise UserError(
            "{names} go by the validation loss, and the dataset has no validation split",
            fix="read the data again with --set split.validation=0.1, or leave that out",
            names=", ".join(wanted),
        )


def foretell(plan: Plan, log: RunLog) -> None:
    """Say before the first update what the run will take, where it was probed."""
    if plan.seconds_per_update is None or plan.memory_bytes is None:
        return
    log.write(
        Chosen(
            message="{steps} updates of {rows} rows, {micro} at once: about {seconds:.3g} s each, {minutes:,.1f} minutes in all, "
            "and {memory:.1f} GB of memory at the most",
            values={
                "steps": plan.steps,
                "rows": plan.batch_rows,
                "micro": plan.micro_rows,
                "seconds": plan.seconds_per_update,
                "minutes": plan.steps * plan.seconds_per_update / 60,
                "memory": plan.memory_bytes / 1e9,
            },
        )
    )
