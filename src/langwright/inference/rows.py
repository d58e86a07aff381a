"""A request on its way through the engine."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from langwright.errors import UserError
from langwright.inference.history import History
from langwright.inference.limits import prompt_too_long
from langwright.inference.protocol import Request, Token
from langwright.inference.streams import QueuedStream

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from langwright.inference.shelves import Place


@dataclass(eq=False)
class Row:
    """What is known of one request: its tokens so far, and how many of them the model has read.

    computed  positions whose keys and values the runner holds
    claim     positions it is counted with against the engine's memory
    returned  it had to give its place back once; when it gets one again, that is kept until the end
    """

    request: Request
    stream: QueuedStream
    deadline: float | None  # time.monotonic()
    limit: int = 0  # most new tokens: what was asked for, or what the context leaves; set when it is admitted
    history: History = field(init=False)  # its tokens so far, and what its next choice depends on
    computed: int = 0
    claim: int = 0
    returned: bool = False
    place: Place | None = None
    cache: Any = None  # of a model that keeps its own, where rows run one at a time

    def __post_init__(self) -> None:
        self.history = History(self.request, self.stream.seed)

    @property
    def ids(self) -> list[int]:
        """The prompt and what was written."""
        return self.history.ids

    @property
    def reserve(self) -> int:
        """Positions it may come to need."""
        return len(self.request.prompt) + self.limit

    def begin(self, model: PreTrainedModel) -> None:
        """The model that will write is known: its guide may read the prompt."""
        if self.history.guidance is not None:
            return
        try:
            self.history.begin(model)
        except UserError as error:
            self.stream.fail(error)

    def settle(self, context: int) -> bool:
        """Set the limit; False, and the stream ended, when the prompt does not fit (the model was exchanged)."""
        prompt = len(self.request.prompt)
        self.limit = min(self.request.sampling.max_new_tokens, context - prompt)
        if self.limit < 1:
            self.stream.fail(prompt_too_long(prompt, context))
        return self.limit >= 1

    def expire(self, now: float) -> bool:
        """End the stream if its time is over; True when it has ended for any reason."""
        if self.deadline is not None and now >= self.deadline:
            self.stream.finish("deadline")
        return self.stream.ended

    def take(self, token: Token | UserError) -> None:
        """Hand a token to the reader, and end the stream where this was the last."""
        if isinstance(token, UserError):
            self.stream.fail(token)
        elif token.id in self.request.stop_ids:
            self.stream.finish("stop")
        else:
            self.stream.put(token)
            self.history.take(token.id)
            if self.history.ended is not None:
                self.stream.finish(self.history.ended)
            if self.history.made >= self.limit:
                self.stream.finish("length")
