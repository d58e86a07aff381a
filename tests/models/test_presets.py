"""Presets: the shapes that were promised, and names that are nearly right."""

from __future__ import annotations

import subprocess
import sys

import pytest

from langwright.errors import UserError
from langwright.models.presets import PRESETS, preset_named
from langwright.models.sizes import estimate


@pytest.mark.parametrize(
    "name, millions", [("tiny", 1.07), ("mini", 5.21), ("small", 8.34), ("base", 109.53)]
)  # fmt: skip
def test_sizes_as_promised(name: str, millions: float) -> None:
    assert estimate(PRESETS[name]).parameters / 1e6 == pytest.approx(millions, abs=0.005)


@pytest.mark.parametrize("name", ["tiny", "mini", "small", "base"])
def test_twins_are_within_six_percent(name: str) -> None:
    ours, twin = estimate(PRESETS[name]).parameters, estimate(PRESETS[f"gpt2-{name}"]).parameters
    assert abs(twin / ours - 1) < 0.06
    assert PRESETS[f"gpt2-{name}"].hidden_size == PRESETS[name].hidden_size


def test_heads_divide_the_width() -> None:
    for preset in PRESETS.values():
        assert preset.hidden_size % preset.num_attention_heads == 0
        assert preset.num_attention_heads % preset.num_key_value_heads == 0


def test_a_misspelt_name_is_told_the_nearest() -> None:
    with pytest.raises(UserError) as caught:
        preset_named("smal")
    assert caught.value.values["near"] == "small"


def test_presets_and_sizes_need_no_torch() -> None:
    code = (
        "import sys; from langwright.models.sizes import estimate; from langwright.models.presets import PRESETS;"
        "from langwright.models.adapters import add_adapter;"
        "estimate(PRESETS['base']); print([m for m in ('torch', 'transformers', 'peft') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
