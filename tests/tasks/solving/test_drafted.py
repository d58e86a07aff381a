"""What every task that is written and looked at keeps."""

from __future__ import annotations

import pytest

from langwright.tasks.examples import example_inputs
from langwright.tasks.front.asked import checked
from langwright.tasks.solving.checks import language_or
from langwright.tasks.solving.drafted import DRAFTED
from langwright.tasks.solving.drafting import DraftInput


@pytest.mark.parametrize("task", DRAFTED, ids=lambda task: task.name)
def test_examples_are_there_in_both_languages_and_round_trip(task) -> None:  # type: ignore[no-untyped-def]
    examples = example_inputs(task)
    languages = [language_or(None, str(getattr(one, task.panel[0]))) for one in examples]
    assert languages.count("zh") == languages.count("en") == len(examples) / 2 > 0
    for one in examples:
        assert isinstance(one, DraftInput)
        assert task.input.model_validate_json(one.model_dump_json()) == one
        assert checked(task, one.model_dump()) == one
    schema = task.input.model_json_schema()
    assert schema["additionalProperties"] is False and set(task.panel) <= set(schema["properties"])
