"""vLLM as a managed child, against a stand-in that speaks its words: ids, stops, scores, health, death."""

from __future__ import annotations

import math
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.inference import fake_vllm
from tests.inference.fake_vllm import CONTEXT, following

from langwright.errors import UserError
from langwright.inference.fake import letters
from langwright.inference.protocol import Beams, Request, Sampling
from langwright.inference.remote.served import ServedEngine, id_in, start_vllm
from langwright.inference.remote.wire import NotOffered
from langwright.inference.texts.text import TextModel

COMMAND = (sys.executable, fake_vllm.__file__, "serve")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedEngine]:
    folder = tmp_path_factory.mktemp("models") / "m"
    started = start_vllm(folder, folder.parent / "vllm.log", command=COMMAND, within_s=60)
    yield started
    started.close()


def expected(prompt: list[int], count: int) -> list[int]:
    found = [prompt[-1]]
    for _ in range(count):
        found.append(following(found[-1]))
    return found[1:]


@pytest.mark.spec("T32", "vLLM is started as a child and asked in token ids like our own engine")
def test_ids_go_and_come_back(engine: ServedEngine) -> None:
    assert engine.context == CONTEXT and engine.alive
    prompts = [[1], [2, 3], [40, 50, 60]]
    found = engine.generate([Request(prompt, Sampling(max_new_tokens=9)) for prompt in prompts])
    assert [done.ids for done in found] == [expected(prompt, 9) for prompt in prompts]
    assert all(done.finish_reason == "length" and done.tokens[0].logprob == math.log(0.9) for done in found)
    stop = expected([1], 5)[4]
    (done,) = engine.generate([Request([1], Sampling(max_new_tokens=50), frozenset({stop}), top_logprobs=2)])
    assert done.ids == expected([1], 4) and done.finish_reason == "stop"
    assert done.tokens[0].top == ((done.ids[0], math.log(0.9)), (0, -9.0))
    (most,) = engine.generate([Request([1] * 250, Sampling(max_new_tokens=500))])
    assert len(most.ids) == CONTEXT - 250
    with pytest.raises(UserError, match="more than the model's context"):
        engine.submit(Request([1] * CONTEXT))


def test_scores_are_the_servers(engine: ServedEngine) -> None:
    rows = [[1, following(1), 5], [7], [9, 9]]
    low, high = math.log(0.1 / (fake_vllm.VOCABULARY - 1)), math.log(0.9)
    assert engine.score(rows) == [[high, low], [], [low]]
    assert engine.score([[5]], [[1, following(1)]]) == [[low]]
    ((first, second),) = engine.alternatives([rows[0]], 1)
    assert (first.id, first.logprob, first.top) == (following(1), high, ((following(1), high),))
    assert (second.id, second.logprob, second.top) == (5, low, ((following(following(1)), high),))


def test_what_it_has_no_words_for_is_refused(engine: ServedEngine) -> None:
    with pytest.raises(NotOffered, match="hidden states"):
        engine.encode([[1]])
    with pytest.raises(NotOffered, match="search by beams"):
        engine.search(Request([1]), Beams())
    with pytest.raises(NotOffered, match="mirostat"):
        engine.submit(Request([1], Sampling(temperature=1.0, mirostat=3.0)))
    with pytest.raises(UserError, match="answers 500: the engine is dead"):
        engine.generate([Request([255], Sampling(max_new_tokens=2))])
    with pytest.raises(NotOffered, match="by their text"):
        id_in("hello")


def test_cancelling_and_deadlines_reach_it(engine: ServedEngine) -> None:
    assert engine.child is not None
    stream = engine.submit(Request([254, 1], Sampling(max_new_tokens=200)))
    for _ in range(3):
        next(iter(stream))
    stream.cancel()
    assert list(stream) == [] and stream.finish_reason == "cancelled"
    until = time.monotonic() + 20
    while "gone after" not in engine.child.said():
        assert time.monotonic() < until, "the server went on"
        time.sleep(0.05)
    late = engine.submit(Request([254, 1], Sampling(max_new_tokens=200), deadline_s=0.0))
    assert list(late) == [] and late.finish_reason == "deadline"


def test_text_stands_over_it(engine: ServedEngine) -> None:
    model = TextModel(engine, letters(), "m")
    done = model.complete("ab", Sampling(max_new_tokens=12, temperature=0.7, seed=3))
    assert list(done.token_ids) == expected(model.tokenize("ab"), len(done.token_ids)) and done.seed == 3
    assert model.score_text("bc", "a").tokens[0][0] == "b"


def test_one_that_dies_or_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"ended with 1(?s:.*)CUDA out of memory: too big"):
        start_vllm(tmp_path / "m", tmp_path / "log", command=COMMAND, options=["--fail", "too big"], within_s=60)
    with pytest.raises(UserError, match="no-such-vllm is not installed"):
        start_vllm(tmp_path / "m", tmp_path / "log", command=["no-such-vllm", "serve"])
    engine = start_vllm(tmp_path / "m", tmp_path / "log", command=COMMAND, within_s=60)
    assert engine.child is not None
    pid = int(engine.child.said().split()[1])
    os.kill(pid, signal.SIGKILL)
    until = time.monotonic() + 20
    while engine.alive:
        assert time.monotonic() < until
        time.sleep(0.05)
    with pytest.raises(UserError, match="is not reached"):
        engine.generate([Request([1], Sampling(max_new_tokens=2))])
    engine.close()
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
