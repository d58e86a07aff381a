"""An engine over any language model of transformers, causal, encoder-decoder or encoder: continuous batching with a key-value cache.

One thread owns the model. Between two steps requests join the running batch, after their prompts were
read together, and finished ones leave it at once (iteration-level scheduling: Yu et al. 2022, "Orca",
OSDI, section 4). Scores and hidden states are computed by the same thread, piece by piece between
steps, so that a long text does not stop the streams.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor
from transformers import PreTrainedModel

from langwright.errors import UserError
from langwright.inference.choosing.sampling import draw_seed
from langwright.inference.guessing.drafting import guesser_of
from langwright.inference.guessing.speculation import Guessed
from langwright.inference.kernels.preparing import Report
from langwright.inference.limits import (
    cannot_guide,
    cannot_score,
    cannot_search,
    check_prompt,
    check_row,
    check_sampling,
    check_source,
)
from langwright.inference.occupied import Occupied
from langwright.inference.precision import Preparation
from langwright.inference.protocol import Candidate, Completion, Kind, Request, Search, Speculation, Token
from langwright.inference.running.packed import PREFIX_BYTES
from langwright.inference.running.rows import Reader, Row
from langwright.inference.running.streams import QueuedStream
from langwright.inference.running.subject import Subject
from langwright.inference.running.tiers import Tier, TierName
from langwright.inference.running.worker import Job, Worker
from langwright.inference.scoring.likelihood import (
    encode_group,
    groups,
    judged,
    likeliest,
    positions_at_once,
    score_group,
    score_pairs,
    taken,
)
from langwright.inference.scoring.shared import SharedScores
from langwright.inference.searching.searches import refuse_drawing, searching
from langwright.wording import Language

if TYPE_CHECKING:
    from numpy.typing import NDArray

T = TypeVar("T")


class TorchEngine:
    """`Engine` for a transformers model.

    model       put into evaluation mode; the engine's own until `close`, which gives it back as it was
    max_batch   most requests that run together; the others wait
    max_tokens  most positions of all running requests together; default max_batch × context. Memory is taken
                as rows grow; in the packed tier a request that finds none left waits again (packed.py), in
                the others it begins only when what may yet come has room too
    context     most positions of one request, where the model's own limit is not wanted or not known
    max_waiting most requests that wait for a place; without it there is no limit
    prefix_bytes memory for keys and values of prompts that were read, so that others which begin alike need not
                read it again; packed tier only, 0 keeps nothing
    preparation  numbers to compute in, and whether a request's bits may depend on others; not before the engine is
                closed, or `load`ed with the same model, are its weights the caller's again
    speculation  guess several tokens and read them in one pass; packed tier only. The text is the same, but for what is
                drawn after guesses of a smaller model: that has the same distribution, and in strict mode the same text
    draft       the smaller model that guesses, where `speculation` is a `DraftModel`; the caller's
    best_tier   the first way of running rows together that may be tried (tiers.py); the others are slower

    raises  UserError when the model does not say how long its context is, or max_tokens is below the context
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        max_batch: int = 8,
        max_tokens: int | None = None,
        context: int | None = None,
        max_waiting: int | None = None,
        prefix_bytes: int = PREFIX_BYTES,
        best_tier: TierName = "packed",
        preparation: Preparation = Preparation(),
        speculation: Speculation | None = None,
        draft: PreTrainedModel | None = None,
    ) -> None:
        if max_batch < 1:
            raise ValueError(f"max_batch is {max_batch}; an engine needs at least one place")
        self._context_wish, self._preparation = context, preparation
        subject = Subject(model, context, preparation)
        guesser = guesser_of(speculation, draft, subject.vocab_size, preparation.strict)
        try:
            self._worker = Worker(subject, max_batch, max_tokens, best_tier, max_waiting, prefix_bytes, guesser)
            if speculation is not None and (self._worker.tier is None or self._worker.tier.layout is None):
                raise UserError(
                    "guessed tokens cannot be read by models of type {type} here",
                    fix="leave out the speculation",
                    type=model.config.model_type,
                )
        except BaseException:
            with subject.turns:
                subject.release()
            raise
        thread = threading.Thread(target=self._worker.run, name="langwright-engine", daemon=True)
        self._worker.thread = thread
        thread.start()
        # also at the end of the process: a daemon thread inside torch must not outlive the interpreter
        self._finalizer = weakref.finalize(self, self._worker.close)

    @property
    def context(self) -> int:
        """Most positions a prompt and its continuation may take together."""
        return self._worker.subject.context

    @property
    def kind(self) -> Kind:
        """What the model does with a text."""
        return self._worker.subject.kind

    @property
    def vocab_size(self) -> int:
        """Token ids run from 0 to one below this."""
        return self._worker.subject.vocab_size

    @property
    def tier(self) -> Tier | None:
        """How requests run together, and why not in a better way; None for a model that does not write."""
        return self._worker.tier

    def way(self, lang: Language | None = None) -> tuple[str, str]:
        """(name of the tier, why it is not a better one); both empty for a model that does not write."""
        return ("", "") if self.tier is None else (self.tier.name, self.tier.reason(lang))

    @property
    def alive(self) -> bool:
        """False when its thread has died; every request then ends with `EngineDied`."""
        return self._worker.died is None

    def occupied(self) -> Occupied:
        """How busy it is now; from any thread."""
        return self._worker.occupied()

    @property
    def guessed(self) -> Guessed:
        """How many tokens were guessed, and how many of them kept, since the model was loaded."""
        return self._worker.guessed

    @property
    def report(self) -> Report | None:
        """What was done to the model to make it ready."""
        return self._worker.subject.report

    # --- asking --------------------------------------------------------------------------------

    def submit(self, request: Request) -> QueuedStream:
        """Begin one continuation.

        raises  UserError when the prompt is empty or does not fit, or this kind of model cannot write;
                QueueFull when as many wait as may; EngineDied when its thread has died; RuntimeError when it is closed
        """
        subject = self._worker.subject
        subject.refuse_unable()
        check_sampling(request.sampling, subject.vocab_size)
        if subject.beginning is not None and request.guide is not None:
            raise cannot_guide(subject.model.config.model_type)
        check = check_prompt if subject.beginning is None else check_source
        check(request.prompt, subject.context, subject.vocab_size)
        seed = request.sampling.seed
        stream = QueuedStream(draw_seed() if seed is None else seed, self._wake)
        deadline = None if request.deadline_s is None else time.monotonic() + request.deadline_s
        ends = subject.beginning is not None and subject.beginning.ends
        adapter = None if request.adapter is None else subject.adapters[request.adapter]
        self._worker.add(Row(request, [Reader(stream, deadline)], subject.begun, adapter, ends))
        return stream

    def generate(self, requests: Sequence[Request]) -> list[Completion]:
        """The blocking form of `submit`, in the order asked; an error in one cancels the rest."""
        streams: list[QueuedStream] = []
        try:
            streams.extend(self.submit(request) for request in requests)
            return [completion(stream) for stream in streams]
        except BaseException:
            for stream in streams:
                stream.cancel()
            raise

    def search(self, request: Request, search: Search) -> list[Candidate]:
        """The best continuations by beams, or the one by contrast, best first; a pass at a time between those of streams.

        raises  UserError when the request draws, or cannot be submitted
        """
        worker, subject = self._worker, self._worker.subject
        subject.refuse_unable()
        if subject.beginning is not None:
            raise cannot_search(subject.model.config.model_type)
        check_prompt(request.prompt, subject.context, subject.vocab_size)
        check_sampling(request.sampling, subject.vocab_size)
        refuse_drawing(request)
        adapter = None if request.adapter is None else subject.adapters[request.adapter]
        steps = searching(subject.model, request, search, subject.context, adapter)

        def step() -> list[Candidate] | None:
            if worker.subject is not subject:
                raise RuntimeError("the model was exchanged during a search")
            try:
                return next(steps)
            except StopIteration as end:
                return list(end.value)

        while True:
            (found,) = self._results([worker.do(Job(step))])
            if found is not None:
                return list(found)

    def score(self, rows: Sequence[Sequence[int]], given: Sequence[Sequence[int]] | None = None) -> list[list[float]]:
        """Log-probability in nats of each token given all before it; a row of n ids gives n - 1 numbers.

        given   one prompt, or source for an encoder-decoder, a row: then all n ids of the row are scored after it
        raises  UserError for an empty row or one longer than the context, or where this kind of model has no such numbers
        """
        return self._scores(rows, taken, given)

    def judge(
        self, rows: Sequence[Sequence[int]], given: Sequence[Sequence[int]] | None = None
    ) -> list[list[tuple[float, bool]]]:
        """`score`, and of each token whether the model found none likelier; both from one pass.

        raises  UserError for an empty row or one longer than the context
        """
        return [[(logprob, hit == 1.0) for logprob, hit in row] for row in self._scores(rows, judged, given)]

    def alternatives(self, rows: Sequence[Sequence[int]], top: int) -> list[list[Token]]:
        """`score` with the `top` likeliest tokens at the place of each, whatever stands there.

        raises  UserError for an empty row or one longer than the context
        """
        found = self._scores(rows, partial(likeliest, top=min(top, self.vocab_size)))
        return [
            [
                Token(id, numbers[0], tuple((int(other), value) for other, value in pairs_of(numbers[1:])))
                for id, numbers in zip(row[1:], of_row, strict=True)
            ]
            for row, of_row in zip(rows, found, strict=True)
        ]

    def encode(self, rows: Sequence[Sequence[int]]) -> list[NDArray]:  # type: ignore[type-arg]
        """Last hidden states, float32, one array (tokens, width) a row, padding left out.

        raises  UserError for an empty row or one longer than the context
        """
        self._check_rows(rows, self.context)
        return self._in_groups(rows, len, self._together(positions_at_once(self.vocab_size)), encode_group)

    # --- the model -----------------------------------------------------------------------------

    def load(self, model: PreTrainedModel) -> None:
        """Go on with another model, or with the same one after its weights were changed.

        Requests that run are finished with the old one first; those that wait get the new one. Blocks
        until the change is made.
        """
        subject = Subject(model, self._context_wish, self._preparation)
        self._results([self._worker.do(Job(partial(self._worker.adopt, subject), alone=True))])

    def load_adapter(self, name: str, folder: Path) -> None:
        """Have a LoRA adapter at hand for requests that name it; what runs goes on.

        folder  peft's two files, as `langwright finetune --method lora --set merge=false` writes them
        raises  UserError for one of another base, one that cannot be mixed, or a name that is taken
        """
        subject = self._worker.subject
        adapter = subject.adapters.read(name, folder)
        self._results([self._worker.do(Job(partial(subject.adapters.add, adapter)))])

    def unload_adapter(self, name: str) -> None:
        """Have it at hand no more; requests that were submitted with it end with it. UserError for an unknown name."""
        self._worker.subject.adapters.remove(name)

    @property
    def adapters(self) -> tuple[str, ...]:
        """Names of those that are at hand."""
        return tuple(self._worker.subject.adapters.loaded)

    def compute_with(self, threads: int) -> None:
        """Compute with so many threads from the next step on, which may change the last bits of an answer in the making."""
        self._results([self._worker.do(Job(partial(torch.set_num_threads, threads)))])

    def close(self) -> None:
        """End all streams as cancelled, join the thread and give the memory back. May be called twice."""
        self._finalizer()

    def _wake(self) -> None:  # a method of the engine, so that a stream keeps its engine alive
        self._worker.wake()

    def _scores(
        self,
        rows: Sequence[Sequence[int]],
        of: Callable[[Tensor, Tensor], Tensor],
        given: Sequence[Sequence[int]] | None = None,
    ) -> list[list[Any]]:
        subject = self._worker.subject
        if subject.kind == "reads" or (subject.beginning is not None and given is None):
            raise cannot_score(subject.model.config.model_type, subject.kind)
        if given is not None:
            return self._scores_given(rows, given, of)
        self._check_rows(rows, self.context)
        most = positions_at_once(self.vocab_size)
        long_enough = [index for index, row in enumerate(rows) if len(row) > 1]
        asked = [rows[index] for index in long_enough]
        task = SharedScores(asked, most, of)
        if self._worker.shares(task):
            while task.waiting:
                self._results([self._worker.do(Job(partial(self._worker.advance, task)))])
            found = [row.found for row in task.rows]
        else:
            found = self._in_groups(asked, len, self._together(most), partial(score_group, most=most, of=of))
        scores = dict(zip(long_enough, found, strict=True))
        return [scores.get(index, []) for index in range(len(rows))]

    def _scores_given(
        self, rows: Sequence[Sequence[int]], given: Sequence[Sequence[int]], of: Callable[[Tensor, Tensor], Tensor]
    ) -> list[list[Any]]:
        """Scores of whole rows, each after its prompt or source."""
        subject = self._worker.subject
        pairs = list(zip(given, rows, strict=True))
        self._check_rows(given, subject.context)
        if subject.beginning is None:
            whole = self._scores([[*before, *row] for before, row in pairs], of)
            return [found[len(found) - len(row) :] for found, row in zip(whole, rows, strict=True)]
        subject.refuse_unable()
        self._check_rows(rows, subject.context - len(subject.beginning.start))
        work = partial(score_pairs, begun=subject.beginning, of=of)
        most = self._together(positions_at_once(self.vocab_size))
        return self._in_groups(pairs, lambda pair: max(map(len, pair)), most, work)

    def _together(self, most: int) -> int:
        """Positions of a padded batch of rows to read; where strict each row stands alone, for rows of one depend on it."""
        return 1 if self._worker.subject.preparation.strict else most

    def _check_rows(self, rows: Sequence[Sequence[int]], most: int) -> None:
        for row in rows:
            check_row(row, most, self.vocab_size)

    def _in_groups(
        self,
        rows: Sequence[T],
        length: Callable[[T], int],
        most: int,
        work: Callable[[PreTrainedModel, list[T]], list[Any]],
    ) -> list[Any]:
        """Work on rows, a group of like length at a time between steps; the results in the order of the rows."""
        parts = list(groups([length(row) for row in rows], most))
        worker = self._worker
        jobs = [worker.do(Job(partial(worker.apply, work, [rows[index] for index in part]))) for part in parts]
        found: dict[int, Any] = {}
        for part, got in zip(parts, self._results(jobs), strict=True):
            found |= dict(zip(part, got, strict=True))
        return [found[index] for index in range(len(rows))]

    def _results(self, jobs: Sequence[Future[Any]]) -> list[Any]:
        try:
            return [job.result() for job in jobs]
        except BaseException:
            for job in jobs:
                job.cancel()
            raise


def pairs_of(numbers: Sequence[float]) -> Iterator[tuple[float, float]]:
    """(id, log-probability) of alternatives, from all ids and then all values."""
    half = len(numbers) // 2
    return zip(numbers[:half], numbers[half:], strict=True)


def completion(stream: QueuedStream) -> Completion:
    """Read a stream to its end."""
    tokens = tuple(stream)
    reason = stream.finish_reason
    assert reason is not None  # a stream that failed has raised
    return Completion(tokens, reason, stream.seed)
