"""`evaluate` and `report` as stages: real models of every kind, files, cards, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from tests.inference.tiny import LLAMA, random_model
from transformers import LlamaForSequenceClassification

from langwright.artifacts import Artifact, open_artifact
from langwright.errors import UserError
from langwright.evaluation.gate import check, measures_of
from langwright.evaluation.gate_settings import Gate, Threshold
from langwright.evaluation.measuring.findings import read_details
from langwright.evaluation.measuring.perplexity import score_documents, text_documents
from langwright.inference.engine import TorchEngine
from langwright.inference.fake import letters
from langwright.measures import Measure, read_report
from langwright.models.loading import save_model
from langwright.runlog import Progressed, read_events
from langwright.settings import read_settings
from langwright.stages import data_read, evaluate, report
from langwright.stages.execution import execute
from langwright.wording import use_language
from langwright.workspace import Workspace

CONTEXT = LLAMA.max_position_embeddings
TALES = [f"第{i}回。宝玉听了，便慢慢走回园子里去。 Chapter {i}: it was a cold day." for i in range(40)]


def config_for(**changes: object) -> object:
    return LLAMA.__class__(**{**LLAMA.to_dict(), "vocab_size": len(letters()), **changes})


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with three datasets and two models."""
    folder = tmp_path_factory.mktemp("world")
    talks = [{"messages": [{"role": "user", "content": f"{i}?"}], "expect": "x", "language": "en"} for i in range(20)]
    labelled = [{"text": f"{'gut' if i % 2 else 'bad'} film {i}", "label": "+" if i % 2 else "-"} for i in range(40)]
    rows = {"text": [{"text": tale} for tale in TALES], "chat": talks, "classification": labelled}
    for schema, of_schema in rows.items():
        source = folder / f"{schema}.jsonl"
        source.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in of_schema), encoding="utf-8")
        settings = read_settings(data_read.STAGE.settings, given={"schema_name": schema, "split.validation": 0.3})
        execute(data_read.STAGE, {"source": [source]}, folder / schema, settings, workspace=Workspace(folder))
    for name in ("writer", "labeller"):
        (folder / name).mkdir()
    save_model(random_model(config_for()), letters(), folder / "writer")
    torch.manual_seed(0)
    labels = {"id2label": {0: "+", 1: "-"}, "label2id": {"+": 0, "-": 1}, "pad_token_id": letters().pad_token_id}
    save_model(LlamaForSequenceClassification(config_for(**labels)).eval(), letters(), folder / "labeller")
    return folder


def measured(world: Path, model: str, dataset: str, out: Path, **given: object) -> Artifact:
    settings = read_settings(evaluate.STAGE.settings, given=given)
    inputs = {"model": [world / model], "dataset": [world / dataset]}
    command = ["langwright", "evaluate", model, dataset, "out"]
    return execute(evaluate.STAGE, inputs, out, settings, workspace=Workspace(world), command=command)


def named(measures: tuple[Measure, ...], name: str, model: str) -> Measure:
    return next(m for m in measures if m.name == name and m.model == model)


@pytest.mark.spec("EV5", "the stage evaluate measures a real model on text and writes report.json and report.html")
def test_a_writer_on_text(world: Path, tmp_path: Path):
    artifact = measured(world, "writer", "text", tmp_path / "out", samples=3, max_new_tokens=8)
    measures = read_report(artifact.path / "report.json").measures
    assert artifact.card.results == measures
    assert artifact.kind == "report"
    model = random_model(config_for())
    engine = TorchEngine(model)
    try:
        texts = list(held_out(world / "text"))
        scores = list(score_documents(engine, text_documents(letters(), texts)))
    finally:
        engine.close()
    bits = named(measures, "bits per byte", "writer")
    assert bits.value == pytest.approx(sum(s.nats for s in scores) / torch.log(torch.tensor(2.0)).item() / sum(s.bytes for s in scores), rel=1e-6)  # fmt: skip
    assert bits.command == "langwright evaluate writer text out"
    assert named(measures, "next-token accuracy", "writer").value == sum(s.hits for s in scores) / sum(s.tokens for s in scores)  # fmt: skip
    assert named(measures, "bits per byte", "Kneser-Ney 5-gram").value < bits.value
    assert len(read_details(artifact.path / "details.json").samples) == 3
    html = (artifact.path / "report.html").read_text(encoding="utf-8")
    assert "langwright evaluate writer text out" in html
    progressed = {e.what for e in read_events(artifact.path / "run" / "events.jsonl") if isinstance(e, Progressed)}
    assert {"scoring texts", "writing texts", "compressing bytes", "counting n-grams"} <= progressed


