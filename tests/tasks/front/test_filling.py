"""Blanks filled by masked language models, against transformers' own answers and sums by hand."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.tasks.tiny import write_writer
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerBase, pipeline

from langwright.errors import UserError
from langwright.inference.fake import letters
from langwright.tasks.front.filling import Filler, open_filler
from langwright.tasks.front.loading import load
from langwright.tokenizers.marks import add_marks

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "dog", "sat", "on", "mat", "##s", "un", "##seen", ".",
         "床", "前", "明", "月", "光", "北", "京"]  # fmt: skip


def masked_model(vocabulary: int, seed: int = 0) -> BertForMaskedLM:
    """Weights large enough that a word depends on those around it."""
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=vocabulary, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48,
        max_position_embeddings=40,
    )  # fmt: skip
    model = BertForMaskedLM(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.mul_(8)
    return model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A WordPiece model, and one over bytes as ours are made."""
    root = tmp_path_factory.mktemp("fillers")
    (root / "words").mkdir()
    (root / "words" / "vocab.txt").write_text("\n".join(WORDS), encoding="utf-8")
    masked_model(len(WORDS)).save_pretrained(root / "words")
    ours = letters()
    add_marks(ours)
    ours.save_pretrained(root / "bytes")
    masked_model(len(ours), seed=1).save_pretrained(root / "bytes")
    write_writer(root / "writer")
    return root


@pytest.fixture(scope="module")
def words(folder: Path) -> Filler:
    return open_filler(folder / "words")


def log_probability(filler: Filler, ids: list[int], place: int, id: int) -> float:
    """By hand, special tokens left out."""
    with torch.no_grad():
        logits_V = filler.model(input_ids=torch.tensor([ids])).logits[0, place].double()
    logits_V[filler.tokenizer.all_special_ids] = -math.inf
    return float(logits_V.log_softmax(-1)[id])


@pytest.mark.spec(
    "P3", "a blank anywhere in a sentence is found, and its likeliest words are those of transformers' pipeline"
)
@pytest.mark.parametrize("text", ["the cat [MASK] on the mat .", "[MASK] cat sat", "the cat sat [MASK]"])
def test_one_blank_equals_the_pipeline(words: Filler, text: str) -> None:
    found = words.fill(text, top=5).fillings
    theirs = pipeline("fill-mask", model=words.model, tokenizer=words.tokenizer, device="cpu")(text, top_k=len(WORDS))
    special = set(words.tokenizer.all_special_ids)
    theirs = [one for one in theirs if one["token"] not in special]
    total = sum(one["score"] for one in theirs)
    assert [one.words[0] for one in found] == [one["token_str"] for one in theirs[:5]]
    for mine, their in zip(found, theirs, strict=False):
        assert mine.probability == pytest.approx(their["score"] / total, rel=1e-4)
        assert mine.text == words.tokenizer.decode(
            [
                id if id != words.tokenizer.mask_token_id else their["token"]
                for id in words.tokenizer(text)["input_ids"]
            ],
            skip_special_tokens=True,
        )


@pytest.mark.spec("P3", "several blanks are filled together, by the chain rule from left to right")
def test_several_blanks_are_filled_together(words: Filler) -> None:
    text = "the [MASK] sat on [MASK] mat"
    ids = words.tokenizer(text)["input_ids"]
    places = [place for place, id in enumerate(ids) if id == words.tokenizer.mask_token_id]
    ordinary = [id for id in range(len(WORDS)) if id not in words.tokenizer.all_special_ids]
    by_hand = {}
    for first in ordinary:
        start = log_probability(words, ids, places[0], first)
        filled = [*ids]
        filled[places[0]] = first
        with torch.no_grad():
            logits_V = words.model(input_ids=torch.tensor([filled])).logits[0, places[1]].double()
        logits_V[words.tokenizer.all_special_ids] = -math.inf
        rest_V = logits_V.log_softmax(-1)
        by_hand |= {(first, second): start + float(rest_V[second]) for second in ordinary}
    best = sorted(by_hand, key=lambda pair: -by_hand[pair])
    found = words.fill(text, top=60)  # a beam as wide as the vocabulary finds the best for certain
    assert [one.probability for one in found.fillings] == pytest.approx(
        [math.exp(by_hand[pair]) for pair in best[:60]], rel=1e-6
    )
    assert found.fillings[0].words == tuple(words.word([id]) for id in best[0])
    alone = found.blanks[1][0]
    assert alone[1] == pytest.approx(max(math.exp(log_probability(words, ids, places[1], id)) for id in ordinary))


