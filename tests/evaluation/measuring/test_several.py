"""Texts with several labels: what is given from one half, from thresholds of the validation split, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from tests.evaluation.test_running import dataset_of, named

from langwright.data.dataset import Dataset
from langwright.data.schemas import ClassificationRow
from langwright.errors import UserError
from langwright.evaluation.baselines.language import COMMONEST, WORDS
from langwright.evaluation.baselines.word_counts import Guess
from langwright.evaluation.measuring.findings import Findings
from langwright.evaluation.measuring.several import THRESHOLDS
from langwright.evaluation.pages.bilingual import Words
from langwright.evaluation.pages.measured import subject
from langwright.evaluation.running import evaluate
from langwright.evaluation.settings import EvaluateSettings


def row(number: int, *labels: str, language: str = "") -> ClassificationRow:
    return ClassificationRow(id=str(number), text=f"{number} {' '.join(labels)}", labels=labels, language=language)


def rows(count: int) -> list[ClassificationRow]:
    kinds = [("joy",), ("joy", "pride"), (), ("fear",)]
    return [row(number, *kinds[number % 4], language="en" if number % 2 else "zh") for number in range(count)]


def shy(texts: tuple[str, ...]) -> list[Guess]:
    """Sure of joy; of pride never above 0.3, of fear never below 0.6."""
    probabilities = [
        {"joy": 0.9 if "joy" in text else 0.1, "pride": 0.3 if "pride" in text else 0.2, "fear": 0.8 if "fear" in text else 0.6}
        for text in texts
    ]  # fmt: skip
    return [Guess("", one) for one in probabilities]


def run(dataset: Dataset, **settings: object) -> Findings:
    def refuse(*_: object) -> None:
        raise AssertionError("rows with several labels ask for another predictor")

    return evaluate(
        dataset, EvaluateSettings(**settings), name="m", writer=refuse, predictor=refuse, several=lambda labels: shy
    )


@pytest.mark.spec("EV1", "texts with several labels are measured from one half and with a threshold for each label")
def test_thresholds_of_the_validation_split_mend_what_one_half_gets_wrong(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "set", "classification", {"validation": rows(12), "test": rows(20)})
    found = run(dataset, split="test")
    assert [named(found, "all labels right").value, named(found, "all labels right", "m" + THRESHOLDS).value] == [
        0.25,
        1,
    ]
    # from one half: fear is given to all 20 texts, right for 5; pride to none; joy to the 10 that have it
    assert named(found, "micro F1 of labels", data="set/test").value == pytest.approx(2 * 15 / (30 + 20))
    assert named(found, "macro F1 of labels").value == pytest.approx((1 + 0 + 2 * 5 / 25) / 3)
    assert named(found, "Hamming loss").value == pytest.approx((15 + 5) / 60)
    assert named(found, "macro ROC AUC").value == 1
    assert found.details.thresholds == pytest.approx({"fear": 0.7, "joy": 0.5, "pride": 0.25})
    assert named(found, "micro F1 of labels", data="set/test (zh)").n == 10


def test_the_report_says_it_in_both_languages() -> None:
    assert subject("m" + THRESHOLDS) == Words("m with a threshold for each label", "m（每个标签各有阈值）")


def test_thresholds_are_not_chosen_on_the_rows_that_are_measured(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "set", "classification", {"validation": rows(12)})
    found = run(dataset)
    assert {measure.model for measure in found.measures} == {"m"} and found.details.thresholds == {}


def test_a_label_that_validation_lacks_is_never_given(tmp_path: Path) -> None:
    dataset = dataset_of(tmp_path / "set", "classification", {"validation": [row(1, "joy"), row(2)], "test": rows(8)})
    found = run(dataset, split="test")
    assert set(found.details.thresholds) == {"joy"} and all(map(math.isfinite, found.details.thresholds.values()))


def test_rows_that_do_not_agree_are_refused(tmp_path: Path) -> None:
    mixed = [row(1, "joy"), ClassificationRow(id="2", text="x", label="joy")]
    with pytest.raises(UserError, match="row 2 of"):
        run(dataset_of(tmp_path / "set", "classification", {"test": mixed}), split="test")


def test_words_counted_and_the_commonest_label_stand_beside_it(tmp_path: Path) -> None:
    splits = {"train": rows(80), "validation": rows(12), "test": rows(20)}
    found = run(dataset_of(tmp_path / "set", "classification", splits), split="test")
    # the words are the labels, so counting them is without fault; the commonest label, joy, is right for 10 of 20
    assert named(found, "micro F1 of labels", WORDS).value == named(found, "macro F1 of labels", WORDS).value == 1
    assert named(found, "micro F1 of labels", COMMONEST).value == pytest.approx(2 * 10 / (20 + 20))
    gap = named(found, "difference in micro F1 of labels", f"m − {WORDS}")
    assert gap.value == pytest.approx(2 * 15 / (30 + 20) - 1) and gap.low is not None and gap.low < gap.value < 0
    assert named(found, "randomisation p-value", f"m − {WORDS}").value < 0.05
    # with thresholds all of them are right
    assert named(found, "difference in micro F1 of labels", f"m{THRESHOLDS} − {WORDS}{THRESHOLDS}").value == 0
    assert (
        subject(f"m{THRESHOLDS} − {WORDS}{THRESHOLDS}").zh
        == "m（每个标签各有阈值） − TF-IDF 与逻辑回归（每个标签各有阈值）"
    )
    bare = run(dataset_of(tmp_path / "bare", "classification", splits), split="test", baselines=False)
    assert not any(WORDS in measure.model for measure in bare.measures)
