"""A command for every stage, made from its declaration: inputs, then OUT, then its options; and `check` for each."""

from __future__ import annotations

import inspect
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import typer
from pydantic import JsonValue

from langwright.artifacts import Artifact, partial_of, refuse_existing
from langwright.cli.preflight import show_preflight
from langwright.cli.progress import Progress
from langwright.cli.screen import Screen, measure_rows, screen_of
from langwright.cli.teaching import Command
from langwright.errors import UserError
from langwright.files import holder
from langwright.settings import Entry, Settings, entries, parse_value, read_settings
from langwright.stages.declaration import Stage
from langwright.stages.execution import assign, carry_out, kind_at, look, prepare, shown
from langwright.stages.following import follow
from langwright.tasks import TASKS
from langwright.tasks.declaration import Task
from langwright.training.together import FORM, Together, launched_rank, parse_on
from langwright.wording import say
from langwright.workspace import Workspace

LONGEST_CHOICES = 100  # characters

COMMON = (
    ("recipe", str | None, typer.Option("--recipe", metavar="FILE", help="Settings from a TOML file; `langwright recipe STAGE` writes one")),
    ("sets", list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="One setting; may be given again")),
)  # fmt: skip
RESTART = (
    "restart", bool,
    typer.Option("--restart", help="Delete what an unfinished run left and begin anew, instead of resuming it"),
)  # fmt: skip
ACCEPT = (
    "accept_changes", bool,
    typer.Option("--accept-changes", help="Resume with other settings than the run was begun with, such as more steps or another rate"),
)  # fmt: skip

ON = (
    "on", str | None,
    typer.Option("--on", metavar=FORM, help="Processes that train together: ddp gives each the whole model, fsdp a part of it"),
)  # fmt: skip


def stage_command(stage: Stage, section: str, examples: tuple[str, ...]) -> Command:
    """`langwright STAGE INPUTS OUT`."""

    def run(ctx: typer.Context, **given: Any) -> None:
        settings = settings_of(stage, given)
        on = parse_on(given.get("on") or "") if stage.together else None
        make(
            screen_of(ctx),
            stage,
            given["arguments"] or [],
            settings,
            restart=given["restart"],
            accept=given.get("accept_changes", False),
            on=on,
        )

    shown_inputs = tuple((shown(declared), declared.help) for declared in stage.inputs)
    return Command(
        name=stage.words, section=section, summary=stage.summary, examples=examples,
        run=with_signature(run, stage, restart=True),
        arguments=(*shown_inputs, ("OUT", "Folder to make; it must not exist yet")),
    )  # fmt: skip


def check_command(stage: Stage) -> Command:
    """`langwright check STAGE INPUTS [OUT]`: everything that can be known before the work begins."""

    def run(ctx: typer.Context, **given: Any) -> None:
        check(screen_of(ctx), stage, given["arguments"] or [], settings_of(stage, given))

    shown_inputs = tuple((shown(declared), declared.help) for declared in stage.inputs)
    return Command(
        name=f"check {stage.words}", section="", summary=stage.summary,
        examples=(f"langwright check {stage.words} {' '.join(name for name, _ in shown_inputs)}",),
        run=with_signature(run, stage, restart=False),
        arguments=(*shown_inputs, ("[OUT]", "Folder that would be made")),
        details="Looks at inputs and settings, and stops before the work.",
    )  # fmt: skip


# --- making --------------------------------------------------------------------------------------


def make(
    screen: Screen,
    stage: Stage,
    arguments: Sequence[str],
    settings: Settings,
    *,
    restart: bool,
    accept: bool = False,
    on: Together | None = None,
) -> None:
    """Carry the stage out, show it as it goes, and give the answer.

    on  processes that train together; in those that a launcher started beside the first one nothing is shown
    """
    workspace = Workspace()
    if not arguments:
        raise nothing_given(stage)
    *names, last = arguments
    out = Path(last)
    refuse_existing(out)
    inputs = assign(stage, names, lambda name: kind_at(name, workspace))
    prepared = prepare(stage, inputs, settings, workspace=workspace, command=screen.command)
    launched = launched_rank() if on else None
    if on and launched and launched[0]:
        follow(prepared, out, workspace.cache, on, launched[0])
        screen.answer({})
        return
    try:
        with Progress(screen) as progress:
            artifact = carry_out(
                prepared, out, restart=restart, accept=accept, listeners=(progress,), cache=workspace.cache, on=on
            )
    except KeyboardInterrupt:
        stopped(screen, out)
        raise typer.Exit(130) from None
    show_made(screen, stage, artifact)


