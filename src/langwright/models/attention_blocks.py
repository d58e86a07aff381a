"""Attention and its gradient as batched matrix products over blocks, for processors without a fast kernel.

torch's flash kernel for the CPU multiplies tile by tile; at the widths of small models that runs far
below what one large matrix product reaches. Here each block is one product for all heads at once.

Subtracting a number from a whole row of scores before the exponential costs no pass over the scores:
queries carry it in spare columns against ones in the keys, so the product itself subtracts it, with
float32 accumulation. In bfloat16 the number is split into three summands, which keeps 24 bits of it.

Source    Dao et al. 2022, arXiv:2205.14135: algorithm 1 (forward), algorithm 4 (gradient)
          Ainslie et al. 2023, arXiv:2305.13245: the G query heads of one key head are more rows of its block
Shapes    M documents    K key heads    G query heads of a key head    L positions    H head width
          C = M · K    W = H and the spare columns    R rows of a block    E columns of a block
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

BLOCK = 256  # positions; 128 wastes less above the diagonal but multiplies smaller matrices: slower on AVX-512 and AMX
BUDGET = 1 << 20  # scores in flight: two bfloat16 buffers of 2 MiB stay in the second-level caches


def attend_blocks(
    q_MNLH: Tensor, k_MKLH: Tensor, v_MKLH: Tensor, scale: float, *, causal: bool = True
) -> tuple[Tensor, Tensor]:
    """Softmax attention of each position to itself and those before it; with `causal` off, to all positions.

    returns  out (M, N, L, H), and the logarithm of each row's sum of exponentials (M, N, L), float32 or float64
    """
    M, N, L, H = q_MNLH.shape
    K = k_MKLH.shape[1]
    G = N // K
    dtype, exact = q_MNLH.dtype, accumulation_type(q_MNLH.dtype)
    spare = spare_columns(dtype)
    q_CGLW = widened(q_MNLH, [0.0] * spare, scale).view(M * K, G, L, -1)
    k_CLW = widened(k_MKLH, [1.0] * spare).view(M * K, L, -1)
    v_CLH = v_MKLH.reshape(M * K, L, H)
    out_CGLH = q_CGLW.new_empty(M * K, G, L, H)
    lse_CGL = torch.empty(M * K, G, L, dtype=exact, device=q_MNLH.device)
    above_RR = torch.full((min(BLOCK, L), min(BLOCK, L)), float("-inf"), dtype=dtype).triu_(1)
    for begin in range(0, L, BLOCK):
        end = min(L, begin + BLOCK)
        R, seen = end - begin, end if causal else L
        for heads in head_slices(M * K, G * R * seen):
            q_crW = q_CGLW[heads, :, begin:end].reshape(-1, G * R, q_CGLW.shape[-1])
            k_cWE = k_CLW[heads, :seen].transpose(1, 2)
            scores_crE = torch.bmm(q_crW, k_cWE)
            if causal:
                diagonal(scores_crE, G, begin).add_(above_RR[:R, :R])
            top_cr1 = scores_crE.amax(-1, keepdim=True).to(exact)
            carry(q_crW, -top_cr1[..., 0], H, spare)
            torch.bmm(q_crW, k_cWE, out=scores_crE)  # again, now less the row's largest: precise where it matters
            weights_crE = scores_crE.exp_()
            if causal:
                diagonal(weights_crE, G, begin).tril_()
            sums_cr1 = weights_crE.sum(-1, keepdim=True, dtype=exact)
            out_crH = (torch.bmm(weights_crE, v_CLH[heads, :seen]) / sums_cr1).to(dtype)
            out_CGLH[heads, :, begin:end] = out_crH.view(-1, G, R, H)
            lse_CGL[heads, :, begin:end] = (top_cr1 + sums_cr1.log()).view(-1, G, R)
    return out_CGLH.view(M, N, L, H), lse_CGL.view(M, N, L)


def attend_blocks_backward(
    dout_MNLH: Tensor,
    q_MNLH: Tensor,
    k_MKLH: Tensor,
    v_MKLH: Tensor,
    out_MNLH: Tensor,
    lse_MNL: Tensor,
    scale: float,
    *,
    causal: bool = True,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of queries, keys and values, contiguous and in the dtype of the queries.

    Blocks are of columns: a key's and a value's gradient is then one product over all later rows, with
    one rounding; only the queries' is summed over blocks, in float32.
    """
    M, N, L, H = q_MNLH.shape
    K = k_MKLH.shape[1]
    G = N // K
    dtype, exact = q_MNLH.dtype, accumulation_type(q_MNLH.dtype)
    spare = spare_columns(dtype)
    through_MNL = (dout_MNLH.to(exact) * out_MNLH.to(exact)).sum(-1)
    q_CGLW = widened(q_MNLH, summands(-lse_MNL, dtype, spare), scale).view(M * K, G, L, -1)
    dout_CGLW = widened(dout_MNLH, summands(-through_MNL, dtype, spare)).view(M * K, G, L, -1)
    k_CLW = widened(k_MKLH, [1.0] * spare).view(M * K, L, -1)
    v_CLW = widened(v_MKLH, [1.0] * spare).view(M * K, L, -1)
    dq_CGLH = torch.zeros(M * K, G, L, H, dtype=exact, device=q_MNLH.device)
    dk_CLH, dv_CLH = k_CLW.new_empty(M * K, L, H), v_CLW.new_empty(M * K, L, H)
    for begin in range(0, L, BLOCK):
        end = min(L, begin + BLOCK)
        first = begin if causal else 0  # of the rows that see these columns
        for heads in head_slices(M * K, G * (L - first) * (end - begin)):
            q_crW = q_CGLW[heads, :, first:].flatten(1, 2)
            dout_crW = dout_CGLW[heads, :, first:].flatten(1, 2)
            weights_crE = torch.bmm(q_crW, k_CLW[heads, begin:end].transpose(1, 2)).exp_()
            if causal:
                weights_crE.view(-1, G, L - begin, end - begin)[:, :, : end - begin].tril_()
            dscores_crE = torch.bmm(dout_crW, v_CLW[heads, begin:end].transpose(1, 2)).mul_(weights_crE)
            dv_CLH[heads, begin:end] = torch.bmm(weights_crE.transpose(1, 2), dout_crW[..., :H])
            dk_CLH[heads, begin:end] = torch.bmm(dscores_crE.transpose(1, 2), q_crW[..., :H])
            dq_crH = torch.bmm(dscores_crE, k_CLW[heads, begin:end, :H])
            dq_CGLH[heads, :, first:] += dq_crH.view(-1, G, L - first, H)
    dq_MNLH = dq_CGLH.mul_(scale).to(dtype).view(M, N, L, H)
    return dq_MNLH, dk_CLH.view(M, K, L, H), dv_CLH.view(M, K, L, H)


