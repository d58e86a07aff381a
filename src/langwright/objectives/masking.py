"""Which tokens of a row are hidden, and what stands in their places.

Source    Devlin et al. 2019, arXiv:1810.04805, section 3.1 and appendix A.1: 15 % of a row's tokens are chosen; of
          those 80 % become [MASK], 10 % any token, 10 % stay as they are
          Liu et al. 2019, arXiv:1907.11692 (RoBERTa), section 4.1: dynamic masking, chosen anew at each pass
          Whole words: BERT's authors' release of May 2019; Cui et al. 2021, arXiv:1906.08101, section 3.1, for Chinese
          words. Words are taken in random order, and one that would exceed the number to be chosen is passed over;
          each of its tokens draws on its own what stands in its place
Shapes    N tokens of a row    P chosen
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Masking:
    """How rows are masked.

    probability  share of a row's tokens that are chosen
    as_mask      share of the chosen that becomes the mask token
    as_random    share of the chosen that becomes any token; the rest stays
    mask_id      the mask token
    ordinary_V   True for ids that stand for text: no others are chosen, or drawn in place of another
    """

    probability: float
    as_mask: float
    as_random: float
    mask_id: int
    ordinary_V: Flags

    @cached_property
    def others(self) -> Ids:
        """The ids that may stand in place of another."""
        return np.flatnonzero(self.ordinary_V)

    def most(self, tokens: int) -> int:
        """How many of so many tokens are chosen, at most; at least one."""
        return max(1, round(self.probability * tokens))

    def apply(self, ids_N: Ids, begins_N: Flags, numbers: np.random.Generator) -> tuple[Ids, Ids]:
        """The row as the model sees it, and the places to predict in rising order.

        begins_N  where a word begins; words are chosen whole
        """
        chosen_P = self.choose(self.ordinary_V[ids_N], begins_N, numbers)
        seen_N = ids_N.copy()
        fate_P = numbers.random(len(chosen_P))
        others_P = numbers.choice(self.others, len(chosen_P))
        seen_N[chosen_P] = np.where(fate_P < self.as_mask + self.as_random, others_P, ids_N[chosen_P])
        seen_N[chosen_P[fate_P < self.as_mask]] = self.mask_id
        return seen_N, chosen_P

    def choose(self, may_N: Flags, begins_N: Flags, numbers: np.random.Generator) -> Ids:
        """Places of whole words of tokens that may be chosen, as many as `most` says or a few less."""
        starts = np.flatnonzero(begins_N | ~may_N | np.concatenate([[True], ~may_N[:-1]]))
        sizes = np.diff(np.append(starts, len(may_N)))
        words = np.flatnonzero(may_N[starts])
        left = self.most(int(may_N.sum())) if len(words) else 0
        chosen: list[int] = []
        for word in numbers.permutation(words):
            if sizes[word] <= left:
                chosen += range(int(starts[word]), int(starts[word] + sizes[word]))
                left -= int(sizes[word])
            if not left:
                break
        return np.sort(np.array(chosen, dtype=np.int64))


def ordinary_ids(vocab_size: int, special: Sequence[int]) -> Flags:
    """True for all ids but the special ones, shape (V,)."""
    ordinary_V = np.ones(vocab_size, dtype=np.bool_)
    ordinary_V[list(special)] = False
    return ordinary_V
