"""Grammars of forms: whatever a model draws under them keeps its form."""

from __future__ import annotations

import random

import pytest

from langwright.inference.control.forms import form_of
from langwright.inference.control.settings import Control
from langwright.inference.fake import parrot
from langwright.tasks.verse.chinese import CHINESE, completed, faults
from langwright.tasks.verse.grammars import Keep, grammar_of
from langwright.tasks.verse.sounds import Readings

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