def accumulation_type(dtype: torch.dtype) -> torch.dtype:
    """What sums over positions are kept in."""
    return torch.float64 if dtype is torch.float64 else torch.float32


def spare_columns(dtype: torch.dtype) -> int:
    """Summands that hold a number of the accumulation type: three of 8 bits for bfloat16, else the number itself."""
    return 3 if dtype is torch.bfloat16 else 1


def head_slices(count: int, scores_per_head: int) -> list[slice]:
    """Cut C heads so that the scores of a part stay near the caches."""
    step = max(1, BUDGET // scores_per_head)
    return [slice(begin, begin + step) for begin in range(0, count, step)]


def widened(x_H: Tensor, extra: Sequence[float | Tensor], scale: float | None = None) -> Tensor:
    """A contiguous copy, times `scale`, with spare columns after the H of its last dimension.

    The width is a multiple of 16, the rest zero: odd widths multiply more slowly.
    """
    H = x_H.shape[-1]
    wide_W = x_H.new_empty(*x_H.shape[:-1], -(-(H + len(extra)) // 16) * 16)
    if scale is None:
        wide_W[..., :H] = x_H
    else:
        torch.mul(x_H, scale, out=wide_W[..., :H])
    wide_W[..., H:] = 0
    for number, value in enumerate(extra):
        wide_W[..., H + number] = value
    return wide_W


def summands(x: Tensor, dtype: torch.dtype, count: int) -> list[Tensor]:
    """Numbers of a narrow type whose sum is `x`, the largest first."""
    found = []
    for _ in range(count):
        found.append(x.to(dtype))
        x = x - found[-1].to(x.dtype)
    return found


def carry(q_crW: Tensor, x_cr: Tensor, H: int, spare: int) -> None:
    """Put a number for each row into the spare columns, in place."""
    for number, value in enumerate(summands(x_cr, q_crW.dtype, spare)):
        q_crW[..., H + number] = value


def diagonal(scores_crE: Tensor, G: int, begin: int) -> Tensor:
    """The square of a row block above which nothing may be seen, shape (c, G, R, R); a view."""
    c, rows, E = scores_crE.shape
    return scores_crE.view(c, G, rows // G, E)[..., begin:]
