"""Labels nobody was taught: entailment and nearness by hand, calibration in its limiting cases, groups of labels."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from tests.tasks.solving.test_likelihood import LABELS, by_hand, model

from langwright.errors import UserError
from langwright.tasks import TASKS
from langwright.tasks.classification import CLASSIFICATION, ClassificationInput, ClassificationOutput, summed
from langwright.tasks.solving.likelihood import CONTENT_FREE, classify, softmax
from langwright.tasks.solving.zero_shot import TEMPERATURE, by_entailment, by_nearness

ENTAILED = {"sport": 0.6, "news": 0.2, "art": 0.0}  # probability that the text is about each
AGAINST = {"sport": 0.2, "news": 0.6, "art": 1.0}


class Judge:
    """A head for pairs that says what it was told to say."""

    labels = ("contradiction", "neutral", "Entailment")

    def rows(self, pairs: list[tuple[str, str]]) -> Any:
        return [SimpleNamespace(said=pair, cut=False) for pair in pairs]

    def probabilities(self, rows: list[Any]) -> Any:
        pairs = [row.said for row in rows]
        labels = [hypothesis.removeprefix("This text is about ").removesuffix(".") for _, hypothesis in pairs]
        return np.array([[AGAINST[one], 1 - ENTAILED[one] - AGAINST[one], ENTAILED[one]] for one in labels])


@pytest.mark.spec("AP2", "labels of the caller's own are judged by whether the text entails each")
def test_entailment_by_hand() -> None:
    judge: Any = SimpleNamespace(headed=Judge(), name="judge")
    asked = ClassificationInput(text="goal", labels=("sport", "news", "art"))
    one = by_entailment(judge, CLASSIFICATION, asked)
    assert one.label == "sport" and one.solver == "entailment"
    assert one.probabilities == pytest.approx({"sport": 0.75, "news": 0.25, "art": 0.0})
    each = by_entailment(judge, CLASSIFICATION, asked.model_copy(update={"multi_label": True}))
    assert each.probabilities == pytest.approx({"sport": 0.75, "news": 0.25, "art": 0.0}) and each.labels == ("sport",)
    more = by_entailment(judge, CLASSIFICATION, asked.model_copy(update={"multi_label": True, "threshold": 0.2}))
    assert more.labels == ("sport", "news")


@pytest.mark.spec("AP2", "labels of the caller's own are judged by whose vector is nearest")
def test_nearness_by_hand() -> None:
    vectors = np.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0]])
    found = SimpleNamespace(vectors=vectors, truncated=(False, False, False))
    said: list[list[str]] = []
    backbone: Any = SimpleNamespace(embeddings=lambda texts, **options: said.append(texts) or found)
    one = by_nearness(backbone, TASKS["sentiment"], ClassificationInput(text="好吃"))
    assert said == [["好吃", "这段文本的内容是正面。", "这段文本的内容是负面。"]]
    assert list(one.probabilities.values()) == pytest.approx(softmax([0.8 / TEMPERATURE, 0.0]))
    assert one.label == "正面" and one.solver == "label-vectors"
    with pytest.raises(UserError, match="nearest, not whether it fits"):
        by_nearness(backbone, CLASSIFICATION, ClassificationInput(text="x", labels=("a", "b"), multi_label=True))


@pytest.mark.spec("AP2", "contextual calibration takes what labels are likely anyway out, as its paper defines")
def test_contextual_calibration_by_hand() -> None:
    """q is p / p_cf over its sum, and what says nothing has every label alike where it is the only such input."""
    template = CLASSIFICATION.templates["en"].replace("{labels}", ", ".join(LABELS))

    def shares(text: str) -> list[float]:
        return softmax([by_hand(template.replace("{text}", text), " " + label) for label in LABELS])

    asked = ClassificationInput(text="A painting.", labels=LABELS, normalise="contextual")
    means = [sum(column) / 3 for column in zip(*map(shares, CONTENT_FREE), strict=True)]
    ratios = [p / q for p, q in zip(shares("A painting."), means, strict=True)]
    found = classify(model(), asked)
    assert list(found.probabilities.values()) == pytest.approx([ratio / sum(ratios) for ratio in ratios])
    plain = classify(model(), asked.model_copy(update={"normalise": "sum"}))
    assert found.probabilities != pytest.approx(plain.probabilities)


@pytest.mark.spec("AP6", "sentiment and emotion are asked for in the text's language without naming labels")
def test_tasks_with_labels_of_their_own_need_none() -> None:
    zh = classify(model(), ClassificationInput(text="很好吃"), task=TASKS["sentiment"])
    assert set(zh.probabilities) == {"正面", "负面"}
    assert set(classify(model(), ClassificationInput(text="Tasty"), task=TASKS["emotion"]).probabilities) == set(
        TASKS["emotion"].labels["en"]
    )


@pytest.mark.spec("AP4", "probabilities of labels that are paths add up along the tree")
def test_groups_of_labels_add_up() -> None:
    leaves = {"财经/股票": 0.5, "财经/债券": 0.125, "体育/球类/足球": 0.25, "其他": 0.125}
    assert summed(leaves) == {"财经": 0.625, "体育": 0.25, "体育/球类": 0.25}
    assert summed({"a": 0.25, "a/b": 0.75}) == {"a": 1.0}  # a label that is a group too counts to itself
    assert summed({"a": 0.25, "a/b": 0.25, "a/c": 0.5}) == {"a": 1.0}
    out = ClassificationOutput(label="财经/股票", labels=("财经/股票",), probabilities=leaves, solver="head")
    tops = math.fsum(share for group, share in out.groups.items() if "/" not in group) + leaves["其他"]
    assert tops == pytest.approx(1) and out.groups["财经"] == 0.625
    assert ClassificationOutput.model_validate_json(out.model_dump_json()) == out
    each = ClassificationOutput(label=None, labels=(), probabilities=leaves, solver="head")
    assert each.groups == {}
