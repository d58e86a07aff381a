"""Arms of a pipeline: the same steps several times, with other settings and seeds, and a comparison at the end.

    seeds = [1, 2, 3, 4, 5]
    compare = { step = "measured", measures = ["accuracy", "training time"] }

    [[arm]]                         # the first is what the others are compared with
    name = "adamw"

    [[arm]]
    name = "lamb"
    settings.model = { optimizer = { kind = "lamb" } }      # step -> what it has instead

Steps that an arm names, and all that rest on them, are made once an arm and seed, in OUT/ARM/seed-N/STEP. The
others are made once: all arms stand on the same data, tokenizer and base model. An arm makes only what its own
comparison rests on. Each seed is one pair of every two arms, so what the seeds have in common falls out of their
difference. Several comparisons are a list, each of another step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field, JsonValue

from langwright.errors import UserError, unknown
from langwright.settings import Settings, Table, place, validate
from langwright.stages.declaration import Stage
from langwright.workspace import PARTIAL

Given = tuple[str, ...] | dict[str, str | tuple[str, ...]]


class StepTable(Settings):
    """One `[[step]]`."""

    name: Annotated[str, Field(description="Name of the step; its artifact lies in a folder of that name")]
    stage: Annotated[str, Field(description="The stage to run")]
    inputs: Annotated[
        Given,
        Field(
            description="Names of steps, artifacts or sources, in the order of the command line, or a table of role = name"
        ),
    ]
    settings: Annotated[dict[str, JsonValue], Field(default_factory=dict, description="The stage's settings")]
    on: Annotated[str, Field(description="Processes that train together, as `--on` takes them; one when left out")] = ""


class ArmTable(Settings):
    """One `[[arm]]`."""

    name: Annotated[str, Field(description="Name of the arm, as the comparison shows it")]
    settings: Annotated[
        dict[str, dict[str, JsonValue]],
        Field(default_factory=dict, description="For each step that differs, the settings it has instead"),
    ]
    inputs: Annotated[
        dict[str, Given],
        Field(default_factory=dict, description="For each step that differs, the inputs it has instead"),
    ]
    on: Annotated[
        dict[str, str],
        Field(default_factory=dict, description="For each step that differs, the processes that train it instead"),
    ]


class CompareTable(Settings):
    """`compare`: what the arms are compared by."""

    step: Annotated[str, Field(description="The step whose measures are compared")]
    measures: Annotated[
        tuple[str, ...], Field(min_length=1, description="Names of measures, of that step or of what it was made from")
    ]
    claim: Annotated[str, Field(description="What the comparison is to show or to refute, in words")] = ""


class ArmsTable(Settings):
    """What a pipeline with arms has besides its steps."""

    arm: Annotated[tuple[ArmTable, ...], Field(description="The arms, what the others are compared with first")]
    seeds: Annotated[tuple[int, ...], Field(min_length=1, description="Seeds of every arm")]
    compare: Annotated[tuple[CompareTable, ...], Field(min_length=1, description="What the arms are compared by")]


COMPARISON = "comparison"


def with_arms(table: Table, steps: Sequence[StepTable], stages: Mapping[str, Stage]) -> list[StepTable]:
    """The steps of a pipeline, unrolled where it has arms; what belongs to arms is taken out of `table`.

    stages  by name; those with a seed get the run's
    raises  UserError for an arm or comparison that names no step, two arms of one name, seeds given twice
    """
    given: Table = {key: table.pop(key) for key in ("arm", "seeds", "compare") if key in table}
    if not given:
        return list(steps)
    if isinstance(given.get("compare"), dict):
        given["compare"] = [given["compare"]]
    arms = validate(ArmsTable, given)
    check(arms, steps)
    varying = varying_steps(arms, steps)
    seeded = {name for name, stage in stages.items() if "seed" in stage.settings.model_fields}
    common = [step for step in steps if step.name not in varying]
    # arms in turn, so that a slow hour of the machine falls on all of them
    runs = [(arm, seed) for seed in arms.seeds for arm in arms.arm]
    repeated = []
    for arm, seed in runs:
        own = [step.model_copy(update={"inputs": arm.inputs.get(step.name, step.inputs)}) for step in steps]
        needed = {name for compare in arms.compare for name in ancestors(compare.step, own)}
        repeated += [
            of_run(step, arm, seed, varying, seeded) for step in own if step.name in varying and step.name in needed
        ]
    return [*common, *repeated, *(comparison(compare, arms, runs) for compare in arms.compare)]


def check(arms: ArmsTable, steps: Sequence[StepTable]) -> None:
    """UserError for what cannot be unrolled."""
    names = [step.name for step in steps]
    compared = [compare.step for compare in arms.compare]
    for name in [*compared, *(step for arm in arms.arm for step in (*arm.settings, *arm.inputs, *arm.on))]:
        if name not in names:
            raise unknown("step", name, names)
    called = [arm.name for arm in arms.arm]
    for kind, values in (("arm", called), ("seed", [str(seed) for seed in arms.seeds]), ("step", compared)):
        for value in values:
            if values.count(value) > 1:
                raise UserError(
                    "{kind} {value} stands there twice", fix="give each {kind} once", kind=kind, value=value
                )  # fmt: skip
    for name in called:
        if Path(name).name != name or name.endswith(PARTIAL) or name in names:
            raise UserError(
                "an arm cannot be called {name!r}", fix="use a folder's name that no step has", name=name
            )  # fmt: skip
    if len(called) < 2:
        raise UserError("there is one arm, and nothing to compare it with", fix="add another [[arm]]")


def inputs_of(given: Given) -> Iterator[str]:
    """Every name in what a step takes as input."""
    for name in given.values() if isinstance(given, dict) else given:
        yield from (name,) if isinstance(name, str) else name


def varying_steps(arms: ArmsTable, steps: Sequence[StepTable]) -> set[str]:
    """The steps that an arm names, and all that rest on them."""
    found = {name for arm in arms.arm for name in (*arm.settings, *arm.inputs, *arm.on)}
    taken = {step.name: set(inputs_of(step.inputs)) for step in steps}
    for arm in arms.arm:
        for name, given in arm.inputs.items():
            taken[name] |= set(inputs_of(given))
    while True:
        more = {step.name for step in steps if found & taken[step.name]} - found
        if not more:
            return found
        found |= more


def ancestors(name: str, steps: Sequence[StepTable]) -> set[str]:
    """A step and all it rests on."""
    by_name = {step.name: step for step in steps}
    found, waiting = set[str](), [name]
    while waiting:
        step = by_name.get(waiting.pop())
        if step is not None and step.name not in found:
            found.add(step.name)
            waiting += inputs_of(step.inputs)
    return found


def of_run(step: StepTable, arm: ArmTable, seed: int, varying: set[str], seeded: set[str]) -> StepTable:
    """A step as an arm has it, with a seed; its inputs are the arm's already."""
    settings: Table = {**step.settings, **({"seed": seed} if step.stage in seeded else {})}
    for key, value in arm.settings.get(step.name, {}).items():
        put(settings, key, value)
    given = step.inputs
    moved: Given = (
        {role: tuple(run_name(n, arm, seed, varying) for n in ((names,) if isinstance(names, str) else names)) for role, names in given.items()}
        if isinstance(given, dict)
        else tuple(run_name(name, arm, seed, varying) for name in given)
    )  # fmt: skip
    name, on = run_name(step.name, arm, seed, varying), arm.on.get(step.name, step.on)
    return StepTable(name=name, stage=step.stage, inputs=moved, settings=settings, on=on)


