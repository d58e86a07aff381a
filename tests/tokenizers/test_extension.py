"""A vocabulary that grows: by hand, against the library's own training, and with a model whose old logits stay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from langwright.errors import UserError
from langwright.models.building import build_model
from langwright.models.presets import Preset
from langwright.models.vocabulary import grow
from langwright.runlog import RunLog
from langwright.tokenizers.extension import VocabularySettings, extend_tokenizer
from langwright.tokenizers.loading import load_tokenizer, save_tokenizer
from langwright.tokenizers.settings import TokenizerSettings
from langwright.tokenizers.training import train_tokenizer

ENGLISH = ["The river runs past the old mill and the new bridge, as rivers do."] * 20
CHINESE = ["房间很干净，服务员很热情，早餐很丰富。", "服务态度很好，房间干净。", "酒店的早餐丰富，房间很大。"] * 20


@pytest.fixture(scope="module")
def english():
    return train_tokenizer(iter(ENGLISH), TokenizerSettings(vocab_size=290), RunLog(None))


def extended(tokenizer, texts, tmp_path, **settings):
    parts = extend_tokenizer(tokenizer, texts, VocabularySettings(**settings), tmp_path / "more")
    return parts, load_tokenizer(tmp_path / "more")


def test_going_on_gives_what_one_training_would_have_given(tmp_path: Path) -> None:
    """Stopped half-way and taken up on the same text, the vocabulary is that of the library trained to the end."""
    texts = CHINESE + ENGLISH
    half = train_tokenizer(iter(texts), TokenizerSettings(vocab_size=300), RunLog(None))
    whole = train_tokenizer(iter(texts), TokenizerSettings(vocab_size=340), RunLog(None))
    _, more = extended(half, texts, tmp_path, tokens=40)
    assert len(more) == 340
    ours, theirs = more.get_vocab(), whole.get_vocab()
    assert ours == theirs
    assert [more(text)["input_ids"] for text in texts] == [whole(text)["input_ids"] for text in texts]


def test_texts_without_new_pairs_keep_their_ids(english, tmp_path: Path) -> None:
    parts, more = extended(english, CHINESE, tmp_path, tokens=30)
    assert sorted(parts) == list(range(len(english), len(english) + 30)) and len(more) == len(english) + 30
    for text in (*ENGLISH[:1], "Rivers! 12 old mills\n\nand <|im_start|>user", "ｘ α"):
        assert more(text)["input_ids"] == english(text)["input_ids"]
    for text in CHINESE[:3]:
        ids = more(text)["input_ids"]
        assert len(ids) < len(english(text)["input_ids"]) and more.decode(ids) == text
        assert [old for id in ids for old in parts.get(id, (id,))] == english(text)["input_ids"]
    assert more.chat_template == english.chat_template and more.eos_token_id == english.eos_token_id


def test_the_most_frequent_pair_first_by_hand(english, tmp_path: Path) -> None:
    """房 is three bytes; in 房房房, with nothing else, the first two join, then they with the third, then the two halves."""
    first, second, third = english("房", add_special_tokens=False)["input_ids"]
    parts, _ = extended(english, ["房好"] * 3 + ["房"], tmp_path, tokens=2)
    assert list(parts.values()) == [(first, second), (first, second, third)]


@pytest.mark.parametrize("settings", [{"min_frequency": 1000}, {"max_token_bytes": 4, "min_frequency": 61}])
def test_rare_or_long_pairs_make_no_token(english, tmp_path: Path, settings: dict[str, int]) -> None:
    with pytest.raises(UserError, match="no new token"):
        extended(english, CHINESE[:3], tmp_path, tokens=5, **settings)
    assert not (tmp_path / "more").exists()


def test_tokens_are_no_longer_than_allowed(english, tmp_path: Path) -> None:
    _, more = extended(english, CHINESE, tmp_path, tokens=60, max_token_bytes=6)
    added = [more.convert_ids_to_tokens(id) for id in range(len(english), len(more))]
    assert max(map(len, added)) == 6


def test_only_byte_pair_encoding_goes_on(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="WordPiece"):
        extended(load_tokenizer(shared_data("tokenizers") / "bert-base-chinese"), CHINESE, tmp_path, tokens=5)


def test_the_real_gpt2_vocabulary_learns_chinese(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    old = load_tokenizer(shared_data("tokenizers") / "gpt2")
    parts, more = extended(old, CHINESE, tmp_path, tokens=50)
    assert min(parts) == len(old) == 50257
    text = "The bridge, 12 rivers; it's “new”.\n\tdef f(x): return x"
    assert more(text)["input_ids"] == old(text)["input_ids"]
    assert len(more(CHINESE[0])["input_ids"]) < len(old(CHINESE[0])["input_ids"]) / 2
    assert more.decode(more(CHINESE[0])["input_ids"]) == CHINESE[0]


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("tied", [True, False])
def test_a_model_that_grows_says_the_same_of_old_tokens(english, tmp_path: Path, kind: str, tied: bool) -> None:
    parts, more = extended(english, CHINESE, tmp_path, tokens=30)
    shape = Preset("x", kind, 32, 2, 4, 4, 48, len(english), 64, tie_word_embeddings=tied)  # type: ignore[arg-type]
    model = build_model(shape, seed=2).eval()
    ids = torch.tensor([english(ENGLISH[0])["input_ids"][:20]])
    expected = model(ids).logits
    old = model.get_input_embeddings().weight.detach().clone()
    head = model.get_output_embeddings().weight.detach().clone()
    state = torch.get_rng_state()
    grow(model, parts)
    assert torch.equal(torch.get_rng_state(), state)
    found = model(ids).logits
    assert found.shape[-1] == len(more) == model.config.vocab_size
    torch.testing.assert_close(found[..., : len(english)], expected, rtol=1e-5, atol=1e-6)
    for new, before in parts.items():
        torch.testing.assert_close(model.get_input_embeddings().weight[new], old[list(before)].mean(0))
        torch.testing.assert_close(model.get_output_embeddings().weight[new], head[list(before)].mean(0))
    tied_now = model.get_output_embeddings().weight is model.get_input_embeddings().weight
    assert tied_now == tied
    save_tokenizer(more, tmp_path / "again")
    assert load_tokenizer(tmp_path / "again")("房间很干净")["input_ids"] == more("房间很干净")["input_ids"]
