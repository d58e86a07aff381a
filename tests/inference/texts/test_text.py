"""Text in and text out: templates, stop strings, start and end tokens, scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from tests.inference.tiny import LLAMA, Gate, random_model
from tokenizers import processors
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from langwright.data.schemas import Message
from langwright.errors import UserError
from langwright.inference.engine import TorchEngine
from langwright.inference.fake import Parrot, letters, parrot
from langwright.inference.protocol import Sampling
from langwright.inference.texts.text import TextModel
from langwright.tokenizers.templates import render

CHAT = [Message(role="system", content="Be brief."), Message(role="user", content="你好 🙂")]


@pytest.fixture
def tokenizer() -> PreTrainedTokenizerBase:
    return letters()


@pytest.fixture(scope="module")
def model() -> PreTrainedModel:
    return random_model(
        LLAMA.__class__(**{**LLAMA.to_dict(), "vocab_size": len(letters()) + 1, "max_position_embeddings": 256})
    )


def around(tokenizer: PreTrainedTokenizerBase, template: str) -> PreTrainedTokenizerBase:
    """The same tokenizer with special tokens put around every text."""
    tokenizer.add_special_tokens({"bos_token": "<s>"})
    tokens = [(token, tokenizer.convert_tokens_to_ids(token)) for token in ("<s>", "<|endoftext|>")]
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=tokens)
    return tokenizer


def says(tokenizer: PreTrainedTokenizerBase, reply: str | Sequence[int]) -> TextModel:
    """A model that answers everything with this."""
    ids = tokenizer(reply)["input_ids"] if isinstance(reply, str) else list(reply)
    return TextModel(Parrot(reply=lambda _: ids), tokenizer, "parrot")


# --- prompts -----------------------------------------------------------------------------------


def test_a_prompt_has_the_tokenizers_own_start_token_and_no_end_token(tokenizer: PreTrainedTokenizerBase) -> None:
    bare = tokenizer("ab")["input_ids"]
    assert TextModel(Parrot(), tokenizer, "x").tokenize("ab") == bare
    both = around(tokenizer, "<s> $A <|endoftext|>")
    assert both("ab")["input_ids"] == [both.bos_token_id, *bare, both.eos_token_id]
    text_model = TextModel(Parrot(), both, "x")
    assert text_model.tokenize("ab") == [both.bos_token_id, *bare]
    assert text_model.tokenize("") == [both.bos_token_id]


def test_an_end_token_that_the_person_wrote_stays(tokenizer: PreTrainedTokenizerBase) -> None:
    end = tokenizer.eos_token_id
    assert TextModel(Parrot(), tokenizer, "x").tokenize("ab<|endoftext|>")[-1] == end
    both = around(tokenizer, "<s> $A <|endoftext|>")
    assert TextModel(Parrot(), both, "x").tokenize("ab<|endoftext|>")[-2:] == [both("b")["input_ids"][1], end]


def test_an_empty_prompt_is_refused_where_nothing_begins_a_text(tokenizer: PreTrainedTokenizerBase) -> None:
    with pytest.raises(UserError, match="the prompt is empty"):
        TextModel(Parrot(), tokenizer, "x").complete("")
    assert TextModel(Parrot(), around(tokenizer, "<s> $A"), "x").complete("").prompt_tokens == 1


@pytest.mark.spec("G1", "a conversation is rendered by the template that training used, byte for byte")
def test_a_conversation_is_what_the_template_writes(tokenizer: PreTrainedTokenizerBase) -> None:
    text_model = TextModel(Parrot(reply=lambda prompt: prompt), tokenizer, "x")
    ids = text_model.render(CHAT)
    assert ids == render(tokenizer, CHAT)
    assert tokenizer.decode(ids) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n你好 🙂<|im_end|>\n<|im_start|>assistant\n"
    )
    assert text_model.complete(CHAT).prompt_tokens == len(ids)


def test_a_model_without_a_template_does_not_chat(tokenizer: PreTrainedTokenizerBase) -> None:
    tokenizer.chat_template = None
    text_model = TextModel(Parrot(), tokenizer, "story teller")
    assert not text_model.chats
    with pytest.raises(UserError, match="story teller has no chat template"):
        text_model.complete(CHAT)


def test_text_ends_at_the_end_of_a_turn(tokenizer: PreTrainedTokenizerBase) -> None:
    done = says(tokenizer, "yes<|im_end|>\n<|im_start|>user\nmore").complete(CHAT)
    assert (done.text, done.finish_reason) == ("yes", "stop")
    further = TextModel(
        Parrot(reply=lambda _: tokenizer("a!b")["input_ids"]),
        tokenizer,
        "x",
        stop_ids=frozenset(tokenizer("!")["input_ids"]),
    )
    assert further.complete("?").text == "a"
    assert tokenizer.eos_token_id in further.stop_ids


# --- streams -----------------------------------------------------------------------------------


def test_pieces_add_up_to_the_completion(tokenizer: PreTrainedTokenizerBase) -> None:
    reply = "猫 and 🙂, done"
    stream = says(tokenizer, reply).stream("?", Sampling(max_new_tokens=99, seed=5))
    with pytest.raises(RuntimeError, match="not read to its end"):
        _ = stream.completion
    found = list(stream)
    done = stream.completion
    assert [piece.text for piece in found] == list(reply)
    assert "".join(piece.text for piece in found) == done.text == reply
    assert tuple(token for piece in found for token in piece.tokens) == done.tokens
    assert list(done.token_ids) == tokenizer(reply)["input_ids"]
    assert (done.finish_reason, done.seed, done.prompt_tokens) == ("stop", 5, 1)
    assert list(stream) == []


def test_an_unfinished_character_at_the_end_is_left_out_and_its_ids_are_not(tokenizer: PreTrainedTokenizerBase) -> None:
    done = says(tokenizer, "好好").complete("?", Sampling(max_new_tokens=5))
    assert (done.text, len(done.token_ids), done.finish_reason) == ("好", 5, "length")
    last = list(says(tokenizer, "好好").stream("?", Sampling(max_new_tokens=5)))[-1]
    assert (last.text, len(last.tokens)) == ("", 2)


@pytest.mark.spec("G1", "a stop string across tokens ends the text before it; the ids are exactly what the model made")
@pytest.mark.parametrize(
    ("reply", "stop", "text", "reason"),
    [
        ("one\n\ntwo", ("\n\n",), "one", "stop"),
        ("one\ntwo", ("\n\n",), "one\ntwo", "stop"),
        ("回答。用户：再来", ("用户：", "###"), "回答。", "stop"),
        ("ends with EN", ("END",), "ends with EN", "stop"),
        ("xaaab", ("aab",), "xa", "stop"),
        ("nothing", (), "nothing", "stop"),
    ],
)
def test_stop_strings(
    tokenizer: PreTrainedTokenizerBase, reply: str, stop: tuple[str, ...], text: str, reason: str
) -> None:
    done = says(tokenizer, reply).complete("?", stop=stop)
    assert (done.text, done.finish_reason) == (text, reason)
    ids = tokenizer(reply)["input_ids"]
    assert list(done.token_ids) == ids[: len(done.token_ids)]


def test_a_stop_string_frees_the_place_in_the_engine(
    tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel, gate_of: Callable[[PreTrainedModel], Gate]
) -> None:
    gate = gate_of(model)
    text_model = TextModel(TorchEngine(model, max_batch=1), tokenizer, "x")
    whole = text_model.complete("seed text", Sampling(max_new_tokens=200))
    stop = whole.text[2:4]
    passes = len(gate.shapes)
    gate.pause_s = 0.002
    done = text_model.complete("seed text", Sampling(max_new_tokens=200), stop=[stop])
    assert done.finish_reason == "stop"
    assert done.text == whole.text[: whole.text.index(stop)]
    text_model.complete("next", Sampling(max_new_tokens=1))
    text_model.close()
    assert len(gate.shapes) - passes < 150


def test_leaving_a_with_block_cancels(tokenizer: PreTrainedTokenizerBase) -> None:
    text_model = TextModel(Parrot(reply=lambda _: [65] * 1000), tokenizer, "x")
    with text_model.stream("?", Sampling(max_new_tokens=900)) as stream:
        next(stream)
    list(stream)
    assert stream.finish_reason == "cancelled"
    assert len(stream.completion.token_ids) == 1


def test_what_is_asked_reaches_the_engine(tokenizer: PreTrainedTokenizerBase) -> None:
    text_model = says(tokenizer, "abc")
    done = text_model.complete("?", Sampling(max_new_tokens=2), top_logprobs=1)
    assert done.finish_reason == "length"
    assert [token.top for token in done.tokens] == [((id, 0.0),) for id in done.token_ids]
    assert text_model.complete("?", deadline_s=0.0).finish_reason == "deadline"
    assert text_model.stream_ids(tokenizer("?")["input_ids"], stop=["b"]).result().text == "a"


def test_many_prompts_in_the_order_asked(tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel) -> None:
    text_model = TextModel(TorchEngine(model, max_batch=3), tokenizer, "x")
    prompts = ["one", "two", CHAT, "a longer prompt than the others", "五"]
    together = text_model.complete_all(prompts, Sampling(max_new_tokens=12))
    assert [done.token_ids for done in together] == [
        text_model.complete(prompt, Sampling(max_new_tokens=12)).token_ids for prompt in prompts
    ]
    with pytest.raises(UserError, match="the prompt is empty"):
        text_model.complete_all(["fine", ""])
    assert text_model.complete("still there", Sampling(max_new_tokens=1)).finish_reason in ("length", "stop")
    text_model.close()


@pytest.mark.spec("G2", "text with a seed is the same again, and another seed gives another")
def test_seeds(tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel) -> None:
    text_model = TextModel(TorchEngine(model), tokenizer, "x")
    first, again, other = (
        text_model.complete("你", Sampling(temperature=1.0, max_new_tokens=20, seed=seed)) for seed in (1, 1, 2)
    )
    assert first.token_ids == again.token_ids != other.token_ids
    text_model.close()


# --- measuring ---------------------------------------------------------------------------------


@pytest.mark.spec("T30", "P(y|x) is the product of P(y_t | y_<t, x): log-probability, bits per byte, perplexity")
def test_the_probability_of_a_text_by_the_chain_rule(
    tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel
) -> None:
    text_model = TextModel(TorchEngine(model), tokenizer, "x")
    text = "好 cat"
    ids = [tokenizer.eos_token_id, *tokenizer(text)["input_ids"]]
    with torch.no_grad():
        logprob_TV = model(torch.tensor([ids])).logits[0].double().log_softmax(-1)
    by_hand = [logprob_TV[place, ids[place + 1]].item() for place in range(len(ids) - 1)]
    score = text_model.score_text(text)
    assert score.log_probability == pytest.approx(sum(by_hand), abs=1e-5)
    assert [value for _, value in score.tokens] == pytest.approx(by_hand, abs=1e-5)
    assert score.bytes == 7
    assert score.bits_per_byte == pytest.approx(-sum(by_hand) / math.log(2) / 7, abs=1e-6)
    assert score.perplexity == pytest.approx(math.exp(-sum(by_hand) / 7), rel=1e-5)
    given, rest = text_model.score_text("好 "), text_model.score_text("cat", "好 ")
    assert (
        given.log_probability + rest.log_probability == pytest.approx(score.log_probability, abs=1e-4)
        or rest.bytes == 4
    )
    text_model.close()


def test_a_condition_and_its_text_add_up_to_the_whole(
    tokenizer: PreTrainedTokenizerBase, model: PreTrainedModel
) -> None:
    text_model = TextModel(TorchEngine(model), around(tokenizer, "<s> $A"), "x")
    head, tail, whole = (
        text_model.score_text(*parts) for parts in [("the cat",), (" sat", "the cat"), ("the cat sat",)]
    )
    assert head.log_probability + tail.log_probability == pytest.approx(whole.log_probability, abs=1e-4)
    assert (head.bytes, tail.bytes, whole.bytes) == (7, 4, 11)
    text_model.close()


def test_blanks_at_the_border_go_with_the_text(tokenizer: PreTrainedTokenizerBase) -> None:
    score = TextModel(Parrot(), tokenizer, "x").score_text("sat", "cat ")
    assert (score.bytes, "".join(text for text, _ in score.tokens)) == (4, " sat")


def test_without_a_start_token_the_first_token_has_no_probability(tokenizer: PreTrainedTokenizerBase) -> None:
    tokenizer.eos_token = None
    score = TextModel(Parrot(), tokenizer, "x").score_text("好b")
    assert (len(score.tokens), score.bytes) == (3, 3)
    assert score.bits_per_byte == pytest.approx(1 / math.log(2))
    assert score.perplexity == pytest.approx(math.e)
    with pytest.raises(UserError, match="no tokens"):
        TextModel(Parrot(), tokenizer, "x").score_text("")


def test_single_tokens(tokenizer: PreTrainedTokenizerBase) -> None:
    text_model = TextModel(Parrot(), tokenizer, "x")
    first, second, third = tokenizer("好")["input_ids"]
    assert b"".join(text_model.token_bytes(id) for id in (first, second, third)) == "好".encode()
    assert text_model.token_text(first) == "\ufffd"
    assert text_model.token_text(tokenizer.eos_token_id) == "<|endoftext|>"


# --- the parrot --------------------------------------------------------------------------------


def test_the_parrot_says_the_prompt_back() -> None:
    model = parrot("polly")
    assert model.name == "polly"
    assert model.complete("你好，世界").text == "你好，世界"
    assert model.complete(CHAT).text == "你好 🙂"
    assert parrot(reply=str.upper).complete("abc").text == "ABC"
    done = model.complete("hello", Sampling(max_new_tokens=4))
    assert (done.text, done.finish_reason) == ("hell", "length")


def test_the_parrot_keeps_the_promises_of_an_engine() -> None:
    engine = Parrot(context=8)
    with pytest.raises(UserError, match="the prompt is empty"):
        parrot().complete("")
    with pytest.raises(UserError, match="context of 8"):
        TextModel(engine, letters(), "x").complete("12345678")
    assert TextModel(engine, letters(), "x").complete("123456").text == "12"  # to the end of its context
    assert engine.score([[1, 2, 3]]) == [[-1.0, -1.0]]
    np.testing.assert_array_equal(engine.encode([[5]])[0], [[1, 0, 1, 0, 0, 0, 0, 0]])
    stream = TextModel(engine, letters(), "x").stream("abc")
    engine.close()
    assert stream.result().finish_reason == "cancelled"


def test_the_parrot_can_be_slow() -> None:
    stream = parrot(token_s=0.02).stream("abcdefgh", deadline_s=0.09)
    done = stream.result()
    assert done.finish_reason == "deadline"
    assert 1 <= len(done.text) < 8
