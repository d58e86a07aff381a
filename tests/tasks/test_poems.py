"""Poems by the front door: kept to their form as they are written, looked at, and drawn again."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from tests.tasks.tiny import write_writer
from tests.tasks.told import Script, ask

from langwright.inference.protocol import Sampling
from langwright.tasks.front.loading import load
from langwright.tasks.poems import Form, Poem, PoemInput
from langwright.tasks.verse.chinese import CHINESE
from langwright.tasks.verse.english import ENGLISH

RIVER = "白日依山尽，黄河入海流。欲穷千里目，更上一层楼。"
COUPLET = "The moon is rising over the quiet bay\nAnd carries all the noise of men away"


def test_every_form_has_a_checker() -> None:
    assert set(get_args(Form)) == {*CHINESE, *ENGLISH}


@pytest.mark.spec("G12", "a poem that leaves its form is drawn again, and what never keeps it says what is wrong")
def test_a_poem_is_drawn_again_until_it_keeps_its_form() -> None:
    pytest.importorskip("pypinyin")
    script = Script("白日依山尽，黄河。", RIVER)
    found = ask(script, PoemInput(subject="登楼", form="五言绝句", keep="nothing", readings="old"))
    assert isinstance(found, Poem) and found.keeps and found.text == RIVER
    assert found.verses == ("白日依山尽", "黄河入海流", "欲穷千里目", "更上一层楼")
    assert "登楼" in script.asked[0] and "5，5。5，5。" in script.asked[0]
    wrong = ask(Script("无题"), PoemInput(subject="登楼", form="五言绝句", tries=2))
    assert isinstance(wrong, Poem) and not wrong.keeps
    assert {check.check for check in wrong.checks if not check.held} == {"lines", "tones", "rhymes", "repeats"}


def test_an_english_poem() -> None:
    script = Script(COUPLET.replace("away", "off"), COUPLET)
    found = ask(script, PoemInput(subject="the sea", form="couplet"))
    assert isinstance(found, Poem) and found.keeps and len(found.verses) == 2
    assert "rhymes AA" in script.asked[0] and len(script.asked) == 2


def test_any_model_keeps_a_form(tmp_path: Path) -> None:
    pytest.importorskip("pypinyin")
    asked = PoemInput(
        subject="雪", form="五言绝句", tries=4, sampling=Sampling(temperature=1, max_new_tokens=90, seed=5)
    )
    with load(write_writer(tmp_path, context=400)) as model:
        kept = model.solve("poem", asked)
        free = model.solve("poem", asked.model_copy(update={"keep": "nothing", "tries": 1}))
        short = model.solve("poem", asked.model_copy(update={"form": "如梦令", "sampling": Sampling(temperature=1, max_new_tokens=130, seed=1)}))  # fmt: skip
    assert isinstance(kept, Poem) and kept.keeps, kept
    assert isinstance(free, Poem) and not free.keeps
    assert isinstance(short, Poem) and short.verses[4] == short.verses[5]
