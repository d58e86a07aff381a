"""Word boundaries of tokens: by hand, in three kinds of vocabulary, in Chinese and English."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from langwright.data.store import Document, build_store
from langwright.data.words import characters, chinese_words, saved_words, word_spans, words_begin
from langwright.errors import UserError
from langwright.runlog import RunLog
from langwright.tokenizers.pieces import pieces_of

TEXT = "Don't panic: 我们在北京大学用GPT2。"


def spans(cut):
    return [TEXT[a:b] for a, b in word_spans(TEXT, cut)]


def test_words_of_a_text():
    assert spans(characters) == ["Don't", "panic", *"我们在北京大学用", "GPT2"]
    assert spans(chinese_words()) == ["Don't", "panic", "我们", "在", "北京大学", "用", "GPT2"]


def test_tokens_of_bytes_by_hand():
    bei = "北".encode()
    pieces = ["我".encode(), "们在".encode(), bei[:1], bei[1:], "京大学".encode(), b" us", b"ed", b"."]
    assert words_begin(pieces, characters).tolist() == [True, True, True, False, True, True, False, True]
    # 我们 is a word, and the token 们在 ends it: the two stand together; 北京大学 is one word in three tokens.
    assert words_begin(pieces, chinese_words()).tolist() == [True, False, True, False, False, True, False, True]


def test_special_tokens_stand_alone_and_bytes_that_are_no_text_do_no_harm():
    assert words_begin([b"ab", b"", b"c\xff", b"d", b""], characters).tolist()[0]
    assert words_begin([b"a b", b"c", b""], characters).tolist() == [True, False, True]


def word_piece():
    words = ["[UNK]", "[CLS]", "un", "##known", "word", "我", "们", "."]
    tokenizer = Tokenizer(models.WordPiece({w: i for i, w in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer, tokenizer.decoder = pre_tokenizers.BertPreTokenizer(), decoders.WordPiece()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", cls_token="[CLS]")


def test_pieces_of_wordpiece_and_sentencepiece():
    pieces = pieces_of(word_piece())
    assert pieces == [b"", b"", b" un", b"known", b" word", "我".encode(), "们".encode(), b" ."]
    assert words_begin([pieces[i] for i in (2, 3, 4, 5, 6)], characters).tolist() == [True, False, True, True, True]
    assert words_begin([pieces[i] for i in (2, 3, 4, 5, 6)], chinese_words()).tolist() == [
        True,
        False,
        True,
        True,
        False,
    ]
    unigram = Tokenizer(models.Unigram([("<unk>", 0.0), ("▁the", -1.0), ("re", -1.0)], unk_id=0))
    assert pieces_of(PreTrainedTokenizerFast(tokenizer_object=unigram, unk_token="<unk>")) == [b"", b" the", b"re"]


def test_words_of_a_store_are_found_once_and_kept(tmp_path):
    tokenizer = word_piece()
    store = build_store(tmp_path / "store", [Document([2, 3, 4], None, 1), Document([5, 6, 7], None, 1)], 8)
    log = RunLog(tmp_path / "events.jsonl")
    for chinese, expected in ((False, [1, 0, 1, 1, 1, 1]), (True, [1, 0, 1, 1, 0, 1])):
        for _ in range(2):
            found = saved_words(store, tokenizer, log, chinese=chinese)
            assert np.array(found).astype(int).tolist() == expected
    events = (tmp_path / "events.jsonl").read_text().count("finding words")
    saved_words(store, tokenizer, log, chinese=True)
    assert (tmp_path / "events.jsonl").read_text().count("finding words") == events
    log.close()


def test_without_the_dictionary_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "jieba", None)
    chinese_words.cache_clear()
    with pytest.raises(UserError, match="jieba") as caught:
        chinese_words()
    assert "pip install" in caught.value.fix() and "pip install" in caught.value.fix("zh")
    chinese_words.cache_clear()
