"""Prefix language modelling: what sees what, what is learned, and that without a prefix it is next-token prediction."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.objectives.small import CONFIG, gradients
from tests.objectives.test_next_token import row
from transformers import GPT2Config

from langwright.models.building import build_model
from langwright.objectives.next_token import IGNORED, NextToken, collate_rows
from langwright.objectives.prefix import PrefixLM, collate_prefixed, draw_splits, prefix_mask

GPT2 = GPT2Config(
    vocab_size=40, n_embd=16, n_layer=2, n_head=2, n_positions=32, resid_pdrop=0, embd_pdrop=0, attn_pdrop=0
)
MODELS = pytest.mark.parametrize("config", [CONFIG, GPT2], ids=["llama", "gpt2"])


def test_what_may_be_seen_by_hand():
    """Two documents of three and two tokens, a prefix of two in the first; one place of padding."""
    batch = collate_prefixed([row([1, 2, 3, 4, 5], starts=(0, 3))], [np.array([2, 3])], 6, 0, stop_at_documents=True)
    assert batch.targets_BT.tolist() == [[IGNORED, 3, IGNORED, 5, IGNORED, IGNORED]]
    assert batch.units == 2 and batch.boundaries is None
    assert prefix_mask(batch.prefix_BT, batch.segments_BT)[0, 0].int().tolist() == [
        [1, 1, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 1, 1],
    ]


def some_rows(stop):
    numbers = np.random.default_rng(1)
    rows = [row(numbers.integers(1, 40, n), starts=starts) for n, starts in ((13, (0, 5, 6)), (9, (0,)), (13, (0, 12)))]
    return rows, [np.array(r.starts if stop else r.starts[:1]) for r in rows]


@MODELS
@pytest.mark.parametrize("stop", [True, False])
def test_without_a_prefix_it_is_next_token_prediction(config, stop):
    rows, nothing = some_rows(stop)
    model = build_model(config, seed=3)
    ours = PrefixLM()(model, collate_prefixed(rows, nothing, 12, 0, stop_at_documents=stop))
    plain = NextToken()(model, collate_rows(rows, 12, 0, stop_at_documents=stop))
    assert ours.units == plain.units
    torch.testing.assert_close(ours.total, plain.total)


@MODELS
@pytest.mark.spec("P1", "prefix language modelling: a prefix is read in both directions and never sees what follows it")
def test_a_prefix_sees_all_of_itself_and_nothing_behind_it(config):
    model = build_model(config, seed=3).eval()
    ids = np.arange(1, 14)

    def logits(changed):
        other = ids.copy()
        other[changed] = 20
        batch = collate_prefixed([row(other)], [np.array([6])], 12, 0, stop_at_documents=True)
        with torch.no_grad():
            return PrefixLM().logits(model, batch)[0]

    plain, late_prefix, behind = logits([]), logits([5]), logits([8])
    assert all(not torch.allclose(plain[t], late_prefix[t]) for t in range(12))
    torch.testing.assert_close(plain[:8], behind[:8], rtol=0, atol=0)
    assert all(not torch.allclose(plain[t], behind[t]) for t in range(8, 12))


def test_what_is_learned_is_what_follows_the_prefix():
    model = build_model(CONFIG, seed=3)
    ids = np.arange(1, 11)
    loss = PrefixLM()(model, collate_prefixed([row(ids)], [np.array([4])], 12, 0, stop_at_documents=True))
    assert loss.units == 6
    visible = torch.ones(9, 9).tril().bool()
    visible[:, :4] = True
    logits = model(torch.from_numpy(ids[None, :-1]), attention_mask=visible[None, None]).logits[0]
    by_hand = -sum(logits[t].log_softmax(-1)[ids[t + 1]] for t in range(3, 9))
    torch.testing.assert_close(loss.total, by_hand)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=6), st.integers(0, 50))
def test_splits_leave_something_on_both_sides(lengths, seed):
    ends = np.cumsum(lengths)
    starts = ends - lengths
    splits = draw_splits(starts, int(ends[-1]), np.random.default_rng(seed))
    for start, end, split in zip(starts, ends, splits, strict=True):
        assert start < split < end or (end - start == 1 and split == start)


def test_splits_are_uniform():
    numbers = np.random.default_rng(0)
    counts = np.bincount([int(draw_splits(np.array([0]), 5, numbers)[0]) for _ in range(4000)], minlength=5)
    assert counts[0] == 0 and np.abs(counts[1:] - 1000).max() < 120


def test_under_bfloat16_it_is_nearly_the_same():
    rows, _ = some_rows(True)
    model = build_model(CONFIG, seed=3)
    batch = collate_prefixed(rows, SPLITS, 12, 0, stop_at_documents=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        narrow = PrefixLM()(model, batch).total
    torch.testing.assert_close(narrow, PrefixLM()(model, batch).total, rtol=0.02, atol=0)


SPLITS = [np.array([2, 5, 9]), np.array([4]), np.array([5, 12])]


@MODELS
def test_gradients_reach_what_is_trained_and_do_not_depend_on_how_the_batch_is_cut(config):
    rows, _ = some_rows(True)
    model = build_model(config, seed=3)
    frozen = next(name for name, _ in model.named_parameters() if name.endswith(("0.mlp.c_fc.weight", "0.mlp.up_proj.weight")))  # fmt: skip
    model.get_parameter(frozen).requires_grad_(False)
    whole = [collate_prefixed(rows, SPLITS, 12, 0, stop_at_documents=True)]
    parts = [
        collate_prefixed([row], [split], 12, 0, stop_at_documents=True) for row, split in zip(rows, SPLITS, strict=True)
    ]
    one, cut = gradients(model, PrefixLM(), whole), gradients(model, PrefixLM(), parts)
    assert one.keys() == {name for name, _ in model.named_parameters()} - {frozen}
    for name, gradient in one.items():
        assert torch.isfinite(gradient).all()
        torch.testing.assert_close(gradient, cut[name], rtol=1e-4, atol=1e-6)
    assert PrefixLM().parameters() == [] and PrefixLM().state_dict() == {}
