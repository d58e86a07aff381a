"""An article written together: outline, sections, decisions, going on from a file; in Python and from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.tasks.told import Front, Script, ask

from langwright.cli.main import main
from langwright.errors import UserError
from langwright.inference.protocol import Sampling
from langwright.tasks.article import Heading, Outline, OutlineInput, Section, SectionInput
from langwright.tasks.together.cowriting import Document, read_document
from langwright.tasks.together.deciding import save

DRAW = Sampling(temperature=1, max_new_tokens=900)
PLAN = [{"heading": "Light", "points": ["the sun as a compass"]}, {"heading": "Scent", "points": ["marks at the hive"]}]
SAID = {
    "Light": "A bee looks at the sun before it leaves. " * 8,
    "Scent": "Near the hive the air is full of marks that other bees have left. " * 5,
}


def plan(*headings: str) -> str:
    return json.dumps([{"heading": heading, "points": [f"{heading}?"]} for heading in headings])


def test_an_outline_is_looked_at() -> None:
    script = Script(plan("Light", "light"), json.dumps(PLAN))
    found = ask(script, OutlineInput(title="Bees", sections=2, sampling=DRAW))
    assert isinstance(found, Outline) and [one.heading for one in found.sections] == ["Light", "Scent"]
    assert len(script.asked) == 2
    chinese = ask(Script(plan("光线", "气味")), OutlineInput(title="蜜蜂怎样认路", sections=2, sampling=DRAW))
    assert isinstance(chinese, Outline) and all(one.held for one in chinese.checks)


def test_a_section_goes_on_from_its_beginning() -> None:
    said = "and flies towards the light until it has the hill in sight. " * 6
    script = Script(said)
    asked = SectionInput(title="Bees", heading="Light", start="At dawn a bee wakes", sampling=DRAW)
    found = ask(script, asked)
    assert isinstance(found, Section) and found.text.startswith("At dawn a bee wakes and flies")
    assert "At dawn a bee wakes" in script.asked[0]
    again = ask(Script(SAID["Light"]), asked.model_copy(update={"start": "", "before": SAID["Light"], "tries": 1}))
    assert isinstance(again, Section) and [one.check for one in again.checks if not one.held] == ["new"]


@pytest.mark.spec(
    "G10", "from an outline over sections to an article, each step proposed, then accepted, edited or rejected"
)
def test_from_title_to_article() -> None:
    other = "The sky shows where the light comes from even behind clouds, and bees can read it there. " * 4
    script = Script(plan("One", "Two"), json.dumps(PLAN), SAID["Light"], SAID["Light"], other, SAID["Scent"])
    model = Front(script)
    held = Document(title="Bees", sections=2).proposed(model, None, DRAW, 2)
    assert held.outline == "proposed" and [one.heading.heading for one in held.chapters] == ["One", "Two"]
    with pytest.raises(UserError, match="waits for your decision"):
        held.proposed(model, None, DRAW, 2)
    held = held.turned_down(0).proposed(model, None, DRAW, 2).accepted(0)
    assert held.rejected == ("One\nTwo",) and held.next_chapter == 1
    held = held.proposed(model, None, DRAW, 2)
    assert held.chapters[0].state == "proposed" and "Light" in script.asked[-1]
    held = held.turned_down(1).proposed(model, 1, DRAW, 2)  # the same again is drawn, and left for another
    assert held.chapters[0].proposal is not None and held.chapters[0].proposal.text == other.strip()
    held = held.accepted(1).proposed(model, None, DRAW, 2)
    assert other.strip()[-80:] in script.asked[-1]  # the second section is written with the end of the first
    held = held.edited(2, "My own words.")
    assert held.done and held.markdown() == f"# Bees\n\n## Light\n\n{other.strip()}\n\n## Scent\n\nMy own words.\n"
    with pytest.raises(UserError, match="every section is accepted"):
        held.proposed(model, None, DRAW, 2)
    with pytest.raises(UserError, match="is accepted, and is not written again"):
        held.proposed(model, 2, DRAW, 2)


def test_a_person_may_plan_begin_and_undo() -> None:
    held = Document(title="茶的历史", language="zh").planned((Heading(heading="起源"), Heading(heading="传播")))
    assert held.outline == "accepted" and held.next_chapter == 1
    held = held.begun(1, "相传神农尝百草，").edited(2, "由海路与陆路。")
    assert held.chapters[0].state == "open" and "相传神农" in held.markdown()
    again = held.planned((Heading(heading="传播"), Heading(heading="今天", points=("茶馆",))))
    assert again.chapters[0].text == "由海路与陆路。" and again.chapters[1].state == "open"
    assert held.turned_down(2).chapters[1].state == "open"


def test_what_cannot_be_decided() -> None:
    held = Document(title="Bees")
    for number in (0, 1):
        with pytest.raises(UserError):
            held.accepted(number)
        with pytest.raises(UserError):
            held.turned_down(number)
    planned = held.planned((Heading(heading="Light"),))
    with pytest.raises(UserError, match="nothing of number 1"):
        planned.accepted(1)
    with pytest.raises(UserError, match="no section 2"):
        planned.edited(2, "x")
    with pytest.raises(UserError, match="no whole outline"):
        held.proposed(Front(Script(plan("a", "b", "c", "d"))), None, Sampling(temperature=1, max_new_tokens=9), 2)


@pytest.mark.spec("G10", "an article is left and gone on with from its file, by commands alone")
def test_from_the_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(tmp_path / "bees.json")
    script = Script(json.dumps(PLAN), SAID["Light"], SAID["Scent"])
    monkeypatch.setattr("langwright.tasks.front.loading.load", lambda model: Front(script))

    def said(*words: str) -> dict[str, object]:
        assert main(["cowrite", *words, "--json"]) == 0, capsys.readouterr().err
        return dict(json.loads(capsys.readouterr().out))

    said("begin", file, "Bees", "--sections", "2")
    assert main(["cowrite", "begin", file, "Bees"]) == 2
    assert said("go", file, "M")["outline"] == "proposed"
    said("decide", file, "--accept", "0")
    said("go", file, "M")
    before = Path(file).read_bytes()
    assert main(["cowrite", "decide", file, "--accept", "1", "--accept", "2"]) == 2
    assert Path(file).read_bytes() == before  # all or nothing
    said("decide", file, "--accept", "1", "--edit", "2=By smell.")
    out = tmp_path / "bees.md"
    assert said("show", file, "--out", str(out))["done"] is True
    assert out.read_text() == f"# Bees\n\n## Light\n\n{SAID['Light'].strip()}\n\n## Scent\n\nBy smell.\n"
    assert main(["cowrite", "decide", file, "--edit", "two=x"]) == 2
    said("begin", str(tmp_path / "tea.json"), "茶", "--heading", "起源：传说；史料", "--heading", "传播")
    assert read_document(tmp_path / "tea.json").chapters[0].heading.points == ("传说", "史料")


def test_a_document_is_read_as_it_was_saved(tmp_path: Path) -> None:
    held = Document(title="Bees").planned((Heading(heading="Light", points=("sun",)),)).begun(1, "At dawn")
    save(tmp_path / "d.json", held)
    assert read_document(tmp_path / "d.json") == held
    (tmp_path / "d.json").write_text("[]")
    with pytest.raises(UserError, match="is not a document"):
        read_document(tmp_path / "d.json")
