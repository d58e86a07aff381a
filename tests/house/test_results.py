"""The claims of the specification, each tried by a recipe: what docs/results.json holds of them is whole and of the recipe as it stands."""

import json
import math
from pathlib import Path

import pytest
from scripts.results import PAGE, RECORD, Result

from langwright.measures import Measure
from langwright.settings import parse_toml

ROOT = Path(__file__).resolve().parent.parent.parent


def claim(row: str, recipe: str, shows: str) -> object:
    return pytest.param(recipe, marks=pytest.mark.spec(row, shows), id=f"{row}-{Path(recipe).stem}")


CLAIMS = (
    claim("CM4", "claims/mixed-precision.toml", "bfloat16 beside float32: quality, time and memory, reported as found"),
    claim("CM5", "claims/processes.toml", "one process beside two: the model made, time and speed, reported as found"),
    claim("CM6", "claims/large-batches.toml", "AdamW, RAdam and LAMB at 16 and 128 rows, reported as found"),
    claim("CM7", "claims/small-batches.toml", "updates of 4, 16 and 64 texts, reported as found"),
    claim("CM10", "claims/multitask.toml", "tasks alone and together, the scarce one apart, reported as found"),
    claim("CM17", "claims/self-supervision-zh.toml", "few Chinese labels with and without pre-training, reported as found"),
    claim("CM17", "claims/self-supervision-en.toml", "few English labels with and without pre-training, reported as found"),
)  # fmt: skip


def recorded(recipe: str) -> Result:
    results = {item["recipe"]: item for item in json.loads(RECORD.read_text(encoding="utf-8"))}
    if f"recipes/{recipe}" not in results:
        pytest.skip(f"make results has not run recipes/{recipe} yet")
    return Result.model_validate_json(json.dumps(results[f"recipes/{recipe}"]))


@pytest.mark.parametrize("recipe", CLAIMS)
def test_a_claim_is_reported_for_every_arm_and_seed_of_its_recipe(recipe: str) -> None:
    table = parse_toml((ROOT / "recipes" / recipe).read_text(encoding="utf-8"))
    found: dict[tuple[str, str], list[Measure]] = {}
    for measure in recorded(recipe).measures:
        found.setdefault((measure.name, measure.model), []).append(measure)
    arms = [arm["name"] for arm in table["arm"]]  # type: ignore[index, union-attr, call-overload]
    compare = table["compare"]
    for one in compare if isinstance(compare, list) else [compare]:
        for name in one["measures"]:  # type: ignore[index, call-overload]
            for number, arm in enumerate(arms):
                names = [name] if number == 0 else [name, f"difference in {name}"]
                for called in names:
                    measures = found.get((called, arm), [])
                    assert measures, f"{recipe} says nothing of {called} for {arm}: run make results again"
                    for measure in measures:
                        assert measure.n == len(table["seeds"])  # type: ignore[arg-type]
                        assert measure.low is not None and measure.high is not None
                        assert math.isfinite(measure.value) and measure.low <= measure.value <= measure.high
    assert f"## recipes/{recipe}\n" in PAGE.read_text(encoding="utf-8")


@pytest.mark.spec(
    "CM11", "a label-efficiency curve: from random weights and transferred, with intervals, reported as found"
)
def test_the_transfer_curve_is_reported_at_every_number_of_labels() -> None:
    table = parse_toml((ROOT / "recipes" / "transfer.toml").read_text(encoding="utf-8"))
    steps = {step["name"]: step for step in table["step"]}  # type: ignore[index, union-attr, call-overload]
    curve = steps["text-to-meals"]["settings"]
    measures = recorded("transfer.toml").measures
    for count in curve["labels"]:
        about = [m for m in measures if f"{count} labels" in f"{m.name} {m.model} {m.data}"]
        assert {m.n for m in about} == {curve["seeds"]}, f"{count} labels"
        assert all(m.low is not None and m.high is not None and m.low <= m.value <= m.high for m in about)


@pytest.mark.spec("CM13", "temperature, top-k and top-p: diversity and perplexity by setting, with intervals, as found")
def test_the_settings_of_sampling_are_reported_beside_each_other() -> None:
    found = {(m.name, m.model): m for m in recorded("claims/sampling.toml").measures}
    settings = {model for name, model in found if name == "distinct-2"}
    assert {"T=0", "T=1", "T=1 k=20", "T=1 p=0.9"} <= settings
    for setting in settings:
        for name in ("distinct-1", "distinct-2", "self-BLEU"):
            one = found[name, setting]
            assert one.low is not None and one.high is not None and one.low <= one.value <= one.high
