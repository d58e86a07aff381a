"""How well mistakes are found and corrected: by sentence, all of its edits right, and by edit.

Source    Tseng et al. 2015, "Introduction to SIGHAN 2015 Bake-off for Chinese Spelling Check", section 4: detection
          when all places are right, correction when what stands there is too; false positive rate over sentences
          without mistakes
Differs   Precision counts every sentence that was changed and not exactly rightly, also one that had mistakes, as work
          since then does (Cheng et al. 2020, arXiv:2004.14166); the bake-off's counts changes where nothing was wrong.
          By edit is added, and words of other languages than Chinese are edits too.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from langwright.measures import Measure
from langwright.metrics.edits import Edit
from langwright.metrics.intervals import DRAWS, bootstrap_ratio, wilson
from langwright.metrics.sets import Things, f1_of, overlaps, share
from langwright.metrics.yardsticks import Yardstick

ELSEWHERE = "whether another correction than the one given would do as well"
DETECTED = Yardstick(
    name="sentences with mistakes found, F1", unit="share", better="higher",
    method="harmonic mean of precision (share of {changed} changed sentences that are changed at exactly the right places) and recall (share of {wrong} sentences with mistakes that are) over {n} sentences; interval: {draws} bootstrap draws over sentences (SIGHAN 2015)",
    does_not_show=ELSEWHERE,
)  # fmt: skip
CORRECTED = Yardstick(
    name="sentences corrected, F1", unit="share", better="higher",
    method="harmonic mean of precision (share of {changed} changed sentences that are exactly corrected) and recall (share of {wrong} sentences with mistakes that are) over {n} sentences; interval: {draws} bootstrap draws over sentences (SIGHAN 2015)",
    does_not_show=ELSEWHERE,
)  # fmt: skip
DETECTED_EDITS = Yardstick(
    name="mistakes found, F1", unit="share", better="higher",
    method="harmonic mean of precision and recall of the places of single edits, {named} made and {right} right ones in {n} sentences; interval: {draws} bootstrap draws over sentences",
    does_not_show=ELSEWHERE,
)  # fmt: skip
CORRECTED_EDITS = Yardstick(
    name="mistakes corrected, F1", unit="share", better="higher",
    method="harmonic mean of precision and recall of single edits, right in place and in what stands there, {named} made and {right} right ones in {n} sentences; interval: {draws} bootstrap draws over sentences",
    does_not_show=ELSEWHERE,
)  # fmt: skip
PRECISION = Yardstick(
    name="precision of corrections", unit="share", better="higher",
    method="share of {named} edits made that are exactly right; interval: {draws} bootstrap draws over {n} sentences",
    does_not_show="how many mistakes were left",
)  # fmt: skip
RECALL = Yardstick(
    name="recall of corrections", unit="share", better="higher",
    method="share of {right} mistakes that were exactly corrected; interval: {draws} bootstrap draws over {n} sentences",
    does_not_show="how much was changed that was right",
)  # fmt: skip
FALSE_CHANGES = Yardstick(
    name="right sentences that were changed", unit="share", better="lower",
    method="share of the {n} sentences without mistakes that were changed all the same (false positive rate of SIGHAN 2015); Wilson interval",
    does_not_show="how far they were changed",
)  # fmt: skip

RIGHT_AFTER = Yardstick(
    name="sentences that are right afterwards", unit="share", better="higher",
    method="share of {n} sentences that are, once corrected, as they should be, those that were right before included; Wilson interval",
    does_not_show=ELSEWHERE,
)  # fmt: skip

Edits = Sequence[Collection[Edit]]


def correction_scores(made: Edits, right: Edits, *, seed: int = 0) -> tuple[Measure, ...]:
    """All of the measures above; the last one where there are sentences without mistakes.

    made, right  the edits of each sentence
    raises       ValueError when lengths differ or nothing is given
    """
    places = [[{(edit.start, edit.end) for edit in one} for one in edits] for edits in (made, right)]
    whole = [[set(one) for one in edits] for edits in (made, right)]
    found = [
        by_sentence(DETECTED, places[0], places[1], seed),
        by_sentence(CORRECTED, whole[0], whole[1], seed),
        by_edit(DETECTED_EDITS, places[0], places[1], seed),
        by_edit(CORRECTED_EDITS, whole[0], whole[1], seed),
    ]
    hits, named, wanted = overlaps(whole[0], whole[1])
    n = len(hits)
    named_share = bootstrap_ratio(hits, named, seed=seed)
    wanted_share = bootstrap_ratio(hits, wanted, seed=seed)
    found += [
        PRECISION.measure(share(sum(hits), sum(named)), named_share, n=n, seed=seed, named=sum(named), draws=DRAWS),
        RECALL.measure(share(sum(hits), sum(wanted)), wanted_share, n=n, seed=seed, right=sum(wanted), draws=DRAWS),
    ]
    clean = [bool(changed) for changed, mistakes in zip(*whole, strict=True) if not mistakes]
    if clean:
        found.append(FALSE_CHANGES.measure(sum(clean) / len(clean), wilson(sum(clean), len(clean)), n=len(clean)))
    return tuple(found)


def right_after(texts: Sequence[str], right: Sequence[str]) -> Measure:
    """Share of texts that came out right; ValueError when lengths differ or nothing is given."""
    hits = sum(one == other for one, other in zip(texts, right, strict=True))
    if not right:
        raise ValueError("no texts")
    return RIGHT_AFTER.measure(hits / len(right), wilson(hits, len(right)), n=len(right))


def by_sentence(kind: Yardstick, made: Things, right: Things, seed: int) -> Measure:  # fmt: skip
    """F1 over sentences: those changed, those with mistakes, and those that are both and exactly right."""
    changed = [int(bool(one)) for one in made]
    wrong = [int(bool(one)) for one in right]
    hits = [int(bool(a) and set(a) == set(b)) for a, b in zip(made, right, strict=True)]
    both = [a + b for a, b in zip(changed, wrong, strict=True)]
    interval = bootstrap_ratio([2 * hit for hit in hits], both, seed=seed)
    return kind.measure(
        f1_of(sum(hits), sum(changed), sum(wrong)), interval, n=len(hits), seed=seed, changed=sum(changed), wrong=sum(wrong),
        draws=DRAWS,
    )  # fmt: skip


def by_edit(kind: Yardstick, made: Things, right: Things, seed: int) -> Measure:  # fmt: skip
    """F1 over single edits."""
    hits, named, wanted = overlaps(made, right)
    both = [a + b for a, b in zip(named, wanted, strict=True)]
    interval = bootstrap_ratio([2 * hit for hit in hits], both, seed=seed)
    return kind.measure(
        f1_of(sum(hits), sum(named), sum(wanted)), interval, n=len(hits), seed=seed, named=sum(named),
        right=sum(wanted), draws=DRAWS,
    )  # fmt: skip
