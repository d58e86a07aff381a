"""BM25: how well each of some texts answers to the words of a query.

Source    Robertson & Zaragoza 2009, Foundations and Trends in Information Retrieval 3:333, section 3.4, equation 3.15;
          the logarithm of the inverse document frequency has 1 added inside, so that it is never negative (as Lucene)
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from langwright.data.terms import terms

K1, B = 1.2, 0.75  # how soon more of a word adds little; how much longer texts are held back


def bm25(query: str, texts: Sequence[str], k1: float = K1, b: float = B) -> list[float]:
    """The score of each text; 0 for one that shares no word with content with the query."""
    counts = [Counter(term.key for term in terms(text) if term.content) for text in texts]
    lengths = [sum(one.values()) for one in counts]
    mean = sum(lengths) / max(1, len(lengths)) or 1.0
    having = Counter(word for one in counts for word in one)
    asked = {term.key for term in terms(query) if term.content}

    def score(words: Counter[str], length: int) -> float:
        total = 0.0
        for word in asked & words.keys():
            rarity = math.log(1 + (len(texts) - having[word] + 0.5) / (having[word] + 0.5))
            total += rarity * words[word] * (k1 + 1) / (words[word] + k1 * (1 - b + b * length / mean))
        return total

    return [score(words, length) for words, length in zip(counts, lengths, strict=True)]
