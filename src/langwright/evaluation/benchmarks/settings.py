"""What `langwright benchmark` can be told. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from langwright.inference.precision import Precision
from langwright.settings import Settings


class BenchmarkSettings(Settings):
    """Which benchmarks are run, and how."""

    tasks: Annotated[
        tuple[str, ...],
        Field(
            min_length=1,
            description="Benchmarks: names of shipped ones, files in TOML, YAML files of lm-evaluation-harness, or tables whose "
            "columns say what is asked",
        ),
    ] = ("blimp", "climp")
    data: Annotated[
        str | None, Field(description="Folder below which the data of benchmarks lies; LANGWRIGHT_DATA when left out")
    ] = None
    files: Annotated[
        dict[str, str], Field(description="Files in place of a benchmark's own data, by its name or by name/split")
    ] = Field(default_factory=dict)
    yaml: Annotated[tuple[str, ...], Field(description="Folders of YAML files whose benchmarks can be named too")] = ()
    shots: Annotated[
        int | None, Field(ge=0, description="Examples before each question; each benchmark's own number when left out")
    ] = None
    limit: Annotated[int | None, Field(ge=1, description="Most questions of each benchmark; all when left out")] = None
    limit_to: Annotated[
        Literal["spread", "first"],
        Field(
            description="Which questions a limit leaves: spread evenly over all, or the first ones, as lm-evaluation-harness "
            "takes them"
        ),
    ] = "spread"
    allow_code: Annotated[
        tuple[str, ...],
        Field(description="Names of functions that YAML files may call, such as utils.process_docs; none unless named"),
    ] = ()
    precision: Annotated[Precision, Field(description="Numbers the model computes in")] = "float32"
    strict: Annotated[
        bool | None,
        Field(
            description="Whether an answer has the same bits whatever else is asked; when left out yes on the CPU, "
            "and elsewhere it cannot be had"
        ),
    ] = None
    keep: Annotated[
        bool,
        Field(
            description="Keep answers in the workspace's cache, and take from there what the same model answered before"
        ),
    ] = True
    seed: Annotated[int, Field(ge=0, description="Seed of drawn answers and bootstrap intervals")] = 0
