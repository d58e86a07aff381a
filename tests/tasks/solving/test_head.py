"""A trained head: the same probabilities as transformers gives, whatever the batch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests.tasks.tiny import CONTEXT, give_card, write_labeller

from langwright.artifacts import Ability
from langwright.errors import UserError
from langwright.tasks.classification import ClassificationInput
from langwright.tasks.front.headed import Headed, open_headed
from langwright.tasks.solving.head import classify

TEXTS = ["goal", "股市上涨", "a much longer text about paintings and painters", "x"]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Headed:
    return open_headed(write_labeller(tmp_path_factory.mktemp("labeller")), name="labeller")


@pytest.mark.spec("F1", "a fine-tuned classification head predicts as transformers does, padded or not")
def test_probabilities_are_transformers_own(classifier: Headed) -> None:
    found = classifier.probabilities(TEXTS, max_batch=3)
    for row, text in zip(found, TEXTS, strict=True):
        ids = classifier.tokenizer(text, return_tensors="pt")
        with torch.inference_mode():
            logits = classifier.model(input_ids=ids["input_ids"], attention_mask=ids["attention_mask"]).logits[0]
        np.testing.assert_allclose(row, logits.softmax(-1).numpy(), atol=1e-6)
    assert not np.allclose(found[0], found[1], atol=1e-3)  # the texts do differ


def test_batches_do_not_matter(classifier: Headed) -> None:
    np.testing.assert_allclose(
        classifier.probabilities(TEXTS, max_batch=1),
        classifier.probabilities(TEXTS[::-1], max_batch=4)[::-1],
        atol=1e-6,
    )


def test_embeddings_are_means_over_tokens_alone(classifier: Headed) -> None:
    found = classifier.embed(TEXTS).vectors
    assert found.shape == (4, 16)
    for row, text in zip(found, TEXTS, strict=True):
        ids = classifier.tokenizer(text, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            mean = classifier.model.base_model(input_ids=ids).last_hidden_state[0].mean(0)
        np.testing.assert_allclose(row, mean.numpy(), atol=1e-5)
    assert classifier.embed([]).vectors.shape == (0, 0)


def test_the_answer_and_a_choice_among_labels(classifier: Headed) -> None:
    whole = classify(classifier, ClassificationInput(text="goal"))
    assert set(whole.probabilities) == {"sport", "news", "art"} and whole.solver == "head"
    assert sum(whole.probabilities.values()) == pytest.approx(1)
    assert whole.label == max(whole.probabilities, key=lambda label: whole.probabilities[label])
    two = classify(classifier, ClassificationInput(text="goal", labels=("news", "art")))
    ratio = whole.probabilities["news"] / (whole.probabilities["news"] + whole.probabilities["art"])
    assert two.probabilities["news"] == pytest.approx(ratio)


def test_long_texts_are_cut_and_said_to_be(classifier: Headed) -> None:
    long, start = "ab" * CONTEXT, ("ab" * CONTEXT)[:CONTEXT]
    np.testing.assert_allclose(classifier.probabilities([long]), classifier.probabilities([start]), atol=1e-6)
    assert classify(classifier, ClassificationInput(text=long)).truncated
    assert not classify(classifier, ClassificationInput(text=start)).truncated


def test_texts_are_cut_where_training_cut_them(tmp_path: Path) -> None:
    folder = give_card(write_labeller(tmp_path / "m"), Ability(task="classification", solver="head"), stage="finetune")
    assert open_headed(folder).encoder.length == CONTEXT
    card = (folder / "card.json").read_text().replace('"settings":{}', '"settings":{"length":20}')
    (folder / "card.json").write_text(card)
    assert open_headed(folder).encoder.length == 20


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        (ClassificationInput(text="x", labels=("spott",)), "no-called"),
        (ClassificationInput(text="x", multi_label=True), "was-trained-to-give-one-label-a-text"),
        (ClassificationInput(text=""), "there-is-nothing-to-label-the-text-has"),
    ],
)
def test_what_it_cannot_do_is_refused(classifier: Headed, asked: ClassificationInput, code: str) -> None:
    with pytest.raises(UserError) as caught:
        classify(classifier, asked)
    assert caught.value.code == code


def test_a_head_that_lies_in_an_adapter(tmp_path: Path) -> None:
    from langwright.models.adapter_settings import Lora
    from langwright.models.adapters import add_adapter, save_adapter
    from langwright.models.loading import load_model

    folder = write_labeller(tmp_path / "m")
    before = open_headed(folder).probabilities(TEXTS)
    adapted = add_adapter(load_model(folder, "classification"), Lora(rank=2), "classification")
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name or "score" in name:
                weight.add_(0.5 * torch.sin(torch.arange(weight.numel(), dtype=torch.float32)).view_as(weight))
    save_adapter(adapted, folder, "classification")
    give_card(folder, Ability(task="classification", solver="head", adapter="classification"), stage="finetune")
    opened = open_headed(folder)
    adapted.eval()
    for row, text in zip(opened.probabilities(TEXTS), TEXTS, strict=True):
        with torch.inference_mode():
            logits = adapted(**opened.tokenizer(text, return_tensors="pt")).logits[0]
        np.testing.assert_allclose(row, logits.softmax(-1).numpy(), atol=1e-5)
    assert not np.allclose(opened.probabilities(TEXTS), before, atol=1e-2)
    assert opened.embed(["x"]).vectors.shape == (1, 16)
