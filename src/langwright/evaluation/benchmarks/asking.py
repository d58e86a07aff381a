"""Putting questions to a model through the engine: log-probabilities of answers, and answers that it writes.

Questions are asked sorted by their tokens, so that those that begin alike follow each other and their beginnings are
read once (inference/scoring/shared.py).

Source    Gao et al., lm-evaluation-harness 0.4.13 (HFLM): what is given and what is scored are tokenised together and
          parted where the former alone would end; what is too long loses its beginning
Differs   a row has at most as many tokens as the model's context, where the harness reads one more that need not be
          read; running text begins with one start token, also where the tokenizer adds one, and so one is not scored
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from langwright.errors import UserError
from langwright.evaluation.benchmarks.answers import Kept, key_of
from langwright.evaluation.benchmarks.declaration import Generation
from langwright.evaluation.benchmarks.marking import Likelihood
from langwright.evaluation.measuring.perplexity import Judge
from langwright.inference.control.building import Wish
from langwright.inference.protocol import Sampling
from langwright.inference.remote.wire import not_offered
from langwright.inference.scoring.windows import Window, windows
from langwright.inference.texts.decoding import TextDecoder
from langwright.inference.texts.text import TextModel, TextStream
from langwright.inference.texts.written import results

SCORED_AT_ONCE = 64  # rows between two words of progress, and the most that an interruption costs
WRITTEN_AT_ONCE = 16
Ids = tuple[int, ...]


@dataclass(frozen=True)
class Scored:
    """What is to be scored: `after`, having read `before`; `cut` where the beginning was left out."""

    before: Ids
    after: Ids
    cut: bool = False


@dataclass(frozen=True)
class Wanted:
    """What is to be written."""

    prompt: Ids
    until: tuple[str, ...]
    sampling: Sampling
    cut: bool = False


class Asker:
    """Asks one model, and keeps what it answers.

    told  called with how many more questions are answered
    """

    def __init__(self, model: TextModel, kept: Kept, told: Callable[[int], None] = lambda _: None) -> None:
        if not isinstance(model.engine, Judge):
            raise not_offered(model.name, "score")
        self.model, self.engine = model, model.engine
        self.kept = kept
        self.told = told

    # --- from texts to tokens --------------------------------------------------------------------

    def pair(self, given: str, text: str) -> Scored:
        """A text behind what is given.

        raises  UserError for a text without tokens, or one that does not fit the context by itself
        """
        before, after, _ = self.model.parted(text, given)
        context = self.model.context
        if not after:
            raise UserError("the text has no tokens", fix="give a text that is not empty")
        if len(after) >= context:
            raise UserError(
                "an answer has {tokens} tokens, which do not fit the context of {context} with anything before them",
                fix="use a model with a longer context, or leave that row out",
                tokens=len(after),
                context=context,
            )
        if self.model.kind == "rewrites":
            return Scored(tuple(before[-context:]), tuple(after), len(before) > context)
        room = context - len(after)
        return Scored(tuple(before[-room:]), tuple(after), len(before) > room)

    def text(self, text: str) -> list[Window]:
        """Running text in windows: as few as there can be, with a token before each."""
        before, after, _ = self.model.parted(text, "")
        return list(windows([*before, *after], self.model.context, self.model.context - 1))

    def prompt(self, text: str, wish: Generation, seed: int) -> Wanted:
        """A prompt, without its beginning where it leaves no room for the answer."""
        ids, context = self.model.tokenize(text), self.model.context
        continues = self.model.kind == "continues"
        most = wish.most if wish.most < context or not continues else max(1, context // 2)
        room = context - most if continues else context
        sampling = Sampling(
            max_new_tokens=most, temperature=wish.temperature, top_p=wish.top_p, top_k=wish.top_k, seed=seed
        )
        return Wanted(tuple(ids[-room:]), wish.until, sampling, len(ids) > room or most < wish.most)

    # --- asking ----------------------------------------------------------------------------------

    def likelihoods(self, asked: Sequence[Scored]) -> list[Likelihood]:
        """Of each text its log-probability and whether it is what greedy writing gives."""

        def judge(block: Sequence[Scored]) -> list[tuple[float, bool]]:
            found = self.engine.judge([one.after for one in block], [one.before for one in block])
            return [(math.fsum(value for value, _ in row), all(hit for _, hit in row)) for row in found]

        found = self.each("score", asked, lambda one: [one.before, one.after], judge, SCORED_AT_ONCE)
        return [
            Likelihood(logprob, greedy, len(one.after)) for (logprob, greedy), one in zip(found, asked, strict=True)
        ]

    def texts(self, asked: Sequence[Sequence[Window]]) -> list[Likelihood]:
        """Log-probabilities of running texts in windows."""
        rows = [Scored(tuple(w.ids[: -w.scored]), tuple(w.ids[-w.scored :])) for text in asked for w in text]
        parts = iter(self.likelihoods(rows))
        found = []
        for text in asked:
            mine = [next(parts) for _ in text]
            logprob = math.fsum(part.logprob for part in mine)
            found.append(Likelihood(logprob, all(part.greedy for part in mine), sum(part.tokens for part in mine)))
        return found

    def write(self, asked: Sequence[Wanted]) -> list[str]:
        """What the model writes after each prompt, up to the first of the strings that end it."""

        def written(block: Sequence[Wanted]) -> list[str]:
            found = results([partial(self.begun, one) for one in block])
            return [self.read(text.token_ids, one.until) for text, one in zip(found, block, strict=True)]

        def named(one: Wanted) -> list[Any]:
            return [one.prompt, one.until, one.sampling.model_dump(mode="json")]

        return self.each("write", asked, named, written, WRITTEN_AT_ONCE)

    def begun(self, one: Wanted) -> TextStream:
        """A continuation by the model alone: no constraint, not even to whole characters, as in the harness."""
        request = self.model.request_of(one.prompt, one.sampling, Wish())
        stream = self.model.engine.submit(request)
        return TextStream(stream, TextDecoder(self.model.alphabet, one.prompt), one.until, len(one.prompt))

    def read(self, ids: Sequence[int], until: Sequence[str]) -> str:
        """Tokens by themselves as text, as the harness reads them, cut before the strings that end it."""
        text = str(self.model.tokenizer.decode(list(ids), skip_special_tokens=True))
        for end in until:
            text = text.split(end)[0] if end else text
        return text

    def each(
        self,
        kind: str,
        asked: Sequence[Any],
        named: Callable[[Any], Any],
        ask: Callable[[Sequence[Any]], Sequence[Any]],
        at_once: int,
    ) -> list[Any]:
        """Answers to questions in their order, those that are not kept asked in the order of their tokens."""
        keys = [key_of(kind, named(one)) for one in asked]
        missing = {key: one for key, one in zip(keys, asked, strict=True) if key not in self.kept}
        self.told(sum(key not in missing for key in keys))
        left = sorted(missing, key=lambda key: tokens_of(missing[key]))
        asked_so_often = Counter(keys)
        for begin in range(0, len(left), at_once):
            block = left[begin : begin + at_once]
            found = ask([missing[key] for key in block])
            self.kept.put(dict(zip(block, found, strict=True)))
            self.told(sum(asked_so_often[key] for key in block))
        return [self.kept[key] for key in keys]


def tokens_of(asked: Scored | Wanted) -> Ids:
    """What is read, in order."""
    return asked.prompt if isinstance(asked, Wanted) else asked.before + asked.after
