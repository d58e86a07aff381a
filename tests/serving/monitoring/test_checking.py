"""Models evaluated again at intervals: when they are due, what is kept, who is marked; with jobs and a clock of our own."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from langwright.artifacts import Artifact
from langwright.errors import UserError
from langwright.inference.fake import parrot
from langwright.measures import Measure, write_report
from langwright.serving.jobs.asking import JobRequest
from langwright.serving.monitoring.checking import HOUR_S, Checking, began_at, report_name
from langwright.serving.monitoring.schedule import Check, read_schedule
from langwright.tasks.front.model import Model
from langwright.workspace import Run, Workspace

GATE = '[[threshold]]\nmeasure = "accuracy"\nat_least = 0.9\n'


@dataclass
class Jobs:
    """What `Checking` asks of jobs, told by the test what became of them."""

    workspace: Workspace
    asked: list[JobRequest] = field(default_factory=list)
    refuse: bool = False

    def start(self, asked: JobRequest) -> None:
        if self.refuse:
            raise UserError("the disk is full", fix="make room")
        self.asked.append(asked)
        self.write("running", asked.name)

    def write(self, status: str, name: str, accuracy: float | None = None) -> None:
        out = self.workspace.runs_folder / name
        self.runs = {
            **getattr(self, "runs", {}),
            name: Run(name, out, out, status, "evaluate", problem="no rows" * (status == "failed")),
        }  # type: ignore[arg-type]
        if accuracy is not None:
            out.mkdir(parents=True, exist_ok=True)
            write_report(out / "report.json", (Measure(name="accuracy", value=accuracy, model="m"),))
            (out / "card.json").write_text('{"kind": "report", "stage": "evaluate"}')

    def find(self, name: str) -> Run:
        return self.runs[name]


@dataclass
class World:
    checking: Checking
    jobs: Jobs
    model: Model
    now: list[float]
    digest: list[str]

    def again(self) -> Checking:
        """As a server that was started anew sees it."""
        return Checking(
            self.checking.checks, self.jobs, {"m": self.model}.get, lambda name: self.digest[0], lambda: self.now[0]  # type: ignore[arg-type]
        )  # fmt: skip


@pytest.fixture
def world(tmp_path: Path) -> World:
    (tmp_path / "gate.toml").write_text(GATE)
    (tmp_path / "runs/m").mkdir(parents=True)
    model = Model("m", Artifact(tmp_path / "runs/m", "model", None), text=parrot("m"))
    now, digest = [1_000_000_000.0], ["one"]
    jobs = Jobs(Workspace(tmp_path))
    check = Check(model="m", dataset="rows", gate=str(tmp_path / "gate.toml"), every_h=24, settings={"limit": 5})
    made = Checking([check], jobs, {"m": model}.get, lambda name: digest[0], lambda: now[0])  # type: ignore[arg-type]
    return World(made, jobs, model, now, digest)


@pytest.mark.spec("SV9", "a model is evaluated again when it is due, held against its gate, and marked when it fails")
def test_a_story(world: World) -> None:
    checking, jobs, now = world.checking, world.jobs, world.now
    assert checking.look() == [] and checking.failing() == []
    (asked,) = jobs.asked
    assert (asked.stage, asked.inputs) == ("evaluate", {"model": ("m",), "dataset": ("rows",)})
    assert asked.name == report_name("m", now[0]) and asked.settings == {"limit": 5}
    now[0] += 60
    assert checking.look() == []  # it runs
    jobs.write("finished", asked.name, accuracy=0.95)
    (outcome,) = checking.look()
    assert outcome.passed and outcome.ended == now[0] and outcome.digest == "one"
    now[0] += 23 * HOUR_S
    assert checking.look() == [] and len(jobs.asked) == 1
    now[0] += HOUR_S
    checking.look()
    jobs.write("finished", jobs.asked[1].name, accuracy=0.5)
    (outcome,) = checking.look()
    assert not outcome.passed and len(outcome.missed) == 1 and "0.5" in outcome.missed[0]
    assert checking.failing() == ["m"]
    world.digest[0] = "another"  # exchanged or rolled back: not the files that failed
    assert checking.failing() == []


def test_what_could_not_be_measured_has_not_passed(world: World) -> None:
    world.jobs.refuse = True
    (outcome,) = world.checking.look()
    assert not outcome.passed and "the disk is full" in outcome.problem and world.checking.failing() == ["m"]
    world.jobs.refuse = False
    world.now[0] += 25 * HOUR_S
    world.checking.look()
    world.jobs.write("failed", world.jobs.asked[0].name)
    (outcome,) = world.checking.look()
    assert outcome.problem == "no rows"


def test_a_server_that_was_down_catches_up_once_and_adopts_what_runs(world: World) -> None:
    world.checking.look()
    name = world.jobs.asked[0].name
    world.jobs.write("finished", name, accuracy=1.0)
    (world.jobs.workspace.runs_folder / name / "card.json").write_text('{"kind": "report", "stage": "evaluate"}')
    after = world.again()
    after.adopt()
    (outcome,) = after.look()
    assert outcome.passed and outcome.report == name and len(world.jobs.asked) == 1
    world.now[0] += 100 * HOUR_S
    last = world.again()
    last.adopt()
    last.look()
    assert len(world.jobs.asked) == 2 and last.look() == []


def test_a_clock_that_was_put_back_waits_for_nobody(world: World) -> None:
    world.jobs.refuse = True
    world.checking.look()
    world.now[0] -= 1000 * HOUR_S
    assert len(world.checking.look()) == 1


def test_names_of_reports() -> None:
    assert began_at(report_name("a/b:c", 86400.0), "a/b:c") == 86400.0
    assert began_at(report_name("a", 0.0), "b") is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "check"),
        (2 * '[[check]]\nmodel = "m"\ndataset = "d"\ngate = "gate.toml"\n', "two checks"),
        ('[[check]]\nmodel = "m"\ndataset = "d"\ngate = "none.toml"\n', "none.toml"),
        ('[[check]]\nmodel = "m"\ndataset = "d"\ngate = "gate.toml"\nevery = 1\n', "every_h"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "gate.toml").write_text(GATE)
    file = tmp_path / "checks.toml"
    file.write_text(text)
    with pytest.raises(UserError) as refused:
        read_schedule(file)
    assert words in f"{refused.value.problem('en')} {refused.value.fix('en')}"


def test_a_file_of_checks(tmp_path: Path) -> None:
    (tmp_path / "gate.toml").write_text(GATE)
    file = tmp_path / "checks.toml"
    file.write_text('[[check]]\nmodel = "m"\ndataset = "d"\ngate = "gate.toml"\nsettings = {limit = 3}\n')
    (check,) = read_schedule(file)
    assert Path(check.gate) == tmp_path / "gate.toml" and check.every_h == 24 and check.settings == {"limit": 3}
    with pytest.raises(UserError, match="cannot be read"):
        read_schedule(tmp_path / "none.toml")
