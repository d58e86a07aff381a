"""The trials of a search: proposed by number, given up by their curve, and after a kill neither lost nor doubled."""

from __future__ import annotations

import itertools

import pytest
from tests.stages.searching.fakes import STEPS, Fake, Killed, loss_at

from langwright.errors import UserError
from langwright.runlog import RunLog
from langwright.stages.finetune import FinetuneSettings
from langwright.stages.searching import exploring
from langwright.stages.searching.exploring import Exploration, best_of, explore, told
from langwright.stages.searching.settings import TPE, Grid, Halving, Median, NoPruning, RandomSearch
from langwright.stages.searching.space import read_space
from langwright.stages.searching.study import Study

SEARCH = {
    "learning_rate": {"low": 1e-6, "high": 1.0, "log": True},
    "optimizer": {"kind": {"choices": ["adamw", "sgd"]}},
}


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr(exploring, "LOOK_S", 0.0)


def search(folder, *, most=8, method=None, pruning=None, seconds=None, searched=SEARCH):
    space = read_space(FinetuneSettings, {"steps": 10, "seed": 3}, searched)
    study = Study(folder / "study", space, method or TPE(startup=3), pruning or NoPruning(), "lower", seed=1)
    return Exploration(
        study=study, stage="finetune", inputs={}, measure="loss", folder=folder / "trials", kept=folder / "kept",
        cache=folder, log=RunLog(None), most=most, seconds=seconds,
    )  # fmt: skip


def run(folder, runners=None, spent=0.0, **how):
    job = search(folder, **how)
    explore(job, runners or [Fake()], spent)
    return told(job), job


def facts(trials):
    return [(t.number, t.state, t.value, t.settings, t.curve) for t in trials]


def test_a_trial_is_a_run_of_the_stage_with_its_settings(tmp_path):
    runner = Fake()
    trials, job = run(tmp_path, [runner])
    assert [t.number for t in trials] == list(range(8)) and {t.state for t in trials} == {"complete"}
    assert [order.out.name for order in runner.orders] == [f"{n:04d}" for n in range(8)]
    for trial, order in zip(trials, runner.orders, strict=True):
        assert order.settings["learning_rate"] == trial.settings["learning_rate"]
        assert order.settings["optimizer"]["kind"] == trial.settings["optimizer.kind"]
        assert trial.value == loss_at(order.settings, STEPS) and len(trial.curve) == STEPS and trial.seed == 3
    best = best_of(trials, lower=True)
    assert best.value == min(t.value for t in trials)
    assert not any((tmp_path / "trials").glob("*"))  # only their logs stay
    assert set(job.study.importance()) == {"learning_rate", "optimizer.kind"}
    assert sum(job.study.importance().values()) == pytest.approx(1)


@pytest.mark.spec(
    "TR13",
    "a search that was killed at any moment goes on: no trial is lost or doubled, and it proposes what it would have proposed",
)
@pytest.mark.parametrize("method", [TPE(startup=3), RandomSearch()], ids=lambda m: m.kind)
def test_a_killed_search_goes_on_as_if_it_had_not_been(tmp_path, method):
    whole, _ = run(tmp_path / "whole", method=method, pruning=Median(startup=2))
    assert {"complete", "pruned"} == {t.state for t in whole}
    for kill in (1, 7, 18):
        folder = tmp_path / str(kill)
        with pytest.raises(Killed):
            run(folder, [Fake(dies_after=kill)], method=method, pruning=Median(startup=2))
        trials, _ = run(folder, method=method, pruning=Median(startup=2))
        assert facts(trials) == facts(whole), kill


def test_killed_again_and_again(tmp_path):
    whole, _ = run(tmp_path / "whole")
    for _ in itertools.count():
        try:
            trials, _ = run(tmp_path / "killed", [Fake(dies_after=6)])
        except Killed:
            continue
        break
    assert facts(trials) == facts(whole)


