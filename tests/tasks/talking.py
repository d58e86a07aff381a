"""A model that says one thing, whatever it is asked, and remembers what it was asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from langwright.inference.fake import Parrot, letters
from langwright.inference.texts.text import TextModel
from langwright.tasks.front.model import Model


def talking(reply: str | Callable[[str], str], context: int = 8192) -> Model:
    """A model over an engine that writes the reply, or what it makes of the prompt.

    context  most tokens, here bytes, of prompt and reply
    """
    tokenizer = letters()

    def said(prompt: Sequence[int]) -> list[int]:
        text = reply if isinstance(reply, str) else reply(tokenizer.decode(list(prompt)))
        return [*tokenizer(text, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]

    return Model("talking", None, text=TextModel(Parrot(context=context, reply=said), tokenizer, "talking"))
