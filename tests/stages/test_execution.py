"""The one executor: inputs checked, events written, nothing left behind, resumed where it was."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from tests.stages.toys import DRILL, GATHER, JOIN, DrillSettings, GatherSettings, JoinSettings

from langwright.artifacts import Artifact, Made, open_artifact, partial_of
from langwright.errors import UserError
from langwright.runlog import Event, Failed, Finished, Started, Stepped, Stopped, read_events
from langwright.stages.declaration import Input, Stage, Work
from langwright.stages.execution import assign, execute, prepare, seconds_worked, terminable
from langwright.workspace import Workspace


@pytest.fixture
def space(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture
def text(space: Workspace) -> Artifact:
    (space.folder / "a.txt").write_text("one ")
    (space.folder / "b.txt").write_text("two")
    sources = [space.folder / "a.txt", space.folder / "b.txt"]
    return execute(GATHER, {"source": sources}, space.folder / "runs/text", GatherSettings(), workspace=space)


def test_an_artifact_is_made_with_card_events_and_origin(space: Workspace, text: Artifact) -> None:
    heard: list[Event] = []
    out = space.folder / "runs/joined"
    made = execute(
        JOIN, {"dataset": ["text", text.path]}, out, JoinSettings(between="+"),
        command=("langwright", "toy", "join"), listeners=(heard.append,), workspace=space,
    )  # fmt: skip
    assert (out / "text.txt").read_text() == "one two+one two"
    assert made.card is not None and made.card.command == ("langwright", "toy", "join")
    assert [o.digest for o in made.card.inputs] == [text.digest] * 2
    assert [source.path for source in made.card.inputs[0].inputs] == [str(space.folder / n) for n in ("a.txt", "b.txt")]
    assert [type(event) for event in heard] == [Started, Finished]
    assert [type(event) for event in read_events(out / "run/events.jsonl")] == [Started, Finished]
    assert heard[0].pid == os.getpid()  # type: ignore[union-attr]


def test_a_mistake_leaves_nothing_behind_and_is_passed_on_unchanged(space: Workspace) -> None:
    (space.folder / "empty.txt").touch()
    heard: list[Event] = []
    with pytest.raises(UserError, match="1 sources hold no text") as caught:
        execute(
            GATHER, {"source": [space.folder / "empty.txt"]}, space.folder / "out", GatherSettings(),
            listeners=(heard.append,), workspace=space,
        )  # fmt: skip
    assert caught.value.params == {"count": 1}
    assert isinstance(heard[-1], Failed) and heard[-1].fix == "give others"
    assert sorted(path.name for path in space.folder.iterdir()) == ["empty.txt"]


@pytest.mark.parametrize(
    ("inputs", "code"),
    [
        ({}, "was-given-no"),
        ({"dataset": ["nowhere"]}, "there-is-no"),
        ({"dataset": ["text", "text"]}, "takes-one-and-were-given"),
        ({"dataset": ["model"]}, "is-a-and-a-is-needed-here"),
        ({"dataset": ["half"]}, "is-not-finished-holds-what-there-is-of"),
    ],
)
def test_inputs_are_checked_before_anything_is_written(
    space: Workspace, text: Artifact, inputs: dict[str, list[str]], code: str
) -> None:
    (space.runs_folder / "model").mkdir()
    (space.runs_folder / "model" / "config.json").write_text("{}")
    (space.runs_folder / "half.partial").mkdir()
    with pytest.raises(UserError) as caught:
        execute(DRILL, inputs, space.folder / "out", DrillSettings(), workspace=space)
    assert caught.value.code == code
    assert not (space.folder / "out").exists() and not partial_of(space.folder / "out").exists()


def test_the_wrong_kind_says_which_command_makes_the_right_one(space: Workspace) -> None:
    (space.folder / "model").mkdir()
    (space.folder / "model" / "config.json").write_text("{}")
    with pytest.raises(UserError) as caught:
        prepare(DRILL, {"dataset": ["model"]}, DrillSettings(), workspace=space)
    assert "langwright data read" in caught.value.fix("en")
    assert caught.value.problem("zh") != caught.value.problem("en")


def test_a_missing_source_is_named(space: Workspace) -> None:
    with pytest.raises(UserError, match=r"there is no .*gone\.txt"):
        prepare(GATHER, {"source": [space.folder / "gone.txt"]}, GatherSettings(), workspace=space)


def test_an_existing_output_is_kept(space: Workspace, text: Artifact) -> None:
    before = (text.path / "card.json").read_bytes()
    with pytest.raises(UserError, match="already exists"):
        execute(JOIN, {"dataset": ["text"]}, text.path, JoinSettings(), workspace=space)
    assert (text.path / "card.json").read_bytes() == before


def drill(space: Workspace, steps: int = 4, restart: bool = False) -> tuple[Artifact, list[Event]]:
    heard: list[Event] = []
    made = execute(
        DRILL, {"dataset": ["text"]}, space.folder / "runs/drilled", DrillSettings(steps=steps),
        restart=restart, listeners=(heard.append,), workspace=space,
    )  # fmt: skip
    return made, heard


@pytest.mark.parametrize(
    ("kind", "error", "last"), [("bug", RuntimeError, Failed), ("stop", KeyboardInterrupt, Stopped)]
)
def test_what_broke_off_is_resumed(
    space: Workspace, text: Artifact, kind: str, error: type[BaseException], last: type[Event]
) -> None:
    (space.runs_folder / "trip").write_text(kind)
    with pytest.raises(error):
        drill(space)
    events = read_events(space.runs_folder / "drilled.partial/run/events.jsonl")
    assert isinstance(events[-1], last)
    if isinstance(events[-1], Stopped):
        assert events[-1].step == 2 and events[-1].reason == "tripped"
    made, heard = drill(space)
    assert [event.step for event in heard if isinstance(event, Stepped)] == [3, 4]
    assert open_artifact(made.path, "model").digest == made.digest


def test_a_stop_that_the_loop_has_logged_is_not_logged_again(space: Workspace, text: Artifact) -> None:
    def stopping(work: Work) -> Made:
        work.log.write(Stopped(step=9, reason="SIGTERM"))
        raise KeyboardInterrupt("SIGTERM")

    heard: list[Event] = []
    with pytest.raises(KeyboardInterrupt):
        execute(
            replace(DRILL, run=stopping), {"dataset": ["text"]}, space.folder / "out", DrillSettings(),
            listeners=(heard.append,), workspace=space,
        )  # fmt: skip
    assert [event.step for event in heard if isinstance(event, Stopped)] == [9]


def test_other_settings_are_refused_until_restart(space: Workspace, text: Artifact) -> None:
    (space.runs_folder / "trip").write_text("stop")
    with pytest.raises(KeyboardInterrupt):
        drill(space)
    with pytest.raises(UserError, match="steps: 4 -> 5"):
        drill(space, steps=5)
    assert len(list((space.runs_folder / "drilled.partial/checkpoints").iterdir())) == 2
    _, heard = drill(space, steps=5, restart=True)
    assert [event.step for event in heard if isinstance(event, Stepped)] == [1, 2, 3, 4, 5]


def test_seconds_leave_pauses_out(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    times = [(100.0, "started"), (104.0, "finished"), (1000.0, "started"), (1003.0, "finished")]
    lines = [
        Started(stage="x", pid=1, time=t).model_dump_json() if name == "started" else Finished(seconds=1, time=t).model_dump_json()
        for t, name in times
    ]  # fmt: skip
    file.write_text("\n".join(lines))
    assert seconds_worked(file) == 7.0
    assert seconds_worked(tmp_path / "none") == 0.0


def test_sigterm_ends_the_work_as_ctrl_c_does() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt, match="SIGTERM"), terminable():
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    assert signal.getsignal(signal.SIGTERM) == before


def stage_of(*inputs: Input) -> Stage:
    return Stage("x", 1, "", GatherSettings, inputs, "dataset", lambda work: None, "")  # type: ignore[arg-type,return-value]


ONE, MANY, MAYBE = (
    Input("a", "dataset", ""),
    Input("b", "source", "", many=True),
    Input("c", "model", "", optional=True),
)
MODELS = Input("m", "model", "", many=True, optional=True)


@pytest.mark.parametrize(
    ("inputs", "names", "found"),
    [
        ((ONE,), "x", {"a": ("x",)}),
        ((MANY,), "xyz", {"b": ("x", "y", "z")}),
        ((ONE, MANY), "xyz", {"a": ("x",), "b": ("y", "z")}),
        ((MANY, ONE), "xyz", {"b": ("x", "y"), "a": ("z",)}),
        ((ONE, MAYBE), "x", {"a": ("x",), "c": ()}),
        ((ONE, MAYBE), "xy", {"a": ("x",), "c": ("y",)}),
        ((MODELS, MANY), ["m1", "s1", "m2"], {"m": ("m1", "m2"), "b": ("s1",)}),
    ],
)
def test_names_go_to_inputs(inputs: tuple[Input, ...], names: list[str], found: dict[str, tuple[str, ...]]) -> None:
    assert assign(stage_of(*inputs), list(names), lambda name: "model" if name[0] == "m" else "source") == found


@pytest.mark.parametrize(("inputs", "names"), [((ONE,), ""), ((ONE,), "xy"), ((ONE, MAYBE), "xyz"), ((MANY, ONE), "x")])
def test_too_few_and_too_many_are_refused(inputs: tuple[Input, ...], names: str) -> None:
    with pytest.raises(UserError, match="were given"):
        assign(stage_of(*inputs), list(names), lambda name: None)


def test_where_kinds_decide_what_leads_nowhere_is_missing() -> None:
    with pytest.raises(UserError, match="there is no nowhere"):
        assign(stage_of(MODELS, MANY), ["nowhere"], lambda name: None)
    with pytest.raises(UserError, match="is nothing that x takes"):
        assign(stage_of(MODELS, MANY), ["r"], lambda name: "report")


def test_a_misspelt_run_never_reaches_the_network(space: Workspace, text: Artifact) -> None:
    assert not space.names_remote("runs/chta")
    assert not space.names_remote("chta")
    assert not space.names_remote("./a/b")
    assert space.names_remote("hf:owner/name") and space.names_remote("owner/name")


def test_a_source_folder_is_what_is_read_of_it(space: Workspace) -> None:
    from langwright.artifacts import source_origin

    folder = space.folder / "library"
    folder.mkdir()
    (folder / "a.py").write_text("1")
    before = source_origin(folder).digest
    for name in ("__pycache__/a.pyc", ".git/head", "sub/.hidden"):  # these change as one works
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    assert source_origin(folder).digest == before
    (folder / "README.md").write_text("text like any other")
    assert source_origin(folder).digest != before
