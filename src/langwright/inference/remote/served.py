"""An engine in a server: token ids in and out over an OpenAI-compatible interface that knows them, as vLLM's does.

Ids go as the prompt and come back in the names of the tokens (`return_tokens_as_token_ids`, "token_id:17"), so that
text stays one layer above, where it is for our own engine. What the interface has no words for is refused with
`NotOffered`, never left out in silence.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langwright.errors import UserError
from langwright.inference.limits import check_prompt, check_row
from langwright.inference.protocol import Candidate, Completion, FinishReason, Kind, Request, Search, Token
from langwright.inference.remote.children import Child
from langwright.inference.remote.wire import NotOffered, Wire, not_offered
from langwright.inference.texts.characters import WholeCharacters

if TYPE_CHECKING:
    import httpx
    from numpy.typing import NDArray

START_S = 900.0  # a large model's weights, and kernels that are compiled at the first start
AT_ONCE = 16  # rows scored side by side
ALIKE = ("top_k", "top_p", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty", "seed")
REASONS: dict[str, FinishReason] = {"stop": "stop", "length": "length"}


class ServedEngine:
    """`Engine` over a server.

    name   the model, as the server calls it
    child  the server, where it is ours to end
    """

    kind: Kind = "continues"

    def __init__(self, wire: Wire, name: str, context: int, child: Child | None = None) -> None:
        self.wire, self.name, self.child = wire, name, child
        self._context = context
        self._streams: weakref.WeakSet[ServedStream] = weakref.WeakSet()

    @property
    def context(self) -> int:
        """Most positions a prompt and its continuation may take together."""
        return self._context

    @property
    def alive(self) -> bool:
        """Whether the server runs, as far as can be known."""
        return self.child is None or self.child.ended is None

    def submit(self, request: Request) -> ServedStream:
        """Begin one continuation.

        raises  UserError when the prompt does not fit or the server is not reached; NotOffered for what it has no words for
        """
        check_prompt(request.prompt, self._context)
        stream = ServedStream(self.wire, request, self._body(request))
        self._streams.add(stream)
        return stream

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """The blocking form of `submit`, in the order asked; an error in one cancels the rest."""
        streams: list[ServedStream] = []
        try:
            streams.extend(self.submit(request) for request in requests)
            return [Completion(tuple(stream), stream.finish_reason or "stop", stream.seed) for stream in streams]
        except BaseException:
            for stream in streams:
                stream.cancel()
            raise

    def score(self, rows: Sequence[Sequence[int]], given: Sequence[Sequence[int]] | None = None) -> list[list[float]]:
        """Log-probability in nats of each token given all before it; see `Engine.score`.

        raises  NotOffered where the server tells no log-probabilities of a prompt
        """
        whole = [list(row) for row in rows] if given is None else [[*a, *b] for a, b in zip(given, rows, strict=True)]
        for row in whole:
            check_row(row, self._context)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = list(pool.map(self._score, whole))
        return found if given is None else [one[len(one) - len(row) :] for one, row in zip(found, rows, strict=True)]

    def alternatives(self, rows: Sequence[Sequence[int]], top: int) -> list[list[Token]]:
        """`score` with the `top` likeliest tokens at the place of each.

        raises  NotOffered where the server tells no log-probabilities of a prompt
        """
        for row in rows:
            check_row(row, self._context)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(lambda row: self._told(row, top), rows))

    def search(self, request: Request, search: Search) -> list[Candidate]:
        """Beams and contrast, which no such server does."""
        raise not_offered(self.name, "search by beams or contrast")

    def encode(self, rows: Sequence[Sequence[int]]) -> list[NDArray]:  # type: ignore[type-arg]
        """Hidden states of every token, which no such server gives."""
        raise not_offered(self.name, "give hidden states")

    def close(self) -> None:
        """Cancel what is open, close the connections, and end the server where it is ours."""
        for stream in list(self._streams):
            stream.cancel()
        self.wire.close()
        if self.child is not None:
            self.child.close()

    def _score(self, row: list[int]) -> list[float]:
        return [token.logprob for token in self._told(row, 0)]

    def _told(self, row: Sequence[int], top: int) -> list[Token]:
        """What the server says of all tokens of a row but the first."""
        if len(row) < 2:
            return []
        body = {"model": self.name, "prompt": list(row), "max_tokens": 1, "temperature": 0, "prompt_logprobs": top}
        told = self.wire.post("/completions", body)["choices"][0].get("prompt_logprobs")
        if told is None:
            raise not_offered(self.name, "score")
        found = []
        for id, at in zip(row[1:], told[1:], strict=True):
            ranked = sorted(
                ((int(other), float(one["logprob"])) for other, one in at.items()), key=lambda pair: -pair[1]
            )
            found.append(Token(id, float(at[str(id)]["logprob"]), tuple(ranked[:top])))
        return found

    def _body(self, request: Request) -> dict[str, Any]:
        """A request in the interface's words."""
        if request.constraint is not None and not isinstance(request.constraint, WholeCharacters):
            raise not_offered(self.name, "keep to a constraint")
        if request.guide is not None:
            raise not_offered(self.name, "follow a guide")
        if request.adapter is not None:
            raise not_offered(self.name, "choose an adapter")
        if request.watermark is not None:
            raise not_offered(self.name, "mark what it writes")
        sampling = request.sampling.model_dump(mode="json", exclude_defaults=True)
        known = {key: sampling.pop(key) for key in ALIKE if key in sampling}
        for name in ("max_new_tokens", "temperature"):
            sampling.pop(name, None)
        if sampling:
            raise not_offered(self.name, "sample by " + ", ".join(sorted(sampling)))
        return {
            "model": self.name, "prompt": list(request.prompt), "temperature": request.sampling.temperature,
            "max_tokens": min(request.sampling.max_new_tokens, self._context - len(request.prompt)),
            "stop_token_ids": sorted(request.stop_ids), "ignore_eos": not request.stop_ids,
            "skip_special_tokens": False, "logprobs": request.top_logprobs, "return_tokens_as_token_ids": True, **known,
            **({"priority": -request.priority} if request.priority else {}),
        }  # fmt: skip


