"""An engine without a model and a tokenizer without training, so that anyone can test code that uses a model.

>>> model = parrot()
>>> model.complete("你好").text
'你好'
"""

from __future__ import annotations

import random
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from langwright.inference.limits import check_prompt, check_row
from langwright.inference.protocol import Completion, FinishReason, Request, Token
from langwright.inference.texts.text import TextModel
from langwright.tokenizers.templates import DEFAULT_TEMPLATE

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase


class Parrot:
    """An engine that says the prompt back, certain of every token.

    context  most tokens of prompt and reply
    reply    what to say to a prompt instead of the prompt itself
    token_s  seconds each token takes, to test streaming, cancelling and deadlines
    """

    def __init__(
        self, context: int = 1024, reply: Callable[[Sequence[int]], Sequence[int]] | None = None, token_s: float = 0.0
    ) -> None:
        self._context = context
        self._reply = reply or list
        self._token_s = token_s
        self._streams: weakref.WeakSet[ParrotStream] = weakref.WeakSet()

    @property
    def context(self) -> int:
        return self._context

    @property
    def alive(self) -> bool:
        return True

    def submit(self, request: Request) -> ParrotStream:
        check_prompt(request.prompt, self._context)
        most = min(request.sampling.max_new_tokens, self._context - len(request.prompt))
        stream = ParrotStream(request, self._reply(request.prompt), most, self._token_s)
        self._streams.add(stream)
        return stream

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        done = []
        for stream in [self.submit(request) for request in requests]:
            tokens = tuple(stream)
            done.append(Completion(tokens, stream.finish_reason or "stop", stream.seed))
        return done

    def score(self, rows: Sequence[Sequence[int]], given: Sequence[Sequence[int]] | None = None) -> list[list[float]]:
        whole = [list(row) for row in rows] if given is None else [[*a, *b] for a, b in zip(given, rows, strict=True)]
        for row in whole:
            check_row(row, self._context)
        found = [self.chances(row) for row in whole]
        return (
            found
            if given is None
            else [values[len(values) - len(row) :] for values, row in zip(found, rows, strict=True)]
        )

    def chances(self, row: Sequence[int]) -> list[float]:
        """One nat a token, whatever it is."""
        return [-1.0] * (len(row) - 1)

    def alternatives(self, rows: Sequence[Sequence[int]], top: int) -> list[list[Token]]:
        """The token that stands there, and none beside it."""
        scored = zip(rows, self.score(rows), strict=True)
        return [
            [Token(id, value, ((id, value),) if top else ()) for id, value in zip(row[1:], values, strict=True)]
            for row, values in scored
        ]

    def encode(self, rows: Sequence[Sequence[int]]) -> list[NDArray]:  # type: ignore[type-arg]
        """Each token as its id in eight bits, lowest first."""
        import numpy as np

        for row in rows:
            check_row(row, self._context)
        return [((np.array(row)[:, None] >> np.arange(8)) & 1).astype(np.float32) for row in rows]

    def close(self) -> None:
        for stream in list(self._streams):
            stream.cancel()


class ParrotStream:
    """The prompt, token by token."""

    def __init__(self, request: Request, reply: Sequence[int], most: int, token_s: float) -> None:
        self._request = request
        self._reply = list(reply)
        self._most = most
        self._token_s = token_s
        self._began = time.monotonic()
        self._cancelled = threading.Event()
        self._finish: FinishReason | None = None
        seed = request.sampling.seed
        self._seed = random.SystemRandom().getrandbits(32) if seed is None else seed
        self._tokens = self._speak()

    def __iter__(self) -> Iterator[Token]:
        return self._tokens

    @property
    def finish_reason(self) -> FinishReason | None:
        return self._finish

    @property
    def seed(self) -> int:
        return self._seed

    def cancel(self) -> None:
        self._cancelled.set()
        self._finish = self._finish or "cancelled"

    def _speak(self) -> Iterator[Token]:
        for number, id in enumerate(self._reply):
            self._cancelled.wait(self._token_s)
            if (reason := self._ended(number, id)) is not None:
                self._finish = self._finish or reason
                return
            yield Token(id, 0.0, ((id, 0.0),) if self._request.top_logprobs else ())
        self._finish = self._finish or "stop"

    def _ended(self, number: int, id: int) -> FinishReason | None:
        limit = self._request.deadline_s
        if self._cancelled.is_set():
            return "cancelled"
        if limit is not None and time.monotonic() - self._began >= limit:
            return "deadline"
        if id in self._request.stop_ids:
            return "stop"
        return "length" if number >= self._most else None


def letters() -> PreTrainedTokenizerBase:
    """A tokenizer whose tokens are the 256 bytes, with an end token and a chat template."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    backend = Tokenizer(models.BPE(vocab={letter: id for id, letter in enumerate(alphabet)}, merges=[]))
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=backend, eos_token="<|endoftext|>", pad_token="<|pad|>", clean_up_tokenization_spaces=False
    )
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|im_start|>", "<|im_end|>"]})
    tokenizer.chat_template = DEFAULT_TEMPLATE
    return tokenizer


def parrot(name: str = "parrot", reply: Callable[[str], str] | None = None, token_s: float = 0.0) -> TextModel:
    """A text model that says a plain prompt back, or what `reply` makes of it (of the last user turn in a chat)."""
    tokenizer = letters()

    def answer(prompt: Sequence[int]) -> list[int]:
        text = last_turn(tokenizer.decode(list(prompt), skip_special_tokens=False))
        return list(tokenizer(reply(text) if reply else text)["input_ids"])

    return TextModel(Parrot(reply=answer, token_s=token_s), tokenizer, name)


def last_turn(rendered: str) -> str:
    """What the user said last in a rendered conversation; a plain prompt as it is."""
    _, found, tail = rendered.rpartition("<|im_start|>user\n")
    return tail.partition("<|im_end|>")[0] if found else rendered
