"""A real published model through the whole life: loaded, asked, measured, fine-tuned with LoRA, served."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import httpx
import pytest

from langwright.artifacts import open_artifact
from langwright.data.shipped import conversations_path
from langwright.measures import read_report
from langwright.settings import read_settings
from langwright.stages import STAGES
from langwright.stages.execution import execute
from langwright.workspace import Workspace


@pytest.fixture(scope="module")
def stories(shared_data):
    return shared_data("model-stories260k")


def run(workspace, stage, inputs, out, *sets):
    return execute(
        STAGES[stage],
        inputs,
        workspace.folder / out,
        read_settings(STAGES[stage].settings, sets=sets),
        workspace=workspace,
    )


@pytest.mark.spec("TL6", "a published checkpoint is a valid input everywhere a model of ours is")
@pytest.mark.spec("SV13", "a model that was just fine-tuned is served as it is, and answers in a conversation")
@pytest.mark.spec("T17", "a published Llama-family model gives its golden text, is measured, fine-tuned and served")
def test_a_published_model_from_start_to_end(stories, tmp_path):
    import langwright

    workspace = Workspace(tmp_path)
    golden = json.loads((stories / "golden.json").read_text())
    with langwright.load(stories / "hf") as model:
        tokens = len(golden["greedy_from_prompt_ids"]) - len(golden["prompt_ids"])
        said = model.generate(golden["prompt"], max_new_tokens=tokens)
        assert golden["prompt"] + said == golden["greedy_from_prompt_text"]
        assert model.score(golden["prompt"]).perplexity > 1

    (tmp_path / "tale.txt").write_text(
        "Once upon a time, there was a little girl named Lily. She loved to play outside in the park.\n" * 3
    )
    run(workspace, "data-read", {"source": [tmp_path / "tale.txt"]}, "tale", "split.validation=0.0")
    run(workspace, "evaluate", {"model": [stories / "hf"], "dataset": [tmp_path / "tale"]}, "measured", "samples=1",
        "max_new_tokens=8", "baselines=false", "length=64")  # fmt: skip
    measures = {m.name: m for m in read_report(tmp_path / "measured" / "report.json").measures}
    assert 0 < measures["bits per byte"].value < 1.2  # 260k weights trained on such tales

    talks = [
        line for line in conversations_path("en").read_text(encoding="utf-8").splitlines() if "system" not in line
    ][:24]
    (tmp_path / "talks.jsonl").write_text("\n".join(talks), encoding="utf-8")
    run(
        workspace,
        "data-read",
        {"source": [tmp_path / "talks.jsonl"]},
        "talks",
        "schema_name=chat",
        "split.validation=0.0",
    )
    tuned = run(workspace, "finetune", {"model": [stories / "hf"], "dataset": [tmp_path / "talks"]}, "tuned", "task=chat",
                "method=lora", "steps=6", "device=cpu", "compile=off")  # fmt: skip
    assert tuned.card.inputs[0].digest == open_artifact(stories / "hf", "model").digest
    assert any("logit" in measure.name for measure in tuned.card.results)
    serve_and_ask(tmp_path / "tuned")


def serve_and_ask(model):
    """The real server in a process of its own answers over HTTP."""
    process = subprocess.Popen(
        [sys.executable, "-m", "langwright", "serve", str(model), "--port", "0", "--lang", "en"],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        url = next(word for line in process.stdout for word in line.split() if word.startswith("http://127.0.0.1:"))
        url = url.rstrip("/.,")
        asked = {"model": model.name, "messages": [{"role": "user", "content": "Hello!"}], "max_tokens": 8}
        reply = httpx.post(f"{url}/v1/chat/completions", json=asked, timeout=60)
        assert reply.status_code == 200, reply.text
        assert reply.json()["usage"]["completion_tokens"] <= 8
    finally:
        process.terminate()
        process.communicate(timeout=30)