@pytest.mark.spec("TR13", "a trial that falls behind the others is given up from its validation curve")
@pytest.mark.parametrize("pruning", [Median(startup=2, from_share=0.2), Halving(reduction=2, from_share=0.2)])
def test_what_falls_behind_is_given_up(tmp_path, pruning):
    trials, _ = run(tmp_path, most=12, pruning=pruning, method=RandomSearch())
    states = {t.number: t.state for t in trials}
    assert "pruned" in states.values()
    best = best_of(trials, lower=True)
    for trial in trials:
        if trial.state == "pruned":
            assert trial.value is None and 20 <= trial.curve[-1][0] < 100
            at = dict(best.curve)
            assert trial.curve[-1][1] > at[trial.curve[-1][0]]  # the best was ahead at the same point
    full, _ = run(tmp_path / "full", most=12, method=RandomSearch())
    assert best_of(full, lower=True).number == best.number  # and nothing was lost by it


def test_tpe_finds_what_random_does_not(tmp_path):
    """The lowest loss is at 1e-3 with AdamW; 18 trials of TPE come nearer to it than as many drawn at random."""
    gaps = {}
    for method in (TPE(startup=6), RandomSearch()):
        trials, _ = run(tmp_path / method.kind, most=18, method=method)
        gaps[method.kind] = best_of(trials, lower=True).value - loss_at({"learning_rate": 1e-3, "optimizer": {"kind": "adamw"}}, STEPS)  # fmt: skip
    assert 0 <= gaps["tpe"] < gaps["random"]


def test_a_grid_tries_each_combination_once(tmp_path):
    searched = {"learning_rate": {"choices": [1e-4, 1e-3, 1e-2]}, "optimizer": {"kind": {"choices": ["adamw", "sgd"]}}}
    with pytest.raises(Killed):
        run(tmp_path, [Fake(dies_after=13)], most=6, method=Grid(), searched=searched)
    trials, _ = run(tmp_path, most=6, method=Grid(), searched=searched)
    tried = [(t.settings["learning_rate"], t.settings["optimizer.kind"]) for t in trials]
    assert sorted(tried) == sorted(itertools.product([1e-4, 1e-3, 1e-2], ["adamw", "sgd"]))
    assert best_of(trials, lower=True).settings == {"optimizer.kind": "adamw", "learning_rate": 1e-3}


def test_several_at_once_make_each_trial_once(tmp_path):
    runners = [Fake(), Fake(), Fake()]
    trials, _ = run(tmp_path, runners, most=10)
    assert [t.number for t in trials] == list(range(10))
    made = [order.out.name for runner in runners for order in runner.orders]
    assert sorted(made) == [f"{n:04d}" for n in range(10)] and all(runner.orders for runner in runners)


def test_failures_are_told_and_do_not_end_a_search(tmp_path):
    trials, _ = run(tmp_path, [Fake(fails=frozenset({"0001", "0002"}))], most=4)
    assert [t.state for t in trials] == ["complete", "failed", "failed", "complete"]
    assert trials[1].problem == "it blew up" and trials[1].value is None


def test_a_search_without_a_single_result_is_an_error(tmp_path):
    everything = frozenset(f"{n:04d}" for n in range(3))
    with pytest.raises(UserError, match="it blew up"):
        run(tmp_path, [Fake(fails=everything)], most=3)


def test_settings_that_contradict_each_other_are_a_failed_trial(tmp_path):
    searched = {"compile": {"choices": ["off", "on"]}, "around": {"choices": [[], [{"kind": "fgm"}]]}, **SEARCH}
    trials, _ = run(tmp_path, most=12, method=RandomSearch(), searched=searched)
    wrong = [t for t in trials if t.settings["compile"] == "on" and t.settings["around"]]
    assert wrong and all(t.state == "failed" and "do not go together" in t.problem for t in wrong)
    assert {t.state for t in trials if t not in wrong} == {"complete"}


def test_time_that_is_up_ends_a_search(tmp_path):
    trials, _ = run(tmp_path, most=None, seconds=60.0, spent=59.5)
    assert 0 < len(trials) < 40
    with pytest.raises(UserError):
        run(tmp_path / "late", most=None, seconds=60.0, spent=61.0)
