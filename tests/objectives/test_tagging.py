"""Tags as rows and in layers: what the losses count, whatever a batch is padded to or cut into."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from langwright.models.chain import NAME, Chain
from langwright.objectives.next_token import IGNORED
from langwright.objectives.tagging import ChainTagging, LayeredTagging, TagExamples, words_first

TAGS = ("O", "B-x", "I-x")


class Table(nn.Module):
    """A whole tagger: a row of scores for each token id."""

    def __init__(self, outputs: int, chain: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.scores_VC = nn.Parameter(torch.randn(10, outputs))
        if chain:
            self.add_module(NAME, Chain(TAGS))
            nn.init.normal_(self.chain.behind_CC)

    def forward(self, input_ids: torch.Tensor, **_: object) -> SimpleNamespace:
        return SimpleNamespace(logits=self.scores_VC[input_ids])


def examples(layers: int = 0) -> TagExamples:
    """Three texts of 4, 2 and 3 tokens, some of which are not judged."""
    texts = [np.array(ids, dtype=np.int64) for ids in ([1, 2, 3, 4], [5, 6], [7, 8, 9])]
    tags = [np.array(row, dtype=np.int64) for row in ([1, IGNORED, 2, 0], [IGNORED, 1], [0, 0, 1])]
    if layers:
        tags = [np.where(row[:, None] == IGNORED, IGNORED, (row[:, None] + np.arange(layers)) % 3) for row in tags]
    return TagExamples(texts, tags, 0)


def test_the_row_of_words_is_what_is_judged() -> None:
    model, objective = Table(3, chain=True), ChainTagging()
    loss = objective(model, examples().batch(np.array([0])))
    scores = model.scores_VC[torch.tensor([1, 3, 4])]  # the second token is no word's beginning
    right = model.chain(scores[None], torch.ones(1, 3, dtype=torch.bool), torch.tensor([[1, 2, 0]]))
    assert loss.units == 3
    torch.testing.assert_close(loss.total, right.sum())


@pytest.mark.parametrize(("objective", "layers"), [(ChainTagging(), 0), (LayeredTagging(), 2)])
def test_a_batch_may_be_cut_anywhere(objective: ChainTagging | LayeredTagging, layers: int) -> None:
    model = Table(3 * max(1, layers), chain=not layers)
    whole = objective(model, examples(layers).batch(np.arange(3)))
    parts = [objective(model, examples(layers).batch(np.array([row]))) for row in range(3)]
    torch.testing.assert_close(whole.total, sum((part.total for part in parts[1:]), parts[0].total))
    assert whole.units == sum(part.units for part in parts)
    assert whole.metrics["accuracy"] == sum(part.metrics["accuracy"] for part in parts)


def test_layers_are_judged_each_by_itself() -> None:
    model = Table(6, chain=False)
    batch = examples(2).batch(np.array([1]))  # one judged token, of id 6: tags 1 and 2
    layers_23 = model.scores_VC[6].view(2, 3).log_softmax(-1)
    loss = LayeredTagging()(model, batch)
    assert loss.units == 2
    torch.testing.assert_close(loss.total, -(layers_23[0, 1] + layers_23[1, 2]))


def test_words_first_by_hand() -> None:
    order, mask = words_first(torch.tensor([[True, False, True, True], [False, False, False, True]]))
    assert order.tolist() == [[0, 2, 3], [3, 0, 1]]
    assert mask.tolist() == [[True, True, True], [True, False, False]]
