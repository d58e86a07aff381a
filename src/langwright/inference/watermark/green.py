"""The watermark of Kirchenbauer et al.: green tokens are made likelier, and counted.

Source   Kirchenbauer et al. 2023, arXiv:2301.10226: Algorithm 2 (soft red list, bias delta on the logits of green
         tokens), Algorithm 3 (a token's colour depends on itself), equation 3 (z)
         Kirchenbauer et al. 2023, arXiv:2306.04634, section 3 (LeftHash and SelfHash, the smallest of the hashes
         over the window), and on repeated n-grams (each is counted once)
Differs  a token is green by its own word, drawn from key, context and id, instead of by its place in a permutation of
         the vocabulary: green_share is the expected and not the exact share, and the vocabulary's size plays no part.
         Each pair of context and token is then green with that probability independently over keys, so that the null
         distribution of the count is exactly binomial.
Shapes   V vocabulary
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from langwright.inference.watermark.detection import Evidence, tail_of_count
from langwright.inference.watermark.settings import KGW
from langwright.inference.watermark.words import Words, seed_of, shares, words_after

if TYPE_CHECKING:
    from torch import Tensor

LEFT, NEAR, OWN = b"kgw left", b"kgw self near", b"kgw self own"


@dataclass(frozen=True)
class GreenMark:
    """`Watermark` by green tokens. The key is secret and never shown."""

    settings: KGW
    key: bytes = field(repr=False)

    @property
    def kind(self) -> str:
        """What it is called in settings."""
        return self.settings.kind

    @property
    def before(self) -> int:
        """How many tokens before a token its colour depends on."""
        return self.settings.width - (self.settings.scheme == "self")

    def words(self, contexts: Sequence[Sequence[int]], ids_V: NDArray[np.int64]) -> Words:
        """What each token's colour is read from, shape (V,).

        contexts  the `before` tokens before each, or one context for all
        """
        if self.settings.scheme == "left":
            return words_after(np.asarray([seed_of(self.key, context, LEFT) for context in contexts]), ids_V)
        near_V = words_after(seed_of(self.key, (), NEAR), ids_V)
        least_V = near_V  # over the window, of what each of its tokens and the token itself give together
        for others_V in np.asarray(contexts, dtype=np.int64).reshape(len(contexts), -1).T:
            least_V = np.minimum(least_V, words_after(near_V, others_V))
        return words_after(least_V ^ seed_of(self.key, (), OWN), ids_V)

    def green(self, words_V: Words) -> NDArray[np.bool_]:
        """Which words make a token green, shape (V,)."""
        return np.asarray(shares(words_V) < self.settings.green_share)

    def marked(self, logits_V: Tensor, ids: Sequence[int], begin: int) -> Tensor:
        """Logits of the next token with the bias added to green ones, shape (V,).

        Unchanged where fewer tokens stand before than the mark depends on.
        """
        import torch

        if len(ids) < self.before:
            return logits_V
        words_V = self.words([ids[len(ids) - self.before :]], np.arange(len(logits_V)))
        green_V = torch.from_numpy(self.green(words_V)).to(logits_V.device)
        return logits_V + self.settings.bias * green_V

    def evidence(self, ids: Sequence[int], begin: int = 0) -> Evidence:
        """How many of the different words of the tokens from `begin` on are green.

        Different n-grams have different words where the tokens before decide. Where the token itself takes part,
        those of which the same two tokens gave the smallest hash share one, and would be counted twice.
        """
        before = self.before
        places = range(max(begin, before), len(ids))
        if not places:
            return tail_of_count(0, 0, self.settings.green_share)
        contexts = [ids[place - before : place] for place in places]
        words = np.unique(self.words(contexts, np.asarray(ids)[places.start :]))
        return tail_of_count(int(self.green(words).sum()), len(words), self.settings.green_share)
