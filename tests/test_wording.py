"""Templates, their Chinese twins, and which of the two is spoken."""

from __future__ import annotations

import string
import threading
import tomllib
from importlib import resources

import pytest

from langwright import wording
from langwright.wording import Phrase, Term, chinese, current_language, say, system_language, use_language


@pytest.fixture
def locale(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({}, "en"),
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "ZH_tw"}, "zh"),
        ({"LANG": "de_DE.UTF-8"}, "en"),
        ({"LANG": "zh_CN.UTF-8", "LC_MESSAGES": "en_GB.UTF-8"}, "en"),
        ({"LC_ALL": "zh_CN.UTF-8", "LC_MESSAGES": "en_GB.UTF-8", "LANG": "C"}, "zh"),
        ({"LC_ALL": "", "LANG": "zh_CN.UTF-8"}, "zh"),  # empty is the same as unset
    ],
)
def test_the_locale_decides(locale: pytest.MonkeyPatch, environment: dict[str, str], language: str) -> None:
    for name, value in environment.items():
        locale.setenv(name, value)
    assert system_language() == current_language() == language


def test_a_chosen_language_goes_before_the_locale(locale: pytest.MonkeyPatch) -> None:
    locale.setenv("LANG", "zh_CN.UTF-8")
    use_language("en")
    assert current_language() == "en"
    use_language(None)
    assert current_language() == "zh"


def test_a_choice_is_not_heard_in_another_thread() -> None:
    use_language("zh")
    heard: list[str] = []
    thread = threading.Thread(target=lambda: heard.append(current_language()))
    thread.start()
    thread.join()
    assert (heard, current_language()) == (["en"], "zh")


def test_say_fills_the_template_of_the_language() -> None:
    assert say("{out} already exists", out="runs/a") == "runs/a already exists"
    assert say("{out} already exists", lang="zh", out="runs/a") == "runs/a 已经存在"
    use_language("zh")
    assert say("{out} already exists", out="runs/a") == "runs/a 已经存在"
    assert say("{out} already exists", lang="en", out="runs/a") == "runs/a already exists"


def test_what_has_no_twin_is_said_in_english() -> None:
    assert say("nobody wrote {x:.1f} down", lang="zh", x=2) == "nobody wrote 2.0 down"


def test_terms_are_translated_inside_a_sentence_and_names_are_not() -> None:
    template = "{path} is a {found}, and a {kind} is needed here"
    values = {"path": "model", "found": Term("model"), "kind": Term("no known term")}
    assert say(template, lang="en", **values) == "model is a model, and a no known term is needed here"
    assert say(template, lang="zh", **values) == "model 是模型，而这里需要no known term"


def test_phrases_are_worded_in_the_language_of_the_sentence() -> None:
    phrase = Phrase(lambda language: {"en": "a number", "zh": "数值"}[language])
    assert say("give {allowed}", lang="en", allowed=phrase) == "give a number"
    assert say("give {allowed}", lang="zh", allowed=phrase) == "应为：数值"
    use_language("zh")
    assert str(phrase) == "数值"


def test_the_catalogue_is_all_files_together() -> None:
    files = [
        file for file in resources.files("langwright").joinpath("chinese").iterdir() if file.name.endswith(".toml")
    ]
    assert len(files) >= 10
    for file in files:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        assert table.items() <= chinese().items(), file.name


def test_english_needs_no_catalogue(monkeypatch: pytest.MonkeyPatch) -> None:
    def read() -> dict[str, str]:
        raise AssertionError("the catalogue was read")

    monkeypatch.setattr(wording, "chinese", read)
    assert say("{out} already exists", lang="en", out="a") == "a already exists"


def shapes(template: str) -> set[tuple[str, str | None, str | None]]:
    """How each value is shown: (field, format, conversion)."""
    return {(name, spec, conversion) for _, name, spec, conversion in string.Formatter().parse(template) if name}


def test_twins_show_values_the_same_way() -> None:
    wrong = [english for english, twin in chinese().items() if shapes(english) != shapes(twin)]
    assert not wrong, wrong


def test_twins_are_chinese() -> None:
    """Prose has characters of its own in the twin; names, numbers and signs may stay as they are."""
    silent = [
        english
        for english, twin in chinese().items()
        if len("".join(piece for piece, *_ in string.Formatter().parse(english)).split()) > 2
        and not any("\u4e00" <= char <= "\u9fff" for char in twin)
    ]
    assert not silent, silent
