"""The trials of a search: real runs of a stage, watched by their events, given up early, taken up again after a kill."""

from __future__ import annotations

import json
import math
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langwright.artifacts import partial_of, read_card
from langwright.errors import UserError
from langwright.evaluation.experiments.trials import Trial
from langwright.runlog import Chosen, Evaluated, Progressed, RunLog, Stepped, Warned, read_events
from langwright.settings import Settings, toml_value
from langwright.stages.execution import seconds_worked
from langwright.stages.searching.crew import LOOK_S, Runner
from langwright.stages.searching.space import Values
from langwright.stages.searching.study import End, Study
from langwright.stages.searching.worker import Order
from langwright.training.cost import JOULES_PER_WH

if TYPE_CHECKING:
    import optuna

Curve = tuple[tuple[int, float], ...]  # (per cent of the run, measure)


@dataclass(frozen=True)
class Exploration:
    """What the trials of a search have in common.

    folder  where they run; kept: where each one's `run` folder stays
    most    trials in all; None for as many as the time allows
    seconds after which none is begun; None for no limit
    """

    study: Study
    stage: str
    inputs: dict[str, tuple[str, ...]]
    measure: str
    folder: Path
    kept: Path
    cache: Path
    log: RunLog
    most: int | None
    seconds: float | None

    def out(self, number: int) -> Path:
        """Where a trial's artifact is made."""
        return self.folder / f"{number:04d}"


@dataclass
class Attempt:
    """A trial that is going on."""

    trial: optuna.trial.Trial
    values: Values
    settings: Settings
    runner: Runner
    events: Path
    given_up: int | None = None  # per cent of its run after which it was asked to stop
    reported: set[int] = field(default_factory=set)
    size: int = -1  # of the events when they were last read


def explore(search: Exploration, runners: Sequence[Runner], spent: float) -> None:
    """Run trials until there are enough or the time is up; first those that were going on when a process ended.

    spent  seconds of earlier processes
    raises UserError when no trial came to its end
    """
    began = time.monotonic() - spent
    going: list[Attempt] = []
    unfinished = search.study.unfinished()
    while True:
        for runner in runners:
            if all(attempt.runner is not runner for attempt in going):
                late = search.seconds is not None and time.monotonic() - began > search.seconds
                attempt = next_attempt(search, unfinished, runner, late)
                if attempt is not None:
                    going.append(attempt)
        if not going:
            break
        for attempt in list(going):
            look(search, attempt)
            if settled(search, attempt):
                going.remove(attempt)
                search.log.write(
                    Progressed(what="trials", done=len(search.study.trials) - len(going), total=search.most)
                )
        time.sleep(LOOK_S)
    if all(trial.value is None for trial in told(search)):
        last = next((trial.problem for trial in reversed(told(search)) if trial.problem), "-")
        raise UserError(
            "no trial came to its end; the last one: {reason}",
            fix="see whether the stage runs by itself with what stands under `settings`",
            reason=last,
        )


def next_attempt(
    search: Exploration, unfinished: list[optuna.trial.Trial], runner: Runner, late: bool
) -> Attempt | None:
    """Begin a trial, or go on with one; None when there are none left. One whose settings contradict each other is told as failed."""
    while True:
        if unfinished:
            trial = unfinished.pop(0)
        elif late or (search.most is not None and len(search.study.trials) >= search.most):
            return None
        else:
            trial = search.study.begin()
        values = search.study.propose(trial)
        try:
            settings = search.study.space.settings(values)
        except UserError as error:
            fail(search, trial, error.problem())
            continue
        out = search.out(trial.number)
        runner.give(
            Order(
                stage=search.stage,
                inputs=search.inputs,
                settings=settings.model_dump(mode="json"),
                out=out,
                cache=search.cache,
            )
        )
        return Attempt(trial, values, settings, runner, events_of(out))


def events_of(out: Path) -> Path:
    """The log of a trial, finished or not."""
    folder = out if out.exists() else partial_of(out)
    return folder / "run" / "events.jsonl"


def curve_of(events: Path, measure: str) -> Curve:
    """The measure on validation rows over a run; empty where nothing was logged yet."""
    found = read_events(events)
    steps = next((event.steps for event in found if isinstance(event, Stepped)), None)
    if steps is None:
        return ()
    looks = (event for event in found if isinstance(event, Evaluated) and measure in event.values)
    return tuple((round(100 * look.step / steps), look.values[measure]) for look in looks)


