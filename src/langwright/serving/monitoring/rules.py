"""What an alert file may say: rules over the last seconds, in TOML. Imports nothing heavy.

[[rule]]
name = "slow"
above = 2.0
for_s = 60
on = {kind = "latency", quantile = 0.95, of = "first_token"}
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field

from langwright.errors import UserError
from langwright.settings import Settings, read_settings

NAME = re.compile(r"[\w.-]{1,64}")


class Latency(Settings):
    """Seconds that answers took: a quantile of them."""

    kind: Literal["latency"] = "latency"
    quantile: Annotated[float, Field(gt=0, le=1, description="Which share of the answers was at most as slow")] = 0.95
    of: Annotated[
        Literal["request", "first_token"],
        Field(description="Until the last byte of the answer, or until the first token of a continuation"),
    ] = "request"


class Errors(Settings):
    """The share of requests that failed through the server: status 500 and above, or broken off by it."""

    kind: Literal["errors"] = "errors"


class Queue(Settings):
    """How many continuations waited for a place in an engine, on average."""

    kind: Literal["queue"] = "queue"


class Drift(Settings):
    """How many of the looked-at properties of what is asked have changed."""

    kind: Literal["drift"] = "drift"


class Failing(Settings):
    """How many models did not meet their gate when they were last evaluated again."""

    kind: Literal["failing"] = "failing"


On = Latency | Errors | Queue | Drift | Failing


class Rule(Settings):
    """When a person is to be told."""

    name: Annotated[str, Field(description="What the alert is called", examples=['"slow"'])]
    on: Annotated[
        Annotated[On, Field(discriminator="kind")],
        Field(description="What is looked at: latency, errors, queue, drift, or failing models"),
    ]
    above: Annotated[
        float, Field(ge=0, description="Beyond this it is too much: seconds, a share, or a number, as it is looked at")
    ] = 0.0
    window_s: Annotated[float, Field(gt=0, description="Seconds back that are looked at")] = 300.0
    least: Annotated[
        int, Field(ge=1, description="Fewest requests in that time to say anything; fewer count as nothing wrong")
    ] = 20
    for_s: Annotated[float, Field(ge=0, description="Seconds that it must last before the alert fires")] = 60.0
    clear_s: Annotated[float, Field(ge=0, description="Seconds that it must be over before the alert is resolved")] = (
        60.0
    )


class AlertRules(Settings):
    """An alert file."""

    rule: Annotated[tuple[Rule, ...], Field(min_length=1, description="One rule each")]
    every_s: Annotated[float, Field(gt=0, description="Seconds between two looks")] = 5.0
    post: Annotated[
        str, Field(description="URL that is told of alerts which fire and are resolved; nobody when left out")
    ] = ""


def read_rules(file: Path) -> AlertRules:
    """An alert file.

    raises  UserError when it cannot be read, or names an alert twice, or a URL that is none
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            "the alert file {path} cannot be read: {error}",
            fix="name a TOML file with a [[rule]] for each alert",
            path=file,
            error=error,
        ) from None
    rules = read_settings(AlertRules, recipe=text)
    names = [rule.name for rule in rules.rule]
    for name in names:
        if not NAME.fullmatch(name) or names.count(name) > 1:
            raise UserError(
                "an alert in {path} cannot be called {name!r}",
                fix="give each a name of its own, of letters, digits, dots and dashes",
                path=file,
                name=name,
            )
    if rules.post and urlsplit(rules.post).scheme not in ("http", "https"):
        raise UserError(
            "{url!r} cannot be told of alerts", fix="give a URL that begins with http:// or https://", url=rules.post
        )
    return rules
