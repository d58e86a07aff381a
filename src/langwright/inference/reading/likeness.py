"""Whether a model that reads still says what it said: its outputs for some texts, before and after it is made ready.

Shapes    T positions    C outputs
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from langwright.inference.kernels.quality import Gate
from langwright.inference.kernels.sharing import said_in
from langwright.inference.precision import Precision
from langwright.models.parity import is_nested
from langwright.objectives.texts import TextBatch, padded, read_by

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MOST_APART: dict[Precision, float] = {"float32": 1e-4, "bfloat16": 0.03, "int8": 0.03, "int4": 0.03}
"""How far outputs may be from those of the model as it came: root mean square, as a share of their own."""
TEXTS = (
    "Rain.",
    "下雨了。",
    "The museum opens at nine on weekdays and stays closed on Mondays, except in July.",
    "博物馆周二至周日九点开放，周一闭馆，七月除外；学生凭证件可以半价入场。",
    "She bought two tickets for 18.50 each, waited for an hour in the cold, and found the concert well worth it.",
    "他把昨天写好的报告又读了一遍，改掉了三处错字，然后在傍晚之前寄给了住在成都的编辑。",
    "Prices rose by 3.2 per cent in March. Most of it was bread, milk and fuel; rents, which had risen every month since "
    "last summer, stayed where they were. The central bank meets again on Thursday, and few expect it to do anything.",
    "今年春天，村里的老桥终于修好了。孩子们上学不必再绕远路，卖菜的人也能早一个钟头赶到集市。"
    "修桥的师傅说，石头还是原来的石头，只是每一块都重新凿过、量过，放回了它该在的地方。",
)
"""Texts of both languages and several lengths that models are tried on."""


@dataclass(frozen=True)
class Likeness:
    """Outputs beside those of the model as it came.

    apart      root mean square of the differences, as a share of that of the outputs
    agreement  share of outputs of which the largest number is the same one
    """

    apart: float
    agreement: float
    most: float

    def holds(self) -> bool:
        """Whether they are near enough; never for what is not a number."""
        return self.apart <= self.most


class Outputs(Gate):
    """What a model says of some texts, each read alone."""

    def __init__(self, model: PreTrainedModel, rows: Sequence[NDArray[Any]], precision: Precision) -> None:
        """rows: token ids of each text."""
        self.texts = list(rows)
        self.rows = [torch.from_numpy(row)[None] for row in self.texts]
        self.most = MOST_APART[precision]
        self.before = self.alone(model)

    def alone(self, model: PreTrainedModel) -> list[Tensor]:
        """What a model says of each by itself."""
        return [said for row in self.texts for said in outputs_of(model, [row])]

    def quality(self, model: PreTrainedModel) -> Likeness:
        """Each text read alone."""
        return self.beside(self.alone(model))

    def together(self, model: PreTrainedModel) -> Likeness:
        """All texts read as one batch."""
        return self.beside(outputs_of(model, self.texts))

    def beside(self, after: Sequence[Tensor]) -> Likeness:
        """Later outputs beside the first ones."""
        apart = sum(float((one - other).square().sum()) for one, other in zip(self.before, after, strict=True))
        size = sum(float(one.square().sum()) for one in self.before)
        same = torch.cat([one.argmax(-1) == other.argmax(-1) for one, other in zip(self.before, after, strict=True)])
        return Likeness((apart / max(size, 1e-30)) ** 0.5, float(same.float().mean()), self.most)


@torch.inference_mode()
def outputs_of(model: PreTrainedModel, rows: Sequence[NDArray[Any]], pad: int = 0) -> list[Tensor]:
    """What a model says of each row of a batch: (T, C) float32 of its own positions, or (1, C) where it says one thing."""
    tokens_BT, mask_BT = padded(rows, pad if model.config.pad_token_id is None else model.config.pad_token_id)
    if is_nested(model):
        tokens_BT, mask_BT = tokens_BT[:, None], mask_BT[:, None]
    said = said_in(read_by(model, TextBatch(tokens_BT, mask_BT))).float().cpu()
    if said.dim() == 2:
        return list(said[:, None])
    return [one[: len(row)] for one, row in zip(said, rows, strict=True)]


def trial_rows(tokenizer: PreTrainedTokenizerBase, length: int) -> list[NDArray[Any]]:
    """The texts' token ids, at most so many each; texts of none are left out."""
    import numpy as np

    rows = tokenizer(list(TEXTS), verbose=False)["input_ids"]
    return [np.array(row[:length], dtype=np.int64) for row in rows if row]
