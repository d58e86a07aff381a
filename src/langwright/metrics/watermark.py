"""How often a watermark is found where it is, and where it is not."""

from __future__ import annotations

from langwright.measures import Measure
from langwright.metrics.intervals import wilson
from langwright.metrics.yardsticks import Yardstick

POWER = Yardstick(
    name="watermark found in {length} tokens", unit="share", better="higher",
    method="share of {n} texts of {length} tokens called marked where {allowed} of unmarked texts may be; {mark}, each text under a key of its own, the prompt unknown, repeated n-grams counted once; interval: Wilson",
    does_not_show="other models, temperatures or kinds of text: what can be foreseen carries little of a mark",
)  # fmt: skip

ROBUSTNESS = Yardstick(
    name="watermark found in {length} tokens, {edited} replaced", unit="share", better="higher",
    method="the same after {edited} of the tokens, drawn at random, were replaced by tokens of other texts; {n} texts; interval: Wilson",
    does_not_show="what a paraphrase, a translation or someone who knows the method leaves of it",
)  # fmt: skip

FALSE_ALARM = Yardstick(
    name="unmarked text called marked, {length} tokens", unit="share", better="lower",
    method="share of {n} pairs of an unmarked text of {length} tokens and a key, where {allowed} may be; interval: Wilson",
    does_not_show="texts under one key that say the same again and again",
)  # fmt: skip


def share_found(
    kind: Yardstick, found: int, n: int, *, length: int, allowed: str, mark: str = "", edited: str = ""
) -> Measure:
    """One share of texts, with Wilson's interval.

    length   tokens of each text
    allowed  share of unmarked texts that may be called marked
    mark     kind of watermark
    edited   share of the tokens that were replaced
    """
    return kind.measure(
        found / n, wilson(found, n), n=n, name=kind.name.format(length=length, edited=edited),
        length=length, allowed=allowed, mark=mark, edited=edited,
    )  # fmt: skip
