"""Forms of Chinese verse, on poems that everyone knows, on the poems of Tang and Song, and on the same shuffled."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from langwright.tasks.verse.chinese import CHINESE, LOOKED_AT, completed, faults, lines_of, looks

pytest.importorskip("pypinyin")

KEPT = {  # regulated poems and lyrics that the handbooks give as models
    "五言绝句": "白日依山尽，黄河入海流。欲穷千里目，更上一层楼。",
    "七言绝句": "朝辞白帝彩云间，千里江陵一日还。两岸猿声啼不住，轻舟已过万重山。",
    "五言律诗": "空山新雨后，天气晚来秋。明月松间照，清泉石上流。竹喧归浣女，莲动下渔舟。随意春芳歇，王孙自可留。",
    "七言律诗": "风急天高猿啸哀，渚清沙白鸟飞回。无边落木萧萧下，不尽长江滚滚来。万里悲秋常作客，百年多病独登台。艰难苦恨繁霜鬓，潦倒新停浊酒杯。",
    "如梦令": "常记溪亭日暮，沉醉不知归路。兴尽晚回舟，误入藕花深处。争渡，争渡，惊起一滩鸥鹭。",
    "卜算子": "驿外断桥边，寂寞开无主。已是黄昏独自愁，更著风和雨。无意苦争春，一任群芳妒。零落成泥碾作尘，只有香如故。",
    "浣溪沙": "一曲新词酒一杯，去年天气旧亭台。夕阳西下几时回。无可奈何花落去，似曾相识燕归来。小园香径独徘徊。",
    "菩萨蛮": "平林漠漠烟如织，寒山一带伤心碧。暝色入高楼，有人楼上愁。玉阶空伫立，宿鸟归飞急。何处是归程，长亭更短亭。",
    "西江月": "明月别枝惊鹊，清风半夜鸣蝉。稻花香里说丰年，听取蛙声一片。七八个星天外，两三点雨山前。旧时茅店社林边，路转溪桥忽见。",
    "鹧鸪天": "彩袖殷勤捧玉钟，当年拚却醉颜红。舞低杨柳楼心月，歌尽桃花扇底风。从别后，忆相逢，几回魂梦与君同。今宵剩把银釭照，犹恐相逢是梦中。",
    "蝶恋花": "庭院深深深几许。杨柳堆烟，帘幕无重数。玉勒雕鞍游冶处，楼高不见章台路。雨横风狂三月暮。门掩黄昏，无计留春住。泪眼问花花不语，乱红飞过秋千去。",
    "忆江南": "江南好，风景旧曾谙。日出江花红胜火，春来江水绿如蓝。能不忆江南。",
}  # fmt: skip


@pytest.mark.parametrize("form", KEPT)
@pytest.mark.spec(
    "G12", "a Chinese poem is checked line by line for length, tones and rhymes, and known models of each form pass"
)
def test_models_of_their_form_pass(form: str) -> None:
    found = faults(KEPT[form], form, "old")
    assert found == {name: [] for name in LOOKED_AT}


def test_each_fault_is_seen_where_it_is() -> None:
    poem = KEPT["五言绝句"]
    assert faults(poem.replace("一层楼", "一层的楼"), "五言绝句", "old")["lines"] == [
        "line 4: 6 characters instead of 5"
    ]
    assert faults(poem[:12], "五言绝句")["lines"] == ["2 lines instead of 4"]
    assert faults(poem.replace("楼", "台"), "五言绝句", "old")["rhymes"] == ["流、台 do not rhyme"]
    assert faults(poem.replace("千里", "千年"), "五言绝句", "old")["tones"] == ["line 3, 年: 仄 is asked for"]
    assert faults(poem.replace("楼", "流"), "五言绝句", "old")["repeats"] == ["流、流: a word rhymes with itself"]
    once = KEPT["如梦令"].replace("争渡，争渡", "争渡，又渡")
    assert faults(once, "如梦令", "old")["repeats"] == ["line 6 is not the line before again"]


def test_single_level_tones_and_three_at_the_end_are_faults() -> None:
    assert faults("白日依山尽，黄河入海流。欲穷千里目，更上一层楼。".replace("黄河", "大河"), "五言绝句", "old")[
        "tones"
    ]  # 仄平仄仄平
    assert faults("白日依山尽，黄河入海流。欲穷千里目，更上高层楼。", "五言绝句", "old")["tones"]  # 平平平


def test_lines_are_read_whatever_parts_them() -> None:
    assert lines_of("春眠不觉晓\n处处闻啼鸟 。") == ["春眠不觉晓", "处处闻啼鸟"]
    assert looks("如梦令") == "6，6。5，6。2，2，6。"
    assert faults(KEPT["五言绝句"].replace("，", "\n"), "五言绝句", "old") == {name: [] for name in LOOKED_AT}


def test_a_line_that_is_said_again_is_put_in() -> None:
    short = KEPT["如梦令"].replace("争渡，争渡", "争渡")
    assert completed(short, "如梦令") == KEPT["如梦令"]
    assert completed(KEPT["如梦令"], "如梦令") == KEPT["如梦令"]
    assert completed("别的", "如梦令") == "别的"


@pytest.mark.parametrize(("form", "lines", "size"), [("五言律诗", 8, 5), ("七言绝句", 4, 7)])
@pytest.mark.spec(
    "G12", "of Tang poems of a form's lines a large share keeps its tones and rhymes, of the same shuffled none"
)
def test_tang_poems_keep_their_forms_and_shuffled_ones_do_not(
    form: str, lines: int, size: int, shared_data: Callable[[str], Path]
) -> None:
    with gzip.open(shared_data("zh-text-poetry") / "tang.jsonl.gz", "rt", encoding="utf-8") as rows:
        texts = ["".join(json.loads(row)["paragraphs"]) for row in rows]
    poems = [text for text in texts if [len(line) for line in lines_of(text)] == [size] * lines]
    numbers = random.Random(1)
    some = numbers.sample(poems, 300)
    old = [not any(faults(poem, form, "old").values()) for poem in some]
    new = [not any(faults(poem, form, "new").values()) for poem in some]
    assert sum(old) > 0.35 * len(old) and sum(old) > 2 * sum(new)
    for poem in some:
        letters = list("".join(lines_of(poem)))
        numbers.shuffle(letters)
        rows_of = ["".join(letters[start : start + size]) for start in range(0, lines * size, size)]
        assert any(faults("，".join(rows_of), form, "old").values())


def test_every_form_is_whole() -> None:
    for form, patterns in CHINESE.items():
        assert len({tuple(line.size for line in pattern) for pattern in patterns}) == 1, form
        assert all(len(set(map(len, line.ways))) == 1 for pattern in patterns for line in pattern)
