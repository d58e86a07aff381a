"""Words that appear and words that do not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.inference.control.writers import writer
from tests.inference.texts.test_decoding import TOKENIZERS

from langwright.errors import UserError
from langwright.inference.control.settings import Control
from langwright.inference.control.vocabulary import Vocabulary
from langwright.inference.control.words import Must, Never, appears
from langwright.inference.protocol import Sampling
from langwright.inference.texts.decoding import Alphabet

LETTERS = Vocabulary(Alphabet(TOKENIZERS["letters"]), [TOKENIZERS["letters"].eos_token_id])


def passes(words: list[str], text: str) -> bool:
    """Whether a text can be written letter by letter where these words must not appear."""
    cursor = Never(LETTERS, words).start()
    for byte in text.encode():
        id = LETTERS.pieces.index(bytes([byte]))
        if not cursor.allowed()[id]:
            return False
        cursor = cursor.after(id)
    return True


def test_forbidden_words_by_hand() -> None:
    assert not passes(["cat"], "a cat") and not passes(["cat"], "Cat.")
    assert passes(["cat"], "concat") and passes(["cat"], "bobcat ca t")
    assert not passes(["战争"], "是战争吗") and passes(["战争"], "战 争")
    assert passes(["战争"], "战予")  # which differs in its last byte
    assert not passes(["new york"], "in New York!") and passes(["new york"], "in new yolk")
    assert not passes(["aab"], "xx aaab aab") and passes(["aab"], "aaab")
    assert not passes(["..."], "well...") and not passes(["é"], "café é")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.text("aBé战争", min_size=1, max_size=3), min_size=1, max_size=4), st.text("abÉé战争 .£·", max_size=12)
)
def test_what_is_let_through_has_no_forbidden_word(words: list[str], text: str) -> None:
    if passes(words, text):
        assert not any(appears(word).search(text) for word in words)
    else:  # nothing is ruled out but a word, or the beginning of a longer word that begins with one
        prefixes = [text[:at] for at in range(len(text) + 1)]
        assert any(appears(word).search(prefix) for word in words for prefix in prefixes)


@pytest.mark.parametrize("kind", ["letters", "byte-level", "byte-fallback"])
def test_no_text_has_a_forbidden_word_whatever_tokens_spell_it(kind: str) -> None:
    words = ("a", "今天", "e", "the", "。", "fox")
    with writer(kind) as model:
        samplings = [Sampling(temperature=1.5, max_new_tokens=60, seed=seed) for seed in range(15)]
        free = [model.stream("今 fox", one) for one in samplings]
        bound = [model.stream("今 fox", one, control=Control(never=words)) for one in samplings]
        free_texts, texts = [one.result().text for one in free], [one.result().text for one in bound]
    assert any(appears(word).search(text) for word in words for text in free_texts)
    assert not any(appears(word).search(text) for word in words for text in texts)


@pytest.mark.parametrize("kind", ["letters", "byte-level", "byte-fallback"])
def test_every_text_has_the_words_that_must_appear(kind: str) -> None:
    with writer(kind) as model:
        samplings = [Sampling(temperature=t, max_new_tokens=60, seed=seed) for seed in range(8) for t in (0.0, 1.0)]
        streams = [model.stream("a", one, control=Control(must=("moon", "月亮"))) for one in samplings]
        texts = [one.result().text for one in streams]
    assert all(re.search(r"\bmoon(?![a-zA-Z])", text) and "月亮" in text for text in texts), texts


def test_where_the_model_would_end_the_missing_word_is_written_instead() -> None:
    with writer("letters") as model:
        end, x = min(model.stop_ids), model.vocabulary.pieces.index(b"x")

        class Ender:  # makes an end likeliest from the third token on
            def __init__(self, at: int = 0) -> None:
                self.at = at

            def start(self, model: object, prompt: object) -> Ender:
                return Ender()

            def steered(self, logits_V):  # type: ignore[no-untyped-def]
                logits_V = logits_V.clone()
                logits_V[end if self.at >= 3 else x] = logits_V.max() + 20
                return logits_V

            def after(self, id: int) -> Ender:
                return Ender(self.at + 1)

        made = model.complete("a", Sampling(max_new_tokens=80), control=Control(must=("moon",)), guide=Ender())
        none = model.complete("a", Sampling(max_new_tokens=80), guide=Ender())
    assert len(none.token_ids) == 3 and none.finish_reason == "stop"
    assert made.text.endswith(" moon") and made.finish_reason == "stop" and len(made.token_ids) == 3 + 5


def test_words_and_lengths_and_forbidden_words_together() -> None:
    with writer("byte-level") as model:
        control = Control.model_validate(
            {"must": ("moon",), "never": ("a",), "length": {"unit": "words", "at_most": 60}}
        )
        texts = [model.complete("x", Sampling(temperature=1.0, max_new_tokens=80, seed=s), control=control).text for s in range(6)]  # fmt: skip
    for text in texts:
        assert "moon" in text and not appears("a").search(text)


def test_what_does_not_fit_is_refused() -> None:
    with writer() as model:
        with pytest.raises(UserError, match="room for 5"):
            model.stream("a", Sampling(max_new_tokens=5), control=Control(must=("astronomical", "distances")))
        with pytest.raises(UserError, match="bytes together"):
            model.stream("a", control=Control(never=("x" * 1000,) * 5))
    with pytest.raises(UserError, match="cannot be written"):
        Must(Vocabulary(Alphabet(TOKENIZERS["word-piece"]), []), ["猫"], 50)
