"""Byte-level BPE: nothing is unknown, every text comes back, Chinese and digits are cut as promised."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langwright.data.shipped import conversations, prose_paths
from langwright.errors import UserError
from langwright.runlog import Event, Progressed, RunLog
from langwright.tokenizers.inspection import TokenBytes
from langwright.tokenizers.loading import load_tokenizer, save_tokenizer
from langwright.tokenizers.pieces import pieces_of
from langwright.tokenizers.settings import TokenizerSettings
from langwright.tokenizers.templates import DEFAULT_TEMPLATE
from langwright.tokenizers.training import SPECIAL_TOKENS, train_tokenizer, untrained


def corpus() -> list[str]:
    said = [message.content for row in conversations() for message in row.messages]
    code = Path(__file__).read_text(encoding="utf-8")
    return [
        *(path.read_text(encoding="utf-8") for path in prose_paths()),
        *said,
        code,
        "0123456789 2024 1999 2024 1999",
    ]


def trained(**settings: object):  # type: ignore[no-untyped-def]
    return train_tokenizer(iter(corpus()), TokenizerSettings(**settings), RunLog(None))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def tokenizer():  # type: ignore[no-untyped-def]
    return trained(vocab_size=2000)


def cuts(text: str, split_digits: bool = True) -> list[str]:
    """Pre-tokens, as text."""
    rules = untrained(TokenizerSettings(split_digits=split_digits))
    return [text[begin:end] for _, (begin, end) in rules.pre_tokenizer.pre_tokenize_str(text)]


@pytest.mark.spec("T2", "any text comes back from its tokens, and no token is unknown")
@given(text=st.text(st.characters(codec="utf-8")))
def test_any_unicode_comes_back(tokenizer, text: str) -> None:  # type: ignore[no-untyped-def]
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


def test_offsets_cover_the_text_with_its_spaces(tokenizer) -> None:  # type: ignore[no-untyped-def]
    text = " a  b\n c"
    spans = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    assert "".join(text[begin:end] for begin, end in spans) == text


def test_every_byte_has_a_token(tokenizer) -> None:  # type: ignore[no-untyped-def]
    reader = TokenBytes(tokenizer)
    assert {reader.of(token) for token in tokenizer.get_vocab()} >= {bytes([byte]) for byte in range(256)}


def test_special_tokens_come_first_and_are_not_split(tokenizer) -> None:  # type: ignore[no-untyped-def]
    assert [tokenizer.convert_tokens_to_ids(token) for token in SPECIAL_TOKENS] == [0, 1, 2, 3]
    assert tokenizer("a<|im_end|>b")["input_ids"][1] == 2
    assert (tokenizer.eos_token, tokenizer.pad_token, tokenizer.bos_token) == ("<|endoftext|>", "<|pad|>", None)
    assert tokenizer.decode([0, 1, 2, 3], skip_special_tokens=True) == ""
    assert tokenizer.chat_template == DEFAULT_TEMPLATE


@pytest.mark.spec("T6", "runs of Chinese stand apart from Latin letters, digits and punctuation")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "我们用Python写了3个函数，在2024年。",
            ["我们用", "Python", "写了", "3", "个函数", "，", "在", *"2024", "年", "。"],
        ),
        ("ひらがなとカタカナ", ["ひらがなとカタカナ"]),
        ("def f(x):\n    return x", ["def", " f", "(x", "):\n", "   ", " return", " x"]),
        ("don't stop", ["don", "'t", " stop"]),
        ("a\r\n\n b", ["a", "\r\n\n", " b"]),
        ("x" * 3 + " " * 5 + "y", ["xxx", " " * 4, " y"]),
    ],
)
def test_where_text_is_cut(text: str, expected: list[str]) -> None:
    assert cuts(text) == expected


def test_three_digits_where_they_are_not_split() -> None:
    assert cuts("20241225", split_digits=False) == ["202", "412", "25"]


@given(st.text())
def test_cuts_lose_nothing(text: str) -> None:
    assert "".join(cuts(text)) == text


def test_digits_stand_alone_when_split(tokenizer) -> None:  # type: ignore[no-untyped-def]
    whole = trained(vocab_size=2000, split_digits=False)
    assert len(tokenizer("2024", add_special_tokens=False)["input_ids"]) == 4
    assert len(whole("2024", add_special_tokens=False)["input_ids"]) < 4


def test_a_vocabulary_of_single_digits_reads_the_same_where_three_are_cut(tokenizer) -> None:  # type: ignore[no-untyped-def]
    """What the module says of llama.cpp's `deepseek3-llm`, whose first cut takes up to three digits."""
    from tokenizers import Tokenizer

    rules = json.loads(tokenizer.backend_tokenizer.to_str())
    first = rules["pre_tokenizer"]["pretokenizers"][0]["pattern"]
    assert first == {"Regex": r"\p{N}"}
    first["Regex"] = r"\p{N}{1,3}"
    theirs = Tokenizer.from_str(json.dumps(rules))
    for text in ["在2024年12月25日卖出1,234,567件，共3.14159元", "x = 1000000 + 0xFF", *corpus()[:3]]:
        assert theirs.encode(text).ids == tokenizer.backend_tokenizer.encode(text).ids


