"""What a program that nobody vouches for may use, and how far it must be set apart. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from langwright.settings import Settings

Isolation = Literal["namespaces", "limits"]


class Sandbox(Settings):
    """Whether written programs may be run at all, and within which bounds."""

    allow: Annotated[
        bool,
        Field(description="Run programs that a model wrote. Off unless you say so: read what the sandbox holds off"),
    ] = False
    isolation: Annotated[
        Isolation,
        Field(
            description="What must hold, or nothing is run: namespaces (no network, no files but the system's libraries, "
            "no other processes) or, accepted by name, limits (time, memory, no sockets, but your files can be read)"
        ),
    ] = "namespaces"
    seconds: Annotated[float, Field(gt=0, le=3600, description="Most time a run takes, by the clock")] = 10.0
    memory_mb: Annotated[int, Field(ge=32, description="Most memory of each process, in MiB")] = 512
    processes: Annotated[int, Field(ge=1, le=256, description="Most processes and threads at one time")] = 16
    output_kb: Annotated[int, Field(ge=1, description="Most that may be printed, in KiB; a run ends there")] = 256
    files_mb: Annotated[int, Field(ge=1, description="Most that may be written to the empty folder, in MiB")] = 16
