"""English forms of verse: lines, syllables and rhymes, by rules of spelling; and their checker.

Differs   from a pronouncing dictionary: syllables are counted by `metrics.readability.syllables`, and two words rhyme
          where the spelling from their last sounded vowel on stands for the same sounds by the rules below, or for
          sounds that it often stands for (ow as in how and as in low). Words that are spelled unlike any rule (such as
          colonel) are judged wrongly, and stress is not looked at, so feet are not counted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from langwright.metrics.readability import syllables
from langwright.wording import say

_WORD = re.compile(r"[A-Za-z]+(?:['’][A-Za-z]+)*")


class Size(NamedTuple):
    """Syllables of a line."""

    least: int
    most: int


@dataclass(frozen=True)
class EnglishForm:
    """A form.

    rhymes  a letter for each line; - for one that rhymes with none
    sizes   syllables of each line; one for all where there is one
    """

    rhymes: str
    sizes: tuple[Size, ...]

    @property
    def lines(self) -> int:
        """How many."""
        return len(self.rhymes)

    def size(self, number: int) -> Size:
        """Of a line, from 0."""
        return self.sizes[number % len(self.sizes)]


TEN = (Size(9, 11),)
FREE = (Size(4, 14),)
LONG, SHORT = Size(7, 11), Size(4, 7)
ENGLISH: dict[str, EnglishForm] = {
    "couplet": EnglishForm("AA", FREE),
    "quatrain ABAB": EnglishForm("ABAB", FREE),
    "quatrain AABB": EnglishForm("AABB", FREE),
    "ballad stanza": EnglishForm("-A-A", FREE),
    "limerick": EnglishForm("AABBA", (LONG, LONG, SHORT, SHORT, LONG)),
    "sonnet, Shakespearean": EnglishForm("ABABCDCDEFEFGG", TEN),
    "sonnet, Petrarchan": EnglishForm("ABBAABBACDECDE", TEN),
    "haiku": EnglishForm("---", (Size(5, 5), Size(7, 7), Size(5, 5))),
}

# --- rhymes ----------------------------------------------------------------------------------------

KNOWN: dict[str, str] = {
    "the": "@", "a": "@", "be": "E", "he": "E", "me": "E", "she": "E", "we": "E", "thee": "E", "ye": "E", "key": "E",
    "to": "U", "do": "U", "who": "U", "two": "U", "too": "U", "through": "U", "you": "U", "shoe": "U", "into": "U",
    "by": "I", "my": "I", "i": "I", "eye": "I", "eyes": "Iz", "buy": "I", "die": "I", "lie": "I", "pie": "I", "tie": "I",
    "so": "O", "go": "O", "no": "O", "ago": "O", "though": "O", "although": "O", "sew": "O", "toe": "O",
    "one": "un", "done": "un", "none": "un", "son": "un", "won": "un", "love": "uv", "above": "uv", "dove": "uv",
    "glove": "uv", "come": "um", "some": "um", "said": "ed", "says": "ez", "been": "in", "are": "ar", "were": "er",
    "was": "oz", "word": "erd", "heard": "erd", "world": "erld", "work": "erk", "great": "At", "break": "Ak",
    "steak": "Ak", "heart": "art", "there": "Ar", "where": "Ar", "their": "Ar", "bear": "Ar", "wear": "Ar", "tear": "Ar",
    "swear": "Ar", "pear": "Ar", "prayer": "Ar", "head": "ed", "dead": "ed", "bread": "ed", "dread": "ed", "thread": "ed",
    "spread": "ed", "lead": "ed", "instead": "ed", "breath": "eth", "death": "eth", "friend": "end", "build": "ild",
    "women": "in", "give": "iv", "live": "iv", "have": "av", "gone": "on", "laugh": "af", "half": "af", "could": "ud",
    "would": "ud", "should": "ud", "tongue": "ung", "young": "ung", "blood": "ud", "flood": "ud", "height": "It",
    "weight": "At", "eight": "At", "they": "A", "grey": "A", "obey": "A", "prey": "A", "blew": "U", "four": "or",
    "door": "or", "floor": "or", "pour": "or", "your": "or", "war": "or", "hour": "Wr", "our": "Wr", "flour": "Wr",
    "power": "Wr", "flower": "Wr", "tower": "Wr", "shower": "Wr", "fire": "Ir", "choir": "Ir", "move": "Uv", "prove": "Uv",
    "lose": "Uz", "whose": "Uz", "wind": "ind", "child": "Ild", "wild": "Ild", "mild": "Ild", "find": "Ind", "mind": "Ind",
    "kind": "Ind", "behind": "Ind", "blind": "Ind", "climb": "Im", "time": "Im", "old": "Old", "ghost": "Ost", "most": "Ost",
    "post": "Ost", "host": "Ost", "both": "Oth", "oath": "Oth", "warm": "orm", "want": "ont", "water": "oter", "minute": "it",
    "temperate": "At", "ocean": "Oshun", "beauty": "E",
}  # fmt: skip
"""Words that are not said as they are spelled, from their last sounded vowel on."""

VOWELS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("igh", ("I",)), ("eigh", ("A",)), ("augh|ough", ("o",)), ("eau", ("O",)),
    ("aw|au", ("o",)), ("ai|ay|ei|ey", ("A",)), ("ee|ea|ie", ("E",)), ("oa|oe", ("O",)), ("ow", ("W", "O")),
    ("ou", ("W",)), ("oi|oy", ("Y",)), ("oo|ue|ew|ui|eu", ("U",)), ("ia|io|iu", ("u",)),
)  # fmt: skip
SHORT_VOWELS = {"a": "a", "e": "e", "i": "i", "o": "o", "u": "u", "y": "i"}
LONG_VOWELS = {"a": "A", "e": "E", "i": "I", "o": "O", "u": "U", "y": "I"}
LENGTHENED = re.compile("ild|ind|old|olt|ost|oll")
CODAS: tuple[tuple[str, str], ...] = (
    ("ght", "t"), ("gh$", ""), ("tch", "ch"), ("dge", "j"), ("ck", "k"), ("c(?=[eiy])", "s"), ("c(?!h)", "k"), ("q", "k"),
    ("ph", "f"), ("mb$", "m"), ("mn$", "m"), ("gn", "n"), ("lk$", "k"), ("wn", "n"), ("x", "ks"), (r"([bdfglmnprstz])\1", r"\1"),
)  # fmt: skip


def rhyme_of(word: str) -> frozenset[str]:
    """The sounds from the last sounded vowel on, as the spelling may stand for them; none for no word.

    >>> sorted(rhyme_of("day") & rhyme_of("weigh")), sorted(rhyme_of("night") & rhyme_of("white"))
    (['A'], ['It'])
    """
    word = re.sub("[^a-z]", "", word.lower())
    if not word:
        return frozenset()
    if word in KNOWN:
        return frozenset({KNOWN[word]})
    for ending, letter, base in (("ies", "z", "y"), ("ied", "d", "y"), ("s", "z", "")):
        stem = word.removesuffix(ending) + base
        if word.endswith(ending) and len(stem) > 1 and not re.search("(?:ss|us|is|[sxz]es|ces|ges|[cs]hes)$", word):
            return frozenset(
                one + ("s" if one[-1:] in tuple("ptkf") and letter == "z" else letter) for one in rhyme_of(stem)
            )
    if re.search("[^aeiou]y$", word):
        return frozenset({"E"} if syllables(word) > 1 else {"I"})
    found = re.search(
        r"(?P<vowel>(?<!q)[aeiouy]+w?|(?<=q)u[aeiouy]+)(?P<coda>[^aeiouy]*)(?P<silent>e?)(?P<past>d?)$", word
    )
    if found is None:
        return frozenset({word})
    silent = bool(found["silent"]) and bool(found["coda"])
    return sounds(found["vowel"], found["coda"] + ("e" if silent else ""), found["past"] if silent else "")


def sounds(vowel: str, coda: str, ending: str) -> frozenset[str]:
    """What a last vowel with what follows it may sound like."""
    silent = coda.endswith("e") and len(coda) > 1
    end = coda
    for spelled, said in CODAS:
        end = re.sub(spelled, said, end)
    end = end.removesuffix("e") if silent else end
    if end.startswith("r"):
        return with_r(vowel, end, silent, ending)
    pairs = [(e, v) for e, v in VOWELS if re.search(f"(?:{e})$", vowel)]
    if coda.startswith("gh") and vowel == "i":
        kinds: tuple[str, ...] = ("I",)
    elif pairs:
        kinds = pairs[0][1]
    elif (
        (silent and len(re.sub("ch|sh|th", "x", coda)) <= 2 + coda.startswith(("st", "ng")))
        or not coda
        or LENGTHENED.fullmatch(vowel[-1] + coda)
    ):
        kinds = (LONG_VOWELS[vowel[-1]],)
    else:
        kinds = (SHORT_VOWELS[vowel[-1]],)
    ends = {end, end[:-1] + "z"} if silent and end.endswith("s") else {end}  # rose, loose
    return frozenset(kind + one + ending for kind in kinds for one in ends)


def with_r(vowel: str, end: str, silent: bool, ending: str) -> frozenset[str]:
    """A last vowel before an r, which colours it."""
    table = {
        "a": "Ar" if silent else "ar", "ai": "Ar", "ea": "Er", "ee": "Er", "ei": "Ar", "e": "Er" if silent else "er", "i": "Ir" if silent else "er",
        "u": "Ur" if silent else "er", "y": "Ir" if silent else "er", "o": "or", "oo": "Ur", "oa": "or", "ou": "Wr",
    }  # fmt: skip
    return frozenset({table.get(vowel, table[vowel[-1]] if vowel[-1] in table else vowel + "r") + end[1:] + ending})


def rhyme(one: str, other: str) -> bool:
    """Whether two words rhyme, as far as spelling tells; a word does not rhyme with itself.

    >>> rhyme("love", "above"), rhyme("love", "move"), rhyme("cat", "dog"), rhyme("night", "knight")
    (True, False, False, True)
    """
    same = one.lower() == other.lower()
    return not same and bool(rhyme_of(one) & rhyme_of(other))


# --- the checker -----------------------------------------------------------------------------------


def lines_of(text: str) -> list[str]:
    """The lines that have words."""
    return [line.strip() for line in text.splitlines() if _WORD.search(line)]


def faults(text: str, form: str) -> dict[str, list[str]]:
    """What is wrong with a poem, by what is looked at: lines, syllables, rhymes; nothing where it keeps its form."""
    asked, lines = ENGLISH[form], lines_of(text)
    if len(lines) != asked.lines:
        unseen = [say("{found} lines instead of {wanted}", found=len(lines), wanted=asked.lines)]
        return {"lines": unseen, "syllables": unseen, "rhymes": unseen}
    return {"lines": [], "syllables": sizes_wrong(lines, asked), "rhymes": rhymes_wrong(lines, asked.rhymes)}


def sizes_wrong(lines: Sequence[str], form: EnglishForm) -> list[str]:
    """Lines with too few or too many syllables."""
    wrong = []
    for number, line in enumerate(lines):
        size, found = form.size(number), sum(syllables(word) for word in _WORD.findall(line))
        if not size.least <= found <= size.most:
            said = say(
                "line {line}: {found} syllables, and {least} to {most} are asked for",
                line=number + 1, found=found, least=size.least, most=size.most,
            )  # fmt: skip
            wrong.append(said)
    return wrong


def rhymes_wrong(lines: Sequence[str], scheme: str) -> list[str]:
    """Lines of one letter of which the last words do not rhyme with the first of them."""
    wrong, first = [], dict[str, str]()
    for line, letter in zip(lines, scheme, strict=True):
        last = _WORD.findall(line)[-1]
        if letter == "-":
            continue
        if letter in first and not rhyme(first[letter], last):
            wrong.append(say("{one} and {other} do not rhyme", one=first[letter], other=last))
        first.setdefault(letter, last)
    return wrong


def lines_regex(form: str) -> str:
    """A regular expression of so many lines with words."""
    line = r"[A-Z\"'][A-Za-z0-9 ,.;:!?\"'()\-]{5,90}"
    return rf"{line}(\n{line}){{{ENGLISH[form].lines - 1}}}"
