"""Several tasks on one trunk: what each weighs, what is shared, and that a cut changes nothing."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from tests.objectives.small import CONFIG, Rows, gradients
from torch.nn import functional as F
from transformers import LlamaForSequenceClassification

from langwright.models.building import build_model
from langwright.models.shared import SharedTrunk
from langwright.objectives.classification import Classification, TextExamples
from langwright.objectives.multitask import MultiTask
from langwright.objectives.next_token import NextToken, collate_rows
from langwright.training.gradients import PCGrad
from langwright.training.loop import Gathered, scaled_losses
from langwright.training.mixing import MixedOrder, Mixture, Tasks, temperature_shares


class Lines:
    """Rows of unequal length for next-token prediction."""

    def __init__(self, count=9):
        numbers = np.random.default_rng(1)
        self.rows = [Rows(numbers.integers(1, 40, n)) for n in numbers.integers(5, 13, count)]

    def __len__(self):
        return len(self.rows)

    def arrange(self, rows):
        return np.arange(len(rows))

    def batch(self, rows, epochs=None):
        return collate_rows([self.rows[row] for row in rows], 12, 0, stop_at_documents=True)


def texts(count, classes, seed):
    numbers = np.random.default_rng(seed)
    return TextExamples(
        [numbers.integers(1, 40, n) for n in numbers.integers(4, 9, count)], numbers.integers(0, classes, count), 0
    )


def world(micro_rows=4, temperature=1.0):
    """(model, objective, feed): a language model, a classifier of three and one of two, in one."""
    torch.manual_seed(0)
    three = LlamaForSequenceClassification(CONFIG)
    two = LlamaForSequenceClassification(CONFIG.__class__(**{**CONFIG.to_dict(), "num_labels": 2}))
    model = SharedTrunk({"text": build_model(CONFIG, seed=3), "three": three, "two": two})
    tasks = Tasks({"text": Lines(), "three": texts(14, 3, 2), "two": texts(5, 2, 3)})
    order = MixedOrder(5, tasks.sizes, temperature_shares(tasks.sizes, temperature))
    objective = MultiTask({"text": NextToken(), "three": Classification(), "two": Classification()})
    return model, objective, Mixture(tasks, order, 12, micro_rows)


@pytest.mark.spec(
    "F8", "one trunk, a head for each task; the loss is each task's own mean, weighted by its share of the rows"
)
def test_the_loss_is_each_tasks_mean_weighted_by_its_rows():
    model, objective, feed = world(micro_rows=3)
    parts = feed.update(0)
    gathered = Gathered()
    with torch.no_grad():
        for _ in scaled_losses(model, objective, parts, 12, gathered, None):
            pass
    expected, rows = 0.0, 0
    for task, inner in objective.tasks.items():
        mine = [part for part in parts if part.task == task]
        found = [inner(model.head(task), part.batch) for part in mine]
        mean = sum(loss.total.item() for loss in found) / sum(loss.units for loss in found)
        count = sum(part.rows for part in mine)
        expected, rows = expected + count / 12 * mean, rows + count
        assert gathered.metrics[f"{task} loss"].item() / 12 == pytest.approx(mean, rel=1e-5)
    assert rows == 12 and gathered.total.item() / 12 == pytest.approx(expected, rel=1e-5)


def test_every_micro_batch_is_of_one_task_and_a_cut_changes_nothing():
    whole = world(micro_rows=12)
    cut = world(micro_rows=2)
    assert len({part.task for part in whole[2].update(0)}) == 3
    assert max(part.rows for part in cut[2].update(0)) == 2
    one, other = (gradients(model, objective, feed.update(3)) for model, objective, feed in (whole, cut))
    size = torch.stack([gradient.norm() for gradient in one.values()]).norm()
    for name, gradient in one.items():
        assert (gradient - other[name]).norm() <= 1e-5 * gradient.norm() + 1e-6 * size, name


@pytest.mark.parametrize("size", [2, 3])
def test_several_processes_have_disjoint_parts_that_add_up(size):
    model, objective, feed = world(micro_rows=3)
    whole = gradients(model, objective, feed.update(1))
    shards = [feed.shared(rank, size, 2).update(1) for rank in range(size)]
    assert [sum(part.rows for part in shard) for shard in shards] == [12 // size] * size
    together = gradients(model, objective, [part for shard in shards for part in shard])
    for name, gradient in whole.items():
        torch.testing.assert_close(together[name], gradient, rtol=1e-4, atol=1e-6)


def test_the_trunk_is_one_and_every_weight_of_it_learns():
    model, objective, feed = world()
    trunks = {id(weight) for head in model.heads for weight in head.base_model.parameters()}
    assert len(trunks) == len(list(model.trunk.parameters()))
    found = gradients(model, objective, feed.update(0))
    assert set(found) == {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert all(torch.isfinite(gradient).all() for gradient in found.values())
    assert model.head("two").score.weight.shape[0] == 2


def test_one_task_alone_is_plain_training():
    torch.manual_seed(0)
    alone = LlamaForSequenceClassification(CONFIG)
    examples = texts(8, 3, 2)
    plain = gradients(copy.deepcopy(alone), Classification(), [examples.batch(np.arange(8))])
    feed = Mixture(Tasks({"three": examples}), MixedOrder(0, (8,), (1.0,)), 8, 3)
    found = gradients(SharedTrunk({"three": alone}), MultiTask({"three": Classification()}), feed.update(0))
    for name, gradient in plain.items():
        torch.testing.assert_close(found[f"heads.0.{name}"], gradient, rtol=1e-4, atol=1e-6)


def test_evaluation_counts_every_task_by_its_rows():
    model, objective, feed = world()
    model.eval()
    examples = feed.examples
    rows = np.arange(len(examples))
    rows = rows[examples.arrange(rows)]
    totals: dict[str, float] = {}
    with torch.no_grad():
        for start in range(0, len(rows), 5):
            loss = objective(model, examples.batch(rows[start : start + 5]))
            for name, value in {**loss.metrics, "loss": loss.total}.items():
                totals[name] = totals.get(name, 0.0) + value.item() / len(rows)
        three = objective.tasks["three"](model.head("three"), examples.tasks["three"].batch(np.arange(14)))
    assert totals["three accuracy"] == pytest.approx(three.metrics["accuracy"].item() / 14, rel=1e-5)
    assert totals["three loss"] == pytest.approx(three.total.item() / 14, rel=1e-5)
    parts = [totals[f"{task} loss"] * len(own) / len(examples) for task, own in examples.tasks.items()]
    assert totals["loss"] == pytest.approx(sum(parts), rel=1e-5)


# --- uncertainty -------------------------------------------------------------------------------------


@pytest.mark.spec(
    "F8", "uncertainty weighting: its optimum is σ² = L for a squared error, 2L for a softmax (equations 7 and 10)"
)
@pytest.mark.parametrize(("squared", "optimum"), [(True, 1.0), (False, 2.0)])
def test_the_variance_that_is_best(squared, optimum):
    model, objective, feed = world()
    known = frozenset({"three"}) if squared else frozenset()
    weighing = MultiTask(objective.tasks, uncertainty=True, squared=known)
    batch = next(part for part in feed.update(0) if part.task == "three")
    plain = objective(model, batch).total.item() / batch.rows
    s = weighing.log_variances["three"]
    with torch.no_grad():
        s.fill_(float(np.log(optimum * plain)))
    (gradient,) = torch.autograd.grad(weighing(model, batch).total, s)
    assert gradient.item() == pytest.approx(0, abs=1e-5)
    with torch.no_grad():
        s.fill_(0.7)
    expected = (0.5 if squared else 1.0) * np.exp(-0.7) * plain + 0.35
    assert weighing(model, batch).total.item() / batch.rows == pytest.approx(expected, rel=1e-5)


def test_variances_are_trained_with_the_rest_and_not_part_of_evaluation():
    model, objective, feed = world()
    weighing = MultiTask(objective.tasks, uncertainty=True)
    gradients(model, weighing, feed.update(0))
    assert len(weighing.parameters()) == 3 and all(weight.grad is not None for weight in weighing.parameters())
    with torch.no_grad():
        batch = feed.examples.batch(np.arange(6))
        assert torch.equal(weighing(model, batch).total, objective(model, batch).total)


def test_surgery_sees_the_tasks():
    model, objective, feed = world(micro_rows=2)
    weights = list(model.parameters())
    parts = feed.update(0)
    measured = PCGrad(0).backward(scaled_losses(model, objective, parts, 12, Gathered(), None), weights, 0)
    assert 0 <= measured["conflicts"] <= 1
    changed = [weight.grad.clone() for weight in weights]
    plain = gradients(model, objective, parts)
    heads = [n for n, (name, _) in enumerate(model.named_parameters()) if name.endswith("score.weight")]
    for number in heads:  # a head belongs to one task: nothing else has a gradient there to conflict with
        assert F.cosine_similarity(changed[number].flatten(), list(plain.values())[number].flatten(), dim=0) > 0.9
