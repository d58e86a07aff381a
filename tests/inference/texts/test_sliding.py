"""Prompts longer than the context: refused with the number too many, or shortened where that was asked for."""

from __future__ import annotations

import doctest

import pytest

from langwright.data.schemas import Message
from langwright.errors import UserError
from langwright.inference.fake import Parrot, letters
from langwright.inference.protocol import Sampling
from langwright.inference.texts import sliding
from langwright.inference.texts.sliding import slid_turns
from langwright.inference.texts.text import TextModel


def model(context: int) -> TextModel:
    return TextModel(Parrot(context), letters(), "parrot")


@pytest.mark.spec("G1", "a prompt longer than the context is refused with the number of tokens too many, or slides")
def test_a_long_prompt_is_refused_or_slides() -> None:
    prompt = "0123456789" * 3
    with pytest.raises(
        UserError, match="30 tokens, which with one new token is 11 more than the model's context of 20"
    ):
        model(20).complete(prompt, Sampling(max_new_tokens=4))
    assert model(20).complete(prompt, Sampling(max_new_tokens=4), slide=True).text == prompt[-16:-12]
    assert model(20).complete(prompt, Sampling(max_new_tokens=400), slide=True).text == prompt[-10:]
    assert model(40).complete(prompt, Sampling(max_new_tokens=4), slide=True).text == prompt[:4]


def turns(*said: str) -> list[Message]:
    roles = ("system", "user", "assistant", "user", "assistant", "user")
    return [Message(role=role, content=text) for role, text in zip(roles, said, strict=False)]  # type: ignore[arg-type]


def plainly(messages: object) -> list[int]:
    return [len(message.content) for message in messages for _ in message.content]  # type: ignore[attr-defined]


def test_old_turns_go_with_their_answers_and_the_system_stays() -> None:
    talk = turns("s" * 2, "a" * 3, "b" * 4, "c" * 5, "d" * 6, "e" * 7)
    assert slid_turns(talk, plainly, context=100, max_new_tokens=10) == plainly(talk)
    assert slid_turns(talk, plainly, context=30, max_new_tokens=10) == plainly([talk[0], *talk[3:]])
    assert slid_turns(talk, plainly, context=29, max_new_tokens=10) == plainly([talk[0], talk[5]])
    assert slid_turns(talk, plainly, context=12, max_new_tokens=10) == plainly(
        [talk[0], talk[5]]
    )  # too long all the same


def test_the_examples() -> None:
    assert doctest.testmod(sliding).failed == 0
