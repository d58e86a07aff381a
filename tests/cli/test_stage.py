"""Commands made from stages: options from settings, one answer, progress beside it, checks before the work."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.cli.conftest import Run
from tests.stages.toys import DRILL

from langwright.artifacts import open_artifact
from langwright.cli.commands import COMMANDS
from langwright.cli.stage import check_command, read_option, stage_options
from langwright.settings import entries
from langwright.stages import STAGES
from langwright.stages.declaration import Work


@pytest.fixture
def text(run: Run) -> Path:
    assert run("toy", "gather", "a.txt", "runs/text").code == 0
    return Path("runs/text")


@pytest.mark.spec("SV11", "each step ends with the command of the next")
def test_a_stage_ends_with_results_and_the_next_command(run: Run) -> None:
    said = run("toy", "gather", "a.txt", "a.txt", "runs/text")
    assert said.code == 0
    assert "bytes  6  B" in said.out and "made runs/text, a dataset" in said.out
    assert said.last == "next: langwright toy join runs/text OUT"
    assert "reading" in said.err and "done in" in said.err
    assert (Path("runs/text/text.txt")).read_text() == "oneone"
    card = open_artifact(Path("runs/text")).card
    assert card and card.command == ("langwright", "toy", "gather", "a.txt", "a.txt", "runs/text")


def test_the_same_as_one_object(run: Run) -> None:
    said = run("toy", "gather", "a.txt", "runs/text", "--json")
    assert said.code == 0
    assert set(said.json) == {"artifact", "results", "next"}
    assert said.json["artifact"] == "runs/text"
    assert said.json["results"][0] | {"name": "bytes", "value": 3.0} == said.json["results"][0]
    assert "reading" in said.err


def test_options_recipe_and_set_reach_the_settings_later_ones_winning(run: Run, text: Path) -> None:
    Path("r.toml").write_text('steps = 9\nmode = "hard"\nseed = 4')
    command = ["drill", "text", "runs/m", "--recipe", "r.toml", "--steps", "2", "--words", "a, b", "--rate", "1e-3"]
    assert run(*command, "--set", "seed=8").code == 0
    card = open_artifact(Path("runs/m")).card
    assert card and card.settings == {"steps": 2, "seed": 8, "mode": "hard", "rate": 0.001, "words": ["a", "b"]}
    assert card.seed == 8


def test_flags_and_names_from_the_workspace(run: Run, text: Path) -> None:
    assert run("toy", "gather", "a.txt", "runs/loud", "--upper").code == 0
    assert Path("runs/loud/text.txt").read_text() == "ONE"
    assert run("toy", "gather", "a.txt", "runs/quiet", "--no-upper").code == 0
    assert run("toy", "join", "text", "runs/loud", "runs/both", "--between", "7").code == 0
    assert Path("runs/both/text.txt").read_text() == "one7ONE"


def test_every_declared_option_is_read_as_its_setting() -> None:
    for stage in STAGES.values():
        keys = {entry.key for entry in entries(stage.settings)}
        for option, dotted, entry in stage_options(stage):
            assert dotted in keys and option.startswith("--") and not option.startswith("---")
            assert read_option(entry, None) is None
    by_name = {option: entry for option, _, entry in stage_options(DRILL)}
    assert read_option(by_name["--mode"], "hard") == "hard"
    assert read_option(by_name["--words"], "x，y") == ["x，y"]
    assert read_option(by_name["--words"], '["a,b"]') == ["a,b"]
    assert read_option(by_name["--rate"], "0.5") == 0.5
    assert read_option(by_name["--steps"], "many") == "many"  # refused later, by the settings


def test_a_stopped_stage_says_how_to_go_on(run: Run, text: Path) -> None:
    Path("runs/trip").write_text("stop")
    said = run("drill", "text", "runs/m", "--steps", "4")
    assert said.code == 130
    assert "runs/m was stopped" in said.err and "resume" in said.err
    assert said.last == "next: langwright drill text runs/m --steps 4"
    again = run("drill", "text", "runs/m", "--steps", "4", "--json")
    assert again.code == 0 and "step 3/4" in again.err and "step 1/4" not in again.err


def test_a_stopped_stage_as_one_object(run: Run, text: Path) -> None:
    Path("runs/trip").write_text("stop")
    said = run("drill", "text", "runs/m", "--steps", "4", "--json")
    assert (
        said.code == 130
        and said.json["error"]["code"] == "stopped"
        and said.json["error"]["params"] == {"out": "runs/m"}
    )


def test_other_settings_are_refused_until_restart(run: Run, text: Path) -> None:
    Path("runs/trip").write_text("stop")
    run("drill", "text", "runs/m", "--steps", "4")
    refused = run("drill", "text", "runs/m", "--steps", "5", "--json")
    assert refused.code == 2 and "steps: 4 -> 5" in refused.json["error"]["problem"]
    assert run("drill", "text", "runs/m", "--steps", "5", "--restart").code == 0


def test_an_existing_output_is_refused(run: Run, text: Path) -> None:
    said = run("toy", "gather", "a.txt", "runs/text", "--json")
    assert said.code == 2 and said.json["error"]["code"] == "already-exists"


def test_check_looks_and_makes_nothing(run: Run, text: Path) -> None:
    said = run("check", "drill", "text", "runs/m", "--steps", "3")
    assert said.code == 0 and not Path("runs/m").exists() and not Path("runs/m.partial").exists()
    assert "inputs and settings are fine" in said.out
    assert said.last == "next: langwright drill text runs/m --steps 3"
    found = run("check", "toy", "gather", "a.txt", "--json").json
    assert found["stage"] == "toy-gather" and found["settings"]["seed"] == 42 and found["inputs"][0]["kind"] == "source"
    assert run("check", "toy", "gather", "a.txt", "new", "--json").json["next"] == "langwright toy gather a.txt new"
    assert run("check", "drill", "text", "runs/text", "--json").json["error"]["code"] == "is-a-and-a-is-needed-here"


@pytest.mark.parametrize("name", ["drill", "toy gather", "toy-gather"])
def test_a_recipe_can_be_run(run: Run, text: Path, name: str) -> None:
    said = run("recipe", *name.split())
    assert said.code == 0 and "next:" in said.err and "next:" not in said.out
    Path("r.toml").write_text(said.out)
    command = ["drill", "text", "o"] if name == "drill" else ["toy", "gather", "a.txt", "o"]
    assert run(*command, "--recipe", "r.toml").code == 0
    as_object = run("recipe", *name.split(), "--json").json
    assert as_object["recipe"] == said.out and "properties" in as_object["schema"]


def test_a_recipe_in_chinese_is_the_same_recipe(run: Run) -> None:
    import tomllib

    english, chinese = run("recipe", "drill").out, run("recipe", "drill", "--lang", "zh").out
    assert tomllib.loads(english) == tomllib.loads(chinese)


def test_a_preflight_is_shown_in_words_with_what_is_learned_marked(
    run: Run, text: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from langwright.training.preflight import Piece, Preflight

    found = Preflight(
        documents=3, tokens=1200, rows=2, supervised=0.25, padding=0.5, truncated=1, unknown=0.001, doubled=4, leaked=5,
        labels={"good": 2, "bad": 1}, sample=(Piece(text="Q", supervised=False), Piece(text="A", supervised=True)),
        seconds_per_update=0.5, memory_bytes=2_000_000_000,
    )  # fmt: skip
    seen: list[tuple[bool, int]] = []

    def look(work: Work) -> Preflight:
        seen.append((work.out.is_dir(), work.settings.steps))
        return found

    monkeypatch.setitem(COMMANDS, "check drill", check_command(replace(DRILL, check=look)))
    said = run("check", "drill", "text", "--steps", "7")
    assert seen == [(True, 7)] and said.code == 0
    for words in ("1,200", "25.0%", "50.0%", "0.10%", "good 2, bad 1", "0.5", "2.0 GB", "Q⟦A⟧"):
        assert words in said.out
    assert "学习" in run("check", "drill", "text", "--lang", "zh").out
    assert run("check", "drill", "text", "--json").json["found"]["supervised"] == 0.25
    assert not list(Path().glob("*.partial")) and sorted(path.name for path in Path("runs").iterdir()) == ["text"]


def test_the_sample_is_coloured_on_a_terminal() -> None:
    from langwright.cli.preflight import GREEN, PLAIN, marked
    from langwright.training.preflight import Piece

    assert marked([Piece(text="a", supervised=True)], coloured=True) == f"{GREEN}a{PLAIN}"