def nothing_given(stage: Stage) -> UserError:
    """The stage was called without anything."""
    return UserError(
        "{command} was given nothing: it takes {expected}",
        fix="see an example with `langwright {command} --help`",
        command=stage.words,
        expected=" ".join([*(shown(declared) for declared in stage.inputs), "OUT"]),
    )


def show_made(screen: Screen, stage: Stage, artifact: Artifact) -> None:
    """The artifact, its results, and what to do next."""
    results = artifact.card.results if artifact.card else ()
    screen.table(measure_rows(results))
    screen.line(say("made {out}, a {kind}", out=artifact.path, kind=say(artifact.kind)))
    after = next_command(stage, artifact)
    data = {"artifact": str(artifact.path), "results": [m.model_dump(mode="json") for m in results], "next": after}
    screen.answer(data, next=after)


def next_command(stage: Stage, artifact: Artifact) -> str:
    """What to do with what a stage made; a model that labels is asked for labels, an encoder is taught a task."""
    abilities = artifact.card.abilities if artifact.card else ()
    taught = next((TASKS[one.task] for one in abilities if one.solver == "head" and one.task in TASKS), None)
    if taught is not None:
        return f"langwright predict {shlex.quote(str(artifact.path))} {taught.name} TEXT{beside_text(taught)}"
    tasks = [ability.task for ability in abilities]
    if {"fill", "pair", "detect", "embedding"} & set(tasks):  # an encoder: it does not go on from a text
        return f"langwright finetune {shlex.quote(str(artifact.path))} DATASET OUT --task classification"
    if "rewrite" in tasks:  # an encoder-decoder, which writes one text from another
        return f"langwright finetune {shlex.quote(str(artifact.path))} DATASET OUT --task translation"
    writes = next((task for task in tasks if task in TASKS and TASKS[task].prefix), None)
    if writes is not None:
        return f"langwright predict {shlex.quote(str(artifact.path))} {writes} TEXT{beside_text(TASKS[writes])}"
    return stage.next.format(out=shlex.quote(str(artifact.path)))


def beside_text(task: Task) -> str:
    """What a task must be told besides its text, as options of `langwright predict`."""
    needed = [name for name in task.panel[1:] if task.input.model_fields[name].is_required()]
    said = {"text_b": " --with TEXT", "context": " --with PASSAGE", "choices": " --labels A,B"}
    return "".join(said.get(name, f" --set {name}=VALUE") for name in needed)


def stopped(screen: Screen, out: Path) -> None:
    """A run that was asked to stop: what is kept and how to go on."""
    again = shlex.join(screen.command)
    kept = partial_of(out).exists() and holder(partial_of(out)) is None
    problem = say("{out} was stopped", out=out)
    fix = say("run the same command again to resume it") if kept else say("run the same command again")
    if screen.as_json:
        screen.answer({"error": {"code": "stopped", "params": {"out": str(out)}, "problem": problem, "fix": fix}})
        return
    screen.note(f"{problem}; {fix}")
    screen.answer({}, next=again)


# --- checking ------------------------------------------------------------------------------------


def check(screen: Screen, stage: Stage, arguments: Sequence[str], settings: Settings) -> None:
    """Open the inputs and look at everything that can be known before the work begins."""
    workspace = Workspace()
    if not arguments:
        raise nothing_given(stage)
    names, out = part_out(stage, list(arguments), workspace)
    if out is not None:
        refuse_existing(out)
    prepared = prepare(
        stage, assign(stage, names, lambda name: kind_at(name, workspace)), settings, workspace=workspace
    )
    for origin in prepared.request.inputs:
        screen.line(f"  {say(origin.role)}  {origin.path}  {say(origin.kind)}  {origin.digest[:12]}")
    with Progress(screen) as progress:
        found = look(prepared, listeners=(progress,), cache=workspace.cache)
    if found is not None:
        show_preflight(screen, found)
    screen.line(say("inputs and settings are fine"))
    words = [word for word in screen.command if word != "--json"]
    words.remove("check")
    after = shlex.join([*words, "OUT"] if out is None else words)
    data = {
        "stage": stage.name, "settings": prepared.request.settings,
        "inputs": [origin.model_dump(mode="json", include={"role", "path", "kind", "digest"}) for origin in prepared.request.inputs],
        "found": found.model_dump(mode="json") if found else None, "next": after,
    }  # fmt: skip
    screen.answer(data, next=after)


