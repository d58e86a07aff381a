"""Watermarks: closed forms, transformers' own where it follows the paper, chance over keys, batches, key files."""

from __future__ import annotations

import math
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from tests.inference.tiny import VOCAB, prompts_of
from transformers import PreTrainedModel, SynthIDTextWatermarkLogitsProcessor, WatermarkDetector

from langwright.errors import UserError
from langwright.inference.engine import TorchEngine
from langwright.inference.protocol import Request, Sampling
from langwright.inference.watermark.detection import tail_of_count, tail_of_mean
from langwright.inference.watermark.green import GreenMark
from langwright.inference.watermark.keys import Mark, mark_of, new_mark, read_mark, save_mark
from langwright.inference.watermark.settings import KGW, SynthID
from langwright.inference.watermark.tournament import TournamentMark, layer_weights, tournament

KEY = b"k" * 32
DRAWN = Sampling(temperature=1.0, max_new_tokens=60)
KINDS = [KGW(bias=3.0), KGW(scheme="self", width=3, bias=3.0), SynthID()]


def keys(count: int) -> list[bytes]:
    return [number.to_bytes(32, "little") for number in range(count)]


# --- the sums ------------------------------------------------------------------------------------


@pytest.mark.spec("S3", "z-scores of the green-list watermark equal the closed form of its paper, and transformers'")
@pytest.mark.parametrize(("hits", "scored", "share"), [(59, 62, 0.25), (90, 200, 0.25), (30, 100, 0.5), (0, 7, 0.1)])
def test_z_equals_the_closed_form_and_transformers(hits: int, scored: int, share: float) -> None:
    found = tail_of_count(hits, scored, share)
    assert found.z == pytest.approx((hits - share * scored) / math.sqrt(scored * share * (1 - share)), abs=1e-12)
    theirs = WatermarkDetector.__new__(WatermarkDetector)
    theirs.greenlist_ratio = share
    assert found.z == pytest.approx(float(theirs._compute_z_score(np.float64(hits), np.float64(scored))), abs=1e-9)
    exact = sum(
        math.comb(scored, k) * share**k * (1 - share) ** (scored - k) for k in range(hits, scored + 1)
    )  # fmt: skip
    assert found.p_value == pytest.approx(exact, rel=1e-9)


def test_known_values() -> None:
    assert tail_of_count(59, 62, 0.25).z == pytest.approx(12.758299, abs=1e-6)
    assert tail_of_count(90, 200, 0.25).z == pytest.approx(6.531973, abs=1e-6)


@given(scored=st.integers(1, 400), share=st.floats(0.05, 0.6), allowed=st.sampled_from([0.05, 0.01, 1e-4]))
@settings(max_examples=60, deadline=None)
def test_the_threshold_knows_the_length(scored: int, share: float, allowed: float) -> None:
    """No length calls more unmarked texts marked than allowed, and one hit less would be too many."""
    threshold = tail_of_count(0, scored, share).threshold(allowed)
    deviation = math.sqrt(share * (1 - share) / scored)
    if threshold is None:
        assert stats.binom.sf(scored - 1, scored, share) > allowed
        assert tail_of_count(scored, scored, share).verdict(allowed) == "too short to tell"
        return
    hits = round((threshold * deviation + share) * scored)
    assert stats.binom.sf(hits - 1, scored, share) <= allowed < stats.binom.sf(hits - 2, scored, share)
    assert tail_of_count(hits, scored, share).verdict(allowed) == "marked"
    assert tail_of_count(hits - 1, scored, share).verdict(allowed) == "not marked"


def test_a_normal_threshold_would_call_too_many_short_texts_marked() -> None:
    """Ten tokens at a green share of a tenth: four hits have z 3.2, and chance gives them to 1.3 % of texts."""
    found = tail_of_count(4, 10, 0.1)
    assert found.z > stats.norm.isf(0.01) and found.verdict(0.01) == "not marked"


def colours(mark: GreenMark, context: list[int], vocabulary: int) -> np.ndarray:
    """Which ids are green after a context."""
    return mark.green(mark.words([context], np.arange(vocabulary)))


# --- green tokens --------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["left", "self"])
def test_green_tokens_gain_the_bias_and_nothing_else_changes(scheme: str) -> None:
    mark = GreenMark(KGW(bias=1.5, scheme=scheme, width=2), KEY)
    logits_V = torch.randn(VOCAB, generator=torch.Generator().manual_seed(0)).double()
    made = [3, 5]
    green_V = torch.from_numpy(colours(mark, made[len(made) - mark.before :], VOCAB))
    torch.testing.assert_close(mark.marked(logits_V, [9, 9, *made], 2), logits_V + 1.5 * green_V)
    assert 0 < green_V.sum() < VOCAB


