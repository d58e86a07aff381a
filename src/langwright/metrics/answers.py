"""Exact match and F1 of extracted answers, by SQuAD's rules for English and by characters for Chinese.

Source    Rajpurkar et al. 2016, arXiv:1606.05250, section 6.1, and its evaluation script: lower case; punctuation and
          the articles a, an, the set aside; F1 over the words two answers share; the best over all right answers;
          2.0 (Rajpurkar et al. 2018, arXiv:1806.03822): no answer is right only as no answer
          Cui et al. 2019 (CMRC 2018), arXiv:1810.07366, section 4, and its evaluation script: characters in place of
          words, and in F1 not all that is shared but the longest run of it
Differs   `answer F1` counts shared characters whatever their order, as SQuAD's does with words; `CMRC F1` is CMRC's, but
          for the words of other scripts inside an answer, which CMRC cuts by nltk and we by what is no letter or digit
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Sequence

from langwright.data.characters import CHARACTERS
from langwright.measures import Measure
from langwright.metrics.intervals import DRAWS, bootstrap_mean, wilson
from langwright.metrics.units import units
from langwright.metrics.yardsticks import Yardstick

EXACT_MATCH = Yardstick(
    name="exact match", unit="share", better="higher",
    method="share of {n} answers that equal a right one, letter case, punctuation and articles set aside; Wilson interval",
    does_not_show="answers that are right in other words",
)  # fmt: skip
ANSWER_F1 = Yardstick(
    name="answer F1", unit="share", better="higher",
    method="mean over {n} questions of the F1 of words (Chinese: characters) shared with the right answer that shares most; interval: {draws} bootstrap draws over questions",
    does_not_show="whether an answer that shares words says the same",
)  # fmt: skip

CMRC_F1 = Yardstick(
    name="CMRC F1", unit="share", better="higher",
    method="mean over {n} questions of the F1 of the longest run of characters (other scripts: words) that stands in the answer and in the right answer that shares most, punctuation set aside (CMRC 2018); interval: {draws} bootstrap draws over questions",
    does_not_show="whether an answer that shares characters says the same; what is shared beyond the longest run",
)  # fmt: skip

ARTICLES = re.compile(r"\b(a|an|the)\b")
CHINESE = re.compile(f"[{CHARACTERS}]")


def answer_words(text: str) -> list[str]:
    """What of an answer is compared: its words, or where it has Chinese characters, these and the words between.

    >>> answer_words("The  Eiffel-Tower!")
    ['eiffeltower']
    >>> answer_words("《战国无双3》。")
    ['战', '国', '无', '双', '3']
    """
    if CHINESE.search(text):
        return [unit for unit in units(text) if unicodedata.category(unit[0])[0] not in "PS"]
    plain = "".join(character for character in text.lower() if character not in string.punctuation)
    return ARTICLES.sub(" ", plain).split()


def matches(said: str, right: Sequence[str]) -> bool:
    """Whether an answer equals one of the right ones; with none, whether nothing is said."""
    return any(answer_words(said) == answer_words(one) for one in right or ("",))


def answer_f1(said: str, right: Sequence[str]) -> float:
    """F1 of the words shared with the right answer that shares most; with no words on a side, 1 if both have none."""
    return max(f1_between(answer_words(said), answer_words(one)) for one in right or ("",))


def f1_between(said: Sequence[str], right: Sequence[str]) -> float:
    """F1 of two bags of words."""
    if not said or not right:
        return float(said == right)
    shared = (Counter(said) & Counter(right)).total()
    return 2 * shared / (len(said) + len(right))


def answer_scores(said: Sequence[str], right: Sequence[Sequence[str]], *, seed: int = 0) -> tuple[Measure, Measure]:
    """Exact match and F1 over questions; ValueError when lengths differ or nothing is given.

    said   "" for no answer
    right  for each question its right answers; none where there is no answer
    """
    if len(said) != len(right) or not right:
        raise ValueError(f"{len(said)} answers for {len(right)} questions")
    pairs = list(zip(said, right, strict=True))
    exact = exact_share([matches(one, other) for one, other in pairs])
    return exact, mean_f1(ANSWER_F1, [answer_f1(one, other) for one, other in pairs], seed=seed)


def exact_share(hits: Sequence[float]) -> Measure:
    """Exact match from a hit or a miss for each question."""
    n, found = len(hits), int(sum(hits))
    return EXACT_MATCH.measure(found / n, wilson(found, n), n=n)


def mean_f1(yardstick: Yardstick, f1s: Sequence[float], *, seed: int = 0) -> Measure:
    """`ANSWER_F1` or `CMRC_F1` from the F1 of each question."""
    n = len(f1s)
    return yardstick.measure(sum(f1s) / n, bootstrap_mean(f1s, seed=seed), n=n, seed=seed, draws=DRAWS)


def cmrc_f1(said: str, right: Sequence[str]) -> float:
    """F1 of the longest run of pieces shared with the right answer that shares most; with none on a side, 1 if both have none."""
    return max(run_f1(cmrc_pieces(said), cmrc_pieces(one)) for one in right or ("",))


def cmrc_pieces(text: str) -> list[str]:
    """Chinese characters and the words between, without punctuation."""
    return [unit for unit in units(text) if unicodedata.category(unit[0])[0] not in "PS"]


def run_f1(said: Sequence[str], right: Sequence[str]) -> float:
    """F1 of the longest common run of two sequences."""
    if not said or not right:
        return float(not said and not right)
    longest, before = 0, [0] * (len(right) + 1)
    for piece in said:
        runs = [0] * (len(right) + 1)
        for place, other in enumerate(right):
            if piece == other:
                runs[place + 1] = before[place] + 1
        longest, before = max(longest, *runs), runs
    return 2 * longest / (len(said) + len(right))


def cmrc_scores(said: Sequence[str], right: Sequence[Sequence[str]], *, seed: int = 0) -> tuple[Measure, Measure]:
    """Exact match and CMRC's F1 over questions, for Chinese; ValueError when lengths differ or nothing is given."""
    exact, _ = answer_scores(said, right, seed=seed)
    f1s = [cmrc_f1(one, other) for one, other in zip(said, right, strict=True)]
    return exact, mean_f1(CMRC_F1, f1s, seed=seed)
