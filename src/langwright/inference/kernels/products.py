"""Matrix products of a serving model: weights packed once, then multiplied by rows of activations.

Every kind computes y = x W^T + b for x of shape (M, K):

    plain   torch's own product, in whatever type the weight has
    packed  the weight laid out once as oneDNN wants it, float32 or bfloat16
    int8    W8A8: each output channel of the weight and each row of activations has its own scale, signed and
            symmetric; the products are summed exactly in int32, so a row's result depends on that row alone
    int4    weights of 4 bits in groups of 32 along K, activations as they are; a kernel for very few rows, so
            more rows than `FEW` go to int8

Source    Dettmers et al. 2022, arXiv:2208.07339, section 2.1 (absolute-maximum scaling) and section 3.1
          (one scale a row and a column)
          Frantar et al. 2022, arXiv:2210.17323, section 4, "Practical Speedups" (groups of weights with
          their own scale)
Differs   nothing is kept back for outliers; the quality gate keeps whole layers in bfloat16 instead. 4-bit
          weights are rounded to nearest, not by second-order information
Shapes    M rows    K inputs    N outputs    G groups of 32 inputs
"""

from __future__ import annotations

from typing import Literal, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

Kind = Literal["plain", "packed", "int8", "int4"]
GROUP = 32  # inputs that share a scale in int4
ZERO = 128  # what stands for 0 in rows of activations
LEAST = 1e-30  # a step that is no number's own, so that rows of zeros divide too
FEW = 4  # rows up to which the int4 kernel is the faster one


class Product(Protocol):
    """y = x W^T + b with a weight that was prepared once."""

    kind: Kind
    outputs: int

    def __call__(self, x_MK: Tensor) -> Tensor:
        """(M, K) to (M, N), in the type of x."""
        ...


class Plain:
    """torch's own product; the weight is shared with the model, nothing is copied."""

    kind: Kind = "plain"

    def __init__(self, weight_NK: Tensor, bias_N: Tensor | None) -> None:
        self.weight_NK, self.bias_N, self.outputs = weight_NK, bias_N, weight_NK.shape[0]

    def __call__(self, x_MK: Tensor) -> Tensor:
        """(M, K) to (M, N)."""
        return F.linear(x_MK, self.weight_NK, self.bias_N)


class Packed:
    """oneDNN's product with a weight laid out once, float32 or bfloat16."""

    kind: Kind = "packed"

    def __init__(self, weight_NK: Tensor, bias_N: Tensor | None) -> None:
        self.weight = torch.ops.mkldnn._reorder_linear_weight(weight_NK.contiguous())
        self.bias_N, self.outputs = bias_N, weight_NK.shape[0]

    def __call__(self, x_MK: Tensor) -> Tensor:
        """(M, K) to (M, N)."""
        y_MN: Tensor = torch.ops.mkldnn._linear_pointwise(x_MK, self.weight, self.bias_N, "none", [], "")
        return y_MN


class Int8:
    """W8A8 with exact sums. The bias and the rows' scales are applied in float32.

    The kernel is handed rows as unsigned numbers with a zero point of 128, and takes that off again: oneDNN has fast
    kernels for signed rows on processors with AMX only, and on others a reference that is thousands of times slower.
    """

    kind: Kind = "int8"

    def __init__(self, weight_NK: Tensor, bias_N: Tensor | None) -> None:
        q_NK, scale_N = quantised_rows(weight_NK.float())
        self.weight = torch.ops.onednn.qlinear_prepack(q_NK.contiguous(), None)
        self.scale_N, self.zero_N = scale_N[:, 0].contiguous(), torch.zeros(len(scale_N), dtype=torch.int32)
        self.bias_N = None if bias_N is None else bias_N.float()
        self.outputs = weight_NK.shape[0]

    def __call__(self, x_MK: Tensor) -> Tensor:
        """(M, K) to (M, N)."""
        scale_M1 = row_scales(x_MK)
        y_MN = self.scaled((x_MK / scale_M1).add_(ZERO + 0.5).to(torch.uint8)).mul_(scale_M1)  # cut off, so rounded
        if self.bias_N is not None:
            y_MN.add_(self.bias_N)
        return y_MN.to(x_MK.dtype)

    def scaled(self, q_MK: Tensor) -> Tensor:
        """The exact integer products of uint8 rows, `ZERO` taken off, times the weight's scales, float32."""
        y_MN: Tensor = torch.ops.onednn.qlinear_pointwise(
            q_MK, 1.0, ZERO, self.weight, self.scale_N, self.zero_N, None, 1.0, 0, torch.float32, "none", [], ""
        )
        return y_MN


class Int4:
    """Weights of 4 bits for few rows; more rows than that are multiplied in int8, whose pack is held beside."""

    kind: Kind = "int4"

    def __init__(self, weight_NK: Tensor, bias_N: Tensor | None, few: int = FEW) -> None:
        """few: rows up to which 4 bits are taken; for any number of rows, give a number that is never reached."""
        q_NK, scales_GN2 = quantised_groups(weight_NK.float())
        self.weight = torch.ops.aten._convert_weight_to_int4pack_for_cpu(q_NK, 1)
        self.scales_GN2 = scales_GN2.to(torch.bfloat16)
        self.bias_N = None if bias_N is None else bias_N.to(torch.bfloat16)
        self.outputs, self.few, self.many = weight_NK.shape[0], few, Int8(weight_NK, bias_N)

    def __call__(self, x_MK: Tensor) -> Tensor:
        """(M, K) to (M, N)."""
        if x_MK.shape[0] > self.few:
            return self.many(x_MK)
        y_MN: Tensor = torch.ops.aten._weight_int4pack_mm_for_cpu(
            x_MK.to(torch.bfloat16), self.weight, GROUP, self.scales_GN2
        )
        return (y_MN if self.bias_N is None else y_MN + self.bias_N).to(x_MK.dtype)


def row_scales(x_MK: Tensor) -> Tensor:
    """What one step of 127 stands for in each row, float32 (M, 1); `LEAST` for a row of zeros."""
    size_MK = x_MK.abs() if x_MK.dtype == torch.float32 else x_MK.float().abs_()  # a norm takes 16 times as long
    return (
        size_MK.amax(-1, keepdim=True).div_(127).clamp_(min=LEAST)
    )  # NaN stays NaN, so that nobody takes it for a number


def quantised_rows(x_MK: Tensor) -> tuple[Tensor, Tensor]:
    """(int8 values, float32 scale of each row (M, 1))."""
    scale_M1 = row_scales(x_MK)
    return (x_MK / scale_M1).round_().to(torch.int8), scale_M1


def quantised_groups(weight_NK: Tensor) -> tuple[Tensor, Tensor]:
    """(values 0 to 15 as int32 (N, K), scale and middle of each group (G, N, 2)).

    A value q stands for (q - 8) × scale + middle, as the kernel reads it.
    """
    groups_NGK = weight_NK.reshape(len(weight_NK), -1, GROUP)
    low_NG1, high_NG1 = groups_NGK.aminmax(dim=-1, keepdim=True)
    scale_NG1 = ((high_NG1 - low_NG1) / 15).clamp(min=1e-6).bfloat16().float()  # as the kernel will read them
    middle_NG1 = (low_NG1 + 8 * scale_NG1).bfloat16().float()
    q_NGK = ((groups_NGK - middle_NG1) / scale_NG1 + 8).round_().clamp_(0, 15).to(torch.int32)
    scales_NG2 = torch.cat([scale_NG1, middle_NG1], dim=-1)
    return q_NGK.flatten(1), scales_NG2.transpose(0, 1).contiguous()
