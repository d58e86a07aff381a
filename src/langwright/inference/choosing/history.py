"""What one request has written so far, and all that its next choice depends on beside the logits."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING

from langwright.inference.protocol import Cursor, FinishReason, Guidance, Request

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class History:
    """Made with a request and kept until it ends, whatever becomes of its place in the engine.

    ids       prompt and what was written
    cursor    of the request's constraint
    guidance  of its guide, once `begin` has told which model writes
    surprise  the most surprise, in bits, that mirostat lets pass at the next position
    counts    how often each token was written, the prompt not counted; kept only where a penalty needs it
    """

    def __init__(self, request: Request, seed: int, begun: Sequence[int] | None = None) -> None:
        """begun: what a decoder begins with, where the prompt is read by an encoder and no part of the text."""
        self.request = request
        self.sampling = sampling = request.sampling
        self.seed = seed
        self.ids = list(request.prompt if begun is None else begun)
        self.made = 0
        self.cursor: Cursor | None = None if request.constraint is None else request.constraint.start()
        self.guidance: Guidance | None = None
        self.surprise = 2 * sampling.mirostat
        self.counts: dict[int, int] = {}
        self.seen: dict[int, None] = dict.fromkeys(self.ids) if sampling.repetition_penalty != 1 else {}
        self._ends: dict[tuple[int, ...], list[int]] = {}  # what has followed n - 1 tokens
        for end in range(sampling.no_repeat_ngram, len(self.ids) + 1):
            self._note_ngram(end)

    def begin(self, model: PreTrainedModel) -> None:
        """The model that will write is known: the guide may read the prompt. UserError where it cannot."""
        if self.request.guide is not None:
            self.guidance = self.request.guide.start(model, self.request.prompt)

    @property
    def ended(self) -> FinishReason | None:
        """Why the constraint has ended the text without an end token, where it has."""
        return None if self.cursor is None else self.cursor.ended

    def take(self, id: int) -> None:
        """A token was written."""
        sampling = self.sampling
        self.ids.append(id)
        self.made += 1
        if sampling.presence_penalty or sampling.frequency_penalty:
            self.counts[id] = self.counts.get(id, 0) + 1
        if sampling.repetition_penalty != 1:
            self.seen[id] = None
        self._note_ngram(len(self.ids))
        if self.cursor is not None:
            self.cursor = self.cursor.after(id)
        if self.guidance is not None:
            self.guidance = self.guidance.after(id)

    def surprised(self, bits: float) -> None:
        """What was drawn surprised by so many bits: mirostat moves its limit against the error."""
        self.surprise -= self.sampling.mirostat_rate * (bits - self.sampling.mirostat)

    def fork(self) -> History:
        """The same up to here, to go on by itself."""
        twin = copy(self)
        twin.ids, twin.counts, twin.seen = list(self.ids), dict(self.counts), dict(self.seen)
        twin._ends = {key: list(ends) for key, ends in self._ends.items()}
        return twin

    def ruled_out(self) -> set[int]:
        """Tokens that may not come next: they would repeat an n-gram, end a bad word, or end too early."""
        out = set(self.request.stop_ids) if self.made < self.sampling.min_new_tokens else set()
        for *before, last in self.sampling.bad_words:
            if not before or self.ids[-len(before) :] == before:
                out.add(last)
        if n := self.sampling.no_repeat_ngram:
            out.update(self._ends.get(tuple(self.ids[len(self.ids) - n + 1 :]), ()))
        return out

    def _note_ngram(self, end: int) -> None:
        n = self.sampling.no_repeat_ngram
        if 0 < n <= end:
            self._ends.setdefault(tuple(self.ids[end - n : end - 1]), []).append(self.ids[end - 1])
