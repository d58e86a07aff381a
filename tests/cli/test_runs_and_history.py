"""`run`, `runs` and `history`: what lies in a workspace, how it came to be, and ending what is at work."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from langwright.files import holder
from langwright.runlog import Stopped, read_events

PIPELINE = """
[[step]]
name = "text"
stage = "toy-gather"
inputs = ["a.txt"]

[[step]]
name = "drilled"
stage = "drill"
inputs = ["text"]
settings = { steps = 3 }
"""


def test_a_pipeline_is_planned_run_and_kept(run: Run) -> None:
    Path("p.toml").write_text(PIPELINE)
    plan = run("run", "p.toml", "--dry-run")
    assert plan.code == 0 and "to make" in plan.out and not Path("runs").exists()
    assert plan.last == "next: langwright run p.toml"
    assert [s["action"] for s in run("run", "p.toml", "--dry-run", "--json").json["steps"]] == ["run", "run"]
    said = run("run", "p.toml")
    assert said.code == 0 and "[1/2] text: to make" in said.err and "step 3/3" in said.err
    assert said.last == "next: langwright chat runs/drilled"
    again = run("run", "p.toml", "--json")
    assert [step["reused"] for step in again.json["steps"]] == [True, True]
    assert again.json["steps"][1]["artifact"] == "runs/drilled" and again.json["next"] == "langwright chat runs/drilled"
    assert "kept" in again.err


def test_a_pipelines_mistake_names_the_step(run: Run) -> None:
    Path("p.toml").write_text(PIPELINE.replace("steps = 3", "step = 3"))
    said = run("run", "p.toml", "--json")
    assert said.code == 2 and said.json["error"]["params"]["step"] == "drilled"
    assert said.json["error"]["problem"].startswith("in step drilled:")
    assert run("run", "p.toml", "--json", "--lang", "zh").json["error"]["problem"].startswith("步骤 drilled：")


def test_a_stopped_pipeline_says_how_to_go_on(run: Run) -> None:
    Path("p.toml").write_text(PIPELINE)
    Path("runs").mkdir()
    Path("runs/trip").write_text("stop")
    said = run("run", "p.toml")
    assert said.code == 130 and said.last == "next: langwright run p.toml"
    assert run("run", "p.toml").code == 0


def test_changes_need_restart(run: Run) -> None:
    Path("p.toml").write_text(PIPELINE)
    run("run", "p.toml")
    Path("p.toml").write_text(PIPELINE.replace("steps = 3", "steps = 2"))
    assert "steps: 3 -> 2" in run("run", "p.toml", "--json").json["error"]["problem"]
    assert [s["action"] for s in run("run", "p.toml", "--restart", "--dry-run", "--json").json["steps"]] == [
        "reuse",
        "again",
    ]
    assert run("run", "p.toml", "--restart").code == 0


def test_history_goes_down_to_the_source_and_notices_changes(run: Run) -> None:
    Path("p.toml").write_text(PIPELINE)
    run("run", "p.toml")
    found = run("history", "drilled", "--json").json
    assert found["kind"] == "model" and found["stage"] == "drill" and not found["damaged"]
    dataset = found["inputs"][0]
    assert (dataset["path"], dataset["state"]) == ("runs/text", "unchanged")
    assert [(s["path"], s["kind"], s["state"]) for s in dataset["inputs"]] == [("a.txt", "source", "unchanged")]
    said = run("history", "drilled")
    assert f"└─ dataset  runs/text  dataset  {dataset['digest'][:12]}  toy-gather" in said.out
    assert said.last == "next: langwright chat runs/drilled"

    Path("a.txt").write_text("two")
    shutil.rmtree("runs/text")
    found = run("history", "drilled", "--json").json
    assert found["inputs"][0]["state"] == "gone" and found["inputs"][0]["inputs"][0]["state"] == "changed"
    assert "no longer there" in run("history", "drilled").out

    Path("runs/drilled/config.json").write_text('{"steps": 7}')
    assert run("history", "drilled", "--json").json["damaged"] == ["config.json"]
    assert "已损坏" in run("history", "drilled", "--lang", "zh").out


def test_history_of_a_folder_that_others_made(run: Run) -> None:
    Path("m").mkdir()
    Path("m/config.json").write_text("{}")
    found = run("history", "m", "--json").json
    assert found["inputs"] == [] and found["stage"] == "" and found["kind"] == "model"


def test_runs_are_listed_with_what_to_look_at_next(run: Run) -> None:
    assert "no runs" in run("runs", "list").out and run("runs", "list", "--json").json == {"runs": []}
    Path("p.toml").write_text(PIPELINE)
    Path("runs").mkdir()
    Path("runs/trip").write_text("stop")
    run("run", "p.toml")
    found = {item["name"]: item for item in run("runs", "list", "--json").json["runs"]}
    assert (found["text"]["status"], found["text"]["kind"]) == ("finished", "dataset")
    assert (found["drilled"]["status"], found["drilled"]["step"], found["drilled"]["metrics"]["loss"]) == (
        "stopped",
        2,
        0.5,
    )
    said = run("runs", "list")
    assert "2/3" in said.out and said.last.startswith("next: langwright runs watch drilled")
    assert "已停止" in run("runs", "list", "--lang", "zh").out


def test_watching_what_has_ended(run: Run) -> None:
    Path("p.toml").write_text(PIPELINE)
    run("run", "p.toml")
    said = run("runs", "watch", "drilled")
    assert said.code == 0 and "step 3/3" in said.err and "mode plain was chosen" in said.err
    assert "drilled: finished" in said.out
    assert run("runs", "watch", "drilled", "--json").json["run"]["status"] == "finished"


def test_stopping_what_does_not_run(run: Run) -> None:
    run("toy", "gather", "a.txt", "runs/text")
    said = run("runs", "stop", "text", "--json")
    assert said.code == 2 and said.json["error"]["code"] == "is-not-running-it-is"


SLOW = """
import sys, time
from dataclasses import replace
from tests.stages.toys import DRILL
from langwright.cli.commands import COMMANDS
from langwright.cli.main import main
from langwright.cli.stage import stage_command

