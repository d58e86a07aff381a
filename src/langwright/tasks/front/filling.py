"""Filling blanks with a masked language model: several at once, words of several tokens, anywhere in a text.

The probability of what stands in the blanks together is a product along their tokens from left to right, each given
those already filled while the rest stay masked (the chain rule over what a masked model says of one place; Salazar
et al. 2020, arXiv:1910.14659, section 2, mask one place at a time in the same way, with the other words in sight).
The best fillings are looked for by a beam; a single blank of one token is exact.

Shapes    R rows    T positions    V vocabulary
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from langwright.errors import UserError
from langwright.inference.precision import Numbers
from langwright.tasks.front.backbone import Backbone

if TYPE_CHECKING:
    from torch import Tensor

    from langwright.inference.texts.characters import InCharacter
    from langwright.inference.texts.decoding import Alphabet
    from langwright.models.places import Places

BLANK = "[MASK]"  # how a blank may be written whatever the tokenizer calls it
TEXTS = 512  # whose probabilities of every token are held together
MOST_SHAPES = 64  # ways to give several blanks several tokens


@dataclass(frozen=True)
class Filling:
    """One way to fill the blanks.

    words        of each blank, in order
    probability  of all of them together; where several numbers of tokens were tried, each as likely beforehand
    text         the whole with its blanks filled
    """

    words: tuple[str, ...]
    probability: float
    text: str


@dataclass(frozen=True)
class Filled:
    """What was found.

    fillings  best first
    blanks    of each blank alone, the other blanks open: (word, probability), likeliest first; single tokens
    """

    fillings: tuple[Filling, ...]
    blanks: tuple[tuple[tuple[str, float], ...], ...]


@dataclass(frozen=True)
class Masked:
    """Ids of a text, the places of its blanks' masks, and how many each blank has."""

    ids: tuple[int, ...]
    places: tuple[int, ...]
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Partial:
    """A filling on its way: ids of the masks filled so far, its log-probability, and what may follow."""

    ids: tuple[int, ...] = ()
    logprob: float = 0.0
    cursor: InCharacter | None = None

    def after(self, id: int, logprob: float) -> Partial:
        """With one more mask filled; `logprob` of all together."""
        return Partial((*self.ids, id), logprob, self.cursor.after(id) if self.cursor else None)


