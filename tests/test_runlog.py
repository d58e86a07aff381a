"""The log of a run: whatever tears it, what counts is read."""

from __future__ import annotations

import json
import math
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from langwright.runlog import (
    Chosen,
    Evaluated,
    Event,
    Failed,
    Finished,
    Progressed,
    Resumed,
    RunLog,
    Sampled,
    Saved,
    Started,
    Stepped,
    Stopped,
    Warned,
    follow,
    parse_line,
    read_events,
)

finite = st.floats(allow_nan=False)
steps = st.integers(0, 50)
# The values of a message may be texts too, so a number that is not finite is read back as its name, 'Infinity'.
numbers = st.floats(allow_nan=False, allow_infinity=False)
values = st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers() | numbers, max_size=2)
events = st.one_of(
    st.builds(Started, time=finite, stage=st.text(), pid=st.integers()),
    st.builds(Chosen, time=finite, message=st.text(), values=values),
    st.builds(Warned, time=finite, message=st.text(), values=values),
    st.builds(Progressed, time=finite, what=st.text(), done=st.integers(), total=st.none() | st.integers()),
    st.builds(
        Stepped, time=finite, step=steps, steps=steps, loss=finite, metrics=st.dictionaries(st.text(), finite, max_size=2),
        learning_rate=finite, gradient_norm=finite, units=steps, tokens=steps, useful=finite, tokens_per_second=finite,
        seconds=finite,
    ),
    st.builds(Evaluated, time=finite, step=steps, values=st.dictionaries(st.text(), finite, max_size=2), best=st.booleans()),
    st.builds(Sampled, time=finite, step=steps, prompt=st.text(), text=st.text()),
    st.builds(Saved, time=finite, step=steps, seconds=finite, bytes=steps),
    st.builds(Resumed, time=finite, step=steps),
    st.builds(Stopped, time=finite, step=steps, reason=st.text()),
    st.builds(Failed, time=finite, problem=st.text(), fix=st.text()),
    st.builds(Finished, time=finite, seconds=finite),
)  # fmt: skip


def stepped(step: int, **changes: Any) -> Stepped:
    known: dict[str, Any] = {
        "steps": 10, "loss": 1.0, "learning_rate": 0.1, "gradient_norm": 1, "units": 1, "tokens": 1, "useful": 1,
        "tokens_per_second": 1, "seconds": 1,
    }  # fmt: skip
    return Stepped(step=step, **{**known, **changes})


def written(file: Path, *found: Event) -> Path:
    log = RunLog(file)
    for event in found:
        log.write(event)
    log.close()
    return file


def valid(found: list[Event]) -> list[Event]:
    """What counts of these, in the slow and obvious way: an event is void when a later resume goes back before it."""
    return [
        event
        for place, event in enumerate(found)
        if not isinstance(event, (Stepped, Evaluated, Sampled, Saved))
        or all(event.step <= later.step for later in found[place + 1 :] if isinstance(later, Resumed))
    ]


# --- writing and reading ---------------------------------------------------------------------------


@given(events)
def test_an_event_is_one_line_of_json(event: Event) -> None:
    line = event.model_dump_json().encode()
    assert b"\n" not in line
    assert json.loads(line)["event"] == type(event).__name__.lower()
    assert parse_line(line) == event


@given(st.lists(events, max_size=12))
@settings(max_examples=60, deadline=None)
def test_what_was_written_is_read_less_what_resumes_made_void(
    tmp_path_factory: pytest.TempPathFactory, found: list[Event]
) -> None:
    file = written(tmp_path_factory.mktemp("log") / "events.jsonl", *found)
    assert read_events(file) == valid(found)


@given(st.lists(events, min_size=1, max_size=4), st.lists(events, max_size=4), st.data())
@settings(max_examples=60, deadline=None)
def test_a_torn_line_costs_one_event(
    tmp_path_factory: pytest.TempPathFactory, before: list[Event], after: list[Event], data: st.DataObject
) -> None:
    """A process killed while it writes leaves part of a line; the next process's events are all there."""
    file = written(tmp_path_factory.mktemp("log") / "events.jsonl", *before)
    whole = file.read_bytes()
    last = len(before[-1].model_dump_json().encode()) + 1
    file.write_bytes(whole[: len(whole) - data.draw(st.integers(2, last))])  # the newline and a byte at least
    assert read_events(file) == valid(before[:-1])
    written(file, *after)
    assert read_events(file) == valid(before[:-1] + after)


@given(st.lists(events, min_size=1, max_size=3))
@settings(max_examples=20, deadline=None)
def test_a_whole_last_line_counts_without_its_newline(
    tmp_path_factory: pytest.TempPathFactory, found: list[Event]
) -> None:
    file = written(tmp_path_factory.mktemp("log") / "events.jsonl", *found)
    file.write_bytes(file.read_bytes()[:-1])
    assert read_events(file) == valid(found)
    written(file, *found)
    assert read_events(file) == valid(found + found)


