"""Control as stages: codes learned in training, classifiers of beginnings, and the trial that measures both."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from tests.stages.test_training_stages import make

from langwright.artifacts import read_card
from langwright.errors import UserError
from langwright.measures import read_report
from langwright.stages.finetune import FinetuneSettings
from langwright.workspace import Workspace

SIDES = {
    "sunny": [
        "sun",
        "beach",
        "warm",
        "lemon",
        "gold",
        "sand",
        "dry",
        "bright",
        "melon",
        "hat",
        "swim",
        "boat",
        "sail",
        "heat",
        "light",
        "bloom",
    ],
    "rainy": [
        "rain",
        "cloud",
        "cold",
        "mud",
        "grey",
        "storm",
        "wet",
        "drip",
        "fog",
        "coat",
        "puddle",
        "flood",
        "gloom",
        "dark",
        "thunder",
        "chill",
    ],
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Texts of two labels that begin alike and differ in their words; a base, a taught model, a guide and a judge."""
    folder = tmp_path_factory.mktemp("control")
    numbers = random.Random(0)
    rows = []
    for number in range(400):
        label = ("sunny", "rainy")[number % 2]
        words = " ".join(numbers.choices(SIDES[label], k=10))
        name = numbers.choice(["Anna", "Ben", "Carl", "Dora", "Emil", "Fay"])
        rows.append({"text": f"{name} saw {words}.", "label": label})
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    workspace = Workspace(folder)
    make(workspace, "data-read", {"source": ["rows.jsonl"]}, "text", toml=['columns=["text", "label"]'])
    make(workspace, "data-read", {"source": ["rows.jsonl"]}, "rows", schema_name="classification")
    make(workspace, "tokenizer-train", {"dataset": ["text"]}, "tok", vocab_size=300)
    usual: dict[str, Any] = {"length": 32, "batch_rows": 16, "dtype": "float32"}
    make(workspace, "pretrain", {"dataset": ["text"], "tokenizer": ["tok"]}, "base", preset="tiny", steps=50, **usual)
    given = {"model": ["base"], "dataset": ["rows"]}
    make(workspace, "finetune", given, "taught", task="control", steps=50, **usual)
    make(workspace, "finetune", given, "guide", task="classification", beginnings=True, steps=50, **usual)
    make(workspace, "finetune", given, "judge", task="classification", steps=40, seed=5, **usual)
    return workspace


ROLES = {"base": ["base"], "taught": ["taught"], "guide": ["guide"], "judge": ["judge"], "dataset": ["rows"]}


@pytest.mark.spec("G7", "a label before the text does little to a model that never saw it; codes learned in training, a classifier and contrast do more, as a classifier that none of them saw judges")  # fmt: skip
@pytest.mark.spec("G8", "a topic model fitted to texts leads others towards its topics")
def test_each_way_is_measured_beside_a_prompt(world: Workspace) -> None:
    ways = ["prompt", "prefix", "classifier", "prefix-contrast", "topics"]
    make(world, "control-trial", ROLES, "trial", ways=ways, starts=5, start_tokens=2, max_new_tokens=16, topics=2)
    found = {measure.name: measure for measure in read_report(world.folder / "trial" / "report.json").measures}
    shares = {way: found[f"control success: {way}"] for way in ways}
    assert all(one.n == 10 and one.low is not None for one in shares.values())
    gains = [one for name, one in found.items() if "less prompt" in name]
    assert len(gains) == 4
    assert all(shares[way].value >= shares["prompt"].value for way in ways)
    assert shares["classifier"].value >= 0.9 and shares["prefix-contrast"].value >= 0.75
    texts = json.loads((world.folder / "trial" / "texts.json").read_text())
    assert set(texts) == set(ways) and all(len(one) == 10 for one in texts.values())
    assert (world.folder / "trial" / "topics.json").is_file()


def test_a_taught_model_names_its_codes(world: Workspace) -> None:
    card = read_card(world.folder / "taught")
    assert card is not None
    (ability,) = card.abilities
    assert (ability.task, ability.solver, ability.labels) == ("control", "generation", ("rainy", "sunny"))


@pytest.mark.spec("G9", "reading level is told from the text, learned as a code, and measured in what is written")
def test_reading_levels_are_learned_and_measured(world: Workspace) -> None:
    numbers = random.Random(1)
    easy = ["the", "cat", "sat", "on", "a", "mat", "and", "we", "ran", "to", "it", "in", "fun"]
    hard = [
        "institutional",
        "deliberation",
        "extraordinary",
        "administrative",
        "accommodation",
        "constitutional",
        "responsibilities",
    ]
    rows = [
        {"text": " ".join(numbers.choices(easy if n % 2 else hard, k=4 + n % 9)) + ".", "label": "x"}
        for n in range(160)
    ]
    (world.folder / "levels.jsonl").write_text("\n".join(map(json.dumps, rows)))
    make(world, "data-read", {"source": ["levels.jsonl"]}, "levels", schema_name="classification")
    given = {"model": ["base"], "dataset": ["levels"]}
    make(
        world,
        "finetune",
        given,
        "leveled",
        task="control",
        labels_from="reading-level",
        steps=4,
        length=32,
        batch_rows=8,
    )
    card = read_card(world.folder / "leveled")
    assert card is not None and card.abilities[0].labels == ("hard", "simple")
    roles = {**ROLES, "taught": ["leveled"], "dataset": ["levels"]}
    make(
        world, "control-trial", roles, "levels-trial", ways=["prompt", "prefix"], labels_from="reading-level",
        starts=2, start_tokens=2, max_new_tokens=8,
    )  # fmt: skip
    names = [measure.name for measure in read_report(world.folder / "levels-trial" / "report.json").measures]
    assert "control success: prefix" in names


@pytest.mark.parametrize(
    "sets", [{"task": "chat", "labels_from": "reading-level"}, {"task": "control", "beginnings": True}]
)
def test_settings_of_labels_where_there_are_none_are_refused(sets: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="for texts with labels"):
        FinetuneSettings(**sets)


def test_a_label_that_no_text_has_is_refused(world: Workspace) -> None:
    with pytest.raises(UserError, match="no text has the label"):
        make(world, "control-trial", ROLES, "wrong", labels=["windy"])
    assert not Path(world.folder / "wrong").exists()
