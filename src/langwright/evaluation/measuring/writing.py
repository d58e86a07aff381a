"""What a model writes, measured beside as much of what people wrote after the same beginnings.

Variety, repetition, coverage and copying mean nothing by themselves: people repeat and quote too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from langwright.evaluation.measuring.findings import Sample
from langwright.evaluation.measuring.job import Job, write
from langwright.evaluation.measuring.perplexity import token_ids
from langwright.evaluation.measuring.sampling import drawn, opening
from langwright.inference.protocol import Sampling
from langwright.inference.texts.text import TextModel
from langwright.measures import Measure
from langwright.metrics.origin import among_frequent, copied, frequent_characters, valid_utf8
from langwright.metrics.units import language_of, units
from langwright.metrics.variety import coverage, distinct, repetition
from langwright.metrics.yardsticks import signed
from langwright.runlog import Progressed, Sampled

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

PROMPT_PIECES = 8  # Chinese characters, words or marks that a text begins with
REPEATED_PIECES = 4
COPIED_PIECES = 12
FREQUENT = 3500  # as many as China's list of commonly used characters of 1988 has
LOGGED = 5
PEOPLE = "held-out text"  # stands as the model of measures taken on what people wrote
TOKENS = "the tokenizer's tokens, special ones left out"


def written(model: TextModel, texts: Sequence[str], job: Job) -> tuple[tuple[Sample, ...], list[Measure]]:
    """Texts by the model from the beginnings of some rows, and measures of them and of what people wrote."""
    settings = job.settings
    begun = [(prompt, text[len(prompt) :]) for text in texts if 0 < len(prompt := opening(text, PROMPT_PIECES)) < len(text)]  # fmt: skip
    chosen = drawn(begun, settings.samples, settings.seed) if settings.samples else []
    if not chosen:
        return (), []
    top_p = settings.top_p if settings.temperature else 1.0  # nothing is drawn at temperature 0
    sampling = Sampling(temperature=settings.temperature, top_p=top_p, max_new_tokens=settings.max_new_tokens)
    completions = write(model, [prompt for prompt, _ in chosen], sampling, settings.seed, job)
    mine = [completion.text for completion in completions]
    samples = tuple(Sample(prompt=prompt, text=text) for (prompt, _), text in zip(chosen, mine, strict=True))
    for sample in samples[:LOGGED]:
        job.log.write(Sampled(step=0, prompt=sample.prompt, text=sample.text))
    theirs = [opening(rest, len(units(text))) for (_, rest), text in zip(chosen, mine, strict=True)]
    measures = [*variety(mine, model.tokenizer, settings.seed), valid_utf8(mine)]
    measures += signed(list(variety(theirs, model.tokenizer, settings.seed)), model=PEOPLE)
    if "train" in job.dataset.splits:
        measures += origin(mine, job)
        if job.split != "train":
            measures += signed(list(origin(theirs, job)), model=PEOPLE)
    return samples, measures


def variety(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, seed: int) -> Iterator[Measure]:
    """distinct-1, distinct-2, repetition-4 and vocabulary coverage, where there is enough text."""
    longest = max(len(units(text)) for text in texts)
    for n in (1, 2):
        if longest >= n:
            yield distinct(texts, n)
    if longest >= REPEATED_PIECES:
        yield repetition(texts, REPEATED_PIECES, seed=seed)
    ids = [ids for _, ids in token_ids(tokenizer, texts)]
    if any(ids):
        vocabulary = frozenset(range(len(tokenizer))) - frozenset(tokenizer.all_special_ids)
        yield coverage(ids, vocabulary, kind=TOKENS)


def origin(texts: Sequence[str], job: Job) -> Iterator[Measure]:
    """Copied runs, and for Chinese the share of frequent characters, against the train split."""
    if max(len(units(text)) for text in texts) >= COPIED_PIECES:
        job.log.write(Progressed(what="looking for copied text", done=0))
        yield copied(texts, job.dataset.texts("train"), COPIED_PIECES, seed=job.settings.seed)
    if any(language_of(text) == "zh" for text in texts):
        frequent = frequent_characters(job.dataset.texts("train"), FREQUENT)
        yield among_frequent(texts, frequent, k=FREQUENT, seed=job.settings.seed)
