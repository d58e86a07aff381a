"""Sentences of a text that say what matters in it, as they stand and in their order.

lead      the first ones
textrank  Mihalcea & Tarau 2004, EMNLP, section 4: sentences are alike by the words they share over the logarithms of
          their lengths; PageRank over that
lexrank   Erkan & Radev 2004, Journal of Artificial Intelligence Research 22:457, section 3.2 and 3.3: the cosine of
          tf-idf vectors, with a threshold or continuous; PageRank over that
centroid  Radev et al. 2004, Information Processing & Management 40:919; by vectors of a model as Rossiello et al. 2017,
          MultiLing workshop: nearness to the mean of all sentences

None that says what was said is taken twice: of those that rank best, marginal relevance (Carbonell & Goldstein 1998)
takes the ones unlike what is there already.

Differs   inverse document frequencies are those of the text's own sentences, where no other texts are at hand; words
          are taken without stop words, and Chinese ones as jieba cuts them
Shapes    N sentences    V words    D width of a vector
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from langwright.data.passages import Place, sentences
from langwright.data.terms import terms
from langwright.tasks.extraction.diversity import marginal_relevance
from langwright.tasks.extraction.pagerank import pagerank
from langwright.tasks.solving.telling import counted

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Embed = Callable[[Sequence[str]], NDArray[np.float32]]

Ranking = Literal["lead", "textrank", "lexrank"]
THRESHOLD = 0.1  # of LexRank, the paper's best
MOST = 1000  # sentences that are compared with each other; a longer text is first gone through in parts


@dataclass(frozen=True)
class Ranked:
    """A sentence of a text, how much it matters, and where it stands, in characters, the end not included."""

    text: str
    score: float
    start: int
    end: int


@dataclass(frozen=True)
class Weighed:
    """What a way of ranking says of sentences: how much each matters, and how much two say the same, from 0 to 1."""

    scores_N: Floats
    likeness_NN: Floats


def summary(
    text: str,
    count: int,
    ranking: Ranking = "lexrank",
    *,
    embed: Embed | None = None,
    relevance_share: float = 0.7,
    threshold: float | None = THRESHOLD,
) -> list[Ranked]:
    """At most `count` sentences in the order of the text.

    embed            texts -> vectors (texts, width): the centroid's way, instead of `ranking`
    relevance_share  1 goes by rank alone, less avoids what was said already
    threshold        of LexRank; None for the continuous form
    """
    places = sentences(text)
    if ranking == "lead" and embed is None:
        return [Ranked(text[a:b], 1 / (1 + number), a, b) for number, (a, b) in enumerate(places[:count])]
    while len(places) > MOST:
        parts = [places[start : start + MOST] for start in range(0, len(places), MOST)]
        kept = max(count, MOST // (2 * len(parts)))
        fewer = [one for part in counted(parts) for one in best(text, part, kept, ranking, embed, 1.0, threshold)]
        if len(fewer) >= len(places):
            break
        places = [(one.start, one.end) for one in fewer]
    return best(text, places, count, ranking, embed, relevance_share, threshold)


def best(
    text: str, places: Sequence[Place], count: int, ranking: Ranking, embed: Embed | None, relevance_share: float,
    threshold: float | None,
) -> list[Ranked]:  # fmt: skip
    """Of some sentences those that matter most, in the order of the text."""
    import numpy as np

    if not places:
        return []
    said = [text[start:end] for start, end in places]
    if embed is not None:
        weighed = centroid(np.asarray(embed(said), dtype=float))
    elif ranking == "textrank":
        weighed = textrank(said)
    else:
        weighed = lexrank(said, threshold)
    largest = float(weighed.scores_N.max())
    relevance_N = weighed.scores_N / largest if largest > 0 else weighed.scores_N
    chosen = marginal_relevance(relevance_N, weighed.likeness_NN, count, relevance_share)
    return [Ranked(said[number], float(weighed.scores_N[number]), *places[number]) for number in sorted(chosen)]


def words_of(said: Sequence[str]) -> list[Counter[str]]:
    """The words with content of each sentence."""
    return [Counter(term.key for term in terms(one) if term.content) for one in said]


def ranks(likeness_NN: Floats) -> Floats:
    """PageRank where two sentences are joined by how alike they are."""
    import numpy as np

    above = np.triu(likeness_NN, 1)
    ends_E2 = np.argwhere(above > 0)
    return pagerank(len(likeness_NN), ends_E2, above[ends_E2[:, 0], ends_E2[:, 1]])


def textrank(said: Sequence[str]) -> Weighed:
    """By shared words: |A ∩ B| / (ln |A| + ln |B|); sentences of a single word have no edge, their logarithm being 0."""
    import numpy as np

    words = [set(one) for one in words_of(said)]
    alike_NN = np.zeros((len(said), len(said)))
    for one, first in enumerate(words):
        for other in range(one + 1, len(words)):
            shared, long = len(first & words[other]), math.log(max(1, len(first)) * max(1, len(words[other])))
            if shared and long > 0:
                alike_NN[one, other] = alike_NN[other, one] = shared / long
    return Weighed(ranks(alike_NN), cosines(said))


def lexrank(said: Sequence[str], threshold: float | None = THRESHOLD) -> Weighed:
    """By the cosine of tf-idf vectors: all above the threshold alike, or each by its own size where there is none."""
    cosines_NN = cosines(said)
    joined_NN = cosines_NN if threshold is None else (cosines_NN > threshold).astype(float)
    return Weighed(ranks(joined_NN), cosines_NN)


def cosines(said: Sequence[str]) -> Floats:
    """Cosine of the sentences' tf-idf vectors, idf = ln(N / sentences that have the word) + 1; shape (N, N)."""
    import numpy as np
    from scipy.sparse import csr_matrix

    words = words_of(said)
    having = Counter(word for one in words for word in one)
    numbers = {word: number for number, word in enumerate(having)}
    rows = [row for row, one in enumerate(words) for _ in one]
    columns = [numbers[word] for one in words for word in one]
    values = [times * (math.log(len(said) / having[word]) + 1) for one in words for word, times in one.items()]
    vectors_NV = csr_matrix((values, (rows, columns)), shape=(len(said), max(1, len(numbers))))
    products_NN = (vectors_NV @ vectors_NV.T).toarray()
    lengths_N = np.sqrt(np.maximum(products_NN.diagonal(), np.finfo(float).tiny))
    found_NN: Floats = products_NN / np.outer(lengths_N, lengths_N)
    return found_NN


def centroid(vectors_ND: Floats) -> Weighed:
    """By the cosine of each sentence's vector with the mean of all."""
    import numpy as np

    tiny = np.finfo(float).tiny
    unit_ND = vectors_ND / np.maximum(np.linalg.norm(vectors_ND, axis=1, keepdims=True), tiny)
    mean_D = unit_ND.mean(0)
    return Weighed(unit_ND @ (mean_D / max(float(np.linalg.norm(mean_D)), tiny)), unit_ND @ unit_ND.T)


def joined(text: str, chosen: Sequence[Ranked]) -> str:
    """Sentences as one text: Chinese without spaces between them, others with one."""
    from langwright.data.words import HAN_RUN

    said = ""
    for one in chosen:
        apart = bool(said) and not HAN_RUN.search(one.text[:4]) and not HAN_RUN.search(said[-4:])
        said += (" " if apart else "") + one.text
    return said
