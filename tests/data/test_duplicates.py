"""Hashes of what rows say, and a compact set of them."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langwright.data.duplicates import SeenKeys, content_key
from langwright.data.schemas import ChatRow, ClassificationRow, Message, TextRow


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Hello World", "hello   world\n", True),
        ("ｈｅｌｌｏ　ｗｏｒｌｄ", "Hello World", True),
        ("你好，世界", "你好 ，世界", True),
        ("straße", "STRASSE", True),
        ("hello world", "hello word", False),
        ("你好", "您好", False),
    ],
)
def test_spacing_case_and_width_do_not_count(one: str, other: str, same: bool) -> None:
    assert (content_key(TextRow(text=one)) == content_key(TextRow(text=other))) is same


def test_labels_and_ids_do_not_count_but_every_message_does() -> None:
    text = content_key(TextRow(id="1", source="x", text="a b"))
    assert text == content_key(ClassificationRow(id="2", text="A B", label="x"))
    asked = Message(role="user", content="q")
    first = ChatRow(messages=(asked, Message(role="assistant", content="yes")))
    second = ChatRow(messages=(asked, Message(role="assistant", content="no")))
    assert content_key(first) != content_key(second)


@given(numbers=st.lists(st.integers(0, 60), max_size=200), fresh=st.integers(1, 20))
def test_it_is_a_set_however_often_it_packs(numbers: list[int], fresh: int) -> None:
    keys = SeenKeys(fresh)
    seen: set[int] = set()
    for number in numbers:
        # Equal first halves, so that the second half is looked at too.
        assert keys.add((number % 3).to_bytes(8, "big") + number.to_bytes(8, "big")) is (number not in seen)
        seen.add(number)
    assert len(keys) == len(seen)


def test_many_keys_take_about_16_bytes_each() -> None:
    keys = SeenKeys(fresh=1 << 14)
    for number in range(100_000):
        keys.add(number.to_bytes(16, "little"))
    packed = sum(array.nbytes for array in keys._packed)
    assert packed + len(keys._fresh) * (sys.getsizeof(b"x" * 16) + 40) < 20 * 100_000 + (100 << 14)
    assert len(keys._packed) < 10
