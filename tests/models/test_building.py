"""Random weights: drawn from the seed alone, of the promised sizes, with the right special ids."""

from __future__ import annotations

import math

import pytest
import torch
from tokenizers import Tokenizer, models
from transformers import LlamaConfig, PreTrainedTokenizerFast

from langwright.errors import UserError
from langwright.models.building import SpecialIds, build_config, build_model
from langwright.models.presets import PRESETS, Preset

SMALL = {kind: Preset("x", kind, 32, 3, 4, 4, 64, 50, 24) for kind in ("llama", "gpt2")}  # type: ignore[arg-type]


def tokenizer(pad: str | None = "<pad>") -> PreTrainedTokenizerFast:
    words = {"<pad>": 0, "<s>": 1, "</s>": 2, "a": 3}
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel(words, unk_token="a")),
        bos_token="<s>",
        eos_token="</s>",
        pad_token=pad,
    )


@pytest.mark.spec(
    "TR17", "the same seed gives the same weights, whatever was drawn before, and leaves torch's generator as it was"
)
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_weights_depend_on_the_seed_alone(kind: str) -> None:
    torch.manual_seed(1)
    one = build_model(SMALL[kind], seed=7)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    two = build_model(SMALL[kind], seed=7)
    assert torch.equal(torch.get_rng_state(), state)
    three = build_model(SMALL[kind], seed=8)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(one.parameters(), three.parameters(), strict=True))


@pytest.mark.parametrize("kind, writers", [("llama", ("o_proj", "down_proj")), ("gpt2", ("c_proj",))])
def test_what_writes_into_the_residual_stream_is_smaller_by_the_root_of_its_number(
    kind: str, writers: tuple[str, ...]
) -> None:
    model = build_model(Preset("x", kind, 128, 4, 4, 4, 256, 50, 24))  # type: ignore[arg-type]
    for name, weight in model.named_parameters():
        if weight.dim() == 2:
            scaled = any(part in name for part in writers)
            expected = 0.02 / math.sqrt(2 * 4) if scaled else 0.02
            assert weight.std().item() == pytest.approx(expected, rel=0.05), name


def test_a_fresh_model_knows_nothing() -> None:
    """Its loss is near the logarithm of the vocabulary."""
    for preset in (PRESETS["tiny"], PRESETS["gpt2-tiny"]):
        model = build_model(preset)
        ids = torch.randint(0, preset.vocab_size, (2, 64))
        logits = model(input_ids=ids).logits
        loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())
        assert loss.item() == pytest.approx(math.log(preset.vocab_size), abs=0.15)
        assert model.training and model.dtype == torch.float32


def test_special_ids_come_from_the_tokenizer() -> None:
    config = build_model(SMALL["llama"], tokenizer=tokenizer()).config
    assert (config.bos_token_id, config.eos_token_id, config.pad_token_id) == (1, 2, 0)
    given = build_config(SMALL["gpt2"], tokenizer=tokenizer(), special=SpecialIds(3, 3, None))
    assert (given.bos_token_id, given.eos_token_id, given.pad_token_id) == (3, 3, None)
    assert build_config(SMALL["gpt2"]).eos_token_id is None  # not GPT-2's own 50256, which the vocabulary lacks


def test_an_end_token_that_also_pads_is_learned_all_the_same() -> None:
    """transformers gives the embedding of a model's pad token no gradient."""
    model = build_model(SMALL["llama"], tokenizer=tokenizer(pad="</s>"))
    assert model.config.pad_token_id is None
    logits = model(input_ids=torch.tensor([[1, 2, 3]])).logits
    model.zero_grad()
    logits[0, 2, 4].backward()
    assert model.get_input_embeddings().weight.grad[2].abs().sum() > 0


def test_a_config_is_taken_too_and_left_as_it_was() -> None:
    config = LlamaConfig(
        hidden_size=32,
        num_hidden_layers=1,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=40,
        vocab_size=60,
    )
    model = build_model(config, vocab_size=70, context=16)
    assert model.config.vocab_size == 70 and model.config.max_position_embeddings == 16
    assert model.get_input_embeddings().weight.shape == (70, 32)
    assert config.vocab_size == 60 and config.max_position_embeddings == 2048


def test_sizes_that_cannot_be() -> None:
    with pytest.raises(UserError, match="vocabulary of 0"):
        build_model(SMALL["llama"], vocab_size=0)
    with pytest.raises(UserError, match="4 ids"):
        build_model(SMALL["llama"], vocab_size=3, tokenizer=tokenizer())
