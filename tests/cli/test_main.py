"""The frame of the command line: help, language, one object or two lines, exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.conftest import Run

from langwright.cli.commands import COMMANDS, SECTIONS
from langwright.cli.main import main


def shell(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **variables}
    command = [sys.executable, "-m", "langwright", *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, encoding="utf-8")


def test_help_lists_every_command_by_section(run: Run) -> None:
    said = run("--help")
    assert said.code == 0 and said.err == ""
    for name, command in COMMANDS.items():
        assert (f"  {name} " in said.out) == bool(command.section), name
    assert all(section in said.out for section in SECTIONS)
    assert said.last == "next: langwright data read --help"
    assert run().out == said.out


@pytest.mark.parametrize("name", sorted(COMMANDS))
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_help_teaches_each_command(run: Run, name: str, lang: str) -> None:
    said = run(*name.split(), "--help", "--lang", lang)
    assert said.code == 0 and said.err == ""
    assert said.out.startswith(f"langwright {name}")
    assert COMMANDS[name].examples[0] in said.out
    assert "--lang zh|en" in said.out and "--json" in said.out
    assert ("示例" in said.out) == (lang == "zh")
    assert max(len(line) for line in said.out.splitlines() if not line.startswith("  langwright")) <= 120


def test_help_in_the_language_of_the_locale_and_of_lang() -> None:
    assert "从文本到模型" in shell("--help", LC_ALL="zh_CN.UTF-8").stdout
    assert "From text to model" in shell("--help", LC_ALL="C.UTF-8").stdout
    assert "从文本到模型" in shell("--lang", "zh", "--help", LC_ALL="C.UTF-8").stdout
    assert "From text to model" in shell("--lang=en", "--help", LC_ALL="zh_CN.UTF-8").stdout


def test_help_says_how_quick_it_is() -> None:
    began = time.perf_counter()
    assert shell("--help").returncode == 0
    print(f"langwright --help took {time.perf_counter() - began:.3f} s")


def test_help_of_a_group_and_as_an_object(run: Run) -> None:
    said = run("runs")
    assert "runs list" in said.out and "data read" not in said.out
    assert "runs list" in run("runs", "--json").json["help"]
    assert run("generate", "--help", "--json").json["help"].startswith("langwright generate MODEL [PROMPT]")
    assert "generate" in run("--json").json["help"]


def test_version(run: Run) -> None:
    assert run("--version").out.startswith("langwright 0")
    assert set(run("--version", "--json").json) == {"version"}


MISTAKES = [
    (["generatt"], "no-called", "generate"),
    (["runs", "lst"], "no-called", "list"),
    (["--hlep"], "no-called", ""),
    (["generate"], "lacks-its-argument", "--help"),
    (["generate", "m"], "a-prompt-and-a-template-exclude-each-other", "--template"),
    (["score", "m"], "lacks-its-argument", "TEXT"),
    (["generate", "m", "p", "q"], "takes-no", "--help"),
    (["generate", "m", "p", "--sede", "1"], "no-called", "--seed"),
    (["generate", "m", "p", "--seed"], "needs-a-value", "--help"),
    (["generate", "m", "p", "--seed", "x"], "setting-is-not-allowed", "whole number"),
    (["generate", "m", "p", "--temperature", "99"], "setting-is-not-allowed", "at most 10"),
    (["generate", "nowhere", "p"], "there-is-no", "langwright pretrain"),
    (["generate", "m", "@gone.txt"], "cannot-be-read", "@"),
    (["generate", "m", "p", "--lang", "fr"], "no-called", "zh"),
    (["predict", "m", "clasification", "x"], "no-called", "classification"),
    (["predict", "m", "classification", "x", "--normalise", "byt"], "no-called", "byte"),
    (["drill"], "was-given-nothing-it-takes", "--help"),
    (["drill", "a", "b", "c", "d", "e"], "takes-and-were-given", "DATASET"),
    (["drill", "nowhere", "out"], "there-is-no", "data read"),
    (["drill", "a.txt", "out", "--set", "stps=3"], "no-called", "steps"),
    (["drill", "a.txt", "out", "--set", "steps"], "set-has-no", "--set"),
    (["drill", "a.txt", "out", "--steps", "0"], "setting-is-not-allowed", "at least 1"),
    (["drill", "a.txt", "out", "--recipe", "gone.toml"], "the-recipe-cannot-be-read", "langwright recipe"),
    (["toy", "gather", "gone.txt", "out"], "there-is-no", "path"),
    (["serve", "m", "--port", "70000"], "setting-is-not-allowed", "65535"),
    (["serve", "m", "--max-batch", "0"], "setting-is-not-allowed", "at least 1"),
    (["recipe", "pretran"], "no-called", "drill"),
    (["history", "nowhere"], "there-is-no", "path"),
    (["runs", "watch", "nowhere"], "no-run-called", "pretrain"),
    (["run", "gone.toml"], "there-is-no", "TOML"),
    (["check", "drill", "nowhere"], "there-is-no", "data read"),
]


@pytest.mark.parametrize(("words", "code", "hint"), MISTAKES, ids=[" ".join(words) for words, _, _ in MISTAKES])
def test_a_mistake_is_two_lines_or_one_object_in_both_languages(
    run: Run, words: list[str], code: str, hint: str
) -> None:
    before = sorted(path.name for path in Path().iterdir())
    said = run(*words)
    assert said.code == 2 and said.out == ""
    first, second = said.err.splitlines()
    assert first.startswith("error: ") and second.startswith("  fix: ") and hint in first + second
    as_object = run(*words, "--json")
    assert as_object.code == 2
    assert list(as_object.json) == ["error"]
    error = as_object.json["error"]
    assert set(error) == {"code", "params", "problem", "fix"} and error["code"] == code
    assert (f"error: {error['problem']}", f"  fix: {error['fix']}") == (first, second)
    if "fr" not in words:
        chinese = run(*words, "--json", "--lang", "zh").json["error"]
        assert chinese["code"] == error["code"] and chinese["params"].keys() == error["params"].keys()
        assert chinese["problem"] != error["problem"] and chinese["fix"] != error["fix"]
    assert sorted(path.name for path in Path().iterdir()) == before


def test_words_behind_dashes_are_meant_literally(run: Run) -> None:
    said = run("generate", "nowhere", "--", "--json")
    assert said.code == 2 and "there is no nowhere" in said.err


def test_our_own_mistakes_keep_their_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: object, **kwargs: object) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("langwright.cli.history.open_artifact", broken)
    with pytest.raises(ZeroDivisionError, match="ours"):
        run("history", "a.txt")


def test_what_a_library_prints_stays_out_of_the_object(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    from langwright.cli import history

    def chatty(*args: object) -> object:
        print("a library's own words")
        raise KeyboardInterrupt

    monkeypatch.setattr(history, "open_artifact", chatty)
    said = run("history", "a.txt", "--json")
    assert said.code == 130 and said.json["error"]["code"] == "stopped"
    assert "a library's own words" in said.err
    plain = run("history", "a.txt")
    assert plain.code == 130 and "stopped" in plain.err


def test_a_real_process_exits_with_2_and_speaks_utf8_in_any_locale() -> None:
    said = shell("generate", "没有", "x", "--json", "--lang", "zh", LC_ALL="C")
    assert said.returncode == 2
    assert "没有" in json.loads(said.stdout)["error"]["problem"]


def test_a_reader_that_leaves_early_is_no_error() -> None:
    said = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m langwright --help | head -n 1; echo ${{PIPESTATUS[0]}}"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert said.stderr == "" and said.stdout.splitlines()[-1] in ("0", "141")


def test_main_leaves_the_language_as_it_was() -> None:
    from langwright.wording import current_language

    main(["--lang", "zh", "--version"])
    assert current_language() == "en"
