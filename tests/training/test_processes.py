"""Two processes make what one makes: with the whole model each, with a part each, begun by one and ended by the other."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tests.training.pairs import HEADS, LOGS, STEPS, Own, cases, job, run_cases

from langwright.data.order import Order
from langwright.errors import UserError
from langwright.runlog import Chosen, Evaluated, Resumed, Sampled, Saved, Stepped, read_events
from langwright.training.checkpoints import checkpoint_path, whole_checkpoints
from langwright.training.feed import Feed, whole_epoch
from langwright.training.fit import fit
from langwright.training.stopping import StopRequested


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    yield tmp_path_factory.mktemp("pairs")
    while LOGS:
        LOGS.pop().close()


@pytest.fixture(scope="module")
def together(folder):
    """What became of each case in two processes; those that go on from one process are begun by it."""
    for strategy in ("ddp", "fsdp"):
        with pytest.raises(StopRequested):
            fit(job(folder, f"moved-{strategy}", stop_at=5))
    return run_cases(folder, 0)


def alone(folder, name, **changes):
    """The weights and the job of the same run in one process."""
    work = job(folder, f"alone-{name}", **changes)
    outcome = fit(work)
    return outcome, {n: w.detach().clone() for n, w in work.model.named_parameters()}, work


def builder(folder, name):
    """A case's own job, in a folder of its own."""
    return next(build for known, _, build in cases(folder / "one") if known == name)()


def assert_equal(ours, theirs, tolerance=1e-5):
    """Every weight to the tolerance; 0 asks for the same bits."""
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.allclose(ours[name], theirs[name], rtol=0, atol=tolerance), name


def events_of(work, kind):
    return [event for event in read_events(work.run / "events.jsonl") if isinstance(event, kind)]


@pytest.mark.spec("DP1", "two processes give the weights, losses and held-out measures of one, to 1e-5")
@pytest.mark.spec("DP3", "gradients added up over processes equal those of one process")
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_equal_one(folder, together, strategy):
    outcome, weights, work = together[strategy]
    expected, theirs, single = alone(folder, strategy, clip=0.5, average={"kind": "ema", "decay": 0.9})
    assert_equal(weights, theirs)
    assert outcome.progress.step == STEPS and outcome.progress.tokens == expected.progress.tokens
    ours, others = events_of(work, Stepped), events_of(single, Stepped)
    for mine, other in zip(ours, others, strict=True):
        assert mine.loss == pytest.approx(other.loss, abs=1e-5)
        assert mine.gradient_norm == pytest.approx(other.gradient_norm, abs=1e-5)
        assert (mine.units, mine.tokens, mine.useful) == (other.units, other.tokens, other.useful)
    looks = zip(events_of(work, Evaluated), events_of(single, Evaluated), strict=True)
    for mine, other in looks:
        assert mine.values == pytest.approx(other.values, abs=1e-5)
    said = zip(events_of(work, Sampled), events_of(single, Sampled), strict=True)
    assert all(float(mine.text) == pytest.approx(float(other.text), abs=1e-3) for mine, other in said)
    assert any(event.values.get("count") == 2 for event in events_of(work, Chosen))
    assert json.loads((work.run / "plan.json").read_text())["strategy"] == strategy


@pytest.mark.parametrize("name", ["fsdp-sgd", "fsdp-fgm", "fsdp-frozen", "ddp-own"])
def test_other_ways_of_training_equal_one_process(folder, together, name):
    work = builder(folder, name)
    fit(work)
    assert_equal(together[name][1], {n: w.detach() for n, w in work.model.named_parameters()})
    if name == "ddp-own":
        theirs = together[name][2].objective
        assert isinstance(work.objective, Own) and isinstance(theirs, Own)
        for mine, other in zip(theirs.parameters(), work.objective.parameters(), strict=True):
            assert mine.item() == pytest.approx(other.item(), abs=1e-5) and other.item() != 0


@pytest.mark.spec("DP3", "every head, a conditional random field among them, is learned in parts as in one process")
@pytest.mark.parametrize("name", [*(f"fsdp-{kind}" for kind in HEADS), "ddp-tag-chain"])
def test_every_head_is_learned_by_two_as_by_one(folder, together, name):
    work = builder(folder, name)
    before = {n: w.detach().clone() for n, w in work.model.named_parameters()}
    outcome = fit(work)
    assert_equal(together[name][1], {n: w.detach() for n, w in work.model.named_parameters()})
    assert together[name][0].validation == pytest.approx(outcome.validation, abs=1e-5)
    own = [n for n in before if n.startswith(("score.weight", "qa_outputs.weight", "chain"))]
    assert own and all(not torch.equal(before[n], together[name][1][n]) for n in own)


@pytest.mark.parametrize(
    ("name", "reason"), [("fsdp-own", "has weights of its own"), ("fsdp-adafactor", "adafactor looks at rows")]
)
def test_what_parts_cannot_do_is_refused(together, name, reason):
    assert isinstance(together[name], UserError) and reason in together[name].problem()


@pytest.mark.spec(
    "TR16", "a run of two processes that was stopped and resumed by two ends with the same bits, dropout included"
)
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_resuming_with_as_many_is_exact(together, strategy):
    assert isinstance(together[f"cut-{strategy}-1"], StopRequested)
    assert_equal(together[f"cut-{strategy}-2"][1], together[f"whole-{strategy}"][1], tolerance=0)
    work = together[f"cut-{strategy}-2"][2]
    assert [event.step for event in events_of(work, Resumed)] == [3]
    assert [event.step for event in events_of(work, Stepped)] == list(range(1, 9))


