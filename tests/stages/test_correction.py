"""Correction taught to an encoder and to an encoder-decoder, asked, measured beside counting, and refused where it cannot be."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from tests.stages.test_heads import write_encoder

from langwright.artifacts import Artifact
from langwright.errors import UserError
from langwright.measures import Measure
from langwright.runlog import Warned, read_events
from langwright.settings import read_settings
from langwright.stages import STAGES
from langwright.stages.execution import execute
from langwright.tasks.correction import CorrectionInput, CorrectionOutput
from langwright.tasks.front.loading import load
from langwright.tasks.repair import RepairInput
from langwright.workspace import Workspace

WRONG = {"北京": ("北海", "上京"), "上海": ("上京", "北海"), "中国": ("中山",)}


def rows(count: int) -> list[dict[str, str]]:
    """Sentences of two names, each wrong now and then; what a wrong one should be is told by what stands before it."""
    numbers = random.Random(0)
    found = []
    for _ in range(count):
        names = [numbers.choice(["北京", "上海", "中国"]) for _ in range(2)]
        marked = [
            "".join((name[0].translate({ord("北"): "a", ord("上"): "b", ord("中"): "c"}), name)) for name in names
        ]
        right = "人".join(marked)
        wrong = "人".join(
            mark[0] + numbers.choice(WRONG[mark[1:]]) if numbers.random() < 0.4 else mark for mark in marked
        )
        found.append({"text": wrong, "correct": right})
    return found


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    folder = tmp_path_factory.mktemp("correction")
    write_encoder(folder / "encoder")
    lines = [json.dumps(row, ensure_ascii=False) for row in rows(300)]
    (folder / "rows.jsonl").write_text("\n".join(lines), encoding="utf-8")
    sets = ["schema_name=correction", "split.validation=0.1", "split.test=0.2"]
    run(Workspace(folder), "data-read", {"source": [folder / "rows.jsonl"]}, "data", *sets)
    return Workspace(folder)


def run(world: Workspace, stage: str, inputs: dict[str, list[Path]], out: str, *sets: str) -> Artifact:
    """A stage, done."""
    settings = read_settings(STAGES[stage].settings, sets=sets)
    return execute(STAGES[stage], inputs, world.folder / out, settings, workspace=world)


def teach(world: Workspace, model: str, out: str, **given: Any) -> Artifact:
    """The model, taught to correct."""
    options = {"task": "correction", "device": "cpu", "compile": "off", "dtype": "float32", "learning_rate": 3e-3,
               "batch_rows": 16, "steps": 150, "evaluate_every_share": 1.0, **given}  # fmt: skip
    inputs = {"model": [world.folder / model], "dataset": [world.folder / "data"]}
    return run(world, "finetune", inputs, out, *(f"{key}={json.dumps(value)}" for key, value in options.items()))


@pytest.fixture(scope="module")
def taught(world: Workspace) -> Artifact:
    return teach(world, "encoder", "corrector")


@pytest.mark.spec(
    "G11", "an encoder is taught to keep or replace each character, and gives edits with place and confidence"
)
def test_an_encoder_learns_to_replace(world: Workspace, taught: Artifact) -> None:
    assert taught.card is not None
    assert (taught.card.abilities[0].task, taught.card.abilities[0].solver) == ("correction", "replacement")
    results = {measure.name: measure.value for measure in taught.card.results}
    assert results["validation mistakes corrected, F1"] > 0.8
    with load(taught.path) as model:
        made = model.solve("correction", CorrectionInput(text="a北海人c中山"))
        assert isinstance(made, CorrectionOutput)
        assert (made.text, made.solver) == ("a北京人c中国", "replacement")
        assert [(one.start, one.end, one.original, one.replacement) for one in made.edits] == [
            (2, 3, "海", "京"), (6, 7, "山", "国"),
        ]  # fmt: skip
        assert all(one.confidence is not None and 0.3 < one.confidence <= 1 for one in made.edits)
        none = model.solve("correction", CorrectionInput(text="a北海人c中山", sure=1.0))
        assert isinstance(none, CorrectionOutput)
        assert (none.text, none.edits) == ("a北海人c中山", ())
        again = model.solve("repair", RepairInput(text="a北海人c中山"))
        assert isinstance(again, CorrectionOutput)
        assert again.text == "a北京人c中国"


def test_measured_beside_counting_and_doing_nothing(world: Workspace, taught: Artifact) -> None:
    inputs = {"model": [taught.path], "dataset": [world.folder / "data"]}
    report = run(world, "evaluate", inputs, "measured", "split=test")
    assert report.card is not None
    found: dict[str, dict[str, Measure]] = {}
    for measure in report.card.results:
        found.setdefault(measure.model, {})[measure.name] = measure
    f1 = {model: measures["mistakes corrected, F1"].value for model, measures in found.items()}
    assert f1["nothing changed"] == 0
    assert f1["corrector"] > 0.8
    assert set(f1) == {"corrector", "nothing changed", "mistakes seen in training, replaced", "noisy channel, counted"}
    assert found["corrector"]["character error rate"].value < found["nothing changed"]["character error rate"].value


def test_counting_without_a_model(world: Workspace, taught: Artifact, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world.folder)
    with load(taught.path) as model:
        asked = CorrectionInput(text="a上京人c中山", learned_from=str(world.folder / "data"))
        made = model.solve("correction", asked, "counting")
        assert isinstance(made, CorrectionOutput)
        assert made.solver == "counting"
        assert "中国" in made.text
        with pytest.raises(UserError, match="needs corrections to count in"):
            model.solve("correction", CorrectionInput(text="x"), "counting")


def test_untaught_models_say_so(world: Workspace) -> None:
    with load(world.folder / "encoder") as model, pytest.raises(UserError, match="was not taught to correct"):
        model.solve("correction", CorrectionInput(text="a上海"))
    with load(world.folder / "encoder") as model:
        with pytest.raises(UserError, match="fills gaps, and the text has none"):
            model.solve("repair", RepairInput(text="a上海"))
        made = model.solve("repair", RepairInput(text="a[MASK]海人[MASK]"))
        assert isinstance(made, CorrectionOutput)
        assert [one.original for one in made.edits] == ["[MASK]", "[MASK]"]
        assert made.text[0] == "a" and "[MASK]" not in made.text


def test_rows_that_are_cut_otherwise_are_left_out_and_counted(world: Workspace) -> None:
    lines = [json.dumps({"text": f"a{'上' * n}", "correction": f"a{'上' * (n + 1)}"}) for n in range(1, 30)]
    (world.folder / "longer.jsonl").write_text("\n".join(lines), encoding="utf-8")
    run(world, "data-read", {"source": [world.folder / "longer.jsonl"]}, "longer", "schema_name=correction")
    with pytest.raises(UserError, match="same tokens but for those that are replaced"):
        run(world, "finetune", {"model": [world.folder / "encoder"], "dataset": [world.folder / "longer"]}, "none", "task=correction", "device=cpu", "compile=off", "steps=2")  # fmt: skip
    lines += [json.dumps({"text": f"a北{'上' * n}", "correction": f"a上{'上' * n}"}) for n in range(1, 30)]
    (world.folder / "mixed.jsonl").write_text("\n".join(lines), encoding="utf-8")
    run(world, "data-read", {"source": [world.folder / "mixed.jsonl"]}, "mixed", "schema_name=correction")
    made = run(world, "finetune", {"model": [world.folder / "encoder"], "dataset": [world.folder / "mixed"]}, "some", "task=correction", "device=cpu", "compile=off", "steps=2")  # fmt: skip
    said = [event.message for event in read_events(made.path / "run" / "events.jsonl") if isinstance(event, Warned)]
    assert any("cut into other tokens when corrected" in message for message in said)
