"""A request on its way through the engine."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from langwright.inference.choosing.history import History
from langwright.inference.limits import prompt_too_long
from langwright.inference.protocol import FinishReason, Request, Token
from langwright.inference.running.streams import QueuedStream

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from langwright.inference.memory.shelves import Place
    from langwright.inference.running.lora import Adapter


@dataclass(frozen=True)
class Reader:
    """Who reads what a row writes.

    deadline  of time.monotonic()
    """

    stream: QueuedStream
    deadline: float | None = None


@dataclass(eq=False)
class Row:
    """What is known of one request: its tokens so far, and how many of them the model has read.

    readers   more than one where the same was asked for more than once
    computed  positions whose keys and values the runner holds
    claim     positions it is counted with against the engine's memory
    returned  it had to give its place back once; when it gets one again, that is kept until the end
    names     of the blocks of its prompt, where beginnings are kept
    """

    request: Request
    readers: list[Reader]
    begun: tuple[int, ...] | None = None  # what a decoder begins with, where the prompt is read by an encoder
    adapter: Adapter | None = None  # whose update is added to the model's matrices for it
    ends: bool = False  # an end token takes the last place of a text that reaches its limit
    limit: int = 0  # most new tokens: what was asked for, or what the context leaves; set when it is admitted
    history: History = field(init=False)  # its tokens so far, and what its next choice depends on
    tokens: list[Token] = field(default_factory=list)
    computed: int = 0
    claim: int = 0
    returned: bool = False
    place: Place | None = None
    names: list[bytes] = field(default_factory=list)
    cache: Any = None  # of a model that keeps its own, where rows run one at a time

    def __post_init__(self) -> None:
        self.history = History(self.request, self.readers[0].stream.seed, self.begun)

    @property
    def ids(self) -> list[int]:
        """The prompt, or what the decoder begins with, and what was written."""
        return self.history.ids

    @property
    def reserve(self) -> int:
        """Positions it may come to need."""
        return len(self.request.prompt) + len(self.begun or ()) + self.limit

    @property
    def ended(self) -> bool:
        """True when nobody reads it any more."""
        return all(reader.stream.ended for reader in self.readers)

    def begin(self, model: PreTrainedModel) -> None:
        """The model that will write is known: its guide may read the prompt."""
        if self.history.guidance is not None:
            return
        try:
            self.history.begin(model)
        except Exception as error:  # whoever wrote the guide
            self.fail(error)

    def settle(self, context: int) -> bool:
        """Set the limit; False, and the streams ended, when the prompt does not fit (the model was exchanged)."""
        prompt = len(self.request.prompt)
        room = context - (prompt if self.begun is None else len(self.begun))
        self.limit = min(self.request.sampling.max_new_tokens, room) - self.ends
        if room < 1 or prompt > context:
            self.fail(prompt_too_long(prompt, context))
        elif self.limit < 1:  # room for the end token alone
            self.finish("length")
        return self.limit >= 1

    def asks_the_same(self, other: Row) -> bool:
        """True when both write the same tokens, whoever reads them."""
        mine, theirs = self.request, other.request
        if len(mine.prompt) != len(theirs.prompt) or mine.sampling != theirs.sampling:
            return False
        if self.adapter is not other.adapter:
            return False
        drawn = mine.sampling.temperature > 0 and mine.sampling.seed is None
        return not drawn and alike(mine) == alike(theirs)

    def join(self, other: Row) -> None:
        """Let the readers of another row that asks the same read this one, from its beginning."""
        for reader in other.readers:
            for token in self.tokens:
                reader.stream.put(token)
        self.readers.extend(other.readers)

    def expire(self, now: float) -> bool:
        """End the streams whose time is over; True when all have ended for any reason."""
        for reader in self.readers:
            if reader.deadline is not None and now >= reader.deadline:
                reader.stream.finish("deadline")
        return self.ended

    def finish(self, reason: FinishReason) -> None:
        """End all streams that have not ended."""
        for reader in self.readers:
            reader.stream.finish(reason)

    def fail(self, error: BaseException) -> None:
        """End all streams that have not ended with an error."""
        for reader in self.readers:
            reader.stream.fail(error)

    def take(self, token: Token | Exception) -> None:
        """Hand a token to those who read, and end the streams where this was the last."""
        if isinstance(token, Exception):
            self.fail(token)
        elif token.id in self.request.stop_ids:
            self.finish("stop")
        else:
            self.say(token)

    def say(self, token: Token) -> None:
        """Hand over a token that was chosen, or that the model always begins with."""
        self.tokens.append(token)
        for reader in self.readers:
            reader.stream.put(token)
        try:
            self.history.take(token.id)
            ended = self.history.ended
        except Exception as error:  # whoever wrote the constraint or the guide
            self.fail(error)
            return
        if ended is not None:
            self.finish(ended)
        if self.history.made >= self.limit:
            self.finish("length")


def alike(request: Request) -> Request:
    """A request without what its tokens do not depend on, to be compared."""
    return replace(request, prompt=tuple(request.prompt), priority=0, deadline_s=None)
