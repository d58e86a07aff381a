"""Work as it goes on, on standard error: one live line in a terminal, calm plain lines elsewhere.

A reader of events like any other: the log of a run shows the same when `runs watch` follows it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from langwright.cli.screen import Screen, folded
from langwright.runlog import (
    Chosen,
    Evaluated,
    Event,
    Finished,
    Progressed,
    Resumed,
    Sampled,
    Started,
    Stepped,
    Stopped,
    Warned,
)
from langwright.wording import say

if TYPE_CHECKING:
    from rich.live import Live

PLAIN_EVERY_S = 5.0  # between two lines about steps, where there is no terminal
SAMPLE_WIDTH = 76


class Progress:
    """Shows events as they come; call it with each, leave the `with` block to take the live line away."""

    def __init__(self, screen: Screen, *, clock: Callable[[], float] = time.time) -> None:
        self.screen = screen
        self.rate = Rate()
        self._clock = clock
        self._shown = float("-inf")  # when the last plain line about steps was written
        self._live: Live | None = None
        self._waiting = ""  # the last line not shown for being too soon

    def __enter__(self) -> Progress:
        if self.screen.err.isatty():
            from rich.console import Console
            from rich.live import Live

            console = Console(file=self.screen.err, highlight=False, markup=False)
            self._live = Live("", console=console, refresh_per_second=4, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None
        if self._waiting:
            self.screen.note(self._waiting)

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if isinstance(event, (Stepped, Progressed)):
            self.moving(event)
        else:
            for line in told(event):
                self.tell(line)
        if isinstance(event, (Started, Resumed)):
            self.rate = Rate()

    def moving(self, event: Stepped | Progressed) -> None:
        """What changes too often for a line each."""
        self.rate.see(event)
        line = self.rate.line(event)
        if self._live is not None:
            self._live.update(line)
        elif self._clock() - self._shown >= PLAIN_EVERY_S or ends(event):
            self.screen.note(line)
            self._shown = self._clock()
            self._waiting = ""
        else:
            self._waiting = line

    def tell(self, line: str) -> None:
        """A line that stays."""
        if self._live is not None:
            self._live.console.print(line, soft_wrap=True)
        else:
            self.screen.note(line)


def ends(event: Stepped | Progressed) -> bool:
    """Whether an event is the last of its kind."""
    return event.step == event.steps if isinstance(event, Stepped) else event.done == event.total


class Rate:
    """How fast a piece of work goes, and when it will be done."""

    def __init__(self) -> None:
        self.first: tuple[str, int, float] | None = None  # (what, how far, when) of the first event seen
        self.seconds_per_unit: float | None = None

    def see(self, event: Stepped | Progressed) -> None:
        """Take an event into account; another piece of work begins anew."""
        what, done = (say("step"), event.step) if isinstance(event, Stepped) else (event.what, event.done)
        if self.first is None or self.first[0] != what or done < self.first[1]:
            self.first = (what, done, event.time)
            self.seconds_per_unit = event.seconds if isinstance(event, Stepped) else None
            return
        _, start, began = self.first
        if done > start:
            self.seconds_per_unit = (event.time - began) / (done - start)

    def line(self, event: Stepped | Progressed) -> str:
        """The event with its rate, in one line."""
        if isinstance(event, Stepped):
            return "  ".join([*step_words(event), *self.left(event.steps - event.step)])
        if event.total is None:
            return f"{say(event.what)}  {event.done:,}"
        share = event.done / event.total if event.total else 1.0
        return "  ".join(
            [say(event.what), f"{event.done:,}/{event.total:,}", f"{share:.0%}", *self.left(event.total - event.done)]
        )

    def left(self, units: int) -> list[str]:
        """The time that remains, where it is known."""
        if self.seconds_per_unit is None or units <= 0:
            return []
        return [say("{time} left", time=duration(units * self.seconds_per_unit))]


def step_words(event: Stepped) -> list[str]:
    """What a step's line says."""
    words = [f"{say('step')} {event.step:,}/{event.steps:,}", f"{say('loss')} {event.loss:.4f}"]
    if "bits_per_byte" in event.metrics:
        words.append(say("{value} bits/byte", value=f"{event.metrics['bits_per_byte']:.3f}"))
    if "accuracy" in event.metrics:
        words.append(say("accuracy {value}", value=f"{event.metrics['accuracy']:.1%}"))
    words.append(say("{value} tokens/s", value=f"{event.tokens_per_second:,.0f}"))
    words.append(say("{value} useful", value=f"{event.useful:.0%}"))
    return words


def told(event: Event) -> list[str]:
    """Events that get lines of their own."""
    match event:
        case Chosen():
            return [say(event.message, lang=None, **event.values)]
        case Warned():
            return [f"{say('note')}: {say(event.message, lang=None, **event.values)}"]
        case Resumed():
            return [say("resumed at step {step}", step=f"{event.step:,}")]
        case Evaluated():
            values = "  ".join(f"{say(name.replace('_', ' '))} {value:.4g}" for name, value in event.values.items())
            best = f"  ({say('best so far')})" if event.best else ""
            return [f"{say('step')} {event.step:,}  {say('held out')}: {values}{best}"]
        case Sampled():
            text = " ".join(f"{event.prompt}▸{event.text}".split())
            return [f"  {line}" for line in folded(text, SAMPLE_WIDTH)[:3]]
        case Stopped():
            return [
                say("stopped at step {step} ({reason}), everything saved", step=f"{event.step:,}", reason=event.reason)
            ]
        case Finished():
            return [say("done in {time}", time=duration(event.seconds))]
        case _:
            return []  # saving is not worth a line, and errors are told by the one place that tells them


def duration(seconds: float) -> str:
    """A time span as people say it.

    >>> duration(4.2), duration(75), duration(7300)
    ('4 s', '1 min 15 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return say("{seconds} s", seconds=whole)
    if whole < 3600:
        return say("{minutes} min {seconds} s", minutes=whole // 60, seconds=whole % 60)
    return say("{hours} h {minutes} min", hours=whole // 3600, minutes=whole % 3600 // 60)
