"""Small runs that one process or two make: the same jobs, built by name in each of the processes.

    python -m tests.training.pairs FOLDER

is the second process; the first one is the test itself, in `together`.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from tests.objectives.test_heads import world as head_world
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from langwright.data.order import Order
from langwright.data.packing import plan_pack
from langwright.data.store import Document, build_store, open_store
from langwright.errors import UserError
from langwright.objectives.adversarial import FGM
from langwright.objectives.next_token import NextToken, RowExamples
from langwright.runlog import RunLog, Stepped
from langwright.training.averaging import EMA
from langwright.training.feed import Feed
from langwright.training.fit import Fit, Plan, fit_together
from langwright.training.loss import Loss
from langwright.training.processes import crew_of, joined
from langwright.training.settings import TrainingSettings
from langwright.training.sharing import placed
from langwright.training.stopping import StopRequested
from langwright.training.together import Place, Together

ROOT = Path(__file__).resolve().parents[2]
STEPS = 20
HEADS = ("single", "tag-chain", "tag-layers", "qa", "choice")


class Own(NextToken):
    """An objective with weights of its own: a log-variance, and one that only some rows use."""

    def __init__(self):
        super().__init__()
        self.log_variance = nn.Parameter(torch.zeros(()))
        self.rare = nn.Parameter(torch.zeros(()))

    def __call__(self, model, batch):
        found = super().__call__(model, batch)
        total = found.total * torch.exp(-self.log_variance) + 0.5 * self.log_variance * found.units
        count = int((batch.tokens_BT[:, 0] == 3).sum())
        return Loss(total + self.rare * count if count else total, found.units, found.metrics)

    def parameters(self):
        return [self.log_variance, self.rare]


class Broken(NextToken):
    """A loss that is no number at the third update of the second process."""

    calls = 0

    def __call__(self, model, batch):
        found = super().__call__(model, batch)
        self.calls += 1
        wrong = self.calls == 5 and os.environ.get("RANK") == "1"  # two micro-batches an update
        return Loss(found.total * torch.nan if wrong else found.total, found.units, found.metrics)


def network(dropout):
    """A Llama, which has no weight whose gradient is zero but for rounding; a GPT-2 where dropout is wanted."""
    torch.manual_seed(1)
    if dropout == 0:
        return LlamaForCausalLM(
            LlamaConfig(vocab_size=50, hidden_size=16, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, max_position_embeddings=16)
        )  # fmt: skip
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=50, n_embd=16, n_layer=2, n_head=2, n_positions=16, bos_token_id=0, eos_token_id=0,
            resid_pdrop=dropout, embd_pdrop=dropout, attn_pdrop=dropout,
        )
    )  # fmt: skip


LOGS: list[RunLog] = []  # to be closed


def job(folder, name, *, steps=STEPS, objective=None, dropout=0.0, frozen=(), stop_at=None, **settings):
    """A run in FOLDER/NAME; both processes see the same rows."""
    run = folder / name / "run"
    run.mkdir(parents=True, exist_ok=True)
    examples = rows(folder)
    model = network(dropout)
    for name_, weight in model.named_parameters():
        weight.requires_grad_(not any(part in name_ for part in frozen))

    def listener(event):
        if isinstance(event, Stepped) and event.step == stop_at:
            os.kill(os.getpid(), signal.SIGTERM)

    log = RunLog(run / "events.jsonl", listener) if is_first() else RunLog(None)
    LOGS.append(log)
    return Fit(
        model=model,
        objective=objective or NextToken(),
        feed=Feed(examples, Order(7, len(examples)), batch_rows=12, micro_rows=8),
        validation=examples,
        plan=Plan(steps=steps, batch_rows=12, micro_rows=8, length=16, learning_rate=1e-2, dtype="float32", compile=False, threads=1, device="cpu", evaluate_rows=22),
        settings=TrainingSettings(evaluate_every_share=0.5, batch_rows=12, **settings),
        checkpoints=folder / name / "checkpoints",
        run=run,
        log=log,
        sampler=lambda net: [("sum", str(sum(w.double().sum().item() for w in net.parameters())))],
    )  # fmt: skip


def taught(folder, name, kind):
    """A run of a few updates that teaches a head, in FOLDER/NAME."""
    model, objective, examples = head_world(kind, "llama")
    # the bias of answers' edges changes no softmax, and AdamW would follow the rounding of its gradient
    work = job(folder, name, steps=3, objective=objective, optimizer={"kind": "sgd"})
    feed = Feed(examples, Order(7, len(examples)), batch_rows=6, micro_rows=2)
    plan = work.plan.model_copy(update={"batch_rows": 6, "micro_rows": 2, "evaluate_rows": 6})
    settings = work.settings.model_copy(update={"batch_rows": 6})
    return replace(work, model=model, feed=feed, validation=examples, plan=plan, settings=settings)


def is_first():
    """Whether this is the process that writes."""
    return os.environ.get("RANK", "0") == "0"


def rows(folder):
    """Packed rows of documents of every length, of which some tokens are supervised; each process its own copy."""
    path = folder / f"store-{os.getpid()}"
    numbers = np.random.default_rng(0)
    documents = [
        Document(numbers.integers(0, 50, n).tolist(), [bool(b) for b in numbers.random(n) < 0.6], int(n))
        for n in numbers.integers(2, 17, 90)
    ]
    store = build_store(path, documents, 50) if not path.exists() else open_store(path)
    return RowExamples(store, plan_pack(store, 16), pad_id=0, stop_at_documents=False)


def cases(folder):
    """(name, strategy, job) in the order in which both processes make them."""
    clipped = {"clip": 0.5, "average": EMA(decay=0.9)}
    yield "ddp", "ddp", lambda: job(folder, "ddp", **clipped)
    yield "fsdp", "fsdp", lambda: job(folder, "fsdp", **clipped)
    yield "fsdp-sgd", "fsdp", lambda: job(folder, "fsdp-sgd", steps=3, optimizer={"kind": "sgd"}, clip_value=0.01)
    yield "fsdp-fgm", "fsdp", lambda: job(folder, "fsdp-fgm", steps=6, objective=FGM(NextToken(), epsilon=0.5))
    yield "fsdp-frozen", "fsdp", lambda: job(folder, "fsdp-frozen", steps=6, frozen=("embed_tokens", "layers.0"))
    yield "ddp-own", "ddp", lambda: job(folder, "ddp-own", steps=8, objective=Own())
    yield "fsdp-own", "fsdp", lambda: job(folder, "fsdp-own", steps=8, objective=Own())
    yield "fsdp-adafactor", "fsdp", lambda: job(folder, "fsdp-adafactor", steps=8, optimizer={"kind": "adafactor"})
    for kind in HEADS:
        name = f"fsdp-{kind}"
        yield name, "fsdp", lambda name=name, kind=kind: taught(folder, name, kind)
    yield "ddp-tag-chain", "ddp", lambda: taught(folder, "ddp-tag-chain", "tag-chain")
    yield "broken", "ddp", lambda: job(folder, "broken", objective=Broken())
    for strategy in ("ddp", "fsdp"):
        name = f"whole-{strategy}"
        yield name, strategy, lambda name=name: job(folder, name, steps=8, dropout=0.2)
        name = f"cut-{strategy}"
        yield f"{name}-1", strategy, lambda name=name: job(folder, name, steps=8, dropout=0.2, stop_at=3)
        yield f"{name}-2", strategy, lambda name=name: job(folder, name, steps=8, dropout=0.2)
        name = f"moved-{strategy}"
        yield name, strategy, lambda name=name: job(folder, name, stop_at=12)


def place_for(rank, strategy, folder):
    """Where a process stands; the first one starts the second."""
    helper = (sys.executable, "-m", "tests.training.pairs", str(folder)) if rank == 0 else ()
    return Place(Together(2, strategy), rank, "pairs", beside=2, helper=helper)


@contextmanager
def others(folder, rank):
    """The two processes together, once for all cases."""
    (folder / "talk").mkdir(exist_ok=True)
    with joined(place_for(rank, "ddp", folder), "cpu", folder / "talk"):
        yield


def run_cases(folder, rank):
    """Each case's weights, or what went wrong."""
    found = {}
    with others(folder, rank):
        for name, strategy, build in cases(folder):
            place = place_for(rank, strategy, folder)
            try:
                work = placed(replace(build(), place=place))
                outcome = fit_together(work, crew_of(place, "cpu"))
            except (UserError, StopRequested) as error:
                found[name] = error
            else:
                found[name] = outcome, {n: w.detach().clone() for n, w in work.model.named_parameters()}, work
    return found


if __name__ == "__main__":
    run_cases(Path(sys.argv[1]), int(os.environ["RANK"]))
