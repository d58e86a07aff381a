"""Rows with what should be written become the conversations in which a model would write it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.tasks.told import Script, ask

from langwright.data.dataset import open_dataset
from langwright.errors import UserError
from langwright.settings import read_settings
from langwright.stages import STAGES
from langwright.stages.execution import execute
from langwright.tasks import TASKS
from langwright.tasks.code import DebuggingInput
from langwright.tasks.front.dictation import conversations, dictated
from langwright.tasks.questions import QuestionsInput
from langwright.workspace import Workspace

TEXT = "The mill was built in 1820. It grinds wheat."
ITEM = json.dumps({"question": "When was the mill built?", "answer": "1820", "distractors": ["1720"]})
SHORT = {"text": "The room is small but light.", "ways": ["gentler", "livelier"]}
TWO = ["The room may be small, yet it is light.", "Small as it is, sunlight floods the room."]


@pytest.mark.spec("G11", "what a model is asked when it does a task is what it is taught to answer, turn by turn")
def test_conversations_are_those_of_the_task() -> None:
    rows = conversations(TASKS["questions"], {"text": TEXT, "distractors": 1, "written": [ITEM, "1820"]})
    assert [row.messages[-1].content for row in rows] == [ITEM, "1820"] == [row.expect for row in rows]
    script = Script(ITEM, "1820")
    ask(script, QuestionsInput(text=TEXT, distractors=1))
    assert [row.messages[:-1] for row in rows] == [tuple(prompt) for prompt in script.prompts]
    found, _ = dictated(TASKS["questions"], QuestionsInput(text=TEXT, distractors=1), [ITEM, "1820"])
    assert found.items[0].holds  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({**SHORT, "written": TWO[:1]}, "is asked 2 times for one row, and 1 texts"),
        ({**SHORT, "written": [*TWO, "And again."]}, "is asked 2 times for one row, and 3 texts"),
        ({**SHORT, "written": [TWO[0], SHORT["text"]]}, "does not hold what rewriting asks for: reworded: 100%"),
        ({**SHORT, "written": ["", TWO[1]]}, "does not hold what rewriting asks for: whole: nothing was written"),
        ({**SHORT, "written": []}, "the field written is missing"),
        (SHORT, "the field written is missing"),
        ({**SHORT, "written": [1, 2]}, "the field written is missing"),
        ({**SHORT, "way": "x", "written": TWO}, "no field called 'way'"),
    ],
)
def test_what_teaches_nothing_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError, match=said):
        conversations(TASKS["rewriting"], values)


def test_programs_of_a_file_are_not_run() -> None:
    row = {"program": "1/0", "written": "```python\nprint(1)\n```"}
    with pytest.raises(UserError, match="unless you allow it"):
        conversations(TASKS["debugging"], row)
    with pytest.raises(UserError, match="on the machine itself only"):
        conversations(TASKS["debugging"], {**row, "sandbox": {"allow": True}})
    assert DebuggingInput.model_fields["sandbox"].get_default().allow is False


def read(folder: Path, rows: list[dict[str, Any]], **given: Any) -> list[Any]:
    """The rows of a dataset read from these."""
    source = folder / "rows.jsonl"
    source.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    sets = [f"{key}={json.dumps(value)}" for key, value in {**given, "split.validation": 0}.items()]
    settings = read_settings(STAGES["data-read"].settings, sets=sets)
    made = execute(STAGES["data-read"], {"source": [source]}, folder / "data", settings, workspace=Workspace(folder))
    return list(open_dataset(made.path).rows("train"))


def test_a_file_of_rows_is_read_for_a_task(tmp_path: Path) -> None:
    rows = [{"id": "a", "licence": "CC0", **SHORT, "written": TWO}, {"text": "门开了。", "ways": ["longer"], "written": "门慢慢地开了一条缝。"}]  # fmt: skip
    found = read(tmp_path, rows, task="rewriting")
    assert [(row.id, row.language, row.licence) for row in found] == [
        ("a", "en", "CC0"), ("a.1", "en", "CC0"), ("rows.jsonl#2", "zh", ""),
    ]  # fmt: skip
    assert [row.expect for row in found] == [*TWO, "门慢慢地开了一条缝。"]
    assert "门开了。" in found[2].messages[0].content and found[2].messages[1].role == "assistant"


def test_bad_rows_of_a_file_are_named(tmp_path: Path) -> None:
    rows = [{**SHORT, "written": TWO}, {**SHORT, "written": TWO[0]}]
    with pytest.raises(UserError, match=r"row 2: it does not teach the task \(rewriting is asked 2 times"):
        read(tmp_path, rows, task="rewriting")
    assert len(read(tmp_path, rows, task="rewriting", skip_bad=True)) == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"task": "rewritin"}, "no task called 'rewritin'"),
        ({"task": "qa"}, "qa is learned from rows of schema qa"),
        ({"task": "poem", "schema_name": "qa"}, "poem is learned from rows of schema chat"),
    ],
)
def test_what_cannot_be_read_for_a_task(tmp_path: Path, given: dict[str, str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        read(tmp_path, [{**SHORT, "written": TWO}], **given)