def run(work):
    folder = work.making.checkpoints / "step-00000000"
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text("{}")
    print("begun", flush=True)
    time.sleep(60 if work.settings.mode == "plain" else 2)
    return DRILL.run(work)

COMMANDS["slow"] = stage_command(replace(DRILL, name="slow", run=run), "", ("langwright slow X Y",))
sys.exit(main())
"""


@pytest.fixture
def slow(run: Run, request: pytest.FixtureRequest) -> subprocess.Popen[str]:
    """A process that works on runs/slow until it is told to stop."""
    run("toy", "gather", "a.txt", "runs/text")
    return begin(request, "--json")


def begin(request: pytest.FixtureRequest, *options: str) -> subprocess.Popen[str]:
    """A process at work on runs/slow, ended at the latest with the test."""
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", SLOW, "slow", "text", "runs/slow", *options]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs inherit it ignored
    )  # fmt: skip

    def end() -> None:
        process.kill()
        process.wait()

    request.addfinalizer(end)
    deadline = time.monotonic() + 30
    while not Path("runs/slow.partial/checkpoints").is_dir() and time.monotonic() < deadline:
        time.sleep(0.05)
    return process


def test_a_run_at_work_is_seen_and_stopped(run: Run, slow: subprocess.Popen[str]) -> None:
    seen = {item["name"]: item for item in run("runs", "list", "--json").json["runs"]}["slow"]
    assert (seen["status"], seen["pid"]) == ("running", slow.pid)
    second = run("drill", "text", "runs/slow", "--json")
    assert second.code == 2 and second.json["error"]["params"]["pid"] == str(slow.pid)
    said = run("runs", "stop", "slow", "--json")
    assert said.code == 0 and said.json == {"run": "slow", "stopped": True, "kept": True}
    out, _ = slow.communicate(timeout=20)
    assert slow.returncode == 130
    assert json.loads(out)["error"]["code"] == "stopped"  # the stage's own print did not get into it
    assert holder(Path("runs/slow.partial")) is None
    last = read_events(Path("runs/slow.partial/run/events.jsonl"))[-1]
    assert isinstance(last, Stopped) and last.reason == "SIGTERM"


def test_ctrl_c_does_the_same(slow: subprocess.Popen[str]) -> None:
    slow.send_signal(signal.SIGINT)
    out, _ = slow.communicate(timeout=20)
    assert slow.returncode == 130 and json.loads(out)["error"]["code"] == "stopped"


def test_watching_a_run_to_its_end(run: Run, request: pytest.FixtureRequest) -> None:
    run("toy", "gather", "a.txt", "runs/text")
    process = begin(request, "--set", "mode=hard")
    said = run("runs", "watch", "slow")
    process.communicate(timeout=20)
    assert "mode hard was chosen" in said.err and "step 3/3" in said.err
    assert "done in" in said.err  # written when the folder had its last name already
    assert "slow: finished" in said.out and said.last == "next: langwright history runs/slow"
