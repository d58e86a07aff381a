"""The scale of a loss whose gradients are computed in float16, so that small ones do not vanish.

Source    Micikevicius et al. 2018, arXiv:1710.03740, section 3.2 (the loss is scaled before the backward pass, and
          the gradients are scaled back before they are clipped); the scale is found on the way, with the numbers of
          torch.amp.GradScaler: it begins at 2^16, is halved where a gradient overflows and doubled after 2,000 updates
          without that
Differs   an update whose gradients overflow is made again with half the scale and not left out, so that no rows are
          lost and as many updates are made as were planned
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from langwright.errors import UserError
from langwright.training.crew import Crew
from langwright.training.gradients import GradientRule, Sum

FIRST = 2.0**16
LEAST = 2.0**-14  # below it float16 holds no more of a gradient than without a scale
PATIENCE = 2000


def scale_for(dtype: str, rule: GradientRule) -> LossScale | None:
    """The scale that a type of computation needs; None where it needs none.

    raises  UserError for float16 with a rule that compares gradients as they come, still scaled
    """
    if dtype != "float16":
        return None
    if type(rule) is not Sum:
        raise UserError(
            "with dtype float16 gradients come scaled, and this gradient rule compares them as they are",
            fix="leave gradients out, or take dtype bfloat16, which needs no scale",
        )
    return LossScale()


class LossScale:
    """What a loss is multiplied with before its backward pass."""

    def __init__(self) -> None:
        self.scale = FIRST
        self.held = 0  # updates in a row without an overflow

    def back(self, weights: Sequence[nn.Parameter], loss: Tensor, crew: Crew) -> bool:
        """Divide the gradients by the scale; False where they had overflowed and the update is to be made again.

        True also where another scale would not help: the loss itself is no number, or the scale is as small as it may be.
        """
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        torch._foreach_mul_(gradients, 1 / self.scale)
        finite = bool(torch.isfinite(crew.whole(nn.utils.get_total_norm(gradients))))
        if finite or not torch.isfinite(loss) or self.scale <= LEAST:
            self.held += 1
            if self.held == PATIENCE:
                self.scale, self.held = self.scale * 2, 0
            return True
        self.scale, self.held = self.scale / 2, 0
        return False

    def state_dict(self) -> dict[str, Tensor]:
        """What a resume needs."""
        return {"scale": torch.tensor(self.scale, dtype=torch.float64), "held": torch.tensor(self.held)}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take back what `state_dict` gave."""
        self.scale, self.held = float(state["scale"]), int(state["held"])
