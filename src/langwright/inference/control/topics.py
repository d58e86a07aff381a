"""A topic model, and texts led towards one of its topics.

Sources   Blei, Ng & Jordan 2003, Journal of Machine Learning Research 3:993 (latent Dirichlet allocation), fitted by
          scikit-learn's variational inference
          Yang & Klein 2021, arXiv:2104.05218, equation 3, for the decoding: see `control.future`
Ours      how likely a text is about a topic: a share of its words is drawn from the topic's, the others from all words;
          against a text all of whose words are drawn from all, even odds before. A word that is begun counts as the
          words that it may become.
Shapes    T topics    W words
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from langwright.data.characters import CHARACTERS
from langwright.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel

    from langwright.inference.control.vocabulary import Vocabulary

MOST_WORDS, RAREST, COMMONEST = 5000, 3, 0.5  # kept; in so many texts at least; in this share of texts at most
SHARE = 0.3  # of a text about a topic, the words that are drawn from it
_RUN = re.compile(rf"[{CHARACTERS}]+|[^\W\d_{CHARACTERS}]+")
_CHINESE = re.compile(f"[{CHARACTERS}]")


def words_of(text: str) -> list[str]:
    """Words in small letters; of Chinese, every two characters that stand together.

    >>> words_of("The film 很好看!")
    ['the', 'film', '很好', '好看']
    """
    found = []
    for run in _RUN.findall(text.lower()):
        found += [run[at : at + 2] for at in range(len(run) - 1)] if _CHINESE.match(run) else [run]
    return found


@dataclass(frozen=True)
class TopicModel:
    """Topics as shares of words.

    words      in order
    shares_TW  of each topic, sums to 1
    base_W     of all texts
    """

    words: tuple[str, ...]
    shares_TW: tuple[tuple[float, ...], ...]
    base_W: tuple[float, ...]

    def top(self, topic: int, count: int = 10) -> list[str]:
        """The words that say most about a topic: its likeliest ones by share times log-ratio to all texts."""
        shares = self.shares_TW[topic]
        order = sorted(range(len(shares)), key=lambda w: -shares[w] * math.log(shares[w] / self.base_W[w]))
        return [self.words[index] for index in order[:count]]

    def evidence(self, text: str, topic: int) -> float:
        """Log-odds that a text is about a topic, its last word whole."""
        index = self._index
        ratios = (self.ratio(topic, index[word], index[word] + 1) for word in words_of(text) if word in index)
        return math.fsum(ratios)

    def ratio(self, topic: int, low: int, high: int) -> float:
        """What a word says that is one of these, between two numbers in the order of words."""
        base = self._sums[-1][high] - self._sums[-1][low]
        own = self._sums[topic][high] - self._sums[topic][low]
        return math.log(1 - SHARE + SHARE * own / base)

    def begun(self, start: str) -> tuple[int, int]:
        """The words that begin so, from and to."""
        return bisect_left(self.words, start), bisect_left(self.words, start + "\U0010ffff")

    @cached_property
    def _index(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words)}

    @cached_property
    def _sums(self) -> list[list[float]]:
        return [list(accumulate(row, initial=0.0)) for row in (*self.shares_TW, self.base_W)]

    def save(self, path: Path) -> None:
        """As JSON."""
        from langwright.files import write_whole

        table = {"words": self.words, "shares": self.shares_TW, "base": self.base_W}
        write_whole(path, json.dumps(table, ensure_ascii=False).encode())


def load_topics(path: Path) -> TopicModel:
    """What `save` wrote; UserError for anything else."""
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
        return TopicModel(tuple(table["words"]), tuple(map(tuple, table["shares"])), tuple(table["base"]))
    except (OSError, ValueError, KeyError, TypeError):
        raise UserError(
            "{path} is no topic model",
            fix="make one with `langwright.inference.control.topics.fit_topics` and `save`",
            path=path,
        ) from None


def fit_topics(texts: Sequence[str], topics: int, *, seed: int = 0) -> TopicModel:
    """Topics of these texts, by latent Dirichlet allocation.

    raises  UserError where the texts share too few words
    """
    import numpy as np
    from sklearn.decomposition import LatentDirichletAllocation
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(analyzer=words_of, min_df=RAREST, max_df=COMMONEST, max_features=MOST_WORDS)
    try:
        counts_NW = counter.fit_transform(texts)
    except ValueError:
        raise UserError(
            "{count} texts share too few words for topics", fix="give more, or longer ones", count=len(texts)
        ) from None
    order = np.argsort(counter.get_feature_names_out())
    fitted = LatentDirichletAllocation(topics, learning_method="batch", random_state=seed).fit(counts_NW)
    shares_TW = fitted.components_ / fitted.components_.sum(1, keepdims=True)
    base_W = np.asarray(counts_NW.sum(0), float).ravel()
    return TopicModel(
        tuple(map(str, counter.get_feature_names_out()[order])),
        tuple(tuple(row) for row in shares_TW[:, order].tolist()),
        tuple((base_W[order] / base_W.sum()).tolist()),
    )


@dataclass(frozen=True)
class About:
    """The attribute of being about a topic."""

    topics: TopicModel
    topic: int
    vocabulary: Vocabulary

    def begin(self, model: PreTrainedModel, prompt: Sequence[int]) -> AboutFuture:
        return AboutFuture(self, len(prompt))


@dataclass(frozen=True)
class AboutFuture:
    """`Future` of a topic. The prompt does not count: it is not what is written."""

    about: About
    prompt: int

    def logprobs(self, ids: Sequence[int], candidates_K: Tensor) -> Tensor:
        """See `Future`."""
        import torch

        pieces = self.about.vocabulary.pieces
        written = b"".join(pieces[id] for id in ids[self.prompt :])
        known = [pieces[id] if id < len(pieces) else b"" for id in candidates_K.tolist()]  # padding of the weights
        found = [log_odds(self.about, written + piece, over=not piece) for piece in known]  # an end ends the last word
        return torch.nn.functional.logsigmoid(torch.tensor(found, dtype=torch.float32))


def log_odds(about: About, data: bytes, *, over: bool = False) -> float:
    """That a text is about the topic; a word at its end may still become a longer one, unless the text is over."""
    text = data.decode(errors="ignore")
    closed = over or len(text.encode()) < len(data)  # by a character that is not whole yet
    text = text.lower()
    last = None if closed else re.search(rf"[^\W\d_{CHARACTERS}]+$", text)
    whole = text[: last.start()] if last else text
    odds = about.topics.evidence(whole, about.topic)
    if last:
        low, high = about.topics.begun(last[0])
        odds += about.topics.ratio(about.topic, low, high) if high > low else 0.0
    return odds
