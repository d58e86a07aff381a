"""What each thing around a loss, and each gradient rule, costs: seconds an update beside plain training.

    python -m benchmarks.wrappers [--rounds 5] [--updates 4] [--preset mini] [--rows 8] [--length 128]

Next-token prediction on tokens drawn at random, one micro-batch of `rows` for wrappers and two for rules, AdamW,
float32. Every round times each kind once, plain first, so what else the machine does hits all alike; shown are the
median of the ratios to plain of the same round, and their smallest and largest.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from langwright.data.packing import Sample
from langwright.models.building import build_model
from langwright.models.presets import PRESETS
from langwright.objectives.next_token import NextToken, NextTokenBatch, collate_rows
from langwright.objectives.penalties import Anchored, Penalised
from langwright.objectives.settings import FGM, L1, L2, L2SP, PGD, VAT, FreeLB, LwF, RDrop, wrapped
from langwright.objectives.wrapping import own_weights
from langwright.training.gradients import AGEM, GradientRule, NoiseScale, PathIntegral, Sum
from langwright.training.loop import train
from langwright.training.loss import Objective
from langwright.training.optimizers import AdamW, build_optimizer

AROUND = (RDrop(), VAT(), LwF(), FGM(), PGD(), FreeLB(), L1(), L2(), L2SP())


@dataclass(frozen=True)
class Contender:
    """One kind: what is minimised, by which rule, and in how many micro-batches."""

    objective: Objective[NextTokenBatch]
    rule: GradientRule
    parts: int = 1


def batches(rows: int, length: int, vocabulary: int, parts: int) -> Iterator[list[NextTokenBatch]]:
    """The same update over and over."""
    numbers = np.random.default_rng(0)
    samples = [Sample(numbers.integers(3, vocabulary, length + 1), np.ones(length + 1, dtype=bool), np.array([0])) for _ in range(rows)]  # fmt: skip
    size = rows // parts
    made = [collate_rows(samples[i : i + size], length, 0, stop_at_documents=False) for i in range(0, rows, size)]
    while True:
        yield made


def contenders(model: nn.Module, rows: int, length: int, vocabulary: int) -> dict[str, Contender]:
    """Every kind by name, plain first."""
    weights = own_weights(model)
    importance = {name: torch.rand_like(weight) for name, weight in weights.items()}
    one = next(batches(rows, length, vocabulary, 1))[0]

    def reference(update: int) -> torch.Tensor:
        loss = NextToken()(model, one)
        return loss.total / loss.units

    held = Penalised(NextToken(), {"ewc": Anchored(1.0, weights, importance)})
    return {
        "plain": Contender(NextToken(), Sum()),
        **{around.kind: Contender(wrapped(NextToken(), (around,), model), Sum()) for around in AROUND},
        "ewc": Contender(held, Sum()),
        "si": Contender(NextToken(), PathIntegral(Sum(), weights)),
        "a-gem": Contender(NextToken(), AGEM(Sum(), reference)),
        "plain, 2 micro-batches": Contender(NextToken(), Sum(), 2),
        "noise-scale, 2 micro-batches": Contender(NextToken(), NoiseScale(0.95), 2),
    }


def seconds(
    model: nn.Module, one: Contender, stream: Callable[[int], Iterator[list[NextTokenBatch]]], updates: int
) -> float:
    """Of one update: the median over some, after one that is not counted."""
    optimizer = build_optimizer(AdamW(), list(model.named_parameters()), 1e-5)
    taken = []
    steps = train(
        model, one.objective, stream(one.parts), optimizer, rate=lambda _: 1e-5, steps=updates + 1, gradients=one.rule
    )
    while True:
        began = time.perf_counter()
        if next(steps, None) is None:
            return statistics.median(taken[1:])
        taken.append(time.perf_counter() - began)


def main() -> None:
    """Time and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("rounds", 5), ("updates", 4), ("rows", 8), ("length", 128)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--preset", default="mini", choices=sorted(PRESETS))
    asked = parser.parse_args()
    preset = PRESETS[asked.preset]
    model = build_model(preset, preset.vocab_size, asked.length, 0)
    model.train()
    kinds = contenders(model, asked.rows, asked.length, preset.vocab_size)
    ratios: dict[str, list[float]] = {name: [] for name in kinds}
    for _ in range(asked.rounds):
        found = {
            name: seconds(model, copy.copy(one), lambda parts: batches(asked.rows, asked.length, preset.vocab_size, parts), asked.updates)
            for name, one in kinds.items()
        }  # fmt: skip
        for name, value in found.items():
            ratios[name].append(value / found["plain"])
    for name, values in ratios.items():
        print(f"{name:30} {statistics.median(values):6.2f}  [{min(values):.2f}, {max(values):.2f}]")


if __name__ == "__main__":
    main()
