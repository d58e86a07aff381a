"""Pipelines: read as a whole, made once, made again only when something changed, resumed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.stages.toys import TOYS

from langwright.errors import UserError
from langwright.runlog import Event, Stepped
from langwright.stages.pipeline import Done, StepError, plan, read_pipeline, run_pipeline
from langwright.workspace import Workspace

HEAD = """
[[step]]
name = "text"
stage = "toy-gather"
inputs = ["a.txt"]
"""
WHOLE = (
    HEAD
    + """
[[step]]
name = "both"
stage = "toy-join"
inputs = { dataset = ["text", "text"] }
settings = { between = "+" }

[[step]]
name = "drilled"
stage = "drill"
inputs = ["both"]
settings = { steps = 4 }
"""
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("one")
    return tmp_path


@pytest.fixture
def go(folder: Path) -> Callable[..., list[Done]]:
    def run(text: str, restart: bool = False, heard: list[Event] | None = None) -> list[Done]:
        (folder / "p.toml").write_text(text)
        pipeline = read_pipeline(folder / "p.toml", TOYS, Workspace(folder))
        return run_pipeline(pipeline, restart=restart, listeners=[] if heard is None else [heard.append])

    return run


def actions(folder: Path, text: str, restart: bool = False) -> list[tuple[str, str]]:
    (folder / "p.toml").write_text(text)
    planned = plan(read_pipeline(folder / "p.toml", TOYS, Workspace(folder)), restart=restart)
    assert all(item.reason("zh") and item.reason("en") for item in planned)
    return [(item.step.name, item.action) for item in planned]


def test_steps_are_made_once_and_then_kept(folder: Path, go: Callable[..., list[Done]]) -> None:
    assert actions(folder, WHOLE) == [("text", "run"), ("both", "run"), ("drilled", "run")]
    assert not (folder / "runs").exists()  # a plan writes nothing
    assert [done.reused for done in go(WHOLE)] == [False, False, False]
    assert (folder / "runs/both/text.txt").read_text() == "one+one"
    assert actions(folder, WHOLE) == [("text", "reuse"), ("both", "reuse"), ("drilled", "reuse")]
    assert [done.reused for done in go(WHOLE)] == [True, True, True]


def test_steps_run_in_the_order_they_need_whatever_the_file_says(folder: Path, go: Callable[..., list[Done]]) -> None:
    steps = WHOLE.strip().split("\n\n")
    assert [done.step.name for done in go("\n\n".join(reversed(steps)))] == ["text", "both", "drilled"]


def test_changed_settings_are_refused_with_the_difference(folder: Path, go: Callable[..., list[Done]]) -> None:
    go(WHOLE)
    changed = WHOLE.replace('between = "+"', 'between = "-"')
    with pytest.raises(StepError, match=r"in step both: .*between: '\+' -> '-'") as caught:
        go(changed)
    assert "--restart" in caught.value.fix("en") and caught.value.params["step"] == "both"
    assert (folder / "runs/both/text.txt").read_text() == "one+one"
    assert actions(folder, changed, restart=True) == [("text", "reuse"), ("both", "again"), ("drilled", "decide")]
    assert [done.reused for done in go(changed, restart=True)] == [True, False, False]
    assert (folder / "runs/both/text.txt").read_text() == "one-one"


def test_changed_sources_are_noticed_and_equal_outputs_downstream_kept(
    folder: Path, go: Callable[..., list[Done]]
) -> None:
    go(WHOLE)
    (folder / "a.txt").write_text("two")
    with pytest.raises(StepError, match="in step text"):
        go(WHOLE)
    (folder / "a.txt").write_text("one")
    import shutil

    shutil.rmtree(folder / "runs/text")
    assert actions(folder, WHOLE) == [("text", "run"), ("both", "decide"), ("drilled", "decide")]
    assert [done.reused for done in go(WHOLE)] == [False, True, True]


def test_a_new_version_of_a_stage_makes_its_step_again(folder: Path, go: Callable[..., list[Done]]) -> None:
    from dataclasses import replace

    go(HEAD)
    newer = {**TOYS, "toy-gather": replace(TOYS["toy-gather"], version=2)}
    with pytest.raises(StepError, match="version: 1 -> 2"):
        plan(read_pipeline(folder / "p.toml", newer, Workspace(folder)))


def test_a_setting_that_came_later_does_not_make_a_step_again(folder: Path, go: Callable[..., list[Done]]) -> None:
    """What is asked for in so many words still does."""
    go(WHOLE)
    card = folder / "runs/both/card.json"
    before = json.loads(card.read_text())
    del before["settings"]["between"]
    card.write_text(json.dumps(before))
    usual = WHOLE.replace('settings = { between = "+" }\n', "")
    assert usual != WHOLE and ("both", "reuse") in actions(folder, usual)
    with pytest.raises(StepError, match=r"between: '.*' -> '\+'"):
        actions(folder, WHOLE)


def test_a_stopped_pipeline_goes_on_where_it_was(folder: Path, go: Callable[..., list[Done]]) -> None:
    (folder / "runs").mkdir()
    (folder / "runs/trip").write_text("stop")
    with pytest.raises(KeyboardInterrupt):
        go(WHOLE)
    assert actions(folder, WHOLE) == [("text", "reuse"), ("both", "reuse"), ("drilled", "resume")]
    heard: list[Event] = []
    assert [done.reused for done in go(WHOLE, heard=heard)] == [True, True, False]
    assert [event.step for event in heard if isinstance(event, Stepped)] == [3, 4]


def test_a_mistake_in_a_step_names_it_and_keeps_what_was_made(folder: Path, go: Callable[..., list[Done]]) -> None:
    (folder / "empty.txt").touch()
    late = HEAD + '\n[[step]]\nname = "late"\nstage = "toy-gather"\ninputs = ["empty.txt"]\n'
    with pytest.raises(StepError, match="in step late: 1 sources hold no text") as caught:
        go(late)
    assert caught.value.code == "sources-hold-no-text"
    assert (folder / "runs/text/card.json").is_file() and not (folder / "runs/late.partial").exists()


def test_one_seed_reaches_the_stages_that_have_one(folder: Path, go: Callable[..., list[Done]]) -> None:
    done = go("seed = 7\nout = 'made'\n" + WHOLE.replace("steps = 4", "steps = 4, seed = 3"))
    cards = {item.step.name: item.artifact.card for item in done}
    assert cards["text"] and cards["text"].seed == 7
    assert cards["both"] and cards["both"].seed is None
    assert cards["drilled"] and cards["drilled"].seed == 3
    assert (folder / "made/text").is_dir()


def test_variables_are_filled_in(folder: Path, go: Callable[..., list[Done]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHERE", str(folder))
    go(HEAD.replace("a.txt", "${WHERE}/a.txt"))
    assert (folder / "runs/text/text.txt").read_text() == "one"
    library = HEAD.replace("a.txt", "${PYTHON_LIBRARY}/this.py").replace('"text"', '"zen"')
    assert "Gur Mra bs Clguba" in (go(library)[0].artifact.path / "text.txt").read_text()


def step(name: str, stage: str, inputs: str) -> str:
    return f'[[step]]\nname = "{name}"\nstage = "{stage}"\ninputs = {inputs}\n'


@pytest.mark.parametrize(
    ("text", "code", "named"),
    [
        ("step = [", "the-recipe-is-not-valid-toml", None),
        ("seed = 1", "has-no-steps", None),
        ("sede = 1\n" + HEAD, "no-called", None),
        (HEAD + HEAD, "two-steps-are-called", None),
        (HEAD.replace("toy-gather", "toy-gater"), "no-called", "text"),
        (HEAD + "settings = { uper = true }", "no-called", "text"),
        (HEAD + "settings = { upper = 3 }", "setting-is-not-allowed", "text"),
        (HEAD + "colour = 1", "no-called", "text"),
        (HEAD.replace('name = "text"', ""), "setting-is-missing", "1"),
        (HEAD.replace('"text"', '"../text"'), "cannot-be-a-folder-s-name", "../text"),
        (HEAD.replace("a.txt", "b.txt"), "there-is-no", "text"),
        (HEAD.replace("a.txt", "${NOT_SET_ANYWHERE}/b"), "needs-the-environment-variable-which-is-not-set", "text"),
        (HEAD.replace("a.txt", "$"), "has-a-lone", "text"),
        (HEAD.replace('["a.txt"]', "[]"), "takes-and-were-given", "text"),
        (HEAD.replace('["a.txt"]', '{ sauce = "a.txt" }'), "no-called", "text"),
        (HEAD + step("x", "toy-join", '["txet"]'), "no-called", "x"),
        (HEAD + step("x", "drill", '["text", "text"]'), "step-makes-a-and-a-is-needed-here", "x"),
        (HEAD + step("x", "drill", '{ dataset = ["text", "text"] }'), "takes-one-and-were-given", "x"),
        (HEAD + step("x", "toy-join", '["y"]') + step("y", "toy-join", '["x"]'), "the-steps-wait-for-each-other", None),
        (HEAD + step("x", "toy-join", '["x"]'), "the-steps-wait-for-each-other", None),
    ],
)
def test_every_mistake_is_found_before_anything_runs(folder: Path, text: str, code: str, named: str | None) -> None:
    (folder / "p.toml").write_text(text)
    with pytest.raises(UserError) as caught:
        read_pipeline(folder / "p.toml", TOYS, Workspace(folder))
    error = caught.value
    assert error.code == code, str(error)
    assert (error.step if isinstance(error, StepError) else None) == named
    assert error.problem("zh") != error.problem("en") and error.fix("zh") != error.fix("en")
    assert not (folder / "runs").exists()


def test_a_missing_file_and_one_that_is_no_text(folder: Path) -> None:
    with pytest.raises(UserError, match="there is no"):
        read_pipeline(folder / "gone.toml", TOYS)
    (folder / "bad.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="not UTF-8"):
        read_pipeline(folder / "bad.toml", TOYS)


def test_an_output_that_no_step_made_is_left_alone(folder: Path) -> None:
    (folder / "runs/text").mkdir(parents=True)
    (folder / "runs/text/config.json").write_text("{}")
    (folder / "p.toml").write_text(HEAD)
    with pytest.raises(StepError, match="was not made by a step"):
        plan(read_pipeline(folder / "p.toml", TOYS, Workspace(folder)), restart=True)
