"""A server over a small workspace, made by its own API, and what it answers to all that the studio asks.

The jobs are real ones: two samples are read and cleaned, a tokenizer and two tiny models are trained.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from langwright.serving.app import build_app
from langwright.serving.settings import ServingSettings
from langwright.serving.studio import POLICY
from langwright.wording import LANGUAGES
from langwright.workspace import Workspace

SAMPLES = ["conversations.en.jsonl", "conversations.zh.jsonl"]
TINY = {
    "preset": "tiny",
    "length": 64,
    "batch_rows": 8,
    "steps": 40,
    "dtype": "float32",
    "device": "cpu",
    "compile": "off",
}
JOBS: tuple[dict[str, Any], ...] = (
    {"stage": "data-read", "name": "talks", "inputs": {"source": SAMPLES}, "settings": {"schema_name": "chat"}},
    {"stage": "data-clean", "name": "clean", "inputs": {"dataset": ["talks"]}, "settings": {"min_characters": 60}},
    {"stage": "tokenizer-train", "name": "tokens", "inputs": {"dataset": ["clean"]}, "settings": {"vocab_size": 600}},
    {"stage": "pretrain", "name": "base", "inputs": {"dataset": ["clean"], "tokenizer": ["tokens"]}, "settings": TINY},
    {"stage": "pretrain", "name": "faster", "inputs": {"dataset": ["clean"], "tokenizer": ["tokens"]},
     "settings": {**TINY, "learning_rate": 0.004}},
)  # fmt: skip
CHECKED = {
    "stage": "finetune",
    "name": "model-1",
    "inputs": {"model": ["base"], "dataset": ["clean"]},
    "settings": {"steps": 4, "compile": "off"},
}
GETS = (
    "/v1/jobs", "/v1/runs", "/v1/served", "/v1/datasets", "/v1/samples", "/v1/stages", "/v1/me", "/v1/datasets/clean",
    "/v1/datasets/clean/preview?rows=20", "/v1/datasets/conversations.en.jsonl",
    "/v1/datasets/conversations.en.jsonl/preview?rows=20", "/v1/runs/clean/drops", "/v1/stages/pretrain", "/v1/stages/finetune",
    "/v1/jobs/base", "/v1/jobs/base/curves?points=1000", "/v1/jobs/base/events?after=0&limit=5000", "/v1/jobs/faster/curves?points=1000",
    "/v1/runs/base", "/v1/runs/faster", "/v1/runs/nobody",
)  # fmt: skip
WITHIN_S = 600.0


def recorded() -> dict[str, tuple[str, dict[str, Any]]]:
    """language -> (the page's policy, answers by method and path)."""
    with tempfile.TemporaryDirectory() as folder:
        before = Path.cwd()
        os.chdir(folder)
        try:
            app = build_app({}, settings=ServingSettings(), workspace=Workspace(Path(folder)))
            with TestClient(app, base_url="http://localhost") as client:
                make(client)
                return {language: (POLICY, answers(client, language)) for language in LANGUAGES}
        finally:
            os.chdir(before)


def make(client: TestClient) -> None:
    """Have everything made, one job after the other."""
    for name in SAMPLES:
        client.post(f"/v1/samples/{name}").raise_for_status()
    for job in JOBS:
        client.post("/v1/jobs", json=job).raise_for_status()
        until = time.monotonic() + WITHIN_S
        while (found := client.get(f"/v1/jobs/{job['name']}").json())["status"] != "finished":
            assert found["status"] in ("queued", "running") and time.monotonic() < until, found
            time.sleep(0.5)


def answers(client: TestClient, language: str) -> dict[str, Any]:
    """What it answers in one language: status and body by method and path."""
    headers = {"Accept-Language": language}
    found: dict[str, Any] = {}
    for path in GETS:
        got = client.get(path, headers=headers)
        found[f"GET {path}"] = {"status": got.status_code, "body": got.json()}
    for path, body in (("/v1/runs/tokens/tokens", {"text": "你好 Hello"}), ("/v1/preflight", CHECKED)):
        got = client.post(path, json=body, headers=headers)
        found[f"POST {path}"] = {"status": got.status_code, "body": got.json()}
    return found
