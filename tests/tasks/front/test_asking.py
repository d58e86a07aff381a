"""The front door for an event loop: the same answers, side by side, and cancellation that reaches the engine."""

from __future__ import annotations

import asyncio
import threading
import time
from pathlib import Path

import pytest
from tests.tasks.tiny import write_writer

import langwright
from langwright.errors import UserError
from langwright.inference.fake import Parrot, ParrotStream, letters
from langwright.inference.protocol import Request, Sampling
from langwright.inference.texts.text import TextModel
from langwright.tasks.front.loading import Model


class Watched(Parrot):
    """A parrot that keeps its streams in sight."""

    def __init__(self, token_s: float) -> None:
        super().__init__(token_s=token_s)
        self.streams: list[ParrotStream] = []

    def submit(self, request: Request) -> ParrotStream:
        self.streams.append(super().submit(request))
        return self.streams[-1]


def slow(token_s: float = 0.05) -> tuple[Watched, Model]:
    engine = Watched(token_s)
    return engine, Model("parrot", None, text=TextModel(engine, letters(), "parrot"))


@pytest.mark.spec("T32", "the front door for an event loop gives what the blocking one gives, many at once")
def test_the_same_answers(tmp_path: Path) -> None:
    folder = write_writer(tmp_path / "model")

    async def ask() -> None:
        async with await langwright.load_async(folder) as model:
            prompts = [f"text {number}" for number in range(12)]
            found = await asyncio.gather(*(model.agenerate(prompt, max_new_tokens=7) for prompt in prompts))
            assert found == [model.model.generate(prompt, max_new_tokens=7) for prompt in prompts]
            pieces = [piece.text async for piece in model.astream("text 3", Sampling(max_new_tokens=7))]
            assert "".join(pieces) == found[3]
            assert await model.achat("hi", max_new_tokens=5) == model.model.chat("hi", max_new_tokens=5)
            assert (await model.ascore("abc")).tokens == model.model.score("abc").tokens
            assert (await model.aembed(["abc", "d"])).shape == (2, 16)
            with pytest.raises(UserError, match="context"):
                await model.agenerate("x" * 500)

    asyncio.run(ask())


def ended(engine: Watched, count: int) -> bool:
    until = time.monotonic() + 60
    while sum(stream.finish_reason == "cancelled" for stream in engine.streams) < count:
        if time.monotonic() > until:
            return False
        time.sleep(0.01)
    return True


def test_a_cancelled_task_ends_what_is_written_for_it() -> None:
    engine, model = slow()

    async def ask() -> None:
        task = asyncio.create_task(model.aio.agenerate("x" * 200, max_new_tokens=200))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(model.aio.achat("y" * 200, max_new_tokens=200), 0.2)

    asyncio.run(ask())
    assert ended(engine, 2)


def test_leaving_the_loop_ends_it() -> None:
    engine, model = slow()

    async def ask() -> None:
        stream = model.aio.astream("x" * 200, Sampling(max_new_tokens=200))
        async for piece in stream:
            assert piece.text
            break
        await stream.aclose()  # type: ignore[attr-defined]

    asyncio.run(ask())
    assert ended(engine, 1)


def test_a_task_that_is_cancelled_while_its_prompt_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, model = slow()
    begun, go = threading.Event(), threading.Event()
    stream = Model.stream

    def late(self: Model, *args: object, **options: object) -> object:
        begun.set()
        go.wait(5)
        return stream(self, *args, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Model, "stream", late)

    async def ask() -> None:
        task = asyncio.create_task(model.aio.agenerate("x" * 200, max_new_tokens=200))
        while not begun.is_set():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go.set()
        await asyncio.sleep(0.3)

    asyncio.run(ask())
    assert ended(engine, 1)
