"""What a person should know of the rows before training."""

from __future__ import annotations

from types import SimpleNamespace

from langwright.stages.lessons.lesson import warn_about
from langwright.training.preflight import Preflight


def test_a_label_with_a_single_example_is_named(tmp_path):
    said = []
    work = SimpleNamespace(making=SimpleNamespace(run=tmp_path), log=SimpleNamespace(write=said.append))
    counted = {"documents": 9, "tokens": 90, "rows": 9, "supervised": 1, "padding": 0, "truncated": 0, "unknown": 0, "doubled": 0, "leaked": 0}  # fmt: skip
    warn_about(work, Preflight(**counted, labels={"good": 7, "odd": 1, "rare": 1}))
    assert [event.values for event in said] == [{"labels": "odd, rare"}]
    warn_about(work, Preflight(**counted, labels={"good": 7, "bad": 2}))
    assert len(said) == 1 and (tmp_path / "preflight.json").is_file()