def look(search: Exploration, attempt: Attempt) -> None:
    """Report what is new of a trial, and ask it to stop where that is not worth going on with."""
    size = attempt.events.stat().st_size if attempt.events.is_file() else -1
    if size == attempt.size or attempt.given_up is not None:
        return
    attempt.size = size
    for percent, value in curve_of(attempt.events, search.measure):
        if percent in attempt.reported or not math.isfinite(value):
            continue
        attempt.reported.add(percent)
        if search.study.report(attempt.trial, percent, value) and percent < 100:
            attempt.given_up = percent
            attempt.runner.stop()
            return


def settled(search: Exploration, attempt: Attempt) -> bool:
    """Whether a trial is over; if so its log is kept and its end told, and only then its weights are deleted."""
    answer = attempt.runner.answer()
    if answer is None:
        return False
    out, trial = search.out(attempt.trial.number), attempt.trial
    attempt.events = events_of(out)
    look(search, attempt)
    curve = curve_of(attempt.events, search.measure)
    keep(attempt.events.parent, search.kept / out.name)
    search.study.note(trial, seconds=seconds_worked(attempt.events), joules=joules_of(out))
    value = final(curve, attempt.settings, search.study.lower)
    said = {"number": trial.number, "measure": search.measure, "settings": shown(attempt.values)}
    if answer.end != "failed" and attempt.given_up is not None:  # it may have been done before it heard of it
        search.study.end(trial, "pruned")
        search.log.write(
            Chosen(
                message="trial {number} given up after {percent} % of its run, with {settings}",
                values=said | {"percent": attempt.given_up},
            )
        )
    elif answer.end == "made" and value is not None and math.isfinite(value):
        search.study.end(trial, "complete", value)
        search.log.write(
            Chosen(message="trial {number}: {measure} {value:.4g} with {settings}", values=said | {"value": value})
        )
    else:
        fail(search, trial, answer.problem or NOTHING)
    for folder in (out, partial_of(out)):
        shutil.rmtree(folder, ignore_errors=True)
    return True


def joules_of(out: Path) -> float:
    """Energy of a run: what its card says, else what its last checkpoint had counted; nought where there is neither."""
    if out.exists():
        card = read_card(out)
        found = (measure.value for measure in (card.results if card else ()) if measure.name == "energy")
        return next(found, 0.0) * JOULES_PER_WH
    states = sorted((partial_of(out) / "checkpoints").glob("step-*/state.json"))
    return float(json.loads(states[-1].read_bytes()).get("joules", 0.0)) if states else 0.0


NOTHING = "it measured nothing on validation rows"


def fail(search: Exploration, trial: optuna.trial.Trial, problem: str) -> None:
    """Tell that a trial came to nothing, and why."""
    search.study.note(trial, problem=problem)
    search.study.end(trial, "failed")
    search.log.write(Warned(message="trial {number} failed: {problem}", values={"number": trial.number, "problem": problem}))  # fmt: skip


def keep(run: Path, place: Path) -> None:
    """Copy a trial's log and settings to where they stay."""
    if run.is_dir():
        shutil.copytree(run, place, dirs_exist_ok=True)


def final(curve: Curve, settings: Any, lower: bool) -> float | None:
    """The measure of the weights that a run ends with."""
    values = [value for _, value in curve]
    if not values:
        return None
    if settings.ends_with_best:
        return min(values) if lower else max(values)
    return values[-1]


def shown(values: Values) -> str:
    """Settings in one line."""
    return ", ".join(f"{key} = {toml_value(round_off(value))}" for key, value in values.items()) or "-"


def round_off(value: object) -> object:
    """A number in four digits that matter."""
    return float(f"{value:.4g}") if isinstance(value, float) else value


def told(search: Exploration) -> list[Trial]:
    """Every trial as it ended."""
    ends: dict[str, End] = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
    found = []
    for trial in search.study.trials:
        if trial.state.name not in ends:
            continue
        events = search.kept / f"{trial.number:04d}" / "events.jsonl"
        values = search.study.space.values_of(trial.params)
        curve = curve_of(events, search.measure)
        if trial.state.name == "PRUNED":  # it may have gone on for a moment
            curve = tuple(point for point in curve if point[0] <= max(trial.intermediate_values))
        found.append(
            Trial(
                number=trial.number,
                state=ends[trial.state.name],
                settings=values,
                value=trial.value if trial.state.name == "COMPLETE" else None,
                seed=search.study.space.seed,
                seconds=float(trial.user_attrs.get("seconds", 0.0)),
                curve=curve,
                joules=float(trial.user_attrs.get("joules", 0.0)),
                problem=str(trial.user_attrs.get("problem", "")),
            )
        )
    return found


def best_of(trials: Sequence[Trial], lower: bool) -> Trial:
    """The best of those that came to their end; the first of equals."""
    done = [trial for trial in trials if trial.value is not None]
    key: Callable[[Trial], float] = lambda trial: trial.value or 0.0  # noqa: E731
    return min(done, key=key) if lower else max(done, key=key)
