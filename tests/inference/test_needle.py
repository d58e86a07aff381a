"""A needle among fillers: strictly a request gives the bits that it gives alone, whatever else runs and however it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from tests.inference.guessing.test_speculation import near
from tests.inference.needle import APART, CONTEXT, PACKED, Answer, among, answer, needle_model, needle_request
from tests.inference.running.test_lora import saved
from tests.inference.tiny import NO_SPECIAL, VOCAB, Gate, random_model
from transformers import PreTrainedModel

from langwright.inference.engine import TorchEngine
from langwright.inference.precision import Precision, Preparation
from langwright.inference.protocol import DraftModel, PromptLookup, Request, Sampling
from langwright.inference.running import packed
from langwright.inference.running.rows import Row
from langwright.models.adapter_settings import Lora

EXACT: tuple[Precision, ...] = ("float32", "bfloat16", "int8")
FILLERS = 64
PLACES = 24  # fewer than there are fillers, so that they join and leave while the needle is written
EngineOf = Callable[..., TorchEngine]

SOME = ("llama", "gemma2, soft caps and windows", "mixtral, experts")
"""Plain attention; windows, soft caps and a function over the logits; experts and a router."""
SEVERAL = (
    *SOME, "gpt2", "qwen3", "mistral with a window", "gpt-oss, sinks", "deepseek, latent attention", "neox, partly rotated",
    "opt, offset positions",
)  # fmt: skip


@pytest.fixture
def strict_engine(engine_of: EngineOf) -> EngineOf:
    """`strict_engine(model, precision, …)`; every layer in that precision, since nothing is measured."""

    def make(model: PreTrainedModel, precision: Precision = "float32", **options: Any) -> TorchEngine:
        preparation = Preparation(precision, strict=True, rows=())
        return engine_of(model, **{"max_batch": PLACES, "context": CONTEXT, "preparation": preparation, **options})

    return make


def alone(engine: TorchEngine, request: Request) -> Answer:
    """What a request gives with nobody beside it."""
    return answer(engine.submit(request))


@pytest.mark.spec(
    "C8", "strictly a request gives the same bits alone and among 64 others, 26 architectures, three precisions"
)
@pytest.mark.parametrize("precision", EXACT)
@pytest.mark.parametrize("name", PACKED)
def test_a_needle_is_the_same_bit_for_bit(name: str, precision: Precision, strict_engine: EngineOf) -> None:
    check_needle(name, precision, strict_engine, trials=3)


@pytest.mark.heavy
@pytest.mark.spec("C8", "the same in 50 trials each")
@pytest.mark.parametrize("precision", EXACT)
@pytest.mark.parametrize("name", PACKED)
def test_a_needle_is_the_same_in_fifty_trials(name: str, precision: Precision, strict_engine: EngineOf) -> None:
    check_needle(name, precision, strict_engine, trials=50)


def check_needle(name: str, precision: Precision, strict_engine: EngineOf, trials: int) -> None:
    """A request that samples, alone and at a random place among fillers."""
    engine = strict_engine(needle_model(name), precision)
    assert engine.tier is not None
    assert engine.tier.name == "packed", engine.tier.reason()
    request = needle_request()
    expected = alone(engine, request)
    assert len(set(expected.ids)) > 1
    for trial in range(trials):
        assert among(engine, request, FILLERS, trial) == expected, trial


@pytest.mark.parametrize("precision", EXACT)
@pytest.mark.parametrize("name", APART)
def test_models_that_cannot_be_packed_run_alone_and_say_so(
    name: str, precision: Precision, strict_engine: EngineOf
) -> None:
    engine = strict_engine(needle_model(name), precision)
    assert engine.tier is not None
    assert engine.tier.name == "single"
    assert engine.tier.reason()
    request = needle_request(new=5)
    assert among(engine, request, 12, 0) == alone(engine, request)


@pytest.mark.parametrize("name", PACKED)
def test_without_strict_a_needle_is_nearly_the_same(name: str, engine_of: EngineOf) -> None:
    engine = engine_of(needle_model(name), max_batch=PLACES, context=CONTEXT)
    request = needle_request()
    expected, found = alone(engine, request), among(engine, request, FILLERS, 0)
    assert found.ids == expected.ids
    assert found.logprobs == pytest.approx(expected.logprobs, abs=1e-4)


# --- layers as wide as real ones -----------------------------------------------------------------


@pytest.fixture(scope="module")
def wide() -> PreTrainedModel:
    """A model with layers 1,024 wide."""
    config = transformers.LlamaConfig(
        vocab_size=VOCAB, hidden_size=1024, intermediate_size=1536, num_hidden_layers=2, num_attention_heads=8,
        num_key_value_heads=2, max_position_embeddings=CONTEXT, **NO_SPECIAL,
    )  # fmt: skip
    return random_model(config, scale=2.0)


@pytest.mark.parametrize("precision", EXACT)
def test_a_needle_in_wide_layers_is_the_same(
    wide: PreTrainedModel, precision: Precision, strict_engine: EngineOf
) -> None:
    engine = strict_engine(wide, precision)
    request = needle_request(new=6)
    expected = alone(engine, request)
    for trial in range(2):
        assert among(engine, request, 24, trial) == expected


def test_without_strict_a_needle_in_wide_layers_is_not(wide: PreTrainedModel, engine_of: EngineOf) -> None:
    """The test of the tests: what strict prevents is there, and they would find it."""
    engine = engine_of(wide, max_batch=PLACES, context=CONTEXT)
    request = needle_request(new=6)
    expected, found = alone(engine, request), among(engine, request, 24, 0)
    assert found != expected
    assert found.logprobs == pytest.approx(expected.logprobs, abs=1e-4)


@pytest.mark.heavy
def test_several_threads_make_no_difference_between_neighbours(wide: PreTrainedModel, strict_engine: EngineOf) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for model, precision in ((wide, "float32"), (needle_model("mixtral, experts"), "float32"), (wide, "bfloat16")):
            engine = strict_engine(model, precision)
            request = needle_request(new=6)
            assert among(engine, request, 24, 1) == alone(engine, request)
            engine.close()
    finally:
        torch.set_num_threads(before)


# --- however it is read --------------------------------------------------------------------------


@pytest.fixture(
    params=[(name, precision) for name in SOME for precision in EXACT], ids=lambda pair: f"{pair[0]}, {pair[1]}"
)
def kind(request: pytest.FixtureRequest) -> Iterator[tuple[PreTrainedModel, Precision]]:
    name, precision = request.param
    yield needle_model(name), precision


def test_in_whatever_pieces_a_prompt_is_read(
    kind: tuple[PreTrainedModel, Precision], strict_engine: EngineOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = needle_request(length=200, new=6)
    whole = strict_engine(*kind, prefix_bytes=0)
    expected = alone(whole, request)
    whole.close()
    monkeypatch.setattr(packed, "STEP_TOKENS", 80)  # so that it takes several steps, and neighbours change how many
    pieces: list[int] = []
    read = packed.Plan.read

    def noted(plan: packed.Plan, row: Row, end: int, most: int | None) -> None:
        if len(row.request.prompt) == 200:
            pieces.append(end)
        read(plan, row, end, most)

    monkeypatch.setattr(packed.Plan, "read", noted)
    engine = strict_engine(*kind, prefix_bytes=0)
    for trial in range(2):
        assert among(engine, request, 24, trial, longest=200) == expected
    assert len(pieces) > 2
    assert pieces[-1] == 200


def test_whether_its_beginning_is_known(kind: tuple[PreTrainedModel, Precision], strict_engine: EngineOf) -> None:
    request = needle_request(length=200, new=6)
    forgetful = strict_engine(*kind, prefix_bytes=0)
    expected = alone(forgetful, request)
    forgetful.close()
    engine = strict_engine(*kind)
    copied: list[int] = []
    for other in (
        Request([*request.prompt[:150], 1, 2, 3], request.sampling),  # two blocks and a part of the next are the same
        request,
        Request([*request.prompt, 5], request.sampling),
        request,
    ):
        found = alone(engine, other)
        copied.append(found == expected)
        among(engine, needle_request(length=30, seed=1), 8, len(copied))
    assert copied == [False, True, False, True]


def test_whether_it_had_to_give_back_its_place(
    kind: tuple[PreTrainedModel, Precision], strict_engine: EngineOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    returned: list[Row] = []
    make_room = packed.PackedRunner._make_room

    def noted(runner: packed.PackedRunner) -> list[Row]:
        back = make_room(runner)
        returned.extend(back)
        return back

    monkeypatch.setattr(packed.PackedRunner, "_make_room", noted)
    request = needle_request(length=50, new=30)
    engine = strict_engine(*kind, max_tokens=CONTEXT)
    expected = alone(engine, request)
    assert not returned
    others = [engine.submit(needle_request(length=40, new=60, seed=seed)) for seed in range(3)]
    found = answer(engine.submit(request))
    for other in others:
        other.cancel()
    assert any(row.request is request for row in returned)
    assert found == expected


@pytest.mark.parametrize("precision", EXACT)
def test_among_rows_of_its_adapter_and_of_another(
    precision: Precision, strict_engine: EngineOf, tmp_path: Path
) -> None:
    model = needle_model("llama")
    folders = {name: saved(model, tmp_path, name, Lora(rank=2), seed) for seed, name in enumerate(("one", "two"))}
    engine = strict_engine(model, precision)
    for name, folder in folders.items():
        engine.load_adapter(name, folder)
    plain = needle_request()
    request = replace(plain, adapter="one")
    expected = alone(engine, request)
    assert expected != alone(engine, plain)
    others = [replace(needle_request(length=5 + n), adapter=("one", "two", None)[n % 3]) for n in range(23)]
    streams = [engine.submit(other) for other in others]
    assert answer(engine.submit(request)) == expected
    for stream in streams:
        stream.cancel()


# --- guesses -------------------------------------------------------------------------------------


@pytest.fixture(
    params=[(name, precision) for name in SEVERAL for precision in EXACT], ids=lambda pair: f"{pair[0]}, {pair[1]}"
)
def more(request: pytest.FixtureRequest) -> Iterator[tuple[PreTrainedModel, Precision]]:
    name, precision = request.param
    yield needle_model(name), precision


@pytest.mark.spec(
    "C8", "strictly guesses, by lookup or by a smaller model, change no bit: 10 architectures, three precisions"
)
@pytest.mark.parametrize("by", ["lookup", "draft"])
def test_whether_it_is_guessed(more: tuple[PreTrainedModel, Precision], by: str, strict_engine: EngineOf) -> None:
    model, precision = more
    part = needle_request(length=9, seed=2).prompt
    sampling = Sampling(max_new_tokens=24, temperature=0.2, seed=5)
    requests = [Request([*part, *part, *part[:4]], sampling), Request([*part, 3, *part], sampling)]
    plain = strict_engine(model, precision)
    expected = [alone(plain, request) for request in requests]
    plain.close()
    options: dict[str, Any] = {"speculation": PromptLookup()}
    if by == "draft":
        options = {"speculation": DraftModel(model="draft", most=4), "draft": near(model, 0.02)}
    engine = strict_engine(model, precision, **options)
    assert [alone(engine, request) for request in requests] == expected
    assert [among(engine, request, 10, trial) for trial, request in enumerate(requests)] == expected
    assert engine.guessed.made > 0
    assert engine.guessed.kept > 0 or by == "lookup"


# --- cancelled neighbours ------------------------------------------------------------------------


@pytest.mark.spec("C8", "strictly a neighbour that is cancelled, wherever it stands, changes no bit: 10 architectures")
@pytest.mark.parametrize("leaves", ["who asked first", "who asked the same"])
def test_whoever_beside_it_is_cancelled(
    more: tuple[PreTrainedModel, Precision],
    leaves: str,
    strict_engine: EngineOf,
    gate_of: Callable[[PreTrainedModel], Gate],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Cancelled are one whose reading it waits for, one that shares its row, one beside it on its shelf, one that waits."""
    model, precision = more
    request = needle_request(length=150, new=12)
    quiet = strict_engine(model, precision, prefix_bytes=0)
    expected = alone(quiet, request)
    quiet.close()
    monkeypatch.setattr(packed, "STEP_TOKENS", 80)  # so that reading takes several steps
    engine = strict_engine(model, precision, max_batch=6)
    gate = gate_of(model)
    gate.shut()
    reader = engine.submit(Request([*request.prompt[:140], 1, 2], request.sampling))  # its first blocks are the same
    pair = [engine.submit(request) for _ in range(2)]  # one row
    fork = engine.submit(replace(request, sampling=request.sampling.model_copy(update={"seed": 6})))
    fillers = [engine.submit(needle_request(length=140 + n, new=40, seed=n)) for n in range(6)]
    gate.wait_for(1)
    gate.let(1)  # the reader has read a piece
    gate.wait_for(2)
    reader.cancel()
    gate.let(2)
    gate.wait_for(4)
    gone, stays = pair if leaves == "who asked first" else reversed(pair)
    gone.cancel()
    fork.cancel()
    fillers[-1].cancel()
    tokens = []
    for filler in fillers[:-1]:
        gate.let(3)
        gate.wait_for(len(gate.shapes) + 1)
        filler.cancel()
    gate.open()
    tokens += stays
    assert Answer(tuple(token.id for token in tokens), tuple(token.logprob for token in tokens)) == expected


