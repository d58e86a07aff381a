"""How many texts hold what their task's verifiers look at."""

from __future__ import annotations

from collections.abc import Sequence

from langwright.measures import Measure
from langwright.metrics.intervals import wilson
from langwright.metrics.yardsticks import Yardstick

HELD = Yardstick(
    name="checks held", unit="share", better="higher",
    method="share of {n} texts that hold every verifier of their task; Wilson's interval",
    does_not_show="whether a text is good, true, or means what it should; a verifier sees only what it looks at",
)  # fmt: skip


def held(texts: Sequence[bool]) -> Measure:
    """Of texts, each True where it holds.

    raises  ValueError where there are none
    """
    if not texts:
        raise ValueError("no texts")
    return HELD.measure(sum(texts) / len(texts), wilson(sum(texts), len(texts)), n=len(texts))
