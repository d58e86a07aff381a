"""Two answers of which one was preferred, as they are published."""

from __future__ import annotations

import pytest

from langwright.data.annotated import preference
from langwright.data.conversations import NotConversation
from langwright.data.records import Malformed
from langwright.data.schemas import Message


def test_a_text_is_a_conversation_of_one_turn() -> None:
    made = preference({"prompt": "q", "chosen": " a ", "rejected": "b"})
    assert made == {"prompt": (Message(role="user", content="q"),), "chosen": "a", "rejected": "b"}
    turns = [{"role": "system", "content": "s"}, {"role": "user", "content": "q"}]
    assert [one.role for one in preference({"prompt": turns, "chosen": "a", "rejected": "b"})["prompt"]] == [
        "system",
        "user",
    ]


@pytest.mark.parametrize("missing", ["prompt", "chosen", "rejected"])
def test_what_is_missing_is_named(missing: str) -> None:
    with pytest.raises((Malformed, NotConversation)):
        preference({name: "x" for name in ("prompt", "chosen", "rejected") if name != missing})
