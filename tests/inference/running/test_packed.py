"""Who is read when, what is not read twice, who gives back a place; driven by hand, without a thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.inference.tiny import LLAMA, prompts_of, random_model, reference
from transformers import LlamaConfig, PreTrainedModel

from langwright.inference.kernels.preparing import prepared
from langwright.inference.memory.prefixes import BLOCK, PrefixStore, names_of
from langwright.inference.memory.shelves import Heads, Layout, Loose, Slot
from langwright.inference.precision import Preparation
from langwright.inference.protocol import Request, Sampling
from langwright.inference.running import packed as module
from langwright.inference.running.packed import PackedRunner
from langwright.inference.running.rows import Reader, Row
from langwright.inference.running.streams import QueuedStream
from langwright.inference.running.tiers import find_tier

CONTEXT = 320
LONG = LlamaConfig(**{**LLAMA.to_dict(), "max_position_embeddings": CONTEXT})


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return random_model(LONG, scale=9.0)


class Driver:
    """A runner, the line before it, and how many tokens it read in each step."""

    def __init__(self, model: PreTrainedModel, max_rows: int = 8, max_tokens: int = 4096, **options: Any) -> None:
        layout = find_tier(model).layout
        assert layout is not None
        self.runner = PackedRunner(model, layout, CONTEXT, max_rows, max_tokens, **options)
        self.line: deque[Row] = deque()
        self.returned: list[Row] = []
        self.steps: list[int] = []
        forward = self.runner.forward

        def counted(plan: module.Plan) -> torch.Tensor:
            self.steps.append(len(plan.ids))
            return forward(plan)

        counted.device = forward.device  # type: ignore[attr-defined]
        self.runner.forward = counted  # type: ignore[assignment]

    def add(self, prompt: list[int], new: int = 8, seed: int = 0, **options: Any) -> Row:
        sampling = Sampling(max_new_tokens=new, **options)
        row = Row(Request(prompt, sampling), [Reader(QueuedStream(seed, lambda: None))])
        assert row.settle(CONTEXT)
        self.line.append(row)
        return row

    @torch.inference_mode()
    def step(self) -> None:
        joining: list[Row] = []
        while self.line and self.runner.fits(self.line[0], joining):
            joining.append(self.line.popleft())
        self.runner.admit(joining)
        self.runner.drop_ended()
        if self.runner.rows:
            back = self.runner.step()
            self.returned += back
            self.line.extendleft(reversed(back))
        self.check()

    def drain(self, most: int = 2000) -> None:
        while self.line or self.runner.rows:
            self.step()
            most -= 1
            assert most, "it never ends"

    def check(self) -> None:
        runner = self.runner
        assert len(runner.rows) <= runner.max_rows
        assert runner.used <= runner.max_tokens
        assert set(runner.reading) <= set(runner.rows)
        held = [row for shelf in runner.shelves for row in shelf.rows]
        assert len(set(held)) == len(held)
        assert set(held) == {row for row in runner.rows if isinstance(row.place, Slot)}
        for row in runner.rows:
            assert row.claim >= (row.place.shelf.size if isinstance(row.place, Slot) else row.computed)
        assert len(runner.store) <= runner.store.most


def written(row: Row) -> list[int]:
    return [token.id for token in row.tokens]


def exactly(row: Row) -> list[tuple[int, float]]:
    return [(token.id, token.logprob) for token in row.tokens]


def of_length(*lengths: int, seed: int = 0) -> list[list[int]]:
    return prompts_of(lengths, seed=seed)


# --- reading -----------------------------------------------------------------------------------


@pytest.mark.spec("C8", "a long prompt is read in chunks beside rows that write, who get a token at every step")
def test_prompts_are_read_in_chunks(model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STEP_TOKENS", 32)
    driver = Driver(model)
    short, long = of_length(5, 200)
    first = driver.add(short, 40)
    driver.step()
    second = driver.add(long, 6)
    while not second.tokens:
        before = len(first.tokens)
        driver.step()
        assert len(first.tokens) == before + 1
    assert max(driver.steps) == 32
    driver.drain()
    assert [written(first), written(second)] == [reference(model, short, 40), reference(model, long, 6)]


@pytest.mark.spec("C8", "a prompt that begins like one read before is read from where they part")
def test_a_known_beginning_is_not_read_again(model: PreTrainedModel) -> None:
    driver = Driver(model)
    prompt, tail = of_length(150, 20, seed=3)
    driver.add(prompt)
    driver.drain()
    assert driver.steps[0] == 150
    for again, rest in ((prompt, 150 - 2 * BLOCK), (prompt[:140] + tail, 160 - 2 * BLOCK), (prompt[:BLOCK], BLOCK)):
        begin = len(driver.steps)
        row = driver.add(again)
        driver.drain()
        assert driver.steps[begin] == rest
        assert written(row) == reference(model, again, 8)


def test_what_was_written_is_known_too(model: PreTrainedModel) -> None:
    """The next turn of a conversation begins with all of the last one."""
    driver = Driver(model)
    prompt, question = of_length(60, 9, seed=5)
    row = driver.add(prompt, 100)
    driver.drain()
    longer = row.ids + question
    begin = len(driver.steps)
    answer = driver.add(longer)
    driver.drain()
    assert driver.steps[begin] == len(longer) - 2 * BLOCK
    assert written(answer) == reference(model, longer, 8)


def test_beginnings_that_are_being_read_are_waited_for(model: PreTrainedModel) -> None:
    driver = Driver(model)
    shared, *tails = of_length(130, 7, 9, 11, seed=4)
    rows = [driver.add(shared + tail) for tail in tails]
    driver.drain()
    assert driver.steps[0] == 137
    assert driver.steps[1] == 1 + (2 + 9) + (2 + 11)
    for row, tail in zip(rows, tails, strict=True):
        assert written(row) == reference(model, shared + tail, 8)


def test_who_waits_for_a_beginning_goes_on_when_its_reader_is_gone(
    model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STEP_TOKENS", 40)
    driver = Driver(model)
    (prompt,) = of_length(150)
    first, second = driver.add(prompt), driver.add(prompt)
    driver.step()
    assert second.place is None
    first.readers[0].stream.cancel()
    driver.drain()
    assert written(second) == reference(model, prompt, 8)


@pytest.mark.spec("C8", "several continuations of one prompt: it is read once, each is what its seed gives alone")
@pytest.mark.parametrize("length", [9, 150])
def test_one_reading_serves_all_who_ask_with_the_same_prompt(model: PreTrainedModel, length: int) -> None:
    (prompt,) = of_length(length)
    driver = Driver(model, prefix_bytes=0)
    rows = [driver.add(prompt, 12, seed, temperature=1.0) for seed in range(5)]
    driver.drain()
    assert driver.steps == [length, *[5] * 11]
    assert len({tuple(written(row)) for row in rows}) > 1
    for seed, row in enumerate(rows):
        alone = Driver(model)
        lonely = alone.add(prompt, 12, seed, temperature=1.0)
        alone.drain()
        assert written(lonely) == written(row)


# --- places ------------------------------------------------------------------------------------


@pytest.mark.spec("C8", "when memory is full a row gives back its place and goes on later; nobody is aborted")
def test_rows_give_back_their_places_and_lose_nothing(model: PreTrainedModel) -> None:
    driver = Driver(model, max_tokens=CONTEXT)
    prompts = of_length(40, 30, 50, 20, seed=7)
    rows = [driver.add(prompt, 200) for prompt in prompts]
    driver.drain()
    assert driver.returned
    assert len(set(driver.returned)) == len(driver.returned)  # each at most once
    assert rows[0] not in driver.returned
    for row, prompt in zip(rows, prompts, strict=True):
        assert written(row) == reference(model, prompt, 200)


def test_the_less_urgent_give_way_first(model: PreTrainedModel) -> None:
    driver = Driver(model, max_tokens=CONTEXT)
    rows = [driver.add(prompt, 150) for prompt in of_length(60, 60, 60)]
    for row, priority in zip(rows, (0, -1, 0), strict=True):
        object.__setattr__(row.request, "priority", priority)
    driver.drain()
    assert driver.returned[0] is rows[1]


def actions() -> st.SearchStrategy[list[tuple[str, int, int]]]:
    one = st.tuples(
        st.sampled_from(["add", "add", "same", "step", "step", "step", "cancel"]),
        st.integers(1, 200),
        st.integers(1, 90),
    )
    return st.lists(one, min_size=1, max_size=14)  # fmt: skip


@pytest.mark.spec("C8", "whatever comes, goes, grows and is cancelled: no place is shared or lost, everyone is served")
@settings(max_examples=15, deadline=None)
@given(actions=actions(), rows=st.integers(1, 4), blocks=st.integers(0, 6), budget=st.sampled_from([24, 512]))
def test_anything_may_happen(
    model: PreTrainedModel, actions: list[tuple[str, int, int]], rows: int, blocks: int, budget: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "STEP_TOKENS", budget)
        layout = find_tier(model).layout
        assert layout is not None
        driver = Driver(model, rows, 2 * CONTEXT, prefix_bytes=blocks * BLOCK * layout.position_bytes)
        asked: list[Row] = []
        for what, length, new in actions:
            if what == "add" or (what == "same" and not asked):
                asked.append(driver.add(of_length(length, seed=length)[0], new))
            elif what == "same":
                asked.append(driver.add(list(asked[-1].request.prompt), new))
            elif what == "cancel" and asked:
                asked[length % len(asked)].readers[0].stream.cancel()
            else:
                driver.step()
        driver.drain()
        assert not list(driver.runner.shelves)
        assert not driver.runner.reading
        assert driver.runner.used == 0
        for row in asked:
            expected = reference(model, list(row.request.prompt), row.limit)
            if row.readers[0].stream.finish_reason == "cancelled":
                expected = expected[: len(row.tokens)]
            assert written(row) == expected


# --- strict ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def strict_model() -> Iterator[PreTrainedModel]:
    model = random_model(LONG, scale=9.0)
    done = prepared(model, Preparation(strict=True))
    yield model
    done.release()


@pytest.mark.spec("C8", "strict: neighbours, chunks, known beginnings and a place given back do not change a bit")
def test_strict_bits_hang_on_the_request_alone(strict_model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt, *others = of_length(150, 20, 90, 200, 5, seed=2)

    def alone() -> list[tuple[int, float]]:
        driver = Driver(strict_model, strict=True)
        row = driver.add(prompt, 60)
        driver.drain()
        return exactly(row)

    expected = alone()
    assert [id for id, _ in expected] == reference(strict_model, prompt, 60)
    beside = Driver(strict_model, strict=True)
    for other in others[:2]:
        beside.add(other, 50)
    beside.step()
    row = beside.add(prompt, 60)
    for other in others[2:]:
        beside.add(other, 30)
    beside.drain()
    assert exactly(row) == expected
    known = beside.add(prompt, 60)
    beside.drain()
    assert exactly(known) == expected
    monkeypatch.setattr(module, "STEP_TOKENS", 80)
    assert alone() == expected
    tight = Driver(strict_model, strict=True, max_tokens=CONTEXT)
    tight.add(others[1], 150)
    returned = tight.add(prompt, 60)
    tight.drain()
    assert returned in tight.returned
    assert exactly(returned) == expected


# --- the store ---------------------------------------------------------------------------------


def test_names_stand_for_all_that_came_before() -> None:
    ids = list(range(3 * BLOCK + 5))
    names = names_of(ids)
    assert len(names) == 3 == len(set(names))
    assert names_of(ids[: 2 * BLOCK]) == names[:2]
    other = [*ids]
    other[3] += 1
    assert not set(names_of(other)) & set(names)
    assert names_of(ids, "an adapter")[0] != names[0]
    assert names_of(ids[: BLOCK - 1]) == []


def test_the_store_keeps_to_its_bytes_and_forgets_ends_first() -> None:
    layout = Layout.of({0: (Heads(1, 2), Heads(1, 2))}, torch.float32, torch.device("cpu"))
    store = PrefixStore(layout, 3 * BLOCK * layout.position_bytes)
    place = Loose(layout, 3 * BLOCK)
    for part in place.tensors():
        part.copy_(torch.arange(part.numel()).view(part.shape))
    one, other = names_of([1] * (3 * BLOCK)), names_of([2] * BLOCK)
    for number, name in enumerate(one):
        store.put(name, place, number)
    assert (len(store), store.known(one)) == (3, 3)
    fresh = Loose(layout, 2 * BLOCK)
    store.copy(one[:2], fresh)
    assert torch.equal(fresh.tensors()[0], place.tensors()[0][:, :, : 2 * BLOCK])
    store.copy(one, Loose(layout, 3 * BLOCK))
    store.put(other[0], place, 0)
    assert (len(store), store.known(one), store.known(other)) == (3, 2, 1)
    assert PrefixStore(layout, 0).known(one) == 0
