"""Perplexity, bits per byte and next-token accuracy from summed log-probabilities and counts.

Bits per byte does not depend on the tokenizer: it is the code length, in bits, that the model gives to a
text, over the text's UTF-8 bytes. Perplexity is per token and may be compared only between models with
the same tokenizer.

The first token of a document has nothing before it. It is counted like every other, given the
document separator that training puts there (the begin token, else the end token); a tokenizer that has
neither is charged log V nats for it, which is what knowing nothing costs. What follows the last token
(the end of the document) is not counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from langwright.measures import Measure
from langwright.metrics.intervals import DRAWS, bootstrap_ratio
from langwright.metrics.yardsticks import Interval, Yardstick

PERPLEXITY = Yardstick(
    name="perplexity", unit="per token", better="lower",
    method="exp of the mean negative log-probability over {tokens} tokens of {documents} documents; interval: {draws} bootstrap draws over documents",
    does_not_show="models with another tokenizer; whether text is true, useful or pleasant",
)  # fmt: skip

BITS_PER_BYTE = Yardstick(
    name="bits per byte", unit="bits/byte", better="lower",
    method="negative log2-probability of {tokens} tokens over {bytes} UTF-8 bytes of {documents} documents; interval: {draws} bootstrap draws over documents",
    does_not_show="whether text is true, useful or pleasant; how languages compare, as a Chinese character takes three bytes; how new text fares, where this text repeats itself or was trained on",
)  # fmt: skip

NEXT_TOKEN_ACCURACY = Yardstick(
    name="next-token accuracy", unit="share", better="higher",
    method="share of {tokens} tokens of {documents} documents that the model found likeliest; interval: {draws} bootstrap draws over documents",
    does_not_show="models with another tokenizer; how good other continuations are, as many are right and only one is counted",
)  # fmt: skip

ASSISTANT_LOSS = Yardstick(
    name="loss on assistant tokens", unit="nats/token", better="lower",
    method="mean negative log-probability of {tokens} assistant tokens, end of turn included, of {documents} conversations; interval: {draws} bootstrap draws over conversations",
    does_not_show="models with another tokenizer or chat template; whether a reply is right",
)  # fmt: skip

WRITTEN_PERPLEXITY = Yardstick(
    name="perplexity of what was written", unit="per token", better="neither",
    method="exp of the mean negative log-probability that {judge} gives the {tokens} tokens of {texts} texts, at temperature 1 with nothing cut off; interval: {draws} bootstrap draws over texts",
    does_not_show="whether text is good: what repeats itself has a low one, and people surprise a model more than it does itself",
)  # fmt: skip

JUDGED_PERPLEXITY = replace(WRITTEN_PERPLEXITY, name="perplexity to another model")


@dataclass(frozen=True)
class DocumentScore:
    """What a model said of one document.

    nats    summed negative log-probability of its tokens
    tokens  how many tokens that sum counts
    bytes   UTF-8 bytes of its text
    hits    tokens that were the likeliest; None where this was not computed
    """

    nats: float
    tokens: int
    bytes: int
    hits: int | None = None


def perplexity(documents: Sequence[DocumentScore], *, seed: int = 0) -> Measure:
    """exp of nats per token. A uniform model over V tokens has perplexity V.

    raises  ValueError when no token was counted
    """
    nats, tokens = totals(documents)
    interval = bootstrap_ratio([d.nats for d in documents], [d.tokens for d in documents], seed=seed)
    raised = Interval(math.exp(interval.low), math.exp(interval.high)) if interval else None
    return PERPLEXITY.measure(
        math.exp(nats / tokens), raised, n=tokens, seed=seed, tokens=tokens, documents=len(documents), draws=DRAWS
    )


def bits_per_byte(documents: Sequence[DocumentScore], *, seed: int = 0) -> Measure:
    """Nats over ln 2, per UTF-8 byte.

    raises  ValueError when there is no byte
    """
    _, tokens = totals(documents)
    bits = [d.nats / math.log(2) for d in documents]
    size = sum(d.bytes for d in documents)
    interval = bootstrap_ratio(bits, [d.bytes for d in documents], seed=seed)
    return BITS_PER_BYTE.measure(
        math.fsum(bits) / size, interval, n=size, seed=seed,
        tokens=tokens, bytes=size, documents=len(documents), draws=DRAWS,
    )  # fmt: skip


def next_token_accuracy(documents: Sequence[DocumentScore], *, seed: int = 0) -> Measure:
    """Share of tokens that were the model's likeliest. The interval treats documents, not tokens, as independent.

    raises  ValueError when hits were not computed
    """
    _, tokens = totals(documents)
    hits = [d.hits for d in documents if d.hits is not None]
    if len(hits) != len(documents):
        raise ValueError("hits were not computed for every document")
    interval = bootstrap_ratio(hits, [d.tokens for d in documents], seed=seed)
    return NEXT_TOKEN_ACCURACY.measure(
        sum(hits) / tokens, interval, n=tokens, seed=seed, tokens=tokens, documents=len(documents), draws=DRAWS
    )


def assistant_loss(conversations: Sequence[DocumentScore], *, seed: int = 0) -> Measure:
    """Nats per supervised token of conversations."""
    nats, tokens = totals(conversations)
    interval = bootstrap_ratio([c.nats for c in conversations], [c.tokens for c in conversations], seed=seed)
    return ASSISTANT_LOSS.measure(
        nats / tokens, interval, n=tokens, seed=seed, tokens=tokens, documents=len(conversations), draws=DRAWS
    )


def written_perplexity(texts: Sequence[Sequence[float]], *, judge: str | None = None, seed: int = 0) -> Measure:
    """exp of the mean negative log-probability per token of written texts.

    texts   log-probability of each token of each text, in nats
    judge   name of the other model whose log-probabilities these are; the writer's own when left out
    raises  ValueError when there is no token
    """
    documents = [DocumentScore(-math.fsum(text), len(text), 0) for text in texts]
    found = perplexity(documents, seed=seed)
    interval = Interval(found.low, found.high) if found.low is not None and found.high is not None else None
    yardstick = WRITTEN_PERPLEXITY if judge is None else JUDGED_PERPLEXITY
    judge = judge or "the model itself"
    return yardstick.measure(
        found.value, interval, n=found.n, seed=seed, judge=judge, tokens=found.n, texts=len(texts), draws=DRAWS
    )


def totals(documents: Sequence[DocumentScore]) -> tuple[float, int]:
    """Summed nats and tokens; ValueError when there is nothing to divide by."""
    tokens = sum(d.tokens for d in documents)
    if tokens == 0:
        raise ValueError("no token was counted")
    return math.fsum(d.nats for d in documents), tokens
