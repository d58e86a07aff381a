"""A modified Kneser-Ney n-gram model over token ids: what counting alone achieves on the same tokens.

Source    Chen & Goodman 1999, Computer Speech & Language 13:359, modified Kneser-Ney smoothing, interpolated
          form: three discounts an order from counts of counts, lower orders from continuation counts, the
          lowest order mixed with the uniform distribution over the vocabulary
Fallback  where an order has too few counts of counts to give discounts (small data, small vocabularies), 0.5,
          1 and 1.5, as KenLM's --discount_fallback does
Shapes    T positions of the token stream    U different n-grams of one order    V vocabulary    n order

No n-gram is ever held as an object. A document is led by n - 1 pad ids, so that its first token has a
full context too. An n-gram is named by its rank among the sorted different n-grams of its order, and its
sort key is (rank of its first n - 1 ids) * (V + 1) + last id: it fits 64 bits for any order, and the
n-grams that share a history lie side by side. Everything is sorting, counting and searching of arrays.

Differs from KenLM: no end-of-document event, because the models it is compared with are not scored on one;
a document's start is n - 1 pads instead of one, so continuation counts need no exception there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langwright.errors import UserError
from langwright.runlog import Progressed, RunLog

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

FALLBACK = (0.5, 1.0, 1.5)


@dataclass(frozen=True)
class Order:
    """The n-grams of one order.

    keys_U     sorted sort keys
    counts_U   occurrences at the highest order, continuation counts below; 0 for n-grams that end in a pad
    totals_H   summed counts by history, shape (different n-grams of the order below,)
    left_H     share of probability that discounting leaves for the order below, by history
    discounts  D1, D2, D3+
    fallback   True when the discounts are FALLBACK
    """

    keys_U: Ints
    counts_U: NDArray[np.int32]
    totals_H: Ints
    left_H: Floats
    discounts: tuple[float, float, float]
    fallback: bool


@dataclass(frozen=True)
class KneserNey:
    """A counted model; the orders from 1 to n."""

    vocab_size: int
    orders: tuple[Order, ...]

    def logprobs(self, ids: Sequence[int] | Ints) -> Floats:
        """Log-probability in nats of each token of one document given those before it, shape (len(ids),)."""
        import numpy as np

        stream_T = padded([ids], self.vocab_size, len(self.orders))
        return np.log(self.probabilities(stream_T)[len(self.orders) - 1 :])

    def probabilities(self, stream_T: Ints) -> Floats:
        """Probability of each id of a padded stream, shape (T,); what stands at pads means nothing."""
        import numpy as np

        width = self.vocab_size + 1
        found_T = np.full(len(stream_T), 1.0 / self.vocab_size)
        history_T = np.zeros(len(stream_T), dtype=np.int64)  # rank of the n - 1 ids before each position, -1 unseen
        for order in self.orders:
            rank_T = np.where(history_T >= 0, ranks(order.keys_U, history_T * width + stream_T), -1)
            known_T = (history_T >= 0) & (order.totals_H[history_T] > 0)
            h = history_T[known_T]
            counts = np.where(rank_T >= 0, order.counts_U[rank_T], 0)[known_T]
            kept = counts - np.take((0.0, *order.discounts), np.minimum(counts, 3))
            found_T[known_T] = kept / order.totals_H[h] + order.left_H[h] * found_T[known_T]
            history_T = np.concatenate([[-1], rank_T[:-1]])  # the next order's history ends one position earlier
        return found_T


def padded(documents: Iterable[Sequence[int] | Ints], vocab_size: int, order: int) -> Ints:
    """Documents end to end, each led by order - 1 pads; the pad's id is the vocabulary's size."""
    import numpy as np

    lead = np.full(order - 1, vocab_size, dtype=np.int64)
    parts: list[Ints] = []
    for ids in documents:
        parts += [lead, np.asarray(ids, dtype=np.int64)]
    stream_T = np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
    if len(stream_T) and not 0 <= stream_T.min() <= stream_T.max() <= vocab_size:
        raise ValueError(f"ids outside a vocabulary of {vocab_size}")
    return stream_T


def count(
    documents: Iterable[Sequence[int] | Ints], vocab_size: int, order: int = 5, log: RunLog | None = None
) -> KneserNey:
    """Count the n-grams of a training text.

    Cost: 10 million tokens, nearly every 5-gram different, took 1.7 GB and 9 s on one core.

    documents   token ids of each, below vocab_size
    raises      UserError when there is no token at all
    """
    import numpy as np

    log = log or RunLog(None)
    stream_T = padded(documents, vocab_size, order)
    if not (stream_T < vocab_size).any():
        raise UserError(
            "there is no training text to count n-grams in",
            fix="use a dataset with a train split, or switch the baselines off",
        )
    orders: list[Order] = []
    history_T = np.zeros(len(stream_T), dtype=np.int64)
    below_keys: Ints | None = None
    below_rank_T: Ints = history_T
    for n in range(1, order + 1):
        log.write(Progressed(what="counting n-grams", done=n - 1, total=order))
        keys_U, rank_T, counts_U = distinct(history_T, stream_T, vocab_size)
        if below_keys is not None:
            # each different n-gram adds one to the continuation count of the n-gram without its first id
            suffix_U = np.empty(len(keys_U), dtype=np.int64)
            suffix_U[rank_T] = below_rank_T
            followed_U = suffix_U[keys_U % (vocab_size + 1) != vocab_size]
            continuation = np.bincount(followed_U, minlength=len(below_keys))
            orders.append(smoothed(below_keys, continuation, vocab_size, orders))
        below_keys, below_rank_T = keys_U, rank_T
        history_T = np.concatenate([[-1], rank_T[:-1]])
    assert below_keys is not None
    counts_U[below_keys % (vocab_size + 1) == vocab_size] = 0
    orders.append(smoothed(below_keys, counts_U, vocab_size, orders))
    log.write(Progressed(what="counting n-grams", done=order, total=order))
    return KneserNey(vocab_size, tuple(orders))


def distinct(history_T: Ints, stream_T: Ints, vocab_size: int) -> tuple[Ints, Ints, Ints]:
    """Sorted different sort keys (U,), the rank of each position's n-gram (T,), and occurrences (U,).

    The first positions of the stream, where no n-gram ends, have history -1 and get the keys of pads below
    zero, which no search ever asks for.
    """
    import numpy as np

    keys_U, rank_T, counts_U = np.unique(
        history_T * (vocab_size + 1) + stream_T, return_inverse=True, return_counts=True
    )
    return keys_U, rank_T, counts_U


def smoothed(keys_U: Ints, counts_U: Ints, vocab_size: int, below: Sequence[Order]) -> Order:
    """One order with its totals, discounts and left-over shares by history.

    counts_U  0 for n-grams that are no events: those that end in a pad, or run over the start of the stream
    below     the orders under it; the last one's n-grams are the histories here
    """
    import numpy as np

    histories = len(below[-1].keys_U) if below else 1
    of_counts = np.bincount(np.minimum(counts_U, 5), minlength=5)
    discounts, fallback = discounts_from([int(c) for c in of_counts[1:5]])
    events = counts_U > 0
    history_E = keys_U[events] // (vocab_size + 1)
    counts_E = counts_U[events]
    totals_H = np.bincount(history_E, weights=counts_E, minlength=histories)
    held_E = np.take((0.0, *discounts), np.minimum(counts_E, 3))
    held_H = np.bincount(history_E, weights=held_E, minlength=histories)
    left_H = np.divide(held_H, totals_H, out=np.ones(histories), where=totals_H > 0)
    return Order(keys_U, counts_U.astype(np.int32), totals_H.astype(np.int64), left_H, discounts, fallback)


def discounts_from(of_counts: Sequence[int]) -> tuple[tuple[float, float, float], bool]:
    """D1, D2, D3+ from how many n-grams have count 1, 2, 3, 4; True for the fallback.

    >>> discounts_from([8, 4, 2, 1])[0]
    (0.5, 1.25, 2.0)
    """
    n1, n2, n3, n4 = of_counts
    if min(n1, n2, n3) == 0:
        return FALLBACK, True
    y = n1 / (n1 + 2 * n2)
    found = (1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3)
    if any(not 0 < d <= k for k, d in enumerate(found, start=1)):
        return FALLBACK, True
    return found, False


def ranks(sorted_U: Ints, wanted_T: Ints) -> Ints:
    """Where each wanted key stands among sorted ones, -1 where it does not."""
    import numpy as np

    place_T = np.minimum(np.searchsorted(sorted_U, wanted_T), len(sorted_U) - 1)
    return np.where(sorted_U[place_T] == wanted_T, place_T, -1)
