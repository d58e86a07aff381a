"""A run of training: resumed exactly, stopped in order, and not undone by damage, a full disk or a bad loss."""

from __future__ import annotations

import errno
import itertools
import signal
from contextlib import nullcontext
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel

from langwright.data.order import Order
from langwright.data.packing import plan_stream
from langwright.data.store import Document, build_store
from langwright.errors import UserError
from langwright.objectives.next_token import NextToken, RowExamples
from langwright.runlog import Chosen, Evaluated, Resumed, RunLog, Saved, Stepped, Stopped, Warned, read_events
from langwright.settings import read_settings
from langwright.training import checkpoints
from langwright.training.averaging import EMA
from langwright.training.checkpoints import newest_whole, whole_checkpoints
from langwright.training.feed import Feed
from langwright.training.fit import Fit, Plan, due, fit
from langwright.training.loop import NonFinite
from langwright.training.optimizers import SGD
from langwright.training.planning import read_plan, save_plan
from langwright.training.schedules import Constant, Plateau
from langwright.training.settings import TrainingSettings
from langwright.training.stopping import StopRequested
from langwright.training.trainable import Gradual

STEPS = 6
OPEN: list[RunLog] = []


@pytest.fixture(autouse=True)
def close_logs():
    yield
    while OPEN:
        OPEN.pop().close()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    numbers = np.random.default_rng(0)
    documents = [Document(numbers.integers(0, 50, 40).tolist(), None, 100) for _ in range(30)]
    return build_store(tmp_path_factory.mktemp("store") / "s", documents, 50)


def model(dropout=0.1):
    torch.manual_seed(1)
    config = GPT2Config(
        vocab_size=50,
        n_embd=16,
        n_layer=2,
        n_head=2,
        n_positions=16,
        resid_pdrop=dropout,
        embd_pdrop=dropout,
        attn_pdrop=dropout,
    )
    return GPT2LMHeadModel(config)


def job(folder, store, *, net=None, listeners=(), objective=None, steps=STEPS, **changes):
    run = folder / "run"
    run.mkdir(parents=True, exist_ok=True)
    examples = RowExamples(store, plan_stream(store, 16), pad_id=0, stop_at_documents=False)
    settings = TrainingSettings(**{"evaluate_every_share": 0.5, **changes})
    log = RunLog(run / "events.jsonl", *listeners)
    OPEN.append(log)
    return Fit(
        model=net or model(),
        objective=objective or NextToken(),
        feed=Feed(examples, Order(7, len(examples)), batch_rows=4, micro_rows=2),
        validation=examples,
        plan=Plan(steps=steps, batch_rows=4, micro_rows=2, length=16, learning_rate=1e-2, dtype="float32", compile=False, threads=1, device="cpu", evaluate_rows=64),
        settings=settings,
        checkpoints=folder / "checkpoints",
        run=run,
        log=log,
        bytes_per_unit=2.5,
    )  # fmt: skip


def weights(net):
    return {name: weight.detach().clone() for name, weight in net.named_parameters()}


def assert_identical(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.equal(ours[name], theirs[name]), name


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory, store):
    work = job(tmp_path_factory.mktemp("whole"), store)
    fit(work)
    return weights(work.model), read_events(work.run / "events.jsonl")


def save_every_step(monkeypatch):
    """A clock that runs a thousand seconds each time it is looked at, so that a checkpoint is always due."""
    clock = itertools.count(1e9, 1000)
    monkeypatch.setattr("langwright.training.fit.time.monotonic", lambda: next(clock))


class Die(Exception):
    """Stands for kill -9: nothing of ours runs after it."""


def dying_at(step, kind=Stepped):
    def listener(event):
        if isinstance(event, kind) and event.step == step:
            raise Die

    return listener


