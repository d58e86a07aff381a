"""One command from raw text to a measured chat model, with the real stages, small."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from langwright.cli.main import main
from langwright.tasks.front.loading import load

PIPELINE = """
seed = 5

[[step]]
name = "text"
stage = "data-read"
inputs = ["raw"]

[[step]]
name = "clean"
stage = "data-clean"
inputs = ["text"]

[[step]]
name = "tokenizer"
stage = "tokenizer-train"
inputs = ["clean"]
settings = { vocab_size = 300 }

[[step]]
name = "base"
stage = "pretrain"
inputs = { dataset = "clean", tokenizer = "tokenizer" }
settings = { preset = "tiny", steps = 3, length = 48, batch_rows = 4, compile = "off", dtype = "float32" }

[[step]]
name = "talks"
stage = "data-read"
inputs = ["talks.jsonl"]
settings = { schema_name = "chat" }

[[step]]
name = "chat"
stage = "finetune"
inputs = ["base", "talks"]
settings = { steps = 2, batch_rows = 4, compile = "off", dtype = "float32" }

[[step]]
name = "measured"
stage = "evaluate"
inputs = ["chat", "talks"]
settings = { limit = 3, max_new_tokens = 4 }

[[step]]
name = "page"
stage = "report"
inputs = ["chat", "measured"]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    words = ["river", "bridge", "water", "light", "河流", "春天", "learns", "token", "model", "火车"]
    draw = random.Random(1)
    (tmp_path / "raw").mkdir()
    for number in range(12):
        sentences = [" ".join(draw.choices(words, k=9)) + "." for _ in range(12)]
        (tmp_path / "raw" / f"{number}.txt").write_text(" ".join(sentences))
    talks = [
        {
            "messages": [{"role": "user", "content": f"{word}?"}, {"role": "assistant", "content": f"{word}!"}],
            "expect": word,
        }
        for word in (f"{a} {b}" for a in words for b in words)
    ]
    (tmp_path / "talks.jsonl").write_text("\n".join(json.dumps(talk, ensure_ascii=False) for talk in talks))
    (tmp_path / "p.toml").write_text(PIPELINE)
    return tmp_path


@pytest.mark.spec("SV11", "one command goes from raw files to a model that is measured and can be talked to")
@pytest.mark.spec("TR12", "training is configured by settings in a file, and evaluated on rows kept back")
def test_one_command_from_text_to_a_measured_chat_model(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def run(*words: str) -> list[dict[str, object]]:
        capsys.readouterr()
        assert main(["run", "p.toml", "--json", *words]) == 0, capsys.readouterr().err
        steps = json.loads(capsys.readouterr().out)["steps"]
        assert isinstance(steps, list)
        return steps

    assert {step["action"] for step in run("--dry-run")} == {"run"}
    made = run()
    assert not any(step["reused"] for step in made)
    assert all(step["reused"] for step in run())
    measures = {measure["name"]: measure for step in made for measure in step["results"]}  # type: ignore[attr-defined]
    assert "loss on assistant tokens" in measures and "training loss" in measures
    assert (folder / "runs/page/report.html").stat().st_size > 10_000
    with load("chat") as model:
        assert (model.abilities["chat"], model.abilities["classification"]) == ("generation", "likelihood")
        assert isinstance(model.chat("river?", max_new_tokens=3), str)

    (folder / "p.toml").write_text(PIPELINE.replace("limit = 3", "limit = 2"))
    capsys.readouterr()
    assert main(["run", "p.toml", "--json"]) == 2
    assert "limit: 3 -> 2" in json.loads(capsys.readouterr().out)["error"]["problem"]
    assert [step["name"] for step in run("--restart") if not step["reused"]] == ["measured", "page"]
