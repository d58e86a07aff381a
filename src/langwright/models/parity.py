"""The parity gate: whether a model that was changed in form still says what it said before.

What is compared: the logits of given rows, the greedy continuation of their beginnings, and perplexity.
A model that is changed in place is recorded first.

Shapes    B rows    T tokens    V vocabulary or labels
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from langwright.errors import UserError
from langwright.measures import Measure

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PROMPT_TOKENS = 16
NEW_TOKENS = 24


@dataclass(frozen=True)
class Tolerance:
    """How far a changed model may be off.

    logits      largest difference, as a share of the largest logit's size
    perplexity  relative difference
    """

    logits: float = 1e-3
    perplexity: float = 1e-3


@dataclass(frozen=True)
class Recorded:
    """What a model said.

    logits         of each row: (T, V) where every token has some, (1, V) from a classifier
    continuations  greedy ids after each row's beginning; none from a model with a head of a task
    margins        of each of those ids, how far its logit is above the second largest
    """

    rows: tuple[tuple[int, ...], ...]
    logits: tuple[Tensor, ...]
    continuations: tuple[tuple[int, ...], ...]
    margins: tuple[tuple[float, ...], ...]

    @property
    def largest(self) -> float:
        """Size of the largest logit."""
        return max(1e-9, *(float(logits.abs().max()) for logits in self.logits))

    @property
    def perplexity(self) -> float:
        """exp of the mean negative log-probability of each row's tokens given those before them."""
        total, count = 0.0, 0
        for row, logits_TV in zip(self.rows, self.logits, strict=True):
            targets = torch.tensor(row[1:])
            losses_T = nn.functional.cross_entropy(logits_TV[:-1], targets, reduction="sum")
            total, count = total + float(losses_T), count + len(targets)
        return math.exp(min(total / max(count, 1), 700.0))  # beyond it a float has no room


@torch.no_grad()
def record(model: PreTrainedModel, rows: Sequence[Sequence[int]]) -> Recorded:
    """What a model says to these rows of token ids, with dropout off; its mode is left as it was.

    raises  UserError when there is no row
    """
    if not any(len(row) > 1 for row in rows):
        raise UserError(
            "there is nothing to compare the models on: every row has fewer than two tokens",
            fix="give the gate some rows of text",
        )
    training = model.training
    model.eval()
    device = next(model.parameters()).device
    writes = inside(model).can_generate()
    found: list[Tensor] = []
    continuations, margins = [], []
    for row in rows:
        row_1T = torch.tensor([list(row)], device=device)
        logits = logits_of(model, row_1T).float().cpu()
        found.append(logits if logits.dim() == 2 else logits[None])
        if writes:
            ids, above = continue_greedily(model, row_1T)
            continuations.append(ids)
            margins.append(above)
    model.train(training)
    return Recorded(tuple(tuple(row) for row in rows), tuple(found), tuple(continuations), tuple(margins))


def inside(model: PreTrainedModel) -> PreTrainedModel:
    """The model itself, where adapters are around it."""
    found: PreTrainedModel = getattr(model, "get_base_model", lambda: model)()
    return found


def is_nested(model: PreTrainedModel) -> bool:
    """Whether a model is given answers to choose from in a dimension of their own, inside of adapters or without."""
    return type(inside(model)).__name__.endswith("ForMultipleChoice")


def logits_of(model: PreTrainedModel, ids_1T: Tensor, row_1S: Tensor | None = None) -> Tensor:
    """What a model of any head says of a row: (T, V), or (V,) where it says one thing of the whole.

    row_1S  what an encoder reads before a decoder writes the ids; the same ids when left out
    """
    whole = inside(model)
    if is_nested(model):
        ids_1T = ids_1T[:, None]
    if whole.config.is_encoder_decoder and whole.can_generate():
        given = {"input_ids": ids_1T if row_1S is None else row_1S, "decoder_input_ids": ids_1T}
    else:
        given = {"input_ids": ids_1T}
    said = model(**given, use_cache=False)
    logits: Tensor = said.logits if "logits" in said else torch.stack([said.start_logits, said.end_logits], dim=-1)
    return logits[0]


