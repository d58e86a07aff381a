"""Guides towards an attribute: a classifier by Bayes' rule, a topic model by hand."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from tests.inference.control.writers import writer
from tests.inference.tiny import LLAMA, VOCAB, random_model
from transformers import LlamaForSequenceClassification

from langwright.errors import UserError
from langwright.inference.control.future import Labelled, Towards
from langwright.inference.control.settings import Control
from langwright.inference.control.topics import SHARE, About, TopicModel, fit_topics, load_topics, log_odds, words_of
from langwright.inference.engine import TorchEngine
from langwright.inference.protocol import Request, Sampling

PROMPT = [5, 17, 3, 60]


def classifier(vocabulary: int = VOCAB) -> LlamaForSequenceClassification:
    torch.manual_seed(3)
    config = LLAMA.__class__(**{**LLAMA.to_dict(), "vocab_size": vocabulary, "num_labels": 3, "id2label": {0: "a", 1: "b", 2: "c"}})  # fmt: skip
    model = LlamaForSequenceClassification(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.mul_(8.0)
    return model


@pytest.mark.parametrize("strength", [1.0, 2.5])
def test_a_classifier_guides_by_bayes_rule(strength: float) -> None:
    model, head = random_model(LLAMA, seed=4, scale=6.0), classifier()
    text, made = list(PROMPT), []
    with torch.no_grad():
        for _ in range(10):  # every candidate read anew, nothing remembered
            top = model(torch.tensor([text])).logits[0, -1].topk(12)
            rows = torch.tensor([[*text, id] for id in top.indices.tolist()])
            hidden = head.model(input_ids=rows).last_hidden_state[:, -1]
            told = head.score(hidden).log_softmax(-1)[:, 1]
            made.append(int(top.indices[(top.values + strength * told).argmax()]))
            text.append(made[-1])
    engine = TorchEngine(model)
    try:
        guide = Towards(Labelled(head, "b"), strength, candidates=12)
        guided, plain = engine.generate([Request(PROMPT, Sampling(max_new_tokens=10), guide=g) for g in (guide, None)])
    finally:
        engine.close()
    assert guided.ids == made and guided.ids != plain.ids


def test_what_cannot_guide_is_refused() -> None:
    model = random_model(LLAMA)
    with pytest.raises(UserError, match="label"):
        Labelled(classifier(), "d").begin(model, PROMPT)
    with pytest.raises(UserError, match="cannot guide"):
        Labelled(classifier(VOCAB + 1), "a").begin(model, PROMPT)


TOPICS = TopicModel(("bank", "bark", "tree"), ((0.8, 0.1, 0.1), (0.1, 0.4, 0.5)), (0.4, 0.3, 0.3))


def test_evidence_of_a_topic_by_hand() -> None:
    def ratio(own: float, base: float) -> float:
        return math.log(1 - SHARE + SHARE * own / base)

    assert TOPICS.evidence("The bank, a tree.", 0) == pytest.approx(ratio(0.8, 0.4) + ratio(0.1, 0.3))
    with writer("letters") as model:
        about = About(TOPICS, 0, model.vocabulary)
        assert log_odds(about, b"tree ba") == pytest.approx(ratio(0.1, 0.3) + ratio(0.9, 0.7))  # bank or bark
        assert log_odds(about, b"tree bank") == pytest.approx(ratio(0.1, 0.3) + ratio(0.8, 0.4))
        assert log_odds(about, b"tree xyz") == pytest.approx(ratio(0.1, 0.3))
    assert TOPICS.top(0, 1) == ["bank"] and TOPICS.top(1, 1) == ["tree"]


@pytest.mark.spec("G8", "topics are found in texts without labels and a model of random weights is led towards one of them")  # fmt: skip
def test_a_topic_model_is_fitted_saved_and_leads(tmp_path: Path) -> None:
    numbers = random.Random(0)
    money, woods = (
        ["bank", "stock", "loan", "share", "fund", "trade", "股票", "利率"],
        ["tree", "leaf", "bark", "root", "moss", "fern", "树叶", "松林"],
    )
    texts = [" ".join(numbers.choices(side, k=8)) for side in (money, woods) for _ in range(60)]
    topics = fit_topics(texts, 2, seed=1)
    topics.save(tmp_path / "topics.json")
    assert load_topics(tmp_path / "topics.json") == topics
    first = max((0, 1), key=lambda topic: topics.evidence("bank stock 股票", topic))
    assert topics.evidence("tree leaf 树叶", first) < 0 < topics.evidence("stock loan 利率", first)
    assert set(topics.top(first, 8)) == set(money) and set(topics.top(1 - first, 8)) == set(woods)
    with writer("letters", scale=1.0) as model:

        def written(guide: Towards | None) -> Sequence[str]:
            streams = [model.stream("a", Sampling(temperature=1.0, max_new_tokens=60, seed=s), guide=guide, control=Control()) for s in range(6)]  # fmt: skip
            return [stream.result().text for stream in streams]

        led = written(Towards(About(topics, first, model.vocabulary), strength=100.0, candidates=200))
        free = written(None)
    assert sum(topics.evidence(text, first) for text in led) > sum(topics.evidence(text, first) for text in free) + 1
    with pytest.raises(UserError, match="too few words"):
        fit_topics(["a b", "c d"], 2)
    (tmp_path / "wrong.json").write_text("[]")
    with pytest.raises(UserError, match="no topic model"):
        load_topics(tmp_path / "wrong.json")


def test_words_of_both_languages() -> None:
    assert words_of("Don't 看电影 2024") == ["don", "t", "看电", "电影"]
