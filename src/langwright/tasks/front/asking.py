"""The front door for an event loop: the same verbs, awaited; cancelling the task ends what the model writes for it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Unpack

from langwright.inference.protocol import Sampling
from langwright.tasks.front.options import Ways, Writing, sampling_of, writing_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from langwright.inference.remote.model import RemoteStream
    from langwright.inference.texts.text import TextStream
    from langwright.inference.texts.written import TextCompletion, TextPiece, TextScore
    from langwright.tasks.classification import ClassificationOutput
    from langwright.tasks.declaration import TaskInput, TaskOutput
    from langwright.tasks.front.conversation import Conversation
    from langwright.tasks.front.filling import Filled
    from langwright.tasks.front.loading import Model
    from langwright.tasks.qa import QaOutput
    from langwright.tasks.solving.telling import Told
    from langwright.tasks.tagging import TaggingOutput


class AsyncModel:
    """`Model`'s verbs for an event loop; `model` is the same model's blocking form."""

    def __init__(self, model: Model) -> None:
        self.model = model

    async def __aenter__(self) -> AsyncModel:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def agenerate(self, prompt: Conversation, **ways: Unpack[Ways]) -> str:
        """What the model writes after a prompt, without the prompt."""
        return (await self.acomplete(prompt, sampling_of(ways, 128), **writing_of(ways))).text

    async def achat(self, messages: Conversation, **ways: Unpack[Ways]) -> str:
        """The assistant's next turn; a plain string is the user's first one."""
        turns = [{"role": "user", "content": messages}] if isinstance(messages, str) else messages
        self.model.writer("chat")
        return (await self.acomplete(turns, sampling_of(ways, 256), **writing_of(ways))).text

    async def acomplete(
        self, prompt: Conversation, sampling: Sampling | None = None, **writing: Unpack[Writing]
    ) -> TextCompletion:
        """A continuation with its token ids, why it ended, and the seed."""
        stream = await self._begin(prompt, sampling, writing)
        async for _ in pieces_of(stream):
            pass
        return stream.completion

    async def astream(
        self, prompt: Conversation, sampling: Sampling | None = None, **writing: Unpack[Writing]
    ) -> AsyncIterator[TextPiece]:
        """A continuation piece by piece; leaving the loop, or cancelling the task, ends it."""
        async for piece in pieces_of(await self._begin(prompt, sampling, writing)):
            yield piece

    async def apredict(self, text: str, labels: Iterable[str] | None = None, **options: Any) -> ClassificationOutput:
        """`Model.predict`, awaited."""
        return await asyncio.to_thread(self.model.predict, text, labels, **options)

    async def asolve(
        self, task: str, asked: TaskInput, solver: str | None = None, *, progress: Told | None = None
    ) -> TaskOutput:
        """`Model.solve`, awaited; `progress` is told in another thread."""
        return await asyncio.to_thread(partial(self.model.solve, task, asked, solver, progress=progress))

    async def ado(self, task: str, text: str, /, **fields: Any) -> TaskOutput:
        """`Model.do`, awaited."""
        return await asyncio.to_thread(partial(self.model.do, task, text, **fields))

    async def aanswer(self, question: str, context: str = "", **options: Any) -> QaOutput:
        """`Model.answer`, awaited."""
        return await asyncio.to_thread(partial(self.model.answer, question, context, **options))

    async def atranslate(self, text: str, **options: Any) -> str:
        """`Model.translate`, awaited."""
        return await asyncio.to_thread(partial(self.model.translate, text, **options))

    async def asummarize(self, text: str, **options: Any) -> str:
        """`Model.summarize`, awaited."""
        return await asyncio.to_thread(partial(self.model.summarize, text, **options))

    async def atag(self, text: str, labels: Iterable[str] = (), **options: Any) -> TaggingOutput:
        """`Model.tag`, awaited."""
        return await asyncio.to_thread(partial(self.model.tag, text, labels, **options))

    async def asimilarity(self, text_a: str, text_b: str, **options: Any) -> float:
        """`Model.similarity`, awaited."""
        return await asyncio.to_thread(partial(self.model.similarity, text_a, text_b, **options))

    async def aanalyze(self, text: str, context: str = "", **options: Any) -> TaskOutput:
        """`Model.analyze`, awaited."""
        return await asyncio.to_thread(partial(self.model.analyze, text, context, **options))

    async def ascore(self, text: str, given: str = "", **options: Any) -> TextScore:
        """`Model.score`, awaited."""
        return await asyncio.to_thread(self.model.score, text, given, **options)

    async def aembed(self, texts: str | Sequence[str], **options: Any) -> NDArray:  # type: ignore[type-arg]
        """`Model.embed`, awaited."""
        return await asyncio.to_thread(self.model.embed, texts, **options)

    async def afill(self, text: str, **options: Any) -> Filled:
        """`Model.fill`, awaited."""
        return await asyncio.to_thread(self.model.fill, text, **options)

    async def aclose(self) -> None:
        """Free what the model holds."""
        await asyncio.to_thread(self.model.close)

    async def _begin(
        self, prompt: Conversation, sampling: Sampling | None, writing: Writing
    ) -> TextStream | RemoteStream:
        """Begin in a thread, since a long prompt is tokenised there; ended at once if nobody waits for it any more."""
        begun = asyncio.ensure_future(asyncio.to_thread(self.model.stream, prompt, sampling, **writing))
        try:
            return await asyncio.shield(begun)
        except asyncio.CancelledError:
            begun.add_done_callback(forget)
            raise


def forget(begun: asyncio.Future[Any]) -> None:
    """End a continuation that came too late."""
    if not begun.cancelled() and begun.exception() is None:
        begun.result().cancel()


async def pieces_of(stream: TextStream | RemoteStream) -> AsyncIterator[TextPiece]:
    """The pieces of a continuation, read by a thread of its own; it is cancelled when the reader leaves."""
    loop = asyncio.get_running_loop()
    found: asyncio.Queue[TextPiece | BaseException | None] = asyncio.Queue()

    def hand(item: TextPiece | BaseException | None) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody listens
            loop.call_soon_threadsafe(found.put_nowait, item)

    def read() -> None:
        try:
            for piece in stream:
                hand(piece)
        except BaseException as error:  # raised where it is read
            hand(error)
        else:
            hand(None)

    threading.Thread(target=read, name="langwright-reader", daemon=True).start()
    try:
        while (item := await found.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stream.cancel()
