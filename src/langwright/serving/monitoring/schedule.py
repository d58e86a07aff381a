"""What a file of checks may say: which models are evaluated again, on what, how often, against which gate.

[[check]]
model = "topics"
dataset = "reviews"
gate = "gate.toml"
every_h = 24
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, JsonValue

from langwright.errors import UserError
from langwright.evaluation.gate import read_gate
from langwright.settings import Settings, read_settings


class Check(Settings):
    """One model that is evaluated again."""

    model: Annotated[str, Field(description="A model that is served, by its name")]
    dataset: Annotated[str, Field(description="The name of a run that is a data set: the rows to measure it on")]
    gate: Annotated[str, Field(description="Gate file that the measures have to meet, seen from the file of checks")]
    every_h: Annotated[float, Field(gt=0, description="Hours between two evaluations")] = 24.0
    settings: Annotated[
        dict[str, JsonValue], Field(description="Settings of the evaluation; what is left out has its default")
    ] = Field(default_factory=dict)


class Schedule(Settings):
    """A file of checks."""

    check: Annotated[tuple[Check, ...], Field(min_length=1, description="One model each")]


def read_schedule(file: Path) -> tuple[Check, ...]:
    """A file of checks, its gates as paths from here.

    raises  UserError when it or one of its gates cannot be read, or it names a model twice
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            "the file of checks {path} cannot be read: {error}",
            fix="name a TOML file with a [[check]] for each model",
            path=file,
            error=error,
        ) from None
    checks = [
        check.model_copy(update={"gate": str(file.parent / check.gate)})
        for check in read_settings(Schedule, recipe=text).check
    ]
    names = [check.model for check in checks]
    for check in checks:
        if names.count(check.model) > 1:
            raise UserError(
                "{path} has two checks of {model}", fix="put all demands into one gate", path=file, model=check.model
            )
        read_gate(Path(check.gate))
    return tuple(checks)
