"""Columns, folding and the progress display."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langwright.cli.progress import PLAIN_EVERY_S, Progress, Rate, duration, told
from langwright.cli.screen import Screen, columns, folded, shown, width
from langwright.measures import Measure
from langwright.runlog import (
    Chosen,
    Evaluated,
    Event,
    Failed,
    Finished,
    Progressed,
    Resumed,
    Sampled,
    Saved,
    Started,
    Stepped,
    Stopped,
    Warned,
)
from langwright.wording import use_language


def stepped(step: int, time: float, steps: int = 100, **metrics: float) -> Stepped:
    return Stepped(
        time=time, step=step, steps=steps, loss=2.5, metrics=metrics, learning_rate=0.1, gradient_norm=1, units=64,
        tokens=128, useful=0.5, tokens_per_second=12345, seconds=1.5,
    )  # fmt: skip


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def screen(err: io.StringIO | None = None) -> Screen:
    return Screen(as_json=True, out=io.StringIO(), err=err or io.StringIO())


@pytest.mark.spec("TR15", "a step's line says step, loss, bits per byte, tokens/s, useful share and the time left")
def test_a_steps_line() -> None:
    rate = Rate()
    rate.see(stepped(10, 1000.0))
    assert rate.line(stepped(10, 1000.0)).endswith("2 min 15 s left")  # 90 steps of 1.5 s, from the first step alone
    rate.see(stepped(20, 1020.0, bits_per_byte=1.234))
    line = rate.line(stepped(20, 1020.0, bits_per_byte=1.234))
    assert line == "step 20/100  loss 2.5000  1.234 bits/byte  12,345 tokens/s  50% useful  2 min 40 s left"
    use_language("zh")
    assert rate.line(stepped(20, 1020.0)).startswith(
        "步 20/100  损失 2.5000  12,345 词元/秒  有效 50%  还需 2 分 40 秒"
    )


def test_counted_work_with_and_without_a_total() -> None:
    rate = Rate()
    rate.see(Progressed(what="reading", done=0, total=100, time=0))
    rate.see(Progressed(what="reading", done=50, total=100, time=10))
    assert rate.line(Progressed(what="reading", done=50, total=100, time=10)) == "reading  50/100  50%  10 s left"
    assert rate.line(Progressed(what="reading", done=7)) == "reading  7"
    rate.see(Progressed(what="cleaning", done=1, total=2, time=11))  # another piece of work has its own rate
    assert rate.line(Progressed(what="cleaning", done=1, total=2, time=11)) == "cleaning  1/2  50%"


def test_plain_lines_come_at_a_calm_rate_and_the_last_is_never_lost() -> None:
    err, now = io.StringIO(), [0.0]
    with Progress(screen(err), clock=lambda: now[0]) as progress:
        for step in range(1, 12):
            now[0] = float(step)
            progress(stepped(step, now[0]))
    lines = err.getvalue().splitlines()
    assert [line.split()[1] for line in lines] == ["1/100", "6/100", "11/100"]
    assert PLAIN_EVERY_S == 5.0
    err, now = io.StringIO(), [0.0]
    with Progress(screen(err), clock=lambda: now[0]) as progress:
        progress(stepped(1, 0))
        progress(stepped(2, 1))
    assert [line.split()[1] for line in err.getvalue().splitlines()] == ["1/100", "2/100"]


def test_a_terminal_gets_one_live_line_and_messages_above_it() -> None:
    err = Terminal()
    with Progress(screen(err)) as progress:
        progress(Chosen(message="{n} rows", values={"n": 3}))
        progress(stepped(1, 0))
    assert "3 rows\n" in err.getvalue().replace("\r", "").replace("\x1b[2K", "")


@pytest.mark.parametrize(
    ("event", "lines"),
    [
        (Started(stage="x", pid=1), []),
        (Chosen(message="{n} rows", values={"n": 3}), ["3 rows"]),
        (Warned(message="{n} rows", values={"n": 3}), ["note: 3 rows"]),
        (Resumed(step=1200), ["resumed at step 1,200"]),
        (Evaluated(step=5, values={"loss": 1.23456}, best=True), ["step 5  held out: loss 1.235  (best so far)"]),
        (Sampled(step=1, prompt="Once", text=" upon\na"), ["  Once▸ upon a"]),
        (Saved(step=1, seconds=1, bytes=1), []),
        (Stopped(step=7, reason="SIGTERM"), ["stopped at step 7 (SIGTERM), everything saved"]),
        (Failed(problem="x"), []),
        (Finished(seconds=75), ["done in 1 min 15 s"]),
    ],
)
def test_what_each_event_says(event: Event, lines: list[str]) -> None:
    assert told(event) == lines


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59.7, "1 min 0 s"), (3599, "59 min 59 s"), (7260, "2 h 1 min")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@given(
    st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cc", "Zl", "Zp"]), max_size=200),
    st.integers(20, 80),
)
def test_folding_loses_nothing_and_keeps_to_the_width(text: str, limit: int) -> None:
    lines = folded(text, limit)
    assert "".join("".join(lines).split()) == "".join(text.split())
    words = max((width(word) for word in text.split()), default=0)
    assert all(width(line) <= max(limit, words) for line in lines)


def test_chinese_folds_between_characters_but_not_before_a_mark() -> None:
    assert folded("一二三四五，六", 10) == ["一二三四", "五，六"]
    assert folded("use `langwright run` now", 12) == ["use", "`langwright", "run` now"]


def test_columns_align_wide_characters() -> None:
    assert columns([["a", "b"], ["中文", "c"]]) == ["a     b", "中文  c"]
    assert columns([]) == []


@pytest.mark.parametrize(
    ("number", "text"), [(0.123456, "0.1235"), (12345.6, "12,346"), (3.0, "3"), (0.0, "0"), (1.5e-7, "1.5e-07")]
)
def test_numbers(number: float, text: str) -> None:
    assert shown(number) == text


def test_a_measures_row_has_its_interval() -> None:
    from langwright.cli.screen import measure_rows

    row = measure_rows(
        [Measure(name="perplexity", value=12.3456, low=11.0, high=13.5, n=1200, unit="per token", data="d")]
    )
    assert row == [["  perplexity", "12.35 [11, 13.5]", "per token", "d", "n = 1,200"]]
    large = measure_rows(
        [Measure(name="peak memory", value=573_370_368.0, unit="bytes"), Measure(name="c", value=2e15, unit="FLOP")]
    )
    assert [line[1:3] for line in large] == [["573.4", "MB"], ["2", "PFLOP"]]