def held_out(folder: Path) -> list[str]:
    from langwright.data.dataset import open_dataset

    return list(open_dataset(folder).texts("validation"))


def test_a_writer_in_conversation_and_the_page_in_chinese(world: Path, tmp_path: Path):
    use_language("zh")
    artifact = measured(world, "writer", "chat", tmp_path / "out", max_new_tokens=4)
    details = read_details(artifact.path / "details.json")
    assert details.task == "chat"
    assert len(details.replies) == named(artifact.card.results, "replies with the expected phrase", "writer").n > 0
    assert 'data-lang="zh"' in (artifact.path / "report.html").read_text(encoding="utf-8")


def test_a_labeller_by_its_head_and_a_writer_by_asking(world: Path, tmp_path: Path):
    by_head = measured(world, "labeller", "classification", tmp_path / "a")
    by_asking = measured(world, "writer", "classification", tmp_path / "b", baselines=False, limit=4)
    head = named(by_head.card.results, "accuracy", "labeller")
    assert head.n > 4
    assert named(by_head.card.results, "accuracy", "TF-IDF and logistic regression").value == 1
    assert read_details(by_head.path / "details.json").confusion.labels == ("+", "-")
    assert named(by_asking.card.results, "accuracy", "writer").n == 4


@pytest.mark.spec(
    "EV11", "time a text with its interval, peak memory and size on disk stand beside accuracy, and a gate bounds them"
)
def test_what_an_answer_costs_stands_beside_how_good_it_is(world: Path, tmp_path: Path):
    artifact = measured(world, "labeller", "classification", tmp_path / "out", baselines=False, expense=True)
    found = {m.name: m for m in artifact.card.results}
    weights = sum(file.stat().st_size for file in (world / "labeller").glob("*.safetensors"))
    assert found["size on disk"].value == weights > 0
    assert weights < found["peak memory while measured"].value < 1e11
    assert 0 < found["time a text"].value < 10 and found["time a text"].n == found["accuracy"].n
    bounds = [
        ("time a text", 10, True),
        ("peak memory while measured", 1e11, True),
        ("size on disk", weights - 1, False),
    ]
    for name, most, passed in bounds:
        demands = Gate(threshold=(Threshold(measure=name, at_most=most),))
        assert [one.passed for one in check(demands, measures_of(artifact.path, Workspace(world)))] == [passed], name


def test_rows_with_several_labels_need_a_head_that_gives_several(world: Path, tmp_path: Path):
    labelled = [
        {"text": f"film {i}", "labels": [label for label in "+-" if i % (2 + (label == "+")) == 0]} for i in range(40)
    ]
    (tmp_path / "several.jsonl").write_text("\n".join(map(json.dumps, labelled)))
    settings = read_settings(data_read.STAGE.settings, given={"schema_name": "classification", "split.validation": 0.3, "split.test": 0.3})  # fmt: skip
    execute(
        data_read.STAGE,
        {"source": [tmp_path / "several.jsonl"]},
        world / "several",
        settings,
        workspace=Workspace(world),
    )
    with pytest.raises(UserError, match="taught one label a text"):
        measured(world, "labeller", "several", tmp_path / "refused", baselines=False)
    labels = {"id2label": {0: "+", 1: "-"}, "label2id": {"+": 0, "-": 1}, "pad_token_id": letters().pad_token_id}
    both = LlamaForSequenceClassification(config_for(**labels, problem_type="multi_label_classification")).eval()
    save_model(both, letters(), world / "both")
    artifact = measured(world, "both", "several", tmp_path / "out", split="test", baselines=False)
    for model in ("both", "both with a threshold for each label"):
        found = named(artifact.card.results, "micro F1 of labels", model)
        assert 0 <= found.value <= 1 and found.n == named(artifact.card.results, "Hamming loss", model).n > 4
    assert set(read_details(artifact.path / "details.json").thresholds) <= {"+", "-"}
    asked = measured(world, "writer", "several", tmp_path / "asked", limit=3, baselines=False)
    assert named(asked.card.results, "all labels right", "writer").n == 3