@pytest.mark.spec(
    "TR16", "a run that died at any step and was resumed ends with bit-identical weights, dropout included"
)
@pytest.mark.spec("TR17", "the same seed gives the same weights, bit for bit")
@pytest.mark.parametrize("step", [2, 3, 4, 5])
def test_resuming_is_bit_exact(tmp_path, store, uninterrupted, step, monkeypatch):
    save_every_step(monkeypatch)
    first = job(tmp_path, store, listeners=[dying_at(step)])
    with pytest.raises(Die):
        fit(first)
    second = job(tmp_path, store, net=model())
    outcome = fit(second)
    assert outcome.progress.step == STEPS
    assert_identical(weights(second.model), uninterrupted[0])
    events = read_events(second.run / "events.jsonl")
    assert [e.step for e in events if isinstance(e, Stepped)] == [1, 2, 3, 4, 5, 6]
    assert [e.loss for e in events if isinstance(e, Stepped)] == [
        e.loss for e in uninterrupted[1] if isinstance(e, Stepped)
    ]
    assert any(isinstance(e, Resumed) for e in events)


def test_resuming_with_another_number_of_threads_is_said(tmp_path, store, monkeypatch):
    """Sums are parted among threads, so that their last bits depend on how many there are."""
    save_every_step(monkeypatch)
    for threads, listeners in ((1, [dying_at(2)]), (1, [dying_at(4)]), (2, [])):
        work = job(tmp_path, store, net=model(), listeners=listeners)
        with pytest.raises(Die) if listeners else nullcontext():
            fit(replace(work, plan=work.plan.model_copy(update={"threads": threads})))
    events = read_events(work.run / "events.jsonl")
    said = [event.values for event in events if isinstance(event, Warned) and "threads" in event.message]
    assert [event.step for event in events if isinstance(event, Resumed)] == [1, 3]
    assert said == [{"before": 1, "now": 2}]


GRADUAL = Gradual(by_share=0.5)  # norm; then a layer after updates 1 and 2, the embeddings after 3


@pytest.fixture(scope="module")
def unfrozen(tmp_path_factory, store):
    work = replace(job(tmp_path_factory.mktemp("unfrozen"), store, layer_decay=0.5, average=EMA()), gradual=GRADUAL)
    fit(work)
    return weights(work.model), read_events(work.run / "events.jsonl")


@pytest.mark.spec("F2", "a run that unfreezes layer by layer, died at any step and was resumed, ends bit-identical")
@pytest.mark.parametrize("step", [1, 2, 3, 4, 5])
def test_resuming_between_two_layers_is_bit_exact(tmp_path, store, unfrozen, step, monkeypatch):
    save_every_step(monkeypatch)
    first = job(tmp_path, store, listeners=[dying_at(step + 1)], layer_decay=0.5, average=EMA())
    with pytest.raises(Die):
        fit(replace(first, gradual=GRADUAL))
    second = job(tmp_path, store, net=model(), layer_decay=0.5, average=EMA())
    fit(replace(second, gradual=GRADUAL))
    assert_identical(weights(second.model), unfrozen[0])
    norms = [e.gradient_norm for e in unfrozen[1] if isinstance(e, Stepped)]
    assert [e.gradient_norm for e in read_events(second.run / "events.jsonl") if isinstance(e, Stepped)] == norms


def test_layers_stay_as_they_were_until_they_join(tmp_path, store):
    before = weights(model())
    work = replace(
        job(tmp_path, store, steps=4, clip=0), gradual=Gradual(epochs=2 / (len(job(tmp_path, store).feed.examples) / 4))
    )
    fit(work)
    moved = {name for name, weight in weights(work.model).items() if not torch.equal(weight, before[name])}
    # after two updates the upper layer joins, after four the lower one would
    assert moved == {name for name in before if name.startswith(("transformer.h.1.", "transformer.ln_f"))}
    said = [event for event in read_events(work.run / "events.jsonl") if isinstance(event, Chosen)]
    assert [event.values["step"] for event in said if "more weights" in event.message] == [3, 5]


def test_a_run_that_unfreezes_ends_with_its_best_weights(tmp_path, store, monkeypatch):
    """Weights that joined after the best evaluation go back to where they began."""
    save_every_step(monkeypatch)
    work = job(tmp_path, store, end_with="best", evaluate_every_share=1 / 6, schedule=Constant())
    work = replace(work, gradual=Gradual(by_share=1.0), plan=work.plan.model_copy(update={"learning_rate": 3.0}))
    before = weights(work.model)
    found = fit(work)
    assert found.progress.best_step is not None and found.progress.best_step < STEPS
    after = weights(work.model)
    assert torch.equal(after["transformer.wte.weight"], before["transformer.wte.weight"])