def put(table: Table, key: str, value: JsonValue) -> None:
    """A setting instead of another; of a group given as a table, those in it, unless it names another kind."""
    before = table.get(key)
    if isinstance(value, dict) and isinstance(before, dict) and value.get("kind", before.get("kind")) == before.get("kind"):  # fmt: skip
        table[key] = dict(before)
        for inner, inside in value.items():
            place(table, f"{key}.{inner}", inside)
    else:
        place(table, key, value)


def run_name(name: str, arm: ArmTable, seed: int, varying: set[str]) -> str:
    """Where a step's artifact lies: with its arm and seed, where it varies."""
    return f"{arm.name}/seed-{seed}/{name}" if name in varying else name


def comparison(compare: CompareTable, arms: ArmsTable, runs: Sequence[tuple[ArmTable, int]]) -> StepTable:
    """The last step, or one of the last: all arms side by side."""
    settings: dict[str, JsonValue] = {
        "arms": [arm.name for arm, _ in runs],
        "seeds": [seed for _, seed in runs],
        "measures": list(compare.measures),
        "claim": compare.claim,
    }
    inputs = tuple(f"{arm.name}/seed-{seed}/{compare.step}" for arm, seed in runs)
    name = COMPARISON if len(arms.compare) == 1 else f"{COMPARISON}-{compare.step}"
    return StepTable(name=name, stage="compare", inputs=inputs, settings=settings)
