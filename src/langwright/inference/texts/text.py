"""Text in and text out, over any engine: templates, stop strings, decoding as it comes, scores, embeddings."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, TypedDict, Unpack

from langwright.data.schemas import Message
from langwright.errors import UserError
from langwright.inference.control.building import Verdict, Wish, wish
from langwright.inference.control.settings import Control
from langwright.inference.control.vocabulary import Vocabulary
from langwright.inference.limits import check_prompt, check_source
from langwright.inference.protocol import Engine, FinishReason, Guide, Kind, Request, Sampling, Stream, Token, Watermark
from langwright.inference.scoring.embedding import Embedded, Pooling, check_pooling, embed_rows
from langwright.inference.scoring.windows import Window, windows
from langwright.inference.texts.decoding import Alphabet, StopStrings, TextDecoder
from langwright.inference.texts.sliding import slid, slid_turns
from langwright.inference.texts.written import Continuation, Readable, TextCompletion, TextPiece, TextScore, results
from langwright.tokenizers.templates import ends_of, render

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MOST_BEGUN = 2  # tokens that a decoder begins with: its start, and a first one that is forced
Prompt = str | Sequence[Message]


class StreamOptions(TypedDict, total=False):
    """What a continuation may be given beside its prompt and sampling."""

    stop: Sequence[str]  # strings that end it; the text is cut before them
    top_logprobs: int  # how many alternatives to report with each token
    priority: int  # higher goes first
    deadline_s: float | None  # seconds from submission
    slide: bool  # drop the oldest tokens or turns of a prompt that is too long
    watermark: Watermark | None  # the model's own when left out; None for no mark
    control: Control | None  # what the text must be like
    guide: Guide | None  # what becomes likelier


class TextStream(Continuation):
    """A continuation of an engine's."""

    def __init__(
        self,
        stream: Stream,
        decoder: TextDecoder,
        stop: Sequence[str],
        prompt_tokens: int,
        verdict: Verdict = lambda text, reason: reason,
    ) -> None:
        """verdict: why it ended, told from the whole text; raises UserError for one that is not what was asked for."""
        super().__init__(prompt_tokens)
        self._stream = stream
        self._decoder = decoder
        self._stops = StopStrings(stop)
        self._verdict = verdict

    @property
    def seed(self) -> int:
        """The seed in use, given or drawn."""
        return self._stream.seed

    def cancel(self) -> None:
        """End it; the engine frees its place."""
        self._stream.cancel()

    def _read(self) -> Iterator[TextPiece]:
        waiting: list[Token] = []
        for token in self._stream:
            self._tokens.append(token)
            waiting.append(token)
            text = self._stops.push(self._decoder.push(token.id))
            if self._stops.found:
                self._stream.cancel()
                yield self._last(text, waiting, "stop")
                return
            if text:
                yield self._piece(text, waiting)
                waiting = []
        rest = self._stops.flush()  # an unfinished character at the very end is left out
        last = self._last(rest, waiting, self._stream.finish_reason)
        if rest or waiting:
            yield last

    def _last(self, text: str, tokens: list[Token], reason: FinishReason | None) -> TextPiece:
        piece = self._piece(text, tokens)
        self._reason = reason if reason is None else self._verdict("".join(self._text), reason)
        return piece

    def _piece(self, text: str, tokens: list[Token]) -> TextPiece:
        self._text.append(text)
        return TextPiece(text, tuple(tokens))


