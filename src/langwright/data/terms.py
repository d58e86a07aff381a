"""A text as terms with their places: words of English, jieba's words of Chinese, and which of them have content.

A term has content when it is no stop word, no number and not a single character. Of a Chinese word, jieba's dictionary
says besides whether it can be a noun or a name; of English words nothing here does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from langwright.data.stop_words import STOP_WORDS

if TYPE_CHECKING:
    from langwright.data.words import Cut

NOUNS = ("n", "vn", "a", "b", "j", "l", "i")  # beginnings of jieba's tags; those of names begin with n
NUMBER = re.compile(r"[\d.,%]+(?:st|nd|rd|th)?")


@dataclass(frozen=True)
class Term:
    """A word of a text and where it stands, in characters, the end not included.

    key      the word casefolded, by which terms are counted
    content  whether it says something of what the text is about
    """

    key: str
    start: int
    end: int
    content: bool


def terms(text: str) -> list[Term]:
    """The words of a text in order; marks are none.

    raises  UserError where the text is Chinese and jieba is not installed
    """
    from langwright.data.words import HAN_RUN, characters, chinese_words, word_spans

    cut: Cut = chinese_words() if HAN_RUN.search(text) else characters
    found = []
    for start, end in word_spans(text, cut):
        key = text[start:end].casefold()
        found.append(Term(key, start, end, has_content(key)))
    return found


def has_content(key: str) -> bool:
    """Whether a casefolded word is more than a stop word, a number or a single character."""
    return len(key) > 1 and key.replace("’", "'") not in STOP_WORDS and not NUMBER.fullmatch(key)


def can_be_noun(key: str) -> bool:
    """Whether a word can be a name, a noun, a verb used as one or an adjective, by jieba's dictionary.

    Words that it does not know can: they are mostly names. So can all words that are not Chinese.
    """
    from langwright.data.words import HAN_RUN

    tag = chinese_tags().get(key) if HAN_RUN.match(key) else None
    return tag is None or tag.startswith(NOUNS)


@cache
def chinese_tags() -> dict[str, str]:
    """The part of speech of each word of jieba's dictionary, its most frequent one; read once a process."""
    from langwright.data.words import chinese_words

    chinese_words()  # says what to do where jieba is not installed
    import jieba

    with jieba.Tokenizer().get_dict_file() as lines:
        rows = (line.decode("utf-8").split() for line in lines)
        return {row[0]: row[2] for row in rows if len(row) == 3}
