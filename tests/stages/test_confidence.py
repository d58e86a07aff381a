"""The temperature of a head is fitted on validation rows, kept in the card, used in prediction, and measured."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from tests.stages.test_heads import write_encoder

from langwright.artifacts import Artifact
from langwright.metrics.calibration import at_temperature, fit_temperature
from langwright.settings import read_settings
from langwright.stages import STAGES
from langwright.stages.execution import execute
from langwright.tasks.decision import DecisionInput, DecisionOutput
from langwright.tasks.front.headed import open_headed
from langwright.tasks.front.loading import load
from langwright.workspace import Workspace

LETTERS = "abcdefgh"


def run(world: Workspace, stage: str, inputs: dict[str, list[Path]], out: str, *sets: str) -> Artifact:
    """A stage, done."""
    settings = read_settings(STAGES[stage].settings, sets=sets)
    return execute(STAGES[stage], inputs, world.folder / out, settings, workspace=world)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Texts whose label is told by a character, one in five of them wrongly: nobody can be surer than 0.8."""
    folder = tmp_path_factory.mktemp("confidence")
    write_encoder(folder / "encoder")
    numbers = random.Random(0)
    rows = []
    for _ in range(600):
        mark = numbers.choice("山人")
        told = mark if numbers.random() < 0.8 else {"山": "人", "人": "山"}[mark]
        rows.append({"text": "".join(numbers.choices(LETTERS, k=4)) + mark, "label": told})
    (folder / "rows.jsonl").write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows))
    world = Workspace(folder)
    sets = ["schema_name=classification", "split.validation=0.3", "split.test=0.3"]
    run(world, "data-read", {"source": [folder / "rows.jsonl"]}, "data", *sets)
    return world


def teach(world: Workspace, out: str, *sets: str) -> Artifact:
    """The encoder, taught the labels."""
    inputs = {"model": [world.folder / "encoder"], "dataset": [world.folder / "data"]}
    given = ["task=classification", "device=cpu", "compile=off", "dtype=float32", "steps=80", "learning_rate=3e-3", "batch_rows=16"]  # fmt: skip
    return run(world, "finetune", inputs, out, *given, *sets)


@pytest.mark.spec(
    "AP24", "a temperature is fitted on held-out rows, stored in the card, and used by predict and evaluate"
)
def test_the_temperature_is_kept_and_used(world: Workspace) -> None:
    made = teach(world, "sorter")
    assert made.card is not None
    fitted = made.card.abilities[0].calibration
    assert fitted is not None
    assert fitted.rows > 100 and fitted.temperature != 1.0
    names = [measure.name for measure in made.card.results]
    assert "calibration error before scaling" in names and "calibration error" in names
    headed = open_headed(made.path)
    texts = ["abcd山", "hgfe人", "aaaa"]
    expected = at_temperature(headed.logits(texts, 8).tolist(), fitted.temperature)
    np.testing.assert_allclose(headed.probabilities(texts), expected, atol=1e-5)
    report = run(world, "evaluate", {"model": [made.path], "dataset": [world.folder / "data"]}, "measured", "split=test", "baselines=false")  # fmt: skip
    assert report.card is not None
    found = {measure.name: measure.value for measure in report.card.results}
    assert found["calibration error"] < 0.15
    assert "calibration error before scaling" in found
    with load(made.path) as model:
        sure = model.solve("decision", DecisionInput(text="abcd 山", risk=0.4))
        unsure = model.solve("decision", DecisionInput(text="abcd 山", risk=0.01))
    assert isinstance(sure, DecisionOutput) and isinstance(unsure, DecisionOutput)
    assert sure.answer == "山" and 0.6 < sure.confidence < 0.95
    assert sure.evidence and sure.evidence[0].text.endswith("山")
    assert unsure.answer is None and unsure.likeliest == "山"  # one in five is wrong whatever one does


def test_it_is_the_likeliest_temperature_of_its_rows(world: Workspace) -> None:
    from langwright.data.dataset import open_dataset
    from langwright.data.schemas import ClassificationRow

    made = teach(world, "again", "seed=3")
    assert made.card is not None and made.card.abilities[0].calibration is not None
    rows = [row for row in open_dataset(world.folder / "data").rows("validation") if isinstance(row, ClassificationRow)]
    headed = open_headed(made.path)
    logits = headed.logits([row.text for row in rows], 32)
    right = [headed.labels.index(row.label) for row in rows]
    assert made.card.abilities[0].calibration.temperature == pytest.approx(fit_temperature(logits[::2].tolist(), right[::2]), rel=1e-3)  # fmt: skip


def test_it_can_be_left_out_and_needs_rows(world: Workspace) -> None:
    made = teach(world, "plain", "calibrate=false", "steps=2")
    assert made.card is not None and made.card.abilities[0].calibration is None
    assert open_headed(made.path).calibration is None
