"""`langwright benchmark` as a stage: files, answers kept, the gate, real models, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.inference.tiny import LLAMA, random_model

from langwright.artifacts import Artifact
from langwright.errors import UserError
from langwright.evaluation.gate import check, measures_of
from langwright.evaluation.gate_settings import Gate, Threshold
from langwright.inference.fake import letters
from langwright.measures import read_report
from langwright.models.loading import save_model
from langwright.runlog import Progressed, Warned, read_events
from langwright.settings import read_settings
from langwright.stages import benchmark, compare, data_read
from langwright.stages.execution import execute
from langwright.workspace import Workspace


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a model and two tables."""
    folder = tmp_path_factory.mktemp("world")
    config = LLAMA.__class__(**{**LLAMA.to_dict(), "vocab_size": len(letters())})
    for name, seed in (("writer", 1), ("other", 2)):
        (folder / name).mkdir()
        save_model(random_model(config, seed=seed), letters(), folder / name)
    choices = [
        {"question": f"{number} 是" * (1 + 29 * (number == 3)), "choices": ["奇数", "偶数"], "gold": number % 2, "kind": "zh" if number % 3 else "en"}
        for number in range(8)
    ]  # fmt: skip
    said = [{"question": f"say {number}", "answers": ["x", "y"]} for number in range(3)]
    for name, rows in (("parity", choices), ("say", said)):
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(text, encoding="utf-8")
    (folder / "kinds.toml").write_text(
        'name = "kinds"\nlanguage = "zh"\nask = "choices"\nfiles = { test = "parity.jsonl" }\nprompt = "question"\n'
        'choices = "choices"\nanswer = "gold"\ndelimiter = ""\nby = ["kind"]\n',
        encoding="utf-8",
    )
    return folder


def asked(world: Path, out: Path, *tasks: str, model: str = "writer", **given: object) -> Artifact:
    names = [str(world / task) for task in tasks]
    settings = read_settings(benchmark.STAGE.settings, given={"tasks": names, **given})  # type: ignore[arg-type]
    command = ["langwright", "benchmark", "writer", "out"]
    return execute(benchmark.STAGE, {"model": [world / model]}, out, settings, workspace=Workspace(world), command=command)  # fmt: skip


@pytest.mark.spec(
    "EV10", "the stage benchmark asks a real model and writes measures, samples and a page in both languages"
)
def test_a_model_is_asked(world: Path, tmp_path: Path) -> None:
    made = asked(world, tmp_path / "out", "kinds.toml", "say.jsonl")
    measures = read_report(made.path / "report.json").measures
    found = {(m.name, m.data, m.model): m for m in measures}
    whole = found["accuracy of choices", "kinds", "writer"]
    parts = [found["accuracy of choices", f"kinds (kind={kind})", "writer"] for kind in ("en", "zh")]
    assert whole.n == 8 == sum(part.n for part in parts)
    assert whole.value == pytest.approx(sum(part.value * part.n for part in parts) / 8)
    assert found["accuracy of choices", "kinds", "guessing"].value == 0.5
    assert found["answer F1", "say", "writer"].n == 3
    assert all(m.command == "langwright benchmark writer out" and m.method for m in measures)
    samples = [json.loads(line) for line in (made.path / "samples" / "000-kinds.jsonl").read_text().splitlines()]
    assert [one["row"] for one in samples] == list(range(1, 9))
    assert sum(one["marks"]["none"]["acc"] for one in samples) == pytest.approx(8 * whole.value)
    cut = [one["row"] for one in samples if one["cut"]]
    about = json.loads((made.path / "benchmarks.json").read_text())
    assert cut == [4] and about[0]["cut"] == 1 and list(about[0]["data"]) == ["parity.jsonl"]
    events = read_events(made.path / "run" / "events.jsonl")
    assert any(isinstance(event, Warned) and "lost their beginnings" in event.message for event in events)
    told = [event for event in events if isinstance(event, Progressed)]
    assert (told[-1].done, told[-1].total) == (8 * 2 + 3, 8 * 2 + 3)
    html = (made.path / "report.html").read_text(encoding="utf-8")
    assert "选择准确率" in html and "总选最常见的位置" in html and "8 个问题中有 1 个超出上下文" in html


