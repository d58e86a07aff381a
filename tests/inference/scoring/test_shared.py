"""Scores of rows that begin alike are those of each row alone, and what they share is read once."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from tests.inference.running.test_packed import LONG
from tests.inference.tiny import Gate, prompts_of, random_model
from transformers import PreTrainedModel

from langwright.inference.engine import TorchEngine
from langwright.inference.memory.prefixes import BLOCK
from langwright.inference.precision import Preparation
from langwright.inference.running.packed import PREFIX_BYTES


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return random_model(LONG, scale=5.0)


def plainly(model: PreTrainedModel, row: list[int]) -> list[float]:
    with torch.no_grad():
        logprob_TV = model(torch.tensor([row])).logits[0].log_softmax(-1)
    return [logprob_TV[place, row[place + 1]].item() for place in range(len(row) - 1)]


@pytest.mark.spec(
    "C8", "answers behind the same examples: the examples are read once, the scores are those of each alone"
)
def test_what_rows_share_is_read_once(
    model: PreTrainedModel, engine_of: Callable[..., TorchEngine], gate_of: Callable[[PreTrainedModel], Gate]
) -> None:
    shots, question, *answers = prompts_of((200, 30, 5, 9, 1, 12), seed=1)
    rows = [shots + question + answer for answer in answers] + [shots[: 2 * BLOCK], shots[:5], [7]]
    again = [*shots, 3, 1, 4, 1, 5]
    expected, expected_again = [plainly(model, row) for row in rows], plainly(model, again)
    engine, gate = engine_of(model, context=320), gate_of(model)
    found = engine.score(rows)
    for one, other in zip(found, expected, strict=True):
        assert one == pytest.approx(other, abs=1e-4)
    known = 3 * BLOCK - 1
    assert sum(tokens for _, tokens in gate.shapes) == (
        len(rows[0]) - 1 + sum(len(row) - 1 - known for row in rows[1:4]) + BLOCK + 4
    )
    begin = len(gate.shapes)
    assert engine.score([again])[0] == pytest.approx(expected_again, abs=1e-4)
    assert gate.shapes[begin] == (1, len(again) - 1 - known)
    hits = engine.judge(rows[:2])  # another kind of score: what is kept of the first does not serve
    assert [logprob for logprob, _ in hits[0]] == pytest.approx(expected[0], abs=1e-4)
    assert [[token.logprob for token in row] for row in engine.alternatives(rows[:2], 3)][1] == pytest.approx(
        expected[1], abs=1e-4
    )


def test_long_rows_are_scored_in_pieces(
    model: PreTrainedModel, engine_of: Callable[..., TorchEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("langwright.inference.scoring.likelihood.MOST_POSITIONS", 50)
    shared, *tails = prompts_of((150, 70, 80), seed=3)
    rows = [shared + tail for tail in tails]
    for one, row in zip(engine_of(model).score(rows), rows, strict=True):
        assert one == pytest.approx(plainly(model, row), abs=1e-4)
    small = engine_of(model, prefix_bytes=1)  # not one block
    for one, row in zip(small.score(rows), rows, strict=True):
        assert one == pytest.approx(plainly(model, row), abs=1e-4)


@pytest.mark.spec("C8", "strictly a score has the bits it has alone, whatever is scored beside it or was known before")
def test_strict_scores_do_not_depend_on_what_else_is_asked(
    model: PreTrainedModel, engine_of: Callable[..., TorchEngine], gate_of: Callable[[PreTrainedModel], Gate]
) -> None:
    shots, question, *answers = prompts_of((200, 30, 5, 9, 1, 12, 70), seed=5)
    rows = [shots + question + answer for answer in answers] + prompts_of((2, 65, 130), seed=6)

    def fresh(prefix_bytes: int = PREFIX_BYTES) -> tuple[TorchEngine, PreTrainedModel]:
        own = copy.deepcopy(model)  # an engine takes its model as its own
        return engine_of(own, context=320, preparation=Preparation(strict=True), prefix_bytes=prefix_bytes), own

    alone = [fresh()[0].score([row])[0] for row in rows]
    engine, own = fresh()
    gate = gate_of(own)
    assert engine.score(rows) == alone
    read = sum(tokens for _, tokens in gate.shapes)
    assert read < sum(len(row) - 1 for row in rows) - 3 * 2 * BLOCK  # the examples' blocks but the last are read once
    assert engine.score(rows[::-1]) == alone[::-1]  # all known by now
    assert [[value for value, _ in row] for row in engine.judge(rows)] == alone
    assert fresh(prefix_bytes=0)[0].score(rows[::-1]) == alone[::-1]
    for one, row in zip(alone, rows, strict=True):
        assert one == pytest.approx(plainly(model, row), abs=1e-4)


def test_strict_scores_outside_the_packed_tier_are_read_alone(
    model: PreTrainedModel, engine_of: Callable[..., TorchEngine], gate_of: Callable[[PreTrainedModel], Gate]
) -> None:
    rows, model = prompts_of((40, 21, 33), seed=7), copy.deepcopy(model)
    engine = engine_of(model, context=320, preparation=Preparation(strict=True), best_tier="padded")
    gate = gate_of(model)
    together = engine.score(rows)
    assert [count for count, _ in gate.shapes] == [1, 1, 1]
    assert together == [engine.score([row])[0] for row in rows]
