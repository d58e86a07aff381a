"""How Chinese characters sound, for verse: level or oblique, and with what they rhyme.

new   as spoken today: the first and second tone are level; the fourteen rhymes of 中华新韵 (Chinese Poetry Society, 2005)
old   nearer to Tang and Song: characters that had an entering tone are oblique and rhyme with no level one, and rhymes
      are as wide as in 词林正韵 (Ge Zai, 1821), as far as today's sounds tell them apart

Source    readings by pypinyin (MIT licence), the usual one, or all of the characters below of which verse uses several
Differs   old is a reading of today's sounds and not the rhyme book 平水韵 itself: what has merged since (such as 东 and
          冬, 江 and 阳) counts as one rhyme, and what has parted counts as two where no wide rhyme joins it; characters
          that changed between level and oblique without an entering tone have today's tone
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Literal, NamedTuple

from langwright.errors import UserError

Readings = Literal["new", "old"]
Tone = Literal["平", "仄"]

CLASSES: dict[str, str] = {
    "a": "麻", "ia": "麻", "ua": "麻", "o": "波", "e": "波", "uo": "波", "ê": "皆", "ie": "皆", "ve": "皆",
    "ai": "开", "uai": "开", "ei": "微", "uei": "微", "ao": "豪", "iao": "豪", "ou": "尤", "iou": "尤",
    "an": "寒", "ian": "寒", "uan": "寒", "van": "寒", "en": "文", "in": "文", "uen": "文", "vn": "文",
    "ang": "唐", "iang": "唐", "uang": "唐", "eng": "庚", "ing": "庚", "ueng": "庚", "ong": "庚", "iong": "庚",
    "i": "齐", "er": "齐", "v": "齐", "-i": "支", "u": "姑",
}  # fmt: skip
"""Today's rhymes by the final of a syllable; -i is that of zhi, chi, shi, ri, zi, ci, si."""

WIDE: dict[str, str] = {
    "i": "支微", "-i": "支微", "ei": "支微", "uei": "支微", "er": "支微", "u": "鱼虞", "v": "鱼虞",
    "eng": "庚青", "ing": "庚青", "ueng": "庚青", "ong": "东冬", "iong": "东冬", "ie": "麻", "ve": "麻",
    "ai": "佳灰", "uai": "佳灰",
}  # fmt: skip
"""Where the old rhymes are wider or narrower than today's; what is not here is as today."""

OTHER: dict[str, tuple[str, ...]] = {
    "uei": ("佳灰",),
    "ai": ("支微",),
    "ei": ("佳灰",),
    "eng": ("东冬",),
    "a": ("佳灰",),
    "ia": ("佳灰",),
    "ua": ("佳灰",),
}
"""Old rhymes that some characters of a final belong to besides: 灰 and 杯 rhyme with 开, 佳 and 涯 with 街, 风 with 东."""

HISSING = ("zh", "ch", "sh", "r", "z", "c", "s")

ENTERING = frozenset(
    "勒八捌拔跋白薄雹逼鳖鱉憋别別蹩拨撥剥剝钵缽鉢伯帛泊勃渤脖博搏膊箔舶驳駁擦插察拆出吃答搭达達沓得德滴狄迪敌敵笛涤滌嫡翟"
    "跌迭叠疊碟蝶谍諜牒督毒独獨读讀牍牘犊犢夺奪咄铎鐸发發罚罰伐筏阀閥乏佛弗拂伏袱服福幅蝠辐輻匐鸽鴿割搁擱阁閣格隔革葛蛤"
    "国國刮郭聒合盒核涸阖闔盍曷貉翮黑喝忽惚斛滑猾活豁击擊激积積績缉緝及级級极極急疾集籍辑輯吉即亟棘嫉瘠楫蒺"
    "夹夾荚莢颊頰结結接揭节節杰傑洁潔劫捷截竭睫桀碣孑觉覺决決绝絕爵掘倔厥橘菊局鞠掬磕瞌壳殼哭窟拉邋摸膜捏拍劈霹泼潑"
    "扑撲仆僕璞撇瞥七漆戚掐曲屈缺杀殺刹煞勺芍杓舌折十什石实實食蚀蝕识識拾失湿濕溼虱蝨叔淑孰熟塾赎贖刷说說缩縮俗塞"
    "塌踢剔贴貼帖秃禿突凸托脱脫托屋挖夕吸悉蟋惜昔析晰息熄锡錫膝袭襲习習席媳檄隰瞎侠俠狭狹峡峽匣狎辖轄歇蝎协協胁脅挟挾"
    "学學薛削楔压壓押鸭鴨一壹揖约約噎曰扎札杂雜砸凿鑿则則责責泽澤择擇贼賊闸閘铡鍘宅摘哲蛰蟄辙轍谪謫汁织織隻执執直值植殖"
    "职職侄姪粥轴軸妯烛燭竹逐竺捉桌拙浊濁酌灼琢啄茁卓镯鐲族足卒镞昨"
)
"""Characters with an entering tone of old that are level today."""

