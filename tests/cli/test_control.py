"""What a text must be like, from the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.inference.control.writers import writer

from langwright.artifacts import Artifact
from langwright.cli.control import read_length
from langwright.errors import UserError
from langwright.tasks.front import loading


class Kept(loading.Model):
    """A model that outlives a command."""

    def close(self) -> None:
        pass


@pytest.fixture
def random_model(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Iterator[None]:
    """`random` is a model of random weights."""
    with writer("letters") as text:
        monkeypatch.setattr(loading, "load", lambda *a, **k: Kept("random", Artifact(folder, "model", None), text=text))
        yield


def test_lengths_as_they_are_said() -> None:
    assert read_length("50 words") == {"unit": "words", "at_most": 50}
    assert read_length("1 sentence") == {"unit": "sentences", "at_most": 1}
    assert read_length(" 40-60 characters") == {"unit": "characters", "at_most": 60, "at_least": 40, "whole": True}
    for wrong in ("50", "words", "-5 words", "5.5 words"):
        with pytest.raises(UserError, match="is no length"):
            read_length(wrong)


def test_every_option(run: Run, random_model: None, folder: Path) -> None:
    schema = {"type": "array", "items": {"enum": ["好", "b"]}, "minItems": 1, "maxItems": 3}
    (folder / "schema.json").write_text(json.dumps(schema))
    (folder / "sum.lark").write_text('start: "1" ("+" "1")+')

    def text(*options: str) -> str:
        return str(run("generate", "random", "a", "--max-new-tokens", "60", "--json", *options).json["text"])

    assert set(json.loads(text("--schema", "schema.json"))) <= {"好", "b"}
    assert re.fullmatch("[0-9]{4}", text("--regex", "[0-9]{4}"))
    assert text("--choice", "好评", "--choice", "差评") in ("好评", "差评")
    assert set(text("--grammar", "sum.lark")) <= {"1", "+"}
    assert len(re.findall(r"\S", text("--length", "10 characters"))) <= 10
    assert "moon" in text("--must", "moon", "--never", "sun") and text()
    assert text("--away-from", "b", "--strength", "3") != text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--schema", "none.json"], "cannot be read"),
        (["--schema", "bad.json"], "is not JSON"),
        (["--length", "many words"], "is no length"),
        (["--strength", "2"], "means nothing without"),
        (["--regex", "a", "--choice", "b"], "do not go together"),
        (["--regex", "("], "cannot be used"),
    ],
)
def test_bad_options(run: Run, random_model: None, folder: Path, options: list[str], said: str) -> None:
    (folder / "bad.json").write_text("{")
    found = run("generate", "random", "a", *options)
    assert found.code == 2 and said in found.err
