"""Texts of a given length, from models that would go on for ever or end at once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.inference.control.writers import writer
from tests.inference.texts.test_decoding import TOKENIZERS

from langwright.errors import UserError
from langwright.inference.control.counting import count, ends_sentence, sentences
from langwright.inference.control.lengths import Limited
from langwright.inference.control.settings import Control, Length
from langwright.inference.control.vocabulary import Vocabulary
from langwright.inference.protocol import Sampling
from langwright.inference.texts.decoding import Alphabet
from langwright.inference.texts.written import TextCompletion
from langwright.metrics.units import units

KINDS = ["letters", "byte-level", "byte-fallback"]


def written(kind: str, length: Length, texts: int = 12, most: int = 120) -> list[TextCompletion]:
    with writer(kind) as model:
        streams = [
            model.stream(
                "今 a", Sampling(temperature=1.0, max_new_tokens=most, seed=seed), control=Control(length=length)
            )
            for seed in range(texts)
        ]
        return [stream.result() for stream in streams]


def test_words_characters_and_sentences_by_hand() -> None:
    assert count("words", "I don't know; 我不知道 3 of them.") == 10
    assert count("characters", " 今天\n very 好。") == 8
    assert count("sentences", "It is 3.5 m. “Really?” He said... 好！是的。还有") == 5
    assert sentences("He came.  She “left.” 他走了。她") == ["He came.", "She “left.”", "他走了。", "她"]
    assert [ends_sentence(text) for text in ("a.", "好。”\n", "a,", "", "?!")] == [True, True, False, False, True]


@given(st.text("ab' 我他,.。3_", max_size=30))
def test_words_are_the_units_without_signs(text: str) -> None:
    assert count("words", text) == sum(unit[0].isalnum() for unit in units(text))


@pytest.mark.spec("G9", "a length in words, characters or sentences is kept to exactly, the prompt not counted, Chinese characters as words")  # fmt: skip
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("unit", ["words", "characters", "sentences"])
def test_no_text_is_longer_and_the_limit_is_reached(kind: str, unit: str) -> None:
    most = {"words": 7, "characters": 15, "sentences": 1}[unit]
    done = written(kind, Length(unit=unit, at_least=most, at_most=most))
    counts = [count(unit, one.text) for one in done]
    assert max(counts) <= most
    reached = [one for one in done if count(unit, one.text) == most]
    assert len(reached) >= len(done) / 3
    for one in reached:
        if len(one.token_ids) < 120:
            assert one.finish_reason == ("stop" if ends_sentence(one.text) else "length")


@pytest.mark.parametrize("unit", ["words", "characters", "tokens"])
def test_no_text_ends_before_there_is_enough(unit: str) -> None:
    with writer("letters", scale=1.0) as model:
        streams = [model.stream("a", Sampling(temperature=2.0, max_new_tokens=100, seed=seed)) for seed in range(30)]
        bare = [stream.result() for stream in streams]
        assert any(one.finish_reason == "stop" and len(one.token_ids) < 60 for one in bare)  # it would have ended
    for one in written("letters", Length(unit=unit, at_least=60), texts=30, most=100):
        size = len(one.token_ids) if unit == "tokens" else count(unit, one.text)
        assert one.finish_reason == "length" or size >= 60


def test_a_text_may_end_with_its_sentence_inside_the_limits() -> None:
    done = written("letters", Length(unit="characters", at_least=5, at_most=60, whole=True), texts=30)
    ended = [one for one in done if one.finish_reason == "stop"]
    assert ended
    for one in done:
        assert count("characters", one.text) <= 60
        if one.finish_reason == "stop" and ends_sentence(one.text):
            before = [one.text[:at] for at in range(1, len(one.text))]
            assert not any(count("characters", text) >= 5 and ends_sentence(text) for text in before)


def test_a_limit_in_tokens_is_one_in_tokens() -> None:
    assert all(len(one.token_ids) <= 9 for one in written("letters", Length(unit="tokens", at_most=9)))


def test_limits_that_contradict_are_refused() -> None:
    with pytest.raises(UserError, match="contradicts"):
        Length(at_least=5, at_most=3)
    with pytest.raises(UserError, match="do not go together"):
        Control(regex="a", length=Length(at_most=3))


def test_a_word_at_the_limit_may_go_on_and_no_other_may_begin() -> None:
    tokenizer = TOKENIZERS["byte-level"]
    vocabulary = Vocabulary(Alphabet(tokenizer), [tokenizer.eos_token_id])
    cursor = Limited(vocabulary, Length(unit="words", at_most=2)).start()
    for piece in (b"I", b" ", b"d"):
        cursor = cursor.after(vocabulary.pieces.index(piece))
    flags = cursor.allowed()
    allowed = {piece for piece, flag in zip(vocabulary.pieces, flags, strict=True) if flag}
    assert {b"o", b"'", b"."} <= allowed and cursor.ended is None and flags[tokenizer.eos_token_id]
    assert not {b" ", b" quick", "今".encode()[:1], "今天".encode()} & allowed
    assert cursor.after(vocabulary.pieces.index(b".")).ended == "stop"
    assert cursor.after(vocabulary.pieces.index(b",")).ended == "length"
