"""Prompt templates: names, versions, two languages, fields, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import langwright
from langwright.data.schemas import Message
from langwright.errors import UserError
from langwright.tasks.solving.prompting import Templates, fields_of, read_template
from langwright.wording import use_language
from langwright.workspace import Workspace

LETTER = """version = {version}
about = {{ en = "Write a letter", zh = "写一封信" }}
text = {{ en = "Dear {{whom}}, {{{{warmly}}}} {{tone}}", zh = "{{whom}}您好，{{{{温暖}}}}{{tone}}" }}

[fields.whom]
about = {{ en = "Who gets it", zh = "收信人" }}

[fields.tone]
about = {{ en = "Its tone", zh = "语气" }}
default = {{ en = "yours", zh = "敬上" }}
"""


@pytest.fixture
def store(tmp_path: Path) -> Templates:
    for version in (1, 2, 10):
        text = LETTER.format(version=version).replace("Dear", f"Dear{version}")
        (tmp_path / f"letter.{version}.toml").write_text(text, encoding="utf-8")
    store = Templates(Workspace(tmp_path))
    for version in (1, 2, 10):
        store.add(tmp_path / f"letter.{version}.toml")
    return store


@pytest.mark.spec("G6", "templates have names, versions and two languages; the newest is taken where none is named")
def test_names_versions_and_languages(store: Templates) -> None:
    assert store.get("letter").version == 10
    assert store.get("letter").fill("en", {"whom": "Ann"}) == "Dear10 Ann, {warmly} yours"
    assert store.get("letter@2").fill("en", {"whom": "Ann", "tone": "x"}) == "Dear2 Ann, {warmly} x"
    assert store.get("letter@1").fill("zh", {"whom": "安"}) == "安您好，{温暖}敬上"
    assert store.get("summary").source == "ours" and store.get("letter").source == "yours"
    for asked, said in (("leter", "'letter'"), ("letter@3", "10"), ("letter@x", "10")):
        with pytest.raises(UserError) as error:
            store.get(asked)
        assert said in error.value.problem() + error.value.fix()


@pytest.mark.spec(
    "G6", "every template that comes with the package can be filled in both languages, with all its fields"
)
def test_ours_can_be_filled(tmp_path: Path) -> None:
    every = Templates(Workspace(tmp_path)).all()
    assert len(every) >= 8
    for template in every.values():
        for language in ("en", "zh"):
            made = template.fill(language, {name: f"<{name}>" for name in template.written.fields})
            said = made if isinstance(made, str) else " ".join(turn.content for turn in made)
            assert all(f"<{name}>" in said for name in template.written.fields)
            least = {name: "x" for name, field in template.written.fields.items() if field.default is None}
            assert "{" not in str(template.fill(language, least))


def test_a_template_may_be_a_conversation(tmp_path: Path) -> None:
    turns = Templates(Workspace(tmp_path)).get("tutor").fill("en", {"topic": "tides"})
    assert [turn.role for turn in turns] == ["system", "user"] and "tides to beginners" in turns[1].content
    (turn,) = Templates(Workspace(tmp_path)).get("summary").fill("zh", {"text": "甲", "sentences": "2"})
    assert turn == Message(role="user", content="请用不超过2句话概括下面的文本，不要添加文中没有的内容。\n\n甲")


@pytest.mark.spec("G6", "a field that is missing or unknown is named, and so is what is wrong with a template")
def test_fields_are_checked(store: Templates) -> None:
    with pytest.raises(UserError, match="lacks its field whom: Who gets it"):
        store.get("letter").fill("en", {})
    with pytest.raises(UserError, match="'whom'"):
        store.get("letter").fill("en", {"whon": "x"})
    assert store.get("letter").fill("en", {"whom": "{tone}"}) == "Dear10 {tone}, {warmly} yours"  # given text is text


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("Letter.1.toml", ("", ""), "no name of a template"),
        ("letter.toml", ("", ""), "no name of a template"),
        ("letter.2.toml", ("", ""), "says version = 1"),
        ("letter.1.toml", ("{whom}", "{who}"), "has {who} in its en text"),
        ("letter.1.toml", ("{whom}", "{whom!r}"), "in its en text"),
        ("letter.1.toml", ("{whom}", "{whom.name}"), "in its en text"),
        ("letter.1.toml", ("{{warmly}}", "{warmly"), "in its en text"),
        ("letter.1.toml", ("zh =", "cn ="), "zh"),
        ("letter.1.toml", ("[fields.tone]", "[fields.mood]"), "tone"),
        ("letter.1.toml", ("version = 1", "version = 0"), "version"),
        ("letter.1.toml", ("version = 1", "version = "), "TOML"),
        ("letter.1.toml", ("[fields.tone]", '[fields.idle]\nabout = { en = "a", zh = "b" }\n[fields.tone]'), "no text"),
    ],
)
def test_what_is_wrong_with_a_template_is_said(name: str, change: tuple[str, str], said: str) -> None:
    with pytest.raises(UserError) as error:
        read_template(name, LETTER.format(version=1).replace(*change), "yours")
    assert said in error.value.problem() + error.value.fix()


def test_a_version_never_changes(store: Templates, tmp_path: Path) -> None:
    before = (tmp_path / "templates" / "letter.2.toml").read_bytes()
    (tmp_path / "letter.2.toml").write_text(LETTER.format(version=2), encoding="utf-8")
    with pytest.raises(UserError, match="has a version 2 already"):
        store.add(tmp_path / "letter.2.toml")
    assert (tmp_path / "templates" / "letter.2.toml").read_bytes() == before
    with pytest.raises(UserError, match="cannot be read"):
        store.add(tmp_path / "gone.1.toml")


def test_at_the_front(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert (
        langwright.prompt("story", language="en", place="Rome", hero="a fox")
        == "Once upon a time in Rome there was a fox."
    )
    use_language("zh")
    try:
        assert langwright.prompt("story", place="洛阳", hero="一只狐狸") == "从前，在洛阳，有一只狐狸。"
    finally:
        use_language(None)


def test_fields_of_a_text() -> None:
    assert fields_of("{a} {{b}} {a} {c}") == {"a", "c"}
