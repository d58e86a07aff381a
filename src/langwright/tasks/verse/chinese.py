"""Chinese forms of verse: regulated quatrains and poems of eight lines, and some tunes of Song lyrics; and their checker.

A line is written in 平 (level), 仄 (oblique) and 中 (either); what stands behind it names its rhyme, = says that it is
the line before again, and / parts two ways to write it.

Sources   Wang Li 1958, 汉语诗律学, chapter 1: the four kinds of line, how they follow each other, the single level tone
          (孤平) and three levels at the end (三平调) that are faults, and the turn 平平仄平仄
          万树 1687, 词律, and 陈廷敬 1715, 钦定词谱: the tunes, in their most usual form
Differs   where a tone is free, it is so in every line: rescue of one line by the next (对句相救) is not followed; nor is
          parallelism of the middle couplets
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from langwright.tasks.verse.sounds import Reading, Readings, Tone, readings
from langwright.wording import say

# --- the forms -------------------------------------------------------------------------------------

FIVE = {
    "甲": "中仄中平仄",
    "乙": "平平中仄平/中平平仄平",
    "丙": "中平中仄仄/平平仄平仄",
    "丁": "中仄仄平平",
}  # fmt: skip
ORDERS = ("甲乙丙丁", "丁乙丙丁", "丙丁甲乙", "乙丁甲乙")
TURNED = {"仄": "平", "平": "仄"}

TUNES = {
    "忆江南": "平中仄，中仄仄平平a。中仄中平平仄仄，中平中仄仄平平a。中仄仄平平a。",
    "如梦令": "中仄中平中仄a，中仄中平中仄a。中仄仄平平，中仄中平中仄a。中仄a，中仄a=，中仄中平中仄a。",
    "卜算子": "中仄仄平平，中仄平平仄a。中仄平平仄仄平，中仄平平仄a。中仄仄平平，中仄平平仄a。中仄平平仄仄平，中仄平平仄a。",
    "浣溪沙": "中仄中平中仄平a，中平中仄仄平平a。中平中仄仄平平a。中仄中平平仄仄，中平中仄仄平平a。中平中仄仄平平a。",
    "菩萨蛮": "中平中仄平平仄a，中平中仄平平仄a。中仄仄平平b，中平中仄平b。中平平仄仄c，中仄平平仄c。中仄仄平平d，中平中仄平d。",
    "西江月": "中仄中平中仄，中平中仄平平a。中平中仄仄平平a，中仄中平中仄a。中仄中平中仄，中平中仄平平a。中平中仄仄平平a，中仄中平中仄a。",
    "鹧鸪天": "中仄平平中仄平a，中平中仄仄平平a。中平中仄平平仄，中仄平平中仄平a。平仄仄，仄平平a，中平中仄仄平平a。中平中仄平平仄，中仄平平中仄平a。",
    "蝶恋花": "中仄中平平仄仄a。中仄平平，中仄平平仄a。中仄中平平仄仄a，中平中仄平平仄a。中仄中平平仄仄a。中仄平平，中仄平平仄a。中仄中平平仄仄a，中平中仄平平仄a。",
}  # fmt: skip

ENDS = "，。！？；、\n"
_LINE = re.compile(rf"(?P<tones>[平仄中/]+)(?P<rhyme>[a-z]?)(?P<again>=?)(?P<end>[{ENDS}])")


@dataclass(frozen=True)
class Line:
    """One line of a form.

    ways   the patterns of tones it may have, all of one length
    rhyme  name of its rhyme; empty for none
    again  whether it is the line before once more
    end    the sign behind it
    """

    ways: tuple[str, ...]
    rhyme: str
    again: bool
    end: str

    @property
    def size(self) -> int:
        """Its characters."""
        return len(self.ways[0])


Pattern = tuple[Line, ...]


def pattern(written: str) -> Pattern:
    """A form as it is written above.

    >>> [line.size for line in pattern(TUNES["如梦令"])]
    [6, 6, 5, 6, 2, 2, 6]
    """
    lines = [Line(tuple(one["tones"].split("/")), one["rhyme"], bool(one["again"]), one["end"]) for one in _LINE.finditer(written)]  # fmt: skip
    assert sum(len("/".join(line.ways)) + len(line.rhyme) + line.again + 1 for line in lines) == len(written)
    return tuple(lines)


def regulated(size: int, lines: int) -> tuple[Pattern, ...]:
    """The four ways of a regulated poem of so many characters a line and so many lines."""
    found = []
    for order in ORDERS:
        kinds = (order + ("甲乙丙丁" if order[2] == "丙" else "丙丁甲乙"))[:lines]
        text = ""
        for number, kind in enumerate(kinds):
            ways = FIVE[kind].split("/")
            if size == 7:
                ways = [f"中{TURNED[way[1]]}{way}" for way in ways]
            rhyme = "a" if kind in "乙丁" else ""
            text += "/".join(ways) + rhyme + "，。"[number % 2]
        found.append(pattern(text))
    return tuple(found)


CHINESE: dict[str, tuple[Pattern, ...]] = {
    "五言绝句": regulated(5, 4),
    "七言绝句": regulated(7, 4),
    "五言律诗": regulated(5, 8),
    "七言律诗": regulated(7, 8),
    **{name: (pattern(written),) for name, written in TUNES.items()},
}
"""Form -> the patterns it may follow."""

# --- the checker -----------------------------------------------------------------------------------


def lines_of(text: str) -> list[str]:
    """The lines of a poem, without signs and blanks.

    >>> lines_of("春眠不觉晓，\\n处处闻啼鸟。")
    ['春眠不觉晓', '处处闻啼鸟']
    """
    parts = (re.sub(r"\W", "", part) for part in re.split(f"[{ENDS},.!?;:：]", text))
    return [part for part in parts if part]


def sizes_wrong(lines: Sequence[str], form: Pattern) -> list[str]:
    """What is wrong with the lengths of lines."""
    if len(lines) != len(form):
        return [say("{found} lines instead of {wanted}", found=len(lines), wanted=len(form))]
    return [
        say("line {line}: {found} characters instead of {wanted}", line=number, found=len(one), wanted=asked.size)
        for number, (one, asked) in enumerate(zip(lines, form, strict=True), 1)
        if len(one) != asked.size
    ]


def tones_wrong(lines: Sequence[str], form: Pattern, kind: Readings) -> list[str]:
    """What is wrong with tones, for lines of the right lengths: of several ways to write a line, the nearest."""
    wrong: list[str] = []
    for number, (line, asked) in enumerate(zip(lines, form, strict=True), 1):
        ways = [faults_of(line, way, number, kind) for way in asked.ways]
        wrong += sorted(ways, key=len)[0]
    return wrong


def repeats_wrong(lines: Sequence[str], form: Pattern) -> list[str]:
    """Lines that are not said again where they should be, and words that rhyme with themselves."""
    pairs = list(enumerate(zip(lines, form, strict=True), 1))
    wrong = [
        say("line {line} is not the line before again", line=number)
        for number, (line, asked) in pairs
        if asked.again and line != lines[number - 2]
    ]
    for name in dict.fromkeys(line.rhyme for line in form if line.rhyme):
        said = [line[-1] for line, asked in zip(lines, form, strict=True) if asked.rhyme == name and not asked.again]
        if len(set(said)) < len(said):
            wrong.append(say("{characters}: a word rhymes with itself", characters="、".join(said)))
    return wrong


def faults_of(line: str, way: str, number: int, kind: Readings) -> list[str]:
    """Where a line leaves its pattern."""
    return [
        say("line {line}, {character}: {wanted} is asked for", line=number, character=character, wanted=wanted)
        for character, wanted in zip(line, way, strict=True)
        if wanted != "中" and not any(reading.tone == wanted for reading in readings(character, kind))
    ]


def rhymes_wrong(lines: Sequence[str], form: Pattern, kind: Readings) -> list[str]:
    """What is wrong with rhymes, for lines of the right lengths: all of one name have a rhyme in common."""
    wrong: list[str] = []
    for name in dict.fromkeys(line.rhyme for line in form if line.rhyme):
        ends = [(line[-1], asked) for line, asked in zip(lines, form, strict=True) if asked.rhyme == name]
        shared = set.intersection(*({one.rhyme for one in sounding(last, asked, kind)} for last, asked in ends))
        if not shared:
            wrong.append(say("{characters} do not rhyme", characters="、".join(last for last, _ in ends)))
    return wrong


def sounding(character: str, line: Line, kind: Readings) -> set[Reading]:
    """The readings of a last character that its place allows; all of them where none does."""
    every = set(readings(character, kind))
    wanted: set[Tone] = {tone for tone in ("平", "仄") if any(way[-1] in (tone, "中") for way in line.ways)}
    return {one for one in every if one.tone in wanted} or every


Faults = dict[str, list[str]]
LOOKED_AT = ("lines", "tones", "rhymes", "repeats")


def faults(text: str, form: str, kind: Readings = "new", *, sound: bool = True) -> Faults:
    """What is wrong with a poem, by what is looked at: lines, tones, rhymes, repeats; nothing where it keeps its form.

    Of the patterns of a form, that with the fewest faults counts. Where lines have other lengths, the rest cannot be
    looked at and counts as wrong.

    sound   whether to look at tones and rhymes; needs pypinyin
    """
    lines = lines_of(text)
    sizes = sizes_wrong(lines, CHINESE[form][0])
    if sizes:
        unseen = [say("the lines have other lengths")]
        return {"lines": sizes, "tones": unseen if sound else [], "rhymes": unseen if sound else [], "repeats": unseen}
    tried = [
        {
            "lines": [],
            "tones": tones_wrong(lines, one, kind) if sound else [],
            "rhymes": rhymes_wrong(lines, one, kind) if sound else [],
            "repeats": repeats_wrong(lines, one),
        }
        for one in CHINESE[form]
    ]
    return min(tried, key=lambda found: sum(map(len, found.values())))


def completed(text: str, form: str) -> str:
    """A poem with the lines said again that its form says again, where it was written without them; else as it is.

    >>> completed("一二三四五六，一二三四五六。一二三四五，一二三四五六。争渡，一二三四五六。", "如梦令")
    '一二三四五六，一二三四五六。一二三四五，一二三四五六。争渡，争渡，一二三四五六。'
    """
    pattern = CHINESE[form][0]
    lines = lines_of(text)
    if [len(line) for line in lines] != [line.size for line in pattern if not line.again]:
        return text
    rest = iter(lines)
    said: list[str] = []
    for line in pattern:
        said.append(said[-1] if line.again else next(rest))
    return "".join(one + line.end for one, line in zip(said, pattern, strict=True))


def looks(form: str) -> str:
    """The form as a scheme for a reader: lengths of its lines and their signs.

    >>> looks("五言绝句")
    '5，5。5，5。'
    """
    return "".join(f"{line.size}{line.end}" for line in CHINESE[form][0])
