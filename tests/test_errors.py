"""Mistakes a person can put right: in two languages, and as programs see them."""

from __future__ import annotations

from pathlib import Path

import pytest

from langwright.errors import UserError, unknown
from langwright.wording import Term, use_language


def existing() -> UserError:
    return UserError(
        "{out} already exists", fix="name another output, or remove that one first", out=Path("runs/a"), unused=3
    )


def test_it_says_what_was_wrong_and_what_to_do() -> None:
    error = existing()
    assert error.problem() == "runs/a already exists"
    assert error.fix() == "name another output, or remove that one first"
    assert str(error) == "runs/a already exists\n  fix: name another output, or remove that one first"


def test_it_speaks_the_language_in_force_when_it_is_shown() -> None:
    error = existing()
    assert error.problem("zh") == "runs/a 已经存在"
    assert error.fix("zh") == "请换一个输出名，或先移走原有的"
    use_language("zh")
    assert str(error) == "runs/a 已经存在\n  解决办法: 请换一个输出名，或先移走原有的"
    assert error.problem("en") == "runs/a already exists"


def test_a_fix_cannot_be_left_out() -> None:
    with pytest.raises(TypeError):
        UserError("{out} already exists", out="a")  # type: ignore[call-arg]


def test_its_code_depends_on_the_template_alone() -> None:
    error = existing()
    assert error.code == "already-exists"
    use_language("zh")
    assert error.code == UserError("{path} already exists", fix="another", path="b").code == "already-exists"
    long = "one row needs {need:.1f} GB of memory beside the model's {model:.1f} GB, and {free:.1f} GB are free"
    assert UserError(long, fix="x").code == "one-row-needs-gb-of-memory-beside-the"


def test_its_values_are_what_json_can_hold() -> None:
    error = UserError("{a}", fix="{b}", a=Path("x/y"), b=[1, 2], c=None, d=True, e=0.5, f=Term("model"), g="text", h=7)
    assert error.params == {
        "a": "x/y", "b": "[1, 2]", "c": None, "d": True, "e": 0.5, "f": "model", "g": "text", "h": 7
    }  # fmt: skip


def test_a_name_that_is_none_gets_the_nearest_and_every_choice_once() -> None:
    error = unknown("setting", "learnig_rate", ["steps", "learning_rate", "beta", "steps"])
    assert error.problem("en") == "no setting called 'learnig_rate'"
    assert error.fix("en") == "did you mean 'learning_rate'? choose one of: beta, learning_rate, steps"
    assert error.problem("zh") == "没有名为 'learnig_rate' 的设置项"
    assert error.fix("zh") == "您是不是想写 'learning_rate'？请从中选择：beta, learning_rate, steps"
    assert error.params["near"] == "learning_rate"


def test_a_name_like_no_other_gets_no_guess() -> None:
    error = unknown("model", "zzz", iter(["tiny", "base"]))
    assert error.fix("en") == "choose one of: base, tiny"
    assert error.fix("zh") == "请从中选择：base, tiny"
    assert error.problem("zh") == "没有名为 'zzz' 的模型"
    assert "near" not in error.params
