"""Self-BLEU against sacrebleu's sentence score with all other texts as right ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU

from langwright.metrics.self_bleu import self_bleu

texts = st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=9).map(" ".join), min_size=2, max_size=6)


@given(texts)
@settings(max_examples=80, deadline=None)
def test_it_is_the_mean_of_sacrebleus_sentence_scores(given: list[str]) -> None:
    metric = BLEU(tokenize="none", effective_order=True)
    each = [metric.sentence_score(text, given[:place] + given[place + 1 :]).score for place, text in enumerate(given)]
    assert self_bleu(given).value == pytest.approx(sum(each) / len(each) / 100)


def test_limits() -> None:
    assert self_bleu(["今天天气很好"] * 5).value == pytest.approx(1)
    assert self_bleu(["今天", "明月", "ab cd"]).value == 0
    with pytest.raises(ValueError, match="1 texts"):
        self_bleu(["one", " "])
