"""Marks of encoders, added to a tokenizer that has none."""

from __future__ import annotations

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from langwright.tokenizers.loading import save_tokenizer
from langwright.tokenizers.marks import add_marks


def plain(**marks):
    tokenizer = Tokenizer(models.WordLevel({"<pad>": 0, "a": 1, "b": 2, "[M]": 3, "<c>": 4, "<s>": 5}, unk_token="a"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", **marks)


def test_marks_are_added_behind_and_put_around_texts(tmp_path):
    tokenizer = plain()
    add_marks(tokenizer)
    assert (tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.mask_token_id) == (6, 7, 8)
    save_tokenizer(tokenizer, tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert again("a b")["input_ids"] == [6, 1, 2, 7]
    pair = again("a", "b b")
    assert pair["input_ids"] == [6, 1, 7, 2, 2, 7] and pair["token_type_ids"] == [0, 0, 0, 1, 1, 1]
    assert again.mask_token_id == 8 and again.encode("[MASK]", add_special_tokens=False) == [8]


def test_a_tokenizer_that_has_them_keeps_its_own():
    tokenizer = plain(mask_token="[M]", cls_token="<c>", sep_token="<s>")
    add_marks(tokenizer)
    assert len(tokenizer) == 6 and tokenizer("a")["input_ids"] == [1]
