"""Heads of labels that are told of words: they learn, are saved, asked, resumed and refused as other heads are."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from tests.data.test_lexicon import runs_of
from tests.stages.test_heads import measured, put, teach, write_encoder
from transformers import AutoModelForSequenceClassification

from langwright.artifacts import partial_of
from langwright.data.dataset import open_dataset
from langwright.errors import UserError
from langwright.models.lexical import LexicalHead, lexical_of
from langwright.runlog import Chosen, Event, Stepped, read_events
from langwright.settings import read_settings
from langwright.stages import STAGES
from langwright.stages.execution import execute
from langwright.stages.finetune import FinetuneSettings
from langwright.tasks.front.headed import Headed, open_headed
from langwright.tasks.front.loading import load
from langwright.training import fit as fitting
from langwright.workspace import Workspace

GOOD, BAD, ODD = ("fgh", "好吃", "bab"), ("hgf", "难吃", "cac"), ("ede", "北京", "上海")
numbers = random.Random(5)


def text_of(*marks: str) -> str:
    """Marks among words that say nothing."""
    words = [*marks, *("".join(numbers.choices("abcdefgh", k=3)) for _ in range(4))]
    return " ".join(numbers.sample(words, len(words)))


def one_label() -> dict[str, Any]:
    kind = numbers.randrange(3)
    return {"text": text_of(numbers.choice((GOOD, BAD, ODD)[kind])), "label": ("good", "bad", "odd")[kind]}


def any_labels() -> dict[str, Any]:
    held = [(name, words) for name, words in (("good", GOOD), ("odd", ODD)) if numbers.random() < 0.5]
    return {"text": text_of(*(numbers.choice(words) for _, words in held)), "labels": [name for name, _ in held]}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("lexical")
    write_encoder(folder / "encoder", more="好吃难")
    workspace = Workspace(folder)
    numbers.seed(5)
    for name, make in (("one", one_label), ("any", any_labels)):
        put(workspace, name, "classification", [{**make(), "id": f"{name}{i}"} for i in range(200)])
    return workspace


TOLD = {"task": "classification", "steps": 3, "batch_rows": 16, "lexical.kind": "ngrams"}
STILL = {**TOLD, "steps": 1, "learning_rate": 1e-12}
TEXTS = ["abc fgh", "难吃 gg 难吃", "北京 好吃", "zzz", "a"]


def rows_of(world: Workspace, name: str, split: str) -> list[Any]:
    return list(open_dataset(world.folder / f"{name}-data").rows(split))


def plain_logits(path: Path, headed: Headed, text: str) -> np.ndarray:
    """What transformers' own class says of a text from the same folder."""
    model = AutoModelForSequenceClassification.from_pretrained(path).eval()
    with torch.no_grad():
        logits: np.ndarray = model(torch.from_numpy(headed.encoder.text(text).ids[None])).logits[0].numpy()
    return logits


