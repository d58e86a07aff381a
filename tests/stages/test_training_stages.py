"""Pre-training and fine-tuning as stages: real runs of a very small model, killed, resumed, refused, and used."""

from __future__ import annotations

import json
import random
import time

import pytest
import torch
from safetensors.torch import load_file
from tests.stages.killing import Killable
from transformers import AutoModelForCausalLM, AutoTokenizer

from langwright.artifacts import open_artifact, partial_of
from langwright.errors import UserError
from langwright.runlog import Chosen, Resumed, Sampled, Stepped, read_events
from langwright.settings import read_settings
from langwright.stages import STAGES
from langwright.stages.execution import execute
from langwright.workspace import Workspace

ZH = [
    "春天来了，河边的柳树发芽了。孩子们在草地上放风筝，老人坐在桥头晒太阳。",
    "夏天的雨下得很急，屋檐下的水滴成了一条线。",
    "秋天的山是红色的，风里有桂花的香味，果园里的梨熟了。",
]
EN = [
    "The river bends twice before it reaches the old bridge, and the water is clear.",
    "A train leaves the station every morning at seven, full of people who are half asleep.",
    "In winter the lake freezes and children walk across it to school.",
]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A workspace with a text dataset, a tokenizer, conversations, labelled texts and a base model."""
    folder = tmp_path_factory.mktemp("world")
    numbers = random.Random(0)
    texts = [" ".join(numbers.choices(EN, k=4)) for _ in range(60)] + [
        "".join(numbers.choices(ZH, k=4)) for _ in range(60)
    ]
    (folder / "text.jsonl").write_text(
        "\n".join(json.dumps({"text": f"{i}. {t}"}, ensure_ascii=False) for i, t in enumerate(texts))
    )
    talks = [
        {"messages": [{"role": "user", "content": f"{q} {i}"}, {"role": "assistant", "content": a}], "expect": a}
        for i, (q, a) in enumerate([("What is red?", "A rose."), ("天空是什么颜色？", "蓝色。")] * 12)
    ]
    (folder / "chat.jsonl").write_text("\n".join(json.dumps(t, ensure_ascii=False) for t in talks))
    labelled = [
        {"text": numbers.choice(EN) if i % 2 else numbers.choice(ZH), "label": "english" if i % 2 else "中文"}
        for i in range(80)
    ]
    (folder / "labels.jsonl").write_text(
        "\n".join(json.dumps({**t, "text": f"{t['text']} {i}"}, ensure_ascii=False) for i, t in enumerate(labelled))
    )
    workspace = Workspace(folder)
    make(workspace, "data-read", {"source": ["text.jsonl"]}, "text")
    make(workspace, "data-read", {"source": ["chat.jsonl"]}, "chat-data", schema_name="chat")
    make(workspace, "data-read", {"source": ["labels.jsonl"]}, "labels", schema_name="classification")
    make(workspace, "tokenizer-train", {"dataset": ["text"]}, "tok", vocab_size=400)
    make(
        workspace,
        "pretrain",
        {"dataset": ["text"], "tokenizer": ["tok"]},
        "base",
        preset="tiny",
        length=64,
        steps=12,
        batch_rows=8,
    )
    return workspace


def make(workspace, stage, inputs, out, *, restart=False, listeners=(), toml=(), **settings):
    sets = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in settings.items()]
    sets += toml
    if stage in ("pretrain", "finetune", "adapt", "transfer"):
        sets = ["device=cpu", "compile=off", *sets]
    given = {role: [workspace.folder / name for name in names] for role, names in inputs.items()}
    return execute(
        STAGES[stage], given, workspace.folder / out, read_settings(STAGES[stage].settings, sets=sets),
        restart=restart, workspace=workspace, listeners=listeners,
    )  # fmt: skip


def pretrain(world, out, **settings):
    options = {"preset": "tiny", "length": 32, "steps": 12, "batch_rows": 8, "dtype": "float32", **settings}
    return make(world, "pretrain", {"dataset": ["text"], "tokenizer": ["tok"]}, out, **options)


def weights(path):
    return load_file(path / "model.safetensors")


def assert_identical(a, b):
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


@pytest.mark.spec("P1", "a language model is pre-trained on Chinese and English text and its loss falls")
@pytest.mark.spec("P12", "the generic pre-training loop: data, model, loss, update, log, checkpoint, artifact")
def test_pretraining_learns_and_the_result_is_a_plain_hugging_face_folder(world):
    path = world.folder / "base"
    steps = [e for e in read_events(path / "run" / "events.jsonl") if isinstance(e, Stepped)]
    assert len(steps) == 12 and steps[-1].loss < steps[0].loss - 0.5
    events = read_events(path / "run" / "events.jsonl")
    foretold = next(i for i, e in enumerate(events) if isinstance(e, Chosen) and "memory" in e.values)
    assert foretold < events.index(steps[0]) and events[foretold].values["rows"] == 8
    model, tokenizer = AutoModelForCausalLM.from_pretrained(path), AutoTokenizer.from_pretrained(path)
    ids = tokenizer("The river", return_tensors="pt").input_ids
    said = model.generate(ids, max_new_tokens=8, do_sample=False)[0, ids.shape[1] :]
    from langwright.tasks.front.loading import load

    with load(path) as ours:
        assert ours.generate("The river", max_new_tokens=8) == tokenizer.decode(said, skip_special_tokens=True)
    card = open_artifact(path, "model").card
    assert card.model.parameters == sum(w.numel() for w in model.parameters())
    assert {origin.role: origin.inputs[0].role for origin in card.inputs} == {
        "dataset": "source",
        "tokenizer": "dataset",
    }
    assert "validation bits per byte" in {measure.name for measure in card.results}
    assert "langwright" in (path / "README.md").read_text().lower()


@pytest.mark.spec("TR17", "the same command gives the same weights, bit for bit")
def test_the_same_settings_give_the_same_weights(world):
    assert_identical(weights(pretrain(world, "again-1").path), weights(pretrain(world, "again-2").path))


def test_another_seed_gives_other_weights(world):
    one, two = weights(world.folder / "again-1"), weights(pretrain(world, "seeded", seed=5).path)
    assert not torch.equal(one["model.embed_tokens.weight"], two["model.embed_tokens.weight"])


@pytest.fixture(scope="module")
def three_steps(world):
    return weights(pretrain(world, "cut-none", steps=3, micro_rows=8, clip=0).path)


@pytest.mark.parametrize("changes", [{"micro_rows": 1}, {"micro_rows": 4}, {"gradient_checkpointing": True}])
def test_how_a_batch_is_computed_does_not_change_the_model(world, three_steps, changes):
    name = "-".join(map(str, *changes.items()))
    other = weights(pretrain(world, f"cut-{name}", steps=3, clip=0, **{"micro_rows": 8, **changes}).path)
    for name, weight in three_steps.items():
        # Adam divides by the gradient's own size, which magnifies rounding where a gradient is nearly zero.
        assert (weight - other[name]).abs().max() < 2e-4, name


OPTIONS = [
    "device=cpu",
    "compile=off",
    "preset=tiny",
    "length=32",
    "batch_rows=8",
    "dtype=float32",
    "steps=40",
    "evaluate_every_share=0.1",
]


def killable(world, options=OPTIONS):
    """Pre-training that may be killed."""
    return Killable(world, "pretrain", {"dataset": ["text"], "tokenizer": ["tok"]}, options)


@pytest.mark.spec("TR16", "kill -9 at random moments, checkpoint writes included, then resumed: bit-identical weights")
def test_killed_and_resumed_runs_end_with_identical_weights(world):
    run = killable(world)
    run.run("whole")
    assert run.kill_and_resume("killed", kills=3, seed=1) == 3
    assert_identical(weights(world.folder / "whole"), weights(world.folder / "killed"))
    events = read_events(world.folder / "killed" / "run" / "events.jsonl")
    assert [e.step for e in events if isinstance(e, Stepped)] == list(range(1, 41))
    assert any(isinstance(e, Resumed) for e in events)


@pytest.mark.heavy
@pytest.mark.spec("TR16", "twenty kills at random moments, resumed each time: bit-identical weights")
def test_twenty_kills(world):
    run = killable(world)
    run.run("whole-20")
    kills = round_ = 0
    while kills < 20:
        kills += run.kill_and_resume(f"killed-{round_}", kills=20 - kills, seed=round_)
        assert_identical(weights(world.folder / "whole-20"), weights(world.folder / f"killed-{round_}"))
        round_ += 1


def test_a_resume_with_other_settings_is_refused_with_the_difference(world):
    killable(world).run("changed", lambda events: events.count(b'"saved"') >= 1)
    with pytest.raises(UserError, match=r"clip: 1\.0 -> 0\.5") as refused:
        make(world, "pretrain", {"dataset": ["text"], "tokenizer": ["tok"]}, "changed", preset="tiny", length=32,
             batch_rows=8, dtype="float32", steps=40, evaluate_every_share=0.1, clip=0.5)  # fmt: skip
    assert "--restart" in refused.value.fix() and "重" in refused.value.fix("zh")
    assert list((partial_of(world.folder / "changed") / "checkpoints").iterdir())


def test_a_second_process_on_one_output_is_refused(world):
    run = killable(world, [option.replace("steps=40", "steps=4000") for option in OPTIONS])
    process = run.begin("held")
    try:
        while b'"stepped"' not in run.written("held"):
            assert process.poll() is None
            time.sleep(0.02)
        with pytest.raises(UserError, match=f"is being made by process {process.pid}"):
            pretrain(world, "held")
    finally:
        process.terminate()
        process.communicate(timeout=60)
        assert process.returncode != 0
    assert list((partial_of(world.folder / "held") / "checkpoints").glob("step-*"))  # SIGTERM saved first


def test_minutes_choose_size_and_steps_and_say_why(world):
    artifact = make(world, "pretrain", {"dataset": ["text"], "tokenizer": ["tok"]}, "dial", minutes=0.02, length=16)
    chosen = [e for e in read_events(artifact.path / "run" / "events.jsonl") if isinstance(e, Chosen)]
    assert any("at the measured" in e.message for e in chosen)
    assert json.loads((artifact.path / "run" / "plan.json").read_text())["preset"] in ("tiny", "mini", "small", "base")


def test_what_the_model_says_is_shown_as_it_learns(world):
    said = [e for e in read_events(world.folder / "base" / "run" / "events.jsonl") if isinstance(e, Sampled)]
    assert len(said) >= 4 and {e.prompt for e in said}


@pytest.mark.parametrize(
    "settings, words",
    [
        ({"steps": 3, "minutes": 1.0}, "steps, minutes"),
        ({"preset": "tinny"}, "tinny"),
        ({"learning_rat": 1.0}, "learning_rat"),
        ({"device": "cuda"}, "no GPU"),
    ],
)
def test_contradictions_and_unknown_names_are_refused_before_anything_is_written(world, settings, words):
    options = {"steps": 3, **settings}
    if "minutes" not in settings:
        options.setdefault("preset", "tiny")
    with pytest.raises(UserError, match=words) as refused:
        sets = [f"{key}={json.dumps(value)}" for key, value in options.items()]
        execute(STAGES["pretrain"], {"dataset": [world.folder / "text"], "tokenizer": [world.folder / "tok"]},
                world.folder / "refused", read_settings(STAGES["pretrain"].settings, sets=sets), workspace=world)  # fmt: skip
    assert refused.value.problem("zh") != refused.value.problem("en")
    assert not (world.folder / "refused").exists() and not partial_of(world.folder / "refused").exists()


# --- fine-tuning -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chat(world):
    return make(
        world,
        "finetune",
        {"model": ["base"], "dataset": ["chat-data"]},
        "chat",
        task="chat",
        steps=60,
        learning_rate=3e-3,
    )


@pytest.mark.spec("F5", "a causal model is fine-tuned on conversations, on the assistant's tokens only, and answers")
def test_a_chat_model_learns_its_answers(world, chat):
    from langwright.tasks.front.loading import load

    with load(chat.path) as model:
        answers = [model.chat([{"role": "user", "content": f"What is red? {i}"}]) for i in (0, 2, 4)]
    assert sum("A rose." in answer for answer in answers) >= 2, answers
    assert chat.card.model.template_sha256 and [a.task for a in chat.card.abilities] == ["chat"]
    report = json.loads((chat.path / "run" / "preflight.json").read_text())
    assert 0 < report["supervised"] < 0.6
    learned = "".join(piece["text"] for piece in report["sample"] if piece["supervised"])
    assert "A rose." in learned or "蓝色" in learned
    assert "What is red" not in learned and "天空" not in learned


@pytest.mark.spec(
    "F1", "full fine-tuning of a pre-trained model for classification, in Chinese and English, with validation"
)
def test_a_classifier_is_trained_saved_and_asked(world):
    from langwright.tasks.front.loading import load

    artifact = make(
        world,
        "finetune",
        {"model": ["base"], "dataset": ["labels"]},
        "labeller",
        task="classification",
        steps=30,
        learning_rate=2e-3,
    )
    values = {measure.name: measure.value for measure in artifact.card.results}
    assert values["validation accuracy"] > 0.8
    assert artifact.card.abilities[0].labels == ("english", "中文")
    with load(artifact.path) as model:
        assert model.predict(ZH[0]).label == "中文" and model.predict(EN[0]).label == "english"


@pytest.mark.parametrize("task, data", [("chat", "chat-data"), ("classification", "labels")])
def test_lora_trains_adapters_only_and_merges_through_the_gate(world, task, data):
    artifact = make(
        world, "finetune", {"model": ["base"], "dataset": [data]}, f"lora-{task}", task=task, method="lora", steps=8
    )
    names = {measure.name for measure in artifact.card.results}
    assert any("logit" in name for name in names), names
    assert not (artifact.path / "adapters").exists() and (artifact.path / "model.safetensors").exists()
    kept = make(
        world,
        "finetune",
        {"model": ["base"], "dataset": [data]},
        f"kept-{task}",
        task=task,
        method="lora",
        steps=2,
        merge=False,
    )
    assert list((kept.path / "adapters").rglob("*.safetensors"))


def test_data_of_another_kind_is_refused(world):
    with pytest.raises(UserError, match="schema text"):
        make(world, "finetune", {"model": ["base"], "dataset": ["text"]}, "wrong", task="chat", steps=2)
    with pytest.raises(UserError, match="is a dataset, and a model is needed here"):
        make(world, "finetune", {"model": ["text"], "dataset": ["chat-data"]}, "wrong", task="chat", steps=2)
    assert not (world.folder / "wrong").exists() and not partial_of(world.folder / "wrong").exists()


def test_nothing_supervised_is_refused(world):
    """Every conversation is cut before the assistant speaks."""
    talk = {"messages": [{"role": "user", "content": " ".join(EN * 2)}, {"role": "assistant", "content": "Yes."}]}
    (world.folder / "mute.jsonl").write_text("\n".join(json.dumps({**talk, "id": str(i)}) for i in range(8)))
    make(world, "data-read", {"source": ["mute.jsonl"]}, "mute", schema_name="chat")
    with pytest.raises(UserError, match=r"in none of .* is a token supervised"):
        make(world, "finetune", {"model": ["base"], "dataset": ["mute"]}, "silent", task="chat", steps=2)
    assert not partial_of(world.folder / "silent").exists()


def test_one_label_is_refused(world):
    (world.folder / "one.jsonl").write_text(
        "\n".join(json.dumps({"text": f"{t} {i}", "label": "same"}) for i, t in enumerate(EN * 5))
    )
    make(world, "data-read", {"source": ["one.jsonl"]}, "one", schema_name="classification")
    with pytest.raises(UserError, match="has 1 label: same"):
        make(world, "finetune", {"model": ["base"], "dataset": ["one"]}, "single", task="classification", steps=2)


def test_a_row_longer_than_the_models_context_is_refused(world):
    with pytest.raises(UserError, match="context of 64"):
        make(world, "finetune", {"model": ["base"], "dataset": ["chat-data"]}, "long", task="chat", steps=2, length=128)
