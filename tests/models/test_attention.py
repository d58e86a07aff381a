"""Attention inside documents: against a dense block-diagonal mask, and inside whole models."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from langwright.models import attention, attention_blocks
from langwright.models.attention import attend, attend_by_group, attend_on_cpu, attend_on_cpu_backward
from langwright.models.attention_blocks import attend_blocks


def dense(q_BNTH: Tensor, k_BKTH: Tensor, v_BKTH: Tensor, starts: Sequence[int], scale: float) -> Tensor:
    """By the definition: a softmax over all positions with everything outside the document and the past at -inf."""
    B, N, T, _ = q_BNTH.shape
    k, v = (x.repeat_interleave(N // x.shape[1], 1) for x in (k_BKTH, v_BKTH))
    document = torch.zeros(B * T, dtype=torch.long)
    for start in {*starts, *range(0, B * T, T)}:
        document[start:] += 1
    document_BT = document.view(B, T)
    seen_BTT = (document_BT[:, :, None] == document_BT[:, None, :]) & torch.ones(T, T, dtype=torch.bool).tril()
    scores = (q_BNTH @ k.transpose(-1, -2) * scale).masked_fill(~seen_BTT[:, None], float("-inf"))
    return (scores.softmax(-1) @ v).transpose(1, 2)


def tensors(B: int, N: int, K: int, T: int, H: int, dtype: torch.dtype, seed: int = 0) -> list[Tensor]:
    """Queries, keys, values and an upstream gradient; in memory as a model lays them out."""
    draw = torch.Generator().manual_seed(seed)
    made = [torch.randn(B, T, n, H, generator=draw, dtype=torch.float64).to(dtype).transpose(1, 2) for n in (N, K, K)]
    gradient = torch.randn(B, T, N, H, generator=draw, dtype=torch.float64).to(dtype)
    return [*(x.requires_grad_() for x in made), gradient]


def distance(a: Tensor, b: Tensor) -> float:
    """Relative, in the Euclidean norm."""
    return ((a.double() - b.double()).norm() / b.double().norm().clamp(min=1e-30)).item()


def check(B: int, N: int, K: int, T: int, H: int, starts: Sequence[int], dtype: torch.dtype, tolerance: float) -> None:
    q, k, v, dout = tensors(B, N, K, T, H, dtype)
    documents = torch.tensor(sorted({*starts, B * T}), dtype=torch.int32)
    scale = H**-0.5
    out = attend(q, k, v, documents, scale)
    found = (out, *torch.autograd.grad(out, (q, k, v), dout))
    exact = [x.detach().double().requires_grad_() for x in (q, k, v)]
    expected = dense(*exact, starts, scale)  # type: ignore[call-arg, misc]
    wanted = (expected, *torch.autograd.grad(expected, exact, dout.double()))
    for name, a, b in zip(("out", "dq", "dk", "dv"), found, wanted, strict=True):
        if b.abs().max() > 1e-9:  # a document of one token has no gradient in q and k
            assert distance(a, b) < tolerance, name


@pytest.mark.spec("D14", "packed rows attend inside documents only, without a T × T mask, with exact gradients")
@settings(max_examples=40, deadline=None)
@given(st.data())
def test_forward_and_gradients_equal_a_dense_mask(data: st.DataObject) -> None:
    B, T = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 90))
    K, G = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3))
    H = data.draw(st.sampled_from([1, 3, 8, 16, 20]))
    starts = data.draw(st.lists(st.integers(0, B * T - 1), max_size=12))
    check(B, K * G, K, T, H, starts, torch.float32, 1e-5)


@pytest.mark.parametrize("K", [1, 2, 6])
def test_rows_longer_than_a_block(K: int) -> None:
    check(2, 6, K, 600, 16, [30, 290, 600, 1100, 1101], torch.float32, 1e-5)


@pytest.mark.parametrize("blocks", [True, False], ids=["matrix products", "torch's kernel"])
@pytest.mark.parametrize("K", [1, 2, 6])
def test_bfloat16_rounds_no_worse_than_its_eight_bits(blocks: bool, K: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "has_matrix_tiles", lambda: not blocks)
    check(2, 6, K, 600, 16, [30, 290, 600, 1100], torch.bfloat16, 0.012)


def test_bfloat16_keeps_small_differences_of_large_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    """All scores near 50, where bfloat16 has steps of a quarter: what is subtracted is carried in more bits."""
    monkeypatch.setattr(attention, "has_matrix_tiles", lambda: False)
    q, k, v, dout = tensors(2, 2, 2, 300, 16, torch.bfloat16)
    with torch.no_grad():
        q[..., 0], k[..., 0] = 160, 1.25
    out = attend(q, k, v, None, 0.25)
    found = (out, *torch.autograd.grad(out, (q, k, v), dout))
    exact = [x.detach().double().requires_grad_() for x in (q, k, v)]
    expected = dense(exact[0], exact[1], exact[2], [], 0.25)
    for a, b in zip(found, (expected, *torch.autograd.grad(expected, exact, dout.double())), strict=True):
        assert distance(a, b) < 0.02


def test_gradients_by_finite_differences() -> None:
    q, k, v, _ = tensors(2, 4, 2, 9, 3, torch.float64)
    documents = torch.tensor([0, 4, 9, 10, 18], dtype=torch.int32)
    assert torch.autograd.gradcheck(lambda *x: attend(*x, documents, 0.6), (q, k, v))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_operator_keeps_torchs_rules(dtype: torch.dtype) -> None:
    """Schema, shapes and strides without data, and gradients under tracing, by torch's own check of operators."""
    q, k, v, _ = tensors(2, 4, 2, 20, 8, dtype)
    for documents in (None, torch.tensor([0, 5, 20, 40], dtype=torch.int32)):
        torch.library.opcheck(attend_on_cpu, (q, k, v, documents, 0.3, True))
    out, sums = attend_on_cpu(q, k, v, None, 0.3, True)
    plain = [x.detach() for x in (out, q, k, v, out, sums)]
    torch.library.opcheck(attend_on_cpu_backward, (*plain, None, 0.3, True))


