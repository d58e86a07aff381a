"""What goes wrong with what a person gives: said in English and in Chinese, with nothing written and nothing lost."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from langwright.artifacts import partial_of
from langwright.cli.main import main
from langwright.files import held

CHINESE = re.compile(r"[\u4e00-\u9fff]")
STEPS = ["--set", "device=cpu", "--set", "compile=off", "--set", "dtype=float32"]
TINY = ["pretrain", "text", "tok", "base", "--preset", "tiny", "--steps", "4", "--set", "length=32", *STEPS]

# what was given -> (the command, the error's code)
REFUSED: dict[str, tuple[list[str], str]] = {
    "a missing file": (["data", "read", "nowhere.txt", "out"], "there-is-no"),
    "an empty file": (["data", "read", "empty.txt", "out"], "is-empty"),
    "a folder with nothing readable": (["data", "read", "pictures", "out"], "nothing-in-can-be-read-as-rows"),
    "one bad row": (["data", "read", "rows.jsonl", "out", "--schema", "text"], "row"),
    "an unknown setting": ([*TINY[:3], "out", *TINY[4:], "--set", "learning_rat=1"], "no-called"),
    "a wrong kind of artifact": (["tokenizer", "train", "tok", "out"], "is-a-and-a-is-needed-here"),
    "an existing output": (["data", "read", "other.txt", "text"], "already-exists"),
    "a vocabulary the data cannot give": (
        ["tokenizer", "train", "text", "out", "--vocab-size", "60000"],
        "the-text-allows-a-vocabulary-of-tokens-at",
    ),
    "a sequence longer than the model": (
        ["finetune", "base", "talks", "out", "--set", "length=999", *STEPS],
        "length-is-more-than-this-model-s-context",
    ),
    "a conversation in which no assistant speaks": (["data", "read", "mute.jsonl", "out", "--schema", "chat"], "row"),
    "nothing supervised": (
        ["finetune", "base", "questions", "out", "--task", "chat", "--steps", "2", *STEPS],
        "nothing-in-this-dataset-is-supervised-no-token",
    ),
}


def call(*words: str) -> tuple[int, dict[str, Any]]:
    """The exit code and the one object printed."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
        code = main([*words, "--json"])
    return code, json.loads(out.getvalue())


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Files good and bad, and what was made of the good ones."""
    folder = tmp_path_factory.mktemp("world")
    before = Path.cwd()
    os.chdir(folder)
    lines = [f"{i}. The river bends twice before the bridge. 春天来了，河边的柳树发芽了。{i * i}" for i in range(60)]
    (folder / "text.jsonl").write_text("\n".join(json.dumps({"text": line}) for line in lines))
    (folder / "other.txt").write_text("Something else.")
    (folder / "empty.txt").write_text("")
    (folder / "rows.jsonl").write_text('{"text": "one"}\n{"text": 2}\n{"text": "three"}\n')
    (folder / "mute.jsonl").write_text(json.dumps({"messages": [{"role": "user", "content": "Hello?"}]}))
    (folder / "pictures").mkdir()
    (folder / "pictures" / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    said = [{"role": "user", "content": "What is red?"}, {"role": "assistant", "content": "A rose."}]
    for name, turns in (("talks", said), ("questions", said[:1])):
        (folder / f"{name}.jsonl").write_text(
            "\n".join(json.dumps({"messages": turns, "expect": "rose", "id": str(i)}) for i in range(9))
        )
    for words in (
        ["data", "read", "text.jsonl", "text"],
        ["data", "read", "talks.jsonl", "talks", "--schema", "chat"],
        ["data", "read", "questions.jsonl", "questions", "--schema", "chat"],
        ["tokenizer", "train", "text", "tok", "--vocab-size", "300"],
        TINY,
    ):
        code, answer = call(*words)
        assert code == 0, answer
    yield folder
    os.chdir(before)


def everything(folder: Path) -> dict[str, str]:
    """Every file's hash but those of the record of runs."""
    files = [path for path in folder.rglob("*") if path.is_file() and ".langwright" not in path.parts]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def refused(folder: Path, words: list[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The error in English and in Chinese; the same code, exit 2 and not a byte changed both times."""
    before = everything(folder)
    errors = []
    for language in ("en", "zh"):
        code, answer = call(*words, "--lang", language)
        assert code == 2 and set(answer) == {"error"}, answer
        errors.append(answer["error"])
        assert everything(folder) == before
    english, chinese = errors
    assert english["code"] == chinese["code"]
    for part in ("problem", "fix"):
        assert CHINESE.search(chinese[part]) and not CHINESE.search(english[part]), (english[part], chinese[part])
    return english, chinese


@pytest.mark.parametrize("given", REFUSED)
def test_refused_in_both_languages_with_nothing_written(world: Path, given: str) -> None:
    words, code = REFUSED[given]
    english, _ = refused(world, words)
    assert english["code"] == code


def test_a_bad_row_is_named_and_may_be_left_out(world: Path) -> None:
    words, _ = REFUSED["one bad row"]
    _, chinese = refused(world, words)
    assert "rows.jsonl" in chinese["problem"] and "2" in chinese["problem"] and "--skip-bad" in chinese["fix"]
    code, answer = call("data", "read", "rows.jsonl", "skipped", "--schema", "text", "--skip-bad")
    assert code == 0
    assert {measure["name"]: measure["value"] for measure in answer["results"]}["rows"] == 2


def test_a_second_process_on_one_output(world: Path) -> None:
    out = world / "shared"
    with held(partial_of(out), out):
        english, _ = refused(world, [*TINY[:3], "shared", *TINY[4:]])
    assert str(os.getpid()) in english["problem"]


def test_a_loss_that_is_not_finite_and_then_other_settings(world: Path) -> None:
    words = [*TINY[:3], "boom", *TINY[4:], "--set", "clip=0", "--set"]
    for language in ("en", "zh"):
        code, answer = call(*words, "learning_rate=1e30", "--lang", language, *(["--restart"] * (language == "zh")))
        assert code == 2 and answer["error"]["code"].startswith("training-broke-down-at-step")
        assert bool(CHINESE.search(answer["error"]["problem"])) == (language == "zh")
        left = partial_of(world / "boom")
        assert (left / "run" / "bad-batch.safetensors").is_file() and list((left / "checkpoints").iterdir())
    english, _ = refused(world, [*words, "learning_rate=0.001"])
    assert "--restart" in english["fix"] and not (world / "boom").exists()
    code, answer = call(*words, "learning_rate=0.001", "--restart")
    assert code == 0, answer