def test_a_finished_run_is_not_trained_again(tmp_path, store, uninterrupted):
    fit(job(tmp_path, store))
    again = job(tmp_path, store)
    outcome = fit(again)
    assert outcome.progress.step == STEPS and outcome.train_loss is None
    assert_identical(weights(again.model), uninterrupted[0])


@pytest.mark.spec("TR15", "loss, rate, norm, tokens and bits per byte of every update can be read from a file later")
def test_the_log_holds_every_update(uninterrupted):
    steps = [event for event in uninterrupted[1] if isinstance(event, Stepped)]
    assert len(steps) == STEPS
    for event in steps:
        assert event.tokens == 64 and event.useful == 1.0 and event.units == 64 and event.gradient_norm > 0
        assert event.metrics["bits_per_byte"] == pytest.approx(event.loss / np.log(2) / 2.5)
    evaluations = [event for event in uninterrupted[1] if isinstance(event, Evaluated)]
    assert [event.step for event in evaluations] == [3, 6] and 0 <= evaluations[0].values["accuracy"] <= 1


def test_a_signal_saves_and_stops_between_two_updates(tmp_path, store, uninterrupted):
    def interrupt(event):
        if isinstance(event, Stepped) and event.step == 3:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(StopRequested):
        fit(job(tmp_path, store, listeners=[interrupt]))
    events = read_events(tmp_path / "run" / "events.jsonl")
    assert isinstance(events[-1], Stopped) and events[-1].step == 3
    second = job(tmp_path, store)
    fit(second)
    assert_identical(weights(second.model), uninterrupted[0])


