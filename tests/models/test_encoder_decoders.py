"""Encoder-decoders with random weights: what their config says, what they take, and that others open them."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode
from transformers import AutoModelForSeq2SeqLM

from langwright.models.building import SpecialIds, build_model
from langwright.models.loading import save_model
from langwright.models.presets import PRESETS, Preset
from langwright.models.sizes import estimate, number_of_weights

SPECIAL = SpecialIds(None, end=1, pad=0)
KINDS = pytest.mark.parametrize("kind", ["t5", "bart"])


def small(kind, layers=2, width=32, feed_forward=48, context=64):
    return Preset("x", kind, width, layers, 4, 4, feed_forward, 50, context)


@pytest.mark.parametrize("name, millions", [("t5-mini", 5.77), ("bart-mini", 6.04), ("t5-small", 9.33)])
def test_sizes_as_promised(name, millions):
    assert estimate(PRESETS[name]).parameters / 1e6 == pytest.approx(millions, abs=0.01)


@KINDS
@pytest.mark.spec(
    "T10",
    "an encoder-decoder with cross-attention: what is written depends on all that is read, and not on what comes later",
)
def test_what_is_written_sees_all_that_is_read_and_nothing_behind_itself(kind):
    model = build_model(small(kind), special=SPECIAL, seed=3).eval()
    ids, written = torch.arange(2, 12)[None], torch.arange(20, 28)[None]

    def logits(read, told):
        with torch.no_grad():
            return model(input_ids=read, decoder_input_ids=told).logits[0]

    plain = logits(ids, written)
    other_end, other_written = ids.clone(), written.clone()
    other_end[0, -1] = 40
    other_written[0, 5] = 40
    assert all(not torch.allclose(a, b) for a, b in zip(plain, logits(other_end, written), strict=True))
    torch.testing.assert_close(plain[:5], logits(ids, other_written)[:5], rtol=0, atol=0)
    assert not torch.allclose(plain[5], logits(ids, other_written)[5])


@KINDS
@pytest.mark.spec("T13", "a T5-style model with random weights from transformers' own class, saved and opened there")
@pytest.mark.spec("T14", "a BART-style model with random weights from transformers' own class, saved and opened there")
def test_the_saved_folder_opens_and_writes(kind, tmp_path: Path):
    model = build_model(small(kind), special=SPECIAL, seed=3).eval()
    save_model(model, None, tmp_path)
    opened = AutoModelForSeq2SeqLM.from_pretrained(tmp_path).eval()
    config = opened.config
    assert (
        config.decoder_start_token_id == opened.generation_config.decoder_start_token_id == (0 if kind == "t5" else 1)
    )
    assert (config.eos_token_id, config.pad_token_id, config.max_position_embeddings) == (1, 0, 64)
    ids = torch.arange(2, 12)[None]
    out = opened.generate(ids, max_new_tokens=6, do_sample=False)
    by_hand = [config.decoder_start_token_id]
    for _ in range(6):
        logits = model(input_ids=ids, decoder_input_ids=torch.tensor([by_hand])).logits[0, -1]
        last = kind == "bart" and len(by_hand) == 6  # it is made to end there
        by_hand.append(1 if last else int(logits.argmax()))
        if by_hand[-1] == 1:
            break
    assert out[0].tolist() == by_hand


@KINDS
@pytest.mark.parametrize("decoded", [0.5, 0.25])
def test_flops_against_torchs_counter(kind, decoded):
    """torch counts attention in full; ours counts the decoder's own at half."""
    preset = small(kind)
    model = build_model(preset, special=SPECIAL)
    model.set_attn_implementation("eager")
    S = 48
    T = int(S * decoded / (1 - decoded))
    ids, told = torch.randint(2, 50, (2, S)), torch.randint(2, 50, (2, T))
    with FlopCounterMode(display=False) as counter:
        F.cross_entropy(model(input_ids=ids, decoder_input_ids=told).logits.flatten(0, 1), told.flatten()).backward()
    halved = 3 * preset.num_hidden_layers * 32 * 2 * T * T / (S + T)
    expected = estimate(preset, S, predicted=decoded).flops_per_token + halved
    assert counter.get_total_flops() / (2 * (S + T)) == pytest.approx(expected, rel=0.01)


def kept_by_autograd(preset, rows, S, T, dtype, checkpointing=False):
    """Bytes that the forward pass and the loss keep for the backward pass, the weights themselves left out."""
    model = build_model(preset, special=SPECIAL)
    if checkpointing:
        model.activation_checkpointing_enable()
    ids, told = torch.randint(2, 50, (rows, S)), torch.randint(2, 50, (rows, T))
    kept = {}
    weights = {weight.untyped_storage().data_ptr() for weight in model.parameters()}

    def keep(x):
        storage = x.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage
        return x

    narrow = torch.autocast("cpu", torch.bfloat16) if dtype == "bfloat16" else contextlib.nullcontext()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda x: x), narrow:
        out = model(input_ids=ids, attention_mask=torch.ones_like(ids), decoder_input_ids=told, use_cache=False)
        F.cross_entropy(out.logits.flatten(0, 1).float(), told.flatten())
    return sum(storage.nbytes() for storage in kept.values())


@KINDS
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_activations_against_what_autograd_keeps(kind, dtype):
    preset, rows, S, T = small(kind, layers=4, width=64, feed_forward=160), 4, 64, 32
    found = estimate(preset, S, rows=rows, dtype=dtype, predicted=1 / 3)
    narrow_weights = found.weight_bytes - 4 * found.parameters
    expected = found.activation_bytes + narrow_weights
    assert kept_by_autograd(preset, rows, S, T, dtype) == pytest.approx(expected, rel=0.06)


@KINDS
def test_with_checkpointing_a_layer_costs_its_input(kind):
    shallow, deep = small(kind, layers=2, width=64), small(kind, layers=6, width=64)
    more = kept_by_autograd(deep, 4, 64, 64, "float32", True) - kept_by_autograd(shallow, 4, 64, 64, "float32", True)
    found = [estimate(preset, 64, rows=4, checkpointing=True).activation_bytes for preset in (shallow, deep)]
    assert more == pytest.approx(found[1] - found[0], rel=0.02)


def test_counts_follow_the_vocabulary():
    plain, wide = estimate(small("t5")), estimate(small("t5"), vocab_size=80)
    assert wide.parameters - plain.parameters == 30 * 32
    assert number_of_weights(build_model(small("t5"), 80)) == wide.parameters
