"""The code of the page on tasks, as it stands there: every verb on the model that `make demo` makes."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from tests.house.source import ROOT
from tests.tasks.tiny import give_card, write_writer

from langwright.artifacts import Ability
from langwright.tasks.front.loading import Model

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTION = {"en": "## Every verb on one model", "zh": "## 一个模型，所有动词"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which runs/chat is a model of the demo's kind, with random weights: what it says is not looked at."""
    made = tmp_path_factory.mktemp("verbs")
    give_card(write_writer(made / "runs" / "chat", context=1024), Ability(task="chat", solver="generation"), stage="finetune")  # fmt: skip
    return made


@pytest.mark.spec("T33", "one model, opened by its name, has every verb: plain strings in, strings and labels out")
@pytest.mark.spec("G12", "generate of a model opened by its name, as the page has it")
@pytest.mark.spec("AP2", "labels of the caller's own, by the line that the page has")
@pytest.mark.spec("AP3", "every label that fits, by the line that the page has")
@pytest.mark.spec("AP4", "one of several categories, by the line that the page has")
@pytest.mark.spec("AP5", "what a text says within its context, by the line that the page has")
@pytest.mark.spec("AP11", "an answer from a passage, by the line that the page has")
@pytest.mark.spec("AP15", "a summary, by the line that the page has")
@pytest.mark.spec("AP16", "a translation between languages that are named, by the line that the page has")
@pytest.mark.parametrize("language", SECTION)
def test_every_line_of_the_page_runs(folder: Path, language: str, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (ROOT / "docs" / language / "tasks.md").read_text(encoding="utf-8")
    block = BLOCK.search(page, page.index(SECTION[language]))
    assert block is not None
    monkeypatch.chdir(folder)
    (folder / "block.py").write_text(block[1], encoding="utf-8")
    said: dict[str, Any] = runpy.run_path(str(folder / "block.py"))
    model = said["model"]
    assert isinstance(model, Model)
    model.close()
    assert all(isinstance(said[name], str) for name in ("story", "summary", "answer", "translation"))
    assert said["summary"] and said["label"] in block[1] and said["category"] in block[1]
    assert set(said["labels"]) <= set(re.findall(r'"([^"]*)"', block[1]))
    related = said["analysis"].related
    assert related and all(one.quote.text in block[1] for one in related)
