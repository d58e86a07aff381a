"""What a person asks to have remembered or forgotten, in so many words; nothing is guessed from what they say otherwise."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from langwright.metrics.units import units

MOST = 100  # facts of one person
LONGEST = 500  # characters of one
_BEGIN = r"(?:^|[。！？.!?\n]\s*)"
REMEMBER = re.compile(
    rf"{_BEGIN}(?:(?:please\s+)?remember(?:\s+that|\s*:)\s+(?P<en>[^\n.!?]+(?:\.\d[^\n.!?]*)*)"
    r"|(?:请|帮我|请你)?记住[，,：:\s]*(?P<zh>[^\n。！？!?]+))(?P<end>[?？]?)",
    re.IGNORECASE,
)
FORGET = re.compile(
    rf"{_BEGIN}(?:(?:please\s+)?forget(?:\s+that|\s*:)\s+(?P<en>[^\n.!?]+)"
    r"|(?:请|帮我|请你)?(?:忘记|忘掉)[，,：:\s]*(?P<zh>[^\n。！？!?]+))(?P<end>[?？]?)",
    re.IGNORECASE,
)
EVERYTHING = re.compile(
    rf"{_BEGIN}(?:(?:please\s+)?forget\s+everything(?:\s+(?:about|you\s+know\s+about)\s+me)?"
    r"|(?:请|帮我|请你)?(?:忘记|忘掉)(?:关于|有关)?我的?(?:一切|所有信息|全部信息))\s*[。.!！]*\s*$",
    re.IGNORECASE,
)
ALIKE = 0.6  # of the pieces of what is to be forgotten, the share that a fact must have


@dataclass(frozen=True)
class Wish:
    """What one turn asks for."""

    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    everything: bool = False

    def __bool__(self) -> bool:
        return bool(self.keep or self.drop or self.everything)


@dataclass(frozen=True)
class Remembered:
    """What was done about it.

    note  why it was not done, where it was not
    """

    kept: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    note: str = ""


def wish_of(said: str) -> Wish:
    """What a turn asks to have remembered or forgotten; a question about it asks for nothing.

    >>> wish_of("Please remember that I am a vegetarian. What is for dinner?").keep
    ('I am a vegetarian',)
    >>> wish_of("请记住：我对花生过敏。").keep, wish_of("Do you remember that day?").keep
    (('我对花生过敏',), ())
    >>> wish_of("忘掉关于我的一切").everything, wish_of("Forget that I am a vegetarian").drop
    (True, ('I am a vegetarian',))
    """
    if EVERYTHING.search(said):
        return Wish(everything=True)
    return Wish(tuple(found(REMEMBER, said)), tuple(found(FORGET, said)))


def found(pattern: re.Pattern[str], said: str) -> list[str]:
    """What is asked for; nothing where it is a question."""
    parts = [(match["en"] or match["zh"]).strip() for match in pattern.finditer(said) if not match["end"]]
    return [part[:LONGEST] for part in parts if part and not part.endswith(("吗", "呢", "么"))]


def changed(facts: Mapping[str, str], wish: Wish) -> tuple[dict[str, str], Remembered]:
    """The facts after a wish, and what was done.

    >>> changed({}, Wish(keep=("I like tea",)))[0]
    {'1': 'I like tea'}
    >>> changed({"1": "I like tea", "2": "I live in Oslo"}, Wish(drop=("I like tea",)))[0]
    {'2': 'I live in Oslo'}
    """
    after = {} if wish.everything else dict(facts)
    gone = list(facts.values()) if wish.everything else []
    for one in wish.drop:
        for name in [name for name, said in after.items() if same(one, said)]:
            gone.append(after.pop(name))
    kept = []
    for one in wish.keep:
        if one not in after.values() and len(after) < MOST:
            number = next(n for n in range(1, MOST + 2) if str(n) not in after)
            after[str(number)] = one
            kept.append(one)
    return after, Remembered(tuple(kept), tuple(gone))


def same(one: str, fact: str) -> bool:
    """Whether a fact is what somebody wants forgotten: it has most of its words and characters."""
    wanted, has = [unit for unit in units(one) if unit.isalnum()], set(units(fact))
    return bool(wanted) and sum(unit in has for unit in wanted) >= ALIKE * len(wanted)
