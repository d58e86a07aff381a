"""BLEU, chrF and TER as sacrebleu counts them, each with the signature that says how.

Sources   Papineni et al. 2002, ACL (BLEU); Popović 2015 and 2017, WMT (chrF, chrF++); Snover et al. 2006, AMTA (TER)
          Post 2018, arXiv:1804.08771 (why the signature must stand beside the number)
          Koehn 2004, EMNLP (the bootstrap over sentences)
Differs   intervals are ours: percentiles over bootstrap draws of sacrebleu's own counts, so no `bs` is in a signature
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from langwright.measures import Measure
from langwright.metrics.intervals import DRAWS, bootstrap_sums
from langwright.metrics.yardsticks import Yardstick

if TYPE_CHECKING:
    from langwright.metrics.intervals import Floats

Kind = Literal["BLEU", "chrF", "chrF++", "TER"]

BLEU = Yardstick(
    name="BLEU", unit="of 100", better="higher",
    method="runs of one to four words shared with the right texts, clipped, too short a text punished, {n} texts counted together; sacrebleu {signature}; interval: {draws} bootstrap draws over texts",
    does_not_show="whether the meaning is kept; values with another signature, or on other texts",
)  # fmt: skip
CHRF = Yardstick(
    name="chrF", unit="of 100", better="higher",
    method="runs of one to six characters shared with the right texts, recall counting more, {n} texts counted together; sacrebleu {signature}; interval: {draws} bootstrap draws over texts",
    does_not_show="whether the meaning is kept; values with another signature, or on other texts",
)  # fmt: skip
CHRF_WORDS = Yardstick(
    name="chrF++", unit="of 100", better="higher",
    method="runs of one to six characters and of one and two words shared with the right texts, recall counting more, {n} texts counted together; sacrebleu {signature}; interval: {draws} bootstrap draws over texts",
    does_not_show="whether the meaning is kept; values with another signature, or on other texts",
)  # fmt: skip
TER = Yardstick(
    name="TER", unit="of 100", better="lower",
    method="edits and shifts of runs that turn {n} texts into the right ones, over the words there; sacrebleu {signature}; interval: {draws} bootstrap draws over texts",
    does_not_show="whether an edit changes the meaning; values with another signature, or on other texts",
)  # fmt: skip
YARDSTICKS: dict[Kind, Yardstick] = {"BLEU": BLEU, "chrF": CHRF, "chrF++": CHRF_WORDS, "TER": TER}


@dataclass(frozen=True)
class Counted:
    """What a score is made from.

    counts_NK  sacrebleu's counts of each text
    metric     what makes a score of their sums
    """

    counts_NK: Floats
    metric: Any

    def score(self, sums_RK: Floats) -> Floats:
        """Scores (R,) of sums of counts."""
        import numpy as np

        return np.array([self.metric._compute_score_from_stats(list(sums_K)).score for sums_K in sums_RK])

    @property
    def signature(self) -> str:
        """How it was counted, with sacrebleu's version."""
        return str(self.metric.get_signature())


def metric_of(kind: Kind, language: str) -> Any:
    """sacrebleu's metric, told how the language is cut into words.

    language  that of the texts: zh by characters, ja and ko by characters too, others by sacrebleu's rules 13a
    """
    from sacrebleu.metrics import BLEU as SacreBLEU
    from sacrebleu.metrics import CHRF as SacreCHRF
    from sacrebleu.metrics import TER as SacreTER

    if kind == "BLEU":
        cut = "zh" if language == "zh" else "char" if language in ("ja", "ko") else "13a"
        return SacreBLEU(tokenize=cut)
    if kind == "TER":
        asian = language in ("zh", "ja", "ko")
        return SacreTER(normalized=asian, asian_support=asian)
    return SacreCHRF(word_order=2 if kind == "chrF++" else 0)


def counted(kind: Kind, said: Sequence[str], right: Sequence[Sequence[str]], language: str) -> Counted:
    """Count; ValueError when lengths differ, nothing is given, or a text has no right one."""
    import numpy as np

    if len(said) != len(right) or not said or not all(right):
        raise ValueError(f"{len(said)} texts for {len(right)}, or one without a right text")
    metric = metric_of(kind, language)
    most = max(map(len, right))
    # sacrebleu wants the first right text of every item, then the second; None where there is none
    columns = [[one[place] if place < len(one) else None for one in right] for place in range(most)]
    return Counted(np.array(metric._extract_corpus_statistics(list(said), columns), float), metric)


def translation_score(kind: Kind, said: Sequence[str], right: Sequence[Sequence[str]], language: str = "en", *, seed: int = 0) -> Measure:  # fmt: skip
    """BLEU, chrF, chrF++ or TER over all texts together, 0 to 100 (TER may exceed it).

    said      plain texts, not cut into words
    right     for each text its right ones
    language  that of the texts
    raises    ValueError when lengths differ, nothing is given, or a text has no right one
    """
    found = counted(kind, said, right, language)
    value = found.score(found.counts_NK.sum(0)[None])[0]
    interval = bootstrap_sums(found.counts_NK, found.score, seed=seed)
    return YARDSTICKS[kind].measure(value, interval, n=len(said), seed=seed, signature=found.signature, draws=DRAWS)
