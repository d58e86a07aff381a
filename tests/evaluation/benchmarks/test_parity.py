"""Results equal those of lm-evaluation-harness on the same YAML, the same rows and the same weights."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.evaluation.benchmarks.conftest import Both, plan_of, run

Written = Callable[[dict[str, Any], Sequence[dict[str, Any]]], Path]
WORDS = ["cat", "dog", "sun", "moon", "tree", "river", "天空", "蓝色", "学习", "模型", "语言", "你好", "house", "stone"]


def words(draw: random.Random, least: int, most: int) -> str:
    return " ".join(draw.choice(WORDS) for _ in range(draw.randint(least, most)))


def choice_rows(count: int = 12) -> list[dict[str, Any]]:
    draw = random.Random(3)
    return [
        {"question": words(draw, 2, 6), "choices": [words(draw, 1, 3) for _ in range(4)], "label": draw.randrange(4)}
        for _ in range(count)
    ]


def theirs(tiny: Both, path: Path, name: str, **options: Any) -> dict[str, Any]:
    """The harness's own answer."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    manager = TaskManager(include_path=str(path.parent), include_defaults=False)
    found: dict[str, Any] = simple_evaluate(
        tiny.theirs, tasks=[name], task_manager=manager, bootstrap_iters=0, log_samples=True, **options
    )
    return found


CHOICE = {
    "task": "choose", "output_type": "multiple_choice", "doc_to_text": "Q: {{question}}\nA:", "doc_to_target": "label",
    "doc_to_choice": "choices", "description": "Answer the question.\n\n",
    "metric_list": [{"metric": m, "aggregation": "mean", "higher_is_better": True} for m in ("acc", "acc_norm", "acc_bytes", "exact_match")],
}  # fmt: skip
NAMES = {
    "acc": "accuracy of choices", "acc_norm": "accuracy of choices by characters", "acc_bytes": "accuracy of choices by bytes",
    "exact_match": "right continuations written greedily", "acc_mutual_info": "accuracy of choices by gain",
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "shots"),
    [
        ({}, 0),
        ({"num_fewshot": 2, "fewshot_split": "train", "training_split": "train"}, 2),
        ({"num_fewshot": 2, "fewshot_split": "test"}, 2),
        ({"num_fewshot": 3, "fewshot_split": "train", "fewshot_config": {"sampler": "first_n", "doc_to_text": "E: {{question}}", "target_delimiter": "=> "}}, 3),
        ({"target_delimiter": "", "doc_to_choice": "{{choices}}", "gen_prefix": "The answer:"}, 0),
        ({"doc_to_choice": ["yes", "no", "maybe", "也许"], "metric_list": [{"metric": "acc_mutual_info"}, {"metric": "acc"}]}, 0),
        ({"doc_to_target": "{{[label, 0]}}"}, 0),
        ({"num_fewshot": 1, "fewshot_split": "train", "doc_to_target": "{{choices[label]}}"}, 1),
    ],
)  # fmt: skip
@pytest.mark.spec("EV10", "choices by likelihood: log-probabilities to 1e-6 and the same acc as lm-evaluation-harness")
def test_choices(tiny: Both, written: Written, changes: dict[str, Any], shots: int) -> None:
    path = written(CHOICE | changes, choice_rows())
    expected = theirs(tiny, path, "choose")
    results, measures = run(tiny.ours, plan_of(path))
    for sample, other in zip(results[0].samples, expected["samples"]["choose"], strict=True):
        assert list(sample.question.pairs) == [tuple(pair) for pair in other["arguments"]]
        assert list(sample.said) == pytest.approx([float(one[0][0]) for one in other["resps"]], rel=1e-6)
    data = f"choose, {shots} examples" if shots else "choose"
    for key, value in expected["results"]["choose"].items():
        metric = key.removesuffix(",none")
        if metric in NAMES:
            assert measures[NAMES[metric], data, "tiny"].value == pytest.approx(value, abs=1e-12), metric
    assert measures["accuracy of choices", data, "guessing"].value == pytest.approx(0.25)


@pytest.mark.spec("EV10", "contexts to choose from, as in WinoGrande, equal lm-evaluation-harness's")
def test_contexts_to_choose_from(tiny: Both, written: Written) -> None:
    draw = random.Random(9)
    rows = [
        {"options": [words(draw, 2, 4), words(draw, 2, 4)], "end": words(draw, 1, 3), "label": draw.randrange(2)}
        for _ in range(8)
    ]
    config = {
        "task": "contexts", "output_type": "multiple_choice", "doc_to_text": "label", "doc_to_choice": "options",
        "doc_to_target": "end", "num_fewshot": 1, "fewshot_split": "train", "fewshot_config": {"sampler": "first_n"},
        "metric_list": [{"metric": "acc", "aggregation": "mean", "higher_is_better": True}],
    }  # fmt: skip
    path = written(config, rows)
    expected = theirs(tiny, path, "contexts")
    results, measures = run(tiny.ours, plan_of(path))
    for sample, other in zip(results[0].samples, expected["samples"]["contexts"], strict=True):
        assert list(sample.question.pairs) == [tuple(pair) for pair in other["arguments"]]
        assert list(sample.said) == pytest.approx([float(one[0][0]) for one in other["resps"]], rel=1e-6)
    assert measures["accuracy of choices", "contexts, 1 examples", "tiny"].value == expected["results"]["contexts"]["acc,none"]  # fmt: skip


