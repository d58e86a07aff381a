"""A real model that others trained: its golden text, its logits, and folders that are no models."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.inference.tiny import random_model
from transformers import PreTrainedModel

from langwright.errors import UserError
from langwright.inference.fake import letters
from langwright.inference.opening import open_text_model
from langwright.inference.precision import Numbers, Precision
from langwright.inference.protocol import Request, Sampling
from langwright.inference.texts.text import TextModel
from langwright.models.loading import save_model


@pytest.fixture(scope="module")
def stories(shared_data: Callable[[str], Path]) -> Iterator[TextModel]:
    model = open_text_model(shared_data("model-stories260k") / "hf")
    yield model
    model.close()


@pytest.fixture(scope="module")
def golden(shared_data: Callable[[str], Path]) -> dict[str, object]:
    return json.loads((shared_data("model-stories260k") / "golden.json").read_text())


@pytest.mark.spec("G1", "a published model reproduces its golden text, token for token, from a prompt and from nothing")
@pytest.mark.spec("G4", "greedy text of a real model equals the text its makers printed")
@pytest.mark.parametrize("start", ["prompt", "bos"])
def test_stories260k_writes_its_golden_text(stories: TextModel, golden: dict, start: str) -> None:
    prompt = golden["prompt"] if start == "prompt" else ""
    head = golden["prompt_ids"] if start == "prompt" else [1]
    ids, text = golden[f"greedy_from_{start}_ids"], golden[f"greedy_from_{start}_text"]
    assert stories.tokenize(prompt) == head  # `<s>` stands before the text, nothing behind it
    pieces = stories.stream(prompt, Sampling(max_new_tokens=len(ids) - len(head)))
    written = "".join(piece.text for piece in pieces)
    done = pieces.completion
    ended = ids[-1] == 1  # the golden ids show the end token; a stream keeps it to itself
    assert [*head, *done.token_ids] == (ids[:-1] if ended else ids)
    assert prompt + written == text
    assert done.text == written
    assert (done.finish_reason, done.prompt_tokens) == ("stop" if ended else "length", len(head))


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8", "int4"])
@pytest.mark.parametrize("strict", [False, True])
def test_stories260k_in_every_precision(
    shared_data: Callable[[str], Path], golden: dict, precision: Precision, strict: bool
) -> None:
    """The golden text itself in float32; in the others its first words, and the whole prompt about as probable."""
    model = open_text_model(
        shared_data("model-stories260k") / "hf", numbers=Numbers(precision=precision, strict=strict)
    )
    try:
        assert model.engine.report.precision == precision
        ids, head = golden["greedy_from_bos_ids"], [1]
        done = model.complete("", Sampling(max_new_tokens=len(ids) - 1))
        made = [*head, *done.token_ids]
        same = next((at for at, (a, b) in enumerate(zip(made, ids, strict=False)) if a != b), len(made))
        assert same >= (len(ids) - 1 if precision == "float32" else 20)
        score = model.score_text(golden["prompt"])
        assert -score.log_probability / len(score.tokens) == pytest.approx(golden["mean_nll_of_prompt"], abs=0.02)
    finally:
        model.close()


def test_stories260k_ends_where_its_settings_say(stories: TextModel) -> None:
    assert stories.stop_ids == {1, 2}  # `<s>` ends a story as well; generation_config.json says so
    done = stories.complete("Once upon a time", Sampling(max_new_tokens=500))
    assert done.finish_reason in ("stop", "length")
    assert not set(done.token_ids) & {1, 2}


@pytest.mark.spec("T30", "log-probability, bits per byte and perplexity of a text, as published for a real model")
def test_stories260k_finds_its_prompt_as_probable_as_published(stories: TextModel, golden: dict) -> None:
    score = stories.score_text(golden["prompt"])
    assert -score.log_probability / len(score.tokens) == pytest.approx(golden["mean_nll_of_prompt"], abs=1e-5)
    assert score.token_ids == tuple(golden["prompt_ids"][1:])


def test_one_of_our_own_folders(tmp_path: Path, gpt2: PreTrainedModel) -> None:
    from tests.inference.tiny import GPT2

    tokenizer = letters()
    model = random_model(GPT2.__class__(**{**GPT2.to_dict(), "vocab_size": len(tokenizer)}))
    save_model(model, tokenizer, tmp_path / "mine")
    opened = open_text_model(tmp_path / "mine", max_batch=2)
    try:
        assert opened.name == "mine"
        assert opened.chats
        assert {tokenizer.convert_ids_to_tokens(id) for id in opened.stop_ids} == {"<|endoftext|>", "<|im_end|>"}
        assert len(opened.complete("你好", Sampling(max_new_tokens=5)).token_ids) <= 5
    finally:
        opened.close()


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no"):
        open_text_model(tmp_path / "nothing")
    with pytest.raises(UserError, match="is not an artifact"):
        open_text_model(tmp_path)


def test_an_adapter_that_the_card_names_is_put_on(tmp_path: Path) -> None:
    import torch
    from tests.inference.tiny import LLAMA

    from langwright.artifacts import Ability, Card
    from langwright.models.adapter_settings import Lora
    from langwright.models.adapters import add_adapter, save_adapter

    tokenizer = letters()
    config = LLAMA.__class__(**{**LLAMA.to_dict(), "vocab_size": len(tokenizer)})
    save_model(random_model(config), tokenizer, tmp_path / "chat")
    wrapped = add_adapter(random_model(config), Lora(rank=2))
    with torch.no_grad():
        for name, weight in wrapped.named_parameters():
            if "lora_B" in name:
                weight.fill_(0.05)
    save_adapter(wrapped, tmp_path / "chat", "chat")
    sampling, texts = Sampling(max_new_tokens=10), []
    for adapter in (None, "chat"):
        card = Card(
            kind="model", stage="finetune", abilities=(Ability(task="chat", solver="generation", adapter=adapter),)
        )
        (tmp_path / "chat" / "card.json").write_text(card.model_dump_json())
        model = open_text_model(tmp_path / "chat")
        (completion,) = model.engine.generate([Request(model.tokenize("hello"), sampling)])
        texts.append(tuple(completion.ids))
        model.close()
    ids = torch.tensor([tokenizer("hello")["input_ids"]])
    expected = wrapped.eval().generate(input_ids=ids, max_new_tokens=10, do_sample=False, pad_token_id=0)[
        0, ids.shape[1] :
    ]
    assert texts[1] == tuple(expected.tolist()) != texts[0]


def test_one_of_several_adapters_is_opened_by_name(tmp_path: Path) -> None:
    import torch
    from tests.inference.tiny import LLAMA

    from langwright.models.adapter_settings import Lora, Prefix
    from langwright.models.adapters import add_adapter, fingerprint, save_adapter

    tokenizer = letters()
    config = LLAMA.__class__(**{**LLAMA.to_dict(), "vocab_size": len(tokenizer)})
    save_model(random_model(config), tokenizer, tmp_path / "chat")
    base = fingerprint(random_model(config))
    texts = {}
    for name, settings in (("soft", Lora(rank=2)), ("hard", Prefix(length=3))):
        adapted = add_adapter(random_model(config), settings)
        with torch.no_grad():
            for weight in adapted.parameters():
                if weight.requires_grad:
                    weight.add_(0.3)
        save_adapter(adapted, tmp_path / "chat", name, base)
    for name in (None, "soft", "hard"):
        model = open_text_model(tmp_path / "chat", adapter=name)
        (completion,) = model.engine.generate([Request(model.tokenize("hello"), Sampling(max_new_tokens=10))])
        texts[name] = tuple(completion.ids)
        model.close()
    assert len(set(texts.values())) == 3
    with pytest.raises(UserError, match="no adapter called 'hrad'"):
        open_text_model(tmp_path / "chat", adapter="hrad")
