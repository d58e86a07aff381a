"""What a search over settings found: its trials, what mattered, and the best against the default once more."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import JsonValue

from langwright.errors import UserError
from langwright.evaluation.measuring.findings import Shown

Better = Literal["lower", "higher"]

BEST, DEFAULT = "best settings", "default settings"  # what measures of a search are of

# how the measures of a search are got
CHOSEN_BY = "at the end of its training, on the validation rows by which it was chosen among {n} trials"
OVER_SEEDS = "mean over {n} new seeds, on rows that the search never saw; Student's interval over seeds"
IN_PAIRS = (
    "best minus default with the same {n} new seeds, on rows that the search never saw; Student's interval over pairs"
)


class Trial(Shown):
    """One run of the stage with some settings."""

    number: int
    state: Literal["complete", "pruned", "failed"]
    settings: dict[str, JsonValue]  # those that are searched
    value: float | None = None  # of the measure at the end; None where it did not get there
    seed: int = 0
    seconds: float = 0.0
    joules: float = 0.0
    curve: tuple[tuple[int, float], ...] = ()  # (per cent of the run, measure on validation rows)
    problem: str = ""


class Confirmed(Shown):
    """Best and default settings, trained again with new seeds and measured on rows that the search never saw."""

    measure: str
    unit: str
    better: Better
    data: str
    seeds: tuple[int, ...]
    best: tuple[float, ...]  # one value a seed
    default: tuple[float, ...]


class Trials(Shown):
    """`trials.json`: a whole search."""

    stage: str
    measure: str
    better: Better
    method: str
    trials: tuple[Trial, ...]
    best: int  # number of the best trial
    recipe: str  # all settings of the best, as TOML
    importance: dict[str, float]  # share of the variance that a setting explains; empty where it cannot be told
    confirmed: Confirmed | None = None
    joules: float = 0.0  # of all trials and of the confirmation
    grams: float = 0.0  # of CO2e that these stand for


def read_trials(path: Path) -> Trials:
    """The trials of a `trials.json` file; UserError when it is not one."""
    try:
        return Trials.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(
            "{path} is not a report this version can read: {error}",
            fix="make it again with `langwright search`",
            path=path,
            error=str(error).splitlines()[0],
        ) from None
