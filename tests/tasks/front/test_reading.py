"""Heads, fillers and encoders as the front door opens them: the answers of models that compute as they came."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from tests.tasks.tiny import give_card

from langwright.artifacts import Ability
from langwright.inference.fake import letters
from langwright.inference.precision import Numbers
from langwright.models.adapter_settings import Lora
from langwright.models.adapters import add_adapter, save_adapter
from langwright.models.loading import load_model
from langwright.tasks.front.backbone import open_backbone
from langwright.tasks.front.filling import open_filler
from langwright.tasks.front.headed import Headed, open_headed
from langwright.tasks.front.loading import Model, load
from langwright.tokenizers.marks import add_marks

TEXTS = [
    "goal",
    "股市上涨，债市下跌。",
    "a much longer text about paintings and painters, and what they are sold for",
    "x",
    "y",
]
KINDS = {
    "classification": "ForSequenceClassification", "tagging": "ForTokenClassification", "qa": "ForQuestionAnswering",
    "choice": "ForMultipleChoice", "masked": "ForMaskedLM", "backbone": "Model",
}  # fmt: skip
ASKED: dict[str, Callable[[Headed], Any]] = {
    "classification": lambda headed: headed.probabilities(TEXTS),
    "tagging": lambda headed: headed.tag(TEXTS),
    "qa": lambda headed: [found.score for found in headed.answer([("who?", text) for text in TEXTS])],
    "choice": lambda headed: np.stack(headed.choice_probabilities([(text, ("yes", "no, never")) for text in TEXTS])),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small BERT with each head, weights large enough that a label depends on the whole text."""
    root, tokenizer = tmp_path_factory.mktemp("readers"), letters()
    add_marks(tokenizer)
    for name, kind in KINDS.items():
        torch.manual_seed(0)
        labels = {"tagging": ("O", "B-who", "I-who"), "classification": ("news", "sport", "art")}.get(name, ("a", "b"))
        config = transformers.BertConfig(
            vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
            max_position_embeddings=300, pad_token_id=tokenizer.pad_token_id, id2label=dict(enumerate(labels)),
            label2id={label: place for place, label in enumerate(labels)},
        )  # fmt: skip
        model = getattr(transformers, f"Bert{kind}")(config).eval()
        with torch.no_grad():
            for weight in model.parameters():
                if weight.dim() > 1:
                    weight.mul_(8)
        model.save_pretrained(root / name)
        tokenizer.save_pretrained(root / name)
    return root


def headed_of(model: Model) -> Headed:
    assert model.headed is not None and model.headed.ready is not None
    return model.headed


@pytest.mark.spec("T32", "a head that is opened by name answers as transformers' own model does, in any batch")
@pytest.mark.parametrize("task", ASKED)
def test_heads_answer_as_models_that_compute_as_they_came(folders: Path, task: str) -> None:
    with load(folders / task) as model:
        headed = headed_of(model)
        assert headed.ready is not None and headed.ready.beside
        found, expected = ASKED[task](headed), ASKED[task](open_headed(folders / task))
    if task == "tagging":
        assert found == expected and any(found)
    else:
        np.testing.assert_allclose(found, expected, atol=2e-5)
        assert np.std(np.asarray(expected), axis=0).max() > 1e-3  # the texts do differ


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_head_with_an_adapter(folders: Path, tmp_path: Path, precision: str) -> None:
    folder = Path(shutil.copytree(folders / "classification", tmp_path / "m"))
    adapted = add_adapter(load_model(folder, "classification"), Lora(rank=2), "classification")
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name or "classifier" in name:
                weight.add_(0.2 * torch.sin(torch.arange(weight.numel(), dtype=torch.float32)).view_as(weight))
    save_adapter(adapted, folder, "classification")
    give_card(folder, Ability(task="classification", solver="head", adapter="classification"), stage="finetune")
    expected = open_headed(folder).probabilities(TEXTS)
    assert not np.allclose(expected, open_headed(folders / "classification").probabilities(TEXTS), atol=1e-2)
    with load(folder, numbers=Numbers.model_validate({"precision": precision})) as model:
        found = headed_of(model).probabilities(TEXTS)
    np.testing.assert_allclose(found, expected, atol=2e-5 if precision == "float32" else 0.05)


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_heads_in_narrower_numbers(folders: Path, precision: str) -> None:
    with load(folders / "classification", numbers=Numbers.model_validate({"precision": precision})) as model:
        headed = headed_of(model)
        assert headed.ready is not None and headed.ready.report.precision == precision
        found = headed.probabilities(TEXTS)
    expected = open_headed(folders / "classification").probabilities(TEXTS)
    np.testing.assert_allclose(found, expected, atol=0.05)
    assert not np.array_equal(found, expected)


def test_strict_heads_give_the_same_bits_in_any_batch(folders: Path) -> None:
    with load(folders / "classification", numbers=Numbers(strict=True)) as model:
        headed = headed_of(model)
        together = headed.probabilities(TEXTS)
        for text, row in zip(TEXTS, together, strict=True):
            assert np.array_equal(headed.probabilities([text])[0], row)


def test_many_texts_are_read_in_one_pass(folders: Path) -> None:
    passes: list[int] = []
    with load(folders / "masked") as model:
        assert model.filler is not None
        model.filler.model.register_forward_pre_hook(lambda module, args, named: passes.append(len(named["input_ids"])), with_kwargs=True)  # fmt: skip
        model.filler.fill_all([f"{text}[MASK]" for text in TEXTS])
        assert passes == [len(TEXTS)]
    with load(folders / "classification") as model:
        headed = headed_of(model)
        headed.model.register_forward_pre_hook(lambda module, args, named: passes.append(len(named["input_ids"])), with_kwargs=True)  # fmt: skip
        headed.probabilities(TEXTS)
    assert passes == [len(TEXTS)] * 2


@pytest.mark.spec("T31", "vectors of texts read beside each other are those of each text read by transformers alone")
@pytest.mark.parametrize("name", ["backbone", "masked", "classification"])
def test_vectors_are_those_of_each_text_alone(folders: Path, name: str) -> None:
    with load(folders / name) as model:
        found = model.embed(TEXTS)
    plain = open_headed(folders / name) if name == "classification" else open_backbone(folders / name)
    for text, vector in zip(TEXTS, found, strict=True):
        with torch.inference_mode():
            states_TD = plain.model.base_model(**plain.tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        np.testing.assert_allclose(vector, states_TD.mean(0).numpy(), atol=2e-5)


@pytest.mark.spec("P3", "blanks of many texts are filled as each alone by a model that computes as it came")
def test_blanks_are_filled_as_ever(folders: Path) -> None:
    texts = [f"{text}[MASK]{text}" for text in TEXTS]
    with load(folders / "masked") as model:
        assert model.filler is not None and model.filler.ready is not None and model.filler.ready.beside
        found = model.filler.fill_all(texts, top=3)
    plain = open_filler(folders / "masked")
    for text, one in zip(texts, found, strict=True):
        expected = plain.fill(text, top=3)
        assert [filling.text for filling in one.fillings] == [filling.text for filling in expected.fillings]
        np.testing.assert_allclose(
            [filling.probability for filling in one.fillings],
            [filling.probability for filling in expected.fillings],
            rtol=1e-3,
        )
