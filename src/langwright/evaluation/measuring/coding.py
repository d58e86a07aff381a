"""A model that writes programs: how often at least one of k passes its tests, run in a sandbox.

Source    Chen et al. 2021, arXiv:2107.03374, section 2.1 (pass@k, unbiased)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from langwright.data.schemas import CodeRow
from langwright.errors import UserError
from langwright.evaluation.measuring.findings import MOST_SHOWN, Details, Findings, Item, Labelled
from langwright.evaluation.measuring.job import Job
from langwright.inference.protocol import Sampling
from langwright.metrics.programs import PASS_AT, pass_at, pass_chance
from langwright.runlog import Progressed
from langwright.tasks.code import CodeInput, ProgramOutput
from langwright.tasks.code import ask as ask_row

Writer = Callable[[CodeInput], ProgramOutput]
SHOWN = 50


def evaluate_code(writer: Writer, name: str, job: Job) -> Findings:
    """Write programs for every row, run them, and count those that pass.

    raises  UserError where running programs is not allowed, or no row has tests
    """
    settings = job.settings
    kept = [(key, row) for key, row in zip(job.names, job.rows, strict=True) if isinstance(row, CodeRow) and row.tests]
    rows = [row for _, row in kept]
    if not rows:
        raise UserError(
            "no row of the {split} split of {path} has tests",
            fix="give rows of schema code their tests",
            split=job.split,
            path=job.dataset.path,
        )
    if max(settings.pass_at) > settings.programs:
        raise UserError(
            "pass@{k} needs at least {k} programs a problem, and programs = {programs}",
            fix="raise programs, or set pass_at to smaller numbers",
            k=max(settings.pass_at),
            programs=settings.programs,
        )
    written: list[list[ProgramOutput]] = []
    for number, row in enumerate(rows):
        written.append(
            [writer(asked(row, job, number * settings.programs + turn)) for turn in range(settings.programs)]
        )
        job.log.write(Progressed(what="writing and running programs", done=number + 1, total=len(rows)))
    passed = [sum(bool(one.passed) for one in some) for some in written]
    counts = [len(some) for some in written]
    measures = tuple(pass_at(counts, passed, k, seed=settings.seed) for k in settings.pass_at)
    failed = [
        Labelled(text=row.text, right=row.code, predicted=some[0].text)
        for row, some in zip(rows, written, strict=True)
        if not some[0].passed
    ]
    outcomes = Counter(one.attempts[-1].outcome for some in written for one in some if one.attempts)
    details = Details(task="code", rows=len(rows), mistakes=tuple(failed[:SHOWN]), outcomes=dict(outcomes))
    items = tuple(
        Item(
            data=job.named(), name=key, asked=row.text[:MOST_SHOWN], right=row.code[:MOST_SHOWN], said=some[0].text[:MOST_SHOWN],
            marks={PASS_AT.name.format(k=k): (pass_chance(len(some), hits, k), 1.0) for k in settings.pass_at},
        )
        for (key, row), some, hits in zip(kept, written, passed, strict=True)
    )  # fmt: skip
    return Findings(measures, details, items)


def asked(row: CodeRow, job: Job, turn: int) -> CodeInput:
    """What is asked: greedily for one program a problem, else drawn with the settings' temperature."""
    settings = job.settings
    sampling = Sampling(max_new_tokens=settings.max_new_tokens, seed=settings.seed + turn)
    if settings.programs > 1:
        drawn = {"temperature": settings.temperature, "top_p": settings.top_p}
        sampling = Sampling(**{**sampling.model_dump(), **drawn})
    return ask_row(row).model_copy(update={"sampling": sampling, "sandbox": settings.sandbox})