def test_a_labeller_cannot_be_measured_on_text(world: Path, tmp_path: Path):
    with pytest.raises(UserError, match="labeller cannot"):
        measured(world, "labeller", "text", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_the_same_command_gives_the_same_measures(world: Path, tmp_path: Path):
    first, second = (measured(world, "writer", "text", tmp_path / name, samples=2, max_new_tokens=5) for name in "ab")
    assert first.card.results == second.card.results
    assert first.card.files["details.json"] == second.card.files["details.json"]


def test_the_report_of_what_was_measured(world: Path, tmp_path: Path):
    evaluation = measured(world, "writer", "text", tmp_path / "measured", samples=0, baselines=False)
    settings = read_settings(report.STAGE.settings, given={"language": "zh"})
    made = execute(report.STAGE, {"report": [evaluation.path]}, tmp_path / "page", settings, workspace=Workspace(world))
    html = (made.path / "report.html").read_text(encoding="utf-8")
    assert 'data-lang="zh"' in html
    assert "数据：text" in html  # the dataset is found by following the origins
    assert made.card.inputs[0].inputs[1].kind == "dataset"
    lonely = read_settings(report.STAGE.settings, given={"follow": False})
    alone = execute(report.STAGE, {"report": [evaluation.path]}, tmp_path / "alone", lonely, workspace=Workspace(world))
    assert "数据：text" not in (alone.path / "report.html").read_text(encoding="utf-8")


def test_a_report_of_nothing_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="nothing to report on"):
        execute(report.STAGE, {}, tmp_path / "page", report.ReportSettings(), workspace=Workspace(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.spec(
    "G1", "a published model is evaluated: bits per byte equals lm-evaluation-harness's rolling log-likelihood"
)
def test_stories260k_scores_as_lm_evaluation_harness_does(shared_data: Callable[[str], Path], tmp_path: Path):
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from langwright.inference.opening import open_text_model

    folder = shared_data("model-stories260k") / "hf"
    text = "Once upon a time, there was a little girl named Lily. She loved to play outside in the park. " * 12
    ours = open_text_model(folder)
    try:
        length = 129  # 128 predictions a window, one token of context in each, as the harness's defaults
        (score,) = score_documents(
            ours.engine, text_documents(ours.tokenizer, [text]), length=length, stride=length - 1
        )
    finally:
        ours.close()
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    # left to itself the harness puts this tokenizer's BOS in twice, and counts the second one
    harness = HFLM(
        pretrained=model,
        tokenizer=tokenizer,
        backend="causal",
        device="cpu",
        max_length=length - 1,
        add_bos_token=False,
    )
    request = Instance(request_type="loglikelihood_rolling", doc={}, arguments=(text,), idx=0)
    (theirs,) = harness.loglikelihood_rolling([request], disable_tqdm=True)
    assert score.tokens == len(tokenizer(text, add_special_tokens=False)["input_ids"]) > 2 * length
    assert -score.nats == pytest.approx(theirs, rel=1e-6)
    assert score.hits / score.tokens > 0.4  # it was trained on such stories


def test_declarations_import_nothing_heavy():
    import subprocess
    import sys

    code = (
        "import sys; from langwright.stages import evaluate, report; "
        "print([m for m in ('torch', 'transformers', 'numpy', 'sklearn', 'pyarrow', 'jinja2') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_an_opened_report_is_an_artifact(world: Path, tmp_path: Path):
    measured(world, "writer", "chat", tmp_path / "out", max_new_tokens=2, limit=2)
    assert open_artifact(tmp_path / "out", "report").card.stage == "evaluate"


@pytest.mark.spec(
    "F12", "`evaluate` labels from a handful of examples, by prototypes or shown in the question, with an interval"
)
@pytest.mark.parametrize("kind", ["prototypes", "in-context"])
def test_labels_from_a_handful_of_examples(world: Path, tmp_path: Path, kind: str) -> None:
    given = {"few_shot.kind": kind, "few_shot.per_label": 8, "baselines": False}
    found = measured(world, "writer", "classification", tmp_path / "out", **given)
    accuracy = next(m for m in found.card.results if m.name == "accuracy")
    assert 0 <= accuracy.low <= accuracy.value <= accuracy.high <= 1
    if kind == "prototypes":
        assert accuracy.value > 0.8  # "gut" and "bad" differ in every hidden state
    with pytest.raises(UserError, match="draws its examples from the train split"):
        measured(world, "writer", "classification", tmp_path / "no", split="train", **given)