@pytest.mark.spec("EV10", "continuations, and prompts that lose their beginnings, equal lm-evaluation-harness's")
def test_continuations(tiny: Both, written: Written) -> None:
    draw = random.Random(5)
    rows = [
        {"text": words(draw, *((3, 9) if number % 3 else (60, 90))), "last": words(draw, 1, 2)} for number in range(9)
    ]
    config = {"task": "last", "output_type": "loglikelihood", "doc_to_text": "text", "doc_to_target": " {{last}}"}
    path = written(config, rows)
    expected = theirs(tiny, path, "last")
    results, measures = run(tiny.ours, plan_of(path))
    for sample, other in zip(results[0].samples, expected["samples"]["last"], strict=True):
        assert sample.said[0] == pytest.approx(float(other["resps"][0][0][0]), rel=1e-6)
    assert results[0].cut == 3
    assert measures["perplexity of answers", "last", "tiny"].value == pytest.approx(expected["results"]["last"]["perplexity,none"], rel=1e-5)  # fmt: skip
    assert measures["right continuations written greedily", "last", "tiny"].value == expected["results"]["last"]["acc,none"]  # fmt: skip


@pytest.mark.spec("EV10", "running text in windows equals lm-evaluation-harness's")
def test_running_text(tiny: Both, written: Written) -> None:
    draw = random.Random(6)
    rows = [{"text": words(draw, *span)} for span in ((3, 9), (60, 90), (150, 160))]
    config = {"task": "roll", "output_type": "loglikelihood_rolling", "doc_to_text": "", "doc_to_target": "text"}
    path = written(config, rows)
    expected = theirs(tiny, path, "roll")["results"]["roll"]
    _, measures = run(tiny.ours, plan_of(path))
    for name, key in (("perplexity per word", "word_perplexity"), ("perplexity per byte", "byte_perplexity"), ("bits per byte", "bits_per_byte")):  # fmt: skip
        assert measures[name, "roll", "tiny"].value == pytest.approx(expected[f"{key},none"], rel=1e-5), key


@pytest.mark.spec("EV10", "written answers and what filters take out of them equal lm-evaluation-harness's")
def test_written_answers(tiny: Both, written: Written) -> None:
    draw = random.Random(8)
    rows = [{"question": words(draw, 2, 5), "answer": words(draw, 1, 1)} for _ in range(6)]
    rows[0]["answer"] = ""
    config = {
        "task": "say", "doc_to_text": "Q: {{question}}\nA:", "doc_to_target": "answer", "num_fewshot": 1,
        "fewshot_split": "test", "generation_kwargs": {"until": ["\n", " "], "max_gen_toks": 24},
        "filter_list": [
            {"name": "letters", "filter": [{"function": "regex", "regex_pattern": "([a-z])([A-Z])?", "group_select": -1}, {"function": "take_first"}]},
            {"name": "upper", "filter": [{"function": "remove_whitespace"}, {"function": "uppercase"}, {"function": "take_first"}]},
        ],
        "metric_list": [
            {"metric": "exact_match", "aggregation": "mean", "higher_is_better": True, "ignore_case": True, "regexes_to_ignore": [","]},
            {"metric": "chrf", "aggregation": "chrf", "higher_is_better": True},
        ],
    }  # fmt: skip
    path = written(config, rows)
    expected = theirs(tiny, path, "say")
    results, measures = run(tiny.ours, plan_of(path))
    other = [one for one in expected["samples"]["say"] if one["filter"] == "letters"]
    assert [sample.said[0] for sample in results[0].samples] == [one["resps"][0][0] for one in other]
    assert [sample.taken["letters"] for sample in results[0].samples] == [one["filtered_resps"][0] for one in other]
    assert len({sample.said[0] for sample in results[0].samples}) > 2
    for name in ("letters", "upper"):
        for metric, ours in (("exact_match", "exact answers"), ("chrf", "chrF")):
            value = measures[ours, f"say, 1 examples (filter={name})", "tiny"].value
            assert value == pytest.approx(expected["results"]["say"][f"{metric},{name}"], abs=1e-9)


@pytest.mark.spec("EV10", "a group's means, by questions and by benchmarks, equal lm-evaluation-harness's")
@pytest.mark.parametrize("by_rows", [True, False])
def test_groups(tiny: Both, written: Written, by_rows: bool) -> None:
    import yaml

    for name, count in (("one", 5), ("two", 9)):
        path = written(CHOICE | {"task": name, "tag": "both"}, choice_rows(count))
    group = {
        "group": "pair", "task": ["one", {"task": "two", "target_delimiter": ""}],
        "aggregate_metric_list": [{"metric": "acc", "aggregation": "mean", "weight_by_size": by_rows}],
    }  # fmt: skip
    (path.parent / "pair.yaml").write_text(yaml.safe_dump(group), encoding="utf-8")
    expected = theirs(tiny, path, "pair")
    _, measures = run(tiny.ours, plan_of(path.parent, "pair"))
    found = measures["accuracy of choices", "pair", "tiny"]
    assert found.value == pytest.approx(expected["groups"]["pair"]["acc,none"])
    assert found.n == 14
    assert found.low is not None and found.low <= found.value <= (found.high or 0)
    assert [one.name for one in plan_of(path.parent, "both").benchmarks] == ["one", "two"]
