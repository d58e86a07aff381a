"""What a job is asked to do, as the command that a person would run for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from pydantic import Field, JsonValue

from langwright.artifacts import Request, accepted_changes, has_checkpoints, partial_of
from langwright.errors import UserError, unknown
from langwright.jobrecord import read_job
from langwright.serving.complaints import ApiError
from langwright.serving.resources.names import may_exist, new_name
from langwright.settings import Settings, leaves, read_settings, toml_value, validate
from langwright.stages import STAGES
from langwright.stages.declaration import Stage
from langwright.stages.execution import Prepared, assign, check_roles, check_together, kind_at, prepare
from langwright.training.together import FORM, parse_on
from langwright.workspace import Workspace, read_request

UPLOADS = "uploads"  # folder of the workspace with raw files
MOST_PROCESSES = 16
LONGEST_WORD = 100_000  # bytes; the system takes no longer one


class JobRequest(Settings):
    """POST /v1/jobs: carry out a stage."""

    stage: Annotated[str, Field(description="Which stage; GET /v1/stages lists them", examples=['"pretrain"'])]
    name: Annotated[str, Field(description="How the run, and what it makes, is called", examples=['"base"'])]
    inputs: Annotated[
        dict[str, tuple[str, ...]],
        Field(
            description="Names of runs, or of uploaded files, by the role that the stage has for them",
            examples=['{"dataset": ["text"], "tokenizer": ["tokens"]}'],
        ),
    ] = Field(default_factory=dict)
    settings: Annotated[
        dict[str, JsonValue],
        Field(
            description="The stage's settings; what is left out has its default",
            examples=['{"steps": 200, "schedule": {"kind": "cosine"}}'],
        ),
    ] = Field(default_factory=dict)
    on: Annotated[
        str | None, Field(description="Processes that train together, such as processes:2,fsdp; one when left out")
    ] = None
    restart: Annotated[
        bool, Field(description="Delete what a stopped run of this name left, and begin anew; default false")
    ] = False


class ResumeRequest(Settings):
    """POST /v1/jobs/{name}/resume: go on from the last checkpoint."""

    settings: Annotated[
        dict[str, JsonValue],
        Field(description="Settings to go on with instead of those it was begun with", examples=['{"steps": 400}']),
    ] = Field(default_factory=dict)


@dataclass(frozen=True)
class Wanted:
    """A job that was looked at and found fit; nothing has been written.

    words     the command, without `langwright`
    settings  as they were given
    """

    name: str
    out: Path
    prepared: Prepared
    words: tuple[str, ...]
    settings: dict[str, JsonValue]


def wanted(workspace: Workspace, asked: JobRequest) -> Wanted:
    """What a request comes to. Blocks: inputs are opened, and raw files are hashed.

    raises  ApiError for a stage, name, input or setting that is not there or not allowed; UserError for inputs that do not do
    """
    if asked.stage not in STAGES:
        raise ApiError(unknown("stage", asked.stage, STAGES), status=422, param="stage")
    stage = STAGES[asked.stage]
    name = new_name(asked.name)
    refuse_other_roles(stage, asked.inputs)
    check_roles(stage, asked.inputs)
    said = {one.role: tuple(named(workspace, one.kind, n, one.role) for n in asked.inputs.get(one.role, ()))
            for one in stage.inputs}  # fmt: skip
    return prepared(workspace, stage, name, said, asked.settings, asked.on)


def prepared(
    workspace: Workspace,
    stage: Stage,
    name: str,
    said: Mapping[str, Sequence[str]],
    given: Mapping[str, JsonValue],
    on: str | None,
) -> Wanted:
    """A job over inputs as the command names them, from the workspace's folder."""
    out = workspace.runs_folder / name
    settings = settings_of(stage, given)
    words = command(workspace, stage, said, f"runs/{name}", given, on)
    if read_settings(stage.settings, sets=sets_of(given)) != settings:
        raise ApiError(
            UserError(
                "these settings cannot be said on a command line, which is how a job is begun",
                fix="leave out what is null, and keys with signs in them",
            ),
            param="settings",
        )
    places = {role: [name if workspace.names_remote(name) else workspace.folder / name for name in names]
              for role, names in said.items()}  # fmt: skip
    found = prepare(stage, places, settings, workspace=workspace, command=("langwright", *words))
    inputs = iter([one for role in stage.inputs for one in said[role.role]])
    origins = tuple(origin.model_copy(update={"path": next(inputs)}) for origin in found.request.inputs)
    found = replace(found, request=found.request.model_copy(update={"inputs": origins}))
    return Wanted(name, out, found, words, dict(given))


