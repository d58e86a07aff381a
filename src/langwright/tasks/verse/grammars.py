"""Grammars that decoding is kept to, so that a poem has the lines, tones and rhymes of its form from the first draft.

lines   so many characters, then their sign
tones   at each place only characters whose tone the pattern allows
rhymes  and at the ends of lines that rhyme only characters of one rhyme, which is chosen beforehand: with all of them in
        one grammar the parser ran out of fuel on vocabularies of real models

Each line is one terminal, that is one regular expression with names, and a poem a sequence of lines. Characters
of several tones are left out of those that a tone is asked of, so what is written holds for the checker, which allows more.
A line that is said again is left out and put in afterwards (`chinese.completed`); that a word does not rhyme with itself
is beyond a regular language and left to the checker.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Literal

from langwright.tasks.verse.chinese import CHINESE, Pattern
from langwright.tasks.verse.sounds import Reading, Readings, Tone, alphabet, readings

Keep = Literal["nothing", "lines", "tones", "rhymes"]
LEAST = 24  # characters of a rhyme, for it to be written in
NAMES = {"平": "LEVEL", "仄": "OBLIQUE", "中": "ANY"}


def lines_grammar(form: str, script: str) -> str:
    """A grammar of the lengths of lines and their signs."""
    way = [f'ANY{{{line.size}}} "{line.end}"' for line in CHINESE[form][0] if not line.again]
    return written([way], {"ANY": alphabet(script)})


def tones_grammar(form: str, script: str, kind: Readings) -> str:
    """The same with tones."""
    return written([line_by_line(pattern, {}) for pattern in CHINESE[form]], tones(script, kind))


def rhymes_grammar(form: str, script: str, kind: Readings, rhyme: int) -> str:
    """The same with rhymes; `rhyme` counts which of those there are, round and round."""
    sets = tones(script, kind)
    names = {one: f"R{number}" for number, one in enumerate(sorted(usual(script, kind)))}
    sets |= {name: usual(script, kind)[one] for one, name in names.items()}
    ways = [list(rhymed(pattern, names)) for pattern in CHINESE[form]]
    return written([every[rhyme % len(every)] for every in ways], sets)


def rhymed(pattern: Pattern, names: dict[Reading, str]) -> Iterator[list[str]]:
    """A pattern once for each rhyme of its first group; each further group has the next rhyme, so that there are as many
    ways as rhymes and not every choice of several.
    """
    groups = list(dict.fromkeys(line.rhyme for line in pattern if line.rhyme))
    classes = sorted({one.rhyme for one in names})
    for number in range(len(classes)):
        chosen = {group: classes[(number + place) % len(classes)] for place, group in enumerate(groups)}
        by_tone = {
            group: {one.tone: names[one] for one in names if one.rhyme == rhyme} for group, rhyme in chosen.items()
        }
        if all(line.ways[0][-1] in by_tone[line.rhyme] for line in pattern if line.rhyme):
            yield line_by_line(pattern, by_tone)


def line_by_line(pattern: Pattern, rhymes: Mapping[str, Mapping[Tone, str]]) -> list[str]:
    """The lines of a pattern, each as a sequence of names and its sign.

    rhymes  group -> tone -> name of the characters that rhyme
    """
    parts = []
    for line in pattern:
        if line.again:
            continue
        ways = []
        for way in line.ways:
            last = dict(rhymes[line.rhyme])[way[-1]] if line.rhyme in rhymes else NAMES[way[-1]]  # type: ignore[index]
            ways.append(" ".join([*(NAMES[tone] for tone in way[:-1]), last]))
        parts.append((f"({' | '.join(ways)})" if len(ways) > 1 else ways[0]) + f' "{line.end}"')
    return parts


@cache
def usual(script: str, kind: Readings) -> dict[Reading, str]:
    """Characters by tone and rhyme, of readings with enough of them; a character of several readings is in none."""
    found: dict[Reading, str] = {}
    for character in alphabet(script):
        every = readings(character, kind)
        if len({one.tone for one in every}) == 1:
            for one in every:
                found[one] = found.get(one, "") + character
    return {one: characters for one, characters in found.items() if len(characters) >= LEAST}


def tones(script: str, kind: Readings) -> dict[str, str]:
    """Characters that are level, that are oblique, and all."""
    sets = {"ANY": alphabet(script), "LEVEL": "", "OBLIQUE": ""}
    for character in alphabet(script):
        said = {one.tone for one in readings(character, kind)}
        if len(said) == 1:
            sets[NAMES[said.pop()]] += character
    return sets


def written(ways: Sequence[Sequence[str]], sets: Mapping[str, str]) -> str:
    """In the notation of Lark: a terminal for each line that there is, and poems as sequences of lines."""
    names: dict[str, str] = {}
    poems = [" ".join(names.setdefault(line, f"L{len(names)}") for line in way) for way in ways]
    lines = [f"{name}: {line}" for line, name in names.items()]
    used = {word for line in names for word in re.findall("[A-Z][A-Z0-9]*", line)}
    return (
        "\n".join(["start: " + " | ".join(poems), *lines, *(f"{name}: /[{sets[name]}]/" for name in sorted(used))])
        + "\n"
    )


@cache
def grammar_of(form: str, keep: Keep, script: str = "simplified", kind: Readings = "new", rhyme: int = 0) -> str | None:
    """The grammar that decoding is kept to; None for nothing."""
    if keep == "nothing":
        return None
    if keep == "lines":
        return lines_grammar(form, script)
    return tones_grammar(form, script, kind) if keep == "tones" else rhymes_grammar(form, script, kind, rhyme)
