"""The engine against transformers' `generate`, and what happens when requests come, go, fail and wait."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from tests.inference.tiny import CONTEXT, GPT2, LLAMA, VOCAB, Gate, prompts_of, random_model, reference
from transformers import PretrainedConfig, PreTrainedModel

from langwright.errors import UserError
from langwright.inference.engine import TorchEngine
from langwright.inference.limits import QueueFull
from langwright.inference.precision import Precision, Preparation
from langwright.inference.protocol import Beams, Contrastive, Request, Sampling, Search
from langwright.inference.running.padded import Forward
from langwright.inference.running.streams import EngineDied, EngineFailed
from langwright.inference.running.tiers import TIERS
from langwright.inference.scoring.likelihood import score_group

EngineOf = Callable[..., TorchEngine]
GateOf = Callable[[PreTrainedModel], Gate]


def greedy(prompt: list[int], max_new_tokens: int, **options: object) -> Request:
    return Request(prompt, Sampling(max_new_tokens=max_new_tokens), **options)  # type: ignore[arg-type]


# --- the same tokens as transformers -----------------------------------------------------------


@pytest.mark.spec("G4", "greedy decoding equals transformers' generate token for token, one request at a time")
def test_greedy_alone(model: PreTrainedModel, engine_of: EngineOf) -> None:
    engine = engine_of(model)
    for prompt in prompts_of((1, 2, 7, 30)):
        (done,) = engine.generate([greedy(prompt, 25)])
        assert done.ids == reference(model, prompt, 25)
        assert done.finish_reason == "length"


@pytest.mark.spec("G4", "greedy decoding in a ragged batch, rows ending at different times, equals each alone")
def test_greedy_in_ragged_batches(model: PreTrainedModel, engine_of: EngineOf) -> None:
    lengths, news = (3, 41, 9, 1, 12, 5, 20), (30, 8, 45, 25, 1, 60, 13)
    engine = engine_of(model, max_batch=3)
    prompts = prompts_of(lengths)
    found = engine.generate([greedy(prompt, new) for prompt, new in zip(prompts, news, strict=True)])
    for prompt, new, done in zip(prompts, news, found, strict=True):
        assert done.ids == reference(model, prompt, new)


def test_requests_that_join_a_running_batch(model: PreTrainedModel, engine_of: EngineOf, gate_of: GateOf) -> None:
    engine, gate = engine_of(model, max_batch=4), gate_of(model)
    long, short, longer = prompts_of((10, 3, 35), seed=4)
    gate.shut()
    first = engine.submit(greedy(long, 40))
    gate.let(6)  # the prefill and five steps
    gate.wait_for(7)
    second = engine.submit(greedy(short, 12))
    gate.let(4)
    gate.wait_for(11)
    third = engine.submit(greedy(longer, 20))  # its prompt is longer than everything in the cache
    gate.open()
    ids = [[token.id for token in stream] for stream in (first, second, third)]
    gate.remove()
    assert (1, 1 + 3) in gate.shapes  # the second was read while the first wrote
    assert (1, 3) in gate.shapes  # they did run together
    assert ids == [reference(model, long, 40), reference(model, short, 12), reference(model, longer, 20)]


def test_the_buffer_is_moved_when_it_is_full(
    llama: PreTrainedModel, engine_of: EngineOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("langwright.inference.memory.cache.ROOM", 3)
    engine = engine_of(llama, max_batch=3, best_tier="padded")
    prompts = prompts_of((4, 17, 8, 2))
    for prompt, done in zip(prompts, engine.generate([greedy(prompt, 30) for prompt in prompts]), strict=True):
        assert done.ids == reference(llama, prompt, 30)


def test_log_probabilities_are_those_of_the_whole_text(model: PreTrainedModel, engine_of: EngineOf) -> None:
    prompts = prompts_of((5, 11))
    sampling = Sampling(temperature=1.3, top_k=20, max_new_tokens=12, seed=3)
    for prompt, done in zip(
        prompts, engine_of(model).generate([Request(p, sampling, top_logprobs=3) for p in prompts]), strict=True
    ):
        with torch.no_grad():
            logprob_TV = model(torch.tensor([prompt + done.ids])).logits[0].log_softmax(-1)
        for place, token in enumerate(done.tokens, start=len(prompt) - 1):
            assert token.logprob == pytest.approx(logprob_TV[place, token.id].item(), abs=1e-5)
            assert [id for id, _ in token.top] == logprob_TV[place].topk(3).indices.tolist()
            assert [value for _, value in token.top] == pytest.approx(
                logprob_TV[place].topk(3).values.tolist(), abs=1e-5
            )


# --- samplers ----------------------------------------------------------------------------------


def test_each_request_of_a_batch_has_its_own_penalties(model: PreTrainedModel, engine_of: EngineOf) -> None:
    samplings = [
        Sampling(max_new_tokens=14),
        Sampling(max_new_tokens=14, repetition_penalty=1.5),
        Sampling(max_new_tokens=14, no_repeat_ngram=1),
        Sampling(max_new_tokens=14, bad_words=((3,), (5, 6)), logit_bias={7: -2.0}),
    ]
    settings = [{}, {"repetition_penalty": 1.5}, {"no_repeat_ngram_size": 1}, {
        "bad_words_ids": [[3], [5, 6]], "sequence_bias": [[[7], -2.0]],
    }]  # fmt: skip
    prompts = prompts_of((5, 8, 3, 6), seed=4)
    made = engine_of(model).generate([Request(p, s) for p, s in zip(prompts, samplings, strict=True)])
    for prompt, done, extra in zip(prompts, made, settings, strict=True):
        assert done.ids == reference(model, prompt, 14, **extra)
    assert len(set(made[2].ids)) == 14


def test_the_end_is_ruled_out_before_the_fewest_tokens(model: PreTrainedModel, engine_of: EngineOf) -> None:
    prompt = prompts_of((5,))[0]
    free = reference(model, prompt, 12)
    stop = frozenset({free[2]})
    (soon, late) = engine_of(model).generate(
        [Request(prompt, Sampling(min_new_tokens=least, max_new_tokens=12), stop) for least in (0, 6)]
    )
    assert soon.ids == free[:2]
    assert len(late.ids) >= 6
    assert not stop & set(late.ids)


@pytest.mark.parametrize(
    "sampling", [Sampling(logit_bias={VOCAB: 1.0}), Sampling(bad_words=((1, -1),)), Sampling(bad_words=((),))]
)
def test_tokens_that_do_not_exist_are_refused(llama: PreTrainedModel, engine_of: EngineOf, sampling: Sampling) -> None:
    with pytest.raises(UserError):
        engine_of(llama).submit(Request([1], sampling))


# --- seeds -------------------------------------------------------------------------------------


@pytest.mark.spec(
    "G2", "a seed gives the same text alone, in a batch and again; it is drawn and reported when left out"
)
def test_a_seed_reproduces_alone_and_in_a_batch(model: PreTrainedModel, engine_of: EngineOf) -> None:
    engine = engine_of(model, max_batch=5)
    mine = Request(prompts_of((6,))[0], Sampling(temperature=1.0, max_new_tokens=30, seed=11))
    alone = engine.generate([mine])[0]
    others = [
        Request(prompt, Sampling(temperature=temperature, top_k=5 if temperature else 0, max_new_tokens=new))
        for prompt, temperature, new in zip(prompts_of((20, 2, 9), seed=8), (0.0, 2.0, 0.7), (5, 40, 22), strict=True)
    ]
    torch.manual_seed(123)  # of no consequence
    together = engine.generate([others[0], mine, *others[1:]])[1]
    assert together.ids == alone.ids
    assert together.seed == alone.seed == 11
    assert (
        engine.generate([Request(mine.prompt, Sampling(temperature=1.0, max_new_tokens=30, seed=12))])[0].ids
        != alone.ids
    )


def test_a_drawn_seed_is_reported_and_gives_the_same_again(llama: PreTrainedModel, engine_of: EngineOf) -> None:
    engine, prompt = engine_of(llama), prompts_of((6,))[0]
    free = Sampling(temperature=1.0, max_new_tokens=30)
    first, second = engine.generate([Request(prompt, free), Request(prompt, free)])
    assert first.seed != second.seed
    again = engine.generate([Request(prompt, free.model_copy(update={"seed": first.seed}))])[0]
    assert again.ids == first.ids


def test_first_tokens_over_many_seeds_follow_the_models_distribution(
    llama: PreTrainedModel, engine_of: EngineOf
) -> None:
    prompt, draws = prompts_of((4,))[0], 1500
    requests = [Request(prompt, Sampling(temperature=1.0, max_new_tokens=1, seed=seed)) for seed in range(draws)]
    found_V = torch.zeros(VOCAB)
    for done in engine_of(llama, max_batch=64).generate(requests):
        found_V[done.ids[0]] += 1
    with torch.no_grad():
        expected_V = draws * (llama(torch.tensor([prompt])).logits[0, -1].double()).softmax(-1)
    common = expected_V >= 5
    assert 5 < common.sum() < VOCAB
    observed = [*found_V[common].tolist(), found_V[~common].sum().item()]
    expected = [*expected_V[common].tolist(), expected_V[~common].sum().item()]
    assert stats.chisquare(observed, expected).pvalue > 1e-3


# --- how a stream ends -------------------------------------------------------------------------


def test_a_stop_id_ends_the_stream_and_is_not_among_its_tokens(model: PreTrainedModel, engine_of: EngineOf) -> None:
    engine, prompt = engine_of(model), prompts_of((8,))[0]
    whole = engine.generate([greedy(prompt, 20)])[0].ids
    stop = whole[9]
    (done,) = engine.generate([greedy(prompt, 20, stop_ids=frozenset({stop}))])
    assert done.ids == whole[: whole.index(stop)]
    assert done.finish_reason == "stop"


def test_the_context_ends_a_stream(model: PreTrainedModel, engine_of: EngineOf) -> None:
    engine = engine_of(model)
    assert engine.context == CONTEXT
    (done,) = engine.generate([greedy(prompts_of((CONTEXT - 4,))[0], 50)])
    assert (len(done.ids), done.finish_reason) == (4, "length")
    (last,) = engine.generate([greedy(prompts_of((CONTEXT - 1,))[0], 50)])
    assert (len(last.ids), last.finish_reason) == (1, "length")


def test_prompts_that_cannot_be_continued(llama: PreTrainedModel, engine_of: EngineOf) -> None:
    engine = engine_of(llama)
    with pytest.raises(UserError, match="the prompt is empty"):
        engine.submit(greedy([], 5))
    with pytest.raises(UserError, match=rf"{CONTEXT} tokens.*context of {CONTEXT}") as error:
        engine.submit(greedy([1] * CONTEXT, 5))
    assert f"at most {CONTEXT - 1} tokens" in error.value.fix()
    with pytest.raises(UserError, match=rf"token {VOCAB} does not exist.*{VOCAB}"):
        engine.submit(greedy([1, VOCAB], 5))
    assert engine.generate([greedy([1, 2], 3)])[0].finish_reason == "length"  # and it goes on


def test_cancelling_frees_the_place(llama: PreTrainedModel, engine_of: EngineOf, gate_of: GateOf) -> None:
    engine, gate = engine_of(llama, max_batch=1), gate_of(llama)
    gate.shut()
    prompt = prompts_of((4,))[0]
    endless, waiting = engine.submit(greedy(prompt, 90)), engine.submit(greedy(prompt, 3))
    gate.let(3)
    gate.wait_for(4)
    tokens = iter(endless)
    seen = [next(tokens).id for _ in range(3)]
    endless.cancel()
    assert endless.finish_reason == "cancelled"
    assert list(endless) == []  # the reader is told at once, not after the step in progress
    gate.open()
    assert [token.id for token in waiting] == reference(llama, prompt, 3)
    assert seen == reference(llama, prompt, 3)
    assert len(gate.shapes) < 20  # nothing was made of the other ninety tokens


def test_cancelling_one_that_waits(llama: PreTrainedModel, engine_of: EngineOf, gate_of: GateOf) -> None:
    engine, gate = engine_of(llama, max_batch=1), gate_of(llama)
    gate.shut()
    prompt = prompts_of((4,))[0]
    running, waiting, last = (engine.submit(greedy(prompt, 3)) for _ in range(3))
    waiting.cancel()
    gate.open()
    assert len(list(running)) == 3
    assert list(waiting) == []
    assert waiting.finish_reason == "cancelled"
    assert len(list(last)) == 3


def test_a_deadline_ends_a_stream_that_runs(llama: PreTrainedModel, engine_of: EngineOf, gate_of: GateOf) -> None:
    engine, gate = engine_of(llama), gate_of(llama)
    gate.pause_s = 0.02
    stream = engine.submit(greedy(prompts_of((4,))[0], 90, deadline_s=1.0))
    tokens = list(stream)
    assert stream.finish_reason == "deadline"
    assert 0 < len(tokens) < 90


def test_a_deadline_ends_a_stream_that_waits(llama: PreTrainedModel, engine_of: EngineOf, gate_of: GateOf) -> None:
    engine, gate = engine_of(llama, max_batch=1), gate_of(llama)
    gate.pause_s = 0.005
    prompt, other = prompts_of((4, 5))
    running, waiting = engine.submit(greedy(prompt, 60)), engine.submit(greedy(other, 60, deadline_s=0.05))
    assert list(waiting) == []
    assert waiting.finish_reason == "deadline"
    assert running.finish_reason is None  # it did not have to wait for a place to be told so
    assert len(list(running)) == 60


# --- when something breaks ---------------------------------------------------------------------


@pytest.mark.parametrize("fail_at", [1, 4])  # in a prefill, in a step
def test_an_error_reaches_every_stream_and_the_engine_goes_on(
    fail_at: int, llama: PreTrainedModel, engine_of: EngineOf, gate_of: GateOf
) -> None:
    engine, gate = engine_of(llama, max_batch=2), gate_of(llama)
    gate.fail_at = fail_at
    prompts = prompts_of((4, 7, 5, 6))
    streams = []
    gate.shut()
    streams = [engine.submit(greedy(prompt, 30)) for prompt in prompts]  # two run, two wait
    gate.open()
    for stream in streams:
        with pytest.raises(EngineFailed, match="the lightning struck") as error:
            list(stream)
        assert isinstance(error.value.__cause__, RuntimeError)
        assert stream.finish_reason is None
    gate.fail_at = None
    (done,) = engine.generate([greedy(prompts[0], 10)])
    assert done.ids == reference(llama, prompts[0], 10)


def test_a_failed_score_is_raised_where_it_was_asked_for(
    llama: PreTrainedModel, engine_of: EngineOf, gate_of: GateOf
) -> None:
    engine, gate = engine_of(llama), gate_of(llama)
    gate.fail_at = 1
    with pytest.raises(RuntimeError, match="the lightning struck"):
        engine.score([[1, 2, 3]])
    assert len(engine.score([[1, 2, 3]])[0]) == 2


def test_weights_that_are_not_finite_are_named(engine_of: EngineOf) -> None:
    broken = random_model(LLAMA)
    with torch.no_grad():
        broken.model.norm.weight.fill_(float("nan"))
    with pytest.raises(UserError, match="not a finite number"):
        engine_of(broken).generate([greedy([1, 2, 3], 5)])


@pytest.mark.spec(
    "C8", "a request whose numbers overflow ends with an error; its neighbours, and those after it, go on"
)
@pytest.mark.parametrize("best", TIERS)
def test_one_request_that_is_not_finite_harms_no_other(engine_of: EngineOf, best: str) -> None:
    prompts = prompts_of((5, 70, 9), seed=12)
    expected = [reference(random_model(LLAMA), prompt, 15) for prompt in prompts]
    poison = next(id for id in range(1, VOCAB) if not any(id in ids for ids in (*prompts, *expected)))
    broken = random_model(LLAMA)
    engine = engine_of(broken, max_batch=2, best_tier=best)
    with torch.no_grad():
        broken.model.embed_tokens.weight[poison] = float("nan")
    sick = [engine.submit(greedy([*prompt, poison, 3], 15)) for prompt in prompts]
    well = [engine.submit(greedy(prompt, 15)) for prompt in prompts]
    for stream in sick:
        with pytest.raises(UserError, match="not a finite number"):
            list(stream)
    assert [[token.id for token in stream] for stream in well] == expected


def test_closing_ends_what_is_open(llama: PreTrainedModel, engine_of: EngineOf, gate_of: GateOf) -> None:
    engine, gate = engine_of(llama, max_batch=1), gate_of(llama)
    gate.shut()
    running, waiting = (engine.submit(greedy([1, 2, 3], 50)) for _ in range(2))
    gate.wait_for(1)
    closer = threading.Thread(target=engine.close)
    closer.start()
    gate.open()
    closer.join(10)
    assert not closer.is_alive()
    for stream in (running, waiting):
        list(stream)
        assert stream.finish_reason == "cancelled"
    with pytest.raises(RuntimeError, match="closed"):
        engine.submit(greedy([1], 1))
    with pytest.raises(RuntimeError, match="closed"):
        engine.score([[1, 2]])
    engine.close()  # twice is fine


def test_an_engine_nobody_holds_is_closed(llama: PreTrainedModel) -> None:
    before = set(threading.enumerate())

    def tokens() -> list[int]:
        stream = TorchEngine(llama).submit(greedy([1, 2, 3], 5))  # the stream keeps its engine alive
        gc.collect()
        return [token.id for token in stream]

    assert len(tokens()) == 5
    deadline = time.monotonic() + 60
    while any(thread.name == "langwright-engine" for thread in set(threading.enumerate()) - before):
        gc.collect()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_process_ends_though_its_engine_was_never_closed() -> None:
    script = (
        "from transformers import GPT2Config, GPT2LMHeadModel\n"
        "from langwright.inference.engine import TorchEngine\n"
        "from langwright.inference.protocol import Request, Sampling\n"
        "model = GPT2LMHeadModel(GPT2Config(vocab_size=50, n_embd=16, n_layer=1, n_head=2, n_positions=4096))\n"
        "engine = TorchEngine(model)\n"
        "stream = engine.submit(Request([1], Sampling(max_new_tokens=4000)))\n"
        "print(next(iter(stream)).id >= 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "True\n"), done.stderr


# --- places ------------------------------------------------------------------------------------


@pytest.mark.parametrize("best", TIERS)
def test_more_requests_than_places_all_finish(
    model: PreTrainedModel, engine_of: EngineOf, gate_of: GateOf, best: str
) -> None:
    engine, gate = engine_of(model, max_batch=3, best_tier=best), gate_of(model)
    prompts = prompts_of(tuple(range(1, 21)), seed=2)
    found = engine.generate([greedy(prompt, 1 + number % 7) for number, prompt in enumerate(prompts)])
    if best == "padded":
        assert max(rows for rows, _ in gate.shapes) == 3
    gate.remove()
    for number, (prompt, done) in enumerate(zip(prompts, found, strict=True)):
        assert done.ids == reference(model, prompt, 1 + number % 7)


def test_positions_of_all_running_requests_are_bounded(
    llama: PreTrainedModel, engine_of: EngineOf, gate_of: GateOf
) -> None:
    engine, gate = engine_of(llama, max_batch=8, max_tokens=100, best_tier="padded"), gate_of(llama)
    requests = [greedy(prompt, 20) for prompt in prompts_of((5, 5, 5, 5, 5, 5))]  # 25 positions each
    found = engine.generate(requests)
    assert max(rows for rows, _ in gate.shapes) == 4
    assert all(len(done.ids) == 20 for done in found)


def test_a_token_limit_below_the_context_is_refused(llama: PreTrainedModel) -> None:
    with pytest.raises(UserError, match=rf"max_tokens is 50.*{CONTEXT}"):
        TorchEngine(llama, max_tokens=50)
    assert TorchEngine(llama, max_tokens=50, context=50).context == 50


def test_urgent_requests_go_first_and_nobody_starves(
    llama: PreTrainedModel, engine_of: EngineOf, gate_of: GateOf
) -> None:
    engine, gate = engine_of(llama, max_batch=1), gate_of(llama)
    gate.shut()
    blocker = engine.submit(greedy([1], 2))
    gate.wait_for(1)
    patient = engine.submit(greedy([2], 1, priority=-1))
    urgent = [engine.submit(greedy([3] * (number + 2), 1, priority=5)) for number in range(8)]
    gate.open()
    for stream in (blocker, patient, *urgent):
        list(stream)
    order = [columns for _, columns in gate.shapes[2:]]  # prompt lengths, after the blocker's prefill and step
    assert order == [2, 3, 1, 4, 5, 6, 7, 8, 9]  # the fourth place in all went to the one that had waited longest


def test_a_long_score_does_not_stop_the_streams(
    llama: PreTrainedModel, engine_of: EngineOf, gate_of: GateOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("langwright.inference.scoring.likelihood.MOST_POSITIONS", 40)
    engine, gate = engine_of(llama), gate_of(llama)
    gate.shut()
    stream = engine.submit(greedy([1, 2, 3], 10))
    gate.wait_for(1)
    scores: list[list[list[float]]] = []
    rows = prompts_of((30,) * 12)
    scorer = threading.Thread(target=lambda: scores.append(engine.score(rows)))
    scorer.start()
    gate.let(3)
    gate.wait_for(4)
    gate.open()
    assert len(list(stream)) == 10
    scorer.join(20)
    assert len(scores[0]) == 12
    kinds = ["step" if columns == 1 else "score" for _, columns in gate.shapes[1:]]
    assert "score" in kinds[: kinds.index("step") + 3]
    assert kinds != sorted(kinds)  # neither waited for all of the other


@pytest.mark.spec("C8", "the same asked for twice at a time is computed once, and each reader has the whole of it")
@pytest.mark.parametrize("best", TIERS)
def test_what_is_asked_for_twice_is_made_once(
    llama: PreTrainedModel, engine_of: EngineOf, gate_of: GateOf, best: str
) -> None:
    prompt = prompts_of((6,))[0]
    expected = reference(llama, prompt, 20)
    engine, gate = engine_of(llama, max_batch=1, best_tier=best), gate_of(llama)
    gate.shut()
    first = engine.submit(greedy(prompt, 20))
    gate.let(4)
    gate.wait_for(5)
    second, third = engine.submit(greedy(prompt, 20)), engine.submit(greedy(prompt, 20, deadline_s=60))
    drawn = [Sampling(temperature=1.0, max_new_tokens=20, seed=seed) for seed in (3, 3, None)]
    fourth, fifth, free = (engine.submit(Request(prompt, sampling)) for sampling in drawn)
    gate.let(2)
    gate.wait_for(7)
    first.cancel()  # whoever came first may go
    gate.open()
    assert [token.id for token in second] == [token.id for token in third] == expected
    assert second.finish_reason == "length"
    assert [token.id for token in fourth] == [token.id for token in fifth]
    assert len(list(free)) == 20
    assert len(gate.shapes) == 3 * 20


def test_the_line_has_an_end(llama: PreTrainedModel, engine_of: EngineOf, gate_of: GateOf) -> None:
    engine, gate = engine_of(llama, max_batch=1, max_waiting=2), gate_of(llama)
    gate.shut()
    prompts = prompts_of((3, 4, 5, 6))
    running = engine.submit(greedy(prompts[0], 3))
    gate.wait_for(1)
    waiting = [engine.submit(greedy(prompt, 3)) for prompt in prompts[1:3]]
    with pytest.raises(QueueFull, match="2 requests wait already"):
        engine.submit(greedy(prompts[3], 3))
    gate.open()
    assert [len(list(stream)) for stream in (running, *waiting)] == [3, 3, 3]
    assert len(list(engine.submit(greedy(prompts[3], 3)))) == 3


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_when_the_thread_dies_everyone_is_told(
    llama: PreTrainedModel, engine_of: EngineOf, gate_of: GateOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, gate = engine_of(llama, max_batch=1), gate_of(llama)
    gate.shut()
    prompts = prompts_of((3, 4))
    streams = [engine.submit(greedy(prompt, 30)) for prompt in prompts]
    gate.wait_for(1)
    failed: list[BaseException] = []

    def score() -> None:
        try:
            engine.score(prompts)
        except EngineDied as error:
            failed.append(error)

    scorer = threading.Thread(target=score)
    scorer.start()
    while not engine._worker._jobs:
        time.sleep(0.001)
    assert engine.alive

    def struck(*_: object) -> None:
        raise MemoryError("the lightning struck")

    monkeypatch.setattr(engine._worker, "_turn", struck)
    gate.open()
    for stream in streams:
        with pytest.raises(EngineDied):
            list(stream)
        assert stream.finish_reason is None
    scorer.join(10)
    assert len(failed) == 1
    assert not engine.alive
    with pytest.raises(EngineDied):
        engine.submit(greedy(prompts[0], 3))


# --- the model ---------------------------------------------------------------------------------


def start_loading(engine: TorchEngine, model: PreTrainedModel) -> threading.Thread:
    """A thread that waits for its turn to exchange the model."""
    loader = threading.Thread(target=engine.load, args=(model,))
    loader.start()
    deadline = time.monotonic() + 20
    while not engine._worker._jobs:
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return loader


def test_loading_other_weights_between_requests(engine_of: EngineOf, gate_of: GateOf) -> None:
    old, new = random_model(LLAMA, seed=1), random_model(LLAMA, seed=2)
    engine, gate, (prompt, other) = engine_of(old, max_batch=1), gate_of(old), prompts_of((5, 8))
    gate.shut()
    running, waiting = engine.submit(greedy(prompt, 6)), engine.submit(greedy(other, 6))
    gate.wait_for(1)
    loader = start_loading(engine, new)
    gate.open()
    ids = [[token.id for token in stream] for stream in (running, waiting)]
    loader.join(10)
    gate.remove()
    assert ids == [reference(old, prompt, 6), reference(new, other, 6)]


def test_nobody_joins_before_a_model_is_exchanged(engine_of: EngineOf, gate_of: GateOf) -> None:
    """Else a steady flow of requests would keep the old model for ever."""
    old, new = random_model(LLAMA, seed=1), random_model(LLAMA, seed=2)
    engine, gate, prompt = engine_of(old, max_batch=4), gate_of(old), prompts_of((5,))[0]
    gate.shut()
    running = engine.submit(greedy(prompt, 20))
    gate.wait_for(1)
    loader = start_loading(engine, new)
    later = engine.submit(greedy(prompt, 6))  # there is a place for it, and it must not have it yet
    gate.open()
    ids = [[token.id for token in stream] for stream in (running, later)]
    loader.join(10)
    gate.remove()
    assert ids == [reference(old, prompt, 20), reference(new, prompt, 6)]


def test_an_adapter_beside_the_weights(engine_of: EngineOf) -> None:
    from langwright.models.adapter_settings import Lora
    from langwright.models.adapters import add_adapter

    model = add_adapter(random_model(LLAMA), Lora(rank=4))
    torch.manual_seed(3)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.3)
    engine, prompts = engine_of(model, max_batch=2), prompts_of((5, 20, 9))
    plain = random_model(LLAMA)
    for prompt, done in zip(prompts, engine.generate([greedy(prompt, 12) for prompt in prompts]), strict=True):
        assert done.ids == reference(model, prompt, 12) != reference(plain, prompt, 12)


@pytest.mark.parametrize("config", [LLAMA, GPT2], ids=["llama", "gpt2"])
@pytest.mark.parametrize("kind", ["prefix", "prompt"])
def test_an_adapter_before_the_text(engine_of: EngineOf, config: PretrainedConfig, kind: str) -> None:
    """Virtual tokens stand before every row, whenever it joins; each step is compared with reading all again."""
    from langwright.models.adapter_settings import Prefix, Prompt
    from langwright.models.adapters import add_adapter

    model = add_adapter(random_model(config), Prefix(length=5) if kind == "prefix" else Prompt(length=5)).eval()
    torch.manual_seed(3)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.normal_(std=0.5)

    def again(prompt: list[int], count: int) -> list[int]:
        ids = list(prompt)
        for _ in range(count):
            ids.append(int(model(input_ids=torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
        return ids[len(prompt) :]

    engine, prompts = engine_of(model, max_batch=2), prompts_of((5, 20, 9))
    assert engine.context == CONTEXT - 5
    with torch.no_grad():
        for prompt, done in zip(prompts, engine.generate([greedy(p, 12) for p in prompts]), strict=True):
            assert list(done.ids) == again(prompt, 12)
        expected = model(input_ids=torch.tensor([prompts[1]])).logits[0].log_softmax(-1)
    found = engine.score(prompts)[1]
    assert found == pytest.approx([float(expected[i, token]) for i, token in enumerate(prompts[1][1:])], abs=1e-3)
    assert [len(states) for states in engine.encode(prompts)] == [5, 20, 9]
    plain = random_model(config)
    assert any(again(prompt, 12) != list(reference(plain, prompt, 12)) for prompt in prompts)


def test_a_prompt_that_no_longer_fits_after_loading(engine_of: EngineOf, gate_of: GateOf) -> None:
    short = random_model(GPT2.__class__(**{**GPT2.to_dict(), "n_positions": 16}))
    long = random_model(GPT2)
    engine, gate = engine_of(long, max_batch=1), gate_of(long)
    gate.shut()
    running, waiting = engine.submit(greedy([1, 2], 3)), engine.submit(greedy([1] * 40, 3))
    gate.wait_for(1)
    loader = start_loading(engine, short)
    gate.open()
    assert len(list(running)) == 3
    loader.join(10)
    with pytest.raises(UserError, match="40 tokens"):
        list(waiting)
    assert engine.context == 16


def test_weights_changed_in_place_are_used_for_the_next_request(engine_of: EngineOf) -> None:
    model = random_model(LLAMA)
    engine, prompt = engine_of(model), prompts_of((5,))[0]
    before = engine.generate([greedy(prompt, 10)])[0].ids
    with torch.no_grad():
        model.lm_head.weight.copy_(random_model(LLAMA, seed=9).lm_head.weight)
    engine.load(model)
    assert engine.generate([greedy(prompt, 10)])[0].ids == reference(model, prompt, 10) != before


def test_the_model_is_given_back_as_it_was() -> None:
    model = random_model(LLAMA).train()
    engine = TorchEngine(model)
    assert not model.training
    engine.load(model)
    engine.generate([greedy([1, 2], 3)])
    engine.close()
    assert model.training
    loss = model(torch.tensor([[1, 2, 3]]), labels=torch.tensor([[1, 2, 3]])).loss
    loss.backward()  # nothing that inference left behind stands in the way
    assert model.lm_head.weight.grad is not None


def test_models_that_cannot_write_say_so(engine_of: EngineOf) -> None:
    from transformers import BertConfig, BertModel

    bert = BertModel(
        BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    )
    with pytest.raises(UserError, match="models of type bert do not write"):
        engine_of(bert).submit(greedy([1], 1))


def test_a_model_that_does_not_say_how_long_its_context_is(engine_of: EngineOf) -> None:
    from transformers import MambaConfig, MambaForCausalLM

    mamba = MambaForCausalLM(MambaConfig(vocab_size=50, hidden_size=16, num_hidden_layers=1))
    with pytest.raises(UserError, match="how long its context"):
        engine_of(mamba)
    assert len(engine_of(mamba, context=64).generate([greedy([1], 1)])[0].ids) == 1


# --- several engines on one model ----------------------------------------------------------------


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("preparation", [Preparation(strict=True), Preparation("int8", rows=()), Preparation()])
def test_two_engines_on_one_model_share_what_was_made_of_it(
    engine_of: EngineOf, preparation: Preparation, first: int
) -> None:
    model = random_model(LLAMA).train()
    before = {name: id(module) for name, module in model.named_modules()}
    request = Request(prompts_of((9,))[0], Sampling(max_new_tokens=8))
    engines = [engine_of(model, preparation=preparation) for _ in range(2)]
    expected = engines[0].generate([request])[0].tokens
    assert engines[0].report == engines[1].report
    assert engines[0].tier == engines[1].tier  # in other numbers than those it was found in, it might be another
    engines[first].close()
    assert engines[1 - first].generate([request])[0].tokens == expected  # nothing was taken from under it
    assert not model.training
    engines[1 - first].close()
    assert {name: id(module) for name, module in model.named_modules()} == before
    assert model.training


def test_two_engines_on_one_model_take_turns(engine_of: EngineOf) -> None:
    """Together they write what each writes alone; without turns one runs the other's attention and fails."""
    model = random_model(LLAMA)
    asked = [[greedy(prompt, 40) for prompt in prompts_of((5, 9, 3), seed)] for seed in range(2)]
    expected = [[reference(model, list(request.prompt), 40) for request in requests] for requests in asked]
    engines = [engine_of(model, best_tier=best) for best in ("packed", "padded")]
    streams = [[engine.submit(one) for one in requests] for engine, requests in zip(engines, asked, strict=True)]
    assert [[[token.id for token in stream] for stream in several] for several in streams] == expected


