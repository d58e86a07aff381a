"""Solving by writing: the model's own continuation is the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langwright.tasks.chat import ChatInput, ChatOutput
from langwright.tasks.solvers import Solver

if TYPE_CHECKING:
    from langwright.inference.text import TextModel


def reply(model: TextModel, asked: ChatInput, converses: bool = True) -> ChatOutput:
    """The assistant's next turn, by the tokenizer's chat template.

    raises  UserError when the model has no chat template, or the conversation does not fit its context
    """
    made = model.complete(asked.messages, asked.sampling)
    return ChatOutput(text=made.text, token_ids=made.token_ids, finish_reason=made.finish_reason, seed=made.seed)


GENERATION = Solver(
    name="generation",
    summary="The model writes the answer",
    needs="text",
    maker="langwright finetune MODEL DATASET OUT --task chat",
    solve=reply,
)
