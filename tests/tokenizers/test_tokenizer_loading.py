"""Tokenizers of other projects are opened as they are published, and damaged ones are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from langwright.data.shipped import prose_paths
from langwright.errors import UserError
from langwright.tokenizers.loading import load_tokenizer
from langwright.tokenizers.sentencepiece import fields, read_model

Shared = Callable[[str], Path]
MIXED = "我们用Python写了3个函数,在2024年。 Hello World"


@pytest.mark.spec("T2", "GPT-2's own files are opened, and have a pad token")
def test_gpt2(shared_data: Shared) -> None:
    tokenizer = load_tokenizer(shared_data("tokenizers") / "gpt2")
    assert len(tokenizer) == 50257
    # Ids as every published GPT-2 has them: "Hello world" is 15496 995.
    assert tokenizer("Hello world")["input_ids"] == [15496, 995]
    assert tokenizer.decode(tokenizer("你好，世界 😀")["input_ids"]) == "你好，世界 😀"
    assert tokenizer.pad_token == "<|endoftext|>"
    batch = tokenizer(["a", "a longer text"], padding=True)
    assert len(batch["input_ids"][0]) == len(batch["input_ids"][1])


def test_bert(shared_data: Shared) -> None:
    tokenizer = load_tokenizer(shared_data("tokenizers") / "bert-base-chinese")
    assert len(tokenizer) == 21128
    # [CLS] and [SEP] are 101 and 102 in every published Chinese BERT, 你 and 好 are 872 and 1962.
    assert tokenizer("你好")["input_ids"] == [101, 872, 1962, 102]
    assert tokenizer.pad_token == "[PAD]"


def test_a_converted_llama(shared_data: Shared) -> None:
    tokenizer = load_tokenizer(shared_data("model-stories260k") / "hf")
    assert tokenizer("Once upon")["input_ids"] == [1, 403, 407]
    assert tokenizer.pad_token == "</s>"


# Computed with sentencepiece 0.2.3: SentencePieceProcessor(model_file="chinese_sp.model").encode(text, out_type=str).
PIECES = {
    "我们用Python写了3个函数,在2024年。  Hello  World 😀 ①": "▁我们 用 P y th on 写了 3 个 函数 , 在 20 24 年 。 ▁H el lo ▁W or ld ▁ 😀 ▁1"
}


@pytest.mark.spec("T4", "a SentencePiece model is opened without its library, and cuts as the library does")
def test_sentencepiece_golden(shared_data: Shared) -> None:
    tokenizer = load_tokenizer(shared_data("tokenizers") / "chinese-llama-sp")
    assert len(tokenizer) == 20000
    assert (tokenizer.unk_token, tokenizer.bos_token, tokenizer.eos_token) == ("<unk>", "<s>", "</s>")
    for text, pieces in PIECES.items():
        expected = [piece if piece != "😀" else "<unk>" for piece in pieces.split(" ")]
        assert tokenizer.convert_ids_to_tokens(tokenizer(text)["input_ids"]) == expected
    assert tokenizer.decode(tokenizer(MIXED)["input_ids"]) == MIXED


def test_sentencepiece_parity(shared_data: Shared) -> None:
    library = pytest.importorskip("sentencepiece", reason="the library is only needed to compare with")
    folder = shared_data("tokenizers") / "chinese-llama-sp"
    theirs = library.SentencePieceProcessor(model_file=str(folder / "chinese_sp.model"))
    ours = load_tokenizer(folder)
    lines = [line for path in prose_paths() for line in path.read_text(encoding="utf-8").split("\n")]
    lines += [
        " lead",
        "trail ",
        "a\tb",
        "  ",
        "",
        "ﬁ Ａ １ e\u0301",
        "def f(x):",
        "    return x  # why",
        "Ünïcödé — “quoted”",
    ]
    for line in lines:
        assert ours(line, add_special_tokens=False)["input_ids"] == theirs.encode(line), line


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
@pytest.mark.parametrize("byte_fallback", [True, False])
def test_sentencepiece_parity_of_both_kinds(tmp_path: Path, kind: str, byte_fallback: bool) -> None:
    library = pytest.importorskip("sentencepiece", reason="the library is only needed to compare with")
    lines = [line for path in prose_paths()[:4] for line in path.read_text(encoding="utf-8").split("\n") if line]
    library.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix=str(tmp_path / "m"), vocab_size=1800, model_type=kind,
        byte_fallback=byte_fallback, add_dummy_prefix=byte_fallback, character_coverage=0.99, minloglevel=2,
    )  # fmt: skip
    theirs = library.SentencePieceProcessor(model_file=str(tmp_path / "m.model"))
    ours = load_tokenizer(tmp_path)
    for line in [*lines, "😀 never seen 龘", "   lead  spaces "]:
        assert ours(line, add_special_tokens=False)["input_ids"] == theirs.encode(line), line


# --- refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "problem"),
    [
        ({}, "holds no tokenizer"),
        ({"vocab.json": "{}"}, "holds no tokenizer"),
        ({"tokenizer.json": "{"}, "cannot be read"),
        ({"tokenizer.json": "{}"}, "cannot be read"),
        ({"vocab.json": "{", "merges.txt": ""}, "cannot be read"),
        ({"x.model": "nothing of the kind"}, "is not a SentencePiece model"),
        ({"x.model": ""}, "is not a SentencePiece model"),
    ],
)
def test_damaged_folders_are_refused(tmp_path: Path, files: dict[str, str], problem: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(UserError, match=problem) as caught:
        load_tokenizer(tmp_path)
    assert caught.value.problem("zh") != caught.value.problem("en")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no tokenizer folder"):
        load_tokenizer(tmp_path / "none")


def test_a_torn_sentencepiece_file_is_refused(shared_data: Shared, tmp_path: Path) -> None:
    data = (shared_data("tokenizers") / "chinese-llama-sp" / "chinese_sp.model").read_bytes()
    (tmp_path / "m.model").write_bytes(data[:100_003])
    with pytest.raises(UserError, match="is not a SentencePiece model"):
        read_model(tmp_path / "m.model")


def test_fields_of_a_message_by_hand() -> None:
    """Field 1, a number, 300 (ac 02); field 2, the bytes 'hi'; field 3, four bytes."""
    assert list(fields(b"\x08\xac\x02\x12\x02hi\x1d\x01\x02\x03\x04")) == [
        (1, 300),
        (2, b"hi"),
        (3, b"\x01\x02\x03\x04"),
    ]
