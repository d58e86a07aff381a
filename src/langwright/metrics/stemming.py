"""English words without their endings.

Source    Porter 1980, Program 14(3):130, "An algorithm for suffix stripping", the rules as published
"""

from __future__ import annotations

import re

ENDINGS_2 = {
    "ational": "ate", "tional": "tion", "enci": "ence", "anci": "ance", "izer": "ize", "abli": "able", "alli": "al",
    "entli": "ent", "eli": "e", "ousli": "ous", "ization": "ize", "ation": "ate", "ator": "ate", "alism": "al",
    "iveness": "ive", "fulness": "ful", "ousness": "ous", "aliti": "al", "iviti": "ive", "biliti": "ble",
}  # fmt: skip
ENDINGS_3 = {"icate": "ic", "ative": "", "alize": "al", "iciti": "ic", "ical": "ic", "ful": "", "ness": ""}
ENDINGS_4 = (
    "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent", "ion", "ou", "ism", "ate", "iti",
    "ous", "ive", "ize",
)  # fmt: skip


def stem(word: str) -> str:
    """The stem of a lower-case word; words with anything but a to z, and those of one or two letters, stay.

    >>> [stem(word) for word in ("relational", "hopping", "ponies", "sky")]
    ['relat', 'hop', 'poni', 'sky']
    """
    if len(word) <= 2 or not re.fullmatch("[a-z]+", word):
        return word
    word = past(plural(word))
    if word.endswith("y") and vowel(word[:-1]):
        word = word[:-1] + "i"
    word = shorter(shorter(word, ENDINGS_2), ENDINGS_3)
    word = without_suffix(word)
    if word.endswith("e"):
        rest = word[:-1]
        if measure(rest) > 1 or (measure(rest) == 1 and not short(rest)):
            word = rest
    if measure(word) > 1 and word.endswith("ll"):
        word = word[:-1]
    return word


def kinds(word: str) -> str:
    """v for each vowel, c for each consonant; a y is a vowel after a consonant."""
    found = ""
    for letter in word:
        found += "v" if letter in "aeiou" or (letter == "y" and found.endswith("c")) else "c"
    return found


def measure(word: str) -> int:
    """How often a run of vowels is followed by a run of consonants."""
    return len(re.findall("v+c+", kinds(word)))


def vowel(word: str) -> bool:
    """Whether a word has a vowel."""
    return "v" in kinds(word)


def doubled(word: str) -> bool:
    """Whether a word ends in the same consonant twice."""
    return len(word) > 1 and word[-1] == word[-2] and kinds(word)[-1] == "c"


def short(word: str) -> bool:
    """Whether a word ends in consonant, vowel, consonant, the last not w, x or y."""
    return kinds(word)[-3:] == "cvc" and word[-1] not in "wxy"


def plural(word: str) -> str:
    """Step 1a."""
    if word.endswith(("sses", "ies")):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def past(word: str) -> str:
    """Step 1b."""
    if word.endswith("eed"):
        return word[:-1] if measure(word[:-3]) > 0 else word
    for ending in ("ed", "ing"):
        rest = word.removesuffix(ending)
        if rest != word:
            if not vowel(rest):
                return word
            if rest.endswith(("at", "bl", "iz")):
                return rest + "e"
            if doubled(rest) and rest[-1] not in "lsz":
                return rest[:-1]
            return rest + "e" if measure(rest) == 1 and short(rest) else rest
    return word


def shorter(word: str, endings: dict[str, str]) -> str:
    """Steps 2 and 3: the longest ending that fits is replaced where a measure is left before it."""
    for ending in sorted(endings, key=len, reverse=True):
        if word.endswith(ending):
            rest = word.removesuffix(ending)
            return rest + endings[ending] if measure(rest) > 0 else word
    return word


def without_suffix(word: str) -> str:
    """Step 4."""
    for ending in sorted(ENDINGS_4, key=len, reverse=True):
        if word.endswith(ending):
            rest = word.removesuffix(ending)
            fits = measure(rest) > 1 and (ending != "ion" or rest.endswith(("s", "t")))
            return rest if fits else word
    return word
