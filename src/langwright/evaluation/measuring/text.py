"""A language model on running text: how well it foresees it, what it writes, and what simple methods achieve."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from langwright.data.dataset import text_of
from langwright.errors import UserError
from langwright.evaluation.baselines.language import text_baselines
from langwright.evaluation.measuring.findings import MOST_SHOWN, Details, Findings, Item
from langwright.evaluation.measuring.groups import groups_of
from langwright.evaluation.measuring.job import Job
from langwright.evaluation.measuring.perplexity import score_documents, text_documents
from langwright.evaluation.measuring.writing import written
from langwright.inference.texts.text import TextModel
from langwright.measures import Measure
from langwright.metrics.likelihood import (
    BITS_PER_BYTE,
    NEXT_TOKEN_ACCURACY,
    DocumentScore,
    bits_per_byte,
    next_token_accuracy,
    perplexity,
)
from langwright.metrics.yardsticks import signed
from langwright.runlog import Progressed, Warned

REPORT_ROWS = 50


def evaluate_text(model: TextModel, job: Job) -> Findings:
    """Score the rows, let the model write, and measure the baselines where they are wanted."""
    texts = [text_of(row) for row in job.rows]
    if not any(texts):
        raise UserError(
            "the {split} split of {path} has no rows to measure on",
            fix="choose another split with --set split=NAME, or another dataset",
            split=job.split,
            path=job.dataset.path,
        )
    if job.split == "train":
        job.log.write(Warned(message="measured on the train split: text that a model was trained on looks easier than it is"))  # fmt: skip
    scores = score_texts(model, texts, job)
    measures = list(likelihood(scores, job))
    samples, found = written(model, texts, job)
    measures += found
    if job.can_learn:
        measures += text_baselines(model, texts, scores, job)
    items = tuple(items_of(texts, scores, job))
    return Findings(tuple(measures), Details(task="text", rows=len(texts), samples=samples), items)


def items_of(texts: Sequence[str], scores: Sequence[DocumentScore], job: Job) -> Iterator[Item]:
    """Bits of each text over its bytes, and hits over its tokens."""
    for name, text, score in zip(job.names, texts, scores, strict=True):
        marks = {BITS_PER_BYTE.name: (score.nats / math.log(2), float(score.bytes))}
        if score.hits is not None:
            marks[NEXT_TOKEN_ACCURACY.name] = (float(score.hits), float(score.tokens))
        yield Item(data=job.named(), name=name, asked=text[:MOST_SHOWN], marks=marks)


def score_texts(model: TextModel, texts: Sequence[str], job: Job) -> list[DocumentScore]:
    """What the model says of each text."""
    documents = text_documents(model.tokenizer, texts)
    settings = job.settings
    found: list[DocumentScore] = []
    for score in score_documents(model.engine, documents, length=settings.length, stride=settings.stride):
        found.append(score)
        if len(found) % REPORT_ROWS == 0 or len(found) == len(texts):
            job.log.write(Progressed(what="scoring texts", done=len(found), total=len(texts)))
    return found


def likelihood(scores: Sequence[DocumentScore], job: Job) -> Iterator[Measure]:
    """Bits per byte, perplexity and next-token accuracy, over all rows and by group."""
    yield from of_scores(scores, job.settings.seed)
    for group, places in groups_of(job.rows, job.settings.groups):
        those = [scores[place] for place in places]
        if any(score.tokens for score in those):
            yield from signed(of_scores(those, job.settings.seed), data=job.named(group))


def of_scores(scores: Sequence[DocumentScore], seed: int) -> list[Measure]:
    """What can be said of scored documents."""
    found = [bits_per_byte(scores, seed=seed), perplexity(scores, seed=seed)]
    if all(score.hits is not None for score in scores):
        found.append(next_token_accuracy(scores, seed=seed))
    return found
