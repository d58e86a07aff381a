"""The curve of accuracy by number of labels: what is drawn, what is measured, and that it can be taken up again."""

from __future__ import annotations

import json

import pytest
import torch
from tests.stages.test_training_stages import make, world  # noqa: F401

from langwright.errors import UserError
from langwright.evaluation.experiments.efficiency import measures_of
from langwright.evaluation.measuring.findings import SCRATCH, TRANSFERRED, Point
from langwright.models.loading import load_model
from langwright.runlog import Progressed, read_events
from langwright.stages.transfer import at_random, draw_order

OPTIONS = {"labels": [2, 8], "seeds": 2, "steps": 8, "learning_rate": 1e-3, "dtype": "float32"}


def curve(world, out, **changes):  # noqa: F811
    return make(world, "transfer", {"model": ["base"], "dataset": ["labels"]}, out, **{**OPTIONS, **changes})


@pytest.mark.spec(
    "F6", "transferred against from scratch by number of labels: several seeds, intervals, paired gain, a plot"
)
@pytest.mark.spec("F3", "the same shape is trained from random weights, on the same rows with the same updates")
def test_a_curve_with_both_arms(world):  # noqa: F811
    artifact = curve(world, "curve")
    points = [Point(**point) for point in json.loads((artifact.path / "curve.json").read_bytes())]
    assert [(p.seed, p.labels, p.arm) for p in points] == [
        (seed, count, arm) for seed in (42, 43) for count in (2, 8) for arm in (SCRATCH, TRANSFERRED)
    ]
    found = {(m.name, m.model): m for m in artifact.card.results}
    for count in (2, 8):
        values = [p.accuracy for p in points if p.labels == count and p.arm == TRANSFERRED]
        assert found[f"accuracy with {count} labels", TRANSFERRED].value == pytest.approx(sum(values) / 2)
        gain = found[f"gain of transfer with {count} labels", f"{TRANSFERRED} − {SCRATCH}"]
        assert gain.low <= gain.value <= gain.high and gain.n == 2
    assert "<svg" in (artifact.path / "report.html").read_text(encoding="utf-8")


def test_a_curve_that_was_cut_off_goes_on_and_ends_the_same(world):  # noqa: F811
    def dies(event):
        if isinstance(event, Progressed) and event.done == 3:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        curve(world, "cut", listeners=(dies,))
    artifact = curve(world, "cut")
    whole = world.folder / "curve" if (world.folder / "curve").exists() else curve(world, "curve").path
    assert (artifact.path / "curve.json").read_bytes() == (whole / "curve.json").read_bytes()
    done = [e.done for e in read_events(artifact.path / "run" / "events.jsonl") if isinstance(e, Progressed)]
    assert done[:3] == [1, 2, 3] and done[-1] == 8


def test_rows_are_nested_and_labels_take_turns():
    labels = ["a"] * 50 + ["b"] * 10 + ["c"] * 3
    order = draw_order(labels, 1)
    assert sorted(order) == list(range(63))
    assert [labels[i] for i in order[:9]] == ["a", "b", "c"] * 3 and [labels[i] for i in order[9:13]] == ["a", "b"] * 2
    assert order == draw_order(labels, 1) != draw_order(labels, 2)


def test_random_weights_of_the_same_shape(world):  # noqa: F811
    model = load_model(world.folder / "base", head="classification", labels=["x", "y"])
    state = torch.get_rng_state()
    one, same, other = at_random(model, 1), at_random(model, 1), at_random(model, 2)
    assert torch.equal(torch.get_rng_state(), state)
    assert {n: w.shape for n, w in one.named_parameters()} == {n: w.shape for n, w in model.named_parameters()}
    matrices = [n for n, w in model.named_parameters() if w.ndim > 1]
    ours, again, others, trained = (dict(m.named_parameters()) for m in (one, same, other, model))
    assert all(torch.equal(ours[n], again[n]) for n in matrices)
    assert not any(torch.equal(ours[n], others[n]) or torch.equal(ours[n], trained[n]) for n in matrices)


def test_the_gain_by_hand():
    points = [
        Point(arm, seed, 10, value)
        for arm, values in ((SCRATCH, (0.5, 0.6)), (TRANSFERRED, (0.7, 0.9)))
        for seed, value in enumerate(values)
    ]
    gain = measures_of(points)[-1]
    assert gain.value == pytest.approx(0.25)  # 0.2 and 0.3: t of one degree of freedom, 12.706 · 0.0707 / √2
    assert gain.high - gain.value == pytest.approx(12.7062 * 0.05, rel=1e-4)


def test_points_that_cannot_be_drawn(world):  # noqa: F811
    with pytest.raises(UserError, match="1 labels cannot be drawn"):
        curve(world, "no", labels=[1])
    with pytest.raises(UserError, match="100000 labels cannot be drawn"):
        curve(world, "no", labels=[100000])
    assert not (world.folder / "no").exists()
