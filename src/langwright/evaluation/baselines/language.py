"""Simple methods on the same rows as the model: what a compressor, counting n-grams and counting words achieve."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from langwright.data import kneser_ney
from langwright.data.schemas import ClassificationRow
from langwright.evaluation.baselines.compression import conditional_xz
from langwright.evaluation.baselines.word_counts import Guess, WordCounts, fit_word_counts, fit_word_counts_of_each
from langwright.evaluation.measuring.job import Job
from langwright.evaluation.measuring.perplexity import token_ids
from langwright.evaluation.measuring.sampling import evenly
from langwright.inference.texts.text import TextModel
from langwright.measures import Measure
from langwright.metrics.comparison import difference
from langwright.metrics.intervals import DRAWS
from langwright.metrics.likelihood import DocumentScore, bits_per_byte
from langwright.metrics.yardsticks import Yardstick, signed
from langwright.runlog import Progressed

XZ = "conditional xz -9e"
NGRAMS = "Kneser-Ney 5-gram"
WORDS = "TF-IDF and logistic regression"
COMMONEST = "always the commonest label"
MINUS = " − "  # between the names of two models that are compared

XZ_BITS_PER_BYTE = Yardstick(
    name="bits per byte", unit="bits/byte", better="lower",
    method="size of xz -9e of {train} bytes of training text followed by this text, less its size without, over {bytes} bytes",
    does_not_show="what a compressor that knows language achieves: xz knows repeated strings only, and looks back 64 MiB",
)  # fmt: skip

NGRAM_BITS_PER_BYTE = Yardstick(
    name="bits per byte", unit="bits/byte", better="lower",
    method="interpolated modified Kneser-Ney 5-gram (Chen & Goodman 1999) over the model's tokens, counted on {train} training tokens: negative log2-probability of {tokens} tokens over {bytes} UTF-8 bytes of {documents} documents; interval: {draws} bootstrap draws over documents",
    does_not_show="what counting achieves with more text: it gains from every further training token",
)  # fmt: skip


# --- text ----------------------------------------------------------------------------------------


def text_baselines(
    model: TextModel, texts: Sequence[str], scores: Sequence[DocumentScore], job: Job
) -> Iterator[Measure]:
    """xz and a Kneser-Ney 5-gram on the same texts, and how far the model is from the latter."""
    train = job.dataset.texts("train")
    packed = conditional_xz(evenly(train, job.train_share), texts, job.log)
    xz = XZ_BITS_PER_BYTE.measure(
        packed.bits_per_byte, n=packed.validation, train=packed.train, bytes=packed.validation
    )
    counted, trained_on = score_by_counting(model, texts, job)
    found = bits_per_byte(counted, seed=job.settings.seed)
    tokens = sum(score.tokens for score in counted)
    method = NGRAM_BITS_PER_BYTE.method.format(
        train=trained_on, tokens=tokens, bytes=found.n, documents=len(counted), draws=DRAWS
    )
    ngrams = found.model_copy(update={"method": method, "does_not_show": NGRAM_BITS_PER_BYTE.does_not_show})
    yield from signed([ngrams], model=NGRAMS)
    yield from signed([xz], model=XZ)
    mine, theirs = ([score.nats / math.log(2) for score in side] for side in (scores, counted))
    gap = difference(
        mine, theirs, [score.bytes for score in scores], of="bits per byte", unit="bits/byte", seed=job.settings.seed
    )
    yield from signed([gap], model=model.name + MINUS + NGRAMS)


def score_by_counting(model: TextModel, texts: Sequence[str], job: Job) -> tuple[list[DocumentScore], int]:
    """What a 5-gram over the model's own tokens says of each text, and how many tokens it was counted on."""
    import numpy as np

    tokenizer = model.tokenizer
    train = evenly(job.dataset.texts("train"), job.train_share)
    counted_on = [np.array(ids, dtype=np.int64) for _, ids in token_ids(tokenizer, train)]
    ngrams = kneser_ney.count(counted_on, len(tokenizer), log=job.log)
    found = [
        DocumentScore(-float(ngrams.logprobs(ids).sum()), len(ids), len(text.encode()))
        for text, ids in token_ids(tokenizer, texts)
    ]
    return found, sum(map(len, counted_on))


# --- labels --------------------------------------------------------------------------------------


def label_baselines(texts: Sequence[str], job: Job) -> Iterator[tuple[str, list[Guess]]]:
    """(name, guesses) of word counts, and of always naming the commonest training label."""
    train = [row for row in evenly(job.dataset.rows("train"), job.train_share) if isinstance(row, ClassificationRow)]
    commonest = Counter(row.label for row in train).most_common(1)[0][0]
    job.log.write(Progressed(what="fitting TF-IDF and logistic regression", done=0))
    fitted: WordCounts = fit_word_counts([row.text for row in train], [row.label for row in train])
    yield WORDS, fitted(texts)
    yield COMMONEST, [Guess(commonest) for _ in texts]


def several_baselines(job: Job) -> Iterator[tuple[str, Callable[[Sequence[str]], Sequence[Guess]]]]:
    """(name, predictor) of word counts for each label by itself, and of always giving the commonest label alone."""
    train = [row for row in evenly(job.dataset.rows("train"), job.train_share) if isinstance(row, ClassificationRow)]
    commonest = Counter(label for row in train for label in row.labels or ()).most_common(1)[0][0]
    job.log.write(Progressed(what="fitting TF-IDF and logistic regression", done=0))
    yield WORDS, fit_word_counts_of_each([row.text for row in train], [row.labels or () for row in train])
    yield COMMONEST, lambda texts: [Guess(commonest, {commonest: 1.0}) for _ in texts]
