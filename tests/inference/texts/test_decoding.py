"""Text as it comes: never part of a character, and in the end the same as decoding everything at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from langwright.inference.fake import letters
from langwright.inference.texts.decoding import Alphabet, StopStrings, TextDecoder, kind_of, overlap

TEXTS = [
    "今天天气很好，我们去公园。",
    "The quick brown fox jumps over the lazy dog's back.",
    "emoji 🙂🙂👩‍👩‍👧 mixed 混合 text",
]
characters = st.one_of(
    st.sampled_from("的一是不了人我在有他这中大来上国，。！？“”"),
    st.sampled_from("🙂🚀👩‍👩‍👧🇨🇳é́ñß漢字カナ한국어"),
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\ufffd\u2581"),
    st.sampled_from("abc def\n\t  .,'"),
)
texts = st.text(characters, max_size=40)


def byte_level() -> PreTrainedTokenizerBase:
    """A byte-level BPE whose tokens often end inside a character."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<s>", "</s>"],
        show_progress=False,
    )
    backend.train_from_iterator(TEXTS * 3, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>")


def byte_fallback() -> PreTrainedTokenizerBase:
    """As Llama 2's: `▁` for spaces, single bytes for what the vocabulary lacks, one space taken off the front."""
    words = ["▁", "▁The", "▁fox", "fox", "The", "今天", "天气", "好", "。", "e", "t", "a", "▁a", "🙂", "s"]
    vocabulary = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *words]
    backend = Tokenizer(
        models.Unigram([(token, -2.0 - len(token) % 3) for token in vocabulary], unk_id=0, byte_fallback=True)
    )
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    backend.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def word_piece() -> PreTrainedTokenizerBase:
    """As BERT's: words and `##` ends of words, every Chinese character alone."""
    vocabulary = [
        "[UNK]",
        "[PAD]",
        "the",
        "fox",
        "##es",
        "jump",
        "##s",
        "##ed",
        ".",
        ",",
        "'",
        "今",
        "天",
        "气",
        "好",
        "a",
        "##a",
    ]
    backend = Tokenizer(models.WordPiece({token: id for id, token in enumerate(vocabulary)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]")


TOKENIZERS = {
    "letters": letters(),
    "byte-level": byte_level(),
    "byte-fallback": byte_fallback(),
    "word-piece": word_piece(),
}


def pieces(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int], prompt: Sequence[int] = ()) -> list[str]:
    decoder = TextDecoder(Alphabet(tokenizer), prompt)
    return [decoder.push(id) for id in ids]


def whole(tokenizer: PreTrainedTokenizerBase, ids: Sequence[int]) -> str:
    return tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)


def test_kinds_are_told_by_the_decoder() -> None:
    kinds = [kind_of(tokenizer) for tokenizer in TOKENIZERS.values()]
    assert kinds == ["byte-level", "byte-level", "byte-fallback", "text"]


@pytest.mark.spec("G1", "text that is streamed never shows part of a character and adds up to the whole")
@pytest.mark.parametrize("name", TOKENIZERS)
@settings(max_examples=150, deadline=None)
@given(text=texts)
@example("你好，世界 🙂👩‍👩‍👧 foxes jumped")
@example("  two blanks first")
@example("")
def test_pieces_join_to_the_whole_text(name: str, text: str) -> None:
    tokenizer = TOKENIZERS[name]
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    found = pieces(tokenizer, ids)
    assert "".join(found) == whole(tokenizer, ids)
    assert not any("\ufffd" in piece for piece in found)


@pytest.mark.parametrize("name", TOKENIZERS)
@settings(max_examples=150, deadline=None)
@given(text=texts, cut=st.floats(0, 1))
def test_prompt_and_continuation_join_to_the_whole_text(name: str, text: str, cut: float) -> None:
    tokenizer = TOKENIZERS[name]
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    at = int(cut * len(ids))
    prompt = whole(tokenizer, ids[:at])
    if "\ufffd" not in prompt:  # a text prompt never ends inside a character
        assert prompt + "".join(pieces(tokenizer, ids[at:], ids[:at])) == whole(tokenizer, ids)


@pytest.mark.parametrize("name", ["letters", "byte-level", "word-piece"])
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_any_ids_at_all_give_the_whole_text_but_for_an_unfinished_end(name: str, data: st.DataObject) -> None:
    tokenizer = TOKENIZERS[name]
    ids = data.draw(st.lists(st.integers(0, len(tokenizer) - 1), max_size=40))
    joined = "".join(pieces(tokenizer, ids))
    expected = whole(tokenizer, ids)
    assert expected in (joined, joined + "\ufffd", joined + 2 * "\ufffd")  # two: half of a surrogate, never a character


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_broken_bytes_do_not_take_good_characters_with_them(data: st.DataObject) -> None:
    """Runs of single bytes: what is UTF-8 is shown, what is not becomes U+FFFD, an unfinished end is left out."""
    tokenizer = TOKENIZERS["byte-fallback"]
    raw = data.draw(st.binary(max_size=12)) + data.draw(st.sampled_from(["", "好", "你好🙂"])).encode()
    ids = [3 + byte for byte in raw]
    joined = "".join(pieces(tokenizer, ids, prompt=[tokenizer.convert_tokens_to_ids("▁The")]))
    assert raw.decode("utf-8", "replace") in (joined, joined + "\ufffd", joined + 2 * "\ufffd")