def test_colours_do_not_depend_on_the_size_of_the_vocabulary() -> None:
    for scheme in ("left", "self"):
        mark = GreenMark(KGW(scheme=scheme, width=2), KEY)
        context = [4, 7][: mark.before]
        large = colours(mark, context, 1000)
        np.testing.assert_array_equal(large[:50], colours(mark, context, 50))
        assert large[77] == mark.green(mark.words([context], np.asarray([77])))[0]


@pytest.mark.parametrize("config", [KGW(), KGW(scheme="self", width=4), KGW(green_share=0.5, width=3)])
def test_the_share_of_green_tokens_is_the_one_asked_for(config: KGW) -> None:
    """Over keys, and over tokens: both as independent draws would give."""
    context = [11, 12, 13, 14][: GreenMark(config, KEY).before]
    hits = sum(int(colours(GreenMark(config, key), context, 500).sum()) for key in keys(200))
    assert stats.binomtest(hits, 200 * 500, config.green_share).pvalue > 1e-3
    pairs = [colours(GreenMark(config, key), context, 2) for key in keys(3000)]
    both = sum(bool(pair.all()) for pair in pairs)
    assert stats.binomtest(both, 3000, config.green_share**2).pvalue > 1e-3


@pytest.mark.spec(
    "S3", "over secret keys the score of unmarked text is standard normal, so that a p-value means what it says"
)
@pytest.mark.parametrize("config", [KGW(), KGW(scheme="self", width=3), SynthID(depth=20), SynthID(depth=1)])
def test_chance_over_keys_is_standard_normal(config: KGW | SynthID) -> None:
    ids = prompts_of((300,))[0] + prompts_of((40,))[0]  # forty that repeat
    found = [mark_of(config, key).evidence(ids) for key in keys(1500)]
    rng = np.random.default_rng(0)
    steps = [1 / (one.scored * one.deviation) for one in found]  # a count is a step of this size: blurred, continuous
    blur = steps if config.kind == "kgw" or config.depth == 1 else [0.0] * len(found)
    z = np.asarray([one.z for one in found]) + np.asarray(blur) * rng.uniform(-0.5, 0.5, len(found))
    assert stats.kstest(z, "norm").pvalue > 1e-3
    for allowed in (0.05, 0.01):
        false = sum(one.verdict(allowed) == "marked" for one in found)
        assert false <= stats.binom.isf(1e-3, len(found), allowed)


@pytest.mark.parametrize(("scheme", "width"), [("left", 1), ("left", 3)])
def test_as_many_tokens_are_scored_as_transformers_scores(scheme: str, width: int) -> None:
    """Each n-gram once; theirs scores the prompt too, so none is given. Ids repeat, so that there is what to leave out."""
    ids = [id % 7 for id in prompts_of((60,))[0]]
    config = type("C", (), {"bos_token_id": 96, "is_encoder_decoder": False, "vocab_size": VOCAB})
    theirs = WatermarkDetector(
        config, "cpu", {"seeding_scheme": scheme + "hash", "context_width": width, "bias": 2.0, "greenlist_ratio": 0.25},
        ignore_repeated_ngrams=True,
    )  # fmt: skip
    counted = theirs._score_ngrams_in_passage(torch.tensor([ids]))[0][0]
    assert GreenMark(KGW(scheme=scheme, width=width), KEY).evidence(ids).scored == counted


# --- the tournament ------------------------------------------------------------------------------


@pytest.mark.spec("S3", "the tournament of SynthID-Text equals transformers' on the same g-values")
def test_the_tournament_equals_transformers() -> None:
    generator = torch.Generator().manual_seed(0)
    scores_BV = torch.randn((1, 40), generator=generator).double()
    values_BVL = torch.randint(0, 2, (1, 40, 30), generator=generator)
    theirs = SynthIDTextWatermarkLogitsProcessor.update_scores(None, scores_BV, values_BVL)
    ours = tournament(scores_BV.softmax(-1)[0].numpy(), values_BVL[0].T.numpy())
    np.testing.assert_allclose(ours, theirs.exp()[0].numpy(), rtol=1e-9, atol=1e-12)


