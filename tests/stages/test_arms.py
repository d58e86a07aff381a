"""Arms of pipelines: unrolled as written, made once where they agree, compared at the end."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.stages.toys import TOYS

from langwright.artifacts import open_artifact
from langwright.errors import UserError
from langwright.stages.compare import STAGE as COMPARE
from langwright.stages.pipeline import Pipeline, read_pipeline, run_pipeline
from langwright.training.together import Together
from langwright.workspace import Workspace

STAGES = {**TOYS, COMPARE.name: COMPARE}
PIPELINE = """
seeds = [1, 2, 3]
compare = { step = "drilled", measures = ["score"], claim = "More steps score more" }

[[arm]]
name = "short"

[[arm]]
name = "long"
settings.drilled = { steps = 4 }

[[step]]
name = "text"
stage = "toy-gather"
inputs = ["a.txt"]

[[step]]
name = "both"
stage = "toy-join"
inputs = { dataset = ["text", "text"] }

[[step]]
name = "drilled"
stage = "drill"
inputs = ["both"]
settings = { steps = 2, seed = 9 }
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("one")
    return tmp_path


def read(folder: Path, text: str) -> Pipeline:
    (folder / "p.toml").write_text(text)
    return read_pipeline(folder / "p.toml", STAGES, Workspace(folder))


def test_what_differs_is_made_for_every_arm_and_seed_and_the_rest_once(folder: Path) -> None:
    steps = {step.name: step for step in read(folder, PIPELINE).steps}
    runs = [f"{arm}/seed-{seed}/drilled" for seed in (1, 2, 3) for arm in ("short", "long")]
    assert list(steps) == ["text", "both", *runs, "comparison"]
    assert [steps[name].settings.steps for name in runs] == [2, 4, 2, 4, 2, 4]
    assert [steps[name].settings.seed for name in runs] == [1, 1, 2, 2, 3, 3]
    assert steps["long/seed-2/drilled"].out == Path("runs/long/seed-2/drilled")
    assert steps["long/seed-2/drilled"].inputs == {"dataset": ("both",), "base": ()}


def test_what_rests_on_a_step_that_differs_differs_too(folder: Path) -> None:
    text = PIPELINE.replace("settings.drilled = { steps = 4 }", 'settings.both = { between = "+" }')
    names = [step.name for step in read(folder, text).steps]
    assert names[0] == "text" and "long/seed-1/both" in names and "both" not in names
    inputs = {step.name: step.inputs for step in read(folder, text).steps}
    assert inputs["long/seed-3/drilled"]["dataset"] == ("long/seed-3/both",)


def test_an_arm_may_be_made_by_several_processes(folder: Path) -> None:
    text = PIPELINE.replace("settings.drilled = { steps = 4 }", 'on.drilled = "processes:2,fsdp"')
    with pytest.raises(UserError, match="is not made by several processes"):
        read(folder, text)
    stages = {**STAGES, "drill": replace(TOYS["drill"], together=True)}
    steps = {step.name: step for step in read_pipeline(folder / "p.toml", stages, Workspace(folder)).steps}
    assert steps["short/seed-1/drilled"].on is None
    assert steps["long/seed-1/drilled"].on == Together(2, "fsdp")


def test_an_arm_makes_only_what_its_comparison_rests_on(folder: Path) -> None:
    """Two ways to the same step: each arm goes its own, with its seeds."""
    text = PIPELINE.replace(
        "settings.drilled = { steps = 4 }", 'settings.other = {}\ninputs.drilled = ["other"]'
    ).replace('name = "short"\n', 'name = "short"\nsettings.both = {}\n')
    text += '\n[[step]]\nname = "other"\nstage = "toy-gather"\ninputs = ["a.txt"]\n'
    names = [step.name for step in read(folder, text).steps]
    assert "short/seed-1/both" in names and "short/seed-1/other" not in names
    assert "long/seed-1/other" in names and "long/seed-1/both" not in names


