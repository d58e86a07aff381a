"""Pipelines: stages in a TOML file, each made once and made again only when something it rests on has changed.

    out = "runs"                    # where every step's artifact goes, as OUT/NAME
    seed = 7                        # for every stage that has a seed and is not given one

    [[step]]
    name = "text"
    stage = "data-read"
    inputs = ["${LANGWRIGHT_DATA}/zh-text-modern"]
    settings = { schema = "text" }

    [[step]]
    name = "clean"
    stage = "data-clean"
    inputs = ["text"]               # an earlier step, an artifact or a source; or a table of role = name

A step's identity is `artifacts.Request.key`: stage, version, settings and what its inputs hold.
"""

from __future__ import annotations

import json
import os
import shutil
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import Annotated, Literal

from pydantic import Field, JsonValue, ValidationError

from langwright.artifacts import Artifact, Kind, Request, open_artifact, partial_of, resume_view
from langwright.errors import UserError, unknown
from langwright.settings import Settings, differences, parse_toml, validate
from langwright.stages.arms import StepTable, with_arms
from langwright.stages.declaration import Input, Stage
from langwright.stages.execution import (
    Listener,
    Prepared,
    assign,
    carry_out,
    check_roles,
    check_together,
    existing_source,
    kind_at,
    open_input,
    prepare,
)
from langwright.training.together import Together, parse_on
from langwright.wording import Language, Term, say
from langwright.workspace import PARTIAL, Workspace, read_request

Action = Literal["reuse", "run", "resume", "again", "decide"]


class PipelineTable(Settings):
    """What stands above the steps."""

    out: Annotated[str, Field(description="Folder that every step's artifact goes into")] = "runs"
    seed: Annotated[
        int | None, Field(ge=0, description="Seed of every stage that has one and is not given another")
    ] = None


class StepError(UserError):
    """A person's mistake in one step: the same message with the step's name before it."""

    def __init__(self, step: str, error: UserError) -> None:
        super().__init__(
            "in step {step}: {mistake}", fix="{remedy}", step=step, mistake=error.problem(), remedy=error.fix()
        )
        self.step = step
        self.error = error

    @property
    def code(self) -> str:
        return self.error.code

    @property
    def params(self) -> dict[str, str | int | float | bool | None]:
        return {**self.error.params, "step": self.step}

    def problem(self, lang: Language | None = None) -> str:
        return say(self.problem_template, lang=lang, step=self.step, mistake=self.error.problem(lang))

    def fix(self, lang: Language | None = None) -> str:
        return self.error.fix(lang)


@dataclass(frozen=True)
class Step:
    """One step, read and checked against its stage's declaration."""

    name: str
    stage: Stage
    settings: Settings
    inputs: Mapping[str, tuple[str, ...]]  # role -> names
    out: Path
    on: Together | None = None

    def after(self, names: Sequence[str]) -> set[str]:
        """Which of these steps it takes as inputs."""
        return {name for given in self.inputs.values() for name in given if name in names}


@dataclass(frozen=True)
class Pipeline:
    """A pipeline's steps in an order in which they can run."""

    steps: tuple[Step, ...]
    workspace: Workspace

    def paths(self, step: Step) -> dict[str, tuple[Path | str, ...]]:
        """A step's inputs with earlier steps' names turned into where their artifacts lie."""
        outs = {other.name: other.out for other in self.steps}
        return {role: tuple(outs.get(name, name) for name in names) for role, names in step.inputs.items()}


@dataclass(frozen=True)
class Planned:
    """What would be done about a step, and why."""

    step: Step
    action: Action
    why: str  # template
    values: Mapping[str, object]
    prepared: Prepared | None = None  # None while an input is still to be made

    def reason(self, lang: Language | None = None) -> str:
        """Why, in words."""
        return say(self.why, lang=lang, **self.values)


@dataclass(frozen=True)
class Done:
    """A step that is finished."""

    step: Step
    artifact: Artifact
    reused: bool


