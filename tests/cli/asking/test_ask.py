"""Commands asked for in words: what is found, what is shown, what is confirmed, and what a model may choose."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from benchmarks.asked import command, kind_of, requests
from tests.tasks.told import Front, Script

from langwright.cli import ask as command_ask
from langwright.cli.asking.choosing import called, choices, chosen
from langwright.cli.asking.filling import filled
from langwright.cli.asking.functions import APART, READS, functions
from langwright.cli.asking.matching import hints, matches
from langwright.cli.asking.spans import spans
from langwright.cli.commands import COMMANDS
from langwright.cli.main import main
from langwright.errors import UserError
from langwright.tasks.front.model import Model


def nothing(name: str) -> str:
    return ""


@pytest.mark.spec("DM14", "of 60 requests in two languages at least 54 lead to the exact command, by words alone")
def test_requests_of_ours_lead_to_their_commands() -> None:
    asked = requests()
    for language in ("en", "zh"):
        right = [shlex.split(command(request)[1]) == shlex.split(expected) for request, expected in asked[language]]
        assert len(right) == 30 and sum(right) >= 27, language


def test_functions_are_read_off_the_commands() -> None:
    known = functions()
    assert set(known) == {name for name in COMMANDS if name not in APART and not name.startswith("check ")}
    assert set(known) >= READS and set(hints()) <= set(known) and set(COMMANDS) >= APART
    assert [slot.name for slot in known["finetune"].slots] == ["MODEL", "DATASET", "OUT"]
    assert "--task" in known["finetune"].options and "微调" not in known["doctor"].said
    schema = known["generate"].schema()
    assert schema["required"] == ["MODEL"] and "--max-new-tokens" in schema["properties"]  # type: ignore[operator]
    assert all(
        known[name].writes for name in ("data clean", "finetune", "store backup", "keys create", "serve", "runs stop")
    )


@pytest.mark.parametrize(
    ("said", "named", "quoted", "numbers"),
    [
        ("read notes/ into runs/notes", ["notes/", "runs/notes"], (), []),
        ("用runs/clean训练，10 分钟", ["runs/clean"], (), ["10"]),
        ('go on from "a/b 7" with hf:owner/name', ["hf:owner/name"], ("a/b 7",), []),
        ("让 runs/base 续写“你好”。", ["runs/base"], ("你好",), []),
        ("back up into all.bak, then stop", ["all.bak"], (), []),
        ("it's fine, don't", [], (), []),
    ],
)
def test_pieces_of_a_request(said: str, named: list[str], quoted: tuple[str, ...], numbers: list[str]) -> None:
    found = spans(said, nothing)
    assert [name for name, _ in found.named] == named and found.quoted == quoted
    assert [text for text, _ in found.numbers] == numbers


def test_arguments_are_what_was_said_and_nothing_else() -> None:
    for pairs in requests().values():
        for request, _ in pairs:
            found = spans(request, kind_of)
            call = filled(matches(request, found)[0].function, found)
            for argument in call.arguments:
                known = argument.startswith("--") or argument in ("chat", "classification", "pretrain")
                assert known or argument in request, (request, call.line())


# --- by a model ------------------------------------------------------------------------------------


@pytest.mark.spec("DM14", "a model chooses a command among those there are, or none, and arguments among what was said")
def test_a_model_is_held_to_what_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    answers = ["evaluate", '{"MODEL": "runs/chat", "DATASET": "runs/topics", "OUT": "runs/m"}', "none"]

    def complete(self: Model, prompt: Any, sampling: Any = None, **writing: Any) -> Any:
        asked.append((prompt, writing["control"]))
        return type("Made", (), {"text": answers[len(asked) - 1]})

    monkeypatch.setattr(Model, "complete", complete)
    request = "use runs/talks or runs/topics to judge runs/chat, in runs/m"
    found = spans(request, kind_of)
    model = Front(Script(""))
    candidates = [functions()[name] for name in ("evaluate", "report", "doctor")]
    function = chosen(model, request, candidates)
    assert function is candidates[0] and asked[0][1].choices == ("evaluate", "report", "doctor", "none")
    call = called(model, request, function, found)
    assert call.line() == "langwright evaluate runs/chat runs/topics runs/m"
    schema = asked[1][1].json_schema
    assert schema["properties"]["DATASET"] == {"enum": ["runs/talks", "runs/topics"]}
    assert schema["properties"]["MODEL"] == {"enum": ["runs/chat"]} and schema["properties"]["OUT"] == {
        "enum": ["runs/m"]
    }
    assert chosen(model, request, candidates) is None


def test_whatever_a_model_writes_it_is_one_of_the_commands() -> None:
    """A model that says the same nonsense to everything, held by the decoder itself."""
    model = Front(Script("zzz"))
    candidates = [functions()[name] for name in ("evaluate", "report", "doctor")]
    function = chosen(model, "how good is it?", candidates)
    assert function is None or function in candidates


def test_nothing_to_choose_is_not_asked() -> None:
    request = "show me all runs"
    function, found = functions()["runs list"], spans(request, kind_of)
    assert choices(function, found)["properties"] == {} and called(Front(Script("x")), request, function, found).line() == "langwright runs list"  # fmt: skip


# --- the command -----------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("One line of text.\n\nAnother one.\n" * 3, encoding="utf-8")
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["ask", *words, "--lang", "en"])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.spec("DM14", "the exact command is shown; what writes runs only once a person agreed")
def test_what_writes_is_confirmed(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = "read the folder notes/ into runs/notes"
    code, _, err = told(capsys, request)
    assert code == 0 and "langwright data read notes/ runs/notes\n(it writes)" in err and "nobody is there" in err
    assert not (folder / "runs").exists()

    def at_the_keyboard(said: str) -> Callable[[], object]:
        return lambda: type("In", (), {"isatty": lambda self: True, "readline": lambda self: said})()

    monkeypatch.setattr(command_ask.sys, "stdin", at_the_keyboard("n\n")())
    assert told(capsys, request)[0] == 0 and not (folder / "runs").exists()
    monkeypatch.setattr(command_ask.sys, "stdin", at_the_keyboard("是\n")())
    assert told(capsys, request)[0] == 0 and (folder / "runs" / "notes" / "card.json").exists()
    assert told(capsys, "把文件夹 notes/ 读入 runs/more", "--yes")[0] == 0 and (folder / "runs" / "more").exists()


def test_what_only_reads_runs_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = told(capsys, "show me all runs")
    assert code == 0 and "langwright runs list\n(it only reads)" in err and "there are no runs here yet" in out
    code, out, err = told(capsys, "show me all runs", "--show", "--json")
    assert json.loads(out)["command"] == "langwright runs list" and json.loads(out)["ran"] is False
    code, out, _ = told(capsys, "列出所有运行", "--json")
    assert json.loads(out) == {"runs": []}


@pytest.mark.parametrize("request_", ["what is the weather like", "写首诗", "order a pizza"])
def test_what_no_command_does(folder: Path, capsys: pytest.CaptureFixture[str], request_: str) -> None:
    code, _, err = told(capsys, request_)
    assert code == 2 and "no command fits" in err


def test_what_is_missing_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = told(capsys, "train a tokenizer, save it as runs/words")
    assert code == 2 and "does not say DATASET" in err and "<DATASET>" in err
    with pytest.raises(UserError):
        command_ask.meant("写首诗", spans("写首诗", nothing), matches("写首诗", spans("写首诗", nothing)), None)
