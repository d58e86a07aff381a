"""Syllables, rhymes and forms of English verse, on poems that everyone knows."""

from __future__ import annotations

import re

import pytest

from langwright.tasks.verse.english import ENGLISH, faults, lines_regex, rhyme, rhyme_of

RHYMES = [
    "day may",
    "night white",
    "shines declines",
    "fade shade",
    "see thee",
    "love above",
    "sky high",
    "sea free",
    "light bright",
    "rain again",
    "moon soon",
    "heart part",
    "gold old",
    "flow snow",
    "town down",
    "fair hair",
    "word bird",
    "sing ring",
    "hill still",
    "street feet",
    "wall fall",
    "grace face",
    "stone alone",
    "home roam",
    "mind find",
    "true blue",
    "cow now",
    "care there",
    "bed said",
    "song long",
    "book look",
    "stars cars",
    "wave grave",
    "rose knows",
    "dream seem",
    "house mouse",
    "boy joy",
    "shore more",
    "turn burn",
    "money honey",
    "walked talked",
    "skies eyes",
    "side cried",
    "pain lane",
    "own stone",
    "days ways",
    "flies cries",
    "tune moon",
    "coat note",
    "queen green",
    "weigh they",
]  # as The Oxford Rhyming Dictionary has them
NO_RHYMES = [
    "day night",
    "love move",
    "cat dog",
    "sea sky",
    "stone gone",
    "light lit",
    "book boot",
    "home some",
    "word lord",
    "made mad",
    "pine pin",
    "hill feel",
    "bit bite",
    "fall fell",
    "street stress",
    "sun moon",
    "made said",
    "low law",
    "rain ran",
    "same some",
]
SONNET_18 = """Shall I compare thee to a summer's day?
Thou art more lovely and more temperate:
Rough winds do shake the darling buds of May,
And summer's lease hath all too short a date;
Sometime too hot the eye of heaven shines,
And often is his gold complexion dimm'd;
And every fair from fair sometime declines,
By chance or nature's changing course untrimm'd;
But thy eternal summer shall not fade,
Nor lose possession of that fair thou ow'st;
Nor shall death brag thou wander'st in his shade,
When in eternal lines to time thou grow'st:
So long as men can breathe or eyes can see,
So long lives this, and this gives life to thee."""


@pytest.mark.parametrize("pair", RHYMES)
def test_words_that_rhyme(pair: str) -> None:
    one, other = pair.split()
    assert rhyme(one, other), (rhyme_of(one), rhyme_of(other))


def test_words_that_do_not_rhyme() -> None:
    assert [pair for pair in NO_RHYMES if rhyme(*pair.split())] == []
    assert not rhyme("Day", "day") and rhyme_of("7") == frozenset()


@pytest.mark.spec("G12", "a sonnet is checked for its lines, syllables and rhymes, and one of Shakespeare's passes")
def test_a_sonnet() -> None:
    found = faults(SONNET_18, "sonnet, Shakespearean")
    assert found["lines"] == [] and found["rhymes"] == [] and found["syllables"] == []
    turned = SONNET_18.replace("see,", "know,")
    assert faults(turned, "sonnet, Shakespearean")["rhymes"] == ["know and thee do not rhyme"]
    assert faults(SONNET_18, "sonnet, Petrarchan")["rhymes"]
    assert faults("\n".join(SONNET_18.splitlines()[:13]), "sonnet, Shakespearean")["lines"] == [
        "13 lines instead of 14"
    ]


def test_a_haiku_and_a_limerick() -> None:
    haiku = "An old silent pond\nA frog jumps into the pond\nSplash! Silence again"
    assert not any(faults(haiku, "haiku").values())
    assert faults(haiku.replace("old ", ""), "haiku")["syllables"] == ["line 1: 4 syllables, and 5 to 5 are asked for"]
    limerick = "There was an old man with a beard\nWho said, it is just as I feared\nTwo owls and a hen\nFour larks and a wren\nHave all built their nests in my beard"
    wrong = faults(limerick, "limerick")
    assert wrong["rhymes"] == ["beard and beard do not rhyme"]  # a word does not rhyme with itself
    assert not wrong["syllables"]


def test_the_regex_keeps_the_number_of_lines() -> None:
    assert re.fullmatch(lines_regex("sonnet, Shakespearean"), SONNET_18)
    assert not re.fullmatch(lines_regex("couplet"), SONNET_18)
    assert all(form.sizes and len(form.sizes) in (1, form.lines) for form in ENGLISH.values())
