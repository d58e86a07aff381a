"""Correction and repair by a model that writes: what it is asked, and what becomes of what it writes."""

from __future__ import annotations

import pytest
from tests.tasks.told import Front, Plain, Script

from langwright.tasks import TASKS
from langwright.tasks.correction import CorrectionOutput
from langwright.tasks.examples import example_rows
from langwright.tasks.front.model import Model


def solve(model: Model, task: str, **fields: object) -> CorrectionOutput:
    """What a task gives."""
    made = model.solve(task, TASKS[task].input.model_validate(fields))
    assert isinstance(made, CorrectionOutput)
    return made


@pytest.mark.spec(
    "G11", "any model that writes corrects when asked in words, in English and Chinese; edits are what differs"
)
def test_asked_in_words() -> None:
    script = Script("He runs every day.")
    made = solve(Front(script), "correction", text="He run every day.")
    assert (made.text, made.solver) == ("He runs every day.", "rewriting")
    assert [turn.role for turn in script.prompts[0]] == ["user"]  # type: ignore[union-attr]
    script = Script("He runs every day.\nSentence: more")
    made = solve(Plain(script), "correction", text="He run every day.")
    assert made.text == "He runs every day."
    assert [(one.start, one.end, one.original, one.replacement) for one in made.edits] == [(3, 6, "run", "runs")]
    assert made.edits[0].confidence == 1.0  # the script is certain of every token
    assert script.asked[0].startswith("Correct the spelling and grammar")
    script = Script("他每天坚持跑步。")
    made = solve(Plain(script), "correction", text="他每天坚持跑部。")
    assert [(one.start, one.replacement) for one in made.edits] == [(6, "步")]
    assert "请改正下面句子" in script.asked[0]


@pytest.mark.spec("AP23", "an encoder-decoder that rebuilds noised text repairs as it is, its own sign in each gap")
def test_a_denoiser_reads_the_damaged_text_as_it_is() -> None:
    script = Script("The sun rises in the east.")
    made = solve(Plain(script, kind="rewrites"), "repair", text="The [MASK] rises the in east.")
    assert script.prompts == ["The <mask> rises the in east."]
    assert made.text == "The sun rises in the east."
    assert (made.edits[0].start, made.edits[0].end, made.edits[0].replacement) == (4, 10, "sun")


def test_nothing_to_change_is_said() -> None:
    made = solve(Plain(Script("All is well.")), "correction", text="All is well.")
    assert made.edits == ()
    assert made.lines() == ["All is well.", "nothing to correct was found"]


@pytest.mark.parametrize("name", ["correction", "repair", "code", "decision"])
def test_shipped_examples_are_half_chinese_half_english(name: str) -> None:
    rows = example_rows(TASKS[name])
    assert len(rows) == 32
    assert [sum(row.language == language for row in rows) for language in ("zh", "en")] == [16, 16]
    assert len({row.model_dump_json() for row in rows}) == 32
