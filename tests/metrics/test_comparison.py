"""Paired differences and McNemar's exact test against scipy and against resampling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from langwright.metrics.comparison import binomial_two_sided, difference, mcnemar

outcomes = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60)


@given(outcomes)
def test_mcnemar_equals_the_exact_binomial_test(pairs):
    first, second = zip(*pairs, strict=True)
    only_first = sum(a and not b for a, b in pairs)
    discordant = sum(a != b for a, b in pairs)
    wanted = binomtest(only_first, discordant, 0.5).pvalue if discordant else 1.0
    assert mcnemar(first, second).value == pytest.approx(wanted)


def test_mcnemar_by_hand():
    # 9 against 1: 2·(C(10,0) + C(10,1)) / 2^10
    measure = mcnemar([True] * 9 + [False] + [True] * 20, [False] * 9 + [True] + [True] * 20)
    assert measure.value == pytest.approx(2 * 11 / 1024)
    assert binomial_two_sided(0, 0) == 1
    assert binomial_two_sided(20_000, 40_100) == pytest.approx(binomtest(20_000, 40_100, 0.5).pvalue, rel=1e-9)


@given(outcomes, st.randoms())
def test_a_difference_does_not_depend_on_the_order_and_changes_sign(pairs, random):
    first, second = zip(*pairs, strict=True)
    shuffled = list(pairs)
    random.shuffle(shuffled)
    one = difference(first, second, of="accuracy", unit="share")
    two = difference(*zip(*shuffled, strict=True), of="accuracy", unit="share")
    back = difference(second, first, of="accuracy", unit="share")
    assert one.value == pytest.approx(two.value)
    assert one.value == pytest.approx(-back.value)


def test_pairing_makes_the_interval_narrow():
    hard = [float(i) for i in range(50)]
    measure = difference([h + 1 + (i % 2) * 0.1 for i, h in enumerate(hard)], hard, of="loss", unit="nats")
    assert measure.value == pytest.approx(1.05)
    assert 1.0 < measure.low < measure.high < 1.1
    assert (measure.name, measure.unit) == ("difference in loss", "nats")


def test_weights_divide_the_sums():
    measure = difference([8.0, 2.0], [4.0, 0.0], [10.0, 2.0], of="bits per byte", unit="bits/byte")
    assert measure.value == pytest.approx(6 / 12)
    with pytest.raises(ValueError, match="weights"):
        difference([1.0], [1.0], [0.0], of="x", unit="")
    with pytest.raises(ValueError, match="items"):
        mcnemar([], [])
