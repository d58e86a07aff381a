"""What a benchmark says wrongly, or may not do, is refused by name before anything is asked."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.evaluation.benchmarks.conftest import plan_of

from langwright.errors import UserError
from langwright.evaluation.benchmarks.declaration import Plan
from langwright.evaluation.benchmarks.planning import planned
from langwright.evaluation.benchmarks.questions import Paper
from langwright.evaluation.benchmarks.sources import Sources

Written = Callable[[dict[str, Any], Sequence[dict[str, Any]]], Path]
ROWS = [{"q": "one", "c": ["a", "b"], "y": 1}, {"q": "two", "c": ["c", "d"], "y": 0}]
GOOD = {"task": "t", "output_type": "multiple_choice", "doc_to_text": "q", "doc_to_target": "y", "doc_to_choice": "c"}


def asked(plan: Plan) -> list[Any]:
    return list(Paper(plan.benchmarks[0]).questions())


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"output_type": "generate"}, "no output_type called 'generate'"),
        ({"num_fewshots": 3}, "num_fewshots: 3, which is not supported"),
        ({"use_prompt": "promptsource:x"}, "use_prompt: promptsource:x, which is not supported"),
        ({"unsafe_code": True}, "unsafe_code: True"),
        ({"doc_to_image": "q"}, "doc_to_image: q"),
        ({"metric_list": [{"metric": "rouge"}]}, "no metric called 'rouge'"),
        ({"metric_list": [{"metric": "acc", "hf_evaluate": True}]}, "hf_evaluate: acc"),
        ({"metric_list": [{"metric": "acc", "aggregation": "median"}]}, "acc is aggregated by mean here, not by median"),
        ({"filter_list": [{"name": "f", "filter": [{"function": "format_span"}]}]}, "no filter called 'format_span'"),
        ({"filter_list": [{"name": "f", "filter": [{"function": "regex", "regex_pattern": "("}]}]}, "a pattern that is none"),
        ({"dataset_path": "super_glue"}, "takes its rows from super_glue"),
        ({"dataset_kwargs": {"data_files": "gone.jsonl"}, "test_split": "train"}, "there is no"),
        ({"test_split": None}, "names no test_split"),
        ({"fewshot_config": {"sampler": "balanced"}}, "sampler: balanced"),
        ({"doc_to_choice": None}, "no doc_to_choice"),
        ({"doc_to_text": "{{question}}"}, "row 1: the template '{{question}}' cannot be filled: 'question' is undefined; the row has q, c, y"),
        ({"doc_to_text": "{{q"}, "is no template"),
        ({"doc_to_text": "{{ q.__class__.__mro__ }}"}, "what a template may not do"),
        ({"doc_to_text": "{{ q.append(1) }}"}, "cannot be filled"),
        ({"doc_to_choice": "{{[]}}"}, "row 1: there is nothing to choose from"),
        ({"doc_to_choice": ["a", ""]}, "nothing to choose from"),
        ({"doc_to_target": "{{y + 1}}"}, "the right answer 2 is none of the 2 choices"),
        ({"num_fewshot": 2, "fewshot_split": "test"}, "2 examples are asked for, and there are 1 rows"),
    ],
)  # fmt: skip
@pytest.mark.spec("EV10", "a benchmark that says something wrong is refused with what, where and what to do")
def test_what_is_wrong_is_named(written: Written, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        asked(plan_of(written(GOOD | changes, ROWS)))
    assert said in str(caught.value)


def test_a_row_without_a_column_is_named(written: Written) -> None:
    with pytest.raises(UserError, match="t, row 2: it has no column q"):
        asked(plan_of(written(GOOD, [ROWS[0], {"c": ["a", "b"], "y": 0}])))


CODE = """
ran = True
def prompt(row): return "code says " + row["q"]
def marks(row, results): return {"double": 2.0 * (results[0][0] < 0)}
"""


def calling(folder: Path, rows: Sequence[dict[str, Any]] = ROWS) -> Path:
    (folder / "own.py").write_text(CODE, encoding="utf-8")
    (folder / "d.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    base = "dataset_path: json\ndataset_kwargs: {data_files: {test: d.jsonl}}\ntest_split: test\n"
    (folder / "base").write_text(base + "doc_to_text: !function own.prompt\n", encoding="utf-8")
    path = folder / "t.yaml"
    text = "include: base\ntask: t\noutput_type: multiple_choice\ndoc_to_target: y\ndoc_to_choice: c\n"
    path.write_text(text + "process_results: !function own.marks\nmetric_list: [{metric: double}]\n", encoding="utf-8")
    return path


@pytest.mark.spec("EV10", "a YAML that calls code is refused, naming it, unless that code is allowed by name")
def test_code_is_refused_unless_allowed(tmp_path: Path) -> None:
    path = calling(tmp_path)
    with pytest.raises(UserError, match=r"calls code: own\.marks, own\.prompt"):
        plan_of(path)
    with pytest.raises(UserError, match=r"calls code: own\.marks\n"):
        plan_of(path, code=frozenset({"own.prompt"}))
    (tmp_path / "own.py").write_text("raise SystemExit('it ran')", encoding="utf-8")
    with pytest.raises(UserError, match="calls code"):
        plan_of(path)  # not even read
    calling(tmp_path)
    plan = plan_of(path, code=frozenset({"own.prompt", "own.marks"}))
    assert asked(plan)[0].contexts == ("code says one",)


def test_a_class_and_odd_tags_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text("task: t\nclass: !function task.SQuAD2\n", encoding="utf-8")
    with pytest.raises(UserError, match=r"Python class, task\.SQuAD2, which only"):
        plan_of(path)
    path.write_text("task: t\ndoc_to_text: !!python/object/apply:os.system ['touch x']\n", encoding="utf-8")
    with pytest.raises(UserError, match="cannot be read as YAML"):
        plan_of(path)
    path.write_text("task: t\ninclude: t.yaml\n", encoding="utf-8")
    with pytest.raises(UserError, match="includes itself"):
        plan_of(path)


def test_names_are_looked_up_everywhere(tmp_path: Path, written: Written) -> None:
    path = written(GOOD, ROWS)
    plan = planned([str(path), "t"], [str(tmp_path)], Sources())
    assert [one.name for one in plan.benchmarks] == ["t"]
    with pytest.raises(UserError, match="no benchmark called 'blinp'"):
        planned(["blinp"], [], Sources())
    with pytest.raises(UserError, match="there is no"):
        planned(["tasks/none.yaml"], [], Sources())
    other = tmp_path / "b" / "t.yaml"
    other.parent.mkdir()
    other.write_text(yaml.safe_dump(yaml.safe_load(path.read_text(encoding="utf-8"))), encoding="utf-8")
    with pytest.raises(UserError, match="two benchmarks are called t"):
        planned([str(path), str(other)], [], Sources())


def test_a_file_in_place_of_a_data_set(tmp_path: Path, written: Written) -> None:
    path = written(GOOD | {"dataset_path": "glue", "dataset_kwargs": {}}, ROWS)
    plan = plan_of(path, files={"t": str(tmp_path / "t.jsonl")})
    assert [question.row["q"] for question in asked(plan)] == ["one", "two"]
