"""Guesses of a smaller model with the same vocabulary.

Source    Leviathan et al. 2023, arXiv:2211.17192, section 2 and algorithm 1

The smaller model chooses as the request does, with its penalties and its temperature. Where that is to draw, it
draws by numbers of its own, and the guess is kept by the ratio of the two probabilities (acceptance.py).

Differs in strict mode, where the text has to be the one that is written without guesses: there the smaller model
draws by the random number of the place that is guessed, with which both models draw the same token where they find
the same probable, and a guess is kept where it is what the larger one draws. That keeps fewer at high temperatures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import Tensor
from transformers import PreTrainedModel

from langwright.errors import UserError
from langwright.inference.choosing.numbers import CHOICE, PROPOSE
from langwright.inference.choosing.sampling import Chooser
from langwright.inference.guessing.speculation import Guess, Guesser, Lookup, Stride
from langwright.inference.memory.shelves import Layout, Place, Shelves, Slot
from langwright.inference.protocol import PromptLookup, Speculation, Token
from langwright.inference.running.packed import PackedForward, Plan
from langwright.inference.running.parts import ReadingPart
from langwright.inference.running.subject import Subject
from langwright.inference.running.tiers import find_tier

if TYPE_CHECKING:
    from langwright.inference.choosing.history import History
    from langwright.inference.running.rows import Row


@dataclass(eq=False)
class Shadow:
    """A row as the smaller model has read it.

    computed  positions whose keys and values it holds
    """

    stride: Stride
    computed: int = 0
    place: Place | None = None


@dataclass
class Draft:
    """A guess that is being made."""

    guess: Guess
    shadow: Shadow
    history: History
    length: int  # tokens to guess

    def take(self, token: Token | Exception, drawn_V: Tensor | None) -> None:
        """The next guess.

        drawn_V  logits that it was drawn from, where it is kept by ratio
        """
        ends = isinstance(token, Exception) or token.id in self.history.request.stop_ids
        if isinstance(token, Exception) or (ends and drawn_V is None):  # nothing to gain from a guess that it ends here
            self.length = 0
            return
        self.guess.ids.append(token.id)
        if drawn_V is not None:  # then also the guess that it ends, or the others would come too often
            self.guess.shares.append(drawn_V.softmax(-1))
        try:
            self.history.take(token.id)
        except Exception:  # the request itself is told, if it comes so far
            ends = True
        if ends:
            self.length = 0


class Drafts:
    """A smaller model's guesses, for all rows together."""

    def __init__(
        self, model: PreTrainedModel, layout: Layout, context: int, max_rows: int, most: int, by_ratio: bool = True
    ) -> None:
        """Prepare.

        most      tokens guessed at a time
        by_ratio  drawn guesses are kept by the ratio of probabilities; else where they are what would be drawn
        """
        self.by_ratio = by_ratio
        self.forward = PackedForward(model)
        self.shelves: Shelves[Shadow] = Shelves(layout, max_rows, context)
        self.context = context
        self.most = most
        self._shadows: dict[Row, Shadow] = {}

    def guess(self, rows: Sequence[Row], room: Sequence[int]) -> list[Guess]:
        """Guesses for the rows that there is room for; a pass of the smaller model for each further token."""
        drafts: list[Draft] = []
        for row, most in zip(rows, room, strict=True):
            shadow = self._shadows.setdefault(row, Shadow(Stride(self.most)))
            length = min(most, shadow.stride.length, self.context - len(row.ids))
            if length > 0:
                drafts.append(Draft(Guess(row, [], row.history.made), shadow, row.history.fork(), length))
        going = drafts
        while going:
            numbers = PROPOSE if self.by_ratio else CHOICE
            chooser = Chooser([draft.history for draft in going], self.forward.device, numbers)
            chosen = chooser(self._read(going))
            drawn = dict(zip(chooser.drawing, () if chosen.kept_DV is None else chosen.kept_DV, strict=True))
            for number, (draft, token) in enumerate(zip(going, chosen.tokens, strict=True)):
                draft.take(token, drawn.get(number) if self.by_ratio else None)
            going = [draft for draft in going if len(draft.guess.ids) < draft.length]
        return [draft.guess for draft in drafts if draft.guess.ids]

    def judged(self, guess: Guess) -> None:
        """Go on from what held."""
        shadow = self._shadows[guess.row]
        shadow.stride.judged(len(guess.ids), guess.kept)
        shadow.computed = min(shadow.computed, len(guess.row.ids) - 1)

    def left(self, row: Row) -> None:
        """A row gave its place back."""
        shadow = self._shadows.pop(row, None)
        if shadow is not None and shadow.place is not None:
            shadow.place.leave()

    def _read(self, drafts: Sequence[Draft]) -> Tensor:
        """Logits after all that the smaller model has not read of these, shape (drafts, V)."""
        plan = Plan()
        for draft in drafts:
            shadow, ids = draft.shadow, draft.history.ids
            end = len(ids)
            if not isinstance(shadow.place, Slot) or shadow.place.shelf.size < end:
                self.shelves.put(shadow, end)
            assert isinstance(shadow.place, Slot)
            begin, shadow.computed = shadow.computed, end
            plan.parts.append(ReadingPart(shadow.place, begin, end))
            plan.ids += ids[begin:]
            plan.positions += range(begin, end)
            plan.asked.append(len(plan.ids) - 1)
        return self.forward(plan)


def guesser_of(
    speculation: Speculation | None, draft: PreTrainedModel | None, vocab_size: int, strict: bool
) -> Callable[[int], Guesser | None]:
    """Makes who guesses, for a number of rows.

    vocab_size  of the model that writes
    strict      the text has to be what it is without guesses
    raises      UserError for a smaller model of another vocabulary, or one that does not run packed
    """
    if speculation is None:
        return lambda max_rows: None
    if isinstance(speculation, PromptLookup):
        return lambda max_rows: Lookup(speculation)
    if draft is None:
        raise ValueError("speculation by a draft model needs the model")
    subject = Subject(draft)
    if subject.vocab_size != vocab_size:
        raise UserError(
            "the smaller model knows {draft} tokens, the model that writes {size}",
            fix="use models with the same tokenizer",
            draft=subject.vocab_size,
            size=vocab_size,
        )
    layout = find_tier(subject.model).layout
    if layout is None:
        raise UserError(
            "models of type {type} cannot guess for others here",
            fix="use a smaller model of the Llama, Qwen, Mistral, Gemma or GPT-2 kind",
            type=draft.config.model_type,
        )
    return lambda max_rows: Drafts(subject.model, layout, subject.context, max_rows, speculation.most, not strict)
