"""What the files for deployment say, read as the programs would that they are for; and where those programs lie."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.house.source import ROOT

from langwright.cli.main import find
from langwright.serving.running import LAST_RESORT_S
from langwright.serving.settings import ServingSettings
from langwright.settings import read_settings

DEPLOY = ROOT / "deploy"
PLACES = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
VARIABLE = re.compile(r"\$\{(\w+)(?::?([-?])([^}]*))?\}")


def program(name: str, package: str) -> str:
    """Where a program lies; the test is skipped where it is not installed."""
    found = shutil.which(name, path=PLACES)
    if found is None:
        pytest.skip(f"{name} is not installed ({package})")
    return found


@dataclass(frozen=True)
class Serve:
    """A command line of `langwright serve`, understood by the program itself."""

    models: tuple[str, ...]
    options: dict[str, str]
    settings: ServingSettings

    @property
    def longest_stop_s(self) -> float:
        """Seconds that a stop may take: leaving, draining, the last answers."""
        return self.settings.leave_s + self.settings.drain_s + LAST_RESORT_S + 1


def serve_line(words: list[str]) -> Serve:
    """The words after `langwright`; fails for an option or a setting that does not exist."""
    command, rest = find(words)
    assert command is not None and command.name == "serve", words
    given = command.build().make_context("serve", list(rest)).params
    settings = read_settings(ServingSettings, sets=given.pop("sets") or ())
    models = tuple(given.pop("models"))
    return Serve(models, {name: str(value) for name, value in given.items() if value}, settings)


def variables(file: Path) -> dict[str, str]:
    """An environment file."""
    lines = (line.strip() for line in file.read_text(encoding="utf-8").splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value for name, _, value in pairs}


def filled(text: str, given: dict[str, str]) -> str:
    """A text with its ${VARIABLES} put in, as compose does it; fails where one is required and missing."""

    def value(match: re.Match[str]) -> str:
        name, kind, other = match.groups()
        found = given.get(name, "")
        assert found or kind != "?", f"{name} is required: {other}"
        return found or (other if kind == "-" else "")

    return VARIABLE.sub(value, text)


SECRETS = {"POSTGRES_PASSWORD": "f00d" * 12, "LANGWRIGHT_STORE_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}


def compose() -> dict[str, Any]:
    """compose.yaml with the example of its variables, filled in."""
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(filled(text, variables(DEPLOY / "env.example") | SECRETS))


def dockerfile() -> list[tuple[str, str]]:
    """(instruction, rest) of the Dockerfile, lines joined."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    lines = re.sub(r"\\\n\s*", "", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)).splitlines()
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines if line.strip())]


def listed(instruction: str) -> list[str]:
    """The words of the last ENTRYPOINT, CMD or HEALTHCHECK, which stand there as JSON."""
    found = [rest for word, rest in dockerfile() if word == instruction][-1]
    words = json.loads(found[found.index("[") :])
    assert isinstance(words, list)
    return words


def unit() -> dict[str, list[str]]:
    """Settings of the [Service] section, in the order they stand."""
    text = (DEPLOY / "langwright.service").read_text(encoding="utf-8").partition("[Service]\n")[2].partition("\n[")[0]
    found: dict[str, list[str]] = {}
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def start_line() -> list[str]:
    """ExecStart with the variables of langwright.env put in as systemd.service(5) says: $NAME becomes several words."""
    (line,) = unit()["ExecStart"]
    given = variables(DEPLOY / "langwright.env")
    words: list[str] = []
    for word in shlex.split(line):
        if whole := re.fullmatch(r"\$(\w+)", word):
            words += shlex.split(given[whole[1]])
        else:
            words.append(re.sub(r"\$\{(\w+)\}", lambda match: given[match[1]], word))
    return words


def seconds(span: str) -> float:
    """A span of time as systemd and compose write it.

    >>> seconds("10min"), seconds("90s"), seconds("90")
    (600.0, 90.0, 90.0)
    """
    match = re.fullmatch(r"(\d+)(s|m|min|h)?", span)
    assert match is not None, span
    return float(match[1]) * {"s": 1, None: 1, "m": 60, "min": 60, "h": 3600}[match[2]]
