"""A model behind any OpenAI-compatible URL, asked in text as a model here is.

Only what the interface has is offered: writing, streaming, chatting, and, where the server has them, scores of a
text (`echo` with log-probabilities) and embeddings. What it has not is refused with `NotOffered`, never imitated.
"""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Unpack
from urllib.parse import urldefrag

from langwright.errors import UserError, unknown
from langwright.inference.protocol import FinishReason, Kind, Sampling
from langwright.inference.remote.wire import Refused, Wire, not_offered
from langwright.inference.scoring.embedding import Embedded, Pooling, unit_length
from langwright.inference.texts.text import Prompt, StreamOptions, Writer
from langwright.inference.texts.written import Continuation, TextPiece, TextScore

if TYPE_CHECKING:
    import httpx

KEY = "LANGWRIGHT_API_KEY"
REASONS: dict[str, FinishReason] = {"stop": "stop", "length": "length"}


def open_remote(address: str) -> RemoteText:
    """A model behind a URL; `#name` behind it chooses one of several, LANGWRIGHT_API_KEY holds the key.

    raises  UserError when the server is not reached, or it is not clear which of its models is meant
    """
    url, wanted = urldefrag(address)
    wire = Wire(url, key=os.environ.get(KEY, ""))
    try:
        names = [str(model["id"]) for model in wire.get("/models")["data"]]
        if wanted and wanted not in names:
            raise unknown("model", wanted, names)
        if not wanted and len(names) != 1:
            raise UserError(
                "{url} offers {count} models",
                fix="name one behind a #, as in {url}#NAME; there are: {names}",
                url=url,
                count=len(names),
                names=", ".join(names),
            )
    except (KeyError, TypeError):
        wire.close()
        raise UserError(
            "{url} does not list its models as OpenAI's interface does",
            fix="give the address under which /v1/models answers",
            url=url,
        ) from None
    except BaseException:
        wire.close()
        raise
    return RemoteText(wire, wanted or names[0])


