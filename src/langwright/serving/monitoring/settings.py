"""What the server may be told about watching itself, with what holds when nothing is said. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from langwright.settings import Settings


class DriftSettings(Settings):
    """How what is asked is compared with what was asked, or taught, before."""

    window: Annotated[
        int, Field(ge=0, le=10_000, description="Requests that are looked at together; 0 looks at none")
    ] = 0
    reference: Annotated[
        int,
        Field(ge=20, le=10_000, description="Texts that they are compared with: the first of each model, or of data"),
    ] = 1000
    data: Annotated[
        str, Field(description="Data set whose texts are the reference; the first requests when left out")
    ] = ""
    false_alarms: Annotated[
        float, Field(ge=0.005, le=0.5, description="Share of windows that may be called changed where nothing has")
    ] = 0.01
    vectors: Annotated[
        bool, Field(description="Compare the model's vectors of the texts too, which reads each of them once more")
    ] = False
    pause_s: Annotated[float, Field(ge=0, description="Fewest seconds between two windows of a model")] = 60.0


class MonitoringSettings(Settings):
    """What is written down of requests, and what is watched."""

    log: Annotated[
        str, Field(description="File for a JSON line about each request, never with its text; - for standard error")
    ] = ""
    log_bytes: Annotated[
        int, Field(ge=10_000, description="Bytes from which on a new log file is begun; the old one is kept as FILE.1")
    ] = 10_000_000
    log_files: Annotated[int, Field(ge=1, le=1000, description="Old log files that are kept")] = 5
    alerts: Annotated[
        str, Field(description="TOML file of rules for alerts on latency, errors, queue, drift and failing models")
    ] = ""
    checks: Annotated[
        str, Field(description="TOML file that says which models are evaluated again, how often, against which gate")
    ] = ""
    drift: Annotated[DriftSettings, Field(description="Whether what is asked has changed")] = DriftSettings()
