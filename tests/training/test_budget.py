"""The one dial: sizes and updates from minutes, as a function of numbers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langwright.models.presets import PRESETS
from langwright.models.sizes import estimate
from langwright.training.budget import IN_UPDATES, MOST_PASSES, Candidate, choose, predicted_loss, update_size, worth_of
from langwright.wording import say

NAMES = ("tiny", "mini", "small", "base")
CANDIDATES = [
    Candidate(name, size.parameters, size.flops_per_token, PRESETS[name].max_position_embeddings)
    for name, size in ((name, estimate(PRESETS[name])) for name in NAMES)
]
PLENTY = 10**12


def at(flops: float, asked: list[str] | None = None):
    """A machine of this many FLOP/s, whatever the model; remembers whose speed was asked for."""

    def speed(name: str) -> float:
        if asked is not None:
            asked.append(name)
        return flops / next(c.flops_per_token for c in CANDIDATES if c.name == name)

    return speed


def test_repetition_by_hand() -> None:
    """Fresh text is worth itself; the limit of endless repetition is 1 + R* corpora; four passes lose about a tenth."""
    assert worth_of(10, 10, 15.4) == 10
    assert worth_of(5, 10, 15.4) == 5
    assert worth_of(1e9, 10, 15.4) == pytest.approx(164)
    assert worth_of(40, 10, 15.4) == pytest.approx(10 * (1 + 15.4 * (1 - math.exp(-3 / 15.4))))
    assert 0.9 < worth_of(40, 10, 15.4) / 40 < 1
    assert worth_of(1000, 10, 15.4) / 1000 < 0.2


@given(st.floats(1, 1e12), st.floats(1, 1e12), st.floats(1, 1e9))
def test_more_reading_is_never_worth_less_and_never_more_than_itself(a: float, b: float, corpus: float) -> None:
    low, high = sorted((a, b))
    assert worth_of(low, corpus, 15.4) <= worth_of(high, corpus, 15.4) * (1 + 1e-12)
    assert worth_of(high, corpus, 15.4) <= high * (1 + 1e-12)


def test_compute_is_spent_best_near_twenty_tokens_a_weight() -> None:
    """Over a continuous range of sizes at the compute of the source's models (1e21 FLOP)."""
    compute = 1e21
    sizes = [10 ** (7 + k / 200) for k in range(1000)]
    best = min(sizes, key=lambda n: predicted_loss(n, compute / 6 / n, PLENTY * 100))
    assert 12 < compute / 6 / best / best < 32


@pytest.mark.parametrize(
    "hours, expected", [(0.01, "tiny"), (0.5, "tiny"), (2, "mini"), (24, "small"), (24 * 7, "base")]
)
def test_more_time_takes_a_larger_model(hours: float, expected: str) -> None:
    assert choose(60 * hours, CANDIDATES, at(0.35e12), PLENTY).preset == expected


@given(st.floats(0.1, 1e5), st.floats(1e9, 1e15))
def test_size_never_falls_with_time(minutes: float, flops: float) -> None:
    short = NAMES.index(choose(minutes, CANDIDATES, at(flops), PLENTY).preset)
    assert short <= NAMES.index(choose(3 * minutes, CANDIDATES, at(flops), PLENTY).preset)


def test_little_text_cannot_fill_a_large_model() -> None:
    """A week on 100,000 tokens: thousands of passes, and still no model of 110M weights."""
    assert choose(60 * 24 * 7, CANDIDATES, at(0.35e12), 100_000).preset != "base"


def test_text_is_read_forty_times_at_the_most_and_that_is_said() -> None:
    choice = choose(60 * 24, CANDIDATES, at(0.35e12), 100_000)
    assert choice.values["epochs"] == pytest.approx(40, rel=0.01)
    assert "more text would" in say(choice.message, lang="en", **choice.values)  # type: ignore[arg-type]


def test_a_size_without_hope_is_not_measured() -> None:
    asked: list[str] = []
    assert choose(0.05, CANDIDATES, at(0.35e12, asked), PLENTY).preset == "tiny"
    assert asked == ["tiny"]


def test_a_size_that_is_slower_than_hoped_is_not_taken() -> None:
    slow = {"tiny": 60_000.0, "mini": 10.0, "small": 1e9, "base": 1e9}
    assert choose(30, CANDIDATES, lambda name: slow[name], PLENTY).preset == "tiny"


@given(st.floats(0.2, 1e4), st.floats(1e10, 1e14), st.integers(1000, 10**10))
def test_updates_fill_the_time(minutes: float, flops: float, corpus: int) -> None:
    choice = choose(minutes, CANDIDATES, at(flops), corpus)
    chosen = next(c for c in CANDIDATES if c.name == choice.preset)
    tokens = choice.steps * choice.batch_rows * choice.length
    wanted = min(60 * minutes * IN_UPDATES * flops / chosen.flops_per_token, MOST_PASSES * corpus)
    assert abs(tokens - wanted) <= choice.batch_rows * choice.length / 2 + 1 or choice.steps == 1
    assert choice.length == chosen.length


@pytest.mark.parametrize(
    "tokens, length, expected",
    [(1e5, 512, 1024), (1e6, 512, 1024), (4.2e6, 512, 4096), (3e7, 512, 16384), (1e9, 512, 16384), (1e9, 1024, 16384)],
)
def test_updates_grow_with_the_run_and_stop_growing(tokens: float, length: int, expected: int) -> None:
    assert update_size(tokens, length) == expected


def test_an_update_that_is_decided_elsewhere_is_kept() -> None:
    choice = choose(10, CANDIDATES[:1], at(1e11), PLENTY, tokens_per_update=lambda name: 3 * 512)
    assert choice.batch_rows == 3
    assert choice.steps == round(600 * IN_UPDATES * 1e11 / CANDIDATES[0].flops_per_token / 1536)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("count, minutes", [(1, 3), (4, 3), (4, 3000)])
def test_the_reason_can_be_said(language: str, count: int, minutes: float) -> None:
    choice = choose(minutes, CANDIDATES[:count], at(1e11), 10**6)
    text = say(choice.message, lang=language, **choice.values)  # type: ignore[arg-type]
    assert choice.preset in text and str(choice.steps) in text
    assert ("分钟" in text) == (language == "zh")