class ServedStream:
    """Tokens of one request as the server makes them, read where they are asked for."""

    def __init__(self, wire: Wire, request: Request, body: dict[str, Any]) -> None:
        self._wire, self._request = wire, request
        self._until = None if request.deadline_s is None else time.monotonic() + request.deadline_s
        self._answer: httpx.Response = wire.begin("/completions", body)
        self._reason: FinishReason | None = None
        self._cancelled = threading.Event()
        self._tokens = self._read()

    def __iter__(self) -> Iterator[Token]:
        return self._tokens

    @property
    def finish_reason(self) -> FinishReason | None:
        """Why it ended; None while it runs."""
        return self._reason

    @property
    def seed(self) -> int:
        """The seed that was given; 0 where none was, since the server does not say which it drew."""
        return self._request.sampling.seed or 0

    def cancel(self) -> None:
        """End it: the connection is closed, which tells the server."""
        if self._reason is None:
            self._cancelled.set()
            self._answer.close()

    def _read(self) -> Iterator[Token]:
        reason: FinishReason = "stop"
        try:
            for event in self._wire.events(self._answer):
                for choice in event.get("choices") or ():
                    for token in tokens_of(choice):
                        if self._late() or token.id in self._request.stop_ids:
                            reason = "deadline" if self._late() else "stop"
                            return
                        yield token
                    reason = REASONS.get(choice.get("finish_reason") or "", reason)
        except (UserError, RuntimeError, OSError):
            if not self._cancelled.is_set():
                raise
        finally:
            self._reason = self._reason or ("cancelled" if self._cancelled.is_set() else reason)
            self._answer.close()

    def _late(self) -> bool:
        return self._until is not None and time.monotonic() >= self._until


def tokens_of(choice: dict[str, Any]) -> Iterator[Token]:
    """The tokens of an event.

    raises  NotOffered where the server does not name them by their ids
    """
    told = choice.get("logprobs")
    if not told:
        return
    tops = told.get("top_logprobs") or [None] * len(told["tokens"])
    for name, logprob, top in zip(told["tokens"], told["token_logprobs"], tops, strict=True):
        ranked = sorted((top or {}).items(), key=lambda pair: -pair[1])
        yield Token(id_in(name), float(logprob), tuple((id_in(other), float(value)) for other, value in ranked))


def id_in(name: str) -> int:
    """The id in a token's name.

    >>> id_in("token_id:17")
    17
    """
    kind, _, number = name.partition(":")
    if kind != "token_id" or not number.isdigit():
        raise NotOffered(
            "the server names its tokens by their text, not by their ids",
            fix="ask it by its URL, in text: langwright.load(URL); vLLM names ids",
        )
    return int(number)


def start_vllm(
    folder: Path,
    log: Path,
    *,
    command: Sequence[str] = ("vllm", "serve"),
    options: Sequence[str] = (),
    within_s: float = START_S,
) -> ServedEngine:
    """vLLM's server of a model folder, as a child that is checked until it is healthy and ends with this process.

    command  the program, where it is not on the path as `vllm`
    options  passed on, such as `--dtype bfloat16`
    raises   UserError when it is not installed, or ends or does not answer in time; the end of its log is told
    """
    import shutil

    if shutil.which(command[0]) is None:
        raise UserError(
            "{command} is not installed",
            fix="install vLLM on a machine with a GPU: pip install vllm; or leave --backend out",
            command=command[0],
        )
    port = free_port()
    told = ["--host", "127.0.0.1", "--port", str(port), "--served-model-name", folder.name]
    child = Child([*command, str(folder), *told, *options], log)
    wire = Wire(f"http://127.0.0.1:{port}")
    try:
        models = child.wait_for(lambda: healthy(wire), within_s)
        context = int(models[0]["max_model_len"])
    except BaseException:
        wire.close()
        child.close()
        raise
    return ServedEngine(wire, folder.name, context, child)


def healthy(wire: Wire) -> list[dict[str, Any]] | None:
    """The models of a server once it answers."""
    try:
        found: list[dict[str, Any]] = wire.get("/models")["data"]
        return found
    except UserError:
        return None


def free_port() -> int:
    """A port that nobody listens on."""
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
