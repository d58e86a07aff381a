"""What every task keeps to: learned from its own shipped examples, asked, saved, opened, asked again, measured.

A tiny model is trained on the examples and asked for them: that shows that the way from a dataset to an answer is whole,
not that the task is learned in general. A new task is in the test as soon as it is in TASKS.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import torch

from langwright.artifacts import Artifact, open_artifact
from langwright.data.schemas import SCHEMAS
from langwright.measures import read_report
from langwright.sandbox.running import missing_namespaces
from langwright.settings import read_settings
from langwright.stages import STAGES
from langwright.stages.execution import execute
from langwright.stages.finetune import TaskName
from langwright.tasks import SOLVERS, TASKS
from langwright.tasks.declaration import TaskInput, TaskOutput
from langwright.tasks.examples import example_inputs, example_lines, example_rows, examples_file
from langwright.tasks.front.loading import load
from langwright.tasks.front.model import Model
from langwright.workspace import Workspace

ISOLATION = "limits" if missing_namespaces() else "namespaces"
TRAINED = [task.name for task in TASKS.values() if task.dataset and task.lesson]
OTHERS = [task for task in TASKS if task not in TRAINED]
UNTAUGHT = [task for task in OTHERS if all(SOLVERS[name].needs != "text" for name in TASKS[task].solvers)]
"""Of these, those that a model without any training can do; the others are done in words (test_tasks_in_words.py)."""
LEARNED: dict[str, tuple[str, float]] = {
    "classification": ("accuracy", 0.95), "pair": ("accuracy", 0.95), "similarity": ("Spearman correlation", 0.95),
    "regression": ("Spearman correlation", 0.95), "tagging": ("entity F1", 0.95), "qa": ("exact match", 0.95),
    "choice": ("accuracy", 0.95), "translation": ("chrF", 95), "summarization": ("ROUGE-L", 0.95),
    "chat": ("replies with the expected phrase", 0.95), "relation": ("accuracy", 0.95),
    "correction": ("sentences that are right afterwards", 0.95), "code": ("pass@1", 0.95),
}  # fmt: skip
"""By lesson: the measure on its own examples, and what it must come to."""
MEASURED = {"code": {"sandbox.allow": True, "sandbox.seconds": 20.0, "sandbox.isolation": ISOLATION}}
"""By task: how it is measured besides; the programs of the examples are ours and are run."""
MARKS = {
    "repair": [pytest.mark.heavy],  # learned as corrections are, from texts that have to be written out whole too
    "code": [  # a minute and a half on two cores
        pytest.mark.heavy,
        pytest.mark.spec("G15", "a tiny model learns the shipped examples, and what it writes passes their tests"),
    ],
}
RATE = {"classification": 1e-3, "pair": 1e-3, "relation": 1e-3}
STEPS = {
    "classification": 150,
    "pair": 200,
    "translation": 260,
    "summarization": 180,
    "chat": 200,
    "tagging": 110,
    "qa": 200,
    "relation": 200,
    "correction": 320,
    "code": 300,
}


def characters() -> str:
    """Every character of every task's examples."""
    return "".join(sorted(set("".join("".join(example_lines(task)) for task in TASKS.values())) | set("0123456789")))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with an encoder, an encoder-decoder and a decoder of a few thousand weights over characters."""
    folder = tmp_path_factory.mktemp("tasks")
    torch.manual_seed(0)
    write_models(folder, characters())
    return Workspace(folder)


def write_models(folder: Path, letters: str) -> None:
    from tokenizers import Regex, Tokenizer
    from tokenizers.decoders import Fuse
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Split
    from tokenizers.processors import TemplateProcessing
    from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "</s>"]
    known = {token: number for number, token in enumerate([*special, *letters])}

    def tokenizer(around: bool) -> Any:
        made = Tokenizer(WordLevel(known, unk_token="[UNK]"))
        made.pre_tokenizer = Split(Regex("[\\s\\S]"), "isolated")
        made.decoder = Fuse()
        if around:
            ends = [(token, known[token]) for token in ("[CLS]", "[SEP]")]
            made.post_processor = TemplateProcessing("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", ends)
        names = {"pad_token": "[PAD]", "unk_token": "[UNK]", "mask_token": "[MASK]"}
        ends_of = {"cls_token": "[CLS]", "sep_token": "[SEP]"} if around else {"eos_token": "</s>"}
        return PreTrainedTokenizerFast(tokenizer_object=made, clean_up_tokenization_spaces=False, **names, **ends_of)

    size = {"vocab_size": len(known), "pad_token_id": 0}
    encoder = BertConfig(
        **size, hidden_size=64, num_hidden_layers=2, num_attention_heads=4, intermediate_size=128, max_position_embeddings=256,
        hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    BertForMaskedLM(encoder).save_pretrained(folder / "encoder")
    tokenizer(around=True).save_pretrained(folder / "encoder")
    rewriter = T5Config(
        **size, d_model=64, d_kv=16, num_heads=4, d_ff=128, num_layers=2, dropout_rate=0.0, decoder_start_token_id=0,
        eos_token_id=5, max_position_embeddings=256, feed_forward_proj="gated-gelu", tie_word_embeddings=False,
    )  # fmt: skip
    T5ForConditionalGeneration(rewriter).save_pretrained(folder / "rewriter")
    tokenizer(around=False).save_pretrained(folder / "rewriter")
    from tests.tasks.tiny import write_writer

    write_writer(folder / "writer")


BASE = dict.fromkeys(("translation", "summarization", "correction", "code"), "rewriter") | dict.fromkeys(
    ("chat", "classification", "pair", "relation"), "writer"
)


def stage(world: Workspace, name: str, inputs: dict[str, list[Path]], out: str, **given: Any) -> Artifact:
    sets = [f"{key}={json.dumps(value)}" for key, value in given.items()]
    settings = read_settings(STAGES[name].settings, sets=sets)
    return execute(STAGES[name], inputs, world.folder / out, settings, workspace=world)


def taught(world: Workspace, task: str) -> Artifact:
    """A model that learned a task's examples, once for all tests."""
    declared, out = TASKS[task], world.folder / f"{task}-model"
    if out.exists():
        return open_artifact(out, "model")
    source = world.folder / f"{task}.jsonl"
    shutil.copy(examples_file(task), source)
    data = stage(
        world,
        "data-read",
        {"source": [source]},
        f"{task}-data",
        schema_name=declared.dataset,
        **{"split.validation": 0},
    )
    settings = {
        "task": task if task in get_args(TaskName) else declared.lesson, "steps": STEPS.get(declared.lesson, 80), "learning_rate": RATE.get(declared.lesson, 3e-3), "batch_rows": 32, "dropout": 0.0,
        "device": "cpu", "dtype": "float32", "compile": "off", "seed": 1,
    }  # fmt: skip
    base = world.folder / BASE.get(declared.lesson, "encoder")
    return stage(world, "finetune", {"model": [base], "dataset": [data.path]}, f"{task}-model", **settings)