def test_a_model_at_work_in_other_numbers_is_refused_and_left_alone(engine_of: EngineOf) -> None:
    model, request = random_model(LLAMA), Request(prompts_of((9,))[0], Sampling(max_new_tokens=8))
    engine = engine_of(model, preparation=Preparation("int8", rows=()))
    expected = engine.generate([request])[0].tokens
    for other in (Preparation(), Preparation("bfloat16"), Preparation("int8", strict=True, rows=())):
        with pytest.raises(UserError, match="in other numbers"):
            engine_of(model, preparation=other)
    assert engine.generate([request])[0].tokens == expected
    twin = engine_of(model, preparation=Preparation("int8", rows=()))
    with pytest.raises(UserError, match="what was made of its weights"):
        engine.load(model)
    assert engine.generate([request])[0].tokens == expected
    twin.close()
    engine.load(model)
    assert engine.generate([request])[0].tokens == expected


# --- what others wrote ---------------------------------------------------------------------------


class Broken:
    """A constraint, guide and watermark that says nothing, until it breaks at one of its methods."""

    kind = "broken"

    def __init__(self, at: str) -> None:
        self.at = at

    def struck(self, where: str) -> None:
        if where == self.at:
            raise ZeroDivisionError(where)

    def start(self, *_: object) -> Broken:
        if self.at == "start":
            self.struck("start")
        return self

    def allowed(self) -> Any:
        self.struck("allowed")
        return np.ones(VOCAB, dtype=bool)

    def after(self, id: int) -> Broken:
        self.struck("after")
        return self

    @property
    def ended(self) -> None:
        self.struck("ended")

    def steered(self, logits_V: torch.Tensor) -> torch.Tensor:
        self.struck("steered")
        return logits_V

    def marked(self, logits_V: torch.Tensor, ids: Sequence[int], begin: int) -> torch.Tensor:
        self.struck("marked")
        return logits_V


