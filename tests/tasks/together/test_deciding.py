"""Suggestions accepted, edited, rejected and taken back, in Python and from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.tasks.told import Front, Script

from langwright.cli.main import main
from langwright.errors import UserError
from langwright.tasks.rewording import RewritingInput, Suggestion
from langwright.tasks.solving.drafting import Draft
from langwright.tasks.together.deciding import Session, read_session, save

TEXT = "We regret to tell you that the parcel is late."


def suggestion(text: str) -> Suggestion:
    return Suggestion(way="gentler", draft=Draft(text=text, checks=(), seed=0))


def test_a_session_goes_on_from_what_was_accepted() -> None:
    first = Session(texts=(TEXT,)).offered([suggestion("one"), suggestion("two"), suggestion("three")])
    second = first.rejected([1]).accepted(2)
    assert second.text == "two" and second.open == []
    assert [offer.decision for offer in second.offers] == ["rejected", "accepted", "passed"]
    asked = second.asked(RewritingInput(text="old", ways=("shorter",)))
    assert asked.text == "two" and asked.unlike == ("one",) and asked.ways == ("shorter",)
    third = second.offered([suggestion("four")]).accepted(4, text="four, edited")
    assert third.text == "four, edited" and third.undone().text == "two" and third.undone().undone().text == TEXT
    assert second.edited("mine").text == "mine"


def test_what_cannot_be_decided() -> None:
    held = Session(texts=(TEXT,)).offered([suggestion("one")])
    for number in (0, 2, -1):
        with pytest.raises(UserError, match="no open suggestion"):
            held.accepted(number)
        with pytest.raises(UserError, match="no open suggestion"):
            held.rejected([number])
    with pytest.raises(UserError, match="no open suggestion"):
        held.rejected([1]).accepted(1)
    with pytest.raises(UserError, match="first text"):
        held.undone()


def test_a_file_that_is_no_session(tmp_path: Path) -> None:
    file = tmp_path / "s.json"
    save(file, Session(texts=(TEXT,)))
    assert read_session(file) == Session(texts=(TEXT,))
    for wrong in ("{}", "nothing", '{"format": 2, "texts": ["a"]}'):
        file.write_text(wrong)
        with pytest.raises(UserError, match="is not a session"):
            read_session(file)
    with pytest.raises(UserError, match="cannot be read"):
        read_session(tmp_path / "none.json")


@pytest.mark.spec(
    "G10",
    "suggestions are accepted, edited or rejected from the command line, and what was rejected does not come back",
)
def test_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "letter.json")
    soft, formal = "Sorry, the parcel will come a little late.", "We regret to inform you of the delay of your parcel."
    script = Script(soft, formal, soft, "So sorry! Your parcel needs a bit more time, we fear.")
    monkeypatch.setattr("langwright.tasks.front.loading.load", lambda model: Front(script))

    def said(*words: str) -> dict[str, object]:
        assert main(["rewrite", *words, "--json"]) == 0
        return dict(json.loads(capsys.readouterr().out))

    assert main(["rewrite", "offer", file, "M"]) == 2  # nothing to begin with
    ways = ("--way", "gentler", "--way", "more formal")
    assert said("offer", file, "M", "--text", TEXT, *ways)["open"] == [1, 2]
    assert main(["rewrite", "offer", file, "M", "--text", "another"]) == 2
    assert said("decide", file, "--reject", "1")["open"] == [2]
    assert said("decide", file, "--accept", "2", "--edit", "We regret the delay.")["text"] == "We regret the delay."
    assert said("decide", file, "--undo")["text"] == TEXT
    offers = said("offer", file, "M", "--way", "gentler")["offers"]
    assert isinstance(offers, list) and offers[-1]["suggestion"]["draft"]["text"].startswith("So sorry")
    assert main(["rewrite", "decide", file, "--undo", "--accept", "3"]) == 2
    assert main(["rewrite", "offer", file, "M", "--way", "louder"]) == 2
