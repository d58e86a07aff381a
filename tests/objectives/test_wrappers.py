"""Objectives around objectives: against closed forms, and what holds for each of them."""

from __future__ import annotations

import pytest
import torch
from tests.objectives.small import Line, Scores, Softmax, classification, gradients, labelled, next_token

from langwright.objectives.adversarial import FGM, PGD, FreeLB, embeddings_changed
from langwright.objectives.consistency import VAT, RDrop, divergence
from langwright.objectives.penalties import Anchored, Norm, Penalised, fisher_diagonal, running
from langwright.objectives.settings import LwF, wrapped

WORLDS = {"next-token": next_token, "classification": classification}


def anchored(model, inner):
    start = {name: weight.detach() + 0.1 for name, weight in model.named_parameters()}
    return Penalised(inner, {"ewc": Anchored(2.0, start, {n: torch.rand_like(w) for n, w in start.items()})})


WRAPPERS = {
    "fgm": lambda model, inner: FGM(inner, epsilon=0.5),
    "pgd": lambda model, inner: PGD(inner, epsilon=0.5),
    "freelb": lambda model, inner: FreeLB(inner, epsilon=0.5),
    "r-drop": lambda model, inner: RDrop(inner),
    "vat": lambda model, inner: VAT(inner),
    "lwf": lambda model, inner: wrapped(inner, (LwF(weight=0.5),), model),
    "l1": lambda model, inner: Penalised(inner, {"l1": Norm(0.01, 1)}),
    "l2": lambda model, inner: Penalised(inner, {"l2": Norm(0.01, 2)}),
    "ewc": anchored,
}
DRAWS = {"freelb", "vat"}  # begin at a random change


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("name", WRAPPERS)
def test_every_wrapper_is_finite_and_reaches_exactly_the_trainable_weights(name, world):
    model, inner, whole, _ = WORLDS[world]()
    frozen = "model.layers.0.mlp.up_proj.weight"
    dict(model.named_parameters())[frozen].requires_grad_(False)
    objective = WRAPPERS[name](model, inner)
    torch.manual_seed(0)
    found = gradients(model, objective, [whole])
    assert set(found) == {n for n, w in model.named_parameters() if w.requires_grad}
    assert all(torch.isfinite(gradient).all() for gradient in found.values())


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("name", sorted(set(WRAPPERS) - DRAWS))
def test_a_batch_may_be_cut_anywhere(name, world):
    model, inner, whole, parts = WORLDS[world]()
    objective = WRAPPERS[name](model, inner)
    one, other = gradients(model, objective, [whole]), gradients(model, objective, parts)
    size = torch.stack([gradient.norm() for gradient in one.values()]).norm()
    for weight, gradient in one.items():
        assert (gradient - other[weight]).norm() <= 1e-5 * gradient.norm() + 1e-6 * size, weight


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize("name", WRAPPERS)
def test_evaluation_sees_the_inner_loss_alone(name, world):
    model, inner, whole, _ = WORLDS[world]()
    model.eval()
    with torch.no_grad():
        plain, wrapped = inner(model, whole), WRAPPERS[name](model, inner)(model, whole)
    assert torch.equal(plain.total, wrapped.total) and plain.units == wrapped.units


# --- adversarial -------------------------------------------------------------------------------------


@pytest.mark.spec("TR19", "on a linear model the adversarial loss is higher by exactly ε‖w‖ an example")
@pytest.mark.parametrize("epsilon", [0.1, 1.0])
def test_fgm_on_a_linear_model(epsilon):
    model, batch = Line(), labelled()
    clean = Scores()(model, batch).total
    found = FGM(Scores(), epsilon=epsilon)(model, batch)
    w = model.w.detach().expand(batch.tokens_BT.shape[1], -1)  # the gradient of each of a row's T embeddings
    raised = found.metrics["adversarial"] - clean
    assert raised.item() == pytest.approx(batch.units * epsilon * w.norm().item(), rel=1e-5)
    assert found.total.item() == pytest.approx((2 * clean + raised).item(), rel=1e-5)


