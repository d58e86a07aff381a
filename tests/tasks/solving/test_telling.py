"""Whoever asks for something of a long text hears how far it is, by whatever it is solved."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.tasks.tiny import write_labeller
from tests.tasks.told import Front, Script

from langwright.runlog import Progressed
from langwright.tasks.front.loading import load
from langwright.tasks.front.verbs import do
from langwright.tasks.solving.telling import counted, telling

LONG = " ".join(f"Day {number}: it rained in town {number}." for number in range(40))


def steps(seen: list[Progressed]) -> list[tuple[int, int | None]]:
    """How far each event says it is."""
    return [(one.done, one.total) for one in seen]


def test_parts_are_counted_and_one_part_is_not() -> None:
    seen: list[Progressed] = []
    inner: list[Progressed] = []
    with telling(seen.append):
        assert list(counted("abc")) == ["a", "b", "c"]
        assert list(counted("a")) == ["a"] and list(counted("")) == []
        with telling(None):
            list(counted("ab"))
        with telling(inner.append):
            list(counted("xy"))
    list(counted("zz"))
    assert steps(seen) == [(1, 3), (2, 3), (3, 3), (1, 2), (2, 2)]
    assert steps(inner) == [(1, 2), (2, 2)]


@pytest.mark.spec("DM9", "a text that is read in parts tells how many of them are done")
def test_a_summary_in_parts_tells_how_far_it_is() -> None:
    seen: list[Progressed] = []
    model = Front(Script(answer=lambda prompt: prompt[:8].strip()), context=600)
    found = model.do("summarization", LONG, solver="writing", sampling={"max_new_tokens": 60}, progress=seen.append)
    assert steps(seen)[: found.parts] == [(done + 1, found.parts) for done in range(found.parts)]  # type: ignore[attr-defined]
    assert len(seen) >= found.parts > 2  # type: ignore[attr-defined]
    seen.clear()
    assert model.summarize("It rained.", solver="writing", progress=seen.append) and not seen


def test_sentences_of_a_long_text_tell_too() -> None:
    seen: list[Progressed] = []
    text = " ".join(f"Town {number} has a mill." for number in range(2100))
    do("summarization", text, solver="lexrank", progress=seen.append)
    assert steps(seen)[:3] == [(1, 3), (2, 3), (3, 3)]


def test_a_head_that_reads_parts_tells_too(tmp_path: Path) -> None:
    seen: list[Progressed] = []
    with load(write_labeller(tmp_path)) as model:
        model.do("classification", LONG * 40, whole=True, progress=seen.append)
    assert len(seen) > 1 and seen[-1].done == seen[-1].total == len(seen)
