"""Optimizers against torch's own, reference trajectories by hand, and their papers' closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from langwright.training.optimizers import (
    SGD,
    Adafactor,
    Adagrad,
    Adam,
    AdamW,
    Lamb,
    Lion,
    Muon,
    RAdam,
    RMSprop,
    build_optimizer,
    decay_groups,
    embedding_names,
)
from langwright.training.updates import orthogonal

EVERY = (SGD(), SGD(momentum=0.9), SGD(momentum=0.9, nesterov=True), Adagrad(), RMSprop(), RMSprop(momentum=0.5), Adam(),
         AdamW(), RAdam(), Lamb(), Adafactor(), Lion(), Muon())  # fmt: skip
RATE = 1e-2


def weights(seed=0):
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.nn.Parameter(torch.randn(6, 4, generator=generator))
    return [("matrix", matrix), ("vector", torch.nn.Parameter(torch.randn(5, generator=generator)))]


def gradients(named, step):
    generator = torch.Generator().manual_seed(100 + step)
    for _, weight in named:
        weight.grad = torch.randn(weight.shape, generator=generator)


def trajectory(settings, steps=12):
    """The weights after each update, from gradients that are the same for every optimizer."""
    named = weights()
    optimizer = build_optimizer(settings, named, RATE)
    found = []
    for step in range(steps):
        gradients(named, step)
        optimizer.step()
        found.append([weight.detach().clone() for _, weight in named])
    return found


def theirs(make, steps=12):
    named = weights()
    optimizer = make([weight for _, weight in named])
    found = []
    for step in range(steps):
        gradients(named, step)
        optimizer.step()
        found.append([weight.detach().clone() for _, weight in named])
    return found


def assert_close(ours, others, **tolerance):
    for mine, other in zip(ours, others, strict=True):
        for a, b in zip(mine, other, strict=True):
            torch.testing.assert_close(a, b, **tolerance)


@pytest.mark.spec(
    "TR1", "SGD, momentum, Nesterov, Adagrad, RMSprop, Adam and AdamW follow torch's own, update by update"
)
@pytest.mark.parametrize(
    ("settings", "make"),
    [
        (SGD(), lambda w: torch.optim.SGD(w, RATE)),
        (SGD(momentum=0.9), lambda w: torch.optim.SGD(w, RATE, momentum=0.9)),
        (SGD(momentum=0.9, nesterov=True), lambda w: torch.optim.SGD(w, RATE, momentum=0.9, nesterov=True)),
        (Adagrad(), lambda w: torch.optim.Adagrad(w, RATE)),
        (RMSprop(), lambda w: torch.optim.RMSprop(w, RATE)),
        (Adam(), lambda w: torch.optim.Adam(w, RATE)),
        (AdamW(weight_decay=0), lambda w: torch.optim.AdamW(w, RATE, betas=(0.9, 0.95), weight_decay=0)),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_the_settings_reach_torch(settings, make):
    assert_close(trajectory(settings), theirs(make))


# --- reference trajectories ------------------------------------------------------------------------


def adam_direction(mean, square, t, beta1, beta2, epsilon):
    return (mean / (1 - beta1**t)) / (np.sqrt(square / (1 - beta2**t)) + epsilon)


def by_hand(update, steps=12):
    """Run a reference written with numpy, weight by weight, on the gradients of `trajectory`."""
    named = weights()
    x = [weight.detach().double().numpy().copy() for _, weight in named]
    state = [{} for _ in named]
    found = []
    for step in range(steps):
        gradients(named, step)
        for i, (_, weight) in enumerate(named):
            x[i] = update(x[i], weight.grad.double().numpy(), state[i], step + 1)
        found.append([torch.from_numpy(value.copy()).float() for value in x])
    return found


@pytest.mark.spec(
    "TR2", "LAMB follows algorithm 2 of its paper, and its first update is as long as the weight times the rate"
)
def test_lamb_follows_its_algorithm():
    def update(x, g, state, t, beta1=0.9, beta2=0.999, epsilon=1e-6, decay=0.01):
        state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
        state["v"] = beta2 * state.get("v", 0) + (1 - beta2) * g**2
        r = adam_direction(state["m"], state["v"], t, beta1, beta2, epsilon) + (decay * x if x.ndim > 1 else 0)
        return x - RATE * (np.linalg.norm(x) / np.linalg.norm(r)) * r

    ours = trajectory(Lamb())
    assert_close(ours, by_hand(update), rtol=1e-5, atol=1e-6)
    for before, after in zip([w.detach() for _, w in weights()], ours[0], strict=True):
        assert (after - before).norm() / before.norm() == pytest.approx(RATE, rel=1e-5)


def test_lamb_leaves_a_weight_of_zeros_at_ratio_one():
    weight = torch.nn.Parameter(torch.zeros(3, 2))
    optimizer = build_optimizer(Lamb(), [("w", weight)], RATE)
    weight.grad = torch.ones(3, 2)
    optimizer.step()
    torch.testing.assert_close(weight.detach(), torch.full((3, 2), -RATE), rtol=1e-4, atol=0)


@pytest.mark.spec(
    "TR3", "RAdam follows algorithm 2 of its paper: momentum alone at first, rectified Adam when the variance is known"
)
def test_radam_follows_its_algorithm():
    def update(x, g, state, t, beta1=0.9, beta2=0.999, epsilon=1e-8, decay=0.1):
        x = x * (1 - RATE * decay) if x.ndim > 1 else x
        state["m"] = beta1 * state.get("m", 0) + (1 - beta1) * g
        state["v"] = beta2 * state.get("v", 0) + (1 - beta2) * g**2
        longest = 2 / (1 - beta2) - 1
        length = longest - 2 * t * beta2**t / (1 - beta2**t)
        mean = state["m"] / (1 - beta1**t)
        if length <= 5:  # torch's threshold; the paper's text says 4
            return x - RATE * mean
        rect = np.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
        return x - RATE * rect * mean / (np.sqrt(state["v"] / (1 - beta2**t)) + epsilon)

    assert_close(trajectory(RAdam(), 20), by_hand(update, 20), rtol=1e-4, atol=1e-5)


def test_lion_follows_its_algorithm():
    def update(x, g, state, t, beta1=0.9, beta2=0.99, decay=0.1):
        m = state.get("m", 0)
        c = np.sign(beta1 * m + (1 - beta1) * g)
        state["m"] = beta2 * m + (1 - beta2) * g
        return x - RATE * (c + (decay * x if x.ndim > 1 else 0))

    assert_close(trajectory(Lion()), by_hand(update), rtol=1e-5, atol=1e-6)


def test_adafactor_is_torchs():
    def make(w):
        return torch.optim.Adafactor(w, RATE, weight_decay=0.0)

    assert_close(trajectory(Adafactor()), theirs(make))


def test_muon_is_torchs_for_matrices_and_adamw_for_the_rest():
    ours = trajectory(Muon())
    named = weights()
    matrix = torch.optim.Muon([named[0][1]], RATE, weight_decay=0.1, momentum=0.95, adjust_lr_fn="match_rms_adamw")
    vector = torch.optim.AdamW([named[1][1]], RATE, betas=(0.9, 0.95), weight_decay=0.0)
    others = []
    for step in range(12):
        gradients(named, step)
        matrix.step()
        vector.step()
        others.append([weight.detach().clone() for _, weight in named])
    for mine, other in zip(ours, others, strict=True):
        torch.testing.assert_close(mine[1], other[1])
        torch.testing.assert_close(mine[0], other[0], rtol=0, atol=2e-3)  # theirs iterates in bfloat16
    assert (ours[-1][0] - others[-1][0]).norm() < 0.02 * (ours[-1][0] - weights()[0][1].detach()).norm()


@pytest.mark.parametrize("shape", [(8, 8), (20, 5), (3, 40)])
def test_singular_values_become_nearly_one_and_directions_stay(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(2))
    found = orthogonal(matrix)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    turned = u.T @ found @ v.T  # diagonal where the directions are kept
    values = turned.diagonal()
    assert values.min() > 0.6 and values.max() < 1.3
    assert (turned - torch.diag(values)).abs().max() < 1e-3


# --- what they are given -----------------------------------------------------------------------------


@pytest.mark.parametrize("settings", EVERY, ids=lambda settings: settings.kind)
def test_every_optimizer_lowers_a_loss_and_keeps_a_state_that_can_be_saved(settings):
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
    x, y = torch.randn(64, 8), torch.randn(64, 1)
    optimizer = build_optimizer(settings, model.named_parameters(), RATE)
    losses = []
    for _ in range(60):
        loss = (model(x) - y).square().mean()
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    assert losses[-1] < losses[0]
    assert all(
        isinstance(value, (torch.Tensor, int, float)) for state in optimizer.state.values() for value in state.values()
    )


@pytest.mark.spec("TR8", "decay reaches matrices alone: norms and biases are in a group without it")
@pytest.mark.parametrize("settings", [AdamW(), RAdam(), Lamb(), Lion(), Muon()], ids=lambda settings: settings.kind)
def test_vectors_are_never_decayed(settings):
    for weight_decay in (0.0, 0.5):
        named = weights()
        optimizer = build_optimizer(settings.model_copy(update={"weight_decay": weight_decay}), named, RATE)
        for _, weight in named:
            weight.grad = torch.zeros_like(weight)
        optimizer.step()
        (_, matrix), (_, vector) = named
        before = [weight.detach() for _, weight in weights()]
        assert torch.equal(vector, before[1])
        assert torch.equal(matrix, before[0]) == (weight_decay == 0)


def test_frozen_weights_are_not_in_the_optimizer():
    named = weights()
    named[0][1].requires_grad_(False)
    assert [group["params"] for group in decay_groups(named, 0.1)] == [[named[1][1]]]


@pytest.mark.parametrize("tied", [True, False])
def test_muon_leaves_embeddings_and_heads_to_adamw(tied):
    config = LlamaConfig(vocab_size=11, hidden_size=8, intermediate_size=12, num_hidden_layers=1, num_attention_heads=2,
                         tie_word_embeddings=tied)  # fmt: skip
    model = LlamaForCausalLM(config)
    embeddings = embedding_names(model)
    assert embeddings == ({"model.embed_tokens.weight"} | (set() if tied else {"lm_head.weight"}))
    optimizer = build_optimizer(Muon(), model.named_parameters(), RATE, embeddings)
    of = {id(w): g["orthogonal"] for g in optimizer.param_groups for w in g["params"]}
    for name, weight in model.named_parameters():
        assert of[id(weight)] == (weight.ndim == 2 and name not in embeddings), name


def test_position_embeddings_count_as_embeddings():
    model = GPT2LMHeadModel(GPT2Config(vocab_size=11, n_embd=8, n_layer=1, n_head=2, n_positions=16))
    assert embedding_names(model) == {"transformer.wte.weight", "transformer.wpe.weight"}