def test_a_resume_takes_back_what_was_done_beyond_it(tmp_path: Path) -> None:
    kept = [Started(stage="pretrain", pid=1), stepped(1), stepped(2), Saved(step=2, seconds=1, bytes=1)]
    void = [stepped(3), Evaluated(step=3, values={"loss": 1}), Sampled(step=3, prompt="a", text="b"), Saved(step=4, seconds=1, bytes=1)]  # fmt: skip
    told = [Warned(message="a"), Stopped(step=3, reason="SIGTERM"), Started(stage="pretrain", pid=2), Resumed(step=2)]
    again = [stepped(3, loss=0.5), Resumed(step=3), stepped(4)]
    file = written(tmp_path / "events.jsonl", *kept, *void, *told, *again)
    assert read_events(file) == [*kept, *told, *again]


def test_numbers_that_are_not_finite_are_read_again() -> None:
    """A run that breaks down is when its log is looked at."""
    line = stepped(3, loss=math.nan, gradient_norm=math.inf, metrics={"a": -math.inf}).model_dump_json().encode()
    json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    event = parse_line(line)
    assert isinstance(event, Stepped)
    assert math.isnan(event.loss) and event.gradient_norm == math.inf and event.metrics == {"a": -math.inf}


@pytest.mark.parametrize(
    "line", [b"", b"  ", b"{", b"3", b"null", b'{"event": "danced"}', b'{"event": "saved"}', b"\xff\x00"]
)
def test_other_lines_are_left_out(line: bytes) -> None:
    assert parse_line(line) is None


def test_an_event_of_a_later_version_may_know_more() -> None:
    line = b'{"event": "resumed", "time": 1.0, "step": 3, "mood": "good"}'
    assert parse_line(line) == Resumed(time=1.0, step=3)


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read_events(tmp_path / "gone.jsonl") == []


def test_listeners_hear_what_is_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    seen: list[tuple[Event, int]] = []
    log = RunLog(file, lambda event: seen.append((event, len(read_events(file)))))
    sent = [Started(stage="a", pid=1), Progressed(what="reading", done=1)]
    for event in sent:
        log.write(event)
    assert seen == [(sent[0], 1), (sent[1], 2)]  # each was readable before anyone heard of it
    log.close()
    with pytest.raises(ValueError, match="closed"):
        log.write(sent[0])


def test_a_log_without_a_file_still_tells(tmp_path: Path) -> None:
    heard: list[Event] = []
    log = RunLog(None, heard.append)
    log.write(Finished(seconds=1))
    log.close()
    assert heard == [Finished(time=heard[0].time, seconds=1)]
    assert list(tmp_path.iterdir()) == []


# --- following -------------------------------------------------------------------------------------


def test_following_gives_each_event_once_while_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    sent: list[Event] = [Started(stage="a", pid=1), *(stepped(step) for step in range(1, 20)), Finished(seconds=2)]
    over = threading.Event()

    def write() -> None:
        log = RunLog(file)
        for event in sent:
            log.write(event)
        log.close()
        over.set()

    writer = threading.Thread(target=write)
    found = follow(file, over.is_set, every_s=0.001)
    writer.start()
    assert list(found) == sent
    writer.join()


def test_following_waits_for_the_end_of_a_line(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    line = Resumed(time=1.0, step=3).model_dump_json().encode()
    pieces = iter([line[:10], line[10:-1], line[-1:] + b"\n" + line[:5], b""])

    def ended() -> bool:
        piece = next(pieces)
        with file.open("ab") as stream:
            stream.write(piece)
        return piece == b""

    assert list(follow(file, ended, every_s=0)) == [Resumed(time=1.0, step=3)]


def test_following_sees_what_came_just_before_the_end(tmp_path: Path) -> None:
    """The last events are written before the lock is let go, and after the last look at the file."""
    file = tmp_path / "events.jsonl"

    def ended() -> bool:
        written(file, Finished(time=1.0, seconds=1))
        return True

    assert list(follow(file, ended)) == [Finished(time=1.0, seconds=1)]


def test_following_begins_anew_with_the_run(tmp_path: Path) -> None:
    file = written(tmp_path / "events.jsonl", *(stepped(step, time=1.0) for step in range(1, 5)))
    looks = iter([False, True])

    def ended() -> bool:
        last = next(looks)
        if last:
            file.unlink()
            written(file, Started(time=2.0, stage="a", pid=1))
        return last

    assert list(follow(file, ended, every_s=0))[4:] == [Started(time=2.0, stage="a", pid=1)]


def test_following_a_run_that_never_wrote_ends_with_it(tmp_path: Path) -> None:
    assert list(follow(tmp_path / "gone.jsonl", lambda: True)) == []