def continue_greedily(model: PreTrainedModel, row_1S: Tensor) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """The likeliest ids after a row's beginning, and their margins; the whole text is read again for each, without a cache."""
    ids: list[int] = row_1S[0, :PROMPT_TOKENS].tolist()
    begin, margins = len(ids), []
    context = getattr(model.config, "max_position_embeddings", None) or begin + NEW_TOKENS
    for _ in range(min(NEW_TOKENS, context - begin)):
        logits_V = logits_of(model, torch.tensor([ids], device=row_1S.device), row_1S)[-1].float()
        first, second = logits_V.topk(2).values.tolist()
        ids.append(int(logits_V.argmax()))
        margins.append(first - second)
    return tuple(ids[begin:]), tuple(margins)


def compare(before: Recorded, after: Recorded, change: str, tolerance: Tolerance | None = None) -> tuple[Measure, ...]:
    """Measures of the difference.

    change  what was done, such as "merge"; begins the measures' names
    raises  UserError when a difference is beyond the tolerance; a greedy text may differ from where the two
            likeliest tokens were within the tolerance of each other
    """
    tolerance = tolerance or Tolerance()
    difference = Difference(before, after, tolerance)
    if difference.problems:
        raise UserError(
            "after the {change} the model is not the same: {problems} differ beyond the tolerance "
            "(logits {logits:.2g} of their size, {allowed:g} allowed)",
            fix="keep the model as it was; in float32 a merge loses nothing, in a narrower type it may",
            change=change,
            problems=", ".join(difference.problems),
            logits=difference.logits,
            allowed=tolerance.logits,
        )
    return difference.measures(change)


class Difference:
    """Between what two models said to the same rows.

    logits      largest difference, as a share of the largest logit's size
    agreeing    share of positions with the same likeliest token
    kept        greedy texts that are the same
    perplexity  relative difference; None of a classifier
    """

    def __init__(self, before: Recorded, after: Recorded, tolerance: Tolerance) -> None:
        self.before, self.tolerance = before, tolerance
        pairs = list(zip(before.logits, after.logits, strict=True))
        self.logits = (
            torch.stack([(a - b).abs().max() for a, b in pairs]).max().item() / before.largest
        )  # NaN stays NaN
        same = torch.cat([a.argmax(-1) == b.argmax(-1) for a, b in pairs])
        self.agreeing, self.positions = same.float().mean().item(), len(same)
        allowed = 2 * tolerance.logits * before.largest  # two logits may each be off
        texts = zip(before.continuations, after.continuations, before.margins, strict=True)
        self.kept = sum(same_text(a, b, margins, allowed) for a, b, margins in texts)
        self.perplexity = after.perplexity / before.perplexity - 1 if before.continuations else None

    @property
    def problems(self) -> list[str]:
        """What is beyond the tolerance; also what is not a number."""
        found = []
        if not self.logits <= self.tolerance.logits:
            found.append("logits")
        if self.kept < len(self.before.continuations):
            found.append("greedy text")
        if self.perplexity is not None and not abs(self.perplexity) <= self.tolerance.perplexity:
            found.append("perplexity")
        return found

    def measures(self, change: str) -> tuple[Measure, ...]:
        """The difference as measures."""
        rows, texts = f"{len(self.before.rows)} rows of training data", len(self.before.continuations)
        found = [
            Measure(
                name=f"{change}: largest difference of a logit", value=self.logits, unit="share", better="lower",
                n=self.positions, data=rows, method=f"of the largest logit's size; allowed: {self.tolerance.logits:g}",
            ),
            Measure(
                name=f"{change}: same likeliest token", value=self.agreeing, unit="share", better="higher",
                n=self.positions, data=rows, method="over all positions",
            ),
        ]  # fmt: skip
        if self.perplexity is not None:
            found += [
                Measure(
                    name=f"{change}: same greedy text", value=self.kept / texts, unit="share", better="higher", n=texts, data=rows,
                    method=f"{NEW_TOKENS} tokens after each row's first {PROMPT_TOKENS}; near ties may fall either way",
                ),
                Measure(
                    name=f"{change}: change of perplexity", value=self.perplexity, unit="share", n=self.positions, data=rows,
                    method=f"relative to {self.before.perplexity:.4f} before; allowed: {self.tolerance.perplexity:g} either way",
                ),
            ]  # fmt: skip
        return tuple(found)


def same_text(before: Sequence[int], after: Sequence[int], margins: Sequence[float], allowed: float) -> bool:
    """Whether two greedy texts are the same, up to the first place where the choice was within `allowed`."""
    for a, b, margin in zip(before, after, margins, strict=True):
        if a != b:
            return margin <= allowed
    return True
