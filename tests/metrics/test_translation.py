"""BLEU, chrF and TER: sacrebleu's own vectors, its corpus scores, and the signature beside every number."""

from __future__ import annotations

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF, TER

from langwright.metrics.comparison import paired_test
from langwright.metrics.translation import counted, translation_score

SAID = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
RIGHT = [
    ["The dog bit the man.", "The dog had bit the man."],
    ["It was not unexpected.", "No one was surprised."],
    ["The man bit him first.", "The man had bitten the dog."],
]
ZH_SAID = ["今天天气很好，我们去公园玩。", "他喜欢看书。"]
ZH_RIGHT = [["今天天气不错，我们去公园玩。"], ["他喜欢读书。"]]


@pytest.mark.spec("EV2", "BLEU over all texts, clipped, with brevity penalty, Chinese by characters, and its signature")
def test_published_values() -> None:
    bleu = translation_score("BLEU", SAID, RIGHT)
    assert bleu.value == pytest.approx(48.530827, abs=1e-6)
    assert "nrefs:2|case:mixed|eff:no|tok:13a|smooth:exp|version:2" in bleu.method
    assert translation_score("chrF", SAID, RIGHT).value == pytest.approx(59.727518, abs=1e-6)
    assert translation_score("chrF++", SAID, RIGHT).value == pytest.approx(59.153104, abs=1e-6)
    assert translation_score("TER", SAID, RIGHT).value == pytest.approx(40.0)
    chinese = translation_score("BLEU", ZH_SAID, ZH_RIGHT, "zh")
    assert chinese.value == pytest.approx(62.023873, abs=1e-6) and "tok:zh" in chinese.method


def test_values_are_sacrebleus_own() -> None:
    columns = [list(one) for one in zip(*RIGHT, strict=True)]
    for kind, metric in (("BLEU", BLEU()), ("chrF", CHRF()), ("chrF++", CHRF(word_order=2)), ("TER", TER())):
        assert translation_score(kind, SAID, RIGHT).value == pytest.approx(metric.corpus_score(SAID, columns).score)
        assert counted(kind, SAID, RIGHT, "en").signature == str(metric.get_signature())
    chinese = TER(normalized=True, asian_support=True)
    theirs = chinese.corpus_score(ZH_SAID, [[one for (one,) in ZH_RIGHT]]).score
    assert translation_score("TER", ZH_SAID, ZH_RIGHT, "zh").value == pytest.approx(theirs)
    assert 0 < theirs < 50  # characters, not whole sentences, are edited


def test_texts_may_have_unequally_many_right_ones() -> None:
    found = translation_score("BLEU", SAID, [RIGHT[0], RIGHT[1][:1], RIGHT[2]])
    assert 0 < found.value < 100 and "nrefs:var" in found.method
    with pytest.raises(ValueError, match="without a right text"):
        translation_score("BLEU", SAID, [*RIGHT[:2], []])
    with pytest.raises(ValueError, match="0 texts"):
        translation_score("BLEU", [], [])


@pytest.mark.spec(
    "EV10", "two models on the same items: a paired interval of the difference, and its p-value, of any score"
)
def test_two_systems_on_the_same_texts() -> None:
    """The interval is over texts; equal systems do not differ, one that copies the right texts does."""
    said, right = SAID * 6, RIGHT * 6
    found = translation_score("BLEU", said, right)
    assert found.low < found.value < found.high
    worse, best = counted("BLEU", said, right, "en"), counted("BLEU", [one for one, _ in right], right, "en")
    gap, p_value = paired_test(best.counts_NK, worse.counts_NK, worse.score, of="BLEU", unit="of 100")
    assert gap.value == pytest.approx(100 - found.value) and gap.low > 0 and gap.name == "difference in BLEU"
    assert p_value.value < 0.01
    gap, p_value = paired_test(worse.counts_NK, worse.counts_NK, worse.score, of="BLEU")
    assert (gap.value, p_value.value) == (0, 1)


def test_a_randomisation_test_of_means_is_fishers() -> None:
    """With 8 items whose signs may all flip, the p-value is a share of 2^8 sign patterns."""
    gaps = np.array([3.0, 1, 2, -1, 4, 2, 1, 3])
    signs = np.array([[1 if pattern >> place & 1 else -1 for place in range(8)] for pattern in range(256)])
    exact = np.mean(np.abs(signs @ gaps) >= gaps.sum() - 1e-9)
    _, found = paired_test(gaps[:, None], np.zeros((8, 1)), lambda sums: sums[:, 0] / 8, of="loss")
    assert found.value == pytest.approx(exact, abs=0.01) and exact < 0.05
    with pytest.raises(ValueError, match="shape"):
        paired_test(np.zeros((2, 1)), np.zeros((3, 1)), lambda sums: sums[:, 0], of="loss")


def test_a_paired_test_does_not_depend_on_the_order_of_items() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.random((40, 2)), rng.random((40, 2))
    order = rng.permutation(40)
    values = [paired_test(a, b, lambda sums: sums[:, 0] / sums[:, 1], of="x") for a, b in ((first, second), (first[order], second[order]))]  # fmt: skip
    assert values[0][0].value == pytest.approx(values[1][0].value)
    assert values[0][1].value == pytest.approx(values[1][1].value, abs=0.04)