SEVERAL = frozenset(
    "中重长長行为為相更乘当當分难難强強散数數调調兴興与與传傳藏场場朝处處担擔倒干冠观觀号號和华華还還间間将將空量令铺鋪少王"
    "衣语語占正种種转轉着著看教论論应應胜勝禁降鲜鮮旋盛创創几幾系累假夹好恶惡缝縫横橫卷露宁寧扇舍似提帖彈弹燕要饮飲晕暈载載"
    "曾遮钉釘杈奔冲叶血不一了得地的都么"
)
"""Characters of which verse uses several readings; of all others the usual one counts."""

EITHER = frozenset("看过過教论論思听聽望忘叹嘆歎醒应應胜勝禁离離患吹供任凭憑翰漫闻聞慷撞俱泥疏")
"""Characters that old verse reads level or oblique as it needs."""

SCRIPTS: dict[str, str] = {"simplified": "gb2312", "traditional": "big5"}


class Reading(NamedTuple):
    """One way to say a character, for verse."""

    tone: Tone
    rhyme: str


@cache
def readings(character: str, kind: Readings = "new") -> frozenset[Reading]:
    """Every way to say a character; none for what has no reading.

    raises  UserError where pypinyin is not installed

    >>> sorted(readings("春")), sorted(readings("白", "old"))
    ([Reading(tone='平', rhyme='文')], [Reading(tone='仄', rhyme='佳灰'), Reading(tone='仄', rhyme='支微')])
    """
    found: set[Reading] = set()
    for initial, final, number in syllables(character):
        if kind == "old" and character in ENTERING:
            number = "4"
        level: Tone = "平" if number in "12" else "仄"
        final = "-i" if final == "i" and initial in HISSING else final
        if final not in CLASSES:
            continue
        if kind == "new":
            found.add(Reading(level, CLASSES[final]))
        else:
            wide = (WIDE.get(final, CLASSES[final]), *OTHER.get(final, ()))
            tones: tuple[Tone, ...] = ("平", "仄") if character in EITHER else (level,)
            found |= {Reading(tone, rhyme) for rhyme in wide for tone in tones}
    return frozenset(found)


def syllables(character: str) -> list[tuple[str, str, str]]:
    """(initial, final, tone) of each reading that has a tone: of all where the usual one has none, as of 子.

    >>> syllables("子")
    [('z', 'i', '3')]
    """
    pinyin, style = pypinyin()
    for several in (character in SEVERAL, True):
        said = pinyin(character, style=style.TONE3, heteronym=several, errors="ignore", strict=True)
        found = [(*cut(one[:-1]), one[-1]) for one in (said[0] if said else []) if one[-1:] in tuple("1234")]
        if found:
            return found
    return []


def cut(syllable: str) -> tuple[str, str]:
    """Initial and final of a syllable without its tone, the final spelled out.

    >>> cut("zhi"), cut("yuan"), cut("liu"), cut("wei")
    (('zh', 'i'), ('', 'van'), ('l', 'iou'), ('', 'uei'))
    """
    from pypinyin.contrib.tone_convert import to_finals, to_initials

    return to_initials(syllable, strict=True), to_finals(syllable, strict=True, v_to_u=False)


def pypinyin() -> tuple[Callable[..., list[list[str]]], Any]:
    """Its function and its styles.

    raises  UserError where it is not installed
    """
    try:
        from pypinyin import Style, pinyin
    except ImportError:
        raise UserError(
            "tones and rhymes of Chinese need pypinyin, which is not installed",
            fix="install it with `pip install 'langwright[chinese]'`, or keep to lines alone",
        ) from None
    return pinyin, Style


@cache
def alphabet(script: str) -> str:
    """Characters in common use: the 6,763 of GB 2312, or the 5,401 of the first plane of Big5."""
    codec = SCRIPTS[script]
    last = 0xF7 if codec == "gb2312" else 0xC6
    found = []
    for high in range(0xB0 if codec == "gb2312" else 0xA4, last + 1):
        for low in range(0x40, 0xFF):
            if (codec == "gb2312" and low < 0xA1) or (codec == "big5" and high == 0xC6 and low > 0x7E):
                continue
            letter = bytes([high, low]).decode(codec, "ignore")
            if len(letter) == 1 and "\u4e00" <= letter <= "\u9fff":
                found.append(letter)
    return "".join(found)
