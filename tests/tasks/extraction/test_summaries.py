"""Extractive summaries: formulas by hand, sentences where they say, no sentence that says the same twice."""

from __future__ import annotations

import gzip
import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import networkx
import numpy as np
import pytest

from langwright.tasks.extraction import summaries
from langwright.tasks.extraction.summaries import centroid, cosines, joined, lexrank, summary, textrank

ENGLISH = (
    "The river flooded the town. Farmers lost wheat. The flooded town asked for help. "
    "Help for the town came by river. A cat slept."
)
CHINESE = "洪水淹没了小镇。农民失去了小麦。小镇请求救援。救援队沿河来到小镇。猫在睡觉。"


def test_likeness_of_textrank_by_hand() -> None:
    said = ["river floods town", "town asks help", "cats"]
    # shared 1, three words each: 1 / (ln 3 + ln 3); the third shares nothing, so its rank is that of a lone node
    weighed = textrank(said)
    graph = networkx.Graph()
    graph.add_nodes_from(range(3))
    graph.add_edge(0, 1, weight=1 / (2 * math.log(3)))
    right = networkx.pagerank(graph, tol=1e-12)
    np.testing.assert_allclose(weighed.scores_N, [right[node] for node in range(3)], atol=1e-8)


def test_cosines_by_hand() -> None:
    found = cosines(["river town", "town", "cats"])
    river, town = math.log(3) + 1, math.log(3 / 2) + 1
    assert found[0, 1] == pytest.approx(town / math.hypot(river, town))
    assert found[0, 2] == 0
    np.testing.assert_allclose(np.diag(found), 1)
    assert cosines(["the", "of"]).tolist() == [[0, 0], [0, 0]]  # nothing but stop words


@pytest.mark.parametrize("threshold", [0.1, None])
def test_lexrank_equals_networkx_on_its_graph(threshold: float | None) -> None:
    said = [one.strip() for one in ENGLISH.split(".") if one.strip()]
    alike = cosines(said)
    graph = networkx.Graph()
    graph.add_nodes_from(range(len(said)))
    for one in range(len(said)):
        for other in range(one + 1, len(said)):
            weight = alike[one, other] if threshold is None else float(alike[one, other] > threshold)
            if weight > 0:
                graph.add_edge(one, other, weight=weight)
    right = networkx.pagerank(graph, tol=1e-12)
    found = lexrank(said, threshold).scores_N
    np.testing.assert_allclose(found, [right[node] for node in range(len(said))], atol=1e-8)


@pytest.mark.parametrize("ranking", ["lead", "textrank", "lexrank"])
@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
def test_sentences_stand_where_they_say_and_in_order(text: str, ranking: summaries.Ranking) -> None:
    found = summary(text, 2, ranking)
    assert len(found) == 2
    assert all(text[one.start : one.end] == one.text for one in found)
    assert found[0].end <= found[1].start
    assert not any("cat" in one.text or "猫" in one.text for one in found)


def test_what_was_said_is_not_said_again() -> None:
    twice = "The river flooded the town. The river flooded the town. Help came by boat to the town."
    assert [one.text for one in summary(twice, 2, "lexrank", relevance_share=0.5)] == [
        "The river flooded the town.", "Help came by boat to the town."
    ]  # fmt: skip


def test_centroid_by_hand() -> None:
    weighed = centroid(np.array([[2.0, 0.0], [1.0, 1.0], [0.0, 3.0]]))
    np.testing.assert_allclose(weighed.scores_N, [math.sqrt(0.5), 1, math.sqrt(0.5)])
    assert weighed.likeness_NN[0, 2] == pytest.approx(0)


def test_vectors_decide_where_a_model_gives_them() -> None:
    def embed(texts: Sequence[str]) -> np.ndarray:
        return np.array([[1.0, 0.2 * ("cat" in text)] for text in texts], dtype=np.float32)

    assert "cat" not in summary(ENGLISH, 1, embed=embed)[0].text


def test_nothing_and_little() -> None:
    assert summary("", 3) == []
    assert [one.text for one in summary("One sentence only.", 3)] == ["One sentence only."]
    assert summary("the. of. and.", 2)  # stop words alone are still a text


def test_a_long_text_is_gone_through_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summaries, "MOST", 6)
    text = " ".join(f"Town number {number} saw the flood of the river." for number in range(40)) + " Cats."
    found = summary(text, 2)
    assert len(found) == 2
    assert all(text[one.start : one.end] == one.text for one in found)


def test_sentences_are_joined_as_their_language_is_written() -> None:
    assert joined(ENGLISH, summary(ENGLISH, 2, "lead")) == "The river flooded the town. Farmers lost wheat."
    assert joined(CHINESE, summary(CHINESE, 2, "lead")) == "洪水淹没了小镇。农民失去了小麦。"


@pytest.mark.spec(
    "AP15", "of English abstracts, the sentence that TextRank takes says more of the summary than the first one"
)
def test_ranks_beat_the_first_sentence_of_english_abstracts(shared_data: Callable[[str], Path]) -> None:
    from langwright.metrics.rouge import rouge_scores

    with gzip.open(shared_data("en-sum-scitldr") / "dev.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines][:200]
    texts, right = [" ".join(row["source"]) for row in rows], [row["target"][:1] for row in rows]

    def rouge_1(ranking: summaries.Ranking) -> float:
        said = [joined(text, summary(text, 1, ranking)) for text in texts]
        return rouge_scores(said, right)[0].value

    assert rouge_1("textrank") > rouge_1("lead") + 0.02
