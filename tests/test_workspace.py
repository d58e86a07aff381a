"""Runs by name, with what their directories say of them."""

from __future__ import annotations

import fcntl
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.stages.toys import GATHER, GatherSettings

from langwright import artifacts, workspace
from langwright.artifacts import Request
from langwright.errors import UserError
from langwright.runlog import Evaluated, Event, Failed, Progressed, RunLog, Saved, Started, Stepped
from langwright.stages.execution import execute
from langwright.workspace import Workspace


@pytest.fixture
def space(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))  # a path as given goes before a name below runs/
    return Workspace(tmp_path)


def stepped(step: int, loss: float) -> Stepped:
    return Stepped(
        step=step, steps=10, loss=loss, metrics={"bits_per_byte": loss / 2}, learning_rate=0.1, gradient_norm=1, units=1,
        tokens=1, useful=1, tokens_per_second=50, seconds=1,
    )  # fmt: skip


def begin(space: Workspace, name: str, *events: Event) -> Path:
    folder = space.runs_folder / f"{name}.partial"
    (folder / "run").mkdir(parents=True)
    request = Request(stage="pretrain", stage_version=1, inputs=(), settings={}, command=())
    (folder / "run/request.json").write_text(request.model_dump_json())
    log = RunLog(folder / "run/events.jsonl")
    for event in events:
        log.write(event)
    log.close()
    return folder


def gathered(space: Workspace, name: str) -> None:
    (space.folder / "x.txt").write_text("a\n")
    execute(GATHER, {"source": [space.folder / "x.txt"]}, space.runs_folder / name, GatherSettings(), workspace=space)


def test_names_lead_to_what_exists(space: Workspace) -> None:
    (space.runs_folder / "chat").mkdir(parents=True)
    (space.runs_folder / "half.partial").mkdir()
    (space.folder / "data").mkdir()
    assert space.path("chat") == space.runs_folder / "chat"
    assert space.path("runs/chat") == space.folder / "runs/chat"
    assert space.path("half") == space.runs_folder / "half"
    assert space.path(space.folder / "data") == space.folder / "data"
    assert space.path("data") == space.folder / "data"
    assert space.path("nothing") == Path("nothing")


def test_a_stopped_run_tells_step_metrics_and_checkpoint(space: Workspace) -> None:
    begin(
        space, "base", Started(stage="pretrain", pid=7, time=5.0), stepped(1, 4.0), Saved(step=1, seconds=0.1, bytes=3),
        stepped(2, 3.0), Evaluated(step=2, values={"loss": 3.5}, time=9.0),
    )  # fmt: skip
    run = space.find("base")
    assert (run.status, run.step, run.steps, run.saved, run.began, run.heard) == ("stopped", 2, 10, 1, 5.0, 9.0)
    assert run.metrics == {"loss": 3.0, "bits_per_byte": 1.5, "tokens_per_second": 50, "held-out loss": 3.5}


def test_a_held_run_is_running_under_its_pid(space: Workspace) -> None:
    folder = begin(space, "base", Started(stage="pretrain", pid=1), Progressed(what="reading", done=4, total=9))
    with (folder / "lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write(str(os.getpid()))
        lock.flush()
        run = space.find("runs/base.partial")
        assert (run.status, run.pid) == ("running", os.getpid())
        assert run.progress is not None and run.progress.done == 4
    assert space.find("base").status == "stopped"


def test_a_failed_run_says_why(space: Workspace) -> None:
    begin(space, "base", Started(stage="pretrain", pid=1), Failed(problem="it broke"))
    run = space.find("base")
    assert (run.status, run.problem) == ("failed", "it broke")


def test_runs_are_found_at_any_depth_and_artifacts_not_looked_into(space: Workspace) -> None:
    begin(space, "b/deep")
    (space.folder / "x.txt").write_text("x")
    execute(GATHER, {"source": [space.folder / "x.txt"]}, space.runs_folder / "a", GatherSettings(), workspace=space)
    (space.runs_folder / "a" / "inner" / "run").mkdir(parents=True)
    (space.runs_folder / "plain").mkdir()
    assert [(run.name, run.status, run.kind) for run in space.runs()] == [
        ("a", "finished", "dataset"),
        ("b/deep", "stopped", None),
    ]


def test_an_unknown_run_names_the_nearest(space: Workspace) -> None:
    with pytest.raises(UserError, match="there are none yet"):
        space.find("bse")
    begin(space, "base")
    with pytest.raises(UserError, match="did you mean 'base'"):
        space.find("bse")


def test_a_run_is_found_at_every_moment_of_its_making(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(space, "base")
    seen: list[str] = []
    for name in ("empty", "write_whole"):  # what a new beginning clears away, and what it writes
        plain = getattr(artifacts, name)

        def watched(*given: Any, plain: Any = plain, **named: Any) -> None:
            plain(*given, **named)
            seen.append(space.find("base").status)

        monkeypatch.setattr(artifacts, name, watched)
    gathered(space, "base")
    assert len(seen) >= 3


def test_a_run_that_is_finished_between_two_looks_is_found(space: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    gathered(space, "base")
    out, held_back = space.runs_folder / "base", space.runs_folder / "away"
    out.rename(held_back)
    begin(space, "base")

    def finished_meanwhile(folder: Path) -> None:
        shutil.rmtree(folder)
        held_back.rename(out)

    monkeypatch.setattr(workspace, "read_request", finished_meanwhile)
    assert space.find("base").status == "finished"


def test_a_damaged_card_or_request_is_no_run(space: Workspace) -> None:
    folder = begin(space, "base")
    (folder / "run/request.json").write_text("{")
    (space.runs_folder / "done").mkdir()
    (space.runs_folder / "done/card.json").write_text("{")
    assert space.runs() == []
