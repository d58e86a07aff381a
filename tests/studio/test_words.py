"""The studio's words: both languages say the same things, with the same values in them. Needs no Node."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.house.source import ROOT

STUDIO = ROOT / "studio"
WORDS = {lang: json.loads((STUDIO / f"src/words/{lang}.json").read_text(encoding="utf-8")) for lang in ("en", "zh")}
PLACE = re.compile(r"\{(\w+)\}")


def test_both_languages_have_the_same_keys_in_the_same_order() -> None:
    assert list(WORDS["en"]) == list(WORDS["zh"])


@pytest.mark.parametrize("lang", WORDS)
def test_nothing_is_left_unsaid(lang: str) -> None:
    assert [key for key, said in WORDS[lang].items() if not said.strip() or said != said.strip()] == []


def test_the_same_values_stand_in_both() -> None:
    for key, english in WORDS["en"].items():
        named = set(PLACE.findall(english))
        assert named == set(PLACE.findall(WORDS["zh"][key])), key


def test_chinese_is_chinese() -> None:
    same = [key for key, said in WORDS["zh"].items() if not re.search(r"[\u4e00-\u9fff]", said)]
    assert same == []


def test_every_word_is_said_somewhere() -> None:
    """A key is written whole in the source, or begins with what is put together there."""
    source = "\n".join(
        file.read_text(encoding="utf-8") for file in (STUDIO / "src").rglob("*.ts*") if file.name != "schema.d.ts"
    )
    begun = set(re.findall(r"`([\w.-]+\.)\$\{", source))
    unsaid = [
        key for key in WORDS["en"] if f'"{key}"' not in source and not any(key.startswith(part) for part in begun)
    ]
    assert unsaid == []


def test_what_is_said_is_written() -> None:
    found: set[str] = set()
    for file in (STUDIO / "src").rglob("*.ts*"):
        found |= set(re.findall(r'\bsay\(\s*"([\w.-]+)"', file.read_text(encoding="utf-8")))
    assert sorted(found - set(WORDS["en"])) == []


def test_at_most_ten_packages_run_in_the_browser() -> None:
    package = json.loads(Path(STUDIO / "package.json").read_text(encoding="utf-8"))
    assert len(package["dependencies"]) <= 10
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in package["dependencies"].values())
    locked = json.loads((STUDIO / "package-lock.json").read_text(encoding="utf-8"))["packages"][""]
    assert locked["dependencies"] == package["dependencies"]
    assert locked["devDependencies"] == package["devDependencies"]


@pytest.mark.parametrize("file", sorted((STUDIO / "src").rglob("*.ts*")), ids=lambda file: file.name)
def test_files_are_short_and_load_nothing_from_elsewhere(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    if file.name == "schema.d.ts":
        return
    assert len(text.splitlines()) < 400
    assert not re.search(r"https?://(?!www\.w3\.org)[\w.-]+\.[a-z]", text)
    assert "style={{" not in text  # the server's policy lets no inline style in
