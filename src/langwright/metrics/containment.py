"""Whether a reply contains the phrase that a right one must contain."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from langwright.data.characters import CHARACTERS
from langwright.measures import Measure
from langwright.metrics.intervals import wilson
from langwright.metrics.yardsticks import Yardstick

CONTAINMENT = Yardstick(
    name="replies with the expected phrase", unit="share", better="higher",
    method="share of {n} greedy replies that contain the expected phrase, letter case, full-width forms and white space set aside; Wilson interval",
    does_not_show="whether the rest of the reply is right, or other phrasings would be; a phrase learned by heart counts",
)  # fmt: skip

_BESIDE_CHARACTERS = re.compile(rf"(?<=[{CHARACTERS}])\s+|\s+(?=[{CHARACTERS}])")


def normalised(text: str) -> str:
    """Full-width forms made plain (NFKC), letter case folded, white space one blank and none beside Chinese characters.

    >>> normalised("ＧＤＰ  是 国内\\n生产总值")
    'gdp是国内生产总值'
    """
    plain = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(_BESIDE_CHARACTERS.sub("", plain).split())


def contains(reply: str, phrase: str) -> bool:
    """True when the reply contains the phrase after both are normalised; ValueError for a phrase that is blank."""
    wanted = normalised(phrase)
    if not wanted:
        raise ValueError("the expected phrase is blank")
    return wanted in normalised(reply)


def containment(replies: Sequence[str], phrases: Sequence[str]) -> Measure:
    """Share of replies that contain their phrase; ValueError when lengths differ or nothing is given."""
    if len(replies) != len(phrases) or not replies:
        raise ValueError(f"{len(replies)} replies for {len(phrases)} phrases")
    hits = sum(contains(reply, phrase) for reply, phrase in zip(replies, phrases, strict=True))
    return CONTAINMENT.measure(hits / len(replies), wilson(hits, len(replies)), n=len(replies))
