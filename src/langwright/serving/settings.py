"""What the server may be told, with what holds when nothing is said. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from langwright.serving.monitoring.settings import MonitoringSettings
from langwright.settings import Settings


class ServingSettings(Settings):
    """How much the server takes on, and whom it listens to."""

    allowed_hosts: Annotated[
        tuple[str, ...],
        Field(description="Names that a request may address the server by, besides localhost and the address it binds"),
    ] = ()
    allowed_origins: Annotated[
        tuple[str, ...],
        Field(description="Web pages' origins that may call the server from a browser, such as https://notes.example"),
    ] = ()
    require_key: Annotated[
        bool, Field(description="Ask for a key from the beginning on this computer too: for a server behind a proxy")
    ] = False
    max_body_bytes: Annotated[int, Field(ge=1, description="Largest request body, in bytes; a larger one gets 413")] = (
        1_048_576
    )
    max_open: Annotated[
        int, Field(ge=1, description="Most continuations running or waiting at once; a request beyond it gets 429")
    ] = 64
    max_choices: Annotated[
        int, Field(ge=1, description="Most continuations one request may ask for: its prompts times n")
    ] = 16
    max_new_tokens: Annotated[
        int, Field(ge=1, description="Most new tokens a request may ask for in one continuation")
    ] = 4096
    drain_s: Annotated[
        float, Field(ge=0, description="Seconds that open streams get to end by themselves when the server is stopped")
    ] = 10.0
    reader_s: Annotated[
        float,
        Field(
            gt=0,
            le=86400,
            description="Seconds that a caller may leave what was sent unread before the connection is closed",
        ),
    ] = 60.0
    sender_s: Annotated[
        float,
        Field(
            gt=0,
            le=86400,
            description="Seconds that a caller has to send a request, longer by one for each sender_bytes_s bytes of it; then 408",
        ),
    ] = 20.0
    sender_bytes_s: Annotated[
        int, Field(ge=1, description="Bytes of a request that give its caller one second more to send the rest")
    ] = 500
    leave_s: Annotated[
        float,
        Field(
            ge=0,
            description="Seconds that a server which is stopped still answers, and says it is not ready: for a balancer",
        ),
    ] = 0.0
    ready_s: Annotated[
        float, Field(gt=0, description="Seconds within which each engine must make a token for /health/ready to say so")
    ] = 5.0
    requests_per_minute: Annotated[
        int | None,
        Field(ge=1, description="Most requests a minute from a key that says nothing else; none when left out"),
    ] = None
    tokens_per_day: Annotated[
        int | None,
        Field(ge=1, description="Most tokens a day (UTC), read and written, for a key that says nothing else"),
    ] = None
    audit_prompts: Annotated[
        bool, Field(description="Keep in the audit log what was asked, sealed when there is a key for texts")
    ] = False
    audit_days: Annotated[
        float | None, Field(gt=0, description="Days after which rows of the audit log are deleted; never when left out")
    ] = 365.0
    conversation_days: Annotated[
        float | None,
        Field(
            gt=0,
            description="Days after which a conversation is deleted in which nothing was said; never when left out",
        ),
    ] = None
    feedback_days: Annotated[
        float | None, Field(gt=0, description="Days after which feedback is deleted; never when left out")
    ] = None
    monitoring: Annotated[
        MonitoringSettings, Field(description="What is written down of requests, and what is watched")
    ] = MonitoringSettings()
    max_jobs: Annotated[int, Field(ge=1, description="Most jobs that train at once; the others wait in a queue")] = 1
    job_threads: Annotated[
        int, Field(ge=0, description="Threads that each job computes with; 0 gives the jobs half of the cores together")
    ] = 0
    job_stop_s: Annotated[
        float,
        Field(gt=0, description="Seconds that a cancelled job has to save its state and leave, before it is ended"),
    ] = 60.0
    max_watchers: Annotated[
        int, Field(ge=1, description="Most callers that follow the events of a job at once; one beyond it gets 429")
    ] = 64
    max_upload_bytes: Annotated[
        int, Field(ge=1, description="Largest file that may be uploaded, in bytes; a larger one gets 413")
    ] = 1_073_741_824