@pytest.mark.spec("P3", "words of several tokens: chosen among, or found, each token given those before it")
def test_words_of_several_tokens(words: Filler) -> None:
    found = words.fill("the [MASK] sat", words=["cats", "dog", "unseen", "cat"])
    assert {one.words[0] for one in found.fillings} == {"cats", "dog", "unseen", "cat"}
    by_word = {one.words[0]: one for one in found.fillings}
    tokenizer: PreTrainedTokenizerBase = words.tokenizer
    cat, s, mask = tokenizer.convert_tokens_to_ids(["cat", "##s", "[MASK]"])
    ids = tokenizer("the [MASK][MASK] sat")["input_ids"]
    place = ids.index(mask)
    chain = log_probability(words, ids, place, cat)
    ids[place] = cat
    chain += log_probability(words, ids, place + 1, s)
    assert by_word["cats"].probability == pytest.approx(math.exp(chain), rel=1e-6)
    assert by_word["cats"].text == "the cats sat"
    several = words.fill("the [MASK] sat", top=40, pieces=2).fillings
    cats = next((one for one in several if one.words == ("cats",)), None)
    if cats is not None:  # one number of tokens is as likely as the other
        assert cats.probability == pytest.approx(math.exp(chain) / 2, rel=1e-6)
    assert any(len(tokenizer(one.words[0], add_special_tokens=False)["input_ids"]) == 2 for one in several)


@pytest.mark.spec("P3", "Chinese blanks hold whole characters, whatever the tokens are")
def test_chinese_blanks(folder: Path, words: Filler) -> None:
    assert all(one.words[0] in WORDS for one in words.fill("床前[MASK]月光").fillings)
    assert words.fill("床前明月[MASK]", words=["光", "北京"]).fillings[0].text in (
        "床 前 明 月 光",
        "床 前 明 月 北 京",
    )
    bytes_ = open_filler(folder / "bytes")
    for pieces in (1, 3):
        for one in bytes_.fill("床前[MASK]月光", top=8, pieces=pieces).fillings:
            assert "\ufffd" not in one.text and one.text.startswith("床前") and one.text.endswith("月光")
    assert bytes_.fill("in [MASK] we", words=["it"]).fillings[0].text == "in it we"  # the space is the word's token's
    (chosen,) = bytes_.fill("床前[MASK]月光", words=["明"]).fillings
    assert chosen.text == "床前明月光" and 0 < chosen.probability < 1


def test_what_cannot_be_filled_is_said(folder: Path, words: Filler) -> None:
    for asked, said in (
        (lambda: words.fill("the cat"), "no blank"),
        (lambda: words.fill("the [MASK] [MASK]", words=["cat"]), "one blank"),
        (lambda: words.fill("the [MASK]", words=["zebra"]), "vocabulary"),
        (lambda: words.fill("cat " * 60 + "[MASK]"), "context is 40"),
        (lambda: words.fill("[MASK] " * 7, pieces=4), "shapes"),
    ):
        with pytest.raises(UserError, match=said):
            asked()
    with load(folder / "writer") as model, pytest.raises(UserError, match="cannot fill blanks"):
        model.fill("the [MASK]")


@pytest.mark.spec(
    "T31", "vectors of an encoder: mean over tokens, the first token's, the last one's, at length 1 where wanted"
)
def test_a_filler_is_found_by_its_class_and_embeds(folder: Path) -> None:
    with load(folder / "words") as model:
        assert model.fill("the [MASK] sat").fillings[0].probability > 0
        texts = ["the cat sat", "床前", "on the mat the cat sat on the mat"]
        found = {pooling: model.embeddings(texts, pooling=pooling) for pooling in ("mean", "cls", "last")}
        for row, text in enumerate(texts):
            ids = model.filler.tokenizer(text, return_tensors="pt")
            with torch.no_grad():
                hidden = model.filler.model(**ids, output_hidden_states=True).hidden_states[-1][0].numpy()
            for pooling, want in (("mean", hidden.mean(0)), ("cls", hidden[0]), ("last", hidden[-1])):
                np.testing.assert_allclose(found[pooling].vectors[row], want, atol=1e-5)
        assert (
            found["mean"].tokens == (5, 4, 11) and found["mean"].truncated == (False,) * 3 and found["mean"].width == 32
        )
        unit = model.embed(texts, normalise=True)
        np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, atol=1e-6)
        long = "cat " * 60
        with pytest.raises(UserError, match="context is 40"):
            model.embed(long)
        cut = model.embeddings([long, "cat"], truncate=True)
        assert cut.truncated == (True, False) and cut.tokens == (40, 3)
        np.testing.assert_allclose(cut.vectors[0], model.embed("cat " * 38)[0], atol=1e-5)  # [SEP] is kept
        with pytest.raises(UserError, match="encoder"):
            model.score("the cat")


def test_a_model_without_a_head_embeds(folder: Path, tmp_path: Path) -> None:
    filler = open_filler(folder / "words")
    filler.model.bert.save_pretrained(tmp_path / "bare")
    filler.tokenizer.save_pretrained(tmp_path / "bare")
    with load(tmp_path / "bare") as bare, load(folder / "words") as whole:
        np.testing.assert_allclose(bare.embed("the cat"), whole.embed("the cat"), atol=1e-6)


def test_cls_needs_such_a_token(folder: Path) -> None:
    with load(folder / "writer") as model:
        assert model.embed("abc", pooling="last").shape == model.embed("abc").shape
        with pytest.raises(UserError, match="no token before a text"):
            model.embed("abc", pooling="cls")
