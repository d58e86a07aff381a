"""`--on processes:2` as it is used: real processes, killed, stopped, started by torchrun, refused."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time

import psutil
import pytest
import torch
from safetensors.torch import load_file
from tests.stages.test_training_stages import EN, ZH, make

from langwright.artifacts import open_artifact, partial_of
from langwright.errors import UserError
from langwright.runlog import Chosen, Resumed, Stepped, read_events
from langwright.stages import STAGES
from langwright.stages.execution import execute
from langwright.training.together import Together, parse_on
from langwright.workspace import Workspace

SETTINGS = {
    "preset": "tiny", "length": 32, "steps": 30, "batch_rows": 4, "micro_rows": 4, "dtype": "float32", "prompts": ["In"],
    "evaluate_every_share": 1.0, "sample_every_share": 1.0,
}  # fmt: skip

ADAPTING = {
    "length": 32, "steps": 6, "batch_rows": 4, "micro_rows": 4, "dtype": "float32", "prompts": ["In"], "learning_rate": 1e-3,
    "compare_rows": 4,
}  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A dataset and a tokenizer."""
    folder = tmp_path_factory.mktemp("world")
    numbers = random.Random(0)
    texts = [" ".join(numbers.choices(EN, k=4)) if i % 2 else "".join(numbers.choices(ZH, k=4)) for i in range(60)]
    (folder / "text.jsonl").write_text(
        "\n".join(json.dumps({"text": f"{i}. {t}"}, ensure_ascii=False) for i, t in enumerate(texts))
    )
    workspace = Workspace(folder)
    make(workspace, "data-read", {"source": ["text.jsonl"]}, "text")
    make(workspace, "tokenizer-train", {"dataset": ["text"]}, "tok", vocab_size=400)
    return workspace


def words(out, on, **changes):
    """A command that pretrains."""
    sets = {**SETTINGS, "device": "cpu", "compile": "off", **changes}
    given = [part for key, value in sets.items() for part in ("--set", f"{key}={json.dumps(value)}")]
    return ["pretrain", "text", "tok", out, "--lang", "en", *(["--on", on] if on else []), *given]


def begin(world, command, *before):
    """The command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, *before, "-m", "langwright", *command], cwd=world.folder, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def steps_done(path):
    return [event.step for event in read_events(path / "run" / "events.jsonl") if isinstance(event, Stepped)]


def wait_for(path, step, process):
    """Wait until a run has made so many updates; its helpers."""
    until = time.monotonic() + 120
    while not (done := steps_done(path)) or done[-1] < step:
        assert process.poll() is None, process.stdout.read()
        assert time.monotonic() < until
        time.sleep(0.02)
    return psutil.Process(process.pid).children(recursive=True)


def alive(process):
    """Whether a process does anything; one that nobody has waited for does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_until_gone(helpers):
    until = time.monotonic() + 20
    while any(alive(helper) for helper in helpers):
        assert time.monotonic() < until
        time.sleep(0.05)


def weights(path):
    return load_file(path / "model.safetensors")


def assert_close(ours, theirs, tolerance=1e-5):
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.allclose(ours[name], theirs[name], rtol=0, atol=tolerance), name


@pytest.fixture(scope="module")
def alone(world):
    """The same run in one process."""
    make(world, "pretrain", {"dataset": ["text"], "tokenizer": ["tok"]}, "alone", **SETTINGS)
    return weights(world.folder / "alone")


@pytest.mark.spec("DP1", "two processes, the first killed and the run resumed, end with the weights of one process")
@pytest.mark.spec("TR16", "a run of two processes in parts (FSDP2) that was killed goes on from its checkpoint")
def test_a_killed_run_leaves_no_process_and_goes_on(world, alone):
    path = partial_of(world.folder / "killed")
    run = begin(world, words("killed", "processes:2,fsdp"))
    helpers = wait_for(path, 4, run)
    assert len(helpers) == 1
    run.kill()
    run.wait()
    wait_until_gone(helpers)
    again = begin(world, words("killed", "processes:2,fsdp"))
    output, _ = again.communicate(timeout=200)
    assert again.returncode == 0, output
    made = open_artifact(world.folder / "killed", "model")
    assert_close(weights(made.path), alone)
    events = read_events(made.path / "run" / "events.jsonl")
    assert any(isinstance(event, Resumed) for event in events)
    assert any(isinstance(event, Chosen) and event.values.get("count") == 2 for event in events)
    measures = {measure.name: measure for measure in made.card.results}
    assert measures["processes"].value == 2 and "processes:2" in measures["processes"].command
    plan = json.loads((made.path / "run" / "plan.json").read_text())
    assert (plan["processes"], plan["strategy"]) == (2, "fsdp")
    assert not list((made.path / "run").glob("process-*"))


@pytest.mark.spec("DP2", "a process that dies ends the run, which says which and why; one process goes on with it")
def test_a_process_that_dies_is_named_and_the_run_goes_on_with_one(world, alone):
    path = partial_of(world.folder / "lost")
    run = begin(world, words("lost", "processes:2"))
    (helper,) = wait_for(path, 4, run)
    helper.kill()
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 2
    assert "process 1 of 2 stopped: SIGKILL" in output
    assert "it goes on from the last checkpoint" in output
    make(world, "pretrain", {"dataset": ["text"], "tokenizer": ["tok"]}, "lost", **SETTINGS)
    assert_close(weights(world.folder / "lost"), alone)
    assert json.loads((world.folder / "lost" / "run" / "plan.json").read_text())["processes"] == 1