def test_a_layer_is_a_match_of_two_whose_ties_a_coin_decides() -> None:
    """By hand: the probability that x wins over all pairs drawn from p."""
    p, g = np.array([0.5, 0.3, 0.2]), np.array([0, 1, 1])
    want = [
        sum(
            float(p[a] * p[b]) * (0.5 * ((a == x) + (b == x)) if g[a] == g[b] else float((a if g[a] > g[b] else b) == x))
            for a in range(3) for b in range(3)
        ) for x in range(3)
    ]  # fmt: skip
    np.testing.assert_allclose(tournament(p, g[None]), want, rtol=1e-12)


def test_over_keys_the_distribution_is_kept() -> None:
    p_V = torch.tensor([0.4, 0.3, 0.2, 0.1]).double()
    marks = [TournamentMark(SynthID(), key) for key in keys(4000)]
    mean_V = sum(mark.marked(p_V.log(), [1, 2, 3, 4], 4).exp() for mark in marks) / len(marks)
    torch.testing.assert_close(mean_V, p_V, atol=0.03, rtol=0)


def test_what_was_ruled_out_stays_so() -> None:
    logits_V = torch.tensor([0.0, -torch.inf, 1.0, -torch.inf])
    found_V = TournamentMark(SynthID(depth=1), KEY).marked(logits_V, [1, 2, 3, 4], 4)
    assert found_V.isneginf().tolist() == [False, True, False, True] and found_V.dtype == logits_V.dtype


def test_a_uniform_model_reaches_the_expected_score() -> None:
    """One layer over V equally likely tokens: the winner's g is 1/2 + (1 - 1/V)/4 on average."""
    p_V = torch.full((20,), 0.05).double()
    marks = [TournamentMark(SynthID(depth=1), key) for key in keys(4000)]
    found = [
        float(mark.marked(p_V.log(), [1, 2, 3, 4], 4).exp().numpy() @ mark.values([[1, 2, 3, 4]], np.arange(20))[0])
        for mark in marks
    ]
    assert np.mean(found) == pytest.approx(0.5 + 0.25 * (1 - 1 / 20), abs=4 * np.std(found) / math.sqrt(len(found)))


def test_weights_fall_evenly_and_are_one_on_average() -> None:
    weights = layer_weights(30)
    assert weights.mean() == pytest.approx(1) and weights[0] / weights[-1] == pytest.approx(10)
    assert np.ptp(np.diff(weights)) < 1e-12


def test_a_context_that_comes_again_is_left_unmarked() -> None:
    mark, flat_V = TournamentMark(SynthID(width=2), KEY), torch.zeros(9).double()

    def unmarked(prompt: list[int], made: list[int]) -> bool:
        return torch.equal(mark.marked(flat_V, [*prompt, *made], len(prompt)), flat_V)

    assert not unmarked([1, 2], []) and not unmarked([1, 2], [3, 1])
    assert unmarked([1, 2], [3, 1, 2])  # after 1 2 the token 3 was marked already
    assert not unmarked([1, 2, 1, 2], [])  # in the prompt nothing is marked
    assert unmarked([1], [])  # too little stands before
    assert mark.evidence([1, 2, 3, 1, 2, 4]).scored == 3  # 12|3, 23|1, 31|2; the second 12 is left out


@pytest.mark.parametrize("hits", [30, 36, 40])
def test_one_layer_is_a_count_of_coins(hits: int) -> None:
    """Where the exact tail is known, the normal one with half a step taken off is close to it."""
    found = tail_of_mean([1.0] * hits + [0.0] * (60 - hits), 0.25, 1.0)
    exact = tail_of_count(hits, 60, 0.5)
    assert found.z == pytest.approx(exact.z) and found.p_value == pytest.approx(exact.p_value, rel=0.15)
    assert found.threshold(0.01) == pytest.approx(exact.threshold(0.01), abs=found.step / found.deviation)


# --- in the engine -------------------------------------------------------------------------------


def written(
    engine: TorchEngine, prompts: list[list[int]], marks: list[Mark | None], sampling: Sampling = DRAWN
) -> list[list[int]]:
    requests = [
        Request(prompt, sampling.model_copy(update={"seed": 7 + number}), watermark=mark)
        for number, (prompt, mark) in enumerate(zip(prompts, marks, strict=True))
    ]
    return [done.ids for done in engine.generate(requests)]


