"""Chat: a conversation in, the assistant's next turn out. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from langwright.data.schemas import ChatRow, Message
from langwright.inference.protocol import FinishReason, Sampling
from langwright.tasks.declaration import Task, TaskInput, TaskOutput


class ChatInput(TaskInput):
    """A conversation so far, and how to go on; a plain text is the user's first turn."""

    messages: Annotated[
        tuple[Message, ...], Field(min_length=1, description="The conversation so far, each turn with role and content")
    ]
    sampling: Annotated[Sampling, Field(description="How the next token is chosen")] = Sampling()

    @field_validator("messages", mode="before")
    @classmethod
    def first_turn(cls, given: object) -> object:
        """A text as a conversation of one turn."""
        return ({"role": "user", "content": given},) if isinstance(given, str) else given


class ChatOutput(TaskOutput):
    """The assistant's next turn."""

    text: Annotated[str, Field(description="What the assistant says")]
    token_ids: Annotated[tuple[int, ...], Field(description="The same as the model made it, token by token")]
    finish_reason: Annotated[
        FinishReason, Field(description="stop when the turn came to its end, length when it was cut")
    ]
    seed: Annotated[int, Field(description="The seed in use, given or drawn")]

    def lines(self) -> list[str]:
        """What is said."""
        return [self.text]


def ask(row: ChatRow) -> ChatInput:
    """What is asked of a row: the conversation up to its last reply."""
    last = max(place for place, turn in enumerate(row.messages) if turn.role == "assistant")
    return ChatInput(messages=row.messages[:last])


CHAT = Task(
    name="chat",
    summary="Answer in a conversation",
    dataset="chat",
    input=ChatInput,
    output=ChatOutput,
    solvers=("generation",),
    measures=("loss on assistant tokens", "replies with the expected phrase"),
    panel=("messages",),  # and no templates: the tokenizer's own is the only one, so that training and answering agree
    lesson="chat",
    ask=ask,
)
