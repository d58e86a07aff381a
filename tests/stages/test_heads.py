"""Fine-tuning for every task with a head: a decoder and an encoder learn it, are asked, and refuse what cannot be."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tests.tasks.tiny import write_writer
from transformers import BertConfig, BertForMaskedLM, BertTokenizer

from langwright.artifacts import Artifact, open_artifact, partial_of
from langwright.data.schemas import Span
from langwright.errors import UserError
from langwright.runlog import Chosen, Evaluated, Warned, read_events
from langwright.settings import read_settings
from langwright.stages import STAGES
from langwright.stages.execution import execute
from langwright.stages.finetune import FinetuneSettings
from langwright.tasks.front.headed import open_headed
from langwright.workspace import Workspace

LETTERS = "abcdefgh中国北京上海人山"
numbers = random.Random(0)


def word(length: int = 3) -> str:
    return "".join(numbers.choices(LETTERS[:8], k=length))


def tagged() -> dict[str, Any]:
    """A text with a place, a number, or neither: Chinese characters of a place, a run of digits."""
    place, number = numbers.choice(["北京", "上海"]), numbers.choice(["12", "7"])
    text = f"{word()} {place}人 {word()} {number} {word(2)}"
    return {"text": text, "spans": [
        [text.index(place), text.index(place) + 2, "place"], [text.index(number), text.index(number) + len(number), "number"],
    ]}  # fmt: skip


def asked() -> dict[str, Any]:
    """A passage with one place in it, or none."""
    place = numbers.choice(["北京", "上海", ""])
    words = [word() for _ in range(numbers.randint(2, 12))]
    words.insert(numbers.randint(0, len(words)), place)
    context = " ".join(filter(None, words))
    return {"question": "京海?", "context": context, "answers": [{"text": place}] if place else []}


def chosen() -> dict[str, Any]:
    choices = [word() for _ in range(numbers.choice([2, 3]))]
    answer = numbers.randrange(len(choices))
    choices[answer] = "国" + choices[answer]
    return {"question": "国?", "choices": choices, "answer": answer}


def paired(field: str) -> dict[str, Any]:
    same = numbers.random() < 0.5
    return {"text_a": word(), "text_b": ("山" if same else "人") + word(), field: (2.0 if same else -1.0) if field == "score" else ("same" if same else "other")}  # fmt: skip


def several() -> dict[str, Any]:
    labels = [mark for mark in ("山", "人") if numbers.random() < 0.5]
    return {"text": word() + "".join(labels) + word(), "labels": labels}


MAKERS = {
    "tagging": ("tagging", tagged), "qa": ("qa", asked), "choice": ("choice", chosen),
    "pair": ("pair", lambda: paired("label")), "score": ("pair", lambda: paired("score")),
    "regression": ("regression", lambda: {"text": (t := numbers.choice(["山", "人"])) + word(), "score": 1.0 if t == "山" else -1.0}),
    "several": ("classification", several),
    "single": ("classification", lambda: {"text": (t := numbers.choice("山人")) + word(), "label": t}),
}  # fmt: skip


def write_encoder(folder: Path, more: str = "") -> Path:
    """A BERT-style model over characters and word pieces.

    more  further characters that its vocabulary has
    """
    folder.mkdir(parents=True)
    pieces = [
        *["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"],
        *LETTERS,
        *"0123456789?",
        *more,
        *(f"##{c}" for c in "abcdefgh0123456789"),
    ]
    (folder / "vocab.txt").write_text("\n".join(pieces), encoding="utf-8")
    BertTokenizer(str(folder / "vocab.txt")).save_pretrained(folder)
    torch.manual_seed(0)
    BertForMaskedLM(
        BertConfig(
            vocab_size=len(pieces), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
            max_position_embeddings=96,
        )
    ).save_pretrained(folder)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("heads")
    write_writer(folder / "decoder")
    write_encoder(folder / "encoder")
    workspace = Workspace(folder)
    numbers.seed(0)
    for name, (schema, make) in MAKERS.items():
        rows = [{**make(), "id": f"{name}{i}"} for i in range(150)]
        (folder / f"{name}.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
        read(workspace, name, schema)
    return workspace


def read(workspace: Workspace, name: str, schema: str) -> None:
    settings = read_settings(STAGES["data-read"].settings, sets=[f"schema_name={schema}"])
    execute(STAGES["data-read"], {"source": [workspace.folder / f"{name}.jsonl"]}, workspace.folder / f"{name}-data", settings, workspace=workspace)  # fmt: skip


def teach(world: Workspace, data: str, out: str, *, model: str = "encoder", **given: Any) -> Artifact:
    options = {"device": "cpu", "compile": "off", "dtype": "float32", "evaluate_every_share": 1.0, **given}
    sets = [f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in options.items()]
    return execute(
        STAGES["finetune"],
        {"model": [world.folder / model], "dataset": [world.folder / f"{data}-data"]},
        world.folder / out,
        read_settings(FinetuneSettings, sets=sets),
        workspace=world,
    )


def measured(artifact: Artifact) -> dict[str, float]:
    assert artifact.card is not None
    return {measure.name: measure.value for measure in artifact.card.results}


LEARNED = {
    "tagging": ("tagging", "validation entity F1"), "qa": ("qa", "validation exact match"),
    "choice": ("choice", "validation accuracy"), "pair": ("pair", "validation accuracy"),
    "score": ("pair", "validation Spearman correlation"), "regression": ("regression", "validation Spearman correlation"),
    "several": ("classification", "validation micro F1 of labels"), "single": ("classification", "validation accuracy"),
}  # fmt: skip


@pytest.mark.spec("F1", "every kind of head is trained on a decoder and on an encoder, whole, and learns its task")
@pytest.mark.parametrize("model", ["encoder", "decoder"])
@pytest.mark.parametrize("data", LEARNED)
def test_every_task_is_learned(world: Workspace, data: str, model: str) -> None:
    task, name = LEARNED[data]
    made = taught(world, data, model)
    found = measured(made)
    assert found[name] > 0.75, found
    assert made.card is not None and made.card.abilities[0].task == task
    seen = [event for event in read_events(made.path / "run" / "events.jsonl") if isinstance(event, Evaluated)]
    assert name.removeprefix("validation ") in seen[-1].values


@pytest.mark.spec(
    "F4", "a model taught to extract answers finds them in passages longer than a row, and says where there is none"
)
def test_answers_from_long_passages(world: Workspace) -> None:
    made = teach(world, "qa", "reader", task="qa", steps=80, learning_rate=3e-3, batch_rows=16, length=24)
    model = open_headed(made.path)
    long = " ".join(word() for _ in range(40)) + " 北京 " + " ".join(word() for _ in range(40))
    found, none = model.answer([("京海?", long), ("京海?", " ".join(word() for _ in range(30)))])
    assert found.text == "北京" and found.start == long.index("北京")
    assert none.text == "" and none.start == -1 and none.score < 0


def taught(world: Workspace, data: str, model: str = "encoder") -> Artifact:
    """A model that was taught a task, once for all tests."""
    out = world.folder / f"{model}-{data}"
    if out.exists():
        return open_artifact(out, "model")
    steps = 200 if data == "several" else 80  # two labels at once take longer
    return teach(
        world, data, out.name, model=model, task=LEARNED[data][0], steps=steps, learning_rate=3e-3, batch_rows=16, dropout=0.0, seed=1,
    )  # fmt: skip


def test_what_a_head_says(world: Workspace) -> None:
    assert open_headed(taught(world, "tagging").path).tag(["abc 北京人 def 7 gh"]) == [
        [Span(start=4, end=6, label="place"), Span(start=12, end=13, label="number")]
    ]
    assert open_headed(taught(world, "choice").path).choose(
        [("国?", ["abc", "国ab", "ccc"]), ("国?", ["国b", "a"])]
    ) == [1, 0]
    assert open_headed(taught(world, "pair").path).given([("abc", "山ab"), ("abc", "人ab")]) == [("same",), ("other",)]
    assert set(open_headed(taught(world, "several").path).given(["abc山人def"])[0]) == {"山", "人"}
    high, low = open_headed(taught(world, "score").path).values([("abc", "山ab"), ("abc", "人ab")])
    assert high > low + 1


def test_several_labels_through_the_front_door(world: Workspace) -> None:
    from langwright.tasks.front.loading import load

    with load(taught(world, "several").path) as model:
        both, one = model.predict("abc山人def"), model.predict("abc山def", multi_label=True)
        assert set(both.labels) == {"山", "人"} and both.label is None and one.labels == ("山",)
        assert model.predict("abc山人def", labels=["山"]).labels == ("山",)


@pytest.mark.spec(
    "AP3", "a text gets every label whose own probability reaches the threshold chosen for it on held-out rows"
)
@pytest.mark.spec("T33", "from which probability a label is given is chosen on held-out rows and kept with the head")
def test_thresholds_are_chosen_on_held_out_rows_and_kept_with_the_head(world: Workspace) -> None:
    from langwright.data.dataset import open_dataset
    from langwright.metrics.several_labels import choose_thresholds
    from langwright.tasks.front.loading import load

    made = taught(world, "several")
    held: list[Any] = list(open_dataset(world.folder / "several-data").rows("validation"))
    kept = json.loads((made.path / "config.json").read_text())["thresholds"]
    headed = open_headed(made.path)
    told = [label for label in headed.labels if sum(label in row.labels for row in held) >= 5]
    assert told and set(kept) == set(told)
    scores = headed.probabilities([row.text for row in held])[:, [headed.labels.index(label) for label in told]]
    chosen = choose_thresholds(scores.tolist(), [[label in row.labels for label in told] for row in held])
    assert [kept[label] for label in told] == pytest.approx(chosen, abs=1e-4)
    with load(made.path) as model:
        said = model.predict("abc山def")
        assert set(said.labels) == {one for one, p in said.probabilities.items() if p >= kept.get(one, 0.5)}
        assert model.predict("abc山def", threshold=0.999999).labels == ()


@pytest.mark.spec("T33", "one call opens a model with any head, and each verb takes and gives plain values")
@pytest.mark.spec("AP7", "whole names come out with their places in characters, never pieces of words")
@pytest.mark.spec("AP11", "the answer comes out with its place in the passage, and none where the passage does not say")
@pytest.mark.spec("AP14", "a head for pairs says what holds between two texts, and serves as one for entailment")
def test_every_head_through_the_front_door(world: Workspace) -> None:
    from langwright.tasks.front.loading import load

    with load(taught(world, "tagging").path) as model:
        (place, number) = model.tag("abc 北京人 def 7 gh").entities
        assert (place.text, place.label, place.start, place.end) == ("北京", "place", 4, 6) and number.text == "7"
        assert [one.text for one in model.tag("abc 北京人 def 7 gh", ["number"]).entities] == ["7"]
        assert model.abilities.items() >= {"tagging": "head", "similarity": "cosine", "embedding": "vectors"}.items()
        assert not {"qa", "pair", "translation"} & set(model.abilities)
        with pytest.raises(UserError, match="a model with a head for tagging, and that needs a trained head"):
            model.answer("京海?", "abc 北京")
        with pytest.raises(UserError, match="no label called 'plase'"):
            model.tag("abc", ["plase"])
    with load(taught(world, "qa").path) as model:
        found = model.answer("京海?", "abc 北京 def")
        assert (found.text, found.start, found.end, found.solver) == ("北京", 4, 6, "head")
        assert model.answer("京海?", "abc def").start is None
    with load(taught(world, "score").path) as model:
        assert model.similarity("abc", "山ab") > model.similarity("abc", "人ab") + 1
        assert model.abilities["similarity"] == "head" and "pair" not in model.abilities
    with load(taught(world, "choice").path) as model:
        chosen = model.do("choice", "国?", choices=["abc", "国ab", "ccc"])
        assert chosen.text == "国ab" and sum(chosen.probabilities) == pytest.approx(1)  # type: ignore[attr-defined]
    with load(taught(world, "pair").path) as model:
        assert model.do("pair", "abc", text_b="山ab").label == "same"  # type: ignore[attr-defined]
        assert model.abilities["entailment"] == "head"


@pytest.mark.parametrize(
    ("data", "task", "loss"),
    [
        ("single", "classification", {"kind": "cross-entropy", "smoothing": 0.1, "weights": "balanced"}),
        ("single", "classification", {"kind": "focal", "weights": "effective"}),
        ("single", "classification", {"kind": "hinge"}),
        ("several", "classification", {"kind": "binary-cross-entropy", "focus": 1.0}),
        ("regression", "regression", {"kind": "ranking", "form": "hinge"}),
        ("score", "pair", {"kind": "squared-error"}),
        ("tagging", "tagging", {"kind": "focal"}),
        ("choice", "choice", {"kind": "ranking"}),
        ("qa", "qa", {"kind": "cross-entropy", "smoothing": 0.1}),
    ],
)
def test_a_loss_can_be_chosen(world: Workspace, data: str, task: str, loss: dict[str, Any]) -> None:
    name = f"loss-{data}-{loss['kind']}"
    given = {f"loss.{key}": value for key, value in loss.items()}
    made = teach(world, data, name, task=task, steps=3, batch_rows=8, seed=1, **given)
    plain = teach(world, data, f"{name}-plain", task=task, steps=3, batch_rows=8, seed=1)
    one, other = (load_file(path.path / "model.safetensors") for path in (made, plain))
    same = all(torch.equal(one[key], other[key]) for key in one)
    assert same == (loss == {"kind": "squared-error"}), "another loss gives another model"


@pytest.mark.parametrize("data", ["single", "several"])
def test_mixup_learns_and_may_be_cut(world: Workspace, data: str) -> None:
    options: dict[str, Any] = {
        "task": "classification",
        "mixup": 0.3,
        "steps": 60,
        "learning_rate": 3e-3,
        "dropout": 0.0,
        "batch_rows": 16,
    }
    made = teach(world, data, f"mixed-{data}", **options)
    name = "validation accuracy" if data == "single" else "validation micro F1 of labels"
    assert measured(made)[name] > 0.7
    few = {**options, "steps": 2}
    whole, cut, plain = (
        load_file(teach(world, data, f"mixed-{data}-{name}", **{**few, **more}).path / "model.safetensors")
        for name, more in (("whole", {}), ("cut", {"micro_rows": 4}), ("plain", {"mixup": 0}))
    )
    assert max((whole[key] - cut[key]).abs().max().item() for key in whole) < 1e-4, "cut otherwise, drawn alike"
    assert max((whole[key] - plain[key]).abs().max().item() for key in whole) > 1e-3


@pytest.mark.parametrize("model", ["encoder", "decoder"])
@pytest.mark.parametrize(
    ("data", "task"), [("tagging", "tagging"), ("qa", "qa"), ("choice", "choice"), ("pair", "pair")]
)
def test_adapters_beside_a_head(world: Workspace, data: str, task: str, model: str) -> None:
    options: dict[str, Any] = {"model": model, "task": task, "steps": 4, "batch_rows": 8, "learning_rate": 1e-2}
    merged = teach(world, data, f"lora-{model}-{data}", **options, **{"method.kind": "lora"})
    kept = teach(world, data, f"kept-{model}-{data}", **options, **{"method.kind": "lora", "merge": False})
    assert any("logit" in name for name in measured(merged))
    base, mine = (
        {key.partition(".")[2]: weight for key, weight in load_file(path / "model.safetensors").items()}
        for path in (world.folder / model, kept.path)
    )
    body = [key for key in base.keys() & mine.keys() if "." in key]
    assert body and all(torch.equal(base[key], mine[key]) for key in body)
    rows = {
        "tagging": ["abc 北京人 def 7 gh"],
        "qa": [("京海?", "abc 北京 de")],
        "choice": [("国?", ["a", "国"])],
        "pair": [("a", "山")],
    }[data]
    say = {"tagging": "tag", "qa": "answer", "choice": "choose", "pair": "given"}[data]
    assert getattr(open_headed(merged.path), say)(rows) == getattr(open_headed(kept.path), say)(rows) or data == "qa"


# --- refused or said -----------------------------------------------------------------------------


def warned(artifact: Artifact) -> list[str]:
    events = read_events(artifact.path / "run" / "events.jsonl")
    return [event.message.format(**event.values) for event in events if isinstance(event, (Warned, Chosen))]


def put(world: Workspace, name: str, schema: str, rows: list[dict[str, Any]]) -> None:
    (world.folder / f"{name}.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    read(world, name, schema)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"task": "tagging", "loss.kind": "ranking"}, "loss.kind = ranking does not go with tagging"),
        ({"task": "chat", "loss.kind": "focal"}, "does not go with chat"),
        ({"task": "qa", "loss.kind": "cross-entropy", "loss.weights": "balanced"}, "loss.weights = balanced"),
        ({"task": "tagging", "mixup": 0.2}, "mixup = 0.2 and task = tagging"),
        ({"task": "tagging", "loss.margin": 2}, "loss.margin"),
    ],
)
def test_settings_that_contradict_each_other(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words) as refused:
        read_settings(FinetuneSettings, sets=[f"{key}={json.dumps(value)}" for key, value in settings.items()])
    assert refused.value.problem("zh") != refused.value.problem("en")


def test_losses_that_do_not_go_with_the_rows(world: Workspace) -> None:
    for data, kind, words in (("several", "hinge", "several labels"), ("single", "binary-cross-entropy", "one label")):
        with pytest.raises(UserError, match=f"does not go with rows with {words}"):
            teach(world, data, "never", task="classification", steps=1, **{"loss.kind": kind})
    assert not partial_of(world.folder / "never").exists()


def test_rows_of_another_schema(world: Workspace) -> None:
    with pytest.raises(UserError, match="this task learns from tagging"):
        teach(world, "qa", "never", task="tagging", steps=1)


def test_labels_that_training_lacks_and_labels_it_has_once(world: Workspace) -> None:
    rows = [{"text": f"a{c}", "label": "x" if i % 2 else "y", "split": "train"} for i, c in enumerate(LETTERS)]
    rows.append({"text": "ab", "label": "once", "split": "train"})
    (world.folder / "rare.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    read(world, "rare", "classification")
    made = teach(world, "rare", "rare", task="classification", steps=1)
    assert any("1 labels have one training example each, such as once" in said for said in warned(made))
    rows.append({"text": "ba", "label": "new", "split": "dev"})
    (world.folder / "new.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    settings = read_settings(STAGES["data-read"].settings, sets=["schema_name=classification", "split.column=split"])
    execute(STAGES["data-read"], {"source": [world.folder / "new.jsonl"]}, world.folder / "new-data", settings, workspace=world)  # fmt: skip
    with pytest.raises(UserError, match=r"label 'new', which no training row has"):
        teach(world, "new", "never", task="classification", steps=1)


def test_rows_that_are_all_too_long(world: Workspace) -> None:
    put(world, "long", "classification", [{"text": word(60) + str(i), "label": "xy"[i % 2]} for i in range(12)])
    with pytest.raises(UserError, match="every example is longer than a row of 16 tokens, and the model can read 96"):
        teach(world, "long", "never", model="decoder", task="classification", steps=1, length=16)
    texts = [word(60) for _ in range(12)]
    put(
        world,
        "wide",
        "qa",
        [{"question": "人 国 山 ?", "context": t + "7", "answers": [{"text": t, "start": 0}]} for t in texts],
    )
    with pytest.raises(UserError, match=r"in none of .* windows of passages does an answer stand whole"):
        teach(world, "wide", "never", model="decoder", task="qa", steps=1, length=16)
    with pytest.raises(UserError, match="leave no room for a passage"):
        teach(world, "wide", "never", task="qa", steps=1, length=8)


def test_spans_inside_tokens_are_counted(world: Workspace) -> None:
    put(world, "inside", "tagging", [{"text": f"abcde {word()} {i}", "spans": [[0, 3, "part"]]} for i in range(12)])
    made = teach(world, "inside", "inside", task="tagging", steps=1)
    assert any("begin or end inside a token" in said for said in warned(made))
    put(world, "bare", "tagging", [{"text": f"{word()} {i}", "spans": []} for i in range(12)])
    with pytest.raises(UserError, match="no training row has a span"):
        teach(world, "bare", "never", task="tagging", steps=1)


def test_rows_of_two_kinds(world: Workspace) -> None:
    put(world, "mixed-rows", "pair", [paired("label") if i % 2 else paired("score") for i in range(12)])
    with pytest.raises(UserError, match="some rows have label and others score"):
        teach(world, "mixed-rows", "never", task="pair", steps=1)


def test_a_ranking_is_never_cut(world: Workspace) -> None:
    made = teach(
        world, "regression", "whole", task="regression", steps=1, batch_rows=8, micro_rows=4, **{"loss.kind": "ranking"}
    )
    assert json.loads((made.path / "run" / "plan.json").read_text())["micro_rows"] == 8


@pytest.mark.parametrize(
    ("data", "words", "expected"),
    [
        ("tagging", ["tagging", "abc 北京人 def 7 gh"], {"entities": [{"text": "北京", "label": "place", "start": 4, "end": 6}, {"text": "7", "label": "number", "start": 12, "end": 13}]}),
        ("choice", ["choice", "国?", "--labels", "abc，国ab"], {"answer": 1, "text": "国ab"}),
        ("pair", ["pair", "abc", "--with", "山ab"], {"labels": ["same"]}),
        ("regression", ["regression", "山abc"], {"score": 1.0}),
        ("qa", ["qa", "京海?", "--with", "abc def 北京 fgh"], {"text": "北京", "start": 8}),
    ],
)  # fmt: skip
def test_heads_are_asked_from_the_command_line(world: Workspace, capsys: pytest.CaptureFixture[str], data: str, words: list[str], expected: dict[str, Any]) -> None:  # fmt: skip
    from langwright.cli.main import main

    path = str(taught(world, data).path)
    capsys.readouterr()
    assert main(["predict", path, *words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    for key, value in expected.items():
        assert found[key] == (pytest.approx(value, abs=0.5) if isinstance(value, float) else value)
    assert main(["predict", path, *words]) == 0
    assert capsys.readouterr().out.strip()
    if "--with" in words:
        assert main(["predict", path, *words[:2], "--json"]) == 2
        assert json.loads(capsys.readouterr().out)["error"]["code"].startswith("lacks-its-field")
