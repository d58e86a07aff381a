"""Comparisons of arms: means, paired differences and what is said of them, against numbers by hand and scipy."""

from __future__ import annotations

import pytest
from scipy import stats

from langwright.evaluation.experiments.compared import (
    Compared,
    Comparison,
    Curve,
    Value,
    compared_measures,
    compared_report,
    paired,
)
from langwright.evaluation.pages.report import Made


def comparison(ours: dict[int, float], theirs: dict[int, float], better: str = "higher") -> Comparison:
    values = [Value(arm="old", seed=s, value=v) for s, v in theirs.items()]
    values += [Value(arm="new", seed=s, value=v) for s, v in ours.items()]
    one = Compared(name="accuracy", unit="share", better=better, data="reviews", values=tuple(values))
    curves = tuple(Curve(arm=arm, seed=1, points=((1, 2.0), (2, 1.0))) for arm in ("old", "new"))
    return Comparison(claim="New is better", arms=("old", "new"), measures=(one,), curves=curves)


def test_differences_are_of_pairs_and_their_interval_is_the_paired_t_test() -> None:
    ours, theirs = {1: 0.81, 2: 0.86, 3: 0.79, 4: 0.84}, {1: 0.80, 2: 0.83, 3: 0.77, 4: 0.83, 5: 0.99}
    found = comparison(ours, theirs)
    assert paired(found.measures[0], "new", "old") == pytest.approx([0.01, 0.03, 0.02, 0.01])
    gap = next(m for m in compared_measures(found, "") if m.name == "difference in accuracy")
    both = stats.ttest_rel([ours[s] for s in ours], [theirs[s] for s in ours]).confidence_interval()
    assert (gap.low, gap.high) == pytest.approx(tuple(both))
    assert gap.n == 4 and gap.model == "new"
    old = next(m for m in compared_measures(found, "") if m.model == "old")
    assert old.value == pytest.approx(0.844) and old.n == 5  # a mean is over all of an arm's seeds


@pytest.mark.parametrize(
    ("ours", "better", "said", "chinese"),
    [
        ({1: 0.9, 2: 0.91, 3: 0.92}, "higher", "new is better than old", "new 优于 old"),
        ({1: 0.9, 2: 0.91, 3: 0.92}, "lower", "new is worse than old", "new 不如 old"),
        ({1: 0.5, 2: 0.99, 3: 0.71}, "higher", "new cannot be told from old", "new 与 old 分不出高下"),
        ({1: 0.9}, "higher", "with one seed, which tells nothing of chance", "只有一个种子，无从判断偶然"),
    ],
)  # fmt: skip
def test_what_is_said_is_what_the_interval_allows(ours: dict[int, float], better: str, said: str, chinese: str) -> None:
    found = comparison(ours, {1: 0.7, 2: 0.72, 3: 0.71}, better)
    page = compared_report(found, compared_measures(found, "command"), Made(), "en")
    assert said in page and chinese in page
    assert "Validation loss while training" in page
