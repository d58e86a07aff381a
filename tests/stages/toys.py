"""Small stages that do real work on files, so that the executor and pipelines can be tested without a model."""

from __future__ import annotations

import json
from typing import Annotated, Literal

from pydantic import Field

from langwright.artifacts import DatasetFacts, Made
from langwright.errors import UserError
from langwright.measures import Measure
from langwright.runlog import Chosen, Progressed, Stepped
from langwright.settings import Settings
from langwright.stages.declaration import Input, Stage, Work


class GatherSettings(Settings):
    """Of `gather`."""

    upper: Annotated[bool, Field(description="Write it in capitals")] = False
    seed: Annotated[int, Field(ge=0, description="Seed")] = 42


class JoinSettings(Settings):
    """Of `join`; it has no seed."""

    between: Annotated[str, Field(description="What stands between the parts")] = "\n"


class DrillSettings(Settings):
    """Of `drill`."""

    steps: Annotated[int, Field(ge=1, description="Steps")] = 3
    seed: Annotated[int, Field(ge=0, description="Seed")] = 42
    mode: Annotated[Literal["plain", "hard"], Field(description="How")] = "plain"
    rate: Annotated[float | None, Field(gt=0, description="Rate")] = None
    words: Annotated[tuple[str, ...], Field(description="Words")] = ()


def gather(work: Work) -> Made:
    """The sources' text in one file."""
    text = "".join(path.read_text() for path in work.sources["source"])
    if not text:
        raise UserError("{count} sources hold no text", fix="give others", count=len(work.sources["source"]))
    work.log.write(Progressed(what="reading", done=1, total=1))
    (work.out / "text.txt").write_text(text.upper() if work.settings.upper else text)
    size = len(text.encode())
    return Made(
        results=(Measure(name="bytes", value=float(size), unit="bytes", n=1),),
        dataset=DatasetFacts(schema_name="text", splits={"train": 1}, bytes=size),
    )


def join(work: Work) -> Made:
    """Several data sets in one."""
    parts = [(artifact.path / "text.txt").read_text() for artifact in work.artifacts["dataset"]]
    (work.out / "text.txt").write_text(work.settings.between.join(parts))
    return Made(dataset=DatasetFacts(schema_name="text", splits={"train": 1}, bytes=1))


def drill(work: Work) -> Made:
    """Steps, each saved; breaks off where the file `trip` of the data set says, once."""
    work.log.write(Chosen(message="mode {mode} was chosen", values={"mode": work.settings.mode}))
    done = len(list(work.making.checkpoints.glob("*/manifest.json"))) if work.making.resumed else 0
    trip = work.one("dataset").path.parent / "trip"
    for step in range(done + 1, work.settings.steps + 1):
        folder = work.making.checkpoints / f"step-{step:08d}"
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text("{}")
        work.log.write(
            Stepped(
                step=step, steps=work.settings.steps, loss=1 / step, learning_rate=0.1, gradient_norm=1.0, units=8,
                tokens=10, useful=0.8, tokens_per_second=100.0, seconds=0.1,
            )
        )  # fmt: skip
        if trip.exists() and step == 2:
            kind = trip.read_text()
            trip.unlink()
            raise {"bug": RuntimeError, "stop": KeyboardInterrupt}[kind]("tripped")
    (work.out / "config.json").write_text(json.dumps({"steps": work.settings.steps}))
    score = work.settings.steps + work.settings.seed / 10
    return Made(results=(Measure(name="score", value=score, unit="points", better="higher", n=1),))


GATHER = Stage(
    name="toy-gather", version=1, summary="Gather text", settings=GatherSettings,
    inputs=(Input("source", "source", "Files", many=True),), makes="dataset", run=gather,
    next="langwright toy join {out} OUT", options={"upper": "upper"},
)  # fmt: skip
JOIN = Stage(
    name="toy-join", version=1, summary="Join data sets", settings=JoinSettings,
    inputs=(Input("dataset", "dataset", "Data sets", many=True),), makes="dataset", run=join,
    next="langwright drill {out} OUT", options={"between": "between"},
)  # fmt: skip
DRILL = Stage(
    name="drill", version=1, summary="Drill", settings=DrillSettings,
    inputs=(Input("dataset", "dataset", "A data set"), Input("base", "model", "A model to begin with", optional=True)),
    makes="model", run=drill, next="langwright chat {out}",
    options={"--steps": "steps", "mode": "mode", "rate": "rate", "words": "words"},
)  # fmt: skip
TOYS: dict[str, Stage] = {stage.name: stage for stage in (GATHER, JOIN, DRILL)}