def test_several_comparisons(folder: Path) -> None:
    again = '{ step = "again", measures = ["score"] }'
    text = PIPELINE.replace("compare = {", "compare = [{", 1).replace('score more" }', f'score more" }}, {again}]')
    text += '\n[[step]]\nname = "again"\nstage = "drill"\ninputs = { dataset = "both", base = "drilled" }\n'
    steps = {step.name: step for step in read(folder, text).steps}
    assert {"comparison-drilled", "comparison-again"} <= set(steps) and "comparison" not in steps
    assert steps["comparison-again"].inputs["model"][-1] == "long/seed-3/again"


def test_an_arm_may_take_other_inputs(folder: Path) -> None:
    text = PIPELINE.replace("settings.drilled = { steps = 4 }", 'inputs.drilled = ["text"]')
    inputs = {step.name: step.inputs for step in read(folder, text).steps}
    assert inputs["long/seed-1/drilled"]["dataset"] == ("text",)
    assert inputs["short/seed-1/drilled"]["dataset"] == ("both",)


def test_a_pipeline_with_arms_ends_with_their_comparison(folder: Path) -> None:
    """A score is steps + seed / 10, so the arms differ by 2 with every seed: no chance is left in the difference."""
    done = run_pipeline(read(folder, PIPELINE))
    card = done[-1].artifact.card
    assert card is not None
    found = {(m.name, m.model): m for m in card.results}
    assert found["score", "short"].value == pytest.approx(2.2)
    gap = found["difference in score", "long"]
    assert (gap.value, gap.low, gap.high, gap.n) == pytest.approx((2.0, 2.0, 2.0, 3))
    comparison = json.loads((folder / "runs/comparison/comparison.json").read_text())
    assert comparison["claim"] == "More steps score more" and comparison["arms"] == ["short", "long"]
    page = (folder / "runs/comparison/report.html").read_text()
    assert "long is better than short" in page and "long 优于 short" in page
    again = run_pipeline(read(folder, PIPELINE))
    assert all(item.reused for item in again)
    assert open_artifact(folder / "runs/comparison").digest == done[-1].artifact.digest


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("settings.drilled", "settings.driled", "no step called 'driled'"),
        ('step = "drilled"', 'step = "drill"', "no step called 'drill'"),
        ('name = "long"', 'name = "short"', "arm short stands there twice"),
        ("[1, 2, 3]", "[1, 1]", "seed 1 stands there twice"),
        ("seeds = [1, 2, 3]", "", "setting 'seeds' is missing"),
        ('name = "long"', 'nam = "long"', "setting 'arm[1].name' is missing"),
        ('name = "long"', "name = 3", "setting arm[1].name = 3 is not allowed"),
        ('name = "long"', 'name = "text"', "an arm cannot be called 'text'"),
        ('name = "long"', 'name = "a/b"', "an arm cannot be called 'a/b'"),
        ('[[arm]]\nname = "short"\n', "", "there is one arm"),
    ],
)
def test_bad_arms_are_refused_before_anything_is_made(folder: Path, old: str, new: str, problem: str) -> None:
    with pytest.raises(UserError) as caught:
        read(folder, PIPELINE.replace(old, new, 1))
    assert problem in caught.value.problem("en") and caught.value.fix("zh") != caught.value.fix("en")
    assert not (folder / "runs").exists()


def test_a_measure_that_is_not_there_is_named_with_those_that_are(folder: Path) -> None:
    with pytest.raises(UserError, match="no measure called 'scores'") as caught:
        run_pipeline(read(folder, PIPELINE.replace('measures = ["score"]', 'measures = ["scores"]')))
    assert "did you mean 'score'?" in caught.value.fix("en")
    assert not (folder / "runs/comparison").exists()


def test_as_many_arms_and_seeds_as_artifacts(folder: Path) -> None:
    text = (
        PIPELINE
        + """
[[step]]
name = "odd"
stage = "compare"
inputs = ["short/seed-1/drilled", "long/seed-1/drilled"]
settings = { arms = ["a", "b"], seeds = [1, 2, 3], measures = ["score"] }
"""
    )
    with pytest.raises(UserError, match="2 artifacts, 2 arms and 3 seeds"):
        run_pipeline(read(folder, text))
