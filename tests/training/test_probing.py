"""Before the first update: rows that fit the memory by the longest of them, time by usual ones, and the schedule shown."""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from langwright.cli.plot import curve
from langwright.data.packing import plan_stream
from langwright.errors import UserError
from langwright.objectives.classification import TextExamples
from langwright.training import probing
from langwright.training.devices import MemoryWatch
from langwright.training.fit import Plan
from langwright.training.loss import Loss
from langwright.training.planning import evaluation_rows, foreseen
from langwright.training.preflight import Preflight
from langwright.training.probing import longest, probe
from langwright.training.schedules import Cosine, StepDecay

CPU = torch.device("cpu")
KEPT = 1 << 18  # bytes
MEGABYTE = 1 << 20
SIZE = SimpleNamespace(activation_bytes=50, fixed_bytes=0, optimizer_bytes=0)
LENGTHS = [3, 50, 4, 5, 40, 6, 7, 8, 9, 10, 11, 12]
TEXTS = TextExamples([np.arange(n) % 7 for n in LENGTHS], np.zeros(len(LENGTHS), dtype=np.int64), 0)


@dataclass
class Hungry:
    """An objective that keeps 256 kB a position for its backward pass, and notes what it was given."""

    separable: bool = True
    most: int = 1 << 30  # rows, beyond which a GPU would have too little

    def __post_init__(self):
        self.seen = []

    def __call__(self, model, batch):
        rows, width = batch.tokens_BT.shape
        self.seen.append((rows, width))
        if rows > self.most:
            raise torch.OutOfMemoryError("out of memory")
        torch.rand(3)
        held = torch.ones(rows * width, KEPT // 4) * model.weight.sum()
        return Loss(held.sum() + (held * held).sum(), rows)


def tried(objective, monkeypatch, *, free, micro_rows=None, batch_rows=8):
    monkeypatch.setattr(probing, "available_memory", lambda device: free)
    return probe(
        nn.Linear(2, 1), objective, TEXTS, batch_rows=batch_rows, micro_rows=micro_rows, length=50, size=SIZE,
        dtype="float32", device=CPU,
    )  # fmt: skip


def test_the_longest_rows_are_found():
    assert longest(TEXTS, 2).tokens_BT.shape == (2, 50)
    assert longest(TEXTS, 3).mask_BT.sum(1).tolist() == [12, 40, 50]


def test_rows_are_fewer_where_the_longest_do_not_fit(monkeypatch):
    objective = Hungry()
    found = tried(objective, monkeypatch, free=100 * MEGABYTE)
    widest = [rows for rows, width in objective.seen if width == 50]
    assert widest == [8, 4, 2, 1][: len(widest)]  # 1,600 MB, 800 MB, 400 MB, and 200 MB, which fit
    assert found.micro_rows == 1 == widest[-1]
    assert found.memory_bytes >= 200 * MEGABYTE
    assert found.seconds > 0
    roomy = tried(Hungry(), monkeypatch, free=10**10)
    assert roomy.micro_rows == 8


def test_a_gpu_that_runs_out_is_tried_with_fewer(monkeypatch):
    assert tried(Hungry(most=2), monkeypatch, free=10**12).micro_rows == 2
    with pytest.raises(UserError, match="8 rows of 50 tokens"):
        tried(Hungry(most=2), monkeypatch, free=10**12, micro_rows=8)
    with pytest.raises(UserError, match="1 rows of 50 tokens"):
        tried(Hungry(most=0), monkeypatch, free=10**12)


def test_what_may_not_be_cut_is_computed_whole(monkeypatch):
    assert tried(Hungry(separable=False), monkeypatch, free=10 * MEGABYTE, batch_rows=4).micro_rows == 4


def test_probing_changes_nothing(monkeypatch):
    state = torch.get_rng_state()
    model = nn.Linear(2, 1)
    before = model.weight.detach().clone()
    torch.set_rng_state(state)
    monkeypatch.setattr(probing, "available_memory", lambda device: 10**10)
    probe(model, Hungry(), TEXTS, batch_rows=1, micro_rows=1, length=50, size=SIZE, dtype="float32", device=CPU)
    assert torch.equal(torch.get_rng_state(), state)
    assert model.weight.grad is None and torch.equal(model.weight, before)


def test_memory_is_watched_while_it_is_held():
    with MemoryWatch(CPU) as watch:
        held = torch.ones(100 * MEGABYTE // 4)
        assert held[-1] == 1
        del held
    assert 90 * MEGABYTE < watch.grown < 300 * MEGABYTE
    assert watch.most > watch.grown


@pytest.mark.spec("TR5", "the schedule of a run is shown before it begins")
@pytest.mark.spec("TR18", "time and memory of a run are foretold from a probe of its longest rows before it begins")
def test_what_a_run_would_take_is_shown_before_it():
    report = Preflight(documents=1, tokens=1, rows=400, supervised=1, padding=0, truncated=0, unknown=0, doubled=0, leaked=0)  # fmt: skip
    plan = Plan(
        steps=1000, batch_rows=10, micro_rows=5, length=16, learning_rate=2e-3, dtype="float32", compile=False, threads=1,
        device="cpu", evaluate_rows=8, seconds_per_update=0.5, memory_bytes=3_000_000_000,
    )  # fmt: skip
    shown = foreseen(report, plan, Cosine(warmup_share=0.1, final_share=0.0), 400)
    assert (shown.steps, shown.seconds_per_update, shown.memory_bytes) == (1000, 0.5, 3_000_000_000)
    assert max(shown.rates) == pytest.approx(2e-3, rel=0.01)
    assert shown.rates[0] == pytest.approx(2e-3 / 100) and shown.rates[-1] < 1e-4
    lines = curve(shown.rates)
    assert lines[0].startswith("0.002 ┤") and lines[-1].startswith("    0 └")
    assert lines[0].count("█") < lines[-2].count("█")
    steps = foreseen(report, plan, StepDecay(every_epochs=10, warmup_share=0.0), 400).rates
    assert len({f"{rate:.3g}" for rate in steps}) == 3  # 25 passes: a fall after ten and after twenty
    assert len(foreseen(report, replace_steps(plan, 1), Cosine(), 400).rates) == 1


def replace_steps(plan, steps):
    return plan.model_copy(update={"steps": steps})


def test_plans_that_are_rows_of_one_width_are_the_longest_anywhere(tmp_path):
    from langwright.data.store import Document, build_store
    from langwright.objectives.next_token import RowExamples

    store = build_store(tmp_path / "s", [Document(list(range(40)), None, 1)] * 6, 50)
    rows = RowExamples(store, plan_stream(store, 16), pad_id=0, stop_at_documents=False)
    assert longest(rows, 4).positions == 64


def test_rows_of_the_curve_are_those_asked_for():
    assert (
        evaluation_rows(500, steps=10, batch_rows=2, every_share=0.1) == 500
    )  # whatever it costs: trials compare by them
    assert evaluation_rows(None, steps=10, batch_rows=2, every_share=0.1) == 8
    assert evaluation_rows(None, steps=1000, batch_rows=2, every_share=0.1) == 30
    assert evaluation_rows(None, steps=10_000, batch_rows=32, every_share=0.1) == 64
