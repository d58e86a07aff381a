"""Tokens are shown by what they stand for, never as a broken character, and their cost is counted right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langwright.data.shipped import prose_paths
from langwright.runlog import RunLog
from langwright.tokenizers.inspection import SAMPLES, inspect, inspection_measures, report_on
from langwright.tokenizers.loading import load_tokenizer
from langwright.tokenizers.settings import TokenizerSettings
from langwright.tokenizers.training import train_tokenizer

Shared = Callable[[str], Path]


@pytest.fixture(scope="module")
def tokenizer():  # type: ignore[no-untyped-def]
    texts = [path.read_text(encoding="utf-8") for path in prose_paths()]
    return train_tokenizer(iter(texts), TokenizerSettings(vocab_size=1200), RunLog(None))


@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\ufffd")))
def test_bytes_of_tokens_are_the_texts_bytes(tokenizer, text: str) -> None:  # type: ignore[no-untyped-def]
    seen = inspect(tokenizer, text)
    assert b"".join(bytes.fromhex(piece.bytes) for piece in seen.pieces) == text.encode()
    assert all("\ufffd" not in (piece.text or "") for piece in seen.pieces)
    assert (seen.characters, seen.bytes, seen.tokens) == (len(text), len(text.encode()), len(seen.pieces))


def test_part_of_a_character_is_shown_by_its_bytes(tokenizer) -> None:  # type: ignore[no-untyped-def]
    pieces = inspect(tokenizer, "😀").pieces
    assert len(pieces) > 1
    assert [piece.text for piece in pieces] == [None] * len(pieces)
    assert "".join(piece.bytes for piece in pieces) == "f09f9880"
    (mark,) = inspect(tokenizer, "<|im_end|>").pieces
    assert mark.special
    assert mark.text == "<|im_end|>"


@pytest.mark.parametrize(
    ("name", "text", "expected", "unknown"),
    [
        ("gpt2", "Hello 你", ["Hello", " ", None, None], 0),
        ("bert-base-chinese", "你好 龘", ["你", "好", "龘"], 1),
        ("chinese-llama-sp", "我们", [" 我们"], 0),
    ],
)
def test_real_tokenizers(shared_data: Shared, name: str, text: str, expected: list[str | None], unknown: int) -> None:
    seen = inspect(load_tokenizer(shared_data("tokenizers") / name), text)
    assert [piece.text for piece in seen.pieces] == expected
    assert seen.unknown == unknown


def test_a_byte_that_stands_for_itself_is_shown_as_one(shared_data: Shared) -> None:
    pieces = inspect(load_tokenizer(shared_data("model-stories260k") / "hf"), "你").pieces
    assert [piece.bytes for piece in pieces][-3:] == ["e4", "bd", "a0"]
    assert [piece.text for piece in pieces][-3:] == [None, None, None]


def test_the_report_counts_by_hand(tokenizer) -> None:  # type: ignore[no-untyped-def]
    report = report_on(tokenizer, {"zh": "春天来了。"})
    group = report.groups[-1]
    ids = tokenizer("春天来了。", add_special_tokens=False)["input_ids"]
    assert (group.name, group.data, group.bytes, group.tokens, group.unknown) == ("zh", "validation", 15, len(ids), 0)
    assert group.bytes_per_token == pytest.approx(15 / len(ids))
    assert group.tokens_per_character == pytest.approx(len(ids) / 5)
    assert [group.name for group in report.groups[:3]] == ["zh", "en", "code"]
    assert len(report.longest) == 20
    lengths = [len(text.encode()) for text in report.longest]
    assert lengths == sorted(lengths, reverse=True)
    assert all(text in "".join(path.read_text(encoding="utf-8") for path in prose_paths()) for text in report.longest)


def test_unknown_tokens_are_counted(shared_data: Shared) -> None:
    report = report_on(load_tokenizer(shared_data("tokenizers") / "bert-base-chinese"), {"zh": "龘龘好"})
    assert report.groups[-1].unknown == 2
    measures = {measure.name: measure.value for measure in inspection_measures(report, "d", "c")}
    assert measures["unknown tokens, zh"] == pytest.approx(2 / 3)


def test_a_tokenizer_of_chinese_is_better_at_chinese(tokenizer, shared_data: Shared) -> None:  # type: ignore[no-untyped-def]
    ours = report_on(tokenizer, {}).groups[0]
    gpt2 = report_on(load_tokenizer(shared_data("tokenizers") / "gpt2"), {}).groups[0]
    assert ours.bytes_per_token > 1.5 * gpt2.bytes_per_token


def test_samples_are_of_the_kind_they_say() -> None:
    assert sum("\u4e00" <= character <= "\u9fff" for character in SAMPLES["zh"]) > 0.8 * len(SAMPLES["zh"])
    assert SAMPLES["en"].isascii()
    compile(SAMPLES["code"], "sample", "exec")