def part_out(stage: Stage, names: list[str], workspace: Workspace) -> tuple[list[str], Path | None]:
    """The inputs, and OUT where it was given: the last name when it is one too many, or could be spared and leads to nothing."""
    least = sum(not declared.optional for declared in stage.inputs)
    surplus = not any(declared.many for declared in stage.inputs) and len(names) > len(stage.inputs)
    if surplus or (len(names) > least and kind_at(names[-1], workspace) is None):
        return names[:-1], Path(names[-1])
    return names, None


# --- options from settings -----------------------------------------------------------------------


def settings_of(stage: Stage, given: Mapping[str, Any]) -> Settings:
    """The stage's settings from recipe, options and `--set`."""
    recipe = given["recipe"]
    options = {
        dotted: read_option(entry, given[parameter_name(option)]) for option, dotted, entry in stage_options(stage)
    }
    return read_settings(
        stage.settings, recipe=read_recipe(Path(recipe)) if recipe else None, sets=given["sets"] or (), given=options
    )


def read_recipe(file: Path) -> str:
    """A recipe's text; UserError when there is none."""
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            "the recipe {path} cannot be read: {reason}",
            fix="check the path; `langwright recipe STAGE > {path}` writes one to begin with",
            path=file,
            reason=error.strerror if isinstance(error, OSError) else error,
        ) from None


def stage_options(stage: Stage) -> Iterator[tuple[str, str, Entry]]:
    """(option with its dashes, dotted setting, the setting) of each option of a stage."""
    known = {entry.key: entry for entry in entries(stage.settings)}
    for option, dotted in stage.options.items():
        yield "--" + option.lstrip("-").replace("_", "-"), dotted, known[dotted]


def parameter_name(option: str) -> str:
    """How an option is called as a parameter; set apart from our own, such as `recipe`."""
    return "option_" + option.lstrip("-").replace("-", "_")


def read_option(entry: Entry, value: str | bool | None) -> JsonValue | None:
    """An option's value for its setting: text where the setting is text, a list where it is a list, else TOML."""
    if value is None or isinstance(value, bool):
        return value
    kinds = plain_types(entry.field.annotation)
    if tuple in kinds and not value.lstrip().startswith("["):
        return [part.strip() for part in value.split(",") if part.strip()]
    if kinds & {str} and not kinds & {int, float, bool}:
        return value
    return parse_value(value)


def plain_types(annotation: object) -> set[type]:
    """The types that an annotation names, through unions and Annotated."""
    if isinstance(annotation, type):
        return {annotation}
    origin = get_origin(annotation)
    if origin is Literal:
        return {type(choice) for choice in get_args(annotation)}
    if origin in (tuple, dict, list):
        return {origin}
    return {found for part in get_args(annotation) for found in plain_types(part)}


def with_signature(function: Callable[..., None], stage: Stage, *, restart: bool) -> Callable[..., None]:
    """Give a function the parameters that typer is to parse: the stage's options and those of every stage."""
    keyword = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter("ctx", keyword, annotation=typer.Context),
        inspect.Parameter(
            "arguments", keyword, default=None, annotation=Annotated[list[str] | None, typer.Argument(hidden=True)]
        ),
    ]
    kind: Any  # a type, for typer to read
    for option, _, entry in stage_options(stage):
        flag = plain_types(entry.field.annotation) == {bool}
        names = f"{option}/--no-{option.lstrip('-')}" if flag else option
        info = typer.Option(names, metavar=None if flag else metavar_of(entry), help=entry.help)
        kind = bool | None if flag else str | None
        parameters.append(
            inspect.Parameter(parameter_name(option), keyword, default=None, annotation=Annotated[kind, info])
        )
    making = (*((ON,) if stage.together else ()), *((ACCEPT,) if stage.changeable else ()), RESTART)
    for name, kind, info in (*COMMON, *making) if restart else COMMON:
        default = False if kind is bool else None
        parameters.append(inspect.Parameter(name, keyword, default=default, annotation=Annotated[kind, info]))
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return function


def metavar_of(entry: Entry) -> str:
    """What stands for an option's value in its help."""
    kinds = plain_types(entry.field.annotation)
    if get_origin(entry.field.annotation) is Literal:
        choices = "|".join(str(choice) for choice in get_args(entry.field.annotation))
        return choices if len(choices) <= LONGEST_CHOICES else entry.key.upper()  # a wrong one names them all
    return "N" if kinds & {int, float} and str not in kinds else "TEXT"
