"""What requests about conversations say, and the state that a conversation keeps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, Field, JsonValue

from langwright.inference.protocol import Sampling
from langwright.settings import Settings
from langwright.tasks.dialogue.settings import ContextSettings

if TYPE_CHECKING:
    from langwright.serving.stores.conversations import Conversation

Words = Annotated[str, Field(min_length=1, max_length=2000)]
Name = Annotated[str, Field(min_length=1, max_length=100)]
USUAL = Sampling(temperature=0.7, top_p=0.95, max_new_tokens=256)


class DialogueState(Settings):
    """What a conversation keeps beside its turns; it survives a restart."""

    system: Annotated[str, Field(description="What the model is told before everything else; never left out")] = ""
    notes: Annotated[
        dict[Name, Words],
        Field(description="What is known in this conversation, by name; told to the model with every turn"),
    ] = Field(default_factory=dict)
    context: Annotated[ContextSettings, Field(description="How much of the conversation the model is given")] = (
        ContextSettings()
    )
    policy: Annotated[
        str | None,
        Field(description="What is done about how the user feels: the name of a policy, such as support; nothing when left out"),
    ] = None  # fmt: skip
    judge: Annotated[
        str | None, Field(description="The model that finds how the user feels; the one that answers when left out")
    ] = None
    profile: Annotated[
        bool, Field(description="Tell the model what the user let be remembered, and remember what they ask for")
    ] = False
    learn: Annotated[
        bool,
        Field(description="Whether the user agrees that data sets are made of this conversation; no when left out"),
    ] = False


def state_of(conversation: Conversation) -> DialogueState:
    """The state of a conversation."""
    return DialogueState.model_validate(dict(conversation.state))


class ConversationRequest(DialogueState):
    """POST /v1/conversations: begin one."""

    model: Annotated[str, Field(description="Name of the model, one of those in /v1/models")]
    title: Annotated[str, Field(max_length=200, description="What it is called in lists")] = ""

    def state(self) -> dict[str, JsonValue]:
        """What is kept."""
        return self.model_dump(mode="json", exclude={"model", "title"})


class ConversationChange(Settings):
    """PATCH /v1/conversations/{id}: change what is given."""

    title: Annotated[str | None, Field(max_length=200, description="What it is called in lists")] = None
    model: Annotated[str | None, Field(description="Name of the model that answers from now on")] = None
    head: Annotated[str | None, Field(description="The turn that it goes on from")] = None
    system: Annotated[str | None, Field(description="What the model is told before everything else")] = None
    notes: Annotated[
        dict[Name, Words | None] | None,
        Field(description="Notes to add or replace; null takes one out. The others stay"),
    ] = None
    context: Annotated[ContextSettings | None, Field(description="How much of the conversation the model is given")] = (
        None
    )
    policy: Annotated[str | None, Field(description="Name of a policy; an empty text for none")] = None
    judge: Annotated[str | None, Field(description="The model that finds how the user feels; an empty text for the one that answers")] = None  # fmt: skip
    profile: Annotated[bool | None, Field(description="Whether what the user let be remembered is used")] = None
    learn: Annotated[bool | None, Field(description="Whether the user agrees that data sets are made of it")] = None

    def changed(self, before: DialogueState) -> DialogueState:
        """The state with what is given here."""
        given = self.model_dump(exclude_none=True, include={"system", "profile", "learn"})
        for name in ("policy", "judge"):
            if getattr(self, name) is not None:
                given[name] = getattr(self, name) or None
        if self.context is not None:
            given["context"] = self.context
        if self.notes is not None:
            notes = {**before.notes, **self.notes}
            given["notes"] = {name: said for name, said in notes.items() if said is not None}
        return before.model_copy(update=given)


class AnswerRequest(Settings):
    """POST /v1/conversations/{id}/turns/{turn}/regenerate: answer a turn again."""

    sampling: Annotated[Sampling, Field(description="How the next token is chosen")] = USUAL
    stop: Annotated[tuple[str, ...], Field(max_length=16, description="Texts that end the answer and are left out of it")] = ()  # fmt: skip
    stream: Annotated[bool, Field(description="Send the answer as server-sent events")] = False


class EditRequest(AnswerRequest):
    """POST /v1/conversations/{id}/turns/{turn}/edit: say a turn otherwise, and have it answered."""

    content: Annotated[str, Field(min_length=1, description="What the user says", examples=['"你好"'])]


class TurnRequest(EditRequest):
    """POST /v1/conversations/{id}/turns: say something, and have it answered."""

    parent: Annotated[
        str | None,
        Field(description="The turn it follows, which begins a branch; the last one when left out, an empty text for none"),
    ] = None  # fmt: skip


class BranchRequest(Settings):
    """POST /v1/conversations/{id}/branch: a new conversation from the turns up to one."""

    turn: Annotated[str, Field(description="The last turn that is taken along")]
    title: Annotated[str, Field(max_length=200, description="What it is called in lists")] = ""


class ListQuery(Settings):
    """GET /v1/conversations: which ones."""

    before: Annotated[int | None, Field(ge=1, description="Only with a smaller number, to go on from there")] = None
    limit: Annotated[int, Field(ge=1, le=1000, description="How many")] = 100


class ExportQuery(Settings):
    """GET /v1/conversations/{id}/export: in which form."""

    form: Annotated[
        Literal["tree", "chat", "markdown"],
        Field(description="tree has every branch, chat is the branch in use as a row of a chat dataset, markdown to read it"),
    ] = "tree"  # fmt: skip


class ProfileRequest(Settings):
    """PUT /v1/profile: agree to be remembered."""

    consent: Annotated[Literal[True], Field(description="That the person agrees; nothing is kept without it")]
    purpose: Annotated[str, Field(min_length=1, max_length=500, description="What it is kept for", examples=['"answers that suit me"'])]  # fmt: skip
    facts: Annotated[
        dict[Name, Words], Field(max_length=100, description="What to remember, by name; replaces what was kept")
    ] = Field(default_factory=dict)


class ProfileChange(Settings):
    """PATCH /v1/profile: remember or forget some of it."""

    facts: Annotated[
        dict[Name, Words | None],
        Field(min_length=1, max_length=100, description="What to remember, by name; null forgets one"),
    ]


class FeedbackRequest(Settings):
    """POST /v1/feedback: what one thinks of an answer."""

    conversation: Annotated[str, Field(description="The conversation")]
    turn: Annotated[str, Field(description="The answer it is about")]
    kind: Annotated[
        Literal["rating", "correction", "preference"],
        Field(description="rating has a value, correction a better text, preference another answer to the same turn"),
    ] = "rating"  # fmt: skip
    value: Annotated[float | None, Field(ge=-1, le=1, description="-1 for bad to 1 for good; only of a rating")] = None
    better: Annotated[str, Field(description="What should have been said, or the turn that is preferred")] = ""
    comment: Annotated[str, Field(max_length=4000, description="Why")] = ""


DIALOGUE_BODIES: tuple[type[BaseModel], ...] = (
    ConversationRequest, ConversationChange, TurnRequest, EditRequest, AnswerRequest, BranchRequest, ProfileRequest,
    ProfileChange, FeedbackRequest,
)  # fmt: skip