@pytest.mark.parametrize("name", ["letters", "byte-level", "byte-fallback"])
def test_a_character_appears_with_its_last_byte(name: str) -> None:
    tokenizer = TOKENIZERS[name]
    ids = tokenizer("x龘", add_special_tokens=False)["input_ids"]
    found = pieces(tokenizer, ids)
    assert found[-1].endswith("龘")
    assert len(ids) >= 4
    assert "".join(found[:-1]).strip() in ("x", "")


def test_text_after_an_unfinished_character_shows_that_it_was_broken() -> None:
    tokenizer = TOKENIZERS["byte-fallback"]
    fox = tokenizer.convert_tokens_to_ids("▁fox")
    unfinished = [3 + byte for byte in "好".encode()[:2]]
    assert pieces(tokenizer, [*unfinished, fox], prompt=[fox]) == ["", "", "\ufffd fox"]


def test_special_tokens_and_ids_without_a_token_say_nothing() -> None:
    for name, tokenizer in TOKENIZERS.items():
        special = tokenizer.all_special_ids[0]
        beyond = len(tokenizer) + 5  # weights padded to a round number
        a = tokenizer("a", add_special_tokens=False)["input_ids"]
        found = pieces(tokenizer, [*a, special, beyond, *a])
        assert "".join(found) == whole(tokenizer, [*a, *a]), name


def test_single_tokens_as_bytes() -> None:
    tokenizer = TOKENIZERS["byte-fallback"]
    alphabet = Alphabet(tokenizer)
    assert alphabet.token_bytes(tokenizer.convert_tokens_to_ids("▁fox")) == b" fox"
    assert alphabet.token_bytes(3 + 0xE4) == b"\xe4"
    assert alphabet.token_bytes(1) == b"<s>"
    assert Alphabet(TOKENIZERS["byte-level"]).token_bytes(tokenizer_id("byte-level", "Ġ")) == b" "


def tokenizer_id(name: str, token: str) -> int:
    return TOKENIZERS[name].convert_tokens_to_ids(token)


def test_a_real_tokenizer_with_byte_fallback(shared_data: Callable[[str], Path]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(shared_data("model-stories260k") / "hf")
    for text in [*TEXTS, "Once upon a time\nthere was 龘 🙂"]:
        ids = tokenizer(text)["input_ids"]
        assert "".join(pieces(tokenizer, ids[1:], ids[:1])) == whole(tokenizer, ids) == text


# --- stop strings ------------------------------------------------------------------------------


def cut(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """The rule, said plainly: the first stop string to be complete, the longest of those, ends the text before it."""
    for end in range(1, len(text) + 1):
        starts = [end - len(stop) for stop in stops if stop and text[:end].endswith(stop)]
        if starts:
            return text[: min(starts)], True
    return text, False


@pytest.mark.spec("G1", "stop strings cut a text the same way wherever the tokens were cut")
@settings(max_examples=400, deadline=None)
@given(text=st.text("ab你\n", max_size=25), stops=st.lists(st.text("ab你\n", max_size=4), max_size=3), data=st.data())
def test_stop_strings_do_not_depend_on_the_pieces(text: str, stops: list[str], data: st.DataObject) -> None:
    shown, rest, watch = "", text, StopStrings(stops)
    expected, found = cut(text, stops)
    while rest:
        size = data.draw(st.integers(0, 5))
        shown += watch.push(rest[:size])
        rest = rest[size:]
        assert expected.startswith(shown)  # nothing is shown that would have to be taken back
    shown += watch.flush()
    assert (shown, watch.found) == (expected, found)


def test_text_is_held_back_no_longer_than_it_may_be_a_stop_string() -> None:
    watch = StopStrings(["END"])
    assert [watch.push(piece) for piece in ["say E", "N", "OUGH E", "ND and more", "never"]] == [
        "say ",
        "",
        "ENOUGH ",
        "",
        "",
    ]
    assert watch.found
    assert overlap("aab", "abab") == 2


def test_what_was_held_back_is_shown_at_the_end() -> None:
    watch = StopStrings(["END"])
    assert watch.push("the EN") == "the "
    assert watch.flush() == "EN"