# --- reading -------------------------------------------------------------------------------------


def read_pipeline(file: Path, stages: Mapping[str, Stage], workspace: Workspace | None = None) -> Pipeline:
    """Read a pipeline file and check all of it, so that a mistake in the last step is said before the first runs.

    raises  UserError for anything that cannot work: bad TOML, unknown stages, settings or inputs, inputs of the
            wrong kind, a circle; what concerns one step carries its name
    """
    workspace = workspace or Workspace()
    table = parse_toml(read_text(file))
    rows = table.pop("step", None)
    if not isinstance(rows, list) or not rows:
        raise UserError("{file} has no steps", fix="add a [[step]] with name, stage and inputs", file=file)
    tables = with_arms(table, [read_table(number, row) for number, row in enumerate(rows, 1)], stages)
    head = validate(PipelineTable, table)
    names = [item.name for item in tables]
    for name in names:
        if names.count(name) > 1:
            raise UserError("two steps are called {name!r}", fix="give each step a name of its own", name=name)
    makes = {item.name: find_stage(item, stages).makes for item in tables}
    steps = [read_step(item, head, find_stage(item, stages), makes, workspace) for item in tables]
    ordered = in_order(steps)
    for step in ordered:
        with in_step(step.name):
            check_inputs(step, makes, workspace)
    return Pipeline(ordered, workspace)


def read_text(file: Path) -> str:
    """The file's text; UserError when it is absent or is not text."""
    try:
        return file.read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError):
        raise UserError("there is no {path}", fix="check the path; a pipeline is a TOML file", path=file) from None
    except UnicodeDecodeError as error:
        raise UserError("{path} is not UTF-8 text: {error}", fix="save it as UTF-8", path=file, error=error) from None


@contextmanager
def in_step(name: str) -> Iterator[None]:
    """Put the step's name before what went wrong in it."""
    try:
        yield
    except StepError:
        raise
    except UserError as error:
        raise StepError(name, error) from error


def read_table(number: int, row: JsonValue) -> StepTable:
    """One `[[step]]` by itself."""
    name = row.get("name") if isinstance(row, dict) else None
    with in_step(str(name) if name else str(number)):
        item = validate(StepTable, row if isinstance(row, dict) else {})
        if Path(item.name).name != item.name or item.name.endswith(PARTIAL):
            raise UserError(
                "{name!r} cannot be a folder's name", fix="use letters, digits, dots and dashes", name=item.name
            )
    return item


def find_stage(item: StepTable, stages: Mapping[str, Stage]) -> Stage:
    """The stage a step names."""
    with in_step(item.name):
        if item.stage not in stages:
            raise unknown("stage", item.stage, stages)
    return stages[item.stage]


def read_step(
    item: StepTable, head: PipelineTable, stage: Stage, makes: Mapping[str, Kind], workspace: Workspace
) -> Step:
    """One step with its settings validated and its inputs given to roles."""
    with in_step(item.name):
        table = dict(item.settings)
        if head.seed is not None and "seed" in stage.settings.model_fields:
            table.setdefault("seed", head.seed)
        settings = validate(stage.settings, table)
        inputs = roles_of(item, stage, makes, workspace)
        check_roles(stage, inputs)
        on = parse_on(item.on)
        check_together(stage, on)
    return Step(item.name, stage, settings, inputs, Path(expand(head.out)) / item.name, on)


def roles_of(
    item: StepTable, stage: Stage, makes: Mapping[str, Kind], workspace: Workspace
) -> dict[str, tuple[str, ...]]:
    """Role -> names, from a list in the order of the command line or from a table."""
    if isinstance(item.inputs, tuple):
        names = [expand(name) for name in item.inputs]
        return assign(stage, names, lambda name: makes.get(name) or kind_at(name, workspace))
    roles = [declared.role for declared in stage.inputs]
    found: dict[str, tuple[str, ...]] = {}
    for role, given in item.inputs.items():
        if role not in roles:
            raise unknown("input", role, roles)
        found[role] = tuple(expand(name) for name in ((given,) if isinstance(given, str) else given))
    return found


