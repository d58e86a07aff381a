"""A reply that takes note of how the other feels: the emotion is found first, and the reply is asked for with it.

The emotion comes from a trained head where the model has one, else from what the model finds likeliest among the given
ones, or chooses among them where it cannot be asked for probabilities.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from langwright.data.schemas import Message
from langwright.tasks.declaration import Task, TaskOutput
from langwright.tasks.dialogue.feelings import felt
from langwright.tasks.solving.checks import in_language, language_or, reworded
from langwright.tasks.solving.drafting import NAME, Draft, DraftInput, Held, Pen, Wanted
from langwright.wording import Language


class ReplyInput(DraftInput):
    """What was said, and what came before."""

    text: Annotated[str, Field(min_length=1, description="What the other said last")]
    context: Annotated[tuple[str, ...], Field(description="What was said before, oldest first")] = ()
    emotion: Annotated[str | None, Field(description="How the other feels; found out when left out")] = None
    emotions: Annotated[tuple[str, ...], Field(description="Emotions to choose from; seven when left out")] = ()
    language: Annotated[Language | None, Field(description="Language to write in; that of the text when left out")] = (
        None
    )

    def written(self, pen: Pen) -> Reply:
        language = language_or(self.language, self.text)
        found = None if self.emotion else felt(pen, self.text, language, self.emotions)
        emotion, found_by = (found.emotion, found.found_by) if found is not None else (str(self.emotion), "given")
        said = "\n".join(self.context) or "-"
        prompt = pen.prompt("reply", language, {"text": self.text, "context": said, "emotion": emotion})
        (draft,) = pen.drafts(Wanted(prompt, None, (in_language(language), reworded(self.text, 0.2))))
        return Reply(text=draft.text, emotion=emotion, found_by=found_by, checks=draft.checks, seed=draft.seed, solver=NAME)  # fmt: skip


class Reply(TaskOutput):
    """A reply, and the emotion that it answers."""

    text: Annotated[str, Field(description="What to say")]
    emotion: Annotated[str, Field(description="How the other feels")]
    found_by: Annotated[str, Field(description="How that was found: given, head, likelihood or choice")]
    checks: Annotated[tuple[Held, ...], Field(description="What each verifier found")]
    seed: Annotated[int, Field(description="The seed in use, given or drawn")]

    def lines(self) -> list[str]:
        return [f"({self.emotion})", *Draft(text=self.text, checks=self.checks, seed=self.seed).lines()]

    def turn(self) -> Message:
        """As the assistant's turn of a conversation."""
        return Message(role="assistant", content=self.text)


REPLY = Task(
    name="reply",
    summary="Reply to what somebody said, with regard to how they feel",
    dataset="",
    input=ReplyInput,
    output=Reply,
    solvers=(NAME,),
    panel=("text", "context", "emotion"),
)