class Writer(ABC):
    """What continues texts, here or behind a URL: `stream` begins one, the rest reads them to their ends."""

    @abstractmethod
    def stream(self, prompt: Prompt, sampling: Sampling | None = None, **options: Unpack[StreamOptions]) -> Readable:
        """Begin a continuation of a text, or the assistant's next turn of a conversation."""

    def complete(
        self, prompt: Prompt, sampling: Sampling | None = None, **options: Unpack[StreamOptions]
    ) -> TextCompletion:
        """The blocking form of `stream`."""
        return results([partial(self.stream, prompt, sampling, **options)])[0]

    def complete_all(
        self, prompts: Sequence[Prompt], sampling: Sampling | None = None, *, stop: Sequence[str] = ()
    ) -> list[TextCompletion]:
        """Continue many prompts, all begun before the first is read, in the order asked."""
        return results([partial(self.stream, prompt, sampling, stop=stop) for prompt in prompts])

    def complete_each(
        self, prompt: Prompt, samplings: Sequence[Sampling], **options: Unpack[StreamOptions]
    ) -> list[TextCompletion]:
        """Continue one prompt by each of the samplings, together, in their order."""
        return results([partial(self.stream, prompt, sampling, **options) for sampling in samplings])


class TextModel(Writer):
    """A model that reads and writes text: an engine, its tokenizer and a name to be called by."""

    def __init__(
        self,
        engine: Engine,
        tokenizer: PreTrainedTokenizerBase,
        name: str,
        *,
        stop_ids: frozenset[int] = frozenset(),
        kind: Kind = "continues",
    ) -> None:
        """What stands over an engine.

        stop_ids  further tokens that end a text, beside the tokenizer's end token and its template's end of turn
        kind      whether it continues a text, writes another from it, or only reads
        """
        self.engine = engine
        self.tokenizer = tokenizer
        self.name = name
        self.kind = kind
        self.alphabet = Alphabet(tokenizer)
        self.stop_ids = stop_ids | ends_of(tokenizer)
        self.adapter: str | None = None  # of those that the engine has at hand
        self.watermark: Watermark | None = None  # in all that it writes, unless a request says otherwise

    def with_adapter(self, adapter: str | None) -> TextModel:
        """The same model and engine, writing with an adapter that is at hand, or plainly."""
        twin = copy.copy(self)
        twin.adapter = adapter
        return twin

    @property
    def context(self) -> int:
        """Most tokens a prompt and its continuation may take together."""
        return self.engine.context

    @cached_property
    def vocabulary(self) -> Vocabulary:
        """Its tokens as the parser of forms needs them."""
        return Vocabulary(self.alphabet, sorted(self.stop_ids))

    @property
    def chats(self) -> bool:
        """True when the tokenizer has a chat template."""
        return bool(self.tokenizer.chat_template)

    # --- text to ids ---------------------------------------------------------------------------

    def tokenize(self, text: str) -> list[int]:
        """A plain prompt as ids, with the tokenizer's own start token if it adds one.

        An end token that the tokenizer adds behind the text is taken off: a prompt is to be continued. What an
        encoder is to read keeps it, and what an encoder-decoder is to read gets it, as in training.
        """
        ids = list(self.tokenizer(text, add_special_tokens=True, verbose=False)["input_ids"])
        if self.kind != "continues":
            return self._ended(ids) if self.kind == "rewrites" else ids
        if not ids or ids[-1] != self.tokenizer.eos_token_id or ids[-1] == self.tokenizer.bos_token_id:
            return ids
        bare = list(self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
        return ids if bare and ids[-len(bare) :] == bare else ids[:-1]

    def render(self, messages: Sequence[Message]) -> list[int]:
        """A conversation as ids, by the tokenizer's chat template, up to where the assistant begins to speak."""
        if not self.chats:
            raise UserError(
                "{name} has no chat template",
                fix="fine-tune it on conversations with `langwright finetune`, or give it a plain prompt",
                name=self.name,
            )
        return render(self.tokenizer, messages)

    def token_text(self, id: int) -> str:
        """One token alone as text; bytes that are no whole character show as U+FFFD."""
        return self.token_bytes(id).decode("utf-8", "replace")

    def token_bytes(self, id: int) -> bytes:
        """One token alone as bytes."""
        return self.alphabet.token_bytes(id)

    # --- writing -------------------------------------------------------------------------------

    def stream(self, prompt: Prompt, sampling: Sampling | None = None, **options: Unpack[StreamOptions]) -> TextStream:
        """Begin a continuation of a text, or the assistant's next turn of a conversation.

        raises  UserError when the prompt is empty or too long, or messages are given to a model without a template
        """
        return self.stream_ids(self.ids_of(prompt, sampling, options.get("slide", False)), sampling, **options)

    def ids_of(self, prompt: Prompt, sampling: Sampling | None = None, slide: bool = False) -> list[int]:
        """A prompt as ids; with `slide` without its oldest tokens or turns where it is too long.

        raises  UserError when messages are given to a model without a template
        """
        if not slide:
            return self.tokenize(prompt) if isinstance(prompt, str) else self.render(prompt)
        most = (sampling or Sampling()).max_new_tokens
        if isinstance(prompt, str):
            return slid(self.tokenize(prompt), self.context, most)
        return slid_turns(prompt, self.render, self.context, most)

    def stream_ids(
        self, prompt: Sequence[int], sampling: Sampling | None = None, **options: Unpack[StreamOptions]
    ) -> TextStream:
        """`stream` for a prompt that is token ids already."""
        wanted = self.wish(prompt, sampling, **options)
        decoder = TextDecoder(self.alphabet, prompt if self.kind == "continues" else ())
        stream = self.engine.submit(self.request_of(prompt, sampling, wanted, **options))
        return TextStream(stream, decoder, options.get("stop", ()), len(prompt), wanted.verdict)

    def wish(self, prompt: Sequence[int], sampling: Sampling | None, **options: Unpack[StreamOptions]) -> Wish:
        """What is asked of the continuation itself.

        raises  UserError for what cannot be used, or contradicts itself
        """
        most = min((sampling or Sampling()).max_new_tokens, self.context - len(prompt))
        return wish(self, options.get("control"), options.get("guide"), options.get("stop", ()), most)

    def request_of(
        self,
        prompt: Sequence[int],
        sampling: Sampling | None = None,
        wanted: Wish | None = None,
        **options: Unpack[StreamOptions],
    ) -> Request:
        """What the engine is asked for a prompt that is token ids."""
        wanted = wanted or self.wish(prompt, sampling, **options)
        return Request(
            prompt,
            sampling or Sampling(),
            self.stop_ids,
            top_logprobs=options.get("top_logprobs", 0),
            priority=options.get("priority", 0),
            deadline_s=options.get("deadline_s"),
            constraint=wanted.constraint,
            guide=wanted.guide,
            watermark=options.get("watermark", self.watermark),
            adapter=self.adapter,
        )

    def close(self) -> None:
        """Close the engine."""
        self.engine.close()

    # --- measuring -----------------------------------------------------------------------------

    def score_text(self, text: str, given: str = "", *, top: int = 0, rolling: bool = False) -> TextScore:
        """How probable the model finds `text`, after `given` when there is one.

        top      how many of the likeliest tokens to report at the place of each
        rolling  score a text longer than the context too, in windows that leave each token at least half a
                 context before it, instead of refusing it

        The first token is scored after the tokenizer's start token, or its end token, which stands
        between documents in training, where there is no start token; as in lm-evaluation-harness. With
        neither it has no probability, and it is left out of the sum, the tokens and the bytes.
        `given` and `text` are tokenised as one text and parted where `given` alone would end, blanks at
        its end going with `text`, so that a word is never split at the border.

        raises  UserError for an empty text, or one that does not fit the context
        """
        before, after, size = self.parted(text, given)
        if not after:
            raise UserError("the text has no tokens", fix="give a text that is not empty")
        if self.kind == "rewrites":
            return self._score_rewritten(before, after, size)
        ids = [*before, *after]
        long = rolling and len(ids) > self.context
        rows = list(windows(ids, self.context, max(1, self.context // 2))) if long else [Window(ids, len(after))]
        tokens: list[Token] = []
        for row in rows:  # one at a time: alternatives of a long text are many
            tokens += self.read([row.ids], top)[0][-row.scored :]
        tokens = tokens[-len(after) :]

        def named(id: int, value: float) -> tuple[str, float]:
            return self.token_text(id), value

        pairs = tuple(named(token.id, token.logprob) for token in tokens)
        others = tuple(tuple(named(*pair) for pair in token.top) for token in tokens) if top else ()
        return TextScore(math.fsum(token.logprob for token in tokens), tuple(after), pairs, size, others)

    def _refuse_adapter(self) -> None:
        if self.adapter is not None:
            raise UserError(
                "texts are not scored or read with an adapter that is chosen per request",
                fix="open the model with {adapter} merged: langwright.load(MODEL, adapter={adapter!r})",
                adapter=self.adapter,
            )

    def _score_rewritten(self, source: list[int], target: list[int], size: int) -> TextScore:
        """A text that an encoder-decoder would write of a source."""
        self._refuse_adapter()
        logprobs = self.engine.score([target], [source] if source else None)[0]
        pairs = tuple((self.token_text(id), value) for id, value in zip(target, logprobs, strict=True))
        return TextScore(math.fsum(logprobs), tuple(target), pairs, size)

    def read(self, rows: Sequence[Sequence[int]], top: int = 0) -> list[list[Token]]:
        """The tokens of rows but the first of each, with their log-probabilities and `top` alternatives."""
        self._refuse_adapter()
        if top:
            return self.engine.alternatives(rows, top)
        scored = zip(rows, self.engine.score(rows), strict=True)
        return [[Token(id, value) for id, value in zip(row[1:], values, strict=True)] for row, values in scored]

    def embed(
        self, texts: Sequence[str], *, pooling: Pooling = "mean", normalise: bool = False, truncate: bool = False
    ) -> Embedded:
        """One vector a text from its last hidden states; see `embedding.embed_rows`.

        raises  UserError for a text that is empty or too long, and for "cls" where there is no such token
        """
        rows = [self.tokenize(text) for text in texts]
        return self.embed_ids(rows, pooling=pooling, normalise=normalise, truncate=truncate)

    def embed_ids(
        self,
        rows: Sequence[Sequence[int]],
        *,
        pooling: Pooling = "mean",
        normalise: bool = False,
        truncate: bool = False,
    ) -> Embedded:
        """`embed` for texts that are token ids already."""
        self._refuse_adapter()
        check_pooling(self.tokenizer, pooling)
        return embed_rows(
            self.engine.encode, rows, context=self.context, pooling=pooling, normalise=normalise, truncate=truncate
        )

    def room(self, prompt: Sequence[int]) -> int:
        """New tokens that fit behind a prompt.

        raises  UserError when it is empty or leaves no room
        """
        if self.kind == "continues":
            check_prompt(prompt, self.context)
            return self.context - len(prompt)
        check_source(prompt, self.context)
        return self.context - MOST_BEGUN

    def _ended(self, ids: list[int]) -> list[int]:
        """Ids with the end token behind them, once."""
        end = self.tokenizer.eos_token_id
        return ids if end is None or (ids and ids[-1] == end) else [*ids, end]

    def told(self, text: str) -> list[int]:
        """A text as an encoder-decoder would write it, without its end."""
        ids = list(self.tokenizer(text_target=text, verbose=False)["input_ids"])
        return ids[:-1] if ids and ids[-1] == self.tokenizer.eos_token_id else ids

    def parted(self, text: str, given: str) -> tuple[list[int], list[int], int]:
        """(ids to condition on, ids to score, bytes of what is scored), as `score_text` parts them."""
        if self.kind != "continues":
            return self.tokenize(given) if given else [], self.told(text), len(text.encode())
        blanks = len(given) - len(given.rstrip())
        if blanks:
            given, text = given[:-blanks], given[-blanks:] + text
        size = len(text.encode())
        whole = self.tokenize(given + text)
        if given:
            head = len(self.tokenize(given))
            return whole[:head], whole[head:], size
        start = self.tokenizer.bos_token_id if self.tokenizer.bos_token_id is not None else self.tokenizer.eos_token_id
        if start is None:
            return whole[:1], whole[1:], size - len(self.token_bytes(whole[0])) if whole else 0
        return [start], whole[1:] if whole and whole[0] == start else whole, size
