"""Tasks that are done on rows: what is measured by hand, and what is kept of each row so that models can be compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.evaluation.measuring.test_several import rows as several_rows
from tests.evaluation.measuring.test_several import shy
from tests.evaluation.test_running import dataset_of, named

from langwright.data.dataset import Dataset
from langwright.data.schemas import CorrectionRow, RegressionRow, RelationRow, Span, TaggingRow, TranslationRow
from langwright.evaluation.baselines.language import COMMONEST, WORDS
from langwright.evaluation.experiments.side_by_side import contestant, gaps
from langwright.evaluation.measuring.findings import Findings
from langwright.evaluation.running import evaluate
from langwright.evaluation.settings import EvaluateSettings
from langwright.metrics.abstaining import at_risk
from langwright.metrics.edits import Edit
from langwright.tasks.correction import output_of
from langwright.tasks.declaration import TaskInput, TaskOutput
from langwright.tasks.events import EventsInput, events_of
from langwright.tasks.regression import ValueOutput
from langwright.tasks.relation import Relation, RelationInput, RelationOutput
from langwright.tasks.solving.quote import Quote
from langwright.tasks.translation import TranslationInput


def refuse(*_: object) -> Any:
    raise AssertionError("this model is asked in another way")


def measured(dataset: Dataset, task: str, do: Any, **settings: Any) -> Findings:
    """What is found of a model that does a task as `do` says, one input at a time."""

    def many(asked: str) -> Any:
        assert asked == task
        return lambda inputs: [do(one) for one in inputs]

    def solve(asked: str, one: TaskInput) -> TaskOutput:
        assert asked == task
        found: TaskOutput = do(one)
        return found

    return evaluate(
        dataset,
        EvaluateSettings(task=task, **settings),
        name="m",
        writer=refuse,
        predictor=refuse,
        solve=solve,
        many=many,
    )


def related(number: int, label: str, turned: bool = False) -> RelationRow:
    """A thing, and another; turned, what holds is asked of the second to the first."""
    one, two = (0, 3), (10, 13)
    (a, b), (c, d) = (two, one) if turned else (one, two)
    return RelationRow(id=str(number), text=f"Ann knows Bob {number}", first_start=a, first_end=b, second_start=c, second_end=d, label=label)  # fmt: skip


@pytest.mark.spec("AP8", "relations are measured in the row's own order of the two things, beside word counts")
def test_relations_by_hand(tmp_path: Path) -> None:
    held = [related(0, "knows"), related(1, "knows", turned=True), related(2, "no relation"), related(3, "hates")]
    train = [related(number, ("knows", "none")[number % 2]) for number in range(20)]
    dataset = dataset_of(tmp_path / "set", "relation", {"train": train, "test": held})

    def do(asked: RelationInput) -> RelationOutput:
        places = {thing: asked.text.index(thing) for thing in asked.things}
        one, two = (Quote.of(asked.text, places[thing], places[thing] + len(thing)) for thing in ("Ann", "Bob"))
        found = () if asked.text.endswith("2") else (Relation(first=one, second=two, label="knows"),)
        return RelationOutput(relations=found, solver="head")

    found = measured(dataset, "relation", do, split="test")
    assert named(found, "accuracy").value == 2 / 4  # rows 0 and 2; of row 1 only the other order is said to hold
    assert [(item.right, item.said) for item in found.items] == [
        ("knows", "knows"), ("knows", "none"), ("none", "none"), ("hates", "knows"),
    ]  # fmt: skip
    assert {measure.model for measure in found.measures} > {"m", WORDS, COMMONEST}


@pytest.mark.spec("AP9", "events are measured by their triggers and participants, as spans with labels")
def test_events_by_hand(tmp_path: Path) -> None:
    spans = (
        Span(start=0, end=3, label="meet.who"),
        Span(start=4, end=7, label="meet"),
        Span(start=8, end=11, label="meet.who"),
    )
    rows = [TaggingRow(id=str(number), text=f"Ann met Bob {number}", spans=spans) for number in range(2)]
    dataset = dataset_of(tmp_path / "set", "tagging", {"test": rows})

    def do(asked: EventsInput) -> TaskOutput:
        seen = spans if asked.text.endswith("0") else (spans[0], Span(start=4, end=7, label="leave"))
        return events_of(asked.text, seen, "head")

    found = measured(dataset, "events", do)
    assert named(found, "entity recall").value == pytest.approx(4 / 6)
    assert named(found, "entity precision").value == pytest.approx(4 / 5)
    assert named(found, "all entities right").value == 0.5
    assert [item.marks for item in found.items] == [
        {"all entities right": (1.0, 1.0), "entity recall": (3.0, 3.0)},
        {"all entities right": (0.0, 1.0), "entity recall": (1.0, 3.0)},
    ]


@pytest.mark.parametrize("task", ["correction", "repair"])
def test_texts_that_are_mended_by_the_task_that_is_asked_for(tmp_path: Path, task: str) -> None:
    rows = [
        CorrectionRow(id=str(n), text=text, correction="the cat")
        for n, text in enumerate(("teh cat", "the cat", "the cta"))
    ]
    dataset = dataset_of(tmp_path / "set", "correction", {"test": rows})
    edits: dict[str, list[Edit]] = {"teh cat": [Edit(0, 3, "the")], "the cat": [], "the cta": [Edit(4, 7, "dog")]}
    found = measured(
        dataset, task, lambda asked: output_of(asked.text, [(edit, None) for edit in edits[asked.text]], "gaps")
    )
    assert found.details.task == task
    assert named(found, "sentences that are right afterwards").value == pytest.approx(2 / 3)
    assert [item.marks["sentences that are right afterwards"] for item in found.items] == [(1, 1), (1, 1), (0, 1)]
    assert sum(item.marks["recall of corrections"][0] for item in found.items) / 2 == named(found, "recall of corrections").value  # fmt: skip


@pytest.mark.spec("EV10", "rows with several labels, numbers and translations are compared item by item too")
def test_two_models_are_compared(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "set", "classification", {"test": several_rows(8)})

    def several(sure: bool) -> Findings:
        def judged(texts: Sequence[str]) -> Any:
            guesses = shy(tuple(texts))
            return guesses if not sure else [type(one)("", {k: float(k in text) for k in one.probabilities or {}}) for one, text in zip(guesses, texts, strict=True)]  # fmt: skip

        return evaluate(
            dataset, EvaluateSettings(), name="m", writer=refuse, predictor=refuse, several=lambda _: judged
        )

    gap = compared(several(False), several(True))
    assert gap == {"all labels right": pytest.approx(0.75), "Hamming loss": pytest.approx(-(2 + 6) / 24)}
    numbers = [RegressionRow(id=str(n), text=str(n), score=float(n)) for n in range(4)]
    scored = dataset_of(tmp_path / "numbers", "regression", {"test": numbers})
    one, other = (measured(scored, "regression", lambda asked, by=by: ValueOutput(score=float(asked.text) + by, solver="head")) for by in (2.0, 0.5))  # fmt: skip
    assert compared(one, other) == {"mean absolute error": pytest.approx(-1.5)}
    pairs = [TranslationRow(id="0", text="Hallo", translation="Hello", language="de", target_language="en")]
    spoken = dataset_of(tmp_path / "pairs", "translation", {"test": pairs})

    def saying(text: str) -> Findings:
        def do(asked: TranslationInput) -> TaskOutput:
            from langwright.tasks.translation import TRANSLATION

            return TRANSLATION.output.model_validate({"text": text, "finish_reason": "stop", "solver": "generation"})

        return measured(spoken, "translation", do)

    assert compared(saying("xxxxx"), saying("Hello")) == {"chrF of a sentence": pytest.approx(100)}


def compared(first: Findings, other: Findings) -> dict[str, float]:
    """Paired differences, by measure."""
    both = [contestant(name, one.measures, one.items) for name, one in (("a", first), ("b", other))]
    return {gap.of: gap.difference.value for gap in gaps(both)}


@pytest.mark.spec(
    "AP24", "at a threshold that was chosen for a risk, how much is answered and how much of that is wrong"
)
def test_answers_at_a_risk_by_hand() -> None:
    sure, right = [0.9, 0.8, 0.8, 0.5, 0.4], [True, True, False, False, True]
    answered, wrong = at_risk(sure, right, 0.1, 0.8)
    assert (answered.name, answered.value, answered.n) == ("share answered at a risk of 10%", 3 / 5, 5)
    assert (wrong.name, wrong.value, wrong.n) == ("wrong answers at a risk of 10%", 1 / 3, 3)
    assert [one.value for one in at_risk(sure, right, 0.01, 0.99)] == [0.0]
