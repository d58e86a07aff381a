"""What keeps old tasks: distillation from the old model, path importance, a head for each task; each by hand."""

from __future__ import annotations

import copy

import pytest
import torch
from tests.objectives.small import Line, Softmax, classification, gradients, labelled, next_token
from torch import nn

from langwright.objectives.classification import Classification
from langwright.objectives.forgetting import HeadATask, LwF, worth
from langwright.objectives.penalties import Anchored, Penalised
from langwright.training.gradients import Part, PathIntegral, Sum

WORLDS = {"next-token": next_token, "classification": classification}


def moved(model):
    """A copy of a model with other weights, as one is after more training."""
    other = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for weight in other.parameters():
            weight.add_(0.3 * torch.randn(weight.shape, generator=generator))
    return other


@pytest.mark.spec("F9", "learning without forgetting adds the divergence from the old model's softened answers")
def test_lwf_against_the_divergence_by_hand():
    model, batch = Line(classes=3), labelled()
    teacher = moved(model)
    found = LwF(Softmax(), teacher, weight=0.7, temperature=2.0)(model, batch)
    with torch.no_grad():
        old, new = (net(batch.tokens_BT) / 2 for net in (teacher, model))
        p, q = old.softmax(-1), new.softmax(-1)
        by_hand = (p * (p / q).log()).sum()
        cross_entropy = -(p * q.log()).sum()
    plain = Softmax()(model, batch).total
    assert by_hand > 0.01
    assert found.total.item() == pytest.approx((plain + 0.7 * by_hand).item(), rel=1e-5)
    # the paper's cross-entropy differs by the teacher's own entropy, which no weight changes
    entropy = -(p * p.log()).sum()
    assert (cross_entropy - entropy).item() == pytest.approx(by_hand.item(), rel=1e-4)


def test_lwf_keeps_the_answers_to_each_old_question_apart():
    model, batch = Line(classes=4), labelled(classes=4)
    teacher = moved(model)
    found = LwF(Softmax(), teacher, temperature=1.0, groups=[[0, 1], [2]])(model, batch)
    with torch.no_grad():
        p, q = (net(batch.tokens_BT)[:, :2].softmax(-1) for net in (teacher, model))
    assert found.metrics["moved"].item() == pytest.approx((p * (p / q).log()).sum().item(), rel=1e-4)


@pytest.mark.parametrize("world", WORLDS)
def test_lwf_is_plain_training_where_nothing_has_moved(world):
    model, inner, whole, _ = WORLDS[world]()
    plain = gradients(model, inner, [whole])
    found = gradients(model, LwF(inner, copy.deepcopy(model)), [whole])
    for name in plain:
        torch.testing.assert_close(found[name], plain[name], rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("world", WORLDS)
def test_lwf_may_be_cut_anywhere_and_leaves_the_teacher_alone(world):
    model, inner, whole, parts = WORLDS[world]()
    teacher = moved(model)
    before = [weight.clone() for weight in teacher.parameters()]
    objective = LwF(inner, teacher)
    frozen = "model.layers.0.mlp.up_proj.weight"
    dict(model.named_parameters())[frozen].requires_grad_(False)
    one, other = gradients(model, objective, [whole]), gradients(model, objective, parts)
    assert set(one) == {name for name, weight in model.named_parameters() if weight.requires_grad}
    size = torch.stack([gradient.norm() for gradient in one.values()]).norm()
    for name, gradient in one.items():
        assert (gradient - other[name]).norm() <= 1e-5 * gradient.norm() + 1e-6 * size, name
    assert all(torch.equal(a, b) for a, b in zip(before, teacher.parameters(), strict=True))
    assert all(weight.grad is None for weight in teacher.parameters()) and objective.parameters() == []
    with torch.no_grad():
        assert torch.equal(objective(model.eval(), whole).total, inner(model, whole).total)


@pytest.mark.spec("F10", "synaptic intelligence on a quadratic: importance and penalty by hand")
def test_si_on_a_quadratic():
    """Task 1 is ½(a - 1)², from 0 to 1: ω → ½ and Δ = 1, so Ω → ½; the weight that did nothing is free."""
    net = nn.Module()
    net.w = nn.Parameter(torch.zeros(2))
    start = {"w": net.w.detach().clone()}
    rule = PathIntegral(Sum(), {"w": net.w})
    optimizer = torch.optim.SGD([net.w], lr=0.005)
    for update in range(3000):
        rule.backward([Part(0.5 * (net.w[0] - 1) ** 2, 1)], [net.w], update)
        optimizer.step()
        rule.after_step()
        optimizer.zero_grad()
    importance = worth(rule.integral, start, {"w": net.w.detach()}, damping=0.0 + 1e-9)
    assert importance["w"].tolist() == pytest.approx([0.5, 0], abs=2e-3)
    again = worth(rule.integral, start, {"w": net.w.detach()}, damping=1.0, before=importance)
    assert again["w"].tolist() == pytest.approx([0.5 + 0.5 / 2, 0], abs=3e-3)
    held = Anchored(2 * 3.0, {"w": net.w.detach()}, importance)  # c = 3
    with torch.no_grad():
        net.w.add_(torch.tensor([0.1, 5.0]))
    assert held(net).item() == pytest.approx(3 * 0.5 * 0.1**2, rel=1e-2)


def test_moves_that_did_harm_are_worth_nothing():
    one = {"w": torch.tensor([-0.2, 0.2])}
    found = worth(one, {"w": torch.zeros(2)}, {"w": torch.ones(2)}, damping=1.0)
    assert found["w"].tolist() == pytest.approx([0, 0.1])


def test_a_head_for_each_task_asks_about_its_own_classes():
    batch = labelled(rows=8, classes=4)
    logits = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    groups = [[0, 3], [1, 2]]
    found = HeadATask(groups).loss(logits, batch)
    expected, right = 0.0, 0
    for row, label in zip(logits, batch.labels_B.tolist(), strict=True):
        group = next(group for group in groups if label in group)
        expected += nn.functional.cross_entropy(row[group][None], torch.tensor([group.index(label)])).item()
        right += group[int(row[group].argmax())] == label
    assert found.total.item() == pytest.approx(expected, rel=1e-5) and found.metrics["accuracy"] == right


def test_with_one_task_a_head_for_each_is_plain_classification():
    model, inner, whole, _ = classification()
    assert isinstance(inner, Classification)
    plain, found = gradients(model, inner, [whole]), gradients(model, HeadATask([[0, 1, 2]]), [whole])
    assert all(torch.equal(plain[name], found[name]) for name in plain)


@pytest.mark.spec("F10", "two earlier tasks are held by two anchors, or by one running one")
def test_several_anchors_add_up():
    model, inner, whole, _ = classification()
    anchors = [{n: w.detach() + shift for n, w in model.named_parameters()} for shift in (0.1, -0.2)]
    plain = gradients(model, inner, [whole])
    both = Penalised(inner, {f"task {i}": Anchored(2.0, anchor) for i, anchor in enumerate(anchors)})
    found = gradients(model, both, [whole])
    for name in plain:
        torch.testing.assert_close(
            found[name] - plain[name], torch.full_like(plain[name], 2 * -0.1 + 2 * 0.2), rtol=1e-3, atol=1e-4
        )
