"""A search over real runs of a stage: killed in the middle, begun again, confirmed, reported, and its best used."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import tomllib

import pytest
from tests.tasks.tiny import write_writer

from langwright.artifacts import partial_of
from langwright.errors import UserError
from langwright.evaluation.experiments.trials import read_trials
from langwright.runlog import Started, read_events
from langwright.settings import read_settings
from langwright.stages import STAGES
from langwright.stages.execution import execute, look, prepare
from langwright.workspace import Workspace

WORDS = {
    "en": ["the", "river", "bends", "twice", "before", "it", "reaches", "the", "old", "bridge"],
    "zh": list("春天来了河边的柳树发芽了孩子们放风筝"),
}
SPACE = """
trials = 2
confirm = 2
pruning.kind = "none"
[settings]
task = "classification"
steps = 6
batch_rows = 8
length = 32
device = "cpu"
dtype = "float32"
[search.learning_rate]
low = 1e-5
high = 1e-2
log = true
[search.optimizer]
kind.choices = ["adamw", "sgd"]
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """Labelled texts in three splits, and a model with random weights."""
    folder = tmp_path_factory.mktemp("search")
    numbers = random.Random(0)
    rows = [
        {"text": f"{i} " + (" " if i % 2 else "").join(numbers.choices(WORDS["en" if i % 2 else "zh"], k=8)), "label": "en" if i % 2 else "zh"}
        for i in range(120)
    ]  # fmt: skip
    (folder / "rows.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    workspace = Workspace(folder)
    read = {"source": ["rows.jsonl"]}
    make(
        workspace, "data-read", read, "labels", "schema_name='classification'", "split.test=0.2", "split.validation=0.2"
    )
    make(workspace, "data-read", read, "two", "schema_name='classification'")
    make(workspace, "data-read", read, "text")
    make(workspace, "tokenizer-train", {"dataset": ["text"]}, "tok", "vocab_size=300")
    write_writer(folder / "base")
    return workspace


def make(workspace, stage, inputs, out, *sets, recipe=None):
    given = {role: [workspace.folder / name for name in names] for role, names in inputs.items()}
    settings = read_settings(STAGES[stage].settings, sets=sets, recipe=recipe)
    return execute(STAGES[stage], given, workspace.folder / out, settings, workspace=workspace)


def begin(world, out, space):
    """The search in a process of its own, as from a terminal."""
    (world.folder / "space.toml").write_text(space)
    return subprocess.Popen(
        [sys.executable, "-m", "langwright.cli.main", "search", "base", "labels", out, "--recipe", "space.toml"],
        cwd=world.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def wait_for(condition, seconds=120.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.fixture(scope="module")
def searched(world):
    """A search that was killed in its second trial and begun again."""
    partial = partial_of(world.folder / "searched")
    process = begin(world, "searched", SPACE)
    second = partial / "checkpoints" / "trials" / "0001.partial" / "run" / "events.jsonl"
    wait_for(second.is_file)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    worker = next(event.pid for event in read_events(second) if isinstance(event, Started))
    wait_for(lambda: not alive(worker), 20)  # children end with their parent
    assert not (world.folder / "searched").exists()
    kept = json.loads((partial / "run" / "trials" / "0000" / "request.json").read_text())
    artifact = make(world, "search", {"model": ["base"], "dataset": ["labels"]}, "searched", recipe=SPACE)
    return artifact, kept


@pytest.mark.spec(
    "TR13", "kill -9 in the middle of a search over real runs: begun again, it ends with every trial once"
)
def test_a_search_that_was_killed_goes_on(searched):
    artifact, kept = searched
    found = read_trials(artifact.path / "trials.json")
    assert [trial.number for trial in found.trials] == [0, 1]
    assert all(trial.state == "complete" and trial.value and len(trial.curve) >= 5 for trial in found.trials)
    assert (
        found.trials[0].settings["learning_rate"] == kept["settings"]["learning_rate"]
    )  # the first was not made again
    for trial in found.trials:
        request = json.loads((artifact.path / "run" / "trials" / f"{trial.number:04d}" / "request.json").read_text())
        assert request["stage"] == "finetune" and request["settings"]["optimizer"]["kind"] == trial.settings["optimizer.kind"]  # fmt: skip
        assert request["settings"]["evaluate_rows"] == 256 and request["settings"]["seed"] == 42
    assert found.best == min(found.trials, key=lambda trial: trial.value).number


@pytest.mark.spec(
    "TR13", "the best settings are trained again beside the default with new seeds, on rows the search never saw"
)
def test_the_best_is_confirmed_beside_the_default(searched):
    artifact, _ = searched
    confirmed = read_trials(artifact.path / "trials.json").confirmed
    assert confirmed.seeds == (43, 44) and confirmed.data == "labels/test" and confirmed.measure == "accuracy"
    assert len(confirmed.best) == len(confirmed.default) == 2
    measures = {(m.name, m.model): m for m in artifact.card.results}
    gap = measures["difference in accuracy", "best settings"]
    assert gap.value == pytest.approx(sum(confirmed.best) / 2 - sum(confirmed.default) / 2)
    assert gap.n == 2 and gap.low <= gap.value <= gap.high
    assert ("validation loss", "best settings") in measures
    trials = read_trials(artifact.path / "trials.json")
    assert all(trial.joules > 0 for trial in trials.trials)
    assert trials.joules > sum(trial.joules for trial in trials.trials)  # and of the four that were trained again
    assert measures["energy", ""].value == pytest.approx(trials.joules / 3600)
    assert measures["emissions", ""].value == pytest.approx(trials.joules / 3.6e6 * 473)


@pytest.mark.spec("TR13", "the report shows trials, curves and what mattered, and the best settings are a recipe")
def test_what_a_search_leaves(searched, world):
    artifact, _ = searched
    assert sorted(path.name for path in artifact.path.iterdir()) == ["best.toml", "card.json", "report.html", "report.json", "run", "trials.json"]  # fmt: skip
    best = tomllib.loads((artifact.path / "best.toml").read_text())
    settings = read_settings(STAGES["finetune"].settings, recipe=(artifact.path / "best.toml").read_text())
    found = read_trials(artifact.path / "trials.json")
    assert settings.learning_rate == found.trials[found.best].settings["learning_rate"] and best["task"] == "classification"  # fmt: skip
    page = (artifact.path / "report.html").read_text()
    for words in ("Search over the settings of finetune", "对 finetune 各项设置的搜索", "learning_rate", "The best after each trial", "All trials", "最佳设置", "labels/test"):  # fmt: skip
        assert words in page, words
    report = make(world, "report", {"report": ["searched"]}, "page")
    assert "Search: searched" in (report.path / "report.html").read_text()


def refused(world, recipe, inputs=None, **changes):
    stage = STAGES["search"]
    given = {"model": ["base"], "dataset": ["labels"]} | (inputs or {})
    settings = read_settings(stage.settings, recipe=recipe, sets=[f"{k}={json.dumps(v)}" for k, v in changes.items()])
    prepared = prepare(stage, {r: [world.folder / n for n in names] for r, names in given.items()}, settings, workspace=world)  # fmt: skip
    with pytest.raises(UserError) as caught:
        look(prepared, cache=world.cache)
    return f"{caught.value.problem('en')} | {caught.value.fix('en')}"


def test_what_would_mean_nothing_is_refused_before_it_begins(world):
    assert "no test rows" in refused(world, SPACE, {"dataset": ["two"]})
    assert "finetune was given no model" in refused(world, SPACE, {"model": []})
    assert "no input called 'tokenizer'" in refused(world, SPACE, {"tokenizer": ["tok"]})
    assert "cores to share" in refused(world, SPACE, parallel=10_000)
    around = SPACE + '[search.around]\nchoices = [[], [{ kind = "r-drop" }]]\n'
    assert "cannot be compared" in refused(world, around)
    assert "in search.learning_rate: low" in refused(world, SPACE.replace("1e-5", "1.0"))
    assert not list(world.folder.glob("*.partial"))
