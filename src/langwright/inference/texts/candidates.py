"""Several continuations of one prompt, no two of them the same text.

drawn    answer number i has seed + i; a text that was there before is left out and another is drawn, so that
         n of them are a sample without replacement; best_of writes more and gives the likeliest by the token
beams    the best ends of a search
greedy   writes one text only, and says so where more are asked for
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, Unpack

from langwright.errors import UserError
from langwright.inference.choosing.sampling import draw_seed
from langwright.inference.protocol import Beams, Candidate, Sampling, Search, Searching, Token
from langwright.inference.texts.decoding import StopStrings, TextDecoder

if TYPE_CHECKING:
    from langwright.inference.texts.text import Prompt, StreamOptions, TextModel
    from langwright.inference.texts.written import TextCompletion

TRIES = 4  # how often as many as are asked for are drawn, before fewer are given


class Writer(Protocol):
    """What draws a continuation: a `TextModel`, or a model behind a URL."""

    def complete_each(
        self, prompt: Prompt, samplings: Sequence[Sampling], **options: Unpack[StreamOptions]
    ) -> list[TextCompletion]:
        """One continuation by each of the samplings."""
        ...


def drawn(
    model: Writer, prompt: Prompt, sampling: Sampling, n: int, best_of: int, **options: Unpack[StreamOptions]
) -> list[TextCompletion]:
    """At most n different texts, in the order drawn; with `best_of` above n the likeliest by the token, best first.

    Fewer than n where the model goes on saying the same.

    raises  UserError for greedy sampling with more than one
    """
    refuse_few(n, best_of)
    if sampling.temperature == 0 and best_of > 1:
        raise UserError(
            "temperature 0 always writes the same text, and {n} different ones are asked for",
            fix="give a temperature above 0, or at least {n} beams",
            n=best_of,
        )
    first = draw_seed() if sampling.seed is None else sampling.seed
    found: dict[str, TextCompletion] = {}
    asked = 0
    while len(found) < best_of and asked < TRIES * best_of:
        more = min(best_of - len(found), TRIES * best_of - asked)
        samplings = [sampling.model_copy(update={"seed": first + asked + number}) for number in range(more)]
        for made in model.complete_each(prompt, samplings, **options):
            found.setdefault(made.text, made)
        asked += more
    if best_of == n:
        return list(found.values())
    return sorted(found.values(), key=lambda made: made.mean_logprob, reverse=True)[:n]


def searched(
    model: TextModel, prompt: Prompt, sampling: Sampling, n: int, search: Search, **options: Unpack[StreamOptions]
) -> list[TextCompletion]:
    """At most n different texts that a search found, best first.

    raises  UserError for more than the search can find, or an engine that cannot search
    """
    refuse_few(n, n)
    most = search.width if isinstance(search, Beams) else 1
    if n > most:
        raise UserError(
            "{n} different texts are more than this search finds, {most}", fix="give at least {n} beams", n=n, most=most
        )
    if not isinstance(model.engine, Searching):
        raise UserError(
            "the engine of {name} cannot search", fix="load the model here, or draw with a temperature", name=model.name
        )
    ids = model.ids_of(prompt, sampling, options.get("slide", False))
    request = model.request_of(ids, sampling, **options)
    found: dict[str, TextCompletion] = {}
    for candidate in model.engine.search(request, search):
        made = in_text(model, ids, candidate, options.get("stop", ()))
        found.setdefault(made.text, made)
    return list(found.values())[:n]


def in_text(model: TextModel, prompt: Sequence[int], candidate: Candidate, stop: Sequence[str]) -> TextCompletion:
    """What a search found, as text, cut before a stop string."""
    from langwright.inference.texts.written import TextCompletion

    decoder, stops = TextDecoder(model.alphabet, prompt), StopStrings(stop)
    text: list[str] = []
    tokens: list[Token] = []
    for token in candidate.tokens:
        tokens.append(token)
        text.append(stops.push(decoder.push(token.id)))
        if stops.found:
            break
    ids = tuple(token.id for token in tokens)
    reason = "stop" if stops.found else candidate.finish_reason
    return TextCompletion("".join(text) + stops.flush(), ids, reason, 0, len(prompt), tuple(tokens))


def refuse_few(n: int, best_of: int) -> None:
    """UserError where none is asked for, or the best of fewer than are to be given."""
    if n < 1:
        raise UserError("{n} texts are none", fix="ask for at least one", n=n)
    if best_of < n:
        raise UserError(
            "best_of = {best_of} is less than n = {n}",
            fix="write at least as many answers as are given",
            best_of=best_of,
            n=n,
        )
