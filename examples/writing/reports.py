"""Weather reports in English and Chinese, put together from parts, for a model to learn to write; and whether one holds.

    python -m examples.writing.reports runs/reports.jsonl

A report agrees with itself: the second temperature is the higher one, what to wear goes by it, and what to carry by the
sky. That is what `examples.writing.checked` looks at. Drawn by a fixed seed. Written for this example, CC0.
"""

from __future__ import annotations

import argparse
import json
import random
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Language = Literal["en", "zh"]

PLACES = {
    "en": ("Northport", "Ashford", "Greenhill", "Riverton", "Stonebridge", "Lakeside", "Westbay", "Millbrook", "Oakfield", "Highmoor"),
    "zh": ("北港", "青山", "河口", "石桥", "湖滨", "西湾", "柳村", "松岭", "南溪", "高原镇"),
}  # fmt: skip
DAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "zh": ("星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"),
}
SKIES: dict[Language, dict[str, tuple[str, ...]]] = {
    "en": {
        "dry": (
            "The day stays dry and sunny.", "Fog in the morning, then the sun comes through.", "A few clouds, but no rain.",
            "The sky is clear from morning to night.", "High clouds pass over without a drop.",
        ),
        "rain": (
            "Rain from the early hours, heavy at times.", "Showers in the afternoon, some with thunder.",
            "Drizzle in the morning and steady rain in the evening.", "It rains all day.", "Clouds bring rain before noon.",
        ),
        "snow": (
            "Snow falls in the morning.", "Light snow through the day.", "Snow showers and ice on the roads.",
            "Heavy snow towards the evening.", "Snow in the night, more of it by noon.",
        ),
    },
    "zh": {
        "dry": ("全天晴朗干燥。", "早晨有雾，随后转晴。", "有少量云，无雨。", "从早到晚天空晴好。", "高云飘过，滴雨不落。"),
        "rain": ("清晨起有雨，有时雨大。", "午后有阵雨，局部有雷。", "早晨毛毛雨，傍晚雨势平稳。", "全天有雨。", "中午前云带来降雨。"),
        "snow": ("早晨有雪。", "全天小雪。", "有阵雪，道路结冰。", "傍晚前后有大雪。", "夜里下雪，中午前还会更多。"),
    },
}  # fmt: skip
WINDS = {
    "en": ("from the north", "from the south", "from the east", "from the west"),
    "zh": ("北风", "南风", "东风", "西风"),
}
FORCES = {"en": ("Light", "Fresh", "Strong"), "zh": ("微", "和缓的", "强劲的")}
WEAR: dict[Language, dict[str, str]] = {
    "en": {
        "cold": "Wear a thick coat and gloves.", "cool": "A jacket will do.", "warm": "A shirt is enough.",
    },
    "zh": {"cold": "请穿厚外套，戴手套。", "cool": "穿夹克即可。", "warm": "穿衬衫就够了。"},
}  # fmt: skip
CARRY: dict[Language, dict[str, str]] = {
    "en": {"dry": "Leave the umbrella at home.", "rain": "Take an umbrella.", "snow": "Put on boots."},
    "zh": {"dry": "雨伞留在家里。", "rain": "请带雨伞。", "snow": "请穿靴子。"},
}
FORM = {
    "en": re.compile(
        r"Weather for (?P<place>[A-Z][a-z]+), (?P<day>[A-Z][a-z]+): (?P<sky>.+?) Between (?P<low>-?\d+) and (?P<high>-?\d+) degrees\. "
        r"(?P<wind>[A-Z][a-z]+ wind from the [a-z]+)\. (?P<wear>Wear [^.]+\.|A [^.]+\.) (?P<carry>[^.]+\.)"
    ),
    "zh": re.compile(
        r"(?P<place>[^，。：]+)(?P<day>星期.)天气：(?P<sky>.+?。)气温(?P<low>-?\d+)到(?P<high>-?\d+)度。"
        r"(?P<wind>[^。]*[东南西北]风)。(?P<wear>[^。]+。)(?P<carry>[^。]+。)"
    ),
}


def beginning(language: Language, place: str, day: str) -> str:
    """What a report opens with."""
    return f"Weather for {place}, {day}:" if language == "en" else f"{place}{day}天气："


def worn(high: int) -> str:
    """What to wear goes by the higher temperature, degrees Celsius."""
    return "cold" if high < 8 else "cool" if high < 18 else "warm"


def report(language: Language, drawn: random.Random) -> str:
    """One report that agrees with itself."""
    sky = drawn.choice(("dry", "dry", "rain", "rain", "snow"))
    low = drawn.randint(-12, -1) if sky == "snow" else drawn.randint(-5 if sky == "dry" else 1, 20)
    high = low + drawn.randint(2, 9)
    said = drawn.choice(SKIES[language][sky])
    wind, force = drawn.choice(WINDS[language]), drawn.choice(FORCES[language])
    first = beginning(language, drawn.choice(PLACES[language]), drawn.choice(DAYS[language]))
    wear, carry = WEAR[language][worn(high)], CARRY[language][sky]
    if language == "en":
        return f"{first} {said} Between {low} and {high} degrees. {force} wind {wind}. {wear} {carry}"
    return f"{first}{said}气温{low}到{high}度。{force}{wind}。{wear}{carry}"


@dataclass(frozen=True)
class Found:
    """What holds of a report."""

    form: bool  # it can be read
    warmer: bool = False  # the second temperature is the higher one
    wear: bool = False  # what to wear is what the higher one asks for
    carry: bool = False  # what to carry is what the sky asks for

    @property
    def all(self) -> bool:
        """Whether everything holds."""
        return self.form and self.warmer and self.wear and self.carry


def looked_at(text: str, language: Language) -> Found:
    """Read one report and hold its parts against each other; what is in no list of parts does not hold."""
    match = FORM[language].fullmatch(text.strip())
    if match is None:
        return Found(form=False)
    sky = next((kind for kind, said in SKIES[language].items() if match["sky"] in said), "")
    low, high = int(match["low"]), int(match["high"])
    return Found(
        form=True, warmer=low < high, wear=match["wear"] == WEAR[language][worn(high)],
        carry=bool(sky) and match["carry"] == CARRY[language][sky],
    )  # fmt: skip


def reports(count: int = 3000, seed: int = 7) -> list[dict[str, str]]:
    """Rows of running text: so many reports in each language."""
    drawn = random.Random(seed)
    languages: tuple[Language, ...] = ("en", "zh")
    return [{"text": report(language, drawn), "language": language} for _ in range(count) for language in languages]


def main() -> None:
    """Write them as JSON, one row a line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("file", type=Path, help="the file to write")
    file = parser.parse_args().file
    file.parent.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in reports()]
    file.write_text("".join(lines), encoding="utf-8")
    print(f"{file}: {len(lines)}")


if __name__ == "__main__":
    main()