def test_answers_are_taken_from_the_cache(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = asked(world, tmp_path / "first", "kinds.toml")

    def never(*_: object, **__: object) -> None:
        raise AssertionError("asked again")

    monkeypatch.setattr("langwright.inference.engine.TorchEngine.judge", never)
    second = asked(world, tmp_path / "second", "kinds.toml")
    assert [m.value for m in second.card.results] == [m.value for m in first.card.results]  # type: ignore[union-attr]
    with pytest.raises(AssertionError, match="asked again"):
        asked(world, tmp_path / "third", "kinds.toml", keep=False)


@pytest.mark.spec("EV7", "a release is refused for what a benchmark measured before it is deployed")
def test_the_gate_judges_benchmarks(world: Path, tmp_path: Path) -> None:
    made = asked(world, tmp_path / "out", "kinds.toml")
    threshold = Threshold(measure="accuracy of choices", data="kinds", at_least=0.99)
    (checked,) = check(Gate(threshold=(threshold,)), measures_of(made.path, Workspace(world)))
    assert not checked.passed and checked.measure is not None and checked.measure.n == 8


def test_what_is_refused_leaves_nothing(world: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no benchmark called"):
        settings = read_settings(benchmark.STAGE.settings, given={"tasks": ["blimpp"]})
        execute(benchmark.STAGE, {"model": [world / "writer"]}, tmp_path / "out", settings, workspace=Workspace(world))
    assert not list(tmp_path.iterdir())


@pytest.mark.spec("EV10", "a published model: log-probabilities of minimal pairs equal lm-evaluation-harness's")
def test_stories260k_as_the_harness_has_it(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder, data = shared_data("model-stories260k") / "hf", shared_data("en-eval-multichoice").parent
    given = {"tasks": ["copa", "lambada"], "limit": 12, "limit_to": "first", "data": str(data)}
    settings = read_settings(benchmark.STAGE.settings, given=given)
    made = execute(benchmark.STAGE, {"model": [folder]}, tmp_path / "out", settings, workspace=Workspace(tmp_path))
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    harness = HFLM(pretrained=model, tokenizer=tokenizer, backend="causal", batch_size=8, device="cpu")
    samples = [json.loads(line) for file in sorted((made.path / "samples").iterdir()) for line in file.read_text().splitlines()]  # fmt: skip
    asked = [(one["asked"][0], f" {choice}") for one in samples[:12] for choice in one["choices"]]
    asked += [(one["asked"][0], one["target"]) for one in samples[12:]]
    requests = [Instance(request_type="loglikelihood", doc={}, arguments=pair, idx=n) for n, pair in enumerate(asked)]
    theirs = harness.loglikelihood(requests, disable_tqdm=True)
    ours = [value for one in samples for value in one["said"]]
    assert ours == pytest.approx([value for value, _ in theirs], rel=1e-6)
    assert [one["marks"]["none"]["acc"] for one in samples[12:]] == [float(greedy) for _, greedy in theirs[-12:]]


@pytest.mark.spec(
    "EV10", "two models on one benchmark or one dataset: one page with paired differences and where they differ"
)
def test_models_are_compared(world: Path, tmp_path: Path) -> None:
    one, other = (asked(world, tmp_path / name, "kinds.toml", model=name).path for name in ("writer", "other"))
    made = execute(compare.STAGE, {"report": [one, other]}, tmp_path / "c", compare.CompareSettings(), workspace=Workspace(world))  # fmt: skip
    measures = {(m.name, m.data, m.model): m for m in read_report(made.path / "report.json").measures}
    values = [measures["accuracy of choices", "kinds", name].value for name in ("writer", "other")]
    gap = measures["difference in accuracy of choices", "kinds", "other − writer"]
    assert gap.value == pytest.approx(values[1] - values[0]) and gap.n == 8
    assert 0 < measures["McNemar p-value", "kinds", "other − writer"].value <= 1
    html = (made.path / "report.html").read_text(encoding="utf-8")
    assert "other and writer differ on" in html and "它们在哪里不同" in html
    rows = tmp_path / "rows.jsonl"
    rows.write_text(
        "".join(json.dumps({"text": f"第{n}回 a cold day {n}"}) + "\n" for n in range(30)), encoding="utf-8"
    )
    reading = read_settings(data_read.STAGE.settings, given={"split.validation": 0.5})
    execute(data_read.STAGE, {"source": [rows]}, tmp_path / "rows", reading, workspace=Workspace(world))
    settings = read_settings(compare.CompareSettings, given={"evaluation.samples": 0, "evaluation.baselines": False})
    inputs = {"model": [world / "writer", world / "other"], "dataset": [tmp_path / "rows"]}
    both = execute(compare.STAGE, inputs, tmp_path / "d", settings, workspace=Workspace(world))
    found = {(m.name, m.model): m for m in read_report(both.path / "report.json").measures}
    gap = found["difference in bits per byte", "other − writer"]
    assert gap.value == pytest.approx(found["bits per byte", "other"].value - found["bits per byte", "writer"].value)
    assert gap.low is not None and gap.high is not None and gap.low <= gap.value <= gap.high


def test_what_cannot_be_compared(world: Path, tmp_path: Path) -> None:
    def attempt(said: str, **inputs: list[Path]) -> None:
        with pytest.raises(UserError, match=said):
            execute(compare.STAGE, inputs, tmp_path / "c", compare.CompareSettings(), workspace=Workspace(world))

    one = asked(world, tmp_path / "one", "say.jsonl").path
    attempt("nothing to compare with: 1 models", report=[one])
    attempt("no rows to measure them on", model=[world / "writer", world / "other"])
    attempt("two of what is compared are called one", report=[one, one])
