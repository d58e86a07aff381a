"""Rewriting together with a person: suggestions are accepted, edited or rejected, and it goes on from there.

A session is one JSON file. What was rejected is not offered again; every text that was accepted can be gone back to.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from langwright.errors import UserError
from langwright.files import write_whole
from langwright.tasks.rewording import RewritingInput, Suggestion
from langwright.wording import Term

M = TypeVar("M", bound=BaseModel)
Decision = Literal["open", "accepted", "rejected", "passed"]


class Offer(BaseModel):
    """A suggestion and what was decided about it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    suggestion: Suggestion
    decision: Decision = "open"

    @property
    def text(self) -> str:
        """What it says."""
        return self.suggestion.draft.text


class Session(BaseModel):
    """A text on its way.

    texts   every version, the one that stands last
    offers  every suggestion ever made, in order; those that are open can be decided about
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    texts: Annotated[tuple[str, ...], Field(min_length=1)]
    offers: tuple[Offer, ...] = ()

    @property
    def text(self) -> str:
        """The text as it stands."""
        return self.texts[-1]

    @property
    def open(self) -> list[int]:
        """Numbers of the suggestions that nothing was decided about yet, from 1."""
        return [number for number, offer in enumerate(self.offers, 1) if offer.decision == "open"]

    def asked(self, base: RewritingInput) -> RewritingInput:
        """What is to be asked next: of the text as it stands, unlike what was rejected."""
        rejected = tuple(offer.text for offer in self.offers if offer.decision == "rejected")
        return base.model_copy(update={"text": self.text, "unlike": rejected})

    def offered(self, suggestions: Sequence[Suggestion]) -> Session:
        """With more suggestions; those still open are passed over."""
        new = tuple(Offer(suggestion=one) for one in suggestions)
        return self._with(self.texts, dict.fromkeys(self.open, "passed"), new)

    def accepted(self, number: int, text: str | None = None) -> Session:
        """A suggestion taken, or taken as edited; the others that are open are passed over.

        raises  UserError where there is no such suggestion to decide about
        """
        offer = self._offer(number)
        decided: dict[int, Decision] = {other: "passed" for other in self.open if other != number}
        decided[number] = "accepted"
        return self._with((*self.texts, offer.text if text is None else text), decided)

    def rejected(self, numbers: Sequence[int]) -> Session:
        """Suggestions turned down.

        raises  UserError where there is no such suggestion to decide about
        """
        for number in numbers:
            self._offer(number)
        return self._with(self.texts, dict.fromkeys(numbers, "rejected"))

    def edited(self, text: str) -> Session:
        """The person's own text; suggestions for the one before are passed over."""
        return self._with((*self.texts, text), dict.fromkeys(self.open, "passed"))

    def undone(self) -> Session:
        """The text before this one.

        raises  UserError where it is the first
        """
        if len(self.texts) == 1:
            raise UserError("this is the first text already", fix="there is nothing to go back to")
        return self._with(self.texts[:-1], dict.fromkeys(self.open, "passed"))

    def _offer(self, number: int) -> Offer:
        if number not in self.open:
            raise UserError(
                "there is no open suggestion {number}",
                fix="open ones: {numbers}; `langwright rewrite offer` makes new ones",
                number=number,
                numbers=", ".join(map(str, self.open)) or "-",
            )
        return self.offers[number - 1]

    def _with(self, texts: tuple[str, ...], decided: dict[int, Decision], more: tuple[Offer, ...] = ()) -> Session:
        offers = tuple(
            offer.model_copy(update={"decision": decided.get(number, offer.decision)})
            for number, offer in enumerate(self.offers, 1)
        )
        return Session(texts=texts, offers=offers + more)


def read_session(path: Path) -> Session:
    """The session of a file; UserError when it is none."""
    return read_model(path, Session, "a session of `langwright rewrite`")


def read_model(path: Path, model: type[M], what: str) -> M:
    """What a JSON file of ours holds.

    what    what it should be, an English term of the catalogue
    raises  UserError when it cannot be read, or is something else
    """
    try:
        return model.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UserError("{path} cannot be read: {reason}", fix="check the path", path=path, reason=error.strerror) from None  # fmt: skip
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "-"
        raise UserError(
            "{path} is not {what}: {where}: {reason}",
            fix="give the file that was written, or begin a new one",
            path=path, what=Term(what), where=where, reason=first["msg"],
        ) from None  # fmt: skip


def save(path: Path, model: BaseModel) -> None:
    """Write it whole, in place of what was there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, (model.model_dump_json(indent=1) + "\n").encode())
