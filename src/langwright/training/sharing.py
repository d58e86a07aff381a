"""A run among several processes: each one's part of it, and what cannot be shared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from langwright.data.drawing import draws
from langwright.errors import UserError
from langwright.runlog import Chosen, Warned
from langwright.training.gradients import PlainSum
from langwright.training.loss import Batch
from langwright.training.mixing import Mixture
from langwright.training.optimizers import Adafactor
from langwright.training.planning import save_plan
from langwright.training.together import Strategy

if TYPE_CHECKING:
    from langwright.training.fit import Fit


def placed(job: Fit) -> Fit:
    """This process's part of a run; said, or refused where it cannot be shared.

    raises  UserError for an objective that compares rows, rows that do not divide, or an optimizer that needs whole matrices
    """
    if job.place is None:
        alone = job.plan.model_copy(update={"processes": 1, "strategy": "ddp"})
        if alone != job.plan:
            save_plan(job.run, alone)
        return replace(job, plan=alone)
    count, strategy, plan = job.place.together.processes, job.place.together.strategy, job.plan
    check_shareable(job, count, strategy)
    rows = plan.batch_rows
    if job.settings.batch_rows is None and rows % count:  # nobody asked for this number
        rows = -(-rows // count) * count
        message = "an update has {rows} rows instead of {planned}, so that {count} processes share it evenly"
        job.log.write(Chosen(message=message, values={"rows": rows, "planned": plan.batch_rows, "count": count}))
    compiled = plan.compile and strategy == "ddp"
    if compiled != plan.compile:
        job.log.write(Warned(message="a model of which each process has a part is not compiled"))
    plan = plan.model_copy(update={"processes": count, "strategy": strategy, "batch_rows": rows, "compile": compiled})
    # One machine's memory is shared by the processes on it; a GPU is a process's own.
    at_once = plan.micro_rows // job.place.beside if plan.device == "cpu" else plan.micro_rows
    feed = replace(job.feed, batch_rows=rows).shared(job.place.rank, count, max(1, at_once))
    if job.place.rank == 0:
        save_plan(job.run, plan)
    message = (
        "{count} processes train together, each with the whole model"
        if strategy == "ddp"
        else "{count} processes train together, each with a part of the model"
    )
    job.log.write(Chosen(message=message, values={"count": count}))
    return replace(job, feed=feed, plan=plan)


def check_shareable(job: Fit, count: int, strategy: Strategy) -> None:
    """UserError for what several processes would compute otherwise than one."""
    if not job.objective.separable:
        raise UserError(
            "this objective compares the examples of a batch, so {count} processes cannot share it",
            fix="leave out --on",
            count=count,
        )
    if job.gradients is not None or not isinstance(job.settings.gradients, PlainSum):
        raise UserError(
            "this gradient rule weighs the micro-batches of one process against each other, and {count} processes share them",
            fix="leave out --on, or gradients",
            count=count,
        )
    if strategy == "fsdp" and job.gradual is not None:
        raise UserError(
            "weights that join one after the other cannot be kept in parts", fix="use ddp: --on processes:{count}", count=count
        )  # fmt: skip
    if strategy == "fsdp" and isinstance(job.feed, Mixture):
        raise UserError(
            "rows of several datasets fall to the processes in unequal batches, and with fsdp all must compute in step",
            fix="use ddp: --on processes:{count}",
            count=count,
        )
    if strategy == "fsdp" and isinstance(job.settings.optimizer, Adafactor):
        raise UserError(
            "adafactor looks at rows and columns of whole matrices, which fsdp keeps in parts",
            fix="use ddp: --on processes:{count}",
            count=count,
        )


def drawn_apart(updates: Iterable[list[Batch]], start: int, seed: int, rank: int) -> Iterator[list[Batch]]:
    """The updates from `start` on; each process draws its own dropout.

    The first one's generator goes on from update to update and is kept in checkpoints. In the others it begins anew
    with every update, as a function of (seed, update, rank), so that nothing of theirs has to be kept.
    """
    for number, parts in enumerate(updates, start):
        if rank:
            torch.manual_seed(int(draws(seed, number, rank, "generator").integers(2**62)))
        yield parts
