"""Span corruption, denoising and continuation on running text, for encoder-decoders."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, assert_never

from langwright.artifacts import Ability
from langwright.errors import UserError
from langwright.objectives.pretraining import (
    Continuing,
    Denoising,
    DocumentRotation,
    Noising,
    SentencePermutation,
    SpanCorruption,
    TextInfilling,
    TokenDeletion,
    TokenMasking,
)
from langwright.stages.courses.course import Course, Reading
from langwright.tokenizers.sentinels import add_end, add_mask, add_padding, add_sentinels, sentinel

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from langwright.objectives.denoising import DenoisingExamples, Noise, Pairing
    from langwright.objectives.seq2seq import Seq2Seq, Seq2SeqBatch
    from langwright.stages.fitting import Rewritten
    from langwright.training.preflight import Preflight


def rows(
    reading: Reading, split: str, tokens: int, pairing: Pairing, widths: tuple[int, int] | None
) -> DenoisingExamples:
    """The split end to end, cut into rows of this many tokens, each made a pair."""
    from langwright.data.packing import saved_plan
    from langwright.objectives.denoising import DenoisingExamples

    store = reading.store(split)
    plan = saved_plan(store, "stream", tokens)
    return DenoisingExamples(store, plan, pairing, reading.tokenizer.pad_token_id, reading.seed, widths)


def corrupted(reading: Reading, split: str, settings: SpanCorruption) -> DenoisingExamples:
    """Rows that fill the encoder exactly once their spans are marks.

    raises  UserError where they have more spans than there are marks
    """
    from langwright.objectives.denoising import Corruption
    from langwright.objectives.spans import Spans
    from langwright.tokenizers.sentinels import sentinel_ids

    spans = Spans(settings.density, settings.mean_span)
    tokens, marks = spans.row_for(reading.length), sentinel_ids(reading.tokenizer)
    if spans.counts(tokens)[1] > len(marks):
        raise UserError(
            "a row of {tokens} tokens would have {spans} corrupted spans, and there are {marks} marks for them",
            fix="shorten the rows with --set length=N, corrupt less with objective.density, or raise objective.mean_span",
            tokens=tokens,
            spans=spans.counts(tokens)[1],
            marks=len(marks),
        )
    return rows(reading, split, tokens, Corruption(spans, marks, reading.tokenizer.eos_token_id), spans.widths(tokens))


def noised(reading: Reading, split: str, settings: Denoising) -> DenoisingExamples:
    """Rows as long as the context allows, ended."""
    from langwright.objectives.denoising import Rebuilding

    noises = tuple(noise(one, reading.tokenizer) for one in settings.noises)
    pairing = Rebuilding(noises, reading.tokenizer.eos_token_id)
    return rows(reading, split, reading.length - 1, pairing, (reading.length, reading.length))


def noise(one: Noising, tokenizer: PreTrainedTokenizerBase) -> Noise:
    """A noise as a function of ids and draws."""
    from langwright.objectives import noises
    from langwright.tokenizers.sentinels import sentence_ends

    match one:
        case TokenMasking():
            return lambda ids, numbers: noises.mask_tokens(ids, one.share, tokenizer.mask_token_id, numbers)
        case TokenDeletion():
            return lambda ids, numbers: noises.delete_tokens(ids, one.share, numbers)
        case TextInfilling():
            return lambda ids, numbers: noises.infill(ids, one.share, one.mean_span, tokenizer.mask_token_id, numbers)
        case SentencePermutation():
            ends = sentence_ends(tokenizer)
            return lambda ids, numbers: noises.permute_sentences(ids, ends, numbers)
        case DocumentRotation():
            return noises.rotate
        case _:
            assert_never(one)


def continued(reading: Reading, split: str, settings: Continuing) -> DenoisingExamples:
    """Rows cut in two at a random place."""
    from langwright.objectives.denoising import Continuation

    return rows(reading, split, reading.length - 1, Continuation(reading.tokenizer.eos_token_id), None)


def objective(settings: Any, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, compiled: bool) -> Seq2Seq:
    """Sequence to sequence; how a text became a pair is no concern of it."""
    from langwright.objectives.seq2seq import Seq2Seq

    return Seq2Seq(model.config.decoder_start_token_id, compiled=compiled)


def sampler(mark: str, tokenizer: PreTrainedTokenizerBase, prompts: tuple[str, ...]) -> Rewritten:
    """What the model writes when a mark stands behind the prompt."""
    from langwright.stages.fitting import Rewritten

    return Rewritten(tokenizer, tuple(prompt + mark for prompt in prompts))


def sampler_of_mask(tokenizer: PreTrainedTokenizerBase, prompts: tuple[str, ...]) -> Rewritten:
    """The same with the mask."""
    return sampler(tokenizer.mask_token, tokenizer, prompts)


def ended(tokenizer: PreTrainedTokenizerBase) -> None:
    """Every pair ends, and is padded."""
    add_end(tokenizer)
    add_padding(tokenizer)


def masked(tokenizer: PreTrainedTokenizerBase) -> None:
    """The same, with a mask."""
    ended(tokenizer)
    add_mask(tokenizer)


def marked(tokenizer: PreTrainedTokenizerBase) -> None:
    """The same, with sentinels."""
    ended(tokenizer)
    add_sentinels(tokenizer)


def looked_at(report: Preflight, batch: Seq2SeqBatch, tokenizer: PreTrainedTokenizerBase) -> Preflight:
    """The first row as a pair, and of all that is read and written the share that is written."""
    from langwright.objectives.next_token import IGNORED
    from langwright.stages.fitting import pieces_of_pair

    read, told = batch.tokens_BS[0][batch.mask_BS[0] == 1], batch.targets_BT[0][batch.targets_BT[0] != IGNORED]
    return report.model_copy(
        update={
            "supervised": batch.units / (batch.positions - batch.padding),
            "padding": batch.padding / batch.positions,
            "sample": pieces_of_pair(tokenizer, read.tolist(), told.tolist()),
        }
    )


def share_decoded(settings: SpanCorruption) -> float:
    """Of a row's positions, encoder and decoder, those of the decoder."""
    spans = settings.density / settings.mean_span
    return (settings.density + spans) / (1 + 2 * spans)


T5 = ("t5-tiny", "t5-mini", "t5-small")
BART = ("bart-tiny", "bart-mini", "bart-small")

SPAN_CORRUPTION = Course(
    settings=SpanCorruption,
    families=("t5",),
    presets=T5,
    usual="t5-mini",
    head="seq2seq",
    abilities=(Ability(task="rewrite", solver="generation"),),
    examples=corrupted,
    looked_at=looked_at,
    objective=objective,
    prepare=marked,
    sampler=partial(sampler, sentinel(0)),
    predicted=share_decoded,
)
DENOISING = Course(
    settings=Denoising,
    families=("bart", "t5"),
    presets=BART,
    usual="bart-mini",
    head="seq2seq",
    abilities=(Ability(task="rewrite", solver="generation"),),
    examples=noised,
    looked_at=looked_at,
    objective=objective,
    prepare=masked,
    sampler=sampler_of_mask,
)
CONTINUATION = Course(
    settings=Continuing,
    families=("t5", "bart"),
    presets=T5,
    usual="t5-mini",
    head="seq2seq",
    abilities=(Ability(task="rewrite", solver="generation"),),
    examples=continued,
    looked_at=looked_at,
    objective=objective,
    prepare=ended,
    sampler=partial(sampler, ""),
    one_shape=False,
)