@pytest.mark.spec("DP2", "a run that is asked to stop saves first, and all its processes end")
def test_asking_to_stop_saves_first(world):
    path = partial_of(world.folder / "stopped")
    run = begin(world, words("stopped", "processes:2"))
    helpers = wait_for(path, 3, run)
    second = begin(world, words("stopped", "processes:2"))
    run.send_signal(signal.SIGTERM)
    output, _ = run.communicate(timeout=60)
    assert run.returncode == 130, output
    refusal, _ = second.communicate(timeout=60)
    assert second.returncode == 2 or "resume" in refusal  # the lock was held, or it came too late and went on
    wait_until_gone(helpers)
    if second.returncode == 0:  # on a busy machine: what it went on from was deleted when it was done
        assert (world.folder / "stopped").is_dir()
        return
    saved = sorted(path.glob("checkpoints/step-*"))[-1]
    assert int(saved.name.removeprefix("step-")) >= 3


@pytest.mark.spec("DP2", "processes that torchrun started find their places by RANK and WORLD_SIZE, and end together")
def test_torchrun_is_recognised(world, alone):
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    run = begin(world, words("launched", "fsdp"), *launcher)
    output, _ = run.communicate(timeout=200)
    assert run.returncode == 0, output
    assert_close(weights(world.folder / "launched"), alone)
    assert output.count("made launched") == 1


@pytest.mark.heavy
@pytest.mark.spec(
    "DP1", "a model that goes on learning by two processes, its vocabulary extended, is that of one process"
)
def test_two_processes_go_on_with_a_model(world, alone):
    given = {**ADAPTING, "vocabulary.tokens": 8}
    make(world, "adapt", {"model": ["alone"], "dataset": ["text"]}, "adapted", **given)
    sets = {**given, "device": "cpu", "compile": "off"}
    command = ["adapt", "alone", "text", "adapted-by-two", "--lang", "en", "--on", "processes:2,fsdp"]
    run = begin(
        world, command + [part for key, value in sets.items() for part in ("--set", f"{key}={json.dumps(value)}")]
    )
    output, _ = run.communicate(timeout=200)
    assert run.returncode == 0, output
    one, two = (world.folder / name for name in ("adapted", "adapted-by-two"))
    assert_close(weights(two), weights(one))
    assert (two / "tokenizer.json").read_bytes() == (one / "tokenizer.json").read_bytes()
    assert not list((two / "run").glob("process-*"))


def test_rows_that_do_not_divide_leave_nothing_behind(world):
    with pytest.raises(UserError, match="an update has 4 rows, which 3 processes cannot share") as caught:
        execute_on(world, "uneven", Together(3))
    assert "batch_rows=6" in caught.value.fix()
    assert not partial_of(world.folder / "uneven").exists()


def execute_on(world, out, on, **changes):
    from langwright.settings import read_settings

    stage = STAGES["pretrain"]
    sets = [
        f"{key}={json.dumps(value)}"
        for key, value in {**SETTINGS, "device": "cpu", "compile": "off", **changes}.items()
    ]
    given = {"dataset": [world.folder / "text"], "tokenizer": [world.folder / "tok"]}
    return execute(stage, given, world.folder / out, read_settings(stage.settings, sets=sets), workspace=world, on=on)


def test_what_one_process_has_to_make_is_refused(world):
    stage = STAGES["data-read"]
    given = {"source": [world.folder / "text.jsonl"]}
    with pytest.raises(UserError, match="is not made by several processes"):
        execute(stage, given, world.folder / "no", stage.settings(), workspace=world, on=Together(2))


def test_on_is_read():
    assert parse_on("", {}) is None
    assert parse_on("processes:1", {}) is None
    assert parse_on("processes:3", {}) == Together(3)
    assert parse_on("processes:2,fsdp,offload", {}) == Together(2, "fsdp", offload=True)
    launched = {"RANK": "1", "WORLD_SIZE": "4"}
    assert parse_on("", launched) == Together(4)
    assert parse_on("fsdp", launched) == Together(4, "fsdp")


@pytest.mark.parametrize(
    ("text", "environment", "problem"),
    [
        ("processes", {}, "not understood"),
        ("processes:0", {}, "not understood"),
        ("cluster", {}, "not understood"),
        ("fsdp", {}, "how many processes"),
        ("processes:2,offload", {}, "goes with fsdp only"),
        ("processes:2", {"RANK": "0", "WORLD_SIZE": "4"}, "launcher started 4"),
    ],
)
def test_other_words_are_refused(text, environment, problem):
    with pytest.raises(UserError, match=problem):
        parse_on(text, environment)


@pytest.mark.heavy
@pytest.mark.spec(
    "TR16", "killed five times at any moment, two processes with a part of the model each end with the same bits"
)
def test_killed_again_and_again(world, record_property):
    settings = {"steps": 160, "micro_rows": 2}
    whole = begin(world, words("unbroken", "processes:2,fsdp", **settings))
    output, _ = whole.communicate(timeout=900)
    assert whole.returncode == 0, output
    numbers, kills = random.Random(3), []
    path = partial_of(world.folder / "broken")
    for _ in range(5):
        run = begin(world, words("broken", "processes:2,fsdp", **settings))
        done = steps_done(path)
        helpers = wait_for(path, (done[-1] if done else 0) + numbers.randint(2, 25), run)
        time.sleep(numbers.random() / 5)
        victim = numbers.choice([psutil.Process(run.pid), *helpers])
        kills.append((steps_done(path)[-1], "first" if victim.pid == run.pid else "second"))
        victim.kill()
        run.communicate(timeout=120)
        wait_until_gone(helpers)
    last = begin(world, words("broken", "processes:2,fsdp", **settings))
    output, _ = last.communicate(timeout=900)
    assert last.returncode == 0, output
    assert_close(weights(world.folder / "broken"), weights(world.folder / "unbroken"), tolerance=0)
    record_property("kills", kills)