@pytest.mark.spec(
    "C8", "whatever a constraint, guide or watermark raises ends its own request, and its neighbours go on"
)
@pytest.mark.parametrize("best", ["packed", "padded", "single"])
@pytest.mark.parametrize(
    ("field", "at"),
    [("constraint", "allowed"), ("constraint", "after"), ("constraint", "ended"), ("guide", "start"), ("guide", "steered"),
     ("guide", "after"), ("watermark", "marked")],
)  # fmt: skip
@pytest.mark.parametrize("temperature", [0.0, 0.7])
def test_what_breaks_in_one_request_harms_no_other(
    engine_of: EngineOf, llama: PreTrainedModel, best: str, field: str, at: str, temperature: float
) -> None:
    engine = engine_of(llama, max_batch=4, best_tier=best)
    sampling = Sampling(max_new_tokens=8, temperature=temperature, seed=3)
    fine = [Request(prompt, sampling) for prompt in prompts_of((4, 9, 2))]
    expected = [done.ids for done in engine.generate(fine)]
    broken = engine.submit(Request(prompts_of((6,))[0], sampling, **{field: Broken(at)}))
    streams = [engine.submit(request) for request in fine]
    with pytest.raises(EngineFailed, match=at):
        list(broken)
    assert [[token.id for token in stream] for stream in streams] == expected