@pytest.mark.spec(
    "TR16", "begun by one process, carried on by two, ended by one: the weights of one to 1e-5 after 20 updates"
)
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_resuming_with_another_number_of_processes(folder, together, strategy):
    assert isinstance(together[f"moved-{strategy}"], StopRequested)
    work = job(folder, f"moved-{strategy}")
    outcome = fit(work)
    _, weights, single = alone(folder, f"moved-{strategy}")
    assert outcome.progress.step == STEPS
    assert_equal({n: w.detach() for n, w in work.model.named_parameters()}, weights)
    assert [event.step for event in events_of(work, Resumed)] == [5, 12]
    rates = [event.learning_rate for event in events_of(work, Stepped)]
    assert rates == [event.learning_rate for event in events_of(single, Stepped)]
    # The optimizer's state too, not the weights alone.
    last = [load_file(checkpoint_path(one.checkpoints, STEPS) / "optimizer.safetensors") for one in (work, single)]
    assert last[0].keys() == last[1].keys()
    for name in last[0]:
        if "|" in name:
            assert torch.allclose(last[0][name], last[1][name], rtol=0, atol=1e-5), name


@pytest.mark.spec("TR16", "checkpoints are the same files, names and shapes whatever the number of processes")
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_checkpoints_do_not_tell_how_many_made_them(folder, together, strategy):
    _, _, work = together[f"whole-{strategy}"]
    single = job(folder, "alone-files", steps=8, dropout=0.2)
    fit(single)
    ours, theirs = (whole_checkpoints(one.checkpoints)[0] for one in (work, single))
    assert sorted(f.name for f in ours.iterdir()) == sorted(f.name for f in theirs.iterdir())
    for name in ("model.safetensors", "optimizer.safetensors"):
        mine, other = load_file(ours / name), load_file(theirs / name)
        assert {key: (t.shape, t.dtype) for key, t in mine.items()} == {
            key: (t.shape, t.dtype) for key, t in other.items()
        }


def test_dropout_is_drawn_apart(folder, together):
    """With the same draws in both processes, or with those of one, the weights would be others."""
    _, theirs, _ = alone(folder, "dropout", steps=8, dropout=0.2)
    ours = together["whole-ddp"][1]
    assert max((ours[name] - theirs[name]).abs().max().item() for name in ours) > 1e-4


def test_a_loss_that_is_no_number_is_named_with_its_process(folder, together):
    error = together["broken"]
    assert isinstance(error, UserError)
    assert "at step 3 in process 1" in error.problem()
    kept = folder / "broken"
    assert [event.step for event in read_events(kept / "run" / "events.jsonl") if isinstance(event, Saved)][-1] == 2
    found = load_file(kept / "run" / "bad-batch.safetensors")
    rows = np.sort(np.array(found["0.tokens_BT"].tolist()), axis=None)
    work = job(folder, "broken-look")
    batches = Feed(work.feed.examples, work.feed.order, 12, 4, rank=1, size=2).update(2)
    assert np.array_equal(rows, np.sort(np.array(batches[0].tokens_BT.tolist()), axis=None))


def test_nothing_is_left_of_what_went_well(folder, together):
    assert not list((folder / "talk").iterdir())


# --- shares --------------------------------------------------------------------------------------


class Numbers:
    """Rows that are their numbers, arranged by their last digit."""

    def __init__(self, count):
        self.count = count

    def __len__(self):
        return self.count

    def arrange(self, rows):
        return np.argsort(rows % 10, kind="stable")

    def batch(self, rows, epochs=None):
        return rows.tolist()


@pytest.mark.spec("DP6", "each update's rows are shared without overlap or loss, and every epoch has another order")
@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_shares_are_disjoint_complete_and_reshuffled(size):
    numbers = Numbers(36)
    whole = Feed(numbers, Order(3, 36), batch_rows=12, micro_rows=5)
    shares = [whole.shared(rank, size, micro_rows=2) for rank in range(size)]
    epochs = []
    for epoch in range(3):
        seen = []
        for update in range(3 * epoch, 3 * epoch + 3):
            parts = [[row for cut in share.update(update) for row in cut] for share in shares]
            assert {len(part) for part in parts} == {12 // size}
            together = [row for part in parts for row in part]
            assert sorted(together) == sorted(row for cut in whole.update(update) for row in cut)
            seen += together
        assert sorted(seen) == list(range(36))
        epochs.append(tuple(seen))
    assert len(set(epochs)) == 3


def test_rows_that_do_not_divide_are_refused():
    with pytest.raises(UserError, match="12 rows, which 5 processes cannot share") as caught:
        Feed(Numbers(36), Order(3, 36), batch_rows=12, micro_rows=5).shared(0, 5, 1)
    assert "batch_rows=15" in caught.value.fix()


@pytest.mark.parametrize("size", [1, 2, 3])
@pytest.mark.parametrize("count", [7, 12])
def test_held_out_rows_are_looked_at_once_and_by_all_equally_often(size, count):
    shares = [list(whole_epoch(Numbers(count), 2, None, rank, size)) for rank in range(size)]
    assert len({len(share) for share in shares}) == 1
    counted = [row for share in shares for rows, counts in share if counts for row in rows]
    assert sorted(counted) == list(range(count))


@pytest.mark.spec("DP2", "one process alone loads nothing of ours for several, and no process group is set up")
def test_one_process_needs_nothing_of_this(tmp_path):
    code = (
        "import sys, pathlib, torch.distributed as dist\n"
        "from tests.training.pairs import job\n"
        "names = ('processes', 'sharding', 'launching')\n"
        "for name in names: sys.modules.pop('langwright.training.' + name, None)\n"
        "from langwright.training.fit import fit\n"
        "fit(job(pathlib.Path(sys.argv[1]), 'run', steps=1))\n"
        "assert not dist.is_initialized()\n"
        "print(*[n for n in names if 'langwright.training.' + n in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