def test_tokens_are_no_longer_than_allowed() -> None:
    tokenizer = trained(vocab_size=1500, max_token_bytes=6)
    reader = TokenBytes(tokenizer)
    lengths = [len(reader.of(token) or b"") for token in tokenizer.get_vocab() if token not in SPECIAL_TOKENS]
    assert max(lengths) == 6


@pytest.mark.spec("T2", "the same text and settings give the same tokenizer")
def test_training_is_deterministic(tokenizer) -> None:  # type: ignore[no-untyped-def]
    assert trained(vocab_size=2000).backend_tokenizer.to_str() == tokenizer.backend_tokenizer.to_str()


def test_a_vocabulary_too_large_says_the_largest() -> None:
    text = ["the cat sat on the mat, the cat sat on the hat"] * 3
    with pytest.raises(UserError) as caught:
        train_tokenizer(iter(text), TokenizerSettings(vocab_size=8192), RunLog(None))
    largest = caught.value.values["largest"]
    assert isinstance(largest, int)
    assert 260 < largest < 400
    assert str(largest) in caught.value.fix("zh")
    assert len(train_tokenizer(iter(text), TokenizerSettings(vocab_size=largest), RunLog(None))) == largest


def test_progress_is_reported() -> None:
    events: list[Event] = []
    train_tokenizer(iter(corpus()), TokenizerSettings(vocab_size=300), RunLog(None, events.append), 10)
    progress = [event for event in events if isinstance(event, Progressed)]
    assert progress[-1].done == progress[-1].total == sum(len(text.encode()) for text in corpus())


@pytest.mark.spec("T4", "a saved tokenizer is opened by AutoTokenizer and is the same")
def test_saved_and_opened_it_is_the_same(tokenizer, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from transformers import AutoTokenizer

    save_tokenizer(tokenizer, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "tokenizer.json", "tokenizer_config.json", "chat_template.jinja",
    }  # fmt: skip
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["tokenizer_class"] == "PreTrainedTokenizerFast"
    messages = [{"role": "user", "content": "你好 2024"}]
    for other in (AutoTokenizer.from_pretrained(str(tmp_path)), load_tokenizer(tmp_path)):
        assert len(other) == len(tokenizer)
        assert other.get_vocab() == tokenizer.get_vocab()
        assert other.chat_template == tokenizer.chat_template
        assert other.apply_chat_template(messages, tokenize=False) == tokenizer.apply_chat_template(
            messages, tokenize=False
        )
        assert (other.eos_token_id, other.pad_token_id) == (tokenizer.eos_token_id, tokenizer.pad_token_id)
        for text in corpus()[:30]:
            assert other(text)["input_ids"] == tokenizer(text)["input_ids"]
    save_tokenizer(load_tokenizer(tmp_path), tmp_path / "again")
    for name in ("tokenizer.json", "chat_template.jinja", "tokenizer_config.json"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / name).read_bytes()


# --- characters ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def characters():  # type: ignore[no-untyped-def]
    return trained(vocab_size=1200, unit="character")


def pieces(tokenizer, text: str) -> list[bytes]:  # type: ignore[no-untyped-def]
    table = pieces_of(tokenizer)
    return [table[id] for id in tokenizer(text)["input_ids"]]


@pytest.mark.spec(
    "P5", "in a vocabulary of characters no token is longer than one, so the next token is the next character"
)
def test_no_token_is_longer_than_a_character(characters) -> None:  # type: ignore[no-untyped-def]
    for piece in pieces_of(characters):
        assert len(piece) < 5 and (len(piece) < 2 or len(piece.decode(errors="ignore")) < 2)
    assert pieces(characters, "the cat, 我们.\n") == [c.encode() for c in "the cat, 我们.\n"]
    assert pieces(characters, "the the") == [c.encode() for c in "the the"]


@given(st.text(max_size=40))
def test_characters_come_back_whatever_they_are(characters, text: str) -> None:  # type: ignore[no-untyped-def]
    ids = characters(text)["input_ids"]
    assert b"".join(pieces(characters, text)) == text.encode()
    assert characters.decode(ids, clean_up_tokenization_spaces=False) == text and len(ids) >= len(text)


def test_a_vocabulary_of_characters_may_be_smaller_than_asked_for() -> None:
    found = train_tokenizer(
        iter(["我们我们 ab"] * 3), TokenizerSettings(vocab_size=5000, unit="character"), RunLog(None)
    )
    assert len(found) < 300 and pieces(found, "我们ab") == ["我".encode(), "们".encode(), b"a", b"b"]