def test_a_damaged_checkpoint_is_passed_over_and_named(tmp_path, store, uninterrupted, monkeypatch):
    save_every_step(monkeypatch)
    with pytest.raises(Die):
        fit(job(tmp_path, store, listeners=[dying_at(4, Saved)]))
    newest = whole_checkpoints(tmp_path / "checkpoints")[0]
    data = bytearray((newest / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (newest / "model.safetensors").write_bytes(data)
    second = job(tmp_path, store)
    fit(second)
    (warning,) = [e for e in read_events(second.run / "events.jsonl") if isinstance(e, Warned)]
    assert warning.values == {"path": newest.name, "name": "model.safetensors"}
    assert_identical(weights(second.model), uninterrupted[0])


def test_when_all_are_damaged_it_says_so(tmp_path, store):
    fit(job(tmp_path, store))
    for path in whole_checkpoints(tmp_path / "checkpoints"):
        (path / "state.json").write_text("{")
    with pytest.raises(UserError, match="every checkpoint"):
        fit(job(tmp_path, store))


def test_a_full_disk_keeps_the_last_whole_checkpoint(tmp_path, store, monkeypatch):
    save_every_step(monkeypatch)
    written = checkpoints.write_synced
    calls = []

    def full(file, data):
        calls.append(file)
        if len(calls) > 6:  # within the second checkpoint
            raise OSError(errno.ENOSPC, "No space left on device", str(file))
        return written(file, data)

    monkeypatch.setattr(checkpoints, "write_synced", full)
    with pytest.raises(OSError, match="No space left"):
        fit(job(tmp_path, store))
    assert [p.name for p in (tmp_path / "checkpoints").iterdir()] == ["step-00000001"]
    assert newest_whole(tmp_path / "checkpoints").path.name == "step-00000001"


class Breaking(NextToken):
    """Gives a loss that is not finite at one update."""

    calls = 0

    def __call__(self, model, batch):
        loss = super().__call__(model, batch)
        if torch.is_grad_enabled():
            self.calls += 1
            if self.calls == 5:  # the first part of update 3
                loss.total.data.mul_(float("nan"))
        return loss


def test_a_loss_that_is_not_finite_saves_the_state_before_it_and_the_batch(tmp_path, store, uninterrupted):
    with pytest.raises(NonFinite, match="step 3"):
        fit(job(tmp_path, store, objective=Breaking()))
    assert newest_whole(tmp_path / "checkpoints").path.name == "step-00000002"
    assert (tmp_path / "run" / "bad-batch.safetensors").stat().st_size > 1000
    second = job(tmp_path, store)
    fit(second)
    assert_identical(weights(second.model), uninterrupted[0])


def test_only_the_last_checkpoints_and_the_best_are_kept(tmp_path, store, monkeypatch):
    save_every_step(monkeypatch)
    fit(job(tmp_path, store, keep_checkpoints=1))
    kept = [path.name for path in whole_checkpoints(tmp_path / "checkpoints")]
    best = [e.step for e in read_events(tmp_path / "run" / "events.jsonl") if isinstance(e, Evaluated) and e.best][-1]
    assert kept == sorted({"step-00000006", f"step-{best:08d}"}, reverse=True)


def test_due_divides_the_run_evenly():
    assert [step for step in range(1, 21) if due(step, 20, 0.25)] == [5, 10, 15, 20]
    assert [step for step in range(1, 4) if due(step, 3, 0.1)] == [1, 2, 3]


# --- what a person may choose ------------------------------------------------------------------------

CHOICES = {
    **{f"{kind}": {"optimizer": {"kind": kind}} for kind in ("sgd", "adagrad", "rmsprop", "adam", "radam", "lamb", "adafactor", "lion", "muon")},
    "momentum": {"optimizer": {"kind": "sgd", "momentum": 0.9, "nesterov": True}},
    **{kind: {"schedule": {"kind": kind}} for kind in ("constant", "polynomial", "cosine-restarts", "inverse-square-root", "cyclic", "step")},
    "plateau": {"schedule": {"kind": "plateau", "patience": 0, "threshold": 0.9}},
    "ema": {"average": {"kind": "ema", "decay": 0.5}},
    "swa": {"average": {"kind": "swa", "start_share": 0.3}},
    "best": {"end_with": "best", "optimizer": {"kind": "adamw"}},
}  # fmt: skip


@pytest.mark.spec("TR16", "every optimizer, schedule and average is saved and resumed bit for bit")
@pytest.mark.parametrize("name", CHOICES)
def test_whatever_is_chosen_resumes_bit_for_bit(tmp_path, store, name, monkeypatch):
    save_every_step(monkeypatch)
    whole = job(tmp_path / "whole", store, **CHOICES[name])
    fit(whole)
    with pytest.raises(Die):
        fit(job(tmp_path / "cut", store, listeners=[dying_at(5)], **CHOICES[name]))
    second = job(tmp_path / "cut", store, **CHOICES[name])
    fit(second)
    assert_identical(weights(second.model), weights(whole.model))
    one, other = ([e.loss for e in read_events(work.run / "events.jsonl") if isinstance(e, Stepped)] for work in (whole, second))  # fmt: skip
    assert one == other and all(np.isfinite(one))


def test_the_rate_falls_on_a_plateau(tmp_path, store):
    work = job(
        tmp_path, store, steps=12, schedule={"kind": "plateau", "warmup_share": 0.0, "patience": 0, "threshold": 0.9}
    )
    fit(work)  # evaluated after 6 and 12; the first is the best so far, so the rate stays
    rates = [e.learning_rate for e in read_events(work.run / "events.jsonl") if isinstance(e, Stepped)]
    assert rates == [1e-2] * 12
    work = job(
        tmp_path / "more",
        store,
        steps=12,
        schedule={"kind": "plateau", "warmup_share": 0.0, "patience": 0, "threshold": 0.9},
        evaluate_every_share=0.25,
    )
    fit(work)
    rates = [e.learning_rate for e in read_events(work.run / "events.jsonl") if isinstance(e, Stepped)]
    assert rates == [1e-2] * 6 + [5e-3] * 3 + [2.5e-3] * 3


@pytest.mark.spec("TR9", "training ends when the validation loss no longer falls, with the weights of its lowest point")
def test_early_stopping_restores_the_best(tmp_path, store):
    work = job(tmp_path, store, steps=40, evaluate_every_share=0.05, patience=3, schedule={"kind": "constant"})
    work = replace(work, plan=work.plan.model_copy(update={"learning_rate": 0.3}))  # too high: it gets worse soon
    outcome = fit(work)
    evaluations = [e for e in read_events(work.run / "events.jsonl") if isinstance(e, Evaluated)]
    losses = [e.values["loss"] for e in evaluations]
    assert outcome.progress.step < 40 and len(losses) - 1 - losses.index(min(losses)) == 3
    from langwright.training.evaluating import evaluate_loss
    from langwright.training.feed import whole_epoch

    again = evaluate_loss(work.model, work.objective, whole_epoch(work.validation, 2, 64), "float32")
    assert again["loss"] == pytest.approx(min(losses), rel=1e-6)


def test_averaged_weights_are_what_is_evaluated_and_kept(tmp_path, store):
    work = job(tmp_path, store, average={"kind": "swa", "start_share": 0.0})
    seen = []
    plain = job(
        tmp_path / "plain",
        store,
        listeners=[lambda e: seen.append(weights(plain.model)) if isinstance(e, Stepped) else None],
    )
    fit(plain)
    fit(work)
    assert len(seen) == STEPS
    for name, value in weights(work.model).items():
        torch.testing.assert_close(value, torch.stack([w[name] for w in seen]).mean(0), rtol=1e-5, atol=1e-6)


@pytest.mark.spec("TR18", "time for updates, evaluation and saving, and energy, are summed over all processes of a run")
def test_what_a_run_costs_survives_a_kill(store, tmp_path, monkeypatch):
    save_every_step(monkeypatch)
    work = job(tmp_path, store, listeners=[dying_at(4)])
    with pytest.raises(Die):
        fit(work)
    saved = newest_whole(work.checkpoints).path
    before = checkpoints.State.model_validate_json((saved / "state.json").read_bytes())
    assert before.step == 3 and before.joules > 0 and before.saving > 0 and before.evaluating > 0
    spent = fit(job(tmp_path, store)).spent
    assert spent.joules > before.joules and spent.training > before.seconds
    assert spent.evaluating > before.evaluating and spent.saving > before.saving
    assert spent.counted.startswith(("reckoned", "counted"))


@pytest.mark.spec("TR16", "a run goes on with more steps and another rate where that was accepted")
def test_a_run_goes_on_with_more_steps(store, tmp_path):
    fit(job(tmp_path, store))  # all six of its steps
    work = job(tmp_path, store, steps=9, learning_rate=1e-4, schedule=Constant(warmup_share=0.0))
    save_plan(work.run, work.plan.model_copy(update={"steps": STEPS, "learning_rate": 1e-2}))
    plan = read_plan(work.run, TrainingSettings(steps=9, learning_rate=1e-4))
    assert (plan.steps, plan.learning_rate, plan.batch_rows) == (9, 1e-4, 4)
    assert read_plan(work.run, TrainingSettings()).steps == STEPS
    fit(replace(work, plan=plan))
    steps = [event for event in read_events(work.run / "events.jsonl") if isinstance(event, Stepped)]
    assert [event.step for event in steps] == list(range(1, 10))
    assert [event.learning_rate for event in steps[-3:]] == [1e-4] * 3
    with pytest.raises(UserError, match="9 updates were made before, and steps = 7"):
        fit(job(tmp_path, store, steps=7))


@pytest.mark.parametrize(
    ("settings", "name"),
    [({"patience": 2}, "patience"), ({"end_with": "best"}, "end_with"), ({"schedule": Plateau()}, "plateau")],
)
def test_what_goes_by_a_loss_that_nobody_measures_is_refused(store, tmp_path, settings, name):
    with pytest.raises(UserError, match=name):
        fit(replace(job(tmp_path, store, **settings), validation=None))
    assert not (tmp_path / "checkpoints").exists()


def test_settings_that_contradict_each_other_are_named_together():
    with pytest.raises(UserError, match="micro_rows = 8 is more than batch_rows = 4"):
        TrainingSettings(micro_rows=8, batch_rows=4)
    with pytest.raises(UserError, match=r"nesterov = true .*momentum = 0") as refused:
        read_settings(TrainingSettings, sets=["optimizer.kind=sgd", "optimizer.nesterov=true"])
    assert refused.value.problem("zh") != refused.value.problem("en")
    assert TrainingSettings(optimizer=SGD(momentum=0.9, nesterov=True)).optimizer.nesterov
