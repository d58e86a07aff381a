"""Every entry of MEASURES keeps the promise."""

from __future__ import annotations

import string
import subprocess
import sys

import pytest

from langwright.measures import Measure
from langwright.metrics import MEASURES
from langwright.metrics.yardsticks import Interval, signed
from langwright.wording import chinese


@pytest.mark.parametrize("name", MEASURES)
def test_a_measure_says_how_it_is_got_and_what_it_does_not_show_in_both_languages(name):
    yardstick = MEASURES[name]
    assert yardstick.name == name
    assert yardstick.method
    assert yardstick.does_not_show
    catalogue = chinese()
    for template in (yardstick.name, yardstick.method, yardstick.does_not_show, yardstick.unit):
        if template:
            assert fields(template) == fields(catalogue[template]), template


def fields(template: str) -> set[str]:
    return {field for _, field, _, _ in string.Formatter().parse(template) if field}


def test_a_measure_is_filled_and_signed():
    measure = MEASURES["accuracy"].measure(0.5, Interval(0.4, 0.6), n=10)
    assert measure == Measure(
        name="accuracy", value=0.5, low=0.4, high=0.6, n=10, unit="share", better="higher",
        method="share of 10 items whose label is right; Wilson interval", does_not_show=MEASURES["accuracy"].does_not_show,
    )  # fmt: skip
    (first, second) = signed(
        [measure, measure.model_copy(update={"model": "baseline"})], model="m", data="d", command="c"
    )
    assert (first.model, first.data, first.command) == ("m", "d", "c")
    assert (second.model, second.data) == ("baseline", "d")


def test_declarations_import_nothing_heavy():
    code = "import sys, langwright.metrics; print([m for m in ('torch', 'transformers', 'numpy', 'scipy', 'sklearn') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
