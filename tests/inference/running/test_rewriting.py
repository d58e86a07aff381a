"""Encoder-decoders and encoders through the same engine: transformers' tokens, scores and states, alone and together."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
from tests.inference.tiny import Gate, prompts_of
from transformers import (
    AutoModelForSeq2SeqLM,
    BartConfig,
    BertConfig,
    BertForMaskedLM,
    BertModel,
    MarianConfig,
    MBartConfig,
    PegasusConfig,
    PreTrainedModel,
    T5Config,
)

from langwright.errors import UserError
from langwright.inference.engine import TorchEngine
from langwright.inference.protocol import Request, Sampling
from langwright.inference.running.rewriting import positions_set

EngineOf = Callable[..., TorchEngine]
VOCAB, CONTEXT, START, END = 97, 64, 90, 91
IDS: dict[str, Any] = {"vocab_size": VOCAB, "pad_token_id": 0, "eos_token_id": END, "decoder_start_token_id": START}
BARTISH: dict[str, Any] = {
    **IDS, "d_model": 32, "encoder_layers": 1, "decoder_layers": 2, "encoder_attention_heads": 4,
    "decoder_attention_heads": 4, "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "max_position_embeddings": CONTEXT,
    "dropout": 0.0, "bos_token_id": None, "forced_eos_token_id": None, "tie_word_embeddings": False,
}  # fmt: skip
FAMILIES: dict[str, Any] = {
    "t5": T5Config(
        **IDS, d_model=32, num_layers=3, num_decoder_layers=2, num_heads=4, d_kv=8, d_ff=48,
        max_position_embeddings=CONTEXT, relative_attention_num_buckets=8, relative_attention_max_distance=20,
    ),
    "bart": BartConfig(**BARTISH),
    "marian": MarianConfig(**BARTISH),
    "mbart": MBartConfig(**BARTISH),
    "pegasus": PegasusConfig(**BARTISH),
}  # fmt: skip


def writer(name: str, scale: float = 6.0, **generation: Any) -> PreTrainedModel:
    """Random weights large enough that what is written depends on all that was read."""
    torch.manual_seed(3)
    model = AutoModelForSeq2SeqLM.from_config(copy.deepcopy(FAMILIES[name])).eval()
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if weight.dim() > 1 and "embed_positions" not in key:
                weight.mul_(scale)
    model.generation_config.update(pad_token_id=0, eos_token_id=None, forced_eos_token_id=None, **generation)
    return model


def reference(model: PreTrainedModel, source: Sequence[int], count: int) -> list[int]:
    """What transformers' `generate` writes of one source, the decoder's start left out."""
    ids = torch.tensor([list(source)])
    made = model.generate(ids, attention_mask=torch.ones_like(ids), max_new_tokens=count, do_sample=False, num_beams=1)
    return made[0, 1:].tolist()


@pytest.mark.spec(
    "G1", "encoder-decoders write through the same engine: transformers' tokens, ragged, joining and leaving"
)
@pytest.mark.parametrize("name", FAMILIES)
def test_greedy_parity(name: str, engine_of: EngineOf) -> None:
    model = writer(name)
    sources, counts = prompts_of((3, 17, 9, 1, 30, 5), seed=6), (20, 12, 30, 1, 25, 8)
    engine = engine_of(model, max_batch=3)
    assert engine.tier is not None and engine.tier.name == "padded", engine.tier
    found = engine.generate([Request(s, Sampling(max_new_tokens=n)) for s, n in zip(sources, counts, strict=True)])
    expected = [reference(model, source, count) for source, count in zip(sources, counts, strict=True)]
    assert len({tuple(ids[:8]) for ids in expected}) > 3  # the sources matter
    assert [done.ids for done in found] == expected
    assert all(done.finish_reason == "length" for done in found)


@pytest.mark.parametrize("name", ["t5", "bart"])
def test_a_source_is_read_once_and_rows_join_and_are_cancelled(name: str, engine_of: EngineOf) -> None:
    model = writer(name)
    engine = engine_of(model, max_batch=3)
    gate, reads = Gate(model), Counter(model.get_encoder())
    sources = prompts_of((10, 4, 40), seed=4)
    gate.key = "decoder_input_ids"
    gate.shut()
    first = engine.submit(Request(sources[0], Sampling(max_new_tokens=30)))
    gate.let(5)
    gate.wait_for(6)
    second = engine.submit(Request(sources[1], Sampling(max_new_tokens=30)))
    third = engine.submit(Request(sources[2], Sampling(max_new_tokens=12)))
    gate.let(4)
    gate.wait_for(10)
    second.cancel()
    gate.open()
    ids = [[token.id for token in stream] for stream in (first, third)]
    gate.remove()
    assert ids == [reference(model, sources[0], 30), reference(model, sources[2], 12)]
    assert max(rows for rows, _ in gate.shapes) == 3
    assert reads.rows[:2] == [1, 2]  # then transformers' own


class Counter:
    """Counts the rows that a module is given."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.rows: list[int] = []
        module.register_forward_pre_hook(
            lambda _, __, named: self.rows.append(len(named["input_ids"])) if "input_ids" in named else None,
            with_kwargs=True,
        )


