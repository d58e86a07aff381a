"""Tones and rhymes of Chinese characters, against what dictionaries and rhyme books say."""

from __future__ import annotations

import pytest

from langwright.errors import UserError
from langwright.tasks.verse import sounds
from langwright.tasks.verse.sounds import CLASSES, ENTERING, Reading, alphabet, cut, readings

pytest.importorskip("pypinyin")


@pytest.mark.parametrize(
    ("character", "tone", "rhyme"),
    [  # from 现代汉语词典 and the list of 中华新韵
        ("春", "平", "文"), ("花", "平", "麻"), ("月", "仄", "皆"), ("风", "平", "庚"), ("雪", "仄", "皆"), ("知", "平", "支"),
        ("西", "平", "齐"), ("雨", "仄", "齐"), ("东", "平", "庚"), ("楼", "平", "尤"), ("远", "仄", "寒"), ("谁", "平", "微"),
        ("儿", "平", "齐"), ("霜", "平", "唐"), ("歌", "平", "波"), ("海", "仄", "开"), ("鳥", "仄", "豪"), ("書", "平", "姑"), ("子", "仄", "支"),
    ],
)  # fmt: skip
def test_readings_of_today(character: str, tone: str, rhyme: str) -> None:
    assert readings(character) == {Reading(tone, rhyme)}  # type: ignore[arg-type]


def test_entering_tones_are_oblique_in_old_verse() -> None:
    assert all({one.tone for one in readings(character, "old")} == {"仄"} for character in ENTERING)
    level = [one for one in ENTERING if "平" in {reading.tone for reading in readings(one)}]
    assert len(level) == len(ENTERING)  # the list holds only characters that are level today
    assert {one.tone for one in readings("白")} == {"平"}


def test_characters_of_several_readings() -> None:
    assert {one.tone for one in readings("重")} == {"平", "仄"}
    assert {one.tone for one in readings("看", "old")} == {"平", "仄"}
    assert readings("x") == frozenset() and readings("，") == frozenset()


def test_old_rhymes_join_what_was_one() -> None:
    assert readings("回", "old") & readings("开", "old")  # 灰 and 咍 are one rhyme of 平水韵
    assert not readings("回") & readings("开")
    assert readings("知", "old") & readings("飞", "old")  # 支 and 微 in 词林正韵
    assert not readings("东", "old") & readings("青", "old") and readings("东") & readings("青")


def test_every_final_has_a_rhyme() -> None:
    finals = {cut(syllable)[1] for syllable in ["ba", "bo", "ge", "jie", "yue", "zhi", "xi", "er", "yu", "lu", "tai", "kuai", "fei", "gui", "gao", "qiao", "hou", "liu", "san", "tian", "huan", "juan", "shen", "lin", "zhun", "yun", "tang", "liang", "huang", "geng", "bing", "weng", "zhong", "xiong", "jia", "gua", "duo"]}  # fmt: skip
    assert finals <= set(CLASSES)


def test_alphabets() -> None:
    assert len(alphabet("simplified")) == 6763 and "国" in alphabet("simplified")
    assert len(alphabet("traditional")) == 5401 and "國" in alphabet("traditional")


def test_without_pypinyin_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pypinyin", None)
    with pytest.raises(UserError, match="pypinyin"):
        sounds.pypinyin()
