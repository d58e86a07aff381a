"""Keywords: worked examples of the papers, by hand, and against counting words on published annotations."""

from __future__ import annotations

import gzip
import math
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from langwright.data.terms import terms
from langwright.tasks.extraction.background import Background, counted
from langwright.tasks.extraction.diversity import marginal_relevance
from langwright.tasks.extraction.keywords import (
    Phrase,
    by_embedding,
    degree_over_frequency,
    rake,
    textrank,
    tf_idf,
    together,
    word_ranks,
)

ENGLISH = (
    "Solar panels turn light into power. A solar panel farm needs land. Solar panels on roofs need no land; "
    "their power is used where it is made."
)
CHINESE = "太阳能电池板把光变成电力。太阳能电池板装在屋顶上不占土地，电力就近使用。"


def test_every_place_of_a_keyword_holds_it() -> None:
    for text in (ENGLISH, CHINESE):
        for found in (textrank(text, 5), rake(text, 5), tf_idf(text, 5, counted([]))):
            assert found
            for one in found:
                assert all(text[a:b].casefold() == one.text.casefold() for a, b in one.places)


def test_what_a_text_is_about_comes_first_in_both_languages() -> None:
    assert textrank(ENGLISH, 1)[0].text == "Solar panels"
    assert textrank(CHINESE, 1)[0].text == "太阳能电池板"


def test_rake_gives_the_scores_of_its_paper() -> None:
    # Rose et al. 2010, figure 1.3 (candidates of the abstract) and table 1.1 (their scores)
    candidates = """compatibility|systems|linear constraints|set|natural numbers|criteria|compatibility|system|
    linear diophantine equations|strict inequations|nonstrict inequations|upper bounds|components|minimal set|solutions|
    algorithms|minimal generating sets|solutions|systems|criteria|corresponding algorithms|constructing|
    minimal supporting set|solving|systems|systems"""
    split = [one.split() for one in candidates.replace("\n", "").split("|")]
    weights = degree_over_frequency(split)
    scores = {" ".join(words): round(sum(weights[word] for word in words), 1) for words in split}
    right = {
        "minimal generating sets": 8.7, "linear diophantine equations": 8.5, "minimal supporting set": 7.7,
        "minimal set": 4.7, "linear constraints": 4.5, "natural numbers": 4.0, "strict inequations": 4.0,
        "upper bounds": 4.0, "corresponding algorithms": 3.5, "set": 2.0, "algorithms": 1.5, "compatibility": 1.0,
    }  # fmt: skip
    assert {name: scores[name] for name in right} == right


def test_rake_cuts_at_stop_words_and_marks() -> None:
    assert [one.text for one in rake("Linear Diophantine equations, strict inequations and upper bounds.", 9)] == [
        "Linear Diophantine equations", "strict inequations", "upper bounds"
    ]  # fmt: skip


def test_ranks_of_words_are_of_the_graph_of_words_that_stand_near() -> None:
    # cat-dog and dog-fox stand side by side: a path, whose middle has rank (1 - d)/3 + d (2 · end)
    found = word_ranks(terms("cat dog fox"), window=2)
    end = (0.15 / 3 + 0.85 * 0.15 / 6) / (1 - 0.85**2)
    assert found["cat"] == pytest.approx(end, abs=1e-8)
    assert found["dog"] == pytest.approx(1 - 2 * end, abs=1e-8)


def test_rarity_and_its_part_in_the_order() -> None:
    background = Background(9, Counter({"cats": 9, "zebras": 1}))
    assert background.rarity("cats") == 1
    assert background.rarity("zebras") == pytest.approx(math.log(10 / 2) + 1)
    found = tf_idf("Cats sleep. Zebras run. Cats eat.", 3, background)
    # cats stand twice, of weight 1; run and sleep are in no text of the background
    assert found[0] == Phrase("Zebras run", pytest.approx((background.rarity("zebras") + background.rarity("run")) / 2**0.5), ((12, 22),))  # fmt: skip


def test_background_counts_texts_and_not_times() -> None:
    found = counted(["cats cats cats", "dogs cats"])
    assert (found.texts, found.having["cats"], found.having["dogs"]) == (2, 2, 1)


def test_marginal_relevance_by_hand() -> None:
    relevance = np.array([1.0, 0.9, 0.5])
    likeness = np.array([[1.0, 0.95, 0.0], [0.95, 1.0, 0.1], [0.0, 0.1, 1.0]])
    assert marginal_relevance(relevance, likeness, 3, 1.0) == [0, 1, 2]
    # behind 0: 0.5·0.9 - 0.5·0.95 < 0 for its twin, 0.5·0.5 - 0 for the other
    assert marginal_relevance(relevance, likeness, 2, 0.5) == [0, 2]
    assert marginal_relevance(relevance, likeness, 9, 0.5) == [0, 2, 1]
    assert marginal_relevance(np.zeros(0), np.zeros((0, 0)), 3, 0.5) == []


def test_keywords_by_vectors_are_near_the_text_and_apart() -> None:
    def embed(texts: Sequence[str]) -> np.ndarray:
        """Counts of the letters s and l: what a vector of a text is made of is the model's business."""
        return np.array([[text.count("s"), text.count("l") * 3, 1] for text in texts], dtype=np.float32)

    near = by_embedding(ENGLISH, 3, embed, relevance_share=1.0)
    assert [one.score for one in near] == sorted((one.score for one in near), reverse=True)
    apart = by_embedding(ENGLISH, 3, embed, relevance_share=0.2)
    assert apart[0] == near[0]
    assert {one.text for one in apart} != {one.text for one in near}
    assert by_embedding("the of and", 3, embed) == []


def test_terms_of_the_same_sentence_are_counted_together() -> None:
    text = "Cats chase dogs. Cats chase cats. Dogs sleep."
    assert together(text, terms(text)) == {
        ("cats", "chase"): 2, ("chase", "dogs"): 1, ("cats", "dogs"): 1, ("dogs", "sleep"): 1
    }  # fmt: skip


@pytest.mark.spec(
    "AP20",
    "keywords of Chinese abstracts: phrases by TF-IDF and TextRank find more of the authors' than words by TF-IDF",
)
def test_phrases_find_more_of_what_authors_chose_than_words_do(shared_data: Callable[[str], Path]) -> None:
    """The last 250 of CSL's abstracts, five keywords each; 500 others are the background."""
    with gzip.open(shared_data("zh-sum-csl") / "kg.train.tsv.gz", "rt", encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split("\t")[1:] for line in lines]
    background = counted(text for text, _ in rows[:500])

    def f1(method: Callable[[str], Sequence[str]]) -> float:
        hits = said = right = 0
        for text, chosen in rows[750:]:
            gold = {"".join(one.casefold().split()) for one in chosen.split("_") if one.strip()}
            found = ["".join(one.casefold().split()) for one in method(text)]
            hits, said, right = hits + len(gold & set(found)), said + len(found), right + len(gold)
        return 2 * hits / (said + right)

    def words(text: str) -> list[str]:
        often = Counter(term.key for term in terms(text) if term.content)
        return sorted(often, key=lambda key: -often[key] * background.rarity(key))[:5]

    baseline = f1(words)
    assert baseline == pytest.approx(0.150, abs=0.002)
    assert f1(lambda text: [one.text for one in tf_idf(text, 5, background)]) > baseline + 0.015
    assert f1(lambda text: [one.text for one in textrank(text, 5)]) > baseline + 0.005