def resumed(workspace: Workspace, name: str, changes: Mapping[str, JsonValue]) -> Wanted:
    """The job that goes on with a run that was stopped, by a server or by a person.

    raises  ApiError or UserError for changes that the stage cannot go on with, or inputs that are gone
    """
    folder = partial_of(workspace.runs_folder / name)
    request, job = read_request(folder), read_job(folder)
    if request is None or request.stage not in STAGES:
        raise unknown("stage", request.stage if request else "", STAGES)
    stage = STAGES[request.stage]
    given = merged(job.settings if job is not None else request.settings, changes)
    said = {one.role: tuple(o.path for o in request.inputs if o.role == one.role) for one in stage.inputs}
    found = prepared(workspace, stage, name, said, given, on_of(request))
    if has_checkpoints(folder):
        changed = accepted_changes(folder, found.prepared.request, True, stage.changeable)
        if changed:
            found = replace(found, words=(*found.words, "--accept-changes"))
    return found


def refuse_other_roles(stage: Stage, inputs: Mapping[str, object]) -> None:
    """ApiError for inputs that a stage does not have."""
    roles = [one.role for one in stage.inputs]
    for role in inputs:
        if role not in roles:
            raise ApiError(unknown("input", role, roles), status=422, param=f"inputs.{role}")


def named(workspace: Workspace, kind: str, name: str, role: str) -> str:
    """Where a name leads, from the workspace's folder: an uploaded file for a stage that reads files, else a run."""
    folder = workspace.folder / UPLOADS if kind == "source" else workspace.runs_folder
    if not may_exist(name) or not ((folder / name).exists() or partial_of(folder / name).exists()):
        known = [item.name for item in folder.iterdir() if may_exist(item.name)] if folder.is_dir() else []
        raise ApiError(unknown("file" if kind == "source" else "run", name, known), status=404, param=f"inputs.{role}")
    return f"{UPLOADS if kind == 'source' else 'runs'}/{name}"


def settings_of(stage: Stage, given: Mapping[str, JsonValue]) -> Settings:
    """The stage's settings; ApiError 422 that names the one that is wrong."""
    try:
        return validate(stage.settings, given)
    except UserError as error:
        key = error.values.get("key") or error.values.get("name")
        raise ApiError(error, status=422, param=f"settings.{key}" if key else "settings") from None


def command(
    workspace: Workspace, stage: Stage, said: Mapping[str, Sequence[str]], out: str, given: Mapping[str, JsonValue], on: str | None
) -> tuple[str, ...]:  # fmt: skip
    """The words of the command, without `langwright`."""
    if on is not None:
        together = parse_on(on)
        if together is None or together.processes > MOST_PROCESSES:
            raise ApiError(
                UserError(
                    "on = {on} is not allowed", fix="give {form}, with at most {most}", on=on, form=FORM, most=MOST_PROCESSES
                ), status=422, param="on",
            )  # fmt: skip
        check_together(stage, together)
    names = [one for role in stage.inputs for one in said[role.role]]
    sets = [word for one in sets_of(given) for word in ("--set", one)]
    words = (*stage.words.split(), *names, out, *sets, *(("--on", on) if on is not None else ()))
    if any(len(word.encode()) > LONGEST_WORD for word in words):
        raise ApiError(
            UserError("a setting is longer than {most} bytes", fix="make it shorter", most=LONGEST_WORD),
            param="settings",
        )
    placed = assign(stage, names, lambda name: kind_at(name, workspace))
    if {role: tuple(found) for role, found in placed.items()} != {role: tuple(found) for role, found in said.items()}:
        raise ApiError(
            UserError(
                "{stage} would take these inputs for others than they were given as",
                fix="give the roles before them too", stage=stage.name,
            ), param="inputs",
        )  # fmt: skip
    return words


def sets_of(given: Mapping[str, JsonValue]) -> list[str]:
    """Settings as `--set` takes them."""
    return [f"{'.'.join(path)}={toml_value(value)}" for path, value in leaves(given) if value is not None]


def merged(given: Mapping[str, JsonValue], changes: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Settings with some of them changed; a choice of another kind is changed as a whole."""
    found = dict(given)
    for key, value in changes.items():
        before = found.get(key)
        whole = (
            not isinstance(before, dict)
            or not isinstance(value, dict)
            or value.get("kind", before.get("kind")) != before.get("kind")
        )
        found[key] = value if whole else merged(before, value)  # type: ignore[arg-type]
    return found


def on_of(request: Request) -> str | None:
    """How many processes a run was begun with, as its command says."""
    words = request.command
    return next((words[at + 1] for at, word in enumerate(words[:-1]) if word == "--on"), None)
