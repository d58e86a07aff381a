"""Models made ready to read many texts: what every kind of head says stays what transformers says, or is put back."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from transformers import PreTrainedConfig, PreTrainedModel

from langwright.inference.fake import letters
from langwright.inference.kernels import preparing
from langwright.inference.kernels.rows import same_bits
from langwright.inference.precision import Numbers, Precision
from langwright.inference.reading import likeness, ready
from langwright.inference.reading.likeness import outputs_of, trial_rows
from langwright.inference.reading.ready import made_ready

TOKENIZER = letters()
SIZES: dict[str, Any] = {
    "vocab_size": len(TOKENIZER), "hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "intermediate_size": 72, "max_position_embeddings": 400, "pad_token_id": TOKENIZER.pad_token_id, "num_labels": 3,
}  # fmt: skip
CONFIGS: dict[str, PreTrainedConfig] = {
    "bert": transformers.BertConfig(**SIZES),
    "roberta": transformers.RobertaConfig(**{**SIZES, "max_position_embeddings": 600}),
    "electra": transformers.ElectraConfig(**SIZES, embedding_size=24),
    "albert": transformers.AlbertConfig(**SIZES, embedding_size=24),
    "distilbert": transformers.DistilBertConfig(
        vocab_size=len(TOKENIZER), dim=48, n_layers=2, n_heads=4, hidden_dim=72, max_position_embeddings=400,
        pad_token_id=TOKENIZER.pad_token_id, num_labels=3,
    ),
    "mpnet": transformers.MPNetConfig(**SIZES),
    "modernbert": transformers.ModernBertConfig(**SIZES),
    "llama": transformers.LlamaConfig(**SIZES),
}  # fmt: skip
HEADS = ("SequenceClassification", "TokenClassification", "QuestionAnswering", "MultipleChoice", "MaskedLM", "")
BESIDE = ("bert", "roberta", "electra", "albert", "distilbert")
LENGTHS = (3, 3, 260, 17, 64, 1, 64, 64, 200)  # some of one length, some long enough for every way to attend
NEAR: dict[Precision, float] = {"float32": 2e-6, "bfloat16": 0.03, "int8": 0.03, "int4": 0.03}


def made(family: str, head: str = "SequenceClassification", scale: float = 3.0) -> PreTrainedModel:
    """Weights large enough that what is said depends on the whole text."""
    torch.manual_seed(0)
    auto = getattr(transformers, f"AutoModelFor{head}" if head else "AutoModel")
    config = copy.deepcopy(CONFIGS[family])
    if head == "QuestionAnswering":
        config.num_labels = 2  # where an answer starts and where it ends
    model: PreTrainedModel = auto.from_config(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.mul_(scale)
    return model


def rows_of(lengths: tuple[int, ...] = LENGTHS) -> list[Any]:
    generator = np.random.default_rng(0)
    return [generator.integers(8, len(TOKENIZER), length) for length in lengths]


def opened(model: PreTrainedModel, precision: Precision = "float32", strict: bool = False) -> ready.Ready:
    return made_ready(model, Numbers(precision=precision, strict=strict), TOKENIZER, 290)


def apart(found: list[torch.Tensor], expected: list[torch.Tensor]) -> float:
    one, other = torch.cat([x.flatten() for x in found]), torch.cat([x.flatten() for x in expected])
    return float((one - other).norm() / other.norm())


@pytest.mark.spec(
    "T32", "every kind of head says of texts of mixed lengths what transformers' own model says of each alone"
)
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("family", BESIDE)
def test_every_head_says_what_it_said(family: str, head: str) -> None:
    model, rows = made(family, head), rows_of()
    expected = [said for row in rows for said in outputs_of(model, [row])]
    found = opened(model)
    assert found.beside and found.report.precision == "float32" and not found.whys
    assert set(found.report.counts()) == {"packed"}
    assert apart(outputs_of(model, rows), expected) <= NEAR["float32"]
    assert apart([said for row in rows for said in outputs_of(model, [row])], expected) <= NEAR["float32"]
    assert apart(outputs_of(model, rows[:2]), expected[:2]) <= NEAR["float32"]  # of one length: nothing is padded


@pytest.mark.parametrize("precision", ["bfloat16", "int8", "int4"])
@pytest.mark.parametrize("head", ["SequenceClassification", "TokenClassification", "MaskedLM"])
def test_narrower_numbers_stay_near(head: str, precision: Precision) -> None:
    model, rows = made("bert", head, scale=1.5), rows_of()
    expected = [said for row in rows for said in outputs_of(model, [row])]
    found = opened(model, precision)
    assert found.likeness is not None and found.likeness.apart <= 0.03
    assert found.beside and (found.report.precision == precision or found.whys)
    assert 0 < apart(outputs_of(model, rows), expected) <= 0.05


@pytest.mark.parametrize(("family", "head"), [("mpnet", "SequenceClassification"), ("modernbert", "TokenClassification"), ("llama", "SequenceClassification"), ("llama", "TokenClassification")])  # fmt: skip
def test_models_whose_layers_cannot_take_rows_beside_each_other(family: str, head: str) -> None:
    model, rows = made(family, head), rows_of()
    expected = [said for row in rows for said in outputs_of(model, [row])]
    before = model.config._attn_implementation
    found = opened(model)
    assert not found.beside and len(found.reasons("en")) == 1 and found.reasons("zh") != found.reasons("en")
    assert model.config._attn_implementation == before
    assert set(found.report.counts()) == {"packed"}
    assert apart(outputs_of(model, rows), expected) <= 1e-5


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("head", ["SequenceClassification", "TokenClassification", ""])
def test_strict_gives_a_text_the_same_bits_whatever_stands_beside_it(head: str, precision: Precision) -> None:
    model, rows = made("bert", head, scale=1.5), rows_of()
    found = opened(model, precision, strict=True)
    assert found.beside and not found.alone and found.report.strict
    together = outputs_of(model, rows)
    for number, row in enumerate(rows):
        assert same_bits(outputs_of(model, [row])[0], together[number])
    some = [5, 2, 4, 0]
    for number, said in zip(some, outputs_of(model, [rows[number] for number in some]), strict=True):
        assert same_bits(said, together[number])


def test_rows_that_cannot_lie_beside_each_other_are_read_alone_where_strict() -> None:
    assert opened(made("llama"), strict=True).alone
    assert not opened(made("llama")).alone


def test_a_precision_that_says_something_else_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(likeness.MOST_APART, "bfloat16", 1e-5)
    model, rows = made("bert"), rows_of()
    expected = outputs_of(model, rows)
    found = opened(model, "bfloat16")
    assert found.report.precision == "float32" and found.beside
    assert "in bfloat16 it says something else" in found.reasons("en")[0]
    assert apart(outputs_of(model, rows), expected) <= NEAR["float32"]


def test_layers_that_int8_would_spoil_stay_in_bfloat16() -> None:
    model = made("bert", "TokenClassification", scale=1.5)
    with torch.no_grad():
        for layer in model.bert.encoder.layer:
            layer.intermediate.dense.bias[0] = 400.0  # one wide value a row takes the others' steps away
            layer.output.dense.weight[:, 0] *= 1e-3
    found = opened(model, "int8")
    counts = found.report.counts()
    assert counts["packed"] > 0 and counts["int8"] > 0
    assert found.likeness is not None and found.likeness.holds()


def test_a_model_that_would_say_something_else_beside_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def off(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, scale: float) -> torch.Tensor:
        return torch.nn.functional.scaled_dot_product_attention(q, k, v, scale=scale) * 1.01

    monkeypatch.setattr("langwright.inference.reading.beside.attended", off)
    model, rows = made("bert"), rows_of()
    expected = outputs_of(model, rows)
    found = opened(model)
    assert not found.beside and "says something else" in found.reasons("en")[0]
    assert apart(outputs_of(model, rows), expected) <= NEAR["float32"]


def test_what_does_not_run_so_is_left_as_it_came(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(preparing, "product_of", broken)
    model, rows = made("bert"), rows_of()
    expected = outputs_of(model, rows)
    found = opened(model)
    assert not found.beside and "no such kernel" in found.reasons("en")[0]
    assert all(same_bits(one, other) for one, other in zip(outputs_of(model, rows), expected, strict=True))


def test_models_with_an_encoder_and_a_decoder_are_left_to_transformers() -> None:
    model = transformers.T5ForTokenClassification(
        transformers.T5Config(
            vocab_size=len(TOKENIZER), d_model=32, d_ff=48, d_kv=8, num_layers=1, num_heads=4, num_labels=3
        )
    ).eval()
    assert not opened(model).beside


def test_trial_texts_are_cut_to_the_rows_of_a_model() -> None:
    rows = trial_rows(TOKENIZER, 12)
    assert max(map(len, rows)) == 12 and len({len(row) for row in rows}) > 1


def test_several_threads_get_their_own_answers() -> None:
    from concurrent.futures import ThreadPoolExecutor

    model, rows = made("bert", "TokenClassification"), rows_of()
    opened(model)
    expected = [outputs_of(model, [row])[0] for row in rows]
    ask: Callable[[Any], torch.Tensor] = lambda row: outputs_of(model, [row])[0]  # noqa: E731
    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(ask, rows * 8))
    assert all(apart([one], [other]) <= NEAR["float32"] for one, other in zip(found, expected * 8, strict=True))
