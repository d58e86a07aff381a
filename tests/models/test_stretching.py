"""Positions scaled for a longer context: the angles by hand and by transformers, the engine at the new length."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import GPT2Config, LlamaConfig, LlamaForCausalLM

from langwright.errors import UserError
from langwright.inference.fake import letters
from langwright.inference.protocol import Sampling
from langwright.models.loading import load_model, save_model
from langwright.models.stretching import Stretch, read_stretch, stretched
from langwright.tasks.front.loading import load

LENGTH, HEAD = 32, 16


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A Llama with random weights that was made for 32 tokens."""
    torch.manual_seed(0)
    tokenizer = letters()
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=2, head_dim=HEAD, max_position_embeddings=LENGTH,
        eos_token_id=tokenizer.eos_token_id, bos_token_id=None, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("llama")
    save_model(LlamaForCausalLM(config).eval(), tokenizer, folder)
    yield folder


def angles(folder: Path, stretch: Stretch | None) -> torch.Tensor:
    """What each pair of a head turns by at each position, in radians."""
    model = load_model(folder, stretch=stretch)
    return model.model.rotary_emb.inv_freq


@pytest.mark.spec("DM8", "scaled positions are the papers' by hand, and transformers' for YaRN")
def test_angles_by_hand(folder: Path) -> None:
    plain = angles(folder, None)
    pair = torch.arange(0, HEAD, 2) / HEAD
    torch.testing.assert_close(plain, 10000.0**-pair)
    torch.testing.assert_close(angles(folder, Stretch(kind="linear", factor=4.0)), plain / 4)
    ntk = angles(folder, Stretch(kind="ntk", factor=4.0))
    assert ntk[0] == 1 and float(ntk[-1]) == pytest.approx(float(plain[-1]) / 4, rel=1e-5)  # the ends of the range
    torch.testing.assert_close(ntk, (10000.0 * 4 ** (HEAD / (HEAD - 2))) ** -pair)
    yarn = angles(folder, Stretch(kind="yarn", factor=4.0))
    turns = LENGTH * plain / (2 * math.pi)  # of each pair within the old context
    assert torch.all(yarn[turns > 32] == plain[turns > 32])
    torch.testing.assert_close(yarn[turns < 1][-2:], plain[turns < 1][-2:] / 4)
    assert torch.all(yarn <= plain) and torch.all(yarn >= plain / 4 * 0.9999)


@pytest.mark.spec(
    "DM8", "the engine reads at the longer context as transformers does, and writes there with the same scaling"
)
@pytest.mark.parametrize("kind", ["linear", "ntk", "yarn"])
def test_the_engine_at_the_longer_context(folder: Path, kind: str) -> None:
    stretch = Stretch.model_validate({"kind": kind, "factor": 3.0})
    text = "The longer a text, the farther apart its ends. 长文。"  # 57 bytes, which are tokens
    with load(folder) as short:
        assert short.local("x").context == LENGTH
        with pytest.raises(UserError):
            short.score(text)
    with load(folder, stretch=stretch) as longer:
        assert longer.local("x").context == 3 * LENGTH
        score = longer.score(text)
        theirs = LlamaForCausalLM.from_pretrained(
            folder, config=stretched(LlamaConfig.from_pretrained(folder), stretch)
        )
        text_model = longer.local("x")
        ids = text_model.tokenize(text)
        whole = torch.tensor([[text_model.tokenizer.eos_token_id, *ids]])  # what stands between documents
        with torch.no_grad():
            logp = theirs.eval()(whole).logits.log_softmax(-1)
        expected = logp[0, :-1].gather(-1, whole[0, 1:, None]).sum()
        assert score.log_probability == pytest.approx(float(expected), rel=1e-5)
        assert len(text_model.complete(text, Sampling(max_new_tokens=20)).token_ids) == 20


def test_what_cannot_be_stretched_is_refused(folder: Path) -> None:
    with pytest.raises(UserError, match="no rotary positions"):
        stretched(GPT2Config(), Stretch())
    once = stretched(LlamaConfig.from_pretrained(folder), Stretch())
    with pytest.raises(UserError, match="scaled already"):
        stretched(once, Stretch())


@pytest.mark.parametrize("text", ["yarn", "yarn:1", "yarn:x", "dynamic:2", "linear:100", "ntk:nan"])
def test_what_is_no_way_to_stretch(text: str) -> None:
    with pytest.raises(UserError):
        read_stretch(text)
