"""Benchmarks of our own form: definitions, plain tables, shipped ones, and what is kept of answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.evaluation.benchmarks.conftest import Both, run
from tests.evaluation.benchmarks.test_refusals import calling, plan_of

from langwright.errors import UserError
from langwright.evaluation.benchmarks.answers import Kept
from langwright.evaluation.benchmarks.asking import Asker
from langwright.evaluation.benchmarks.declaration import Metric, Table
from langwright.evaluation.benchmarks.definitions import shipped
from langwright.evaluation.benchmarks.extraction import extracted, step_of
from langwright.evaluation.benchmarks.marking import Likelihood, choice_marks, measured, written_marks
from langwright.evaluation.benchmarks.planning import planned
from langwright.evaluation.benchmarks.questions import Paper, Question
from langwright.evaluation.benchmarks.rows import read_rows
from langwright.evaluation.benchmarks.running import Run
from langwright.evaluation.benchmarks.sources import Sources
from langwright.metrics.choices import guessing
from langwright.runlog import Event, Progressed, RunLog

QUESTIONS = [{"question": "2 + 2 =", "choices": ["three", "four", "五个"], "gold": 1}, {"question": "1 + 1 =", "choices": ["two", "一"], "gold": 0}]  # fmt: skip


def table(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.spec("EV10", "acc, acc_norm by characters, acc_bytes and acc_mutual_info differ as their definitions say")
def test_lengths_by_characters_and_bytes() -> None:
    """By hand: sums -3, -5, -4; choices of 3, 6 and 2 characters, which are 3, 6 and 6 bytes."""
    question = Question(0, {}, choices=("abc", "abcdef", "学习"), target=1)
    found = [Likelihood(value, False, 1) for value in (-3.0, -5.0, -4.0)]
    marks = choice_marks(question, found, ("acc", "acc_norm", "acc_bytes"))
    assert marks == {"acc": 0.0, "acc_norm": 1.0, "acc_bytes": 0.0}  # -1, -.83, -2 a character; -1, -.83, -.67 a byte
    conditional = [Likelihood(value, False, 1) for value in (-1.0, -2.0, -3.0, -0.5, -2.0, -3.0)]
    marks = choice_marks(question, conditional, ("acc", "acc_mutual_info"))
    assert marks == {"acc": 0.0, "acc_mutual_info": 1.0}  # gains -.5, 0, 0: the first of the best
    assert choice_marks(Question(0, {}, choices=("a", "b"), target=[0, 1]), found[:2], ("acc",)) == {"acc": 1.0}


def test_measures_of_choices_by_hand() -> None:
    chance, place = guessing([2, 4, 4], [0, 0, 3])
    assert (chance.value, place.value) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert len(guessing([2, 2], [0, 0])) == 1  # where all stand in one place there is nothing to know of places
    scores = measured(Metric("brier_score"), "multiple_choice", [(0, [0.75, 0.25]), (1, [0.5, 0.25, 0.25])], language="en", own=False)  # fmt: skip
    assert scores.value == pytest.approx((2 * 0.0625 + 0.25 + 0.5625 + 0.0625) / 2)
    f1 = measured(Metric("f1"), "multiple_choice", [(1, 1), (1, 0), (0, 1), (0, 0), (1, 1)], language="en", own=False)
    assert f1.value == pytest.approx(2 / 3)  # 2 hits, 3 said, 3 so
    with pytest.raises(UserError, match="two choices"):
        measured(Metric("f1"), "multiple_choice", [(1, 2)], language="en", own=False)


def test_steps_of_extraction() -> None:
    row = {"choices": ["Guilty", "Guilty of Romance"]}
    step = step_of("multi_choice_regex", {"ignore_case": True, "regex_pattern": r"\(([A-Z])\)"})
    assert step(["it is (B)", "guilty of romance!", "so: A", "no"], row) == ["B", "(B)", "(A)", "[invalid]"]
    assert step_of("regex", {"regex_pattern": r"(\d+)|(x)", "group_select": -1})(["1 2 x", "none"], row) == ["x", "[invalid]"]  # fmt: skip
    vote = shipped()["gsm8k"].take[1].extraction()
    assert extracted(vote, ["so 12 and then $1,234.50"], row) == "$1,234.50"
    assert step_of("majority_vote", {})(["a", "b", "b"], row) == ["b"]


def test_rows_of_columns_are_typed(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('text,label,share,old,code\n"a, b",1,0.5,true,007\nc,-2,1,false,12\n', encoding="utf-8")
    rows = read_rows(Table((path,)))
    assert rows == [
        {"text": "a, b", "label": 1, "share": 0.5, "old": True, "code": "007"},
        {"text": "c", "label": -2, "share": 1.0, "old": False, "code": "12"},
    ]
    nested = tmp_path / "n.json"
    nested.write_text('{"rows": [{"a": 1}]}', encoding="utf-8")
    assert read_rows(Table((nested,), field="rows")) == [{"a": 1}]
    with pytest.raises(UserError, match="no list of rows under 'none'"):
        read_rows(Table((nested,), field="none"))
    bad = tmp_path / "bad.jsonl"
    bad.write_text('{"a": 1}\n{"a":\n', encoding="utf-8")
    with pytest.raises(UserError, match="row 2"):
        read_rows(Table((bad,)))


def test_parquet_rows(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"q": ["a"], "choices": [["x", "y"]], "label": [1]}), tmp_path / "t.parquet")
    assert read_rows(Table((tmp_path / "t.parquet",))) == [{"q": "a", "choices": ["x", "y"], "label": 1}]


@pytest.mark.spec(
    "EV10", "a plain table whose columns say what is asked is a benchmark, with what guessing gives beside"
)
def test_plain_tables(tiny: Both, tmp_path: Path) -> None:
    path = table(tmp_path / "sums.jsonl", QUESTIONS)
    results, measures = run(tiny.ours, planned([str(path)], [], Sources()))
    assert results[0].benchmark.output == "multiple_choice"
    assert measures["accuracy of choices", "sums", "guessing"].value == pytest.approx((1 / 3 + 1 / 2) / 2)
    accuracy = measures["accuracy of choices", "sums", "tiny"]
    assert accuracy.n == 2 and accuracy.low is not None and accuracy.high is not None
    said = planned([str(table(tmp_path / "say.jsonl", [{"question": "hi", "answers": ["a", "b"]}]))], [], Sources())
    assert said.benchmarks[0].output == "generate_until"
    text = planned([str(table(tmp_path / "text.jsonl", [{"text": "hi"}]))], [], Sources())
    assert text.benchmarks[0].output == "loglikelihood_rolling"
    with pytest.raises(UserError, match="do not say what is asked"):
        planned([str(table(tmp_path / "odd.jsonl", [{"x": 1}]))], [], Sources())


@pytest.mark.spec("EV10", "what a model answered is kept: an interrupted run goes on, a second one asks nothing")
def test_answers_are_kept(tiny: Both, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [{"question": f"{number} is", "choices": ["odd", "even"], "gold": number % 2} for number in range(9)]
    plan = planned([str(table(tmp_path / "parity.jsonl", rows))], [], Sources())
    monkeypatch.setattr("langwright.evaluation.benchmarks.asking.SCORED_AT_ONCE", 4)
    engine = tiny.ours.engine
    asked: list[int] = []
    judge = engine.judge  # type: ignore[attr-defined]

    def counted(rows: list[list[int]], given: object = None) -> object:
        asked.append(len(rows))
        if stop and len(asked) == 3:
            raise KeyboardInterrupt
        return judge(rows, given)

    def go() -> list[float]:
        with Kept(tmp_path / "kept" / "a.jsonl") as kept:
            results, _ = Run(Asker(tiny.ours, kept), RunLog(None)).benchmarks(plan, "tiny")
        return [value for sample in results[0].samples for value in sample.said]

    monkeypatch.setattr(engine, "judge", counted)
    stop = True
    with pytest.raises(KeyboardInterrupt):
        go()
    file = tmp_path / "kept" / "a.jsonl"
    file.write_bytes(file.read_bytes() + b'["torn')  # as a crash leaves it
    stop, asked[:] = False, []
    found = go()
    assert sum(asked) == 2 * 9 - 2 * 4
    asked[:] = []
    assert go() == found and asked == []
    with Kept(None) as nothing:
        results, _ = Run(Asker(tiny.ours, nothing), RunLog(None)).benchmarks(plan, "tiny")
    assert [value for sample in results[0].samples for value in sample.said] == found


@pytest.mark.spec("EV10", "a score has the same bits alone, among others and in another order")
def test_scores_do_not_depend_on_what_is_asked_beside(tiny: Both, tmp_path: Path) -> None:
    rows = [{"question": "say " * (3 * number), "choices": ["odd", "even 学习"], "gold": 0} for number in range(1, 9)]
    whole = planned([str(table(tmp_path / "all.jsonl", rows))], [], Sources())
    turned = planned([str(table(tmp_path / "turned.jsonl", rows[::-1]))], [], Sources())
    first, other = (run(tiny.ours, plan)[0][0].samples for plan in (whole, turned))
    assert [sample.said for sample in first] == [sample.said for sample in other][::-1]
    alone = planned([str(table(tmp_path / "one.jsonl", rows[4:5]))], [], Sources())
    assert run(tiny.ours, alone)[0][0].samples[0].said == first[4].said


def test_code_that_is_allowed_marks(tiny: Both, tmp_path: Path) -> None:
    plan = plan_of(calling(tmp_path), code=frozenset({"own.prompt", "own.marks"}))
    _, measures = run(tiny.ours, plan)
    assert measures["double of the benchmark", "t", "tiny"].value == 2.0


def test_a_metric_of_code_may_give_several_marks(tiny: Both, tmp_path: Path) -> None:
    path = calling(tmp_path, [{"q": "a", "y": "b"}, {"q": "c", "y": ""}])
    (tmp_path / "own.py").write_text(
        "def lengths(references, predictions, times): return {'said': len(predictions[0]) * 0 + times, 'right': len(references[0])}\n",
        encoding="utf-8",
    )
    path.write_text(
        "task: t\ndataset_path: json\ndataset_kwargs: {data_files: {test: d.jsonl}}\ntest_split: test\ndoc_to_text: q\n"
        "doc_to_target: y\ngeneration_kwargs: {max_gen_toks: 2}\nmetric_list: [{metric: !function own.lengths, times: 3, higher_is_better: true}]\n",
        encoding="utf-8",
    )
    _, measures = run(tiny.ours, plan_of(path, code=frozenset({"own.lengths"})))
    assert measures["said of the benchmark", "t", "tiny"].value == 3
    found = measures["right of the benchmark", "t", "tiny"]
    assert found.value == 0.5 and found.better == "higher"


@pytest.mark.spec("EV6", "answers in writing are marked by SQuAD's exact match and F1, Chinese ones by CMRC's too")
def test_answers_in_writing() -> None:
    names = ("answer_exact", "answer_f1", "cmrc_f1")
    marks = written_marks("the red 红色房子", ["红色的房子", "a red house"], [Metric(name) for name in names])
    assert marks["answer_exact"] == 0.0
    assert marks["answer_f1"] == pytest.approx(2 * 4 / (6 + 5))  # the, red, 红, 色, 房, 子 beside 红, 色, 的, 房, 子
    assert marks["cmrc_f1"] == pytest.approx(2 * 2 / (6 + 5))  # 红色 or 房子, the longest run
    assert written_marks("The Red house", ["red house"], [Metric("answer_exact")]) == {"answer_exact": 1.0}


def test_a_limit_spreads_over_all_rows(tmp_path: Path) -> None:
    rows = [{"question": f"{number}?", "choices": ["a", "b"], "gold": 0} for number in range(10)]
    (benchmark,) = planned([str(table(tmp_path / "ten.jsonl", rows))], [], Sources()).benchmarks
    asked = list(Paper(benchmark, limit=4, spread=True).questions())
    assert [question.number for question in asked] == [0, 2, 5, 7]
    assert [question.row["question"] for question in asked] == ["0?", "2?", "5?", "7?"]
    assert [question.number for question in Paper(benchmark, limit=4).questions()] == [0, 1, 2, 3]
    assert len(list(Paper(benchmark, limit=40, spread=True).questions())) == 10


def test_progress_counts_every_answer(tiny: Both, tmp_path: Path) -> None:
    events: list[Event] = []
    plan = planned([str(table(tmp_path / "sums.jsonl", QUESTIONS))], [], Sources())
    Run(Asker(tiny.ours, Kept(None)), RunLog(None, events.append)).benchmarks(plan, "tiny")
    told = [(event.done, event.total) for event in events if isinstance(event, Progressed)]
    assert told[0] == (0, 5) and told[-1] == (5, 5)


@pytest.mark.parametrize("name", sorted(shipped()))
@pytest.mark.spec("EV6", "each shipped benchmark reads its data, puts its questions and marks answers")
def test_shipped(name: str, tiny: Both, shared_data: Callable[[str], Path]) -> None:
    folder = next(iter(shipped()[name].files.values())).partition("/")[0]
    plan = planned([name], [], Sources(shared_data(folder).parent))
    paper = Paper(plan.benchmarks[0], limit=40)
    questions = list(paper.questions())
    assert len(questions) == 40 and len({question.row.__repr__() for question in questions}) == 40
    results, measures = run(tiny.ours, plan, limit=2, shots=0)
    assert len(results[0].samples) == 2
    assert any(model == "tiny" for _, _, model in measures)
    assert shipped()[name].about
