"""Places are bounded, given back whatever happens, and cancelled in the engine when nobody listens."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from langwright.errors import UserError
from langwright.inference.fake import parrot
from langwright.inference.protocol import Sampling
from langwright.inference.texts.written import TextPiece
from langwright.serving.complaints import ApiError
from langwright.serving.streaming import Ask, Desk, EventStream, in_thread, unless_gone

Watching = Callable[..., Any]


def ask(text: str = "abc", **fields: Any) -> Ask:
    return Ask(list(text.encode()), Sampling(max_new_tokens=100), **fields)


def test_pieces_arrive_in_order_and_places_come_back() -> None:
    async def main() -> None:
        desk = Desk(2)
        model = parrot()
        answers = await desk.open(
            model, [Ask(model.tokenize("你好"), Sampling()), Ask(model.tokenize("b"), Sampling())]
        )
        assert desk.taken == 2
        text = {0: "", 1: ""}
        async for index, part in answers.events():
            if isinstance(part, TextPiece):
                text[index] += part.text
        assert text == {0: "你好", 1: "b"}
        assert await desk.empty(5)

    asyncio.run(main())


def test_beyond_the_last_place_is_429_with_retry_after(watched: Watching) -> None:
    async def main() -> None:
        desk = Desk(2)
        engine, model = watched(token_s=0.05)
        answers = await desk.open(model, [ask()])
        with pytest.raises(ApiError) as refused:
            await desk.open(model, [ask(), ask()])
        assert refused.value.status == 429
        assert refused.value.headers == {"Retry-After": "1"}
        assert refused.value.error.params == {"taken": 1, "places": 2, "seconds": 1}
        assert len(engine.streams) == 1  # nothing of the refused request was begun
        await answers.completions()
        assert await desk.empty(5)
        await (await desk.open(model, [ask(), ask()])).completions()

    asyncio.run(main())


def test_one_refused_prompt_takes_back_the_others(watched: Watching) -> None:
    async def main() -> None:
        desk = Desk(4)
        engine, model = watched(token_s=0.05)
        with pytest.raises(UserError, match="the prompt is empty"):
            await desk.open(model, [ask(), ask("")])
        assert [stream.finish_reason for stream in engine.streams] == ["cancelled"]
        assert desk.taken == 0

    asyncio.run(main())


def test_cancelling_frees_the_places(watched: Watching) -> None:
    async def main() -> None:
        desk = Desk(1)
        engine, model = watched(token_s=0.02)
        answers = await desk.open(model, [ask("x" * 99)])
        answers.cancel()
        assert await desk.empty(5)
        assert engine.streams[0].finish_reason == "cancelled"

    asyncio.run(main())


def test_stopping_tells_those_who_wait(watched: Watching) -> None:
    async def main() -> None:
        desk = Desk(4)
        _, model = watched(token_s=0.02)
        answers = await desk.open(model, [ask("x" * 99)])
        asyncio.get_running_loop().call_later(0.1, desk.cancel_all)
        with pytest.raises(ApiError) as refused:
            await answers.completions()
        assert refused.value.status == 503 and "stopping" in refused.value.error.problem()
        with pytest.raises(ApiError):
            await desk.open(model, [ask()])
        assert await desk.empty(5)

    asyncio.run(main())


def test_the_loop_goes_on_while_the_model_computes(watched: Watching) -> None:
    async def main() -> None:
        desk = Desk(4)
        _, model = watched(token_s=0.02)
        answers = await desk.open(model, [ask("x" * 20)])
        turns = 0
        waiting = asyncio.ensure_future(answers.completions())
        while not waiting.done():
            await asyncio.sleep(0.001)
            turns += 1
        assert turns > 20  # a blocked loop would have come round once

    asyncio.run(main())


def test_gone_callers_end_the_work() -> None:
    async def main() -> None:
        ended = asyncio.Event()

        async def work() -> None:
            try:
                await asyncio.sleep(60)
            finally:
                ended.set()

        async def receive() -> Any:
            await asyncio.sleep(0.01)
            return {"type": "http.disconnect"}

        from starlette.requests import ClientDisconnect

        with pytest.raises(ClientDisconnect):
            await unless_gone(receive, work())
        assert ended.is_set()

    asyncio.run(main())


def test_a_stream_is_closed_when_its_caller_leaves_in_the_middle(watched: Watching) -> None:
    async def main() -> None:
        desk = Desk(1)
        engine, model = watched(token_s=0.02)
        answers = await desk.open(model, [ask("x" * 99)])
        sent: list[bytes] = []

        async def events() -> Any:
            async for _, part in answers.events():
                if isinstance(part, TextPiece):
                    yield part.text.encode()

        async def send(message: Any) -> None:
            sent.append(message.get("body", b""))

        async def receive() -> Any:
            while len(sent) < 4:
                await asyncio.sleep(0.005)
            return {"type": "http.disconnect"}

        await EventStream(events(), answers.cancel)({"type": "http"}, receive, send)
        assert await desk.empty(5)
        assert engine.streams[0].finish_reason == "cancelled" and len(sent) < 50

    asyncio.run(main())


def test_work_in_a_thread_gives_its_result_or_its_error() -> None:
    async def main() -> None:
        assert await in_thread(threading.current_thread) is not threading.main_thread()
        with pytest.raises(ZeroDivisionError):
            await in_thread(lambda: 1 // 0)
        late = asyncio.ensure_future(in_thread(time.sleep, 0.05))
        await asyncio.sleep(0)
        late.cancel()
        await asyncio.sleep(0.1)  # its result finds nobody and does no harm
        assert late.cancelled()

    asyncio.run(main())
