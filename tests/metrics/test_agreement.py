"""Agreement by published worked examples and against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from langwright.metrics.agreement import cohen_kappa, fleiss_kappa, krippendorff_alpha

# Fleiss 1971 as worked through in handbooks: 10 items, 14 ratings each, five categories
FLEISS = (
    (0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1),
    (7, 7, 0, 0, 0), (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7),
)  # fmt: skip
# Krippendorff 2011: four observers, twelve units, gaps
OBSERVERS = ("12332141 2...", "12332241 25.3", ".3332342 251.", "12332441 251.")


def units() -> list[list[int]]:
    columns = zip(*(row.replace(" ", "") for row in OBSERVERS), strict=True)
    return [[int(mark) for mark in column if mark != "."] for column in columns]


@pytest.mark.spec("EV4", "agreement of raters by Cohen's, Fleiss' and Krippendorff's published worked examples")
def test_published_examples() -> None:
    yes_no = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    assert cohen_kappa(*zip(*yes_no, strict=True)).value == pytest.approx(0.4)
    ratings = [[place for place, count in enumerate(row) for _ in range(count)] for row in FLEISS]
    assert fleiss_kappa(ratings).value == pytest.approx(0.210, abs=5e-4)
    found = {level: krippendorff_alpha(units(), level).value for level in ("nominal", "ordinal", "interval")}
    assert found == pytest.approx({"nominal": 0.743, "ordinal": 0.815, "interval": 0.849}, abs=5e-4)


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=3, max_size=30))
@settings(max_examples=60, deadline=None)
def test_cohens_equals_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    first, second = zip(*pairs, strict=True)
    kinds = sorted({*first, *second})
    ranked = [kinds.index(one) for one in first], [kinds.index(one) for one in second]
    for ours, theirs in (("equal", None), ("linear", "linear"), ("quadratic", "quadratic")):
        if len(kinds) == 1:
            with pytest.raises(ValueError, match="the same"):
                cohen_kappa(first, second, ours)
        else:
            assert cohen_kappa(first, second, ours).value == pytest.approx(cohen_kappa_score(*ranked, weights=theirs))


def test_limits() -> None:
    assert fleiss_kappa([["a", "a"], ["b", "b"]]).value == 1
    assert krippendorff_alpha([[1, 1], [2, 2], [3]]).value == 1
    rng = np.random.default_rng(0)
    by_chance = krippendorff_alpha(rng.integers(0, 3, (500, 3)).tolist())
    assert abs(by_chance.value) < 0.06 and by_chance.low < 0 < by_chance.high
    with pytest.raises(ValueError, match="unequally"):
        fleiss_kappa([["a", "b"], ["a"]])
    with pytest.raises(ValueError, match="no item"):
        krippendorff_alpha([[1], [2]])
    with pytest.raises(ValueError, match="no numbers"):
        krippendorff_alpha([["good", "bad"]], "ordinal")
    with pytest.raises(ValueError, match="the same"):
        krippendorff_alpha([["a", "a"], ["a", "a"]])


def test_the_interval_is_over_items() -> None:
    found = krippendorff_alpha(units() * 4, "interval")
    assert found.low < found.value < found.high
