"""Models small enough that what a wrapper must do can be written down."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForSequenceClassification

from langwright.models.building import build_model
from langwright.objectives.classification import Classification, ClassificationBatch, collate_texts
from langwright.objectives.next_token import NextToken, collate_rows
from langwright.training.loop import Gathered, scaled_losses
from langwright.training.loss import Loss

CONFIG = LlamaConfig(
    vocab_size=40, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2,
    max_position_embeddings=32, num_labels=3, pad_token_id=0,
)  # fmt: skip


class Line(nn.Module):
    """The sum of w · e over a row's embeddings: every example's loss is linear in its embeddings."""

    def __init__(self, width=5, classes=1):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.embeddings = nn.Embedding(10, width)
        self.w = nn.Parameter(torch.randn(classes, width, generator=generator))

    def get_input_embeddings(self):
        return self.embeddings

    def forward(self, tokens_BT):
        return self.embeddings(tokens_BT).sum(1) @ self.w.T


class Scores:
    """The loss is the model's own output, summed."""

    separable = True

    def __call__(self, model, batch):
        return Loss(model(batch.tokens_BT).sum(), batch.units)

    def parameters(self):
        return []

    def state_dict(self):
        return {}

    def load_state_dict(self, state):
        pass


class Softmax(Scores):
    """Cross-entropy of the model's output, as classification."""

    def logits(self, model, batch):
        return model(batch.tokens_BT)

    def loss(self, logits, batch):
        return Loss(nn.functional.cross_entropy(logits, batch.labels_B, reduction="sum"), batch.units)

    def scored(self, logits, batch):
        return logits

    def __call__(self, model, batch):
        return self.loss(self.logits(model, batch), batch)


def labelled(rows=6, length=4, classes=3, seed=0) -> ClassificationBatch:
    numbers = np.random.default_rng(seed)
    return collate_texts(
        [numbers.integers(1, 10, length) for _ in range(rows)], numbers.integers(0, classes, rows).tolist(), 0
    )


class Rows:
    """A row of a plan, as collate_rows wants it."""

    def __init__(self, ids):
        self.ids = np.asarray(ids)
        self.supervised = np.ones(len(ids), dtype=bool)
        self.starts = np.array([0])


def next_token(dropout=0.0):
    """(model, objective, parts of one batch): a language model and rows of unequal length."""
    numbers = np.random.default_rng(1)
    rows = [Rows(numbers.integers(1, 40, n)) for n in (13, 7, 10, 13)]
    parts = [collate_rows(rows[i : i + 1], 12, 0, stop_at_documents=True) for i in range(4)]
    whole = collate_rows(rows, 12, 0, stop_at_documents=True)
    config = CONFIG.__class__(**{**CONFIG.to_dict(), "attention_dropout": dropout})
    return build_model(config, seed=3), NextToken(), whole, parts


def classification(dropout=0.0):
    """(model, objective, whole batch, the same in parts)."""
    torch.manual_seed(0)
    config = CONFIG.__class__(**{**CONFIG.to_dict(), "attention_dropout": dropout})
    model = LlamaForSequenceClassification(config)
    numbers = np.random.default_rng(2)
    texts, labels = [numbers.integers(1, 40, 9) for _ in range(6)], [0, 1, 2, 0, 1, 2]
    parts = [collate_texts(texts[i : i + 2], labels[i : i + 2], 0) for i in (0, 2, 4)]
    return model, Classification(), collate_texts(texts, labels, 0), parts


def gradients(model, objective, parts):
    """The gradient of the mean loss over parts, by weight."""
    model.train()
    model.zero_grad(set_to_none=True)
    units = sum(part.units for part in parts)
    for part in scaled_losses(model, objective, parts, units, Gathered(), None):
        part.loss.backward()
    return {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
