"""Opening and writing models: the real one, broken ones, and none from the network unasked."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, BertConfig, BertForMaskedLM

from langwright.errors import UserError
from langwright.models.building import build_model
from langwright.models.loading import load_model, locate, save_model
from langwright.models.presets import Preset


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small causal model without a tokenizer."""
    save_model(build_model(Preset("x", "llama", 32, 2, 4, 2, 48, 50, 24), seed=1), None, tmp_path / "model")
    return tmp_path / "model"


# --- the real one --------------------------------------------------------------------------------


@pytest.mark.spec("T30", "a published checkpoint loads and gives its published logits, loss and greedy text")
@pytest.mark.parametrize("attention", ["auto", "sdpa", "eager"])
def test_the_real_model_says_what_it_should(shared_data: Callable[[str], Path], attention: str) -> None:
    path = shared_data("model-stories260k")
    golden = json.loads((path / "golden.json").read_text(encoding="utf-8"))
    model = load_model(path / "hf", attention=attention)  # type: ignore[arg-type]
    prompt = torch.tensor([golden["prompt_ids"]])
    with torch.no_grad():
        logits = model(prompt).logits[0]
        loss = torch.nn.functional.cross_entropy(logits[:-1], prompt[0, 1:])
        greedy = [torch.tensor([golden[name]]) for name in ("greedy_from_bos_ids", "greedy_from_prompt_ids")]
        chosen = [model(ids).logits.argmax(-1) for ids in greedy]  # each token of a greedy text is the likeliest one
    torch.testing.assert_close(logits[-1], torch.tensor(golden["last_logits"]), rtol=0, atol=3e-5)
    assert loss.item() == pytest.approx(golden["mean_nll_of_prompt"], abs=2e-6)
    begun = (1, len(golden["prompt_ids"]))
    for ids, likeliest, start in zip(greedy, chosen, begun, strict=True):
        assert torch.equal(likeliest[:, start - 1 : -1], ids[:, start:])
    assert not model.training


# --- what is written is a plain folder -------------------------------------------------------------


def test_written_and_read_again_it_is_the_same(folder: Path) -> None:
    model = build_model(Preset("x", "llama", 32, 2, 4, 2, 48, 50, 24), seed=1)
    ids = torch.arange(20)[None]
    with torch.no_grad():
        expected = model(ids).logits
        for opened in (load_model(folder), AutoModelForCausalLM.from_pretrained(folder)):
            torch.testing.assert_close(opened(ids).logits, expected)
    assert sorted(file.name for file in folder.iterdir()) == [
        "config.json",
        "generation_config.json",
        "model.safetensors",
    ]


def test_nothing_in_it_names_a_place(folder: Path, tmp_path: Path) -> None:
    again = load_model(folder)
    save_model(again, None, tmp_path / "again")
    text = "".join(file.read_text() for file in (tmp_path / "again").glob("*.json"))
    assert str(tmp_path) not in text and "langwright" not in text
    assert again.config._name_or_path  # the model in memory still knows where it came from


def test_opening_is_silent(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    load_model(folder, "classification", labels=["a", "b"])
    assert capfd.readouterr() == ("", "")


def test_types(folder: Path) -> None:
    assert load_model(folder).dtype == torch.float32
    assert load_model(folder, dtype=torch.bfloat16).dtype == torch.bfloat16


# --- heads ---------------------------------------------------------------------------------------


def test_a_new_classification_head(folder: Path, tmp_path: Path) -> None:
    state = torch.get_rng_state()
    one, two, other = (load_model(folder, "classification", labels=["好", "坏", "neither"], seed=s) for s in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(one.score.weight, two.score.weight) and not torch.equal(one.score.weight, other.score.weight)
    assert one.config.id2label == {0: "好", 1: "坏", 2: "neither"} and one.config.label2id["坏"] == 1
    assert one.config.pad_token_id is not None
    ids = torch.tensor([[4, 5, 6, 7], [4, 5, one.config.pad_token_id, one.config.pad_token_id]])
    with torch.no_grad():
        logits = one(ids, attention_mask=(ids != one.config.pad_token_id).long()).logits
        assert logits.shape == (2, 3)
        torch.testing.assert_close(logits[1], one(ids[1:, :2]).logits[0])
        save_model(one, None, tmp_path / "classifier")
        torch.testing.assert_close(load_model(tmp_path / "classifier", "classification")(ids[:1]).logits, logits[:1])
    with pytest.raises(UserError, match="cannot go on from a text"):
        load_model(tmp_path / "classifier")


def test_the_pad_token_is_the_tokenizers(shared_data: Callable[[str], Path]) -> None:
    path = shared_data("model-stories260k") / "hf"
    assert load_model(path, "classification", labels=["a", "b"]).config.pad_token_id == 2


@pytest.mark.parametrize("labels, word", [([], "fewer than two"), (["one"], "fewer than two"), (["a", "a"], "twice")])
def test_labels_that_cannot_be(folder: Path, labels: list[str], word: str) -> None:
    with pytest.raises(UserError, match=word):
        load_model(folder, "classification", labels=labels)


def test_hidden_states_alone(folder: Path) -> None:
    hidden = load_model(folder, "backbone")(torch.arange(5)[None]).last_hidden_state
    assert hidden.shape == (1, 5, 32)


def test_a_model_for_other_work_is_refused(tmp_path: Path) -> None:
    config = BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=30)
    BertForMaskedLM(config).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="BertForMaskedLM"):
        load_model(tmp_path)


