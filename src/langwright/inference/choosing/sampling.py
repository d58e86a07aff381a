"""Which token comes next, for every row of a batch by its own settings.

Shapes    B rows    D rows that draw    V vocabulary

Order     the guide, penalties and what they rule out, the constraint, then for rows that draw the temperature and
          the rules of `truncation.py` (top-k, top-p, min-p, typical, eta, mirostat), then a watermark, as in
          transformers
Numbers   one uniform number a token, from the request's seed and the place of the token alone
          (`numbers.py`), so what a request draws depends on nothing else
Rows      what is chosen for a row, and the log-probabilities reported, do not depend on the rows beside it,
          to the last bit, however many threads torch has

Differs from the second form of mirostat in llama.cpp: the surprise of what was drawn is taken from the
distribution before the cut, as in the paper, so that the target is the text's own surprise.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from langwright.errors import UserError
from langwright.inference.choosing.history import History
from langwright.inference.choosing.numbers import CHOICE, uniform
from langwright.inference.choosing.penalties import altered, guided
from langwright.inference.choosing.truncation import draw, eta, likeliest, min_p, tempered, typical, unsurprising
from langwright.inference.guessing.acceptance import Proposal, decided
from langwright.inference.protocol import Sampling, Token

MAX_DRAWN_SEED = 2**32  # drawn seeds stay exact in JSON readers that know only doubles


def draw_seed() -> int:
    """A seed for a request that names none, from the operating system, so that no global generator is touched."""
    return random.SystemRandom().randrange(MAX_DRAWN_SEED)


class Warper:
    """Temperature and truncation of rows, each by its own settings; rules that no row asks for cost nothing."""

    def __init__(self, samplings: Sequence[Sampling], device: torch.device) -> None:
        """samplings: of rows that draw, none at temperature 0."""
        self.wide = torch.float32 if device.type == "mps" else torch.float64  # the device has no doubles

        def numbers(values: Sequence[float]) -> Tensor:
            return torch.tensor(values, device=device, dtype=self.wide)

        self.temperature_B = numbers([s.temperature for s in samplings])
        self.top_k_B = torch.tensor([s.top_k for s in samplings], device=device, dtype=torch.long)
        self.top_p_B = numbers([s.top_p for s in samplings])
        self.min_p_B = numbers([s.min_p for s in samplings])
        self.typical_B = numbers([s.typical_p for s in samplings])
        self.eta = [s.eta for s in samplings]
        self.counts = any(s.top_k > 0 or s.top_p < 1 for s in samplings)
        self.compares = any(s.min_p > 0 for s in samplings)
        self.balances = any(s.typical_p < 1 for s in samplings)
        self.floors = any(self.eta)

    def tempered(self, logits_BV: Tensor) -> Tensor:
        """Logits at each row's temperature."""
        return tempered(logits_BV.to(self.wide), self.temperature_B)

    def truncated(self, logits_BV: Tensor) -> Tensor:
        """Tempered logits without what the rules rule out."""
        if self.counts:
            logits_BV = likeliest(logits_BV, self.top_k_B, self.top_p_B)
        if self.compares:
            logits_BV = min_p(logits_BV, self.min_p_B)
        if self.balances:
            logits_BV = typical(logits_BV, self.typical_B)
        if self.floors:
            logits_BV = eta(logits_BV, self.eta)
        return logits_BV


@dataclass(frozen=True)
class Chosen:
    """One token a row.

    ids_B   on the device, ready for the next step
    tokens  the same with their log-probabilities; an error for a row that cannot go on
    kept_DV logits of the rows that draw, as they were drawn from; None without any
    """

    ids_B: Tensor
    tokens: list[Token | Exception]
    kept_DV: Tensor | None = None


