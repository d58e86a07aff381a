"""The space of a search: what is proposed, what exists with which kind, what is refused before anything runs."""

from __future__ import annotations

import random

import pytest

from langwright.errors import UserError
from langwright.settings import parse_toml
from langwright.stages.finetune import FinetuneSettings
from langwright.stages.searching.space import read_space

FIXED = {"task": "classification", "steps": 10}


def space(text, fixed=FIXED):
    return read_space(FinetuneSettings, fixed, parse_toml(text)["search"])


class Dice:
    """Proposes at random, and notes what it was asked for."""

    def __init__(self, seed):
        self.numbers = random.Random(seed)
        self.asked = {}

    def suggest_float(self, name, low, high, *, log):
        self.asked[name] = (low, high, log)
        return self.numbers.uniform(low, high)

    def suggest_int(self, name, low, high, *, log):
        self.asked[name] = (low, high, log)
        return self.numbers.randint(low, high)

    def suggest_categorical(self, name, choices):
        self.asked[name] = tuple(choices)
        return self.numbers.choice(choices)


KINDS = """
[search.schedule]
kind.choices = ["cosine", "trapezoid"]
decay_share = { low = 0.1, high = 0.5 }
[search.learning_rate]
low = 1e-5
high = 1e-3
log = true
[search.batch_rows]
low = 2
high = 16
"""


@pytest.mark.spec(
    "TR13", "any setting of a stage can be searched: ranges, whole numbers, choices, kinds and what is inside them"
)
def test_settings_inside_a_kind_are_tried_where_it_was_chosen():
    found = space(KINDS)
    seen = set()
    for seed in range(30):
        dice = Dice(seed)
        values = found.propose(dice)
        settings = found.settings(values)
        seen.add(settings.schedule.kind)
        assert ("schedule.decay_share" in values) == (settings.schedule.kind == "trapezoid")
        assert isinstance(values["batch_rows"], int) and settings.batch_rows == values["batch_rows"]
        assert settings.steps == 10 and settings.task == "classification"
        assert dice.asked["learning_rate"] == (1e-5, 1e-3, True) and dice.asked["batch_rows"] == (2, 16, False)
    assert seen == {"cosine", "trapezoid"}


def test_a_grid_has_every_combination_once():
    found = space("""
        [search.schedule]
        kind.choices = ["cosine", "trapezoid"]
        decay_share = { low = 0.1, high = 0.5, points = 3 }
        [search.learning_rate]
        low = 1e-5
        high = 1e-3
        log = true
        points = 3
        [search.batch_rows]
        choices = [4, 8]
    """).grid()
    assert len(found) == 2 * 3 + 2 * 3 * 3  # the decay's share multiplies the trapezoid alone
    assert sorted({round(v["learning_rate"], 8) for v in found}) == [1e-5, 1e-4, 1e-3]
    assert sorted({round(v["schedule.decay_share"], 8) for v in found if "schedule.decay_share" in v}) == [
        0.1,
        0.3,
        0.5,
    ]
    whole = space("[search.batch_rows]\nlow = 2\nhigh = 5\npoints = 9").grid()
    assert [v["batch_rows"] for v in whole] == [2, 3, 4, 5]


def test_choices_may_be_lists_of_tables():
    found = space('[search.around]\nchoices = [[], [{ kind = "r-drop", weight = 0.5 }]]')
    kept = [found.propose(Dice(seed))["around"] for seed in range(8)]
    assert [] in kept and [{"kind": "r-drop", "weight": 0.5}] in kept
    assert found.settings({"around": kept[0]}).around is not None
    asked = Dice(0)
    found.propose(asked)
    assert found.values_of({"around": asked.asked["around"][1]}) == {"around": [{"kind": "r-drop", "weight": 0.5}]}


@pytest.mark.spec("TR13", "a space that cannot work is refused with its reason before anything runs")
@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[search.learnin_rate]\nlow = 1\nhigh = 2", "learning_rate"),
        ("[search.learning_rate]\nlow = 2\nhigh = 1", "low = 2.0 is not below high = 1.0"),
        ("[search.learning_rate]\nlow = 0\nhigh = 1\nlog = true", "more than 0"),
        ("[search.learning_rate]\nlow = 1\nhigh = 2\nstep = 3", "no setting called 'step'"),
        ("[search.learning_rate]\nlow = 1", "high"),
        ("[search.batch_rows]\nchoices = [8]", "choices"),
        ("[search.batch_rows]\nlow = 0\nhigh = 4", "at least 1"),
        ("[search.task]\nlow = 1\nhigh = 2", "not a number"),
        ('[search.task]\nchoices = ["chat", "song"]', "fixed"),
        ('[search.end_with]\nchoices = ["last", "luckiest"]', "one of: auto, last, best"),
        ("[search.schedule.decay_share]\nlow = 0.1\nhigh = 0.2", "schedule.kind is trapezoid"),
        ("[search.steps]\nlow = 1\nhigh = 2", "fixed at 10"),
        ("[search.epochs]\nlow = 1\nhigh = 3", "steps, epochs"),
        ("[search.seed]\nlow = 1\nhigh = 3", "luckiest seed"),
        ("[search]\nclip = 3", "neither a range nor choices"),
        ("[search.optimizer]\nchoices = ['adamw', 'sgd']", "optimizer.kind"),
        ("[search]", "nothing is searched"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused(text, words):
    with pytest.raises(UserError) as caught:
        space(text)
    assert words in f"{caught.value.problem('en')} {caught.value.fix('en')}"