def test_large_scores_neither_overflow_nor_vanish() -> None:
    """Scores of ±1e4 with one key far above: exponentials are taken of differences only."""
    q, k, v, dout = tensors(1, 2, 2, 300, 8, torch.float32)
    with torch.no_grad():
        q *= 100
        k *= 100
    out, sums = attend_blocks(q.detach(), k.detach(), v.detach(), 8**-0.5)
    assert torch.isfinite(out).all() and torch.isfinite(sums).all()
    assert distance(out.transpose(1, 2), dense(q.double(), k.double(), v.double(), [], 8**-0.5)) < 1e-4
    gradients = torch.autograd.grad(attend(q, k, v, None, 8**-0.5), (q, k, v), dout)
    assert all(torch.isfinite(x).all() for x in gradients)


def test_torchs_own_attention_by_group_gives_the_same() -> None:
    """What other devices use, run here."""
    q, k, v, dout = tensors(2, 4, 2, 50, 8, torch.float32)
    documents = torch.tensor([0, 7, 8, 50, 81, 100], dtype=torch.int32)
    one, other = attend(q, k, v, documents, 0.3), attend_by_group(q, k, v, documents, 0.3, 0.0)
    torch.testing.assert_close(one, other)
    for a, b in zip(
        torch.autograd.grad(one, (q, k, v), dout), torch.autograd.grad(other, (q, k, v), dout), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def test_dropout_drops() -> None:
    q, k, v, _ = tensors(1, 2, 2, 40, 8, torch.float32)
    torch.manual_seed(0)
    dropped = attend(q, k, v, None, 0.3, dropout=0.5)
    assert not torch.allclose(dropped, attend(q, k, v, None, 0.3))


def test_no_square_mask_is_ever_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """2,048 positions in 64-token documents: the largest tensor made is a thousandth of N · T²."""
    largest = 0
    empty = torch.bmm

    def watched(a: Tensor, b: Tensor, **kwargs: Tensor) -> Tensor:
        nonlocal largest
        largest = max(largest, a.shape[0] * a.shape[1] * b.shape[2])
        return empty(a, b, **kwargs)

    monkeypatch.setattr(torch, "bmm", watched)
    monkeypatch.setattr(attention, "has_matrix_tiles", lambda: False)
    T = 2048
    q, k, v, dout = tensors(1, 2, 2, T, 8, torch.bfloat16)
    attend(q, k, v, torch.arange(0, T + 1, 64, dtype=torch.int32), 0.3).backward(dout)
    assert 0 < largest <= 2 * T * 64


def test_blocks_are_many_where_the_budget_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut into other blocks and head groups, results and gradients are the same."""
    q, k, v, dout = tensors(2, 6, 3, 70, 8, torch.float64)
    plain = [x.detach() for x in (q, k, v)]
    whole = attend_blocks(*plain, 0.3)
    gradients = torch.autograd.grad(attend(q, k, v, None, 0.3), (q, k, v), dout)
    monkeypatch.setattr(attention_blocks, "BLOCK", 16)
    monkeypatch.setattr(attention_blocks, "BUDGET", 700)
    cut = torch.autograd.grad(attend(q, k, v, None, 0.3), (q, k, v), dout)
    for a, b in zip((*whole, *gradients), (*attend_blocks(*plain, 0.3), *cut), strict=True):
        torch.testing.assert_close(a, b)


# --- encoders ------------------------------------------------------------------------------------


@pytest.mark.parametrize("blocks", [True, False], ids=["matrix products", "torch's kernel"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 0.012)])
@pytest.mark.parametrize("T", [1, 37, 256, 600])
def test_all_positions_see_each_other(
    T: int, dtype: torch.dtype, tolerance: float, blocks: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "has_matrix_tiles", lambda: not blocks)
    q, k, v, dout = tensors(2, 4, 4, T, 16, dtype)
    out = attend_on_cpu(q, k, v, None, 0.25, False)[0]
    found = (out, *torch.autograd.grad(out, (q, k, v), dout))
    exact = [x.detach().double().requires_grad_() for x in (q, k, v)]
    expected = ((exact[0] @ exact[1].transpose(-1, -2) * 0.25).softmax(-1) @ exact[2]).transpose(1, 2)
    wanted = (expected, *torch.autograd.grad(expected, exact, dout.double()))
    for name, a, b in zip(("out", "dq", "dk", "dv"), found, wanted, strict=True):
        if b.abs().max() > 1e-9:
            assert distance(a, b) < tolerance, name


@pytest.mark.parametrize("family", sorted(attention.ENCODERS))
@pytest.mark.parametrize("masked", [False, True], ids=["whole rows", "padded rows"])
def test_an_encoder_says_the_same_as_with_transformers_own_attention(family: str, masked: bool) -> None:
    from transformers import AutoConfig, AutoModelForMaskedLM

    small = {
        "vocab_size": 40,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 48,
    }
    off = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "embedding_size": 32}
    torch.manual_seed(0)
    model = AutoModelForMaskedLM.from_config(AutoConfig.for_model(family, **small, **off))
    ids = torch.randint(1, 40, (2, 19))
    mask = torch.ones_like(ids)
    mask[1, 11:] = 0
    found = []
    for name in (attention.NAME, "eager"):
        model.set_attn_implementation(name)
        model.zero_grad()
        logits = model(input_ids=ids, attention_mask=mask if masked else None).logits
        logits[mask.bool()].square().sum().backward()
        found.append(
            [logits.detach()[mask.bool()], *(w.grad.clone() for w in model.parameters() if w.grad is not None)]
        )
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