@pytest.mark.parametrize(("steps", "reached"), [(1, 0.3), (2, 0.6), (5, 1.0)])
def test_pgd_on_a_linear_model_goes_as_far_as_the_ball(steps, reached):
    model, batch = Line(), labelled()
    clean = Scores()(model, batch).total
    found = PGD(Scores(), epsilon=1.0, step_size=0.3, steps=steps)(model, batch)
    w = model.w.detach().expand(batch.tokens_BT.shape[1], -1)
    raised = (found.metrics["adversarial"] - clean).item()
    assert raised == pytest.approx(batch.units * reached * w.norm().item(), rel=1e-4)


@pytest.mark.parametrize("world", WORLDS)
def test_freelb_with_one_step_and_no_ball_is_plain_training(world):
    model, inner, whole, _ = WORLDS[world]()
    plain, found = gradients(model, inner, [whole]), gradients(model, FreeLB(inner, epsilon=0.0, steps=1), [whole])
    for name in plain:
        torch.testing.assert_close(plain[name], found[name])


def test_freelb_is_the_mean_over_its_points():
    model, batch = Line(), labelled()
    torch.manual_seed(4)
    rows, length = batch.tokens_BT.shape
    start = torch.empty(rows, length, 5).uniform_(-1, 1) * (1.0 / (length * 5) ** 0.5)
    w = model.w.detach().expand(length, -1)
    ahead = 0.3 * w / w.norm()
    points, change = [], start
    for _ in range(3):
        points.append((change * w).sum())
        change = change + ahead
        norm = change.flatten(1).norm(dim=1)
        change = change * (1.0 / norm.clamp(min=1.0))[:, None, None]
    torch.manual_seed(4)
    found = FreeLB(Scores(), epsilon=1.0, step_size=0.3, steps=3)(model, batch)
    expected = Scores()(model, batch).total + torch.stack(points).mean()
    assert found.total.item() == pytest.approx(expected.item(), rel=1e-4)


def test_a_change_of_the_embeddings_lasts_for_its_block():
    model, batch = Line(), labelled()
    before = model(batch.tokens_BT)
    with embeddings_changed(model, torch.ones(1, 1, 5)):
        assert not torch.equal(model(batch.tokens_BT), before)
    assert torch.equal(model(batch.tokens_BT), before)


# --- consistency -------------------------------------------------------------------------------------


def test_divergence_is_torchs():
    p, q = torch.randn(7, 4), torch.randn(7, 4)
    peer = torch.distributions.kl_divergence(torch.distributions.Categorical(logits=p), torch.distributions.Categorical(logits=q))  # fmt: skip
    torch.testing.assert_close(divergence(p, q), peer.sum())


@pytest.mark.parametrize("world", WORLDS)
def test_r_drop_without_dropout_is_plain_training(world):
    model, inner, whole, _ = WORLDS[world]()
    found = RDrop(inner, weight=3.0)(model.train(), whole)
    assert found.metrics["divergence"].item() == pytest.approx(0, abs=1e-4)
    assert found.total.item() == pytest.approx(inner(model, whole).total.item(), rel=1e-6)


def test_r_drop_with_dropout_adds_half_of_both_divergences():
    model, inner, whole, _ = next_token(dropout=0.5)
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(5 if weight.ndim > 1 else 1)  # so that attention matters
    model.train()
    torch.manual_seed(0)
    found = RDrop(inner, weight=3.0)(model, whole)
    torch.manual_seed(0)
    first, second = inner.logits(model, whole), inner.logits(model, whole)
    p, q = inner.scored(first, whole), inner.scored(second, whole)
    apart = 0.5 * (divergence(p, q) + divergence(q, p))
    plain = 0.5 * (inner.loss(first, whole).total + inner.loss(second, whole).total)
    assert apart.item() > 0.1
    assert found.metrics["divergence"].item() == pytest.approx(apart.item(), rel=1e-5)
    assert found.total.item() == pytest.approx((plain + 1.5 * apart).item(), rel=1e-5)


