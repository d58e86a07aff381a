"""Objectives of heads: transformers' own losses as oracles, and what holds for each of them."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from tests.objectives.small import gradients
from transformers import (
    BertConfig,
    BertForMultipleChoice,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    LlamaConfig,
    LlamaForQuestionAnswering,
    LlamaForSequenceClassification,
    LlamaForTokenClassification,
)

from langwright.models.loading import add_chain
from langwright.objectives.adversarial import FGM
from langwright.objectives.choice import Choice, ChoiceExamples
from langwright.objectives.classification import Classification, SeveralExamples, SeveralLabels, TextExamples
from langwright.objectives.consistency import RDrop
from langwright.objectives.extraction import SpanExamples, Spans
from langwright.objectives.loss_settings import Ranking as RankingSettings
from langwright.objectives.loss_settings import class_losses, pair_losses
from langwright.objectives.losses import cross_entropy
from langwright.objectives.mixup import MixedExamples, Mixup, embeddings_mixed
from langwright.objectives.regression import Ranking, Regression, ValueExamples
from langwright.objectives.tagging import IGNORED, ChainTagging, LayeredTagging, TagExamples, Tagging
from langwright.training.feed import Feed

SHAPE = {
    "vocab_size": 40, "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2,
    "max_position_embeddings": 32, "pad_token_id": 0,
}  # fmt: skip
BERT = {**SHAPE, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
N = 6


def ids(length: int, count: int = N, seed: int = 0) -> list[np.ndarray]:
    numbers = np.random.default_rng(seed)
    return [numbers.integers(1, 40, length if length else int(numbers.integers(5, 12))) for _ in range(count)]


def types_of(texts: list[np.ndarray]) -> list[np.ndarray]:
    return [(np.arange(len(text)) > 3).astype(np.int64) for text in texts]


def world(kind: str, family: str, length: int = 0) -> tuple[Any, Any, Any]:
    """(model, objective, examples) of equally long rows, or of rows of unequal length where `length` is 0."""
    torch.manual_seed(0)
    texts, numbers = ids(length), np.random.default_rng(1)
    types = types_of(texts) if family == "bert" else None
    labels = np.array([0, 1, 2, 0, 1, 2])
    config = partial(BertConfig, **BERT) if family == "bert" else partial(LlamaConfig, **SHAPE, classifier_dropout=0.0)
    sequence = BertForSequenceClassification if family == "bert" else LlamaForSequenceClassification
    if kind == "single":
        return sequence(config(num_labels=3)), Classification(), TextExamples(texts, labels, 0, types)
    if kind == "several":
        holds = numbers.integers(0, 2, (N, 3)).astype(np.float32)
        return sequence(config(num_labels=3, problem_type="multi_label_classification")), SeveralLabels(), SeveralExamples(texts, holds, 0)  # fmt: skip
    if kind in ("regression", "ranking"):
        ordered = kind == "ranking"
        objective = Ranking(pair_losses(RankingSettings())) if ordered else Regression()
        values = np.array([0.5, -1, 2, 0.5, 3, 0], dtype=np.float32)
        return sequence(config(num_labels=1, problem_type="regression")), objective, ValueExamples(texts, values, 0, types, ordered)  # fmt: skip
    if kind == "tagging":
        tags = [np.where(np.arange(len(text)) % 3 == 1, IGNORED, numbers.integers(0, 3, len(text))) for text in texts]
        tokens = BertForTokenClassification if family == "bert" else LlamaForTokenClassification
        return tokens(config(num_labels=3)), Tagging(), TagExamples(texts, tags, 0)
    if kind == "tag-layers":
        layers = [np.stack([numbers.integers(0, 3, len(text)) for _ in range(2)], axis=1) for text in texts]
        tokens = BertForTokenClassification if family == "bert" else LlamaForTokenClassification
        return tokens(config(num_labels=6)), LayeredTagging(), TagExamples(texts, layers, 0)
    if kind == "tag-chain":
        tags = [np.where(np.arange(len(text)) % 3 == 1, IGNORED, numbers.integers(0, 2, len(text))) for text in texts]
        tokens = BertForTokenClassification if family == "bert" else LlamaForTokenClassification
        model = tokens(config(id2label=dict(enumerate(("O", "B-x", "I-x")))))
        add_chain(model, {})
        return model, ChainTagging(), TagExamples(texts, tags, 0)
    if kind == "qa":
        edges = np.array([[0, 0], [1, 3], [2, 2], [0, 4], [3, 4], [0, 0]])
        answering = BertForQuestionAnswering if family == "bert" else LlamaForQuestionAnswering
        return answering(config()), Spans(), SpanExamples(texts, edges, 0, types)
    counts = [2, 3, 2, 3, 2, 2]
    rows = [ids(length, count, seed) for seed, count in enumerate(counts)]
    model = BertForMultipleChoice(config()) if family == "bert" else sequence(config(num_labels=1))
    told = [types_of(row) for row in rows] if family == "bert" else None
    return model, Choice(nested=family == "bert"), ChoiceExamples(rows, np.array([0, 2, 1, 1, 0, 1]), 0, told)


KINDS = ("single", "several", "regression", "ranking", "tagging", "tag-chain", "tag-layers", "qa", "choice")
FAMILIES = ("bert", "llama")
EVERY = np.arange(N)


# --- transformers' own losses --------------------------------------------------------------------


def own_loss(model: Any, batch: Any, **labels: torch.Tensor) -> torch.Tensor:
    types = {} if batch.types_BT is None else {"token_type_ids": batch.types_BT}
    found: torch.Tensor = model(input_ids=batch.tokens_BT, attention_mask=batch.mask_BT, **types, **labels).loss
    return found


@pytest.mark.spec("F1", "the losses of labels, several labels and numbers are transformers' own for these heads")
@pytest.mark.spec("TR10", "each head's loss is transformers' own on the same inputs")
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", ["single", "several", "regression", "tagging"])
def test_losses_are_transformers_own(kind: str, family: str) -> None:
    model, objective, examples = world(kind, family)
    batch = examples.batch(EVERY)
    found = objective(model.eval(), batch)
    labels = {"single": "labels_B", "several": "labels_BC", "regression": "values_B", "tagging": "tags_BT"}[kind]
    mean = found.total / (found.units * (3 if kind == "several" else 1))  # theirs is a mean over labels too
    torch.testing.assert_close(mean, own_loss(model, batch, labels=getattr(batch, labels)))


@pytest.mark.spec("F4", "the loss of an answer's edges is transformers' own, and padding does not change it")
@pytest.mark.parametrize("family", FAMILIES)
def test_the_loss_of_edges_is_transformers_own(family: str) -> None:
    model, objective, examples = world("qa", family, length=9)
    batch = examples.batch(EVERY)
    found = objective(model.eval(), batch)
    starts, ends = batch.edges_B2.unbind(-1)
    torch.testing.assert_close(found.total / N, own_loss(model, batch, start_positions=starts, end_positions=ends))


def test_the_loss_of_choices_is_transformers_own() -> None:
    model, objective, examples = world("choice", "bert", length=9)
    rows = np.array([0, 2, 4, 5])  # of two answers each
    batch = examples.batch(rows)
    found = objective(model.eval(), batch)
    nested = {name: value.view(4, 2, -1) for name, value in (("input_ids", batch.tokens_BT), ("attention_mask", batch.mask_BT), ("token_type_ids", batch.types_BT))}  # fmt: skip
    torch.testing.assert_close(found.total / 4, model(**nested, labels=batch.answers_Q).loss)


def test_a_decoders_choice_is_a_softmax_over_its_scores() -> None:
    model, objective, examples = world("choice", "llama")
    model.eval()
    total = 0.0
    for row, right in zip(examples.texts, examples.answers, strict=True):
        scores = torch.stack([model(torch.tensor(text)[None]).logits[0, 0] for text in row])
        total -= scores.log_softmax(0)[int(right)].item()
    assert objective(model, examples.batch(EVERY)).total.item() == pytest.approx(total, rel=1e-5)


def test_a_ranking_by_hand() -> None:
    model, objective, examples = world("ranking", "llama")
    model.eval()
    batch = examples.batch(EVERY)
    scores = [model(torch.tensor(text)[None]).logits.item() for text in examples.texts]
    pairs = [(a, b) for a in range(N) for b in range(N) if examples.values[a] > examples.values[b]]
    expected = sum(np.log1p(np.exp(scores[b] - scores[a])) for a, b in pairs)
    found = objective(model, batch)
    assert found.units == len(pairs) == 14 and found.total.item() == pytest.approx(expected, rel=1e-4)
    assert found.metrics["accuracy"].item() == sum(scores[a] > scores[b] for a, b in pairs)


def test_the_right_answer_against_each_other_one() -> None:
    scores, right = torch.tensor([[1.0, 3.0, -1e4], [0.0, 1.0, 2.0]]), torch.tensor([0, 2])
    found = class_losses(RankingSettings(form="hinge", margin=0.5), ())(scores, right)
    torch.testing.assert_close(found, torch.tensor([2.5, 0.0]))


# --- what holds for each -------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", KINDS)
def test_finite_and_exactly_the_trainable_weights(kind: str, family: str) -> None:
    model, objective, examples = world(kind, family)
    frozen = next(name for name, weight in model.named_parameters() if "layer" in name and weight.ndim == 2)
    dict(model.named_parameters())[frozen].requires_grad_(False)
    found = gradients(model, objective, [examples.batch(EVERY)])
    assert all(torch.isfinite(gradient).all() for gradient in found.values())
    wanted = {name for name, weight in model.named_parameters() if weight.requires_grad}
    pooled = {name for name in wanted if "pooler" in name} if kind.startswith("tag") or kind == "qa" else set()
    assert wanted - set(found) <= pooled
    assert objective.parameters() == [] and objective.state_dict() == {}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "ranking"])
def test_a_batch_may_be_cut_anywhere(kind: str, family: str) -> None:
    model, objective, examples = world(kind, family)
    assert objective.separable
    whole = gradients(model, objective, [examples.batch(EVERY)])
    for parts in ([EVERY[:1], EVERY[1:]], [EVERY[:2], EVERY[2:5], EVERY[5:]]):
        cut = gradients(model, objective, [examples.batch(part) for part in parts])
        size = torch.stack([gradient.norm() for gradient in whole.values()]).norm()
        for name, gradient in whole.items():
            assert (gradient - cut[name]).norm() <= 1e-5 * gradient.norm() + 1e-6 * size, name


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in ("regression", "ranking", "tag-chain")])
def test_wrappers_go_around_every_one_that_predicts(kind: str) -> None:
    model, inner, examples = world(kind, "bert")
    batch = examples.batch(EVERY)
    plain = inner(model.eval(), batch)
    for wrapper in (RDrop(inner), FGM(inner, epsilon=0.1)):
        found = wrapper(model, batch)
        assert torch.isfinite(found.total) and found.units == plain.units
    torch.testing.assert_close(RDrop(inner)(model, batch).total, plain.total)  # without dropout both passes agree


# --- mixup ---------------------------------------------------------------------------------------


def mixed(kind: str, family: str) -> tuple[Any, Any, Any]:
    model, objective, examples = world(kind, family)
    return model, Mixup(objective), MixedExamples(examples, 0.4, 7)


@pytest.mark.spec("TR10", "mixup's loss is λ of one label's and 1 - λ of the other's, on embeddings mixed alike")
@pytest.mark.parametrize("family", FAMILIES)
def test_mixup_by_hand(family: str) -> None:
    model, objective, examples = mixed("single", family)
    model.eval()
    batch = examples.batch(EVERY, np.full(N, 3))
    table = model.get_input_embeddings().weight
    with embeddings_mixed(model, batch):
        seen = model.get_input_embeddings()(batch.tokens_BT)
    for row in range(N):
        other, share = examples.drawn(row, 3)
        one, two = (examples.texts.texts[place] for place in (row, other))
        expected = torch.zeros(seen.shape[1], 16)
        expected[: len(one)] += share * table[torch.from_numpy(one)]
        expected[: len(two)] += (1 - share) * table[torch.from_numpy(two)]
        torch.testing.assert_close(seen[row], expected, atol=1e-6, rtol=1e-5)
    logits = objective.logits(model, batch)
    labels = torch.from_numpy(examples.texts.labels)
    others = torch.tensor([examples.texts.labels[examples.drawn(row, 3)[0]] for row in range(N)])
    shares = torch.tensor([examples.drawn(row, 3)[1] for row in range(N)], dtype=torch.float32)
    targets = shares[:, None] * torch.eye(3)[labels] + (1 - shares[:, None]) * torch.eye(3)[others]
    torch.testing.assert_close(
        objective.loss(logits, batch).total, torch.nn.functional.cross_entropy(logits, targets, reduction="sum")
    )


def test_a_share_of_one_is_no_mixing() -> None:
    model, objective, examples = mixed("single", "llama")
    model.eval()
    batch = examples.batch(EVERY)
    whole = type(batch)(batch.tokens_BT, batch.mask_BT, batch.first, batch.second, torch.ones(N))
    plain = objective.inner.logits(model, batch.first)
    longer = batch.mask_BT.sum(1) > batch.first.mask_BT.sum(1)  # there the last token is another one
    assert torch.allclose(objective.logits(model, whole)[~longer], plain[~longer], atol=1e-5) and not longer.all()


def test_draws_are_of_the_row_and_its_epoch() -> None:
    _, _, examples = mixed("single", "llama")
    assert examples.drawn(2, 0) == examples.drawn(2, 0) != examples.drawn(2, 1)

    class Straight:
        def many(self, positions: np.ndarray) -> np.ndarray:
            return positions % N

    feed = Feed(examples, Straight(), batch_rows=4, micro_rows=2)
    first, again = feed.update(5), feed.update(5)
    assert all(torch.equal(a.shares_B, b.shares_B) for a, b in zip(first, again, strict=True))  # type: ignore[attr-defined]
    shares = [examples.drawn(row, epoch)[1] for row in range(N) for epoch in range(300)]
    assert np.mean(shares) == pytest.approx(0.5, abs=0.02)
    assert np.var(shares) == pytest.approx(1 / (4 * (2 * 0.4 + 1)), abs=0.01)  # of Beta(α, α)


@pytest.mark.parametrize("kind", ["single", "several"])
def test_mixed_batches_may_be_cut_and_evaluation_is_plain(kind: str) -> None:
    model, objective, examples = mixed(kind, "bert")
    whole = gradients(model, objective, [examples.batch(EVERY)])
    cut = gradients(model, objective, [examples.batch(EVERY[:2]), examples.batch(EVERY[2:])])
    size = torch.stack([gradient.norm() for gradient in whole.values()]).norm()
    assert all((whole[name] - cut[name]).norm() <= 1e-5 * size for name in whole)
    plain = examples.texts.batch(EVERY)
    assert torch.equal(objective(model.eval(), plain).total, objective.inner(model, plain).total)
    adversarial = FGM(objective, epsilon=0.5)(model, examples.batch(EVERY))
    assert adversarial.metrics["adversarial"] > objective(model, examples.batch(EVERY)).total


def test_what_was_broken_is_seen() -> None:
    """The cut test can fail: a mean in place of a sum depends on the cut."""
    model, _, examples = world("single", "llama")

    class Mean(Classification):
        def loss(self, logits: Any, batch: Any) -> Any:
            from langwright.training.loss import Loss

            return Loss(cross_entropy(logits, batch.labels_B).mean(), batch.units)

    whole = gradients(model, Mean(), [examples.batch(EVERY)])
    cut = gradients(model, Mean(), [examples.batch(EVERY[:1]), examples.batch(EVERY[1:])])
    assert max((whole[name] - cut[name]).norm() / whole[name].norm() for name in whole) > 1e-2
