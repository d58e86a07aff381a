"""Several tasks on one trunk as a stage: trained, killed, resumed, written, opened by each head, refused."""

from __future__ import annotations

import json
import random

import pytest
import torch
from safetensors.torch import load_file
from tests.stages.killing import Killable
from tests.stages.test_continual import Die, as_toml, make, world
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

from langwright.artifacts import partial_of
from langwright.errors import UserError
from langwright.models.shared import heads_of, open_head
from langwright.runlog import Resumed, Stepped, read_events
from langwright.settings import read_settings
from langwright.stages import STAGES
from langwright.stages.execution import execute
from langwright.tasks.front.headed import open_headed
from langwright.tasks.front.loading import load
from langwright.training import fit as fitting
from langwright.training.together import Together

__all__ = ["world"]


@pytest.fixture(scope="module")
def talks(world):
    """Conversations beside the labelled texts."""
    numbers = random.Random(1)
    rows = [
        {"messages": [{"role": "user", "content": "the food?"}, {"role": "assistant", "content": numbers.choice(["fresh", "stale"])}]}
        for _ in range(20)
    ]  # fmt: skip
    (world.folder / "talks.jsonl").write_text("\n".join(map(json.dumps, rows)))
    make(world, "data-read", {"source": ["talks.jsonl"]}, "talks", schema_name="chat")
    named = [
        {"text": f"Anna saw the {w}", "spans": [{"start": 0, "end": 4, "label": "person"}]} for w in "abcdefghij" * 3
    ]
    (world.folder / "names.jsonl").write_text("\n".join(map(json.dumps, named)))
    make(world, "data-read", {"source": ["names.jsonl"]}, "names", schema_name="tagging")
    pairs = [
        {"text": f"row {i}", "translation": f"line {i}", "language": "en", "target_language": "de"} for i in range(20)
    ]
    (world.folder / "lines.jsonl").write_text("\n".join(map(json.dumps, pairs)))
    make(world, "data-read", {"source": ["lines.jsonl"]}, "lines", schema_name="translation")
    return world


def multitask(world, out, datasets=("food", "weather"), listeners=(), accept=False, on=None, **settings):
    options = {"device": "cpu", "dtype": "float32", "steps": 8, "batch_rows": 8, "learning_rate": 1e-3, **settings}
    given = {"model": [world.folder / "base"], "dataset": [world.folder / name for name in datasets]}
    chosen = read_settings(
        STAGES["multitask"].settings, sets=[f"{key}={as_toml(value)}" for key, value in options.items()]
    )
    return execute(STAGES["multitask"], given, world.folder / out, chosen, workspace=world, listeners=listeners, accept=accept, on=on)  # fmt: skip


@pytest.fixture(scope="module")
def trained(talks):
    return multitask(talks, "several", ("food", "weather", "talks"), weighting="uncertainty", steps=60)


@pytest.mark.spec("F8", "two classifications and conversation are learned together, and each head is used by name")
def test_every_head_is_used_by_name(trained):
    path = trained.path
    assert [(a.task, a.head) for a in trained.card.abilities] == [
        ("classification", None), ("classification", "weather"), ("chat", "talks"),
    ]  # fmt: skip
    assert heads_of(path) == ("talks", "weather")
    with load(path) as own, load(path, head="weather") as other:
        assert own.predict("the food was sweet and fresh").labels[0] in ("good", "bad")
        assert other.predict("row 3").labels[0] in ("rain", "sun")
    plain = AutoModelForSequenceClassification.from_pretrained(path)
    talking = open_head(path, "talks")
    for name, weight in plain.base_model.named_parameters():
        assert torch.equal(weight, dict(talking.base_model.named_parameters())[name])
    found = {(m.name, m.data): m.value for m in trained.card.results}
    assert found["validation accuracy", "food"] > 0.5
    steps = [e for e in read_events(path / "run" / "events.jsonl") if isinstance(e, Stepped)]
    assert {"food loss", "weather variance", "talks loss"} <= set().union(*(step.metrics for step in steps))


@pytest.mark.spec("F8", "sentiment and entities on one trunk, each with its own kind of head")
def test_labels_of_texts_and_tags_of_words(talks):
    found = multitask(talks, "tagged", ("food", "names"), steps=20)
    assert [(a.task, a.head) for a in found.card.abilities] == [("classification", None), ("tagging", "names")]
    headed = open_headed(found.path, head="names")
    assert type(headed.model).__name__.endswith("ForTokenClassification")
    assert len(headed.tag(["Anna saw the b"])) == 1
    with load(found.path) as own:
        assert own.predict("the food was stale").labels[0] in ("good", "bad")


