"""Conversations in every accepted shape."""

from __future__ import annotations

from typing import Any

import pytest

from langwright.data.conversations import NO_CONVERSATION, NO_REPLY, NO_ROLE, NOT_MESSAGES, NotConversation, messages_of

HELLO = [("user", "你好"), ("assistant", "你好！")]


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"messages": [{"role": "user", "content": "你好"}, {"role": "assistant", "content": "你好！"}]}, HELLO),
        ({"conversations": [{"from": "human", "value": "你好"}, {"from": "gpt", "value": "你好！"}]}, HELLO),
        ({"conversations": [{"role": "user", "content": "你好"}, {"role": "bot", "content": "你好！"}]}, HELLO),
        ({"instruction": "你好", "input": "", "output": "你好！"}, HELLO),
        ({"prompt": "你好", "response": "你好！"}, HELLO),
        ({"prompt": "你好", "completion": "你好！"}, HELLO),
        (
            {"instruction": "Add.", "input": "1 2", "output": "3", "history": [["Hi", "Hello"]], "system": "Be brief."},
            [
                ("system", "Be brief."),
                ("user", "Hi"),
                ("assistant", "Hello"),
                ("user", "Add.\n1 2"),
                ("assistant", "3"),
            ],
        ),
        ({"messages": [{"role": "user", "content": "2+2?"}], "expect": "4"}, [("user", "2+2?")]),
        ({"prompt": "a\r\nb\x00", "response": "e\u0301"}, [("user", "a\nb"), ("assistant", "é")]),
    ],
)
def test_shapes(record: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert [(message.role, message.content) for message in messages_of(record)] == expected


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ({"text": "a"}, NO_CONVERSATION),
        ({"instruction": "a"}, NO_CONVERSATION),
        ({"messages": "a"}, NOT_MESSAGES),
        ({"messages": []}, NOT_MESSAGES),
        ({"messages": ["a"]}, NOT_MESSAGES),
        ({"messages": [{"role": "user", "content": 5}]}, NOT_MESSAGES),
        ({"messages": [{"role": "user"}]}, NOT_MESSAGES),
        ({"messages": [{"role": "tool", "content": "a"}]}, NO_ROLE),
        ({"conversations": [{"value": "a"}]}, NO_ROLE),
        ({"messages": [{"role": "user", "content": "a"}]}, NO_REPLY),
        ({"prompt": "a", "response": " "}, NO_REPLY),
        ({"instruction": "a", "output": "b", "history": [["x"]]}, NOT_MESSAGES),
        ({"instruction": 1, "output": "b"}, NOT_MESSAGES),
        ({"prompt": "a", "response": ["b"]}, NOT_MESSAGES),
    ],
)
def test_what_is_no_conversation_says_why(record: dict[str, Any], problem: str) -> None:
    with pytest.raises(NotConversation) as caught:
        messages_of(record)
    assert caught.value.problem == problem