@pytest.mark.parametrize("search", [Beams(width=2), Contrastive(top_k=2)])
@pytest.mark.parametrize(("field", "at"), [("constraint", "allowed"), ("guide", "steered"), ("constraint", "after")])
def test_what_breaks_in_a_search_is_raised_there(
    engine_of: EngineOf, llama: PreTrainedModel, search: Search, field: str, at: str
) -> None:
    engine = engine_of(llama)
    request = Request(prompts_of((6,))[0], Sampling(max_new_tokens=4), **{field: Broken(at)})
    with pytest.raises(ZeroDivisionError, match=at):
        engine.search(request, search)
    assert len(engine.generate([greedy([1, 2], 3)])[0].ids) == 3


def test_what_stands_beside_a_shorter_text_is_the_models_own_padding() -> None:
    model = random_model(type(LLAMA)(**{**LLAMA.to_dict(), "pad_token_id": 7}))
    seen: list[list[list[int]]] = []

    def note(module: torch.nn.Module, given: Any, named: dict[str, torch.Tensor]) -> None:
        seen.append(named["input_ids"].tolist())

    handle = model.register_forward_pre_hook(note, with_kwargs=True)
    with torch.inference_mode():
        Forward(model).read([[8, 9, 8], [9]])
    score_group(model, [[8, 9, 8, 9], [9, 8]], most=100)
    handle.remove()
    assert seen == [[[8, 9, 8], [7, 7, 9]], [[8, 9, 8], [9, 7, 7]]]


@pytest.mark.parametrize("precision", ["bfloat16", "int8"])
def test_a_model_whose_numbers_are_changed_is_given_back(engine_of: EngineOf, precision: Precision) -> None:
    model, other = random_model(LLAMA), random_model(LLAMA, seed=2)
    before = dict(model.state_dict(keep_vars=True))
    engine = engine_of(model, preparation=Preparation(precision, rows=()))
    assert engine.report is not None
    assert set(engine.report.counts()) <= {"packed", "int8"}
    request = Request(prompts_of((9,))[0], Sampling(max_new_tokens=5))
    first = engine.generate([request])[0].ids
    engine.load(other)
    assert {name: id(w) for name, w in model.state_dict(keep_vars=True).items()} == {
        n: id(w) for n, w in before.items()
    }
    assert engine.generate([request])[0].ids != first
    engine.load(model)
    with torch.no_grad():
        for weight in before.values():
            weight.mul_(-1.0)
    assert engine.generate([request])[0].ids == first
    engine.load(model)  # the same model, after its weights were changed
    assert engine.generate([request])[0].ids != first
