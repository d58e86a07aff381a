"""Time a text by hand."""

from __future__ import annotations

import pytest

from langwright.metrics.expense import time_a_text


def test_by_hand() -> None:
    found = time_a_text([9.0, 2.0, 3.0, 1.0], [64, 64, 64, 32], 64)  # the first batch warms up
    assert (found.value, found.n, found.low) == (6 / 160, 160, None)
    assert time_a_text([3.0], [6], 64).value == 0.5
    long = time_a_text([1.0] + [0.5, 1.5] * 20, [10] * 41, 10)
    assert long.value == pytest.approx(0.1) and 0.07 < long.low < 0.1 < long.high < 0.13
    with pytest.raises(ValueError, match="1 times"):
        time_a_text([1.0], [], 1)
