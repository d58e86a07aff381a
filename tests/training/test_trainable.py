"""Which weights are trained, from when on and how fast, on models whose names and layers are known by hand."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from tests.objectives.small import CONFIG, next_token
from torch import nn
from transformers import BertConfig, BertForSequenceClassification, T5Config, T5ForConditionalGeneration

from langwright.errors import UserError
from langwright.models.building import build_model
from langwright.models.presets import Preset
from langwright.training.loop import train
from langwright.training.optimizers import AdamW, Muon, build_optimizer, parameter_groups
from langwright.training.trainable import (
    Biases,
    Full,
    Gradual,
    Last,
    Pattern,
    Unfreezing,
    beginnings,
    choose,
    depths,
    rate_factors,
)


def llama(layers=3):
    return build_model(Preset("x", "llama", 16, layers, 2, 2, 24, 40, 32), seed=1)


def gpt2():
    return build_model(Preset("x", "gpt2", 16, 2, 2, 2, 24, 40, 32), seed=1)


def bert():
    torch.manual_seed(0)
    return BertForSequenceClassification(
        BertConfig(vocab_size=40, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24)
    )


def trained(model):
    return {name for name, weight in model.named_parameters() if weight.requires_grad}


# --- depths ------------------------------------------------------------------------------------------


def test_depths_of_a_decoder():
    where = depths(llama())
    assert where.layers == 3
    assert where.of["model.embed_tokens.weight"] == 0
    assert where.of["model.layers.0.mlp.up_proj.weight"] == 1 and where.of["model.layers.2.input_layernorm.weight"] == 3
    assert where.of["model.norm.weight"] == 4


def test_depths_of_an_encoder_with_a_head():
    where = depths(bert())
    assert {where.of[n] for n in where.of if n.startswith("bert.embeddings.")} == {0}
    assert {where.of[n] for n in where.of if ".layer.1." in n} == {2}
    assert {where.of[n] for n in where.of if n.startswith(("bert.pooler", "classifier"))} == {3}


def test_a_decoder_stands_on_its_encoder():
    sizes = {"d_model": 16, "d_ff": 24, "d_kv": 8, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 2}
    model = T5ForConditionalGeneration(T5Config(vocab_size=40, tie_word_embeddings=False, **sizes))
    where = depths(model)
    assert where.layers == 5 and where.of["shared.weight"] == 0
    assert where.of["encoder.block.1.layer.0.SelfAttention.q.weight"] == 2
    assert where.of["encoder.final_layer_norm.weight"] == 2  # between the two stacks
    assert where.of["decoder.block.0.layer.0.SelfAttention.q.weight"] == 3
    assert where.of["decoder.final_layer_norm.weight"] == 6


# --- which -------------------------------------------------------------------------------------------


@pytest.mark.spec("F2", "bias terms alone (BitFit): exactly the biases and a new head are trained, by name")
def test_biases_and_a_new_head_are_exactly_what_is_trained():
    model = bert()
    choose(model, Biases(), new_head=True)
    biases = {name for name, _ in model.named_parameters() if name.endswith(".bias")}
    assert trained(model) == biases | {"classifier.weight", "bert.pooler.dense.weight"}
    plain = gpt2()
    choose(plain, Biases())
    assert trained(plain) == {name for name, _ in plain.named_parameters() if name.endswith(".bias")}
    with pytest.raises(UserError, match="no bias terms"):
        choose(llama(), Biases(), new_head=True)


@pytest.mark.spec("F2", "only the last layers or the weights of a pattern are trained, by name")
def test_the_last_layers_and_what_stands_behind_them():
    model = llama()
    choose(model, Last(layers=1))
    assert trained(model) == {n for n, _ in model.named_parameters() if n.startswith(("model.layers.2.", "model.norm"))}
    choose(model, Last(layers=0))
    assert trained(model) == {"model.norm.weight"}
    choose(model, Full())
    assert trained(model) == {name for name, _ in model.named_parameters()}
    with pytest.raises(UserError, match="more than the 3 layers"):
        choose(model, Last(layers=4))


def test_weights_by_pattern():
    model = llama()
    choose(model, Pattern(train=("*.mlp.*", "*norm*"), freeze=("model.layers.0.*",)))
    assert "model.layers.1.mlp.up_proj.weight" in trained(model) and "model.norm.weight" in trained(model)
    assert not any("layers.0" in name or "self_attn" in name for name in trained(model))
    with pytest.raises(UserError, match="fits"):
        choose(model, Pattern(train=("*.mpl.*",)))
    with pytest.raises(UserError, match="nothing is left"):
        choose(model, Pattern(train=("*.mlp.*",), freeze=("*",)))


@pytest.mark.spec("F2", "a frozen weight has no gradient, is in no optimizer and stays as it was, bit for bit")
def test_frozen_weights_cost_nothing_and_stay():
    model, objective, _, parts = next_token()
    choose(model, Last(layers=1))
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    optimizer = build_optimizer(AdamW(), model.named_parameters(), 1e-2)
    for _ in train(model, objective, iter([parts] * 3), optimizer, rate=lambda _: 1e-2, steps=3):
        pass
    held = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    for name, weight in model.named_parameters():
        assert (id(weight) in held) == weight.requires_grad == (weight in optimizer.state)
        assert torch.equal(weight, before[name]) != weight.requires_grad, name
    model.zero_grad()
    objective(model, parts[0]).total.backward()
    assert {name for name, weight in model.named_parameters() if weight.grad is not None} == trained(model)


# --- how fast ----------------------------------------------------------------------------------------


def test_rates_fall_by_layer_and_by_name():
    factors = rate_factors(llama(), 0.5, {"*norm*": 10.0, "model.layers.0.*": 0.0})
    assert factors["model.embed_tokens.weight"] == 0.5**4
    assert factors["model.layers.2.mlp.up_proj.weight"] == 0.5
    assert factors["model.layers.1.input_layernorm.weight"] == 0.25 * 10
    assert factors["model.norm.weight"] == 10 and factors["model.layers.0.mlp.up_proj.weight"] == 0
    with pytest.raises(UserError, match="fits"):
        rate_factors(llama(), 1.0, {"nrom": 2.0})


@pytest.mark.parametrize("settings", [AdamW(weight_decay=0.0), Muon()], ids=lambda s: s.kind)
def test_the_loop_gives_each_group_its_own_rate(settings):
    """With Adam's first update every weight moves by its rate, whatever its gradient."""
    model, objective, _, parts = next_token()
    factors = rate_factors(model, 0.5, {})
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    optimizer = build_optimizer(settings, model.named_parameters(), 1e-3, factors=factors)
    next(train(model, objective, iter([parts]), optimizer, rate=lambda _: 1e-3, steps=1, clip=0))
    assert {group["lr"] for group in optimizer.param_groups} == {1e-3 * 0.5**k for k in range(4)}
    if isinstance(settings, AdamW):
        for name, weight in model.named_parameters():
            moved = (weight - before[name]).abs().max().item()
            assert moved == pytest.approx(1e-3 * factors[name], rel=0.05), name


