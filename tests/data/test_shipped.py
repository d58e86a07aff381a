"""The texts that come with the package are there, and of the promised amount."""

from __future__ import annotations

from langwright.data.shipped import conversations, paraphrases, prose_paths


def test_conversations_are_many_half_chinese_and_carry_what_to_expect() -> None:
    rows = conversations()
    assert len(rows) >= 300
    chinese = conversations("zh")
    assert 0.4 < len(chinese) / len(rows) < 0.6
    assert {row.language for row in chinese} == {"zh"}
    for row in rows:
        assert row.messages[-1].role == "assistant"
        assert row.expect
        assert row.expect in row.messages[-1].content
        assert row.licence == "CC0-1.0"
    assert len({row.id for row in rows}) == len(rows)


def test_paraphrases_were_never_trained_on() -> None:
    asked = {row.messages[0].content for row in conversations()}
    rows = paraphrases()
    assert len(rows) >= 50
    assert {row.language for row in rows} == {"en", "zh"}
    for row in rows:
        assert row.messages[-1].role == "user"
        assert row.expect
        assert row.messages[0].content not in asked


def test_prose_is_long_enough() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in prose_paths())
    assert len(text.encode()) >= 100_000
    assert sum("\u4e00" <= character <= "\u9fff" for character in text) > 0.7 * len(text)
