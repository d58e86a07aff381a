"""Chat: a conversation in, the assistant's next turn out. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from langwright.data.schemas import Message
from langwright.inference.protocol import FinishReason, Sampling
from langwright.tasks.declaration import Task


class ChatInput(BaseModel):
    """A conversation so far, and how to go on."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    messages: Annotated[
        tuple[Message, ...], Field(min_length=1, description="The conversation so far, each turn with role and content")
    ]
    sampling: Annotated[Sampling, Field(description="How the next token is chosen")] = Sampling()


class ChatOutput(BaseModel):
    """The assistant's next turn."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    text: Annotated[str, Field(description="What the assistant says")]
    token_ids: Annotated[tuple[int, ...], Field(description="The same as the model made it, token by token")]
    finish_reason: Annotated[
        FinishReason, Field(description="stop when the turn came to its end, length when it was cut")
    ]
    seed: Annotated[int, Field(description="The seed in use, given or drawn")]


CHAT = Task(
    name="chat",
    summary="Answer in a conversation",
    dataset="chat",
    input=ChatInput,
    output=ChatOutput,
    solvers=("generation",),
    measures=("loss on assistant tokens", "replies with the expected phrase"),
    templates={},  # the tokenizer's own chat template is the only one: training and answering must not differ
    panel=("messages",),
)
