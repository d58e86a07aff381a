"""Quantised products beside the same arithmetic in numpy, and what they do with zeros and with what is no number."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from langwright.inference.kernels.products import FEW, GROUP, Int4, Int8, Packed, Plain, quantised_groups


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def by_hand_int8(x_MK: np.ndarray, weight_NK: np.ndarray) -> np.ndarray:
    """W8A8 with one scale a row and a column, summed in 64-bit integers."""
    x_scale, w_scale = (np.abs(m).max(axis=1, keepdims=True) / np.float32(127) for m in (x_MK, weight_NK))
    q_x, q_w = (np.rint(m / s).astype(np.int64) for m, s in ((x_MK, x_scale), (weight_NK, w_scale)))
    return (q_x @ q_w.T) * x_scale * w_scale.T


@pytest.mark.parametrize("rows", [1, 2, 7, 33])
def test_int8_is_the_arithmetic_it_says_it_is(rows: int) -> None:
    x_MK, weight_NK, bias_N = random(rows, 96), random(40, 96, seed=1), random(40, seed=2)
    expected_MN = by_hand_int8(x_MK.numpy(), weight_NK.numpy()) + bias_N.numpy()
    np.testing.assert_allclose(Int8(weight_NK, bias_N)(x_MK).numpy(), expected_MN, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rows", [1, FEW])
def test_int4_is_the_arithmetic_it_says_it_is(rows: int) -> None:
    x_MK, weight_NK = random(rows, 96).bfloat16(), random(48, 96, seed=1)
    low, high = (getattr(weight_NK.view(48, -1, GROUP), name)(-1) for name in ("amin", "amax"))
    q_NK, scales_GN2 = quantised_groups(weight_NK)
    scale_NG, middle_NG = (scales_GN2[..., part].t().numpy() for part in (0, 1))
    np.testing.assert_allclose(scale_NG, (high - low).numpy() / 15, rtol=2**-8)
    held_NK = (q_NK.numpy().reshape(48, -1, GROUP) - 8) * scale_NG[..., None] + middle_NG[..., None]
    assert np.abs(held_NK.reshape(48, 96) - weight_NK.numpy()).max() <= 0.6 * scale_NG.max()  # to the nearest
    expected_MN = x_MK.float().numpy() @ held_NK.reshape(48, 96).T
    found_MN = Int4(weight_NK, None)(x_MK).float().numpy()
    np.testing.assert_allclose(found_MN, expected_MN, atol=0.02 * np.abs(expected_MN).max())


def test_more_rows_than_few_are_multiplied_in_int8() -> None:
    x_MK, weight_NK = random(FEW + 1, 64).bfloat16(), random(32, 64, seed=1)
    assert torch.equal(Int4(weight_NK, None)(x_MK), Int8(weight_NK, None)(x_MK))
    assert not torch.equal(Int4(weight_NK, None)(x_MK[:FEW]), Int8(weight_NK, None)(x_MK[:FEW]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("bias", [True, False])
def test_packed_is_torchs_product(dtype: torch.dtype, bias: bool) -> None:
    x_MK, weight_NK = random(5, 64).to(dtype), random(48, 64, seed=1).to(dtype)
    bias_N = random(48, seed=2).to(dtype) if bias else None
    expected_MN = F.linear(x_MK.float(), weight_NK.float(), None if bias_N is None else bias_N.float())
    for kind in (Packed, Plain):
        found_MN = kind(weight_NK, bias_N)(x_MK)
        assert found_MN.dtype == dtype
        torch.testing.assert_close(found_MN.float(), expected_MN, rtol=2e-2 if dtype == torch.bfloat16 else 1e-5, atol=5e-2 if dtype == torch.bfloat16 else 1e-5)  # fmt: skip


def test_rows_of_zeros_and_of_what_is_no_number() -> None:
    x_MK = random(4, 32)
    x_MK[1], x_MK[2, 5], x_MK[3, 7] = 0.0, float("nan"), float("inf")
    y_MN = Int8(random(16, 32, seed=1), None)(x_MK)
    assert y_MN[0].isfinite().all()
    assert torch.equal(y_MN[1], torch.zeros(16))
    assert y_MN[2].isnan().all()  # and not a number that looks like one
    assert not y_MN[3].isfinite().any()