# --- scores --------------------------------------------------------------------------------------


@pytest.mark.spec(
    "C8", "strictly scores of a text are the same bits beside others, from kept beginnings, and among requests"
)
def test_a_score_is_the_same_bit_for_bit(more: tuple[PreTrainedModel, Precision], strict_engine: EngineOf) -> None:
    model, precision = more
    text = needle_request(length=200).prompt
    rows = [text[:length] for length in (200, 64, 65, 66, 130)] + [[*text[:128], *text[:60]], text[100:], text[:2]]
    forgetful = strict_engine(model, precision, prefix_bytes=0)
    expected = [forgetful.score([row])[0] for row in rows]
    forgetful.close()
    engine = strict_engine(model, precision)
    assert engine.score(rows) == expected
    assert engine.score(rows[::-1]) == expected[::-1]  # the beginnings are kept now
    assert [judgement[0] for judgement in engine.judge(rows[:1])[0]] == expected[0]
    other = strict_engine(model, precision)
    among(other, Request(text, Sampling(max_new_tokens=3)), 8, 0)  # blocks that a request has made
    assert other.score(rows) == expected
    request = needle_request(length=200, new=6)
    assert alone(other, request) == alone(engine, request)  # and a request goes on from blocks that scores have made


@pytest.mark.parametrize("name", APART)
def test_outside_the_packed_tier_texts_are_scored_one_by_one(name: str, strict_engine: EngineOf) -> None:
    engine = strict_engine(needle_model(name))
    rows = [needle_request(length=length).prompt for length in (40, 9, 23)]
    assert engine.score(rows) == [engine.score([row])[0] for row in rows]


def test_without_strict_a_score_is_not(wide: PreTrainedModel, engine_of: EngineOf) -> None:
    """The test of the test: what stands beside a text shows in the last bits."""
    engine = engine_of(wide, context=CONTEXT)
    rows = [needle_request(length=length).prompt for length in (90, 40, 23)]
    found, expected = engine.score(rows), [engine.score([row])[0] for row in rows]
    assert found != expected
    assert [value for row in found for value in row] == pytest.approx(
        [value for row in expected for value in row], abs=1e-4
    )
