"""A longer context than a model was trained with, by scaling its rotary positions when it is opened.

linear  every position divided by the factor: Chen et al. 2023, arXiv:2306.15595, equation 4
ntk     the base θ raised to θ · factor^(d / (d - 2)), which leaves near positions apart and stretches far ones:
        "NTK-aware" scaling, as in Peng et al. 2023, arXiv:2309.00071, section 3.1, equation 16
yarn    fast turning pairs as they are, slow ones divided, a ramp between, and attention made sharper: Peng et al. 2023,
        section 3.4, as transformers computes it

Nothing is learned here: what a model makes of positions that it never saw has to be measured, and a short training at
the longer context is what the papers do next.

Differs   the dynamic kinds, whose angles change with the length of a text, are not offered: keys that are kept would
          have been turned by other angles than those that come after them
"""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import Field

from langwright.errors import UserError, unknown
from langwright.settings import Settings

if TYPE_CHECKING:
    from transformers import PreTrainedConfig

StretchKind = Literal["linear", "ntk", "yarn"]


class Stretch(Settings):
    """How positions are scaled."""

    kind: Annotated[StretchKind, Field(description="Which pairs of a head's numbers are slowed down, and how much")] = (
        "yarn"
    )
    factor: Annotated[float, Field(gt=1, le=64, description="How many times as long the context becomes")] = 2.0


def read_stretch(text: str) -> Stretch:
    """A way to stretch as `kind:factor`.

    >>> read_stretch("yarn:4")
    Stretch(kind='yarn', factor=4.0)
    """
    kind, _, number = text.partition(":")
    if kind not in get_args(StretchKind):
        raise unknown("way to stretch", kind, get_args(StretchKind))
    try:
        factor = float(number)
    except ValueError:
        factor = 0.0
    if not 1 < factor <= 64:
        raise UserError(
            "{text} does not say how many times as long the context becomes",
            fix="give a number above 1 and at most 64 behind a colon, as in yarn:2",
            text=text,
        )
    return Stretch(kind=kind, factor=factor)  # type: ignore[arg-type]


def stretched(config: PreTrainedConfig, stretch: Stretch) -> PreTrainedConfig:
    """A copy of a configuration whose positions are scaled.

    raises  UserError for a model without rotary positions of one kind, or whose positions are scaled already
    """
    length: int | None = getattr(config, "max_position_embeddings", None)
    rope: dict[str, Any] | None = getattr(config, "rope_parameters", None)
    if not rope or "rope_theta" not in rope or length is None:
        raise UserError(
            "a {kind} cannot be stretched: it has no rotary positions, or several kinds of them",
            fix="leave --stretch out; long texts are read in parts, and --slide drops the oldest tokens",
            kind=config.model_type,
        )
    if rope.get("rope_type", "default") != "default":
        raise UserError(
            "its positions are scaled already, by {kind}", fix="leave --stretch out", kind=rope.get("rope_type")
        )
    longer = copy.deepcopy(config)
    longer.max_position_embeddings = int(length * stretch.factor)
    longer.rope_parameters = {**rope, **scaled(config, stretch, length)}
    return longer


def scaled(config: PreTrainedConfig, stretch: Stretch, length: int) -> dict[str, Any]:
    """What changes in the parameters of rotary positions, as transformers names them."""
    theta = config.rope_parameters["rope_theta"]
    if stretch.kind == "linear":
        return {"rope_type": "linear", "factor": stretch.factor}
    if stretch.kind == "ntk":
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        turned = int(width * config.rope_parameters.get("partial_rotary_factor", 1.0))
        return {"rope_type": "default", "rope_theta": theta * stretch.factor ** (turned / (turned - 2))}
    return {"rope_type": "yarn", "factor": stretch.factor, "original_max_position_embeddings": length}