def expand(name: str) -> str:
    """Replace `${NAME}` by an environment variable, or by one of the folders that are always known."""
    folders = {
        "PYTHON_LIBRARY": sysconfig.get_path("stdlib"),
        "LANGWRIGHT_SHIPPED": str(resources.files("langwright") / "data" / "shipped"),
    }
    try:
        return Template(name).substitute({**folders, **os.environ})
    except KeyError as error:
        raise UserError(
            "{name!r} needs the environment variable {variable}, which is not set",
            fix="set it, for example `export {variable}=FOLDER`",
            name=name,
            variable=error.args[0],
        ) from None
    except ValueError:
        raise UserError("{name!r} has a lone '$'", fix="write ${{NAME}}, or $$ for a dollar sign", name=name) from None


def in_order(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The steps as written, each moved behind what it needs; UserError for a circle."""
    names = [step.name for step in steps]
    waiting, ordered = list(steps), list[Step]()
    while waiting:
        done = {step.name for step in ordered}
        ready = next((step for step in waiting if step.after(names) <= done), None)
        if ready is None:
            raise UserError(
                "the steps {names} wait for each other",
                fix="break the circle: a step cannot use what comes after it",
                names=", ".join(step.name for step in waiting),
            )
        waiting.remove(ready)
        ordered.append(ready)
    return tuple(ordered)


def check_inputs(step: Step, makes: Mapping[str, Kind], workspace: Workspace) -> None:
    """Whether each input is there and of the right kind, as far as can be known before anything runs."""
    for declared in step.stage.inputs:
        for name in step.inputs.get(declared.role, ()):
            if name in makes:
                check_made(name, makes[name], declared)
            elif declared.kind == "source":
                existing_source(name)
            elif not workspace.path(name).exists() and not workspace.names_remote(name):
                raise unknown("step or artifact", name, makes)
            else:
                open_input(name, declared, workspace)


def check_made(name: str, made: Kind, declared: Input) -> None:
    """Whether what a step makes is what another needs."""
    if declared.kind != made:
        raise UserError(
            "step {name} makes a {found}, and a {kind} is needed here",
            fix="name another step, or change the stage of that one",
            name=name,
            found=Term(made),
            kind=Term(declared.kind),
        )


# --- planning ------------------------------------------------------------------------------------


def plan(pipeline: Pipeline, *, restart: bool = False, command: Sequence[str] = ()) -> list[Planned]:
    """What each step would come to now. Nothing is written.

    raises  StepError when a finished output was made in another way, and `restart` does not say to make it again
    """
    planned: list[Planned] = []
    for step in pipeline.steps:
        with in_step(step.name):
            settled = {item.step.name for item in planned if item.action == "reuse"}
            planned.append(plan_step(pipeline, step, settled, restart, command))
    return planned


def plan_step(pipeline: Pipeline, step: Step, settled: set[str], restart: bool, command: Sequence[str] = ()) -> Planned:
    """What one step comes to, given which earlier steps keep the output they have."""
    waits = sorted(step.after([other.name for other in pipeline.steps]) - settled)
    if waits:
        return plan_waiting(step, waits, restart)
    prepared = prepare(step.stage, pipeline.paths(step), step.settings, workspace=pipeline.workspace, command=command)
    if step.out.exists():
        made = request_of(step)
        if made.key() == prepared.request.key():
            return Planned(step, "reuse", "its settings and inputs are those it was made with", {}, prepared)
        changes = changes_between(made, prepared.request)
        if not restart:
            raise changed(step, changes)
        return Planned(step, "again", "it was made with others: {changes}", {"changes": changes}, prepared)
    begun = read_request(partial_of(step.out))
    if begun is not None and begun.key() == prepared.request.key():
        return Planned(step, "resume", "it was begun and not finished", {}, prepared)
    return Planned(step, "run", "there is no {out} yet", {"out": step.out}, prepared)


def plan_waiting(step: Step, waits: Sequence[str], restart: bool) -> Planned:
    """What can be said of a step while an input of it is still to be made."""
    names = ", ".join(waits) if len(waits) <= 4 else f"{', '.join(waits[:3])}, … ({len(waits)})"
    if not step.out.exists():
        return Planned(step, "run", "it waits for {names}", {"names": names})
    made = request_of(step)
    asked = made.model_copy(
        update={
            "stage": step.stage.name,
            "stage_version": step.stage.version,
            "settings": step.settings.model_dump(mode="json"),
        }
    )
    changes = changes_between(made, asked)
    if changes and not restart:
        raise changed(step, changes)
    if changes:
        return Planned(step, "again", "it was made with others: {changes}", {"changes": changes})
    return Planned(step, "decide", "it is kept if {names} comes out as before", {"names": names})


def request_of(step: Step) -> Request:
    """What a step's finished artifact was asked for, from its card.

    A setting that came to the stage later counts with what holds when nothing is said: a stage that does something
    else then has another version.
    """
    card = open_artifact(step.out).card
    if card is None:
        raise UserError(
            "{out} was not made by a step", fix="name the step otherwise, or move that folder", out=step.out
        )
    settings = card.settings
    if (card.stage, card.stage_version) == (step.stage.name, step.stage.version):
        with suppress(ValidationError):  # of what can no longer be asked for the differences are shown
            settings = step.stage.settings.model_validate_json(json.dumps(settings)).model_dump(mode="json")
    return Request(
        stage=card.stage, stage_version=card.stage_version, inputs=card.inputs, settings=settings, command=()
    )


def changes_between(before: Request, after: Request) -> str:
    """Where two requests differ, in one line."""
    return "; ".join(str(change) for change in differences(resume_view(before), resume_view(after)))


def changed(step: Step, changes: str) -> UserError:
    """A finished output that was made in another way is not overwritten without being told to."""
    return UserError(
        "{out} was made with other settings or inputs: {changes}",
        fix="give the step another name, or add --restart to delete it and make it again",
        out=step.out,
        changes=changes,
    )


# --- running -------------------------------------------------------------------------------------


def run_pipeline(
    pipeline: Pipeline,
    *,
    restart: bool = False,
    command: Sequence[str] = (),
    listeners: Sequence[Listener] = (),
    announce: Callable[[Planned], None] = lambda planned: None,
) -> list[Done]:
    """Make what is not there yet, step by step; a pipeline that was stopped goes on where it was.

    announce  told of each step when its turn comes
    raises    StepError with the name of the step that failed; what earlier steps made stays
    """
    before = {item.step.name: item for item in plan(pipeline, restart=restart, command=command)}
    done: list[Done] = []
    for step in pipeline.steps:
        with in_step(step.name):
            planned = before[step.name]
            if planned.prepared is None:
                ready = {other.step.name for other in done}
                planned = plan_step(pipeline, step, ready, restart, command)
            announce(planned)
            done.append(make(planned, restart, listeners, pipeline.workspace))
    return done


def make(planned: Planned, restart: bool, listeners: Sequence[Listener], workspace: Workspace) -> Done:
    """Carry out one step as planned."""
    step = planned.step
    if planned.action == "reuse":
        return Done(step, open_artifact(step.out), reused=True)
    assert planned.prepared is not None
    if planned.action == "again":
        shutil.rmtree(step.out)
    anew = restart and planned.action != "resume"
    artifact = carry_out(
        planned.prepared, step.out, restart=anew, listeners=listeners, cache=workspace.cache, on=step.on
    )
    return Done(step, artifact, reused=False)
