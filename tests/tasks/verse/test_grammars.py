"""Grammars of forms: whatever a model draws under them keeps its form."""

from __future__ import annotations

import random

import pytest

from langwright.inference.control.forms import form_of
from langwright.inference.control.settings import Control
from langwright.inference.fake import parrot
from langwright.tasks.verse.chinese import CHINESE, completed, faults
from langwright.tasks.verse.grammars import Keep, grammar_of
from langwright.tasks.verse.sounds import Readings, alphabet

pytest.importorskip("pypinyin")
SHARE: dict[Keep, tuple[str, ...]] = {"lines": ("lines",), "tones": ("lines", "tones"), "rhymes": ("lines", "tones", "rhymes")}  # fmt: skip


def drawn(grammar: str, seed: int) -> str:
    """A text of the grammar, each byte drawn among those allowed: a model that knows nothing."""
    model, numbers = parrot(), random.Random(seed)
    found = form_of(model.vocabulary, Control(grammar=grammar))
    assert found is not None
    cursor, ids = found.start(), list[int]()
    while cursor.ended is None:
        ids.append(int(numbers.choice(list(cursor.allowed().nonzero()[0]))))
        cursor = cursor.after(ids[-1])
    return str(model.tokenizer.decode(ids))


@pytest.mark.parametrize("form", CHINESE)
@pytest.mark.spec("G12", "decoding keeps the lines, tones and rhymes of a form, whatever the model would have written")
def test_what_is_drawn_keeps_its_form(form: str) -> None:
    for seed in range(2):
        text = completed(drawn(str(grammar_of(form, "rhymes")), seed), form)
        found = faults(text, form)
        assert not any(found[name] for name in SHARE["rhymes"]), (text, found)


@pytest.mark.parametrize("kind", ["new", "old"])
@pytest.mark.parametrize("keep", ["lines", "tones", "rhymes"])
def test_less_may_be_kept(keep: Keep, kind: Readings) -> None:
    for form in ("七言律诗", "如梦令"):
        text = completed(drawn(str(grammar_of(form, keep, "traditional", kind)), 3), form)
        assert not any(faults(text, form, kind)[name] for name in SHARE[keep])
        assert keep != "lines" or faults(text, form, kind)["tones"]


def test_nothing_is_kept_where_nothing_is_asked() -> None:
    assert grammar_of("七言绝句", "nothing") is None


@pytest.mark.parametrize("script", ["simplified", "traditional"])
def test_tokens_of_several_characters_keep_a_form_too(script: str) -> None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    from langwright.inference.control.vocabulary import Vocabulary
    from langwright.inference.texts.decoding import Alphabet

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    backend.decoder = decoders.ByteLevel()
    numbers = random.Random(0)
    letters = alphabet(script)
    lines = ["".join(numbers.choices(letters[:1500], k=7)) + "，" for _ in range(3000)]
    trainer = trainers.BpeTrainer(
        vocab_size=5000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
    )
    backend.train_from_iterator(lines, trainer)
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend, eos_token="<|endoftext|>")
    vocabulary = Vocabulary(Alphabet(tokenizer), [tokenizer.eos_token_id])
    for kind in ("new", "old"):
        for form in ("五言绝句", "菩萨蛮"):
            found = form_of(vocabulary, Control(grammar=str(grammar_of(form, "rhymes", script, kind))))  # type: ignore[arg-type]
            assert found is not None
            cursor, ids = found.start(), list[int]()
            while cursor.ended is None:
                ids.append(int(numbers.choice(list(cursor.allowed().nonzero()[0]))))
                cursor = cursor.after(ids[-1])
            wrong = faults(tokenizer.decode(ids), form, kind)  # type: ignore[arg-type]
            assert not any(wrong[name] for name in SHARE["rhymes"]), wrong