@pytest.mark.spec(
    "S3", "each request is marked under its own key in one batch, and its neighbours write what they would alone"
)
def test_marks_in_a_batch(llama: PreTrainedModel, engine_of: Callable[..., TorchEngine]) -> None:
    engine = engine_of(llama, max_batch=4)
    prompts = prompts_of((5, 9, 4, 7))
    marks: list[Mark | None] = [mark_of(KINDS[0], KEY), None, mark_of(KINDS[1], b"a" * 32), mark_of(KINDS[2], KEY)]
    together = written(engine, prompts, marks)
    for number, (prompt, mark, ids) in enumerate(zip(prompts, marks, together, strict=True)):
        request = Request(prompt, DRAWN.model_copy(update={"seed": 7 + number}), watermark=mark)
        assert engine.generate([request])[0].ids == ids
        if mark is not None:
            assert ids != engine.generate([Request(prompt, request.sampling)])[0].ids


@pytest.mark.spec("S3", "what is written under a key is found by that key and by no other, the prompt left out")
@pytest.mark.parametrize("config", KINDS, ids=lambda one: f"{one.kind}-{getattr(one, 'scheme', '')}")
def test_marked_text_is_found(
    config: KGW | SynthID, flat: PreTrainedModel, engine_of: Callable[..., TorchEngine]
) -> None:
    engine = engine_of(flat)
    mark, other = mark_of(config, KEY), mark_of(config, b"o" * 32)
    prompts = prompts_of((10, 12, 14))
    for prompt, ids in zip(prompts, written(engine, prompts, [mark] * 3), strict=True):
        found = mark.evidence([*prompt, *ids], len(prompt))
        assert found.verdict(1e-4) == "marked"
        assert found.scored <= len(ids)
        assert other.evidence([*prompt, *ids], len(prompt)).p_value > 1e-3
        assert mark.evidence(prompt).p_value > 1e-3
    for ids in written(engine, prompts, [None] * 3):
        assert mark.evidence(ids).p_value > 1e-3


def test_greedy_text_can_be_marked_by_green_tokens(
    flat: PreTrainedModel, engine_of: Callable[..., TorchEngine]
) -> None:
    mark = mark_of(KGW(bias=4.0), KEY)
    engine, prompt = engine_of(flat), prompts_of((8,))
    greedy = Sampling(max_new_tokens=40)
    ids = written(engine, prompt, [mark], greedy)[0]
    assert mark.evidence([*prompt[0], *ids], 8).p_value < 1e-4
    logits_V = flat(torch.tensor([[*prompt[0], *ids[:5]]])).logits[0, -1].double()
    green_V = torch.from_numpy(colours(mark, ids[4:5], VOCAB))
    assert ids[5] == int((logits_V + 4.0 * green_V).argmax())


@pytest.fixture(scope="session")
def flat() -> PreTrainedModel:
    """A model with entropy to spare."""
    from tests.inference.tiny import LLAMA, random_model

    return random_model(LLAMA, scale=3.0)


# --- key files -----------------------------------------------------------------------------------


@pytest.mark.spec("S3", "detection gives the same score after the key was saved and read again")
@pytest.mark.parametrize("config", KINDS, ids=lambda one: f"{one.kind}-{getattr(one, 'scheme', '')}")
def test_a_key_file_finds_what_was_marked_before(config: KGW | SynthID, tmp_path: Path) -> None:
    mark = new_mark(config)
    save_mark(mark, tmp_path / "keys" / "mine.json")
    again = read_mark(tmp_path / "keys" / "mine.json")
    ids = prompts_of((200,))[0]
    assert again == mark and again.evidence(ids) == mark.evidence(ids)
    assert stat.S_IMODE((tmp_path / "keys" / "mine.json").stat().st_mode) == 0o600


def test_a_key_is_never_shown_nor_written_over(tmp_path: Path) -> None:
    mark = new_mark(KGW())
    assert mark.key.hex() not in repr(mark) and str(mark.key) not in repr(mark)
    file = tmp_path / "mine.json"
    save_mark(mark, file)
    before = file.read_bytes()
    with pytest.raises(UserError, match="already exists"):
        save_mark(new_mark(KGW()), file)
    assert file.read_bytes() == before
    file.write_text(file.read_text().replace('"format"', '"formal"'))
    with pytest.raises(UserError, match="not a key file") as said:
        read_mark(file)
    assert mark.key.hex() not in str(said.value) + said.value.fix() + repr(said.value.params)
