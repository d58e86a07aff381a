"""Several tokens from one pass: some are guessed, and kept as far as they are what the model writes anyway.

Sources   Leviathan et al. 2023, arXiv:2211.17192, section 2 (guesses are read in one pass of the model, those that
          hold are kept, and one more is gained)
          prompt lookup   Saxena 2023, github.com/apoorvumang/prompt-lookup-decoding: what followed the same few
                          tokens the last time is guessed to follow again

A guess that is certain of itself, as those of a lookup and all greedy ones are, is kept where it equals the token
that the request chooses at that place, from the model's logits and the random number of that place. So the text is
the same, token for token, as without guesses, greedy or drawn, with penalties, constraints and watermarks. This
accepts exactly as often as Leviathan's rule: a token x with probability p(x), and what is written in its stead is
drawn from p without x. A guess that a smaller model has drawn is kept by that rule itself (acceptance.py): the text
then has the same distribution, and is another one than without guesses. In strict mode, where the text must be the
same, the smaller model draws by the number of the place, and its guesses are kept where they equal what is chosen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from torch import Tensor

from langwright.inference.guessing.acceptance import Proposal
from langwright.inference.protocol import PromptLookup

if TYPE_CHECKING:
    from langwright.inference.running.rows import Row

SPARE = 16  # guessed tokens in one pass, of all rows together: about what a pass of few rows leaves idle


@dataclass
class Guess:
    """What may follow a row's last token.

    made    tokens that the row had written before
    kept    how many of the guesses turned out right
    shares  the distributions that they were drawn from, (V,) each, where they are kept by ratio
    """

    row: Row
    ids: list[int]
    made: int
    kept: int = 0
    shares: list[Tensor] = field(default_factory=list)

    @property
    def proposal(self) -> Proposal | None:
        """The next guess that is not kept yet, where its ratio decides."""
        return Proposal(self.ids[self.kept], self.shares[self.kept]) if self.kept < len(self.shares) else None

    def holds(self) -> bool:
        """Whether the row goes on as guessed up to the next guess that is not kept yet."""
        row, next_one = self.row, self.kept
        wrote_on = row.history.made == self.made + next_one + 1 and not row.ended
        return wrote_on and next_one < len(self.ids) and row.ids[-1] == self.ids[next_one]


def proposed(guesses: Sequence[Guess | None]) -> dict[int, Proposal]:
    """The next guess of each row, by its place, where its ratio decides."""
    found = {place: guess.proposal for place, guess in enumerate(guesses) if guess is not None}
    return {place: proposal for place, proposal in found.items() if proposal is not None}


@dataclass(frozen=True)
class Guessed:
    """How many tokens were guessed, and how many of them kept."""

    made: int = 0
    kept: int = 0

    @property
    def share(self) -> float:
        """Of the guesses that were kept; 0 without any."""
        return self.kept / self.made if self.made else 0.0


class Guesser(Protocol):
    """Who guesses."""

    def guess(self, rows: Sequence[Row], room: Sequence[int]) -> list[Guess]:
        """Guesses for those rows that there are any for.

        room  tokens that each row has room for
        """
        ...

    def judged(self, guess: Guess) -> None:
        """The model has read a guess: what of it was kept."""
        ...

    def left(self, row: Row) -> None:
        """A row gave its place back, for good or for a while."""
        ...


class Stride:
    """How far to guess: further after guesses that all held, less far after one that did not."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.length = max(1, most // 2)

    def judged(self, guessed: int, kept: int) -> None:
        """Of so many guesses so many held."""
        self.length = min(self.most, max(self.length, guessed + 2)) if kept == guessed else max(1, kept + 1)


class Trail:
    """Where each run of tokens of a text came last."""

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self.read = 0
        self._after: dict[tuple[int, ...], int] = {}

    def find(self, ids: Sequence[int], most: int) -> list[int]:
        """What followed after the text's last tokens when they came the last time; nothing if they did not.

        What ran up to the end of the text is taken to go on in the same round.
        """
        for end in range(self.read, len(ids) - 1):  # what the last token ends is what is looked for
            for length in range(1, min(self.longest, end + 1) + 1):
                self._after[tuple(ids[end + 1 - length : end + 1])] = end + 1
        self.read = max(self.read, len(ids) - 1)
        for length in range(min(self.longest, len(ids)), 0, -1):
            at = self._after.get(tuple(ids[len(ids) - length :]))
            if at is not None:
                return [ids[at + step % (len(ids) - at)] for step in range(most)]
        return []


class Lookup:
    """Guesses what followed the same tokens in the prompt or the text."""

    def __init__(self, settings: PromptLookup) -> None:
        self.settings = settings
        self._trails: dict[Row, tuple[Trail, Stride]] = {}

    def guess(self, rows: Sequence[Row], room: Sequence[int]) -> list[Guess]:
        found = []
        for row, most in zip(rows, room, strict=True):
            if row not in self._trails:
                self._trails[row] = Trail(self.settings.ngram), Stride(self.settings.most)
            trail, stride = self._trails[row]
            ids = trail.find(row.ids, min(most, stride.length)) if most > 0 else []
            if ids:
                found.append(Guess(row, ids, row.history.made))
        return found

    def judged(self, guess: Guess) -> None:
        self._trails[guess.row][1].judged(len(guess.ids), guess.kept)

    def left(self, row: Row) -> None:
        self._trails.pop(row, None)
