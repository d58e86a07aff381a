"""Continuations that are UTF-8 whatever the model does."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.inference.texts.test_decoding import TOKENIZERS, byte_level
from tests.inference.tiny import LLAMA, random_model
from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from langwright.inference.engine import TorchEngine
from langwright.inference.protocol import Request, Sampling
from langwright.inference.texts.characters import BETWEEN, WholeCharacters, after_bytes
from langwright.inference.texts.decoding import Alphabet
from langwright.inference.texts.text import TextModel

MID = "山".encode()[:1]


ENDINGS = (
    b"",
    b"\x80",
    b"\x80\x80",
    b"\x80\x80\x80",
    b"\xa0\x80",
    b"\x90\x80\x80",
)  # one of them ends any open character


def ending(data: bytes) -> bytes | None:
    """By Python's decoder: the first ending that makes these bytes UTF-8, None where none does."""
    for end in ENDINGS:
        try:
            (data + end).decode("utf-8")
        except UnicodeDecodeError:
            continue
        return end
    return None


@given(st.one_of(st.binary(max_size=6), st.text(max_size=4).map(lambda text: text.encode("utf-8", "ignore")), st.tuples(st.text(max_size=2), st.binary(max_size=3)).map(lambda both: both[0].encode("utf-8", "ignore") + both[1])))  # fmt: skip
def test_the_automaton_agrees_with_the_decoder_of_python(data: bytes) -> None:
    state = after_bytes(BETWEEN, data)
    assert (state is None) == (ending(data) is None)
    assert (state == BETWEEN) == (ending(data) == b"")


def test_every_pair_and_every_limited_triple_of_bytes() -> None:
    pairs = [bytes([a, b]) for a in range(256) for b in range(256)]
    triples = [bytes([a, b, c]) for a in (0xE0, 0xED, 0xF0, 0xF4, 0xC2) for b in range(256) for c in range(0, 256, 5)]
    for data in pairs + triples:
        assert (after_bytes(BETWEEN, data) is None) == (ending(data) is None), data


@pytest.mark.parametrize("name", ["byte-level", "byte-fallback", "letters"])
def test_what_is_allowed_is_what_the_decoder_can_go_on_from(name: str) -> None:
    tokenizer = TOKENIZERS[name]
    alphabet = Alphabet(tokenizer)
    constraint = WholeCharacters(alphabet)
    for before in (
        b"",
        MID,
        "é".encode()[:1],
        b"\xe0",
        b"\xed",
        b"\xf0",
        b"\xf4",
        "🙂".encode()[:2],
        "🙂".encode()[:3],
    ):
        state = after_bytes(BETWEEN, before)
        assert state is not None
        allowed = constraint.cursors[state].allowed()
        for id in range(len(tokenizer)):
            data = None if id in alphabet.special else alphabet.bytes_of(id)
            wanted = before == b"" if data is None else data != b"" and ending(before + data) is not None
            assert allowed[id] == wanted, (before, id, data)


@pytest.mark.parametrize("temperature", [0.0, 1.0, 5.0])
def test_a_model_of_random_weights_writes_whole_characters(temperature: float) -> None:
    tokenizer = byte_level()
    model = random_model(LLAMA.__class__(**{**LLAMA.to_dict(), "vocab_size": len(tokenizer) + 7}))
    engine = TorchEngine(model)
    text_model = TextModel(engine, tokenizer, "random")
    prompts = [chr(ord("a") + i % 26) * (1 + i // 26) for i in range(40)]
    try:
        sampling = Sampling(temperature=temperature, max_new_tokens=40, seed=5)
        completions = text_model.complete_all(prompts, sampling)
        free = engine.generate([Request(text_model.tokenize(prompt), sampling) for prompt in prompts])
    finally:
        engine.close()
    broken = [tokenizer.decode(completion.ids) for completion in free]
    assert any("\ufffd" in text for text in broken)  # the constraint is what keeps them whole
    assert all(completion.text for completion in completions)
    assert not any("\ufffd" in completion.text for completion in completions)
    assert all(id < len(tokenizer) for completion in completions for id in completion.token_ids)


def test_other_tokens_keep_their_proportions_and_their_own_log_probabilities() -> None:
    tokenizer = TOKENIZERS["letters"]
    constraint = Alphabet(tokenizer).whole_characters
    assert constraint is not None
    model = random_model(LLAMA.__class__(**{**LLAMA.to_dict(), "vocab_size": len(tokenizer)}), scale=1.0)
    prompt = tokenizer("春")["input_ids"]
    with torch.no_grad():
        probability = model(torch.tensor([prompt])).logits[0, -1].double().softmax(-1).numpy()
    allowed = constraint.cursors[BETWEEN].allowed()
    engine = TorchEngine(model, max_batch=64)
    try:
        requests = [Request(prompt, Sampling(temperature=1.0, max_new_tokens=1, seed=seed), constraint=constraint) for seed in range(3000)]  # fmt: skip
        first = [completion.tokens[0] for completion in engine.generate(requests)]
    finally:
        engine.close()
    assert all(allowed[token.id] for token in first)
    assert [token.logprob for token in first[:20]] == pytest.approx([np.log(probability[t.id]) for t in first[:20]], abs=1e-4)  # fmt: skip
    expected = np.where(allowed, probability, 0) / probability[allowed].sum()
    counts = Counter(token.id for token in first)
    observed = np.array([counts[id] for id in range(len(tokenizer))])
    likely = expected * len(first) >= 5
    chi2 = ((observed - expected * len(first)) ** 2)[likely] / (expected * len(first))[likely]
    assert chi2.sum() < likely.sum() + 5 * np.sqrt(2 * likely.sum())  # five standard deviations of chi-squared


def test_alternatives_are_those_that_could_have_come() -> None:
    tokenizer = TOKENIZERS["letters"]
    constraint = Alphabet(tokenizer).whole_characters
    assert constraint is not None
    engine = TorchEngine(random_model(LLAMA.__class__(**{**LLAMA.to_dict(), "vocab_size": len(tokenizer)})))
    request = Request(
        tokenizer("ab")["input_ids"], Sampling(max_new_tokens=30), top_logprobs=200, constraint=constraint
    )
    try:
        (completion,) = engine.generate([request])
    finally:
        engine.close()
    cursor = constraint.start()
    for token in completion.tokens:
        allowed = cursor.allowed()
        assert token.top[0] == (token.id, token.logprob)  # greedy takes the likeliest
        assert len(token.top) == min(200, allowed.sum()) and all(allowed[id] for id, _ in token.top)
        cursor = cursor.after(token.id)


def test_a_text_does_not_end_inside_a_character() -> None:
    tokenizer = byte_level()
    constraint = Alphabet(tokenizer).whole_characters
    state = after_bytes(BETWEEN, MID)
    assert constraint is not None and state is not None
    assert constraint.cursors[BETWEEN].allowed()[tokenizer.eos_token_id]
    assert not constraint.cursors[state].allowed()[tokenizer.eos_token_id]


def test_tokenizers_without_split_characters_or_without_their_ends_are_left_alone() -> None:
    assert Alphabet(TOKENIZERS["word-piece"]).whole_characters is None
    backend = Tokenizer(models.BPE(vocab={"a": 0, "å": 1}, merges=[]))  # å stands for byte 0xE5 and nothing ends it
    backend.decoder = decoders.ByteLevel()
    assert Alphabet(PreTrainedTokenizerFast(tokenizer_object=backend)).whole_characters is None
