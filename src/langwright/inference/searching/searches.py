"""Searches, a pass of the model at a time: which one, how far, and what it refuses."""

from __future__ import annotations

import time
from collections.abc import Generator

from transformers import PreTrainedModel

from langwright.errors import UserError
from langwright.inference.protocol import Beams, Candidate, Request, Search
from langwright.inference.running.lora import Adapter
from langwright.inference.searching.beams import search_beams
from langwright.inference.searching.contrastive import search_contrastive
from langwright.inference.searching.unrolling import Unroll


def searching(
    model: PreTrainedModel, request: Request, search: Search, context: int, adapter: Adapter | None = None
) -> Generator[None, None, list[Candidate]]:
    """The search for one request; yields after each pass of the model."""
    until = None if request.deadline_s is None else time.monotonic() + request.deadline_s
    limit = min(request.sampling.max_new_tokens, context - len(request.prompt))

    def expired() -> bool:
        return until is not None and time.monotonic() >= until

    if isinstance(search, Beams):
        return search_beams(Unroll(model, adapter=adapter), request, search, limit, expired)
    return search_contrastive(Unroll(model, hidden=True, adapter=adapter), request, search, limit, expired)


def refuse_drawing(request: Request) -> None:
    """UserError where a search is asked for beside what needs tokens to be drawn."""
    if request.sampling.temperature:
        raise UserError(
            "temperature = {temperature} draws tokens, and a search looks for the best ones",
            fix="leave out the temperature, or the search",
            temperature=request.sampling.temperature,
        )
    if request.watermark is not None:
        raise UserError(
            "a search takes the best tokens, and a watermark would have others",
            fix="draw with a temperature, or leave out the watermark",
        )