@pytest.mark.spec("AP1", "a head that is told of words learns from few updates, and says the same after loading")
def test_words_are_learned_saved_and_asked(world: Workspace) -> None:
    made = teach(world, "one", "told", **TOLD)
    assert measured(made)["validation accuracy"] > 0.9  # three updates of a model that was never trained
    assert measured(teach(world, "one", "untold", **{**TOLD, "lexical.kind": "none"}))["validation accuracy"] < 0.7
    headed = open_headed(made.path)
    kept = load_file(made.path / "model.safetensors")
    for text in TEXTS:  # the file and transformers' own class say what comes out
        terms = headed.encoder.text(text).terms
        assert terms is not None
        words = terms.weights @ kept["lexical.weight"].numpy()[terms.places] + kept["lexical.bias"].numpy()
        shares = kept["lexical.shares"].numpy()
        expected = shares[0] * plain_logits(made.path, headed, text) + shares[1] * words
        np.testing.assert_allclose(headed.logits([text], 1)[0], expected, atol=1e-5)
    together = headed.probabilities(TEXTS)
    alone = np.concatenate([headed.probabilities([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    answer = load(made.path).predict(TEXTS[1])
    assert answer.labels == ("bad",)
    np.testing.assert_allclose([answer.probabilities[label] for label in headed.labels], together[1], atol=1e-6)
    assert answer.probabilities == load(made.path).predict(TEXTS[1]).probabilities


@pytest.mark.parametrize("several", [False, True])
def test_the_weights_begin_at_the_logistic_regression(world: Workspace, several: bool) -> None:
    name = "any" if several else "one"
    given = {**STILL, "lexical.words": 2, "lexical.letters": 0, "lexical.fewest": 1, "lexical.strength": 3.0}
    made = teach(world, name, f"begun-{name}", **given)
    train = rows_of(world, name, "train")
    counts = TfidfVectorizer(analyzer=runs_of, sublinear_tf=True)
    seen = counts.fit_transform([row.text for row in train])
    head, encoder = lexical_of(open_headed(made.path).model), open_headed(made.path).encoder
    for text in TEXTS:
        terms = encoder.text(text).terms
        assert terms is not None
        said = head.weight[terms.places].T @ torch.from_numpy(terms.weights) + head.bias
        asked = counts.transform([text])
        if several:
            fitted = [
                LogisticRegression(C=3.0).fit(seen, [label in row.labels for row in train]) for label in ("good", "odd")
            ]
            expected = [one.predict_proba(asked)[0, 1] for one in fitted]
            assert said.sigmoid().tolist() == pytest.approx(expected, abs=2e-3)
        else:
            regression = LogisticRegression(C=3.0, max_iter=1000).fit(seen, [row.label for row in train])
            assert said.softmax(0).tolist() == pytest.approx(regression.predict_proba(asked)[0], abs=2e-3)


def test_two_labels_begin_at_the_logistic_regression_too(world: Workspace) -> None:
    rows = [{"text": row.text, "label": "good" if row.label == "good" else "other"} for row in rows_of(world, "one", "train")]  # fmt: skip
    put(world, "two", "classification", rows)
    made = teach(world, "two", "begun-two", **STILL, **{"lexical.letters": 0, "lexical.words": 2, "lexical.fewest": 1})
    train = rows_of(world, "two", "train")
    counts = TfidfVectorizer(analyzer=runs_of, sublinear_tf=True)
    regression = LogisticRegression(C=10.0).fit(counts.fit_transform([row.text for row in train]), [row.label for row in train])  # fmt: skip
    headed = open_headed(made.path)
    terms = headed.encoder.text("abc fgh").terms
    assert terms is not None
    head = lexical_of(headed.model)
    said = head.weight[terms.places].T @ torch.from_numpy(terms.weights) + head.bias
    assert said.softmax(0).tolist() == pytest.approx(
        regression.predict_proba(counts.transform(["abc fgh"]))[0], abs=2e-3
    )


@pytest.mark.spec("AP1", "texts with several labels are told by words too, each label from a threshold of its own")
def test_several_labels(world: Workspace) -> None:
    made = teach(world, "any", "any-told", **TOLD)
    headed = open_headed(made.path)
    rows = rows_of(world, "any", "validation")
    given = headed.given([row.text for row in rows])
    assert np.mean([set(some) == set(row.labels) for some, row in zip(given, rows, strict=True)]) > 0.8
    assert headed.given(["abc fgh ede", "bcd fgh", "zzz"]) == [("good", "odd"), ("good",), ()]
    assert set(headed.model.config.thresholds) == {"good", "odd"}


def test_how_much_each_part_counts_is_found_on_held_out_rows(world: Workspace) -> None:
    made = teach(world, "one", "weighed", **STILL)
    told = [
        e for e in read_events(made.path / "run" / "events.jsonl") if isinstance(e, Chosen) and "count" in e.message
    ]
    assert any("runs of words are known" in event.message for event in told)
    (shares,) = [event.values for event in told if "held-out rows the model's own" in event.message]
    headed = open_headed(made.path)
    rows = rows_of(world, "one", "validation")
    assert shares["rows"] == len(rows)
    right = torch.tensor([headed.labels.index(row.label) for row in rows])

    def lost(deep: float, wide: float) -> float:
        head = lexical_of(headed.model)
        with torch.no_grad():
            head.shares.copy_(torch.tensor([deep, wide]))
        logits = torch.from_numpy(headed.logits([row.text for row in rows], 32))
        away = 0.5 * (np.log(deep) ** 2 + np.log(wide) ** 2) / len(rows)
        return float(torch.nn.functional.cross_entropy(logits, right)) + float(away)

    found = (float(shares["model"]), float(shares["words"]))
    assert all(lost(*found) <= lost(found[0] * a, found[1] * b) + 1e-5 for a in (0.8, 1, 1.25) for b in (0.8, 1, 1.25))
    assert lost(*found) < lost(1.0, 1.0)


def test_gradients_reach_the_words_of_a_text_and_no_others() -> None:
    head = LexicalHead(5, 2, words=1, letters=0, hidden=0.0)
    places, weights = torch.tensor([[1, 3, 0]]), torch.tensor([[2.0, 1.0, 0.0]])
    head(torch.zeros(1, 2), places, weights)[0, 0].backward()
    assert head.weight.grad is not None and head.bias.grad is not None
    assert head.weight.grad[:, 0].tolist() == [0, 2, 0, 1, 0] and head.weight.grad[:, 1].abs().sum() == 0
    assert head.bias.grad.tolist() == [1, 0]


def test_hidden_words_are_hidden_in_training_alone() -> None:
    head = LexicalHead(2, 2, words=1, letters=0, hidden=1.0)
    torch.nn.init.ones_(head.weight)
    given = (torch.zeros(3, 2), torch.zeros(3, 1, dtype=torch.int64), torch.ones(3, 1))
    assert head.train()(*given).abs().sum() == 0
    assert head.eval()(*given).tolist() == [[1, 1]] * 3
    half = LexicalHead(2, 2, words=1, letters=0, hidden=0.5).train()
    torch.nn.init.ones_(half.weight)
    torch.manual_seed(0)
    rows = half(torch.zeros(400, 2), torch.zeros(400, 1, dtype=torch.int64), torch.ones(400, 1))
    assert 150 < int(rows[:, 0].sum()) < 250 and torch.equal(rows[:, 0], rows[:, 1])


def test_training_changes_the_words_too(world: Workspace) -> None:
    still, moved = (teach(world, "one", name, **{**TOLD, **more}) for name, more in (
        ("still", {"learning_rate": 1e-12}), ("moved", {"learning_rate": 1e-2}),
    ))  # fmt: skip
    one, other = (load_file(made.path / "model.safetensors") for made in (still, moved))
    assert torch.equal(one["lexical.keys"], other["lexical.keys"])
    assert (one["lexical.weight"] - other["lexical.weight"]).abs().max() > 0.01


class Died(Exception):
    """Stands for whatever ends a process."""


@pytest.mark.spec("TR16", "a run whose head is told of words goes on bit for bit where it died")
def test_a_run_that_died_ends_with_the_same_numbers(world: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {**TOLD, "steps": 6, "learning_rate": 1e-3, "device": "cpu", "compile": "off", "dtype": "float32"}
    settings = read_settings(FinetuneSettings, sets=[f"{key}={json.dumps(value)}" for key, value in options.items()])
    given = {"model": [world.folder / "encoder"], "dataset": [world.folder / "one-data"]}

    def dying(event: Event) -> None:
        if isinstance(event, Stepped) and event.step == 4:
            raise Died

    whole = execute(STAGES["finetune"], given, world.folder / "whole", settings, workspace=world)
    with monkeypatch.context() as patch:
        patch.setattr(fitting.Session, "next_save", property(lambda _: 0.0, lambda *_: None), raising=False)
        with pytest.raises(Died):
            execute(STAGES["finetune"], given, world.folder / "cut", settings, workspace=world, listeners=[dying])
    again = execute(STAGES["finetune"], given, world.folder / "cut", settings, workspace=world)
    one, other = (load_file(path / "model.safetensors") for path in (whole.path, again.path))
    assert one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("merge", [True, False])
def test_words_beside_an_adapter(world: Workspace, merge: bool) -> None:
    made = teach(world, "one", f"adapted-{merge}", **{**TOLD, "method.kind": "lora", "merge": merge})
    assert (made.path / "adapters" / "classification").is_dir() is not merge
    headed = open_headed(made.path)
    assert headed.encoder.lexicon is not None
    rows = rows_of(world, "one", "validation")
    given = headed.given([row.text for row in rows])
    assert np.mean([label == row.label for (label,), row in zip(given, rows, strict=True)]) > 0.9
    (error,) = [m for m in made.card.results if m.name == "validation accuracy"] if made.card else []
    assert error.value > 0.9


def test_a_head_taught_anew_forgets_the_words_unless_it_is_told_again(world: Workspace) -> None:
    teach(world, "one", "first", **STILL)
    again = teach(world, "one", "second", model="first", **{**STILL, "lexical.kind": "none"})
    assert lexical_of(open_headed(again.path).model) is None
    assert "lexical.weight" not in load_file(again.path / "model.safetensors")
    more = teach(world, "one", "third", model="first", **STILL)
    assert lexical_of(open_headed(more.path).model) is not None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"task": "tagging", "lexical.kind": "ngrams"}, "task = tagging has no such head"),
        ({"task": "pair", "lexical.kind": "ngrams"}, "task = pair has no such head"),
        ({"task": "classification", "lexical.kind": "ngrams", "mixup": 0.2}, "lexical, mixup were given together"),
        ({"task": "classification", "lexical.kind": "ngrams", "beginnings": True}, "lexical, beginnings were given"),
        ({"task": "classification", "lexical.kind": "ngrams", "lexical.words": 0}, "lexical.words"),
        ({"task": "classification", "lexical.kind": "none", "lexical.words": 2}, "lexical.words"),
        ({"task": "classification", "lexical.kind": "words"}, "ngrams"),
    ],
)
def test_what_does_not_go_together_is_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words) as refused:
        read_settings(FinetuneSettings, sets=[f"{key}={json.dumps(value)}" for key, value in settings.items()])
    assert refused.value.problem("zh") != refused.value.problem("en")


def test_texts_without_a_run_in_common_are_refused_and_nothing_is_written(world: Workspace) -> None:
    with pytest.raises(UserError, match="no run of words stands in 1000 training texts"):
        teach(world, "one", "nothing", **TOLD, **{"lexical.fewest": 1000})
    assert not (world.folder / "nothing").exists()
    assert not list(partial_of(world.folder / "nothing").glob("*.safetensors"))


@pytest.mark.parametrize("damage", ["missing", "other size"])
def test_a_folder_whose_words_are_damaged_is_refused(world: Workspace, damage: str) -> None:
    made = teach(world, "one", f"damaged-{damage[:4]}", **STILL)
    file = made.path / "model.safetensors"
    kept = {name: tensor.clone() for name, tensor in load_file(file).items()}
    if damage == "missing":
        del kept["lexical.weight"]
    else:
        kept["lexical.idf"] = kept["lexical.idf"][:-1].clone()
    save_file(kept, file, metadata={"format": "pt"})
    with pytest.raises(UserError, match="what it knows of them cannot be read"):
        open_headed(made.path)