@pytest.mark.parametrize("name", ["bart", "t5"])
def test_tokens_that_the_generation_settings_force_or_forbid(name: str, engine_of: EngineOf) -> None:
    plain = reference(writer(name), [5, 6, 7], 9)
    model = writer(name, forced_bos_token_id=44, bad_words_ids=[[plain[2]]], suppress_tokens=[plain[1]])
    model.generation_config.update(eos_token_id=END, forced_eos_token_id=END)
    engine = engine_of(model)
    for count in (1, 2, 9):
        expected = reference(model, [5, 6, 7], count)
        (done,) = engine.generate([Request([5, 6, 7], Sampling(max_new_tokens=count), frozenset({END}))])
        assert expected[-1] == END and done.ids == expected[:-1]
        if count == 9:
            assert done.ids[0] == 44 and not {plain[1], plain[2]} & set(done.ids)
    with torch.no_grad():
        logits_V = model(input_ids=torch.tensor([[5, 6, 7]]), decoder_input_ids=torch.tensor([[START]])).logits[0, 0]
    assert done.tokens[0].logprob == pytest.approx(
        logits_V.index_fill(0, torch.tensor([plain[1], plain[2]]), -torch.inf).log_softmax(-1)[44].item(), abs=1e-5
    )


def test_rows_that_cannot_run_together_run_one_at_a_time(engine_of: EngineOf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by running: a decoder that is given the wrong positions is not batched, and still writes the same."""
    from contextlib import nullcontext

    model = writer("bart", scale=4.0)
    with torch.no_grad():
        model.get_decoder().embed_positions.weight.mul_(40)
    monkeypatch.setattr("langwright.inference.running.rewriting.positions_set", lambda *_: nullcontext())
    sources = prompts_of((3, 9, 6), seed=2)
    engine = engine_of(model, max_batch=3)
    assert engine.tier is not None and engine.tier.name == "single" and "differ" in engine.tier.reason()
    found = engine.generate([Request(source, Sampling(max_new_tokens=10)) for source in sources])
    assert [done.ids for done in found] == [reference(model, source, 10) for source in sources]


def test_positions_are_set_for_the_block_alone() -> None:
    model = writer("bart")
    places = model.get_decoder().embed_positions
    with positions_set(model, torch.tensor([[3], [0]])):
        inside = places(torch.zeros(2, 1), 7)
    assert torch.equal(inside, places.weight[torch.tensor([[5], [2]])])
    assert torch.equal(places(torch.zeros(1, 1), 7)[0, 0], places.weight[9])


@pytest.mark.spec("T30", "the probability of a text given the one that an encoder-decoder read, token by token")
@pytest.mark.parametrize("name", ["t5", "bart", "marian"])
def test_scores_after_a_source(name: str, engine_of: EngineOf) -> None:
    model = writer(name, scale=2.0)
    engine = engine_of(model)
    sources, targets = prompts_of((4, 20, 9), seed=1), prompts_of((7, 2, 30), seed=2)
    for source, target, found, judged in zip(
        sources, targets, engine.score(targets, sources), engine.judge(targets, sources), strict=True
    ):
        with torch.no_grad():
            logprob_TV = model(
                input_ids=torch.tensor([source]), decoder_input_ids=torch.tensor([[START, *target[:-1]]])
            ).logits[0].log_softmax(-1)  # fmt: skip
        expected = [logprob_TV[place, id].item() for place, id in enumerate(target)]
        assert found == pytest.approx(expected, abs=1e-4) == [logprob for logprob, _ in judged]
        assert [hit for _, hit in judged] == [logprob_TV[place].argmax() == id for place, id in enumerate(target)]


def test_scores_after_a_prompt_are_those_of_the_whole(llama: PreTrainedModel, engine_of: EngineOf) -> None:
    engine = engine_of(llama)
    prompts, rows = prompts_of((4, 1), seed=1), prompts_of((3, 8), seed=2)
    for prompt, row, found in zip(prompts, rows, engine.score(rows, prompts), strict=True):
        assert found == pytest.approx(engine.score([[*prompt, *row]])[0][len(prompt) - 1 :], abs=1e-5)


def test_what_cannot_be_asked(engine_of: EngineOf) -> None:
    engine = engine_of(writer("bart"))
    assert engine.kind == "rewrites"
    with pytest.raises(UserError, match="only after another that it was written from"):
        engine.score([[1, 2]])
    with pytest.raises(UserError, match="reads 64: 3 too many"):
        engine.submit(Request([1] * (CONTEXT + 3)))
    with pytest.raises(UserError, match="prompt is empty"):
        engine.submit(Request([]))
    with pytest.raises(UserError, match="token 97 does not exist"):
        engine.submit(Request([VOCAB]))
    (done,) = engine.generate([Request([1] * CONTEXT, Sampling(max_new_tokens=500))])
    assert len(done.ids) == CONTEXT - 1
    aimless = writer("t5")
    aimless.generation_config.update(decoder_start_token_id=None, bos_token_id=None)
    aimless.config.decoder_start_token_id = None
    with pytest.raises(UserError, match="which token its decoder begins with"):
        engine_of(aimless)


# --- encoders ----------------------------------------------------------------------------------------

BERT = BertConfig(
    vocab_size=VOCAB, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48,
    max_position_embeddings=CONTEXT,
)  # fmt: skip


@pytest.mark.spec("T31", "an encoder's hidden states in batches by length equal each text's alone")
@pytest.mark.parametrize("made", [BertModel, BertForMaskedLM])
def test_encoding_with_an_encoder(made: Any, engine_of: EngineOf) -> None:
    torch.manual_seed(0)
    model = made(copy.deepcopy(BERT)).eval()
    engine = engine_of(model)
    rows = prompts_of((3, 40, 9, 1, 12), seed=8)
    passes = Counter(model.base_model)
    found = engine.encode(rows)
    assert passes.rows == [5]
    for row, states in zip(rows, found, strict=True):
        with torch.no_grad():
            expected = model.base_model(torch.tensor([row])).last_hidden_state[0].numpy()
        assert states.shape == (len(row), 32) and abs(states - expected).max() < 1e-5
    assert engine.kind == "reads"
    with pytest.raises(UserError, match="models of type bert do not write"):
        engine.submit(Request([1]))
    with pytest.raises(UserError, match="give a text no probability"):
        engine.score([[1, 2]])


def test_encoding_with_an_encoder_decoder_reads_with_its_encoder(engine_of: EngineOf) -> None:
    model = writer("t5", scale=2.0)
    rows = prompts_of((3, 11), seed=8)
    for row, states in zip(rows, engine_of(model).encode(rows), strict=True):
        with torch.no_grad():
            expected = model.get_encoder()(torch.tensor([row])).last_hidden_state[0].numpy()
        assert abs(states - expected).max() < 1e-4