def test_vat_finds_the_direction_that_moves_the_prediction_most():
    model, batch = Line(classes=3), labelled(rows=1, length=1)
    torch.manual_seed(0)
    said = Softmax().logits(model, batch).detach()
    found = VAT(Softmax(), epsilon=0.05, probe=0.01, iterations=20)(model, batch).metrics["divergence"]
    p, w = said.softmax(-1)[0], model.w.detach()
    second = w.T @ (torch.diag(p) - torch.outer(p, p)) @ w  # of the divergence, by the embedding
    largest = torch.linalg.eigvalsh(second)[-1]
    assert found.item() == pytest.approx(0.5 * 0.05**2 * largest.item(), rel=0.05)


# --- penalties ---------------------------------------------------------------------------------------


@pytest.mark.spec("TR8", "L1 and L2 penalties have the gradients λ sign(θ) and λθ, on matrices alone")
def test_norms_have_their_gradients():
    model, inner, whole, _ = next_token()
    plain = gradients(model, inner, [whole])
    for power, of in ((1, torch.sign), (2, lambda w: w)):
        found = gradients(model, Penalised(inner, {"norm": Norm(0.01, power)}), [whole])
        for name, weight in model.named_parameters():
            expected = plain[name] + (0.01 * of(weight.detach()) if weight.ndim >= 2 else 0)
            torch.testing.assert_close(found[name], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.spec("F10", "EWC is zero at the anchor, with gradient λF(θ − θ*) beside it")
def test_ewc_pulls_towards_its_anchor():
    model = Line(classes=3)
    anchor = {name: weight.detach() for name, weight in model.named_parameters()}
    importance = {name: torch.rand_like(weight) for name, weight in anchor.items()}
    penalty = Anchored(0.7, anchor, importance)
    assert penalty(model).item() == 0
    with torch.no_grad():
        model.w.add_(0.3)
    penalty(model).backward()
    torch.testing.assert_close(model.w.grad, 0.7 * importance["w"] * 0.3)
    assert not model.embeddings.weight.grad.any()


@pytest.mark.spec("F10", "the Fisher diagonal of a softmax regression is its closed form")
def test_fisher_of_a_softmax_regression():
    model = Line(classes=3)
    batch = labelled(rows=40)
    examples = [type(batch)(batch.tokens_BT[i : i + 1], batch.mask_BT[i : i + 1], batch.labels_B[i : i + 1]) for i in range(40)]  # fmt: skip
    found = fisher_diagonal(model, Softmax(), examples, labels="exact")["w"]
    x_BD = model.embeddings(batch.tokens_BT).sum(1).detach()
    p_BC = (x_BD @ model.w.detach().T).softmax(-1)
    expected = torch.einsum("bc,bd->cd", p_BC * (1 - p_BC), x_BD**2) / 40
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    drawn = sum(fisher_diagonal(model, Softmax(), examples, seed=seed)["w"] for seed in range(60)) / 60
    assert (drawn - expected).norm() < 0.1 * expected.norm()


def test_fisher_of_the_data_is_the_squared_gradient_of_its_loss():
    model, batch = Line(classes=3), labelled(rows=1)
    loss = Softmax()(model, batch).total
    (gradient,) = torch.autograd.grad(loss, model.w)
    found = fisher_diagonal(model, Softmax(), [batch], labels="data")["w"]
    torch.testing.assert_close(found, gradient**2)


def test_running_importance():
    before, found = {"a": torch.tensor(2.0)}, {"a": torch.tensor(3.0), "b": torch.tensor(1.0)}
    assert running(before, found, 0.5) == {"a": torch.tensor(4.0), "b": torch.tensor(1.0)}


def test_penalties_are_saved_and_taken_back():
    model, inner, whole, _ = next_token()
    one = anchored(model, inner)
    saved = {name: value.clone() for name, value in one.state_dict().items()}
    start = {name: torch.zeros_like(weight) for name, weight in model.named_parameters()}
    other = Penalised(inner, {"ewc": Anchored(2.0, start, start)})
    other.load_state_dict(saved)
    assert torch.equal(one(model, whole).total, other(model, whole).total)