class Chooser:
    """How each row of a batch chooses. Made anew when rows join or leave, not at every step."""

    def __init__(self, histories: Sequence[History], device: torch.device, numbers: int = CHOICE) -> None:
        """Prepare.

        histories  of the rows, in their order; each is told by the caller, with `take`, what was written
        numbers    the stream of random numbers that is drawn by (numbers.py)
        """
        self.histories = histories
        self.device = device
        self.numbers = numbers
        samplings = [history.sampling for history in histories]
        self.drawing = [row for row, sampling in enumerate(samplings) if sampling.temperature > 0]
        self.rows_D = torch.tensor(self.drawing, device=device, dtype=torch.long)
        self.warper = Warper([samplings[row] for row in self.drawing], device)
        self.steered = [row for row, sampling in enumerate(samplings) if sampling.mirostat > 0]
        self.marked = [row for row, history in enumerate(histories) if history.request.watermark is not None]
        self.top_logprobs = [history.request.top_logprobs for history in histories]

    def __call__(self, logits_BV: Tensor, proposals: Mapping[int, Proposal] = MappingProxyType({})) -> Chosen:
        """Choose. Uses no number but those of each request's seed at its own place.

        proposals  guesses for rows that draw, which are kept or replaced (acceptance.py)
        """
        own_BV = logits_BV.float()
        refused: dict[int, Exception] = {}
        logits_BV = altered(guided(own_BV, self.histories, refused), self.histories, refused)
        ids_B = logits_BV.argmax(-1)
        most_B1 = logits_BV.gather(-1, ids_B[:, None])
        for row in set(self.marked) - set(self.drawing):
            ids_B[row] = self._marked(logits_BV[row], row, refused).argmax()
        kept_DV = None
        if self.drawing:
            ids_D, kept_DV = self._drawn(logits_BV, proposals, refused)
            ids_B = ids_B.index_copy(0, self.rows_D, ids_D)
        logprob_BV = own_BV.log_softmax(-1)
        columns = [ids_B[:, None], logprob_BV.gather(-1, ids_B[:, None]), most_B1]
        alternatives = min(max(self.top_logprobs, default=0), logits_BV.shape[-1])
        if alternatives:
            seen_BV = logprob_BV.masked_fill(logits_BV == -torch.inf, -torch.inf)
            top = seen_BV.topk(alternatives, -1)
            columns += [top.indices, top.values]
        columns = [column.to(self.warper.wide) for column in columns]
        table = torch.cat(columns, -1).tolist()  # the step's one synchronisation
        tokens = [refused.get(row) or self._token(row, numbers, alternatives) for row, numbers in enumerate(table)]
        return Chosen(ids_B, tokens, kept_DV)

    def _drawn(
        self, logits_BV: Tensor, proposals: Mapping[int, Proposal], refused: dict[int, Exception]
    ) -> tuple[Tensor, Tensor]:
        """What the rows that draw have drawn, shape (D,), and from which logits."""
        logits_DV = logits_BV if len(self.drawing) == len(logits_BV) else logits_BV[self.rows_D]
        tempered_DV = self.warper.tempered(logits_DV)
        kept_DV = self.warper.truncated(tempered_DV)
        rows = [self.histories[row] for row in self.drawing]
        if self.steered:
            limits = [row.surprise if row.sampling.mirostat else math.inf for row in rows]
            kept_DV = unsurprising(kept_DV, kept_DV.new_tensor(limits))
        if self.marked:
            kept_DV = torch.stack(
                [self._marked(kept_V, row, refused) for kept_V, row in zip(kept_DV, self.drawing, strict=True)]
            )
        numbers_D = kept_DV.new_tensor([uniform(row.seed, row.made, self.numbers) for row in rows])
        ids_D = draw(kept_DV, numbers_D)
        for place, number in enumerate(self.drawing):
            if number in proposals:
                row = rows[place]
                ids_D[place] = decided(kept_DV[place].softmax(-1), proposals[number], row.seed, row.made)
        if self.steered:
            bits = (tempered_DV.log_softmax(-1).gather(-1, ids_D[:, None])[:, 0] / -math.log(2)).tolist()
            for row, surprise in zip(rows, bits, strict=True):
                row.surprised(surprise)
        return ids_D, kept_DV

    def _marked(self, logits_V: Tensor, row: int, refused: dict[int, Exception]) -> Tensor:
        """Logits as the row's watermark has them; as they are where it cannot go on."""
        try:
            return marked(logits_V, self.histories[row])
        except Exception as error:  # whoever wrote the watermark
            refused[row] = error
            return logits_V

    def _token(self, row: int, numbers: list[float], alternatives: int) -> Token | UserError:
        id, logprob, most = numbers[:3]
        if most == -math.inf and math.isfinite(logprob):
            return nothing_left(self.histories[row].made)
        if not math.isfinite(logprob + most):
            return not_finite()
        ids, values = numbers[3 : 3 + alternatives], numbers[3 + alternatives :]
        wanted = self.top_logprobs[row]
        pairs = zip(ids[:wanted], values[:wanted], strict=True)
        top = tuple((int(other), value) for other, value in pairs if value > -math.inf)  # none that was ruled out
        return Token(int(id), logprob, top)


def marked(logits_V: Tensor, history: History) -> Tensor:
    """Logits as the row's watermark has them, shape (V,); a function of the row alone."""
    watermark = history.request.watermark
    if watermark is None or not logits_V.amax().isfinite():
        return logits_V
    return watermark.marked(logits_V, history.ids, len(history.request.prompt))


def nothing_left(made: int) -> UserError:
    """What is said of a row of which every token is ruled out."""
    return UserError(
        "after {made} tokens every token is ruled out",
        fix="loosen bad_words, no_repeat_ngram, logit_bias, min_new_tokens or the constraint",
        made=made,
    )


def not_finite() -> UserError:
    """What is said of a row whose logits are not finite."""
    return UserError(
        "the model's output is not a finite number",
        fix="its weights or its number format overflow; load it in float32, or use an earlier checkpoint",
    )