class RemoteText(Writer):
    """`TextModel`'s verbs over a server."""

    kind: Kind = "continues"
    chats = True  # whether it does is found by asking: the interface does not say

    def __init__(self, wire: Wire, name: str) -> None:
        self.wire = wire
        self.name = name

    def stream(
        self, prompt: Prompt, sampling: Sampling | None = None, **options: Unpack[StreamOptions]
    ) -> RemoteStream:
        """Begin a continuation of a text, or the assistant's next turn of a conversation.

        raises  NotOffered for log-probabilities, a priority or a deadline
        """
        for name, doing in (
            ("top_logprobs", "report probabilities"),
            ("priority", "go first"),
            ("deadline_s", "end in time"),
            ("slide", "shorten a prompt"),
            ("control", "keep to a form"),
            ("guide", "be guided"),
        ):
            if options.get(name):
                raise not_offered(self.name, doing)
        body = {"model": self.name, "stream_options": {"include_usage": True}, **asked_for(sampling or Sampling())}
        if stop := [text for text in options.get("stop", ()) if text]:
            body["stop"] = stop
        if isinstance(prompt, str):
            return RemoteStream(self.wire, "/completions", {**body, "prompt": prompt})
        messages = [{"role": turn.role, "content": turn.content} for turn in prompt]
        return RemoteStream(self.wire, "/chat/completions", {**body, "messages": messages})

    def score_text(self, text: str, given: str = "", *, top: int = 0, rolling: bool = False) -> TextScore:
        """How probable the model finds `text`, after `given`, where the server repeats a prompt with its log-probabilities.

        top      how many of the likeliest tokens to report at the place of each
        rolling  here: what a server makes of a text that is too long is its own affair

        raises  NotOffered where it does not
        """
        if not text:
            raise UserError("the text has no tokens", fix="give a text that is not empty")
        body = {
            "model": self.name,
            "prompt": given + text,
            "echo": True,
            "logprobs": top,
            "max_tokens": 0,
            "temperature": 0,
        }
        try:
            choice = self.wire.post("/completions", body)["choices"][0]
            told = choice["logprobs"]
            tops = told["top_logprobs"] if top else [None] * len(told["tokens"])
            found = list(zip(told["tokens"], told["token_logprobs"], told["text_offset"], tops, strict=True))
        except Refused as error:
            raise self._lacks("score", error) from error
        except (KeyError, TypeError, IndexError, ValueError):
            raise not_offered(self.name, "score") from None
        found = [one for one in found if one[2] >= len(given) and one[1] is not None]
        scored = [(token, value) for token, value, _, _ in found]
        others = tuple(tuple((near or {}).items()) for _, _, _, near in found) if top else ()
        if not scored:
            raise not_offered(self.name, "score")
        size = sum(len(token.encode()) for token, _ in scored)
        return TextScore(math.fsum(value for _, value in scored), (), tuple(scored), size, others)

    def embed(
        self, texts: Sequence[str], *, pooling: Pooling = "mean", normalise: bool = False, truncate: bool = False
    ) -> Embedded:
        """One vector a text as the server makes them; how, and of how many tokens, it does not say.

        raises  NotOffered where it makes none
        """
        import numpy as np

        try:
            body = {"model": self.name, "input": list(texts), **({} if pooling == "mean" else {"pooling": pooling})}
            rows = self.wire.post("/embeddings", body)["data"]
            ordered = sorted(rows, key=lambda row: row["index"])
            vectors = np.array([row["embedding"] for row in ordered], dtype=np.float32)
        except Refused as error:
            raise self._lacks("embed", error) from error
        except (KeyError, TypeError, ValueError):
            raise not_offered(self.name, "embed") from None
        if normalise and len(vectors):
            vectors = unit_length(vectors)
        return Embedded(vectors, (), (), pooling, normalise)

    def close(self) -> None:
        """Close the connections."""
        self.wire.close()

    def _lacks(self, doing: str, error: Refused) -> UserError:
        """A refusal of the request itself is one of the capability; the others speak for themselves."""
        return not_offered(self.name, doing) if error.status in (400, 404, 405, 422, 501) else error


def asked_for(sampling: Sampling) -> dict[str, Any]:
    """Sampling in the interface's words; what differs from its default is sent by its own name, for servers that know it."""
    told = sampling.model_dump(mode="json", exclude_defaults=True)
    told.pop("max_new_tokens", None)
    return {**told, "max_tokens": sampling.max_new_tokens, "temperature": sampling.temperature}


class RemoteStream(Continuation):
    """A continuation as the server sends it, which tells no tokens."""

    def __init__(self, wire: Wire, path: str, body: dict[str, Any]) -> None:
        super().__init__()
        self._wire = wire
        self._answer: httpx.Response = wire.begin(path, body)
        self._cancelled = threading.Event()
        self._seed = body.get("seed")

    @property
    def seed(self) -> int:
        """The seed in use, where it was given or the server says it; 0 where neither."""
        return self._seed or 0

    def cancel(self) -> None:
        """End it: the connection is closed, which tells the server."""
        if self._reason is None:
            self._cancelled.set()
            self._answer.close()

    def _read(self) -> Iterator[TextPiece]:
        reason: FinishReason = "stop"
        try:
            for event in self._wire.events(self._answer):
                self.prompt_tokens = (event.get("usage") or {}).get("prompt_tokens", self.prompt_tokens)
                for choice in event.get("choices") or ():
                    text = choice.get("text") or (choice.get("delta") or {}).get("content") or ""
                    self._seed = choice.get("seed", self._seed)
                    reason = REASONS.get(choice.get("finish_reason") or "", reason)
                    if text:
                        self._text.append(text)
                        yield TextPiece(text, ())
                if self._cancelled.is_set():
                    break
        except (UserError, RuntimeError, OSError):
            if not self._cancelled.is_set():
                raise
        self._reason = "cancelled" if self._cancelled.is_set() else reason
        self._answer.close()
