"""What filled-in sheets say: how far the raters agree, then each model's mean rating, or its rating from pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from langwright.errors import UserError
from langwright.evaluation.people.rating import Judged, Key
from langwright.measures import Measure
from langwright.metrics.agreement import Rating, cohen_kappa, fleiss_kappa, krippendorff_alpha
from langwright.metrics.preferences import Compared, bradley_terry, elo_ratings
from langwright.metrics.ratings import mean_rating
from langwright.metrics.yardsticks import signed


def rated(judged: Sequence[Judged], key: Key, *, data: str = "", command: str = "") -> tuple[Measure, ...]:
    """Agreement first, then the models, the best first.

    raises  UserError when nothing is filled in
    """
    if not judged:
        raise UserError("no sheet has a row filled in", fix="fill them in, save them as CSV in the same folder, and collect again")  # fmt: skip
    measures = [*agreement(judged, key), *(of_pairs(judged, key) if key.kind == "pairs" else of_ratings(judged, key))]
    return signed(measures, data=data, command=command)


def by_unit(judged: Sequence[Judged], key: Key) -> list[dict[int, Rating]]:
    """For each thing that was judged what each rater said of it; of a pair the name of the better model, or none."""
    found: dict[tuple[int, tuple[str, ...]], dict[int, Rating]] = {}
    for one in judged:
        models = tuple(sorted(one.row.models))
        said: Rating = one.value
        if key.kind == "pairs":
            said = {1.0: one.row.models[0], 0.0: one.row.models[1]}.get(one.value, "")
        found.setdefault((one.row.prompt, models), {})[one.row.sheet] = said
    return list(found.values())


def agreement(judged: Sequence[Judged], key: Key) -> Iterator[Measure]:
    """Krippendorff's alpha; Cohen's kappa of two raters; Fleiss' where all judged all. None where it has no value."""
    units = by_unit(judged, key)
    raters = sorted({one.row.sheet for one in judged})
    whole = [unit for unit in units if len(unit) == len(raters)]
    several = [list(unit.values()) for unit in units if len(unit) > 1]
    if len({said for unit in several for said in unit}) < 2:
        return  # one rater alone, or all said the same throughout: agreement beyond chance has no value
    ratings = key.kind == "ratings"
    yield krippendorff_alpha(several, "ordinal" if ratings else "nominal", seed=key.seed)
    if len({said for unit in whole for said in unit.values()}) < 2:
        return
    if len(raters) == 2:
        first, second = ([unit[rater] for unit in whole] for rater in raters)
        yield cohen_kappa(first, second, "quadratic" if ratings else "equal", seed=key.seed)
    elif len(whole) == len(units):
        yield fleiss_kappa([[unit[rater] for rater in raters] for unit in whole], seed=key.seed)


def of_ratings(judged: Sequence[Judged], key: Key) -> list[Measure]:
    """Mean rating of each model over prompts."""
    of_model: dict[str, dict[int, list[float]]] = {}
    for one in judged:
        of_model.setdefault(one.row.models[0], {}).setdefault(one.row.prompt, []).append(one.value)
    found = [
        mean_rating(list(of_prompts.values()), key.highest, seed=key.seed).model_copy(update={"model": model})
        for model, of_prompts in of_model.items()
    ]
    return sorted(found, key=lambda measure: -measure.value)


def of_pairs(judged: Sequence[Judged], key: Key) -> list[Measure]:
    """Bradley-Terry and Elo ratings."""
    compared = [Compared(one.row.models[0], one.row.models[1], one.value) for one in judged]
    return [*bradley_terry(compared, seed=key.seed), *elo_ratings(compared, seed=key.seed)]