# --- from when on ------------------------------------------------------------------------------------


def test_when_layers_join_by_hand():
    assert beginnings(Gradual(epochs=1.0), 4, 50, 12.5) == [0, 13, 25, 38]
    assert beginnings(Gradual(by_share=0.5), 6, 100, 12.5) == [0, 10, 20, 30, 40, 50]


@pytest.mark.spec("F2", "gradual unfreezing: the head first, then a layer at a time from the top, each when it is due")
def test_layers_join_from_the_top_down():
    model = llama()
    choose(model, Gradual())
    groups = partial(parameter_groups, AdamW(), embeddings=frozenset(), factors={})
    unfreezing = Unfreezing(model, Gradual(epochs=1.0), 50, 10.0, groups)
    optimizer = build_optimizer(AdamW(), model.named_parameters(), 1e-3)
    assert trained(model) == {"model.norm.weight"}
    seen = []
    for made in range(50):
        if unfreezing.join(made, optimizer):
            seen.append((made, {depths(model).of[name] for name in trained(model)}))
    assert seen == [(10, {3, 4}), (20, {2, 3, 4}), (30, {1, 2, 3, 4}), (40, {0, 1, 2, 3, 4})]
    held = [weight for group in optimizer.param_groups for weight in group["params"]]
    assert len(held) == len({id(w) for w in held}) == len(list(model.parameters()))
    assert {id(weight) for weight in held} == {id(weight) for weight in model.parameters()}


def test_joining_at_once_and_one_by_one_give_the_same_groups():
    """A resume joins what is due in one go; the order of groups decides how norms are summed."""

    def made_of(steps):
        model = llama()
        unfreezing = Unfreezing(model, Gradual(epochs=1.0), 50, 10.0, partial(parameter_groups, AdamW(), embeddings=frozenset(), factors={}))  # fmt: skip
        optimizer = build_optimizer(AdamW(), model.named_parameters(), 1e-3)
        for made in steps:
            unfreezing.join(made, optimizer)
        names = {id(weight): name for name, weight in model.named_parameters()}
        return [[names[id(weight)] for weight in group["params"]] for group in optimizer.param_groups]

    assert made_of([30]) == made_of(range(31))
    assert made_of([0]) != made_of([30])


def test_layers_that_are_trained_from_the_beginning():
    model = llama()
    unfreezing = Unfreezing(model, Gradual(layers=2), 10, 1.0, lambda named: [])
    assert {depths(model).of[name] for name in trained(model)} == {2, 3, 4}
    assert len(unfreezing.phases) == 2
    with pytest.raises(UserError, match="more than the 3 layers"):
        Unfreezing(model, Gradual(layers=9), 10, 1.0, lambda named: [])


def test_what_was_chosen_to_stay_frozen_never_joins():
    model = llama()
    model.model.layers[0].requires_grad_(False)
    unfreezing = Unfreezing(model, Gradual(), 10, 1.0, lambda named: [])
    assert not any("layers.0." in name for name in unfreezing.weights)


def test_a_model_without_layers_has_only_a_top():
    assert set(depths(nn.Sequential(nn.Linear(2, 2))).of.values()) == {1}
    assert CONFIG.num_hidden_layers == depths(next_token()[0]).layers