def test_every_task_has_examples_in_both_languages() -> None:
    for task in TASKS.values():
        lines = example_lines(task)
        assert len(lines) == 32, f"{task.name}: {len(lines)} examples"
        for language in (CHINESE, LATIN):
            said = sum(language.search("".join(texts_in(json.loads(line)))) is not None for line in lines)
            assert said / len(lines) >= 0.4, f"{task.name}: {said} of {len(lines)} examples match {language.pattern}"
        if task.dataset:
            assert all(isinstance(row, SCHEMAS[task.dataset]) for row in example_rows(task))
        assert len({asked.model_dump_json() for asked in example_inputs(task)}) == len(lines)


CHINESE, LATIN = re.compile("[\u4e00-\u9fff]"), re.compile("[A-Za-z]{2}")


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a JSON value, ids and names of languages and labels aside."""
    if isinstance(value, str):
        yield value + "\n"
    elif isinstance(value, list):
        for one in value:
            yield from texts_in(one)
    elif isinstance(value, dict):
        for key, one in value.items():
            if key not in ("id", "label", "labels", "spans", "role", "language", "source_language", "target_language"):
                yield from texts_in(one)


@pytest.mark.parametrize("task", [task for task in TASKS if task not in TRAINED])
def test_inputs_survive_json(task: str) -> None:
    for asked in example_inputs(TASKS[task]):
        assert type(asked).model_validate_json(asked.model_dump_json()) == asked


def round_trip(task: str, asked: TaskInput, found: TaskOutput) -> None:
    """Input and output survive JSON and fulfil their own schemas."""
    from jsonschema import Draft202012Validator

    for one in (asked, found):
        model = type(one)
        assert model.model_validate_json(one.model_dump_json()) == one
        Draft202012Validator(model.model_json_schema()).validate(json.loads(one.model_dump_json()))
    assert found.solver in TASKS[task].solvers and found.lines()


@pytest.mark.spec("AP1", "every task is learned from its own examples, asked, opened again, measured, and read as JSON")
@pytest.mark.parametrize("task", [pytest.param(task, marks=MARKS.get(task, ())) for task in TRAINED])
def test_a_task_is_learned_asked_and_measured(world: Workspace, task: str) -> None:
    made = taught(world, task)
    asked = example_inputs(TASKS[task])[::8]
    with load(made.path) as model:
        first = model.solve_all(task, asked)
        for one, found in zip(asked, first, strict=True):
            round_trip(task, one, found)
    moved = world.folder / f"{task}-moved"
    shutil.copytree(made.path, moved)
    with load(moved) as model:
        again = [model.solve(task, one) for one in asked]
    for before, after in zip(first, again, strict=True):
        assert near(before.model_dump(exclude={"seed"}), after.model_dump(exclude={"seed"}))
    data = world.folder / f"{task}-data"
    given = {"task": task, "split": "train", **MEASURED.get(task, {})}
    report = stage(world, "evaluate", {"model": [made.path], "dataset": [data]}, f"{task}-report", **given)
    name, least = LEARNED[TASKS[task].lesson]
    found = [measure.value for measure in read_report(report.path / "report.json").measures if measure.name == name]
    assert found and found[0] >= least, found


@pytest.mark.spec(
    "AP16", "a model taught pairs in both directions translates each, told the languages or telling them itself"
)
@pytest.mark.spec("T33", "translate and summarize take a plain string and give one")
def test_verbs_on_what_was_taught(world: Workspace) -> None:
    with load(taught(world, "translation").path) as model:
        assert model.translate("Good morning.", source="en", target="zh") == "早上好。"
        assert model.translate("我饿了。", source="zh", target="en") == model.translate("我饿了。") == "I am hungry."
        assert model.abilities["translation"] == "generation"
    row: Any = example_rows(TASKS["summarization"])[0]
    with load(taught(world, "summarization").path) as model:
        assert model.summarize(row.text, solver="generation") == row.summary


def near(before: Any, after: Any) -> bool:
    """Whether two outputs are the same, numbers as far as the batch they stand in lets them be."""
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(near(before[key], after[key]) for key in before)
    if isinstance(before, (list, tuple)):
        return len(before) == len(after) and all(map(near, before, after))
    return before == pytest.approx(after, abs=1e-4) if isinstance(before, float) else before == after


@pytest.mark.parametrize("task", UNTAUGHT)
def test_a_task_of_other_solvers_is_done_on_its_examples(world: Workspace, task: str) -> None:
    asked = example_inputs(TASKS[task])
    for name in TASKS[task].solvers:
        with model_for(world, name) as model:
            model.require(task, name)
            for one in asked if SOLVERS[name].needs == "nothing" else asked[::8]:
                round_trip(task, one, model.solve(task, one, name))


def model_for(world: Workspace, solver: str) -> Model:
    """A model, untaught, that a solver can be used with."""
    needs = SOLVERS[solver].needs
    if needs == "nothing":
        return Model("", None)
    return load(world.folder / {"blanks": "encoder", "vectors": "encoder"}.get(needs, "writer"))
