"""How the requests to a model run, and what came of guessed tokens, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langwright.inference.protocol import Tiered
from langwright.wording import say

if TYPE_CHECKING:
    from langwright.tasks.front.loading import Model

WAYS = {
    "packed": "requests to {name} run packed, all in one pass",
    "padded": "requests to {name} run in padded batches: {reason}",
    "single": "requests to {name} run one at a time: {reason}",
}


def tier_of(model: Model) -> tuple[str, str]:
    """(how its requests run, why not in a better way); both empty where that is not ours to know."""
    engine = getattr(model.text, "engine", None)
    return engine.way() if isinstance(engine, Tiered) else ("", "")


def way_of(model: Model) -> str:
    """How the requests to a model run, and why not better; nothing where that is not ours to know."""
    tier, reason = tier_of(model)
    return say(WAYS[tier], name=model.name, reason=reason) if tier else ""


def guessed_of(model: Model) -> str:
    """How many tokens were guessed and kept; nothing where none were."""
    guessed = getattr(getattr(model.text, "engine", None), "guessed", None)
    if guessed is None or not guessed.made:
        return ""
    return say(
        "({made} tokens were guessed, {kept} of them kept: {share:.0%})",
        made=guessed.made,
        kept=guessed.kept,
        share=guessed.share,
    )
