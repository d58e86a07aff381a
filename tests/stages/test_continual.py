"""Tasks learned one after the other: real runs of a very small model, killed, resumed, refused, and compared."""

from __future__ import annotations

import json
import random

import pytest
import torch
from safetensors.torch import load_file
from tests.stages.killing import Killable
from transformers import LlamaConfig

from langwright.artifacts import partial_of
from langwright.errors import UserError
from langwright.measures import read_report
from langwright.models.building import build_model
from langwright.models.loading import save_model
from langwright.runlog import Progressed, Resumed, read_events
from langwright.settings import read_settings
from langwright.stages import STAGES
from langwright.stages.execution import execute
from langwright.tokenizers.loading import load_tokenizer
from langwright.training import fit as fitting
from langwright.workspace import Workspace

TOPICS = {
    "food": (["sweet", "fresh", "tasty", "crisp"], ["burnt", "stale", "bitter", "greasy"]),
    "rooms": (["quiet", "clean", "bright", "roomy"], ["noisy", "dirty", "dark", "narrow"]),
    "films": (["moving", "funny", "clever", "lively"], ["boring", "flat", "silly", "slow"]),
}
ALL = ["naive", "replay", "generative-replay", "ewc", "online-ewc", "si", "lwf", "a-gem", "joint"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A workspace with a small language model, three tasks of two labels each, and one with other labels."""
    folder = tmp_path_factory.mktemp("world")
    workspace = Workspace(folder)
    numbers = random.Random(0)
    lines = []
    for name, words in TOPICS.items():
        rows = []
        for number in range(60):
            good = number % 2
            chosen = numbers.choices(words[1 - good], k=3)
            rows.append({"text": f"the {name} was {' and '.join(chosen)}", "label": "good" if good else "bad"})
        lines += [{"text": row["text"]} for row in rows]
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)))
        make(workspace, "data-read", {"source": [f"{name}.jsonl"]}, name, schema_name="classification")
    (folder / "text.jsonl").write_text("\n".join(map(json.dumps, lines)))
    other = [{"text": f"row {i} {numbers.random()}", "label": "rain" if i % 2 else "sun"} for i in range(40)]
    (folder / "weather.jsonl").write_text("\n".join(map(json.dumps, other)))
    make(workspace, "data-read", {"source": ["weather.jsonl"]}, "weather", schema_name="classification")
    make(workspace, "data-read", {"source": ["text.jsonl"]}, "text")
    make(workspace, "tokenizer-train", {"dataset": ["text"]}, "tok", vocab_size=300)
    tokenizer = load_tokenizer(folder / "tok")
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2,
        max_position_embeddings=32, pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip
    save_model(build_model(config, seed=3), tokenizer, folder / "base")
    return workspace


def make(workspace, stage, inputs, out, *, listeners=(), **settings):
    sets = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in settings.items()]
    given = {role: [workspace.folder / name for name in names] for role, names in inputs.items()}
    return execute(
        STAGES[stage], given, workspace.folder / out, read_settings(STAGES[stage].settings, sets=sets),
        workspace=workspace, listeners=listeners,
    )  # fmt: skip


def continual(world, out, methods=("naive",), tasks=tuple(TOPICS), listeners=(), **settings):
    options = {
        "device": "cpu",
        "dtype": "float32",
        "steps": 6,
        "batch_rows": 8,
        "seeds": 1,
        "learning_rate": 1e-3,
        **settings,
    }
    chosen = "[" + ", ".join(f'{{ kind = "{m}" }}' if isinstance(m, str) else as_toml(m) for m in methods) + "]"
    sets = [f"methods={chosen}", *(f"{key}={as_toml(value)}" for key, value in options.items())]
    given = {"model": [world.folder / "base"], "dataset": [world.folder / name for name in tasks]}
    return execute(
        STAGES["continual"], given, world.folder / out, read_settings(STAGES["continual"].settings, sets=sets),
        workspace=world, listeners=listeners,
    )  # fmt: skip


def as_toml(values):
    if isinstance(values, list):
        return "[" + ", ".join(map(as_toml, values)) + "]"
    if not isinstance(values, dict):
        return json.dumps(values)
    return "{ " + ", ".join(f"{key} = {as_toml(value)}" for key, value in values.items()) + " }"


def runs_of(artifact):
    found = json.loads((artifact.path / "matrices.json").read_text())["runs"]
    return {(run["method"], run["seed"]): run for run in found}


@pytest.fixture(scope="module")
def all_methods(world):
    generative = {"kind": "generative-replay", "rows": 12, "epochs": 0.5}
    named = [generative if name == "generative-replay" else name for name in ALL]
    return continual(world, "all", named, seeds=2, steps=3, rows=24)


@pytest.mark.spec("F13", "every method side by side: a matrix of accuracies for each, with its measures and intervals")
@pytest.mark.spec("F9", "old rows are replayed while new tasks are learned, beside eight other methods")
@pytest.mark.spec("F11", "a second model writes texts of earlier tasks, which are replayed with the old model's labels")
def test_every_method_gives_its_matrix(all_methods):
    runs = runs_of(all_methods)
    assert set(runs) == {(name, seed) for name in ALL for seed in (42, 43)}
    for (name, _), run in runs.items():
        assert len(run["rows"]) == (1 if name == "joint" else 3)
        assert all(len(row) == 3 and all(0 <= a <= 1 for a in row) for row in [*run["rows"], run["before"]])
    firsts = {tuple(runs[name, 42]["rows"][0]) for name in ALL if name != "joint"}
    assert len(firsts) == 1  # the first task is learned alike by all
    measures = read_report(all_methods.path / "report.json").measures
    assert {m.model for m in measures if m.name == "average accuracy"} == set(ALL)
    assert {m.model for m in measures if m.name == "forgetting"} == set(ALL) - {"joint"}
    assert all(m.low <= m.value <= m.high and m.n == 2 for m in measures)
    page = (all_methods.path / "report.html").read_text()
    assert all(f">{name}<" in page for name in ALL) and "<svg" in page


class Die(Exception):
    """Stands for kill -9: nothing of ours runs after it."""


@pytest.mark.spec(
    "F10", "a sequence under EWC that died inside a task and was resumed gives the same numbers and weights"
)
@pytest.mark.parametrize(("name", "update"), [("ewc", 9), ("si", 10), ("generative-replay", 8), ("lwf", 16)])
def test_a_sequence_that_died_is_taken_up_where_it_was(world, name, update, monkeypatch, tmp_path):
    generative = {"kind": "generative-replay", "rows": 12, "epochs": 0.5}
    methods = ["naive", generative if name == "generative-replay" else name]

    def learned(out):
        artifact = continual(world, out, methods, keep_models=True)
        return runs_of(artifact), load_file(artifact.path / "models" / name / "model.safetensors")

    whole, weights = learned(f"whole-{name}")
    record, updates = fitting.Session.record, 3 * 6  # naive's updates come first

    def dying(session, step):
        nonlocal updates
        updates -= 1
        if updates == -update:
            raise Die
        record(session, step)

    with monkeypatch.context() as patch:
        patch.setattr(fitting.Session, "record", dying)
        patch.setattr(fitting.Session, "next_save", property(lambda _: 0.0, lambda *_: None), raising=False)
        with pytest.raises(Die):
            learned(f"cut-{name}")
    assert partial_of(world.folder / f"cut-{name}").exists()
    events = []
    artifact = continual(world, f"cut-{name}", methods, keep_models=True, listeners=[events.append])
    again = load_file(artifact.path / "models" / name / "model.safetensors")
    assert runs_of(artifact) == whole
    assert weights.keys() == again.keys() and all(torch.equal(weights[key], again[key]) for key in weights)
    logs = (artifact.path / "run" / f"{name}-42").glob("*/events.jsonl")
    assert any(isinstance(event, Resumed) for log in logs for event in read_events(log))
    assert [event.done for event in events if isinstance(event, Progressed) and event.what == "tasks learned"][-1] == 6


@pytest.mark.spec("F10", "a sequence under EWC killed with SIGKILL and resumed gives the same numbers and weights")
def test_a_killed_sequence_ends_with_identical_weights(world):
    settings = ["device=cpu", "compile=off", "dtype=float32", "steps=12", "batch_rows=8", "seeds=1", "keep_models=true"]
    settings += ["learning_rate=1e-3", 'methods=[{kind="naive"}, {kind="ewc"}]']
    inputs = {"model": ["base"], "dataset": list(TOPICS)}
    run = Killable(world, "continual", inputs, settings, events="run/ewc-42/*/events.jsonl")
    run.run("never-killed")
    assert run.kill_and_resume("killed", kills=2, seed=2) == 2
    assert all(
        (world.folder / "never-killed" / file).read_bytes() == (world.folder / "killed" / file).read_bytes()
        for file in ("matrices.json", "models/ewc/model.safetensors")
    )


def test_the_same_labels_share_a_head_and_others_have_their_own(world):
    kept = continual(world, "own", tasks=("food", "weather"), steps=2, keep_models=True)
    config = json.loads((kept.path / "models" / "naive" / "config.json").read_text())
    assert list(config["id2label"].values()) == ["food/bad", "food/good", "weather/rain", "weather/sun"]
    classes = continual(world, "classes", tasks=("food", "weather"), steps=2, keep_models=True, scenario="class")
    config = json.loads((classes.path / "models" / "naive" / "config.json").read_text())
    assert list(config["id2label"].values()) == ["bad", "good", "rain", "sun"]


@pytest.mark.parametrize(
    ("tasks", "settings", "said"),
    [
        (("food",), {}, "two tasks"),
        (("food", "food"), {}, "called food"),
        (("food", "text"), {}, "schema"),
        (("food", "weather"), {"scenario": "domain"}, "same labels"),
        (("food", "rooms"), {"methods": ("ewc", "ewc")}, "twice"),
        (("food", "rooms"), {"length": 900}, "context"),
        (("food", "rooms"), {"gradients": {"kind": "pcgrad"}}, "pcgrad"),
    ],
)
def test_what_cannot_be_learned_is_refused(world, tasks, settings, said):
    with pytest.raises(UserError, match=said):
        continual(world, "refused", tasks=tasks, **settings)
    assert not (world.folder / "refused").exists() and not partial_of(world.folder / "refused").exists()
