"""Spans as tags of tokens, and rows as heads are given them: by hand, in Chinese and English, and there and back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import BertTokenizer, PreTrainedTokenizerBase

from langwright.data.encoder import Encoder, edges_in, tokens_of
from langwright.data.schemas import Span
from langwright.data.word_tags import judged, tagged, untagged
from langwright.errors import UserError
from langwright.inference.fake import letters
from langwright.tokenizers.layout import layout_of, owned, pieces, shortened, windows

WORDS = ["play", "##ing", "##s", "in", "new", "york", "北", "京", "人", "，", ".", "3", "##4", "a", "##b"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedTokenizerBase:
    file = tmp_path_factory.mktemp("bert") / "vocab.txt"
    file.write_text("\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]), encoding="utf-8")
    tokenizer: PreTrainedTokenizerBase = BertTokenizer(str(file))
    return tokenizer


def spans(*given: tuple[int, int, str]) -> list[Span]:
    return [Span(start=a, end=b, label=label) for a, b, label in given]


# --- tags ----------------------------------------------------------------------------------------


def test_continuations_are_not_judged(bert: PreTrainedTokenizerBase) -> None:
    text = "Playing in New York 34."
    places = pieces(bert, text).places
    assert [text[a:b] for a, b in places] == ["Play", "ing", "in", "New", "York", "3", "4", "."]
    found = tagged(text, places, spans((11, 19, "place"), (20, 22, "n")))
    assert found.tokens == [0, 2, 3, 4, 5, 7]  # not “ing”, not “4”
    assert found.tags == ["O", "O", "B-place", "I-place", "B-n", "O"] and found.lost == 0


def test_chinese_characters_are_words(bert: PreTrainedTokenizerBase) -> None:
    text = "北京人，a北ab"
    places = pieces(bert, text).places
    found = tagged(text, places, spans((0, 2, "地"), (2, 3, "人"), (5, 6, "地")))
    assert found.tags == ["B-地", "I-地", "B-人", "O", "O", "B-地", "O"] and found.lost == 0
    assert untagged(text, places, found.tokens, found.tags) == spans((0, 2, "地"), (2, 3, "人"), (5, 6, "地"))


def test_bytes_of_a_character_are_one_word() -> None:
    text = "a 中b"
    places = pieces(letters(), text).places
    assert judged(text, places) == [0, 2, 5]
    found = tagged(text, places, spans((2, 3, "x")))
    assert found.tags == ["O", "B-x", "O"]
    assert untagged(text, places, found.tokens, found.tags) == spans((2, 3, "x"))


def test_a_span_inside_a_token_is_counted_as_lost(bert: PreTrainedTokenizerBase) -> None:
    text = "playing york"
    places = pieces(bert, text).places
    assert tagged(text, places, spans((0, 4, "x"))).lost == 1  # ends inside a word
    assert tagged(text, places, spans((9, 11, "x"))).lost == 1  # begins after the word's start: no token begins in it
    assert tagged(text, places, spans((8, 12, "x"))).lost == 0


@settings(max_examples=80, deadline=None)
@given(
    words=st.lists(
        st.sampled_from(["playing", "new", "york", "北", "京", "人", "，", "34", "ab"]), min_size=1, max_size=9
    ),
    gaps=st.lists(st.sampled_from(["", " ", "  "]), min_size=9, max_size=9),
    labels=st.lists(st.sampled_from([None, "x", "y"]), min_size=9, max_size=9),
    byte=st.booleans(),
)
def test_there_and_back(bert: PreTrainedTokenizerBase, words: list[str], gaps: list[str], labels: list[str | None], byte: bool) -> None:  # fmt: skip
    text, given_spans = "", []
    for word, gap, label in zip(words, gaps, labels, strict=False):
        text += gap if text[-1:].isascii() is False or not word.isascii() else gap or " "
        if label:
            given_spans.append((len(text), len(text) + len(word), label))
        text += word
    places = pieces(letters() if byte else bert, text).places
    found = tagged(text, places, spans(*given_spans))
    assert found.lost == 0 and untagged(text, places, found.tokens, found.tags) == spans(*given_spans)


# --- layouts and windows -------------------------------------------------------------------------


def test_a_pair_is_laid_out_as_the_tokenizer_does(bert: PreTrainedTokenizerBase) -> None:
    layout = layout_of(bert)
    own = bert("new york", "北京", return_token_type_ids=True)
    ids, types = layout.pair(pieces(bert, "new york").ids, pieces(bert, "北京").ids)
    assert ids == list(own["input_ids"]) and types == list(own["token_type_ids"])
    plain = layout_of(letters())
    assert plain.between == (letters().eos_token_id,) and plain.types is None


@given(st.integers(1, 60), st.integers(3, 12))
def test_windows_cover_everything_and_each_item_is_one_windows(count: int, size: int) -> None:
    stretches = windows(count, size, size // 3)
    assert all(b - a <= size for a, b in stretches)
    mine = owned(stretches)
    assert [item for a, b in mine for item in range(a, b)] == list(range(count))
    assert all(a <= x and y <= b for (a, b), (x, y) in zip(stretches, mine, strict=True))


@given(st.integers(0, 20), st.integers(0, 20), st.integers(2, 30))
def test_the_longer_text_is_cut_first(one: int, other: int, room: int) -> None:
    first, second = shortened(range(one), range(other), room)
    assert len(first) + len(second) == min(one + other, room)
    assert len(first) == one or len(first) >= len(second) - 1 or len(second) == other
    assert list(first) == list(range(len(first))) and list(second) == list(range(len(second)))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["playing ", "new ", "北", "京", "34 "]), min_size=3, max_size=40), st.integers(0, 39), st.integers(1, 3))  # fmt: skip
def test_an_answer_is_found_again_in_its_window(
    bert: PreTrainedTokenizerBase, words: list[str], at: int, count: int
) -> None:
    at = at % len(words)
    context = "".join(words)
    start = len("".join(words[:at]))
    end = len("".join(words[: at + count]).rstrip())
    encoder = Encoder(bert, 24, told=True)
    places, cut = encoder.passage("york", context)
    span = tokens_of(places, start, end)
    assert span is not None
    held = 0
    for window in cut:
        assert len(window.row.ids) <= 24 and (window.row.types[window.offset :] == 1).all()
        first, last = edges_in(window, span)
        if (first, last) == (0, 0):
            continue
        held += 1
        back = places[first - window.offset + window.first][0], places[last - window.offset + window.first][1]
        assert back == (start, end)
    assert held >= 1  # an answer of so few tokens stands whole in some window
    assert edges_in(cut[0], None) == (0, 0)


def test_rows_of_texts(bert: PreTrainedTokenizerBase) -> None:
    encoder = Encoder(bert, 6)
    row = encoder.text("new york in new york")
    assert row.cut and len(row.ids) == 6 and row.ids[-1] == bert.sep_token_id
    assert not encoder.text("new").cut and np.array_equal(encoder.text("new").ids, bert("new")["input_ids"])
    pair = encoder.pair("new york in", "york")
    assert pair.cut and pair.ids.tolist() == bert("new york", "york")["input_ids"]
    with pytest.raises(UserError, match="no room for a passage"):
        Encoder(bert, 6).passage("new york in", "york")


def test_real_tokenizers_lay_out_pairs(shared_data: object) -> None:
    from langwright.tokenizers.loading import load_tokenizer

    folder: Path = shared_data("model-stories260k")  # type: ignore[operator]
    layout = layout_of(load_tokenizer(folder / "hf"))
    assert layout.before and layout.between and layout.types is None