@dataclass(frozen=True)
class Filler(Backbone):
    """A masked language model and its tokenizer."""

    @cached_property
    def alphabet(self) -> Alphabet:
        """What the tokens stand for."""
        from langwright.inference.texts.decoding import Alphabet

        return Alphabet(self.tokenizer)

    @cached_property
    def head(self) -> Places | None:
        """What tells its head where to look; None for one that is not known."""
        from langwright.models.places import Places

        try:
            return Places(self.model)
        except ValueError:
            return None

    @cached_property
    def turn(self) -> Lock:
        """Held while the head is told where to look."""
        return Lock()

    @property
    def spaces_in_words(self) -> bool:
        """Whether the space before a word is part of its token, so that it is no token of its own before a blank."""
        return self.alphabet.kind == "byte-level"

    def fill(self, text: str, *, top: int = 5, pieces: int = 1, words: Sequence[str] = ()) -> Filled:
        """The best ways to fill the blanks of a text, each written [MASK] or as the tokenizer writes it.

        top     how many to give
        pieces  most tokens in a blank; every number up to it is tried
        words   to choose from, of any number of tokens, instead of all; for a text with one blank
        raises  UserError for a text without a blank, one too long, or words the tokenizer does not know
        """
        return self.fill_all([text], top=top, pieces=pieces, words=words)[0]

    def fill_all(
        self, texts: Sequence[str], *, top: int = 5, pieces: int = 1, words: Sequence[str] = ()
    ) -> list[Filled]:
        """The same of many texts, read with those of like length."""
        import torch

        if len(texts) > TEXTS:
            parts = (texts[start : start + TEXTS] for start in range(0, len(texts), TEXTS))
            return [one for some in parts for one in self.fill_all(some, top=top, pieces=pieces, words=words)]
        cut = [self.cut(text) for text in texts]
        opened = self.all_masked(cut, [[1] * (len(parts) - 1) for parts in cut])
        rows = [(masked.ids, place) for masked in opened for place in masked.places]
        logs_RV = self.log_probabilities([ids for ids, _ in rows], [place for _, place in rows])
        each = torch.split(logs_RV, [len(masked.places) for masked in opened])
        return [
            self.filled_with(parts, masked, known_BV, top, pieces, words)
            for parts, masked, known_BV in zip(cut, opened, each, strict=True)
        ]

    def filled_with(
        self, parts: Sequence[str], opened: Masked, known_BV: Tensor, top: int, pieces: int, words: Sequence[str]
    ) -> Filled:
        """The best ways to fill one text.

        opened    the text with one mask in each blank
        known_BV  log-probabilities of each of its blanks while the others are open
        """
        open_blanks = tuple(self.alone(known_BV, top))
        if words:
            fillings = self.among(parts, words)
        else:
            shapes = list(product(range(1, pieces + 1), repeat=len(parts) - 1))
            if len(shapes) > MOST_SHAPES:
                raise UserError(
                    "{blanks} blanks of up to {pieces} tokens can be filled in {shapes} shapes, more than {most}",
                    fix="give fewer pieces, or fill some of the blanks first",
                    blanks=len(parts) - 1, pieces=pieces, shapes=len(shapes), most=MOST_SHAPES,
                )  # fmt: skip
            fillings = [
                self.filling(masked, partial, 1 / len(shapes))
                for shape in shapes
                for masked in (opened if shape == opened.shape else self.masked(parts, shape),)
                for partial in self.beam(masked, top, known_BV[:1] if masked is opened else None)[:top]
            ]
        best = sorted(fillings, key=lambda filling: -filling.probability)[:top]
        return Filled(tuple(best), open_blanks)

    # --- from text to masks ----------------------------------------------------------------------

    def cut(self, text: str) -> list[str]:
        """The text between its blanks; UserError when it has none."""
        parts = text.replace(str(self.tokenizer.mask_token), BLANK).split(BLANK)
        if len(parts) < 2:
            raise UserError("the text has no blank", fix="write [MASK] where a word is to be found")
        return parts

    def masked(self, parts: Sequence[str], shape: Sequence[int]) -> Masked:
        """The text with so many masks in each blank; UserError when it is too long."""
        return self.all_masked([parts], [shape])[0]

    def all_masked(self, cut: Sequence[Sequence[str]], shapes: Sequence[Sequence[int]]) -> list[Masked]:
        """The same of many texts, which the tokenizer reads together."""
        mask, mask_id, tight = str(self.tokenizer.mask_token), self.tokenizer.mask_token_id, self.spaces_in_words
        joined = []
        for parts, shape in zip(cut, shapes, strict=True):
            if tight:
                parts = [*(part.removesuffix(" ") for part in parts[:-1]), parts[-1]]
            joined.append("".join(part + mask * count for part, count in zip(parts, (*shape, 0), strict=True)))
        found = []
        for ids, shape in zip(
            self.tokenizer(joined, verbose=False)["input_ids"] if joined else (), shapes, strict=True
        ):
            if len(ids) > self.context:
                raise UserError(
                    "the text has {tokens} tokens, and the model's context is {context}",
                    fix="cut it into pieces of at most {context} tokens",
                    tokens=len(ids), context=self.context,
                )  # fmt: skip
            places = tuple(place for place, id in enumerate(ids) if id == mask_id)
            found.append(Masked(tuple(ids), places, tuple(shape)))
        return found

    # --- asking the model ------------------------------------------------------------------------

    def log_probabilities(self, rows: Sequence[Sequence[int]], places: Sequence[int]) -> Tensor:
        """Of every token at one place of each row, float64 (R, V); special tokens have none."""
        import torch

        from langwright.inference.scoring.likelihood import READ_POSITIONS, groups

        device = next(self.model.parameters()).device
        special = sorted({*self.tokenizer.all_special_ids, *range(len(self.tokenizer), self.model.config.vocab_size)})
        order, parts = list[int](), []
        for numbers in groups([len(row) for row in rows], 1 if self.one_by_one else READ_POSITIONS):
            order += numbers
            some = [rows[number] for number in numbers]
            longest = max(len(row) for row in some)
            pad = self.tokenizer.pad_token_id or 0
            ids_RT = torch.tensor([[*row, *[pad] * (longest - len(row))] for row in some], device=device)
            mask_RT = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in some], device=device)
            at_R = torch.tensor([places[number] for number in numbers], device=device)
            logits_RV = (
                self.logits(ids_RT, mask_RT, at_R + longest * torch.arange(len(some), device=device)).double().cpu()
            )
            logits_RV[:, special] = -math.inf
            parts.append(logits_RV.log_softmax(-1))
        return torch.cat(parts)[torch.tensor(order).argsort()]

    def logits(self, ids_RT: Tensor, mask_RT: Tensor, at_R: Tensor) -> Tensor:
        """Of every token at one place of each row, (R, V); the head looks at these places alone where it is known.

        at_R  places in the rows laid end to end
        """
        import torch

        wanted = nullcontext() if self.head is None else self.head.only(at_R)
        with torch.inference_mode(), self.turn, wanted:
            found: Tensor = self.model(input_ids=ids_RT, attention_mask=mask_RT).logits
        return found if self.head is not None else found.flatten(0, 1)[at_R]

    def alone(self, known_BV: Tensor, top: int) -> list[tuple[tuple[str, float], ...]]:
        """The likeliest single tokens of each blank while the others are open."""
        found = []
        for logs_V in known_BV:
            values, ids = logs_V.topk(min(top, len(logs_V)))
            pairs = zip(ids.tolist(), values.exp().tolist(), strict=True)
            found.append(tuple((self.word([id]), probability) for id, probability in pairs))
        return found

    def beam(self, masked: Masked, top: int, first_1V: Tensor | None = None) -> list[Partial]:
        """The likeliest fillings of a text's masks, at least `top` where there are so many.

        first_1V  log-probabilities of the first mask, where they are known
        """
        import torch

        constraint = self.alphabet.whole_characters
        found = [Partial(cursor=constraint.start() if constraint else None)]
        ends = {end - 1 for end in accumulated(masked.shape)}
        for step, place in enumerate(masked.places):
            rows = [filled(masked, partial.ids) for partial in found]
            known = first_1V if step == 0 else None
            logs_RV = self.log_probabilities(rows, [place] * len(rows)) if known is None else known.clone()
            for row, partial in enumerate(found):
                logs_RV[row, ~may_stand(partial.cursor, logs_RV.shape[-1], last=step in ends)] = -math.inf
            total_RV = logs_RV + torch.tensor([partial.logprob for partial in found]).double()[:, None]
            values, flat = total_RV.flatten().topk(min(max(top, 8), total_RV.numel()))
            size = total_RV.shape[1]
            pairs = zip(flat.tolist(), values.tolist(), strict=True)
            found = [found[at // size].after(at % size, value) for at, value in pairs if value > -math.inf]
        return found

    # --- words to choose from --------------------------------------------------------------------

    def among(self, parts: Sequence[str], words: Sequence[str]) -> list[Filling]:
        """The probability of each of these words in the only blank."""
        if len(parts) != 2:
            raise UserError(
                "words to choose from are for one blank, and the text has {blanks}",
                fix="give a text with one [MASK]",
                blanks=len(parts) - 1,
            )
        return [self.chosen(parts, word) for word in dict.fromkeys(words)]

    def chosen(self, parts: Sequence[str], word: str) -> Filling:
        """One word in the blank, its tokens one after the other."""
        ids = self.ids_of(parts, word)
        masked = self.masked(parts, [len(ids)])
        rows = [filled(masked, ids[:step]) for step in range(len(ids))]
        logs_RV = self.log_probabilities(rows, masked.places)
        total = math.fsum(float(logs_RV[step, id]) for step, id in enumerate(ids))
        return self.filling(masked, Partial(tuple(ids), total), 1.0)

    def ids_of(self, parts: Sequence[str], word: str) -> list[int]:
        """A word's tokens as they stand in the text.

        raises  UserError for a word that is empty or not in the vocabulary
        """
        between = " " if self.spaces_in_words and parts[0].endswith(" ") else ""
        ids = list(self.tokenizer(between + word.strip(), add_special_tokens=False, verbose=False)["input_ids"])
        if not ids or self.tokenizer.unk_token_id in ids:
            raise UserError(
                "{word!r} is not in the tokenizer's vocabulary", fix="give words that its tokens can spell", word=word
            )
        return ids

    # --- back to text ----------------------------------------------------------------------------

    def word(self, ids: Sequence[int]) -> str:
        """What stands in a blank."""
        return self.alphabet.text_of(ids).strip()

    def filling(self, masked: Masked, partial: Partial, prior: float) -> Filling:
        """A finished filling for a person."""
        starts = (0, *accumulated(masked.shape))
        words = tuple(self.word(partial.ids[a:b]) for a, b in pairwise(starts))
        text = self.alphabet.text_of(filled(masked, partial.ids)).strip()
        return Filling(words, prior * math.exp(partial.logprob), text)


def may_stand(cursor: InCharacter | None, size: int, *, last: bool) -> Tensor:
    """Which tokens leave a text UTF-8, shape (V,): none that breaks a character, and at a blank's end none that opens one."""
    import torch

    if cursor is None:
        return torch.ones(size, dtype=torch.bool)
    allowed_V = torch.from_numpy(cursor.ending() if last else cursor.allowed())[:size]
    return torch.nn.functional.pad(allowed_V, (0, size - len(allowed_V)), value=False)


def accumulated(shape: Sequence[int]) -> tuple[int, ...]:
    """Where each blank ends among the masks.

    >>> accumulated((1, 3))
    (1, 4)
    """
    return tuple(sum(shape[: number + 1]) for number in range(len(shape)))


def filled(masked: Masked, ids: Sequence[int]) -> tuple[int, ...]:
    """The text's ids with the first masks filled."""
    found = list(masked.ids)
    for place, id in zip(masked.places, ids, strict=False):
        found[place] = id
    return tuple(found)


def open_filler(path: Path, numbers: Numbers | None = None) -> Filler:
    """Open a model folder whose model fills blanks.

    numbers  what it computes in, made ready for many texts; as transformers computes, in float32, when left out
    raises  UserError when it cannot be opened, or its tokenizer has no mask token
    """
    from langwright.inference.reading.ready import made_ready
    from langwright.models.loading import load_model
    from langwright.models.task_heads import most_positions
    from langwright.tokenizers.loading import load_tokenizer

    tokenizer = load_tokenizer(path)
    if tokenizer.mask_token_id is None:
        raise UserError(
            "the tokenizer of {path} has no mask token",
            fix="use a model that was made with `langwright pretrain --set objective.kind=masked`",
            path=path,
        )
    model = load_model(path, "masked")
    context = most_positions(model.config)
    ready = None if numbers is None else made_ready(model, numbers, tokenizer, context)
    return Filler(model, tokenizer, context, ready)