# --- what cannot be opened -------------------------------------------------------------------------


def test_pickles_are_refused_and_never_opened(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'false'\ntR.")
    with pytest.raises(UserError) as caught:
        load_model(folder)
    assert caught.value.values["name"] == "pytorch_model.bin"
    assert "save_pretrained" in caught.value.fix("en")


@pytest.mark.parametrize(
    "harm, word",
    [
        (lambda f: (f / "config.json").unlink(), "no config.json"),
        (lambda f: (f / "config.json").write_text("{"), "cannot be read"),
        (lambda f: (f / "config.json").write_text('{"model_type": "no-such-thing"}'), "no-such-thing"),
        (lambda f: (f / "config.json").write_text('{"auto_map": {"AutoConfig": "x.Y"}, "model_type": "no-such"}'), "code of its own"),
        (lambda f: (f / "model.safetensors").unlink(), "model.safetensors is missing"),
        (lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:2000]), "cannot be read"),
        (lambda f: shutil.rmtree(f), "no model folder"),
    ],
    ids=["no config", "torn config", "unknown kind", "foreign code", "no weights", "torn weights", "no folder"],
)  # fmt: skip
def test_damaged_folders(folder: Path, harm: Callable[[Path], None], word: str) -> None:
    harm(folder)
    with pytest.raises(UserError, match=word):
        load_model(folder)


def test_weights_of_another_account_are_no_riddle(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """safetensors writes weights for their owner alone, and says to others that the file does not exist."""
    (folder / "model.safetensors").write_bytes(b"")  # root, who may read everything, finds it torn instead
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).suffix != ".safetensors")
    with pytest.raises(UserError, match="Permission denied") as refused:
        load_model(folder)
    assert f"chmod -R a+rX {folder}" in refused.value.fix("en")


def test_weights_that_are_missing_are_not_made_up(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    with pytest.raises(UserError, match=r"9 weights are missing.*layers\.2"):
        load_model(folder)


def test_weights_of_another_shape(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"intermediate_size": 64}))
    with pytest.raises(UserError, match="cannot be read"):
        load_model(folder)


def test_our_attention_only_where_it_is_tested(tmp_path: Path) -> None:
    config = BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, vocab_size=30, is_decoder=True
    )
    BertForMaskedLM(config).save_pretrained(tmp_path)
    with pytest.raises(UserError, match="not tested"):
        load_model(tmp_path, "backbone", attention="langwright")


# --- names -----------------------------------------------------------------------------------------


def test_a_local_name_never_asks_the_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    def refuse(*_: object, **__: object) -> str:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", refuse)
    monkeypatch.chdir(folder.parent)
    (folder.parent / "runs").mkdir()
    assert locate("model") == Path("model")
    assert locate(str(folder)) == folder
    for name in ("nothing", "./owner/nothing", "../x", "runs/chta", "a/b/c", "/x/y"):
        with pytest.raises(UserError, match="no model folder"):
            locate(name)


@pytest.mark.parametrize("name", ["hf:owner/name", "owner/name"])
def test_a_hub_name_asks_for_safetensors_only(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import huggingface_hub

    asked: dict[str, object] = {}

    def fetched(repository: str, allow_patterns: list[str]) -> str:
        asked.update(repository=repository, patterns=allow_patterns)
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fetched)
    monkeypatch.chdir(tmp_path)
    assert locate(name) == tmp_path
    assert asked["repository"] == "owner/name"
    assert not {"*.bin", "*.pt", "*.py"} & set(asked["patterns"])  # type: ignore[call-overload]


def test_offline_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The tests run with HF_HUB_OFFLINE=1 and no network."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="not on this machine") as caught:
        locate("hf:owner/no-such-model")
    assert "HF_HUB_OFFLINE" in caught.value.fix("en")
    with pytest.raises(UserError, match="cannot be had"):
        locate("hf:not a name")


def test_perplexity_is_not_that_of_noise(shared_data: Callable[[str], Path]) -> None:
    """Guards against a model that loads without its weights."""
    path = shared_data("model-stories260k")
    ids = torch.tensor([json.loads((path / "golden.json").read_text())["greedy_from_prompt_ids"]])
    with torch.no_grad():
        loss = load_model(path / "hf")(ids, labels=ids).loss
    assert loss.item() < 0.3 * math.log(512)
