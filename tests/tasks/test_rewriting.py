"""Encoder-decoders through the front door: opened by name, written with, scored, and asked for labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.serving.conftest import serving  # noqa: F401 - a fixture

from langwright.errors import UserError
from langwright.inference.fake import letters
from langwright.inference.protocol import Sampling
from langwright.tasks.front.loading import Model, load

CONTEXT = 160


@pytest.fixture(scope="module", params=["t5", "bart"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model over bytes with random weights, begun as ours are."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, BartConfig, T5Config

    from langwright.models.encoder_decoders import set_decoder_start

    tokenizer = letters()
    named: dict[str, Any] = {"vocab_size": len(tokenizer), "pad_token_id": tokenizer.pad_token_id,
                             "eos_token_id": tokenizer.eos_token_id, "max_position_embeddings": CONTEXT}  # fmt: skip
    config = {
        "t5": lambda: T5Config(**named, d_model=32, num_layers=2, num_heads=2, d_kv=16, d_ff=48),
        "bart": lambda: BartConfig(
            **named, d_model=32, encoder_layers=1, decoder_layers=2, encoder_attention_heads=2,
            decoder_attention_heads=2, encoder_ffn_dim=48, decoder_ffn_dim=48, tie_word_embeddings=False,
        ),
    }[request.param]()  # fmt: skip
    set_decoder_start(config)
    torch.manual_seed(2)
    model = AutoModelForSeq2SeqLM.from_config(config)
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if weight.dim() > 1 and "embed_positions" not in key:
                weight.mul_(4)
    found = tmp_path_factory.mktemp("models") / str(request.param)
    model.save_pretrained(found)
    tokenizer.save_pretrained(found)
    return found


@pytest.fixture
def model(folder: Path) -> Iterator[Model]:
    with load(folder) as opened:
        yield opened


def theirs(folder: Path, text: str, count: int) -> list[int]:
    """What transformers writes, of the ids that training would have made of the text."""
    import torch
    from transformers import AutoModelForSeq2SeqLM

    tokenizer = letters()
    plain = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    ids = torch.tensor([[*tokenizer(text)["input_ids"], tokenizer.eos_token_id]])
    made = plain.generate(ids, max_new_tokens=count, do_sample=False, num_beams=1)
    return [id for id in made[0, 1:].tolist() if id != tokenizer.eos_token_id]


@pytest.mark.spec(
    "T32", "an encoder-decoder is opened by its folder and writes what transformers writes of the same text"
)
def test_writing_another_text(folder: Path, model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    from langwright.inference.texts.decoding import Alphabet

    monkeypatch.setattr(Alphabet, "whole_characters", None)  # transformers writes any bytes
    for text in ("hello", "从前有座山", "x"):
        assert list(model.complete(text, Sampling(max_new_tokens=20)).token_ids) == theirs(folder, text, 20)
    texts = ["ab", "c", "def"]
    with load(folder) as other:
        many = other.local("write").complete_all(texts)
    assert [one.text for one in many] == [model.generate(text) for text in texts]


def test_scores_and_labels(model: Model) -> None:
    told = model.score("yes", given="is it?")
    assert len(told.tokens) == 3 and told.log_probability == pytest.approx(sum(value for _, value in told.tokens))
    assert model.score("yes", given="is it not?").log_probability != told.log_probability
    with pytest.raises(UserError, match="only after another that it was written from"):
        model.score("yes")
    found = model.predict("good", ["a", "b", "cc"], normalise="sum")
    assert found.solver == "likelihood" and sum(found.probabilities.values()) == pytest.approx(1)
    assert model.embed(["one", "another"]).shape == (2, 32)


def test_what_is_too_long(model: Model) -> None:
    with pytest.raises(UserError, match="reads 160: 41 too many"):
        model.generate("x" * 200)
    assert isinstance(model.generate("x" * 159, max_new_tokens=4), str)


def test_from_the_command_line(folder: Path, model: Model, capsys: pytest.CaptureFixture[str]) -> None:
    from langwright.cli.main import main

    assert main(["generate", str(folder), "hello", "--max-new-tokens", "9"]) == 0
    assert capsys.readouterr().out.rstrip("\n") == model.generate("hello", max_new_tokens=9).rstrip("\n")


def test_over_http(model: Model, serving: Callable[..., Any]) -> None:  # noqa: F811
    import httpx

    text = model.local("serve")
    text.name = "writer"
    url = serving(text).url
    body = {"model": "writer", "prompt": "hello", "max_tokens": 9, "temperature": 0}
    said = httpx.post(f"{url}/v1/completions", json=body, timeout=30).json()
    assert said["choices"][0]["text"] == model.generate("hello", max_new_tokens=9)
    refused = httpx.post(f"{url}/v1/completions", json={**body, "prompt": "x" * 200}, timeout=30)
    assert refused.status_code == 400 and refused.json()["error"]["params"]["over"] == 41
