"""Decisions: calibrated confidence, evidence by leaving parts out, abstention; by hand on a head that counts characters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from langwright.errors import UserError
from langwright.measures import Bounded, Calibration
from langwright.metrics.calibration import at_temperature, calibration_error
from langwright.tasks import TASKS
from langwright.tasks.decision import DecisionOutput, parts_of
from langwright.tasks.front.headed import Found, softmax
from langwright.tasks.front.model import Model
from langwright.tasks.solving.calibrating import calibrate_answers, calibrate_labels, confidence_of, fit_slope

CALIBRATION = Calibration(
    rows=100,
    temperature=2.0,
    bounds=(
        Bounded(risk=0.05, threshold=0.9, kept=0.4, bound=0.049, doubt=0.05),
        Bounded(risk=0.2, threshold=0.6, kept=0.8, bound=0.19, doubt=0.05),
    ),
)


@dataclass
class Counting:
    """A head with two labels: as many nats for good as there are marks +, for bad as there are -."""

    calibration: Calibration | None = None
    taught: tuple[str, ...] = ("classification",)
    labels: tuple[str, ...] = ("good", "bad")
    several: bool = False
    name: str = "counting"
    answers: Sequence[Found] = field(default_factory=tuple)

    def probabilities(self, texts: Sequence[str]) -> Any:
        rows = np.array([[text.count("+"), text.count("-")] for text in texts], dtype=np.float32)
        return softmax(rows / (self.calibration.temperature if self.calibration else 1.0))

    def answer(self, asked: Sequence[tuple[str, str]]) -> Sequence[Found]:
        return self.answers


def decide(head: Counting, text: str, **fields: object) -> DecisionOutput:
    """What is decided."""
    made = Model("counting", None, headed=head).solve("decision", TASKS["decision"].input.model_validate({"text": text, **fields}))  # type: ignore[arg-type]  # fmt: skip
    assert isinstance(made, DecisionOutput)
    return made


@pytest.mark.spec("AP24", "an answer comes with a calibrated confidence and the parts of the text that it rests on")
def test_confidence_and_evidence_by_hand() -> None:
    text = "It rained. The food was ++++. The room was -. Nothing else."
    made = decide(Counting(CALIBRATION), text, risk=0.2)
    assert made.answer == made.likeliest == "good"
    assert made.confidence == pytest.approx(1 / (1 + np.exp(-3 / 2)))  # four against one, at temperature 2
    assert (made.threshold, made.bound) == (0.6, 0.19)
    (evidence,) = made.evidence  # the sentence with four marks; without the others it is no less likely
    assert text[evidence.start : evidence.end] == evidence.text == "The food was ++++. "
    without = 1 / (1 + np.exp(1 / 2))
    assert evidence.weight == pytest.approx(np.log(made.confidence) - np.log(without), rel=1e-5)


@pytest.mark.spec("AP24", "below the confidence that keeps the stated share of errors no answer is given")
def test_abstains_below_the_threshold_of_the_risk() -> None:
    head = Counting(CALIBRATION)
    assert decide(head, "a ++. b -", risk=0.2).answer == "good"  # 0.62
    sure = decide(head, "a ++. b -", risk=0.1)  # the next risk that is kept is 0.05
    assert (sure.answer, sure.abstained, sure.threshold, sure.likeliest) == (None, True, 0.9, "good")
    nowhere = decide(head, "++++++++", risk=0.01)  # no threshold keeps it
    assert (nowhere.answer, nowhere.threshold) == (None, None)
    assert decide(head, "a ++. b -", threshold=0.5).answer == "good"
    assert "no answer" in sure.lines()[0]


def test_a_head_without_calibration_needs_a_threshold() -> None:
    with pytest.raises(UserError, match="was not calibrated"):
        decide(Counting(), "++")
    assert decide(Counting(), "++", threshold=0.8).answer == "good"
    with pytest.raises(UserError, match="several labels a text"):
        decide(Counting(CALIBRATION, several=True), "++")


def test_answers_from_passages() -> None:
    context = "It is old. The tower is 30 metres high. Nobody lives there."
    found = Found("30 metres", context.index("30"), 2.0)
    head = Counting(CALIBRATION.model_copy(update={"shift": 0.5}), taught=("qa",), answers=(found,))
    made = decide(head, "How high is it?", context=context, risk=0.2)
    assert made.answer == "30 metres"
    assert made.confidence == pytest.approx(1 / (1 + np.exp(-(2.0 / 2 + 0.5))))
    (evidence,) = made.evidence
    assert (evidence.field, evidence.text.strip()) == ("context", "The tower is 30 metres high.")
    nothing = Counting(CALIBRATION, taught=("qa",), answers=(Found("", -1, -3.0),))
    assert decide(nothing, "Who?", context=context, threshold=0.0).answer is None


def test_parts_of_one_sentence_are_clauses_and_then_words() -> None:
    assert [text[a:b] for text in ["菜好吃，但是太贵。"] for a, b in parts_of(text)] == ["菜好吃，", "但是太贵。"]
    assert [text[a:b] for text in ["great food"] for a, b in parts_of(text)] == ["great", "food"]
    assert parts_of("word") == []


def test_temperature_is_found_and_mends_the_error() -> None:
    numbers = np.random.default_rng(0)
    right = numbers.integers(3, size=2000)
    true = numbers.normal(size=(2000, 3)).astype(np.float32)
    right = np.array(
        [
            numbers.choice(3, p=row)
            for row in softmax(true).astype(float) / softmax(true).astype(float).sum(-1, keepdims=True)
        ]
    )
    found = calibrate_labels(true * 3, right.tolist())  # three times too sure of itself
    assert found is not None
    calibration, (before, after) = found
    assert calibration.temperature == pytest.approx(3, rel=0.15)
    assert before.name == "calibration error before scaling" and after.name == "calibration error"
    assert after.value < before.value / 3
    hits = (true[1::2].argmax(-1) == right[1::2]).tolist()
    again = calibration_error(at_temperature((true * 3)[1::2].tolist(), 1.0).max(-1).tolist(), hits)
    assert before.value == pytest.approx(again.value)
    assert [one.risk for one in calibration.bounds] == sorted(one.risk for one in calibration.bounds)
    assert all(one.bound <= one.risk for one in calibration.bounds)
    assert calibrate_labels(true[:30], right[:30].tolist()) is None


def test_slope_against_logistic_regression() -> None:
    from sklearn.linear_model import LogisticRegression

    numbers = np.random.default_rng(1)
    values = numbers.normal(size=800) * 4
    hits = numbers.random(800) < confidence_of(values, 2.5, -0.4)
    temperature, shift = fit_slope(values, hits.astype(float))
    theirs = LogisticRegression(C=1e6).fit(values[:, None], hits)
    assert 1 / temperature == pytest.approx(float(theirs.coef_[0, 0]), rel=1e-3)
    assert shift == pytest.approx(float(theirs.intercept_[0]), abs=1e-3)
    found = calibrate_answers(values.tolist(), hits.tolist())
    assert found is not None
    assert found[0].temperature == pytest.approx(2.5, rel=0.3)
    assert calibrate_answers([1.0] * 100, [True] * 100) is None