@pytest.mark.spec("F8", "tasks whose answers are written share one whole model, and their texts say what is asked")
def test_what_is_written_needs_no_head(talks):
    found = multitask(talks, "written", ("talks", "lines"), steps=6)
    assert [(a.task, a.head) for a in found.card.abilities] == [("chat", None), ("translation", None)]
    assert heads_of(found.path) == () and not (found.path / "heads").exists()
    assert AutoModelForCausalLM.from_pretrained(found.path) is not None


def test_each_head_is_measured_on_its_own_rows(talks, trained):
    found = make(
        talks, "evaluate", {"model": ["several"], "dataset": ["weather"]}, "measured", head="weather", baselines=False
    )
    measured = {m.name: m.value for m in found.card.results}
    held_out = {(m.name, m.data): m.value for m in trained.card.results}
    assert measured["accuracy"] == pytest.approx(held_out["validation accuracy", "weather"])


@pytest.mark.spec("F8", "a multi-task run with surgery and uncertainty that died is resumed bit for bit")
def test_a_run_that_died_ends_with_the_same_weights(world, monkeypatch):
    settings = {"gradients": {"kind": "pcgrad"}, "weighting": "uncertainty"}
    whole = multitask(world, "whole", **settings)

    def dying(event):
        if isinstance(event, Stepped) and event.step == 5:
            raise Die

    with monkeypatch.context() as patch:
        patch.setattr(fitting.Session, "next_save", property(lambda _: 0.0, lambda *_: None), raising=False)
        with pytest.raises(Die):
            multitask(world, "cut", listeners=[dying], **settings)
    again = multitask(world, "cut", **settings)
    assert any(isinstance(event, Resumed) for event in read_events(again.path / "run" / "events.jsonl"))
    for file in ("model.safetensors", "heads/weather/head.safetensors"):
        one, other = load_file(whole.path / file), load_file(again.path / file)
        assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.spec("TR16", "a multi-task run goes on with more steps and another rate where that was accepted")
def test_a_run_goes_on_with_what_was_accepted(world, monkeypatch):
    def dying(event):
        if isinstance(event, Stepped) and event.step == 3:
            raise Die

    with monkeypatch.context() as patch:
        patch.setattr(fitting.Session, "next_save", property(lambda _: 0.0, lambda *_: None), raising=False)
        with pytest.raises(Die):
            multitask(world, "longer", listeners=[dying], steps=4)
    changes = {"steps": 6, "learning_rate": 1e-4, "schedule": {"kind": "constant", "warmup_share": 0.0}}
    with pytest.raises(UserError, match="steps: 4 -> 6"):
        multitask(world, "longer", **changes)
    found = multitask(world, "longer", accept=True, **changes)
    made = [event for event in read_events(found.path / "run" / "events.jsonl") if isinstance(event, Stepped)]
    assert [event.step for event in made] == [1, 2, 3, 4, 5, 6]
    assert [event.learning_rate for event in made[-3:]] == [1e-4] * 3


def test_several_tasks_are_not_kept_in_parts(world):
    with pytest.raises(UserError, match="unequal batches") as error:
        multitask(world, "parts", on=Together(2, "fsdp"))
    assert "--on processes:2" in error.value.fix()
    assert not partial_of(world.folder / "parts").exists()


@pytest.mark.spec(
    "TR16", "a multi-task run with surgery killed with SIGKILL and resumed ends with bit-identical weights"
)
def test_killed_and_resumed_runs_end_with_identical_weights(world):
    settings = ["device=cpu", "compile=off", "dtype=float32", "steps=30", "batch_rows=8", 'gradients.kind="pcgrad"']
    settings += ["weighting=uncertainty", "learning_rate=1e-3"]
    run = Killable(world, "multitask", {"model": ["base"], "dataset": ["food", "weather"]}, settings)
    run.run("never-killed")
    assert run.kill_and_resume("killed", kills=2, seed=1) == 2
    for file in ("model.safetensors", "heads/weather/head.safetensors"):
        one, other = (load_file(world.folder / out / file) for out in ("never-killed", "killed"))
        assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_head_that_is_not_there_is_named(trained):
    with pytest.raises(UserError, match="no head called food") as error:
        load(trained.path, head="food")
    assert "talks, weather" in error.value.fix()


@pytest.mark.parametrize(("datasets", "said"), [(("food",), "two tasks"), (("food", "food"), "called food"), (("food", "text"), "schema text")])  # fmt: skip
def test_what_cannot_be_learned_together_is_refused(world, datasets, said):
    with pytest.raises(UserError, match=said):
        multitask(world, "refused", datasets)
    assert not (world.folder / "refused").exists()


def test_wrappers_go_around_several_tasks(world):
    found = multitask(world, "wrapped", steps=2, around=[{"kind": "r-drop"}, {"kind": "fgm"}, {"kind": "l2-sp"}])
    assert found.card is not None
