"""Writing an article together: a person and a model, from an outline over sections to the whole.

A document is one JSON file, so it can be left and gone on with. The model proposes, the person accepts, edits or rejects
each step; what was rejected is not proposed again, and an edit wins over everything. Nothing is written into a section
that a person has accepted.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from langwright.errors import UserError
from langwright.inference.protocol import Sampling
from langwright.tasks.article import Heading, Outline, OutlineInput, Section, SectionInput
from langwright.tasks.solving.drafting import Held
from langwright.tasks.together.deciding import read_model
from langwright.wording import Language

if TYPE_CHECKING:
    from langwright.tasks.front.loading import Model

State = Literal["open", "proposed", "accepted"]
SHOWN = 600  # characters of what stands before that a section is written with


class Proposal(BaseModel):
    """What the model proposes, and what was looked at in it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str
    checks: tuple[Held, ...] = ()
    seed: int = 0


class Chapter(BaseModel):
    """A section: its heading, what it says, and how far it is.

    text      as accepted; or how it begins, where it is open
    rejected  proposals that were turned down
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    heading: Heading
    text: str = ""
    state: State = "open"
    proposal: Proposal | None = None
    rejected: tuple[str, ...] = ()


class Document(BaseModel):
    """An article on its way.

    outline   state of the outline; its sections are `chapters`
    rejected  outlines that were turned down, a heading a line
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    title: Annotated[str, Field(min_length=1)]
    brief: str = ""
    language: Language = "en"
    sections: Annotated[int, Field(ge=1, le=20)] = 4
    outline: State = "open"
    chapters: tuple[Chapter, ...] = ()
    rejected: tuple[str, ...] = ()

    # --- what comes next ---------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        """Whether every section is accepted."""
        return self.outline == "accepted" and all(one.state == "accepted" for one in self.chapters)

    @property
    def next_chapter(self) -> int | None:
        """Number of the first section that is open, from 1."""
        return next((number for number, one in enumerate(self.chapters, 1) if one.state == "open"), None)

    def proposed(self, model: Model, chapter: int | None, sampling: Sampling, tries: int) -> Document:
        """With the model's next proposal: the outline, then one section after the other, or the section named.

        raises  UserError where something waits for a decision, or everything is accepted
        """
        if self.outline != "accepted":
            if self.outline == "proposed":
                raise waits("0")
            return self._with_outline(model, sampling, tries)
        number = chapter or self.next_chapter
        waiting = [str(place) for place, one in enumerate(self.chapters, 1) if one.state == "proposed"]
        if number is None and waiting:
            raise waits(", ".join(waiting))
        if number is None:
            raise UserError("every section is accepted", fix="see the whole with `langwright cowrite show`")
        return self._with_section(model, number, sampling, tries)

    def _with_outline(self, model: Model, sampling: Sampling, tries: int) -> Document:
        asked = OutlineInput(
            title=self.title, brief=self.brief, sections=self.sections, language=self.language,
            unlike=self.rejected, sampling=sampling, tries=tries,
        )  # fmt: skip
        found = model.solve("outline", asked)
        assert isinstance(found, Outline)
        if not found.sections:
            raise UserError(
                "no whole outline came of {tries} tries",
                fix="allow more with --max-new-tokens or --tries, or give your own: `langwright cowrite decide FILE --heading ...`",
                tries=tries,
            )
        chapters = tuple(Chapter(heading=one) for one in found.sections)
        return self.model_copy(update={"chapters": chapters, "outline": "proposed"})

    def _with_section(self, model: Model, number: int, sampling: Sampling, tries: int) -> Document:
        one = self._chapter(number)
        if one.state == "accepted":
            raise UserError(
                "section {number} is accepted, and is not written again",
                fix="turn it down first: `langwright cowrite decide FILE --reject {number}`",
                number=number,
            )
        before = "\n\n".join(other.text for other in self.chapters[: number - 1] if other.text)
        asked = SectionInput(
            title=self.title, heading=one.heading.heading, points=one.heading.points, before=before[-SHOWN:], start=one.text,
            headings=tuple(other.heading.heading for other in self.chapters), language=self.language,
            unlike=one.rejected, sampling=sampling, tries=tries,
        )  # fmt: skip
        found = model.solve("section", asked)
        assert isinstance(found, Section)
        proposal = Proposal(text=found.text, checks=found.checks, seed=found.seed)
        return self._put(number, one.model_copy(update={"state": "proposed", "proposal": proposal}))

    # --- what a person decides ---------------------------------------------------------------------

    def planned(self, headings: tuple[Heading, ...]) -> Document:
        """With the person's own outline; sections of the same heading keep what they have."""
        kept = {one.heading.heading: one for one in self.chapters}
        chapters = tuple(
            kept[one.heading].model_copy(update={"heading": one if one.points else kept[one.heading].heading})
            if one.heading in kept
            else Chapter(heading=one)
            for one in headings
        )
        return self.model_copy(update={"chapters": chapters, "outline": "accepted", "sections": len(headings)})

    def accepted(self, number: int) -> Document:
        """The outline (0) or a section taken as proposed."""
        if number == 0:
            if self.outline != "proposed":
                raise nothing_proposed(number)
            return self.model_copy(update={"outline": "accepted"})
        one = self._chapter(number)
        if one.proposal is None or one.state != "proposed":
            raise nothing_proposed(number)
        return self._put(number, one.model_copy(update={"state": "accepted", "text": one.proposal.text, "proposal": None}))  # fmt: skip

    def turned_down(self, number: int) -> Document:
        """The outline (0) or a section rejected, so that another is proposed next."""
        if number == 0:
            if self.outline == "open" or any(one.text for one in self.chapters):
                raise nothing_proposed(number)
            said = "\n".join(one.heading.heading for one in self.chapters)
            return self.model_copy(update={"outline": "open", "chapters": (), "rejected": (*self.rejected, said)})
        one = self._chapter(number)
        said = one.proposal.text if one.proposal is not None else one.text
        if not said or one.state == "open":
            raise nothing_proposed(number)
        text = "" if one.state == "accepted" else one.text
        return self._put(number, one.model_copy(update={"state": "open", "text": text, "proposal": None, "rejected": (*one.rejected, said)}))  # fmt: skip

    def edited(self, number: int, text: str) -> Document:
        """The person's own text of a section, accepted."""
        return self._put(number, self._chapter(number).model_copy(update={"state": "accepted", "text": text, "proposal": None}))  # fmt: skip

    def begun(self, number: int, text: str) -> Document:
        """How a section begins in the person's own words; the model goes on from there."""
        return self._put(number, self._chapter(number).model_copy(update={"state": "open", "text": text, "proposal": None}))  # fmt: skip

    def _chapter(self, number: int) -> Chapter:
        if not 1 <= number <= len(self.chapters) or self.outline != "accepted":
            raise UserError(
                "there is no section {number}",
                fix="sections are numbered from 1 to {count}, once the outline is accepted",
                number=number,
                count=len(self.chapters),
            )
        return self.chapters[number - 1]

    def _put(self, number: int, chapter: Chapter) -> Document:
        chapters = (*self.chapters[: number - 1], chapter, *self.chapters[number:])
        return self.model_copy(update={"chapters": chapters})

    # --- showing -----------------------------------------------------------------------------------

    def markdown(self) -> str:
        """The article as it stands: what is accepted, and of the rest what is planned."""
        parts = [f"# {self.title}"]
        for one in self.chapters:
            parts.append(f"## {one.heading.heading}")
            if one.text:
                parts.append(one.text)
            if one.state != "accepted" and one.heading.points:
                parts.append("\n".join(f"- {point}" for point in one.heading.points))
        return "\n\n".join(parts) + "\n"


def waits(what: str) -> UserError:
    """What is said where a decision is due first."""
    return UserError(
        "what was proposed waits for your decision: {what}",
        fix="`langwright cowrite decide FILE --accept N` or `--reject N`; 0 is the outline",
        what=what,
    )


def nothing_proposed(number: int) -> UserError:
    """What is said where there is nothing to decide about."""
    return UserError(
        "nothing of number {number} can be decided about now",
        fix="0 is the outline, sections count from 1; `langwright cowrite go` proposes what comes next",
        number=number,
    )


def read_document(path: Path) -> Document:
    """The document of a file; UserError when it is none."""
    return read_model(path, Document, "a document of `langwright cowrite`")
