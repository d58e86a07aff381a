"""Dropout that is set acts: in training, everywhere, and not besides."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tests.models.families import FAMILIES, write_family
from torch import nn

from langwright.errors import UserError
from langwright.models.building import build_model
from langwright.models.dropout import with_dropout
from langwright.models.loading import load_model
from langwright.models.presets import PRESETS

IDS = torch.arange(3, 19)[None]


def said(model: nn.Module) -> torch.Tensor:
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=IDS, attention_mask=torch.ones_like(IDS)).logits
    return found


@pytest.mark.spec(
    "TR7", "the dropout that is set makes every family's forward pass random in training and nowhere else"
)
@pytest.mark.parametrize("name", FAMILIES)
def test_a_loaded_model_drops_what_it_was_told_to(name: str, tmp_path: Path) -> None:
    folder = write_family(name, tmp_path)
    labels = ("a", "b", "c")
    on, off = (load_model(folder, "tagging", labels, dropout=share) for share in (0.3, 0.0))
    assert torch.equal(said(on), said(on)) and torch.equal(said(on), said(off)), "evaluation is not random"
    on.train(), off.train()
    assert torch.equal(said(off), said(off)), "a rate of 0 is off"
    assert not torch.equal(said(on), said(on)), "training is random"
    layers = [module for module in on.modules() if isinstance(module, nn.Dropout)]
    assert {layer.p for layer in layers} <= {0.3}, "no layer has kept its own rate"


@pytest.mark.spec("TR7", "setting the config of a loaded model, as is often shown, changes nothing")
def test_why_it_is_set_at_load(tmp_path: Path) -> None:
    model = load_model(write_family("bert", tmp_path), "tagging", ("a", "b"), dropout=0.0).train()
    model.config.hidden_dropout_prob = 0.5
    assert torch.equal(said(model), said(model))


def test_a_new_model_drops_too() -> None:
    model = build_model(PRESETS["tiny"], vocab_size=60, context=32, dropout=0.2)
    assert model.config.attention_dropout == 0.2 and not torch.equal(said(model), said(model))


def test_nothing_to_drop_is_said() -> None:
    config = FAMILIES["llama"].__class__(**FAMILIES["llama"].to_dict())
    del config.attention_dropout
    with pytest.raises(UserError, match="no dropout"):
        with_dropout(config, 0.1)
