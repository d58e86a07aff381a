"""Which way of running a model's rows together gives what the model gives alone: found by running it.

packed   one row of tokens, attention of ours (packed.py): any model whose attention transformers lets us replace
padded   a left-padded batch on transformers' cache (padded.py): models that make their attention themselves
single   one row after another, each with the model's own cache (single.py): models that keep a running state

Two random prompts are read in chunks, one of them a token at a time at its end, and the logits compared
with the model's plain forward pass. No list of names and no flag decides.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, TypeVar

import torch
from torch import Tensor
from transformers import PreTrainedModel

from langwright.errors import UserError
from langwright.inference.guessing.speculation import Guesser
from langwright.inference.memory.shelves import Heads, Layout, Shelves
from langwright.inference.protocol import Request
from langwright.inference.running.attention import Manner, Unpackable, configs_of, packed
from langwright.inference.running.packed import PREFIX_BYTES, PackedForward, PackedRunner, Plan
from langwright.inference.running.padded import PaddedRunner, padded_logits
from langwright.inference.running.parts import ReadingPart
from langwright.inference.running.rewriting import RewritingRunner, joined_logits, lone_logits
from langwright.inference.running.rows import Reader, Row
from langwright.inference.running.single import SingleRunner
from langwright.inference.running.streams import QueuedStream
from langwright.inference.running.subject import arguments_of, beginning_of
from langwright.models.adapters import virtual_tokens
from langwright.wording import Language, say

T = TypeVar("T")
TierName = Literal["packed", "padded", "single"]
TIERS: tuple[TierName, ...] = ("packed", "padded", "single")
LENGTHS = (11, 7)  # of the prompts that are tried
TOLERANCE = {torch.float64: 1e-6, torch.float32: 1e-3, torch.bfloat16: 0.1, torch.float16: 0.03}
"""Largest difference of two logits, as a share of their spread."""


@dataclass(frozen=True)
class Why:
    """A template and its values; nothing where there is nothing to say."""

    problem: str = ""
    values: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Tier:
    """How a model's rows run, and why not in the tier above."""

    name: TierName
    why: Why = Why()
    layout: Layout | None = None

    def reason(self, lang: Language | None = None) -> str:
        """Why not in a better tier, in the language in force or in `lang`; nothing for the best."""
        return say(self.why.problem, lang=lang, **self.why.values) if self.why.problem else ""


def find_tier(model: PreTrainedModel, best: TierName = "packed") -> Tier:
    """The first tier, from `best` on, in which this model gives the logits that it gives alone.

    The model is in evaluation mode; it is run a few times on a dozen tokens.
    """
    if model.config.is_encoder_decoder:
        return rewriting_tier(model, best)
    allowed = TIERS[TIERS.index(best) :]
    why = Why("asked for") if best != "packed" else Why()
    prompts = random_prompts(model)
    with torch.inference_mode():
        if "packed" in allowed:
            try:
                return Tier("packed", layout=checked_layout(model, prompts))
            except Unpackable as error:
                why = Why(error.problem, error.values)
        if "padded" in allowed:
            try:
                compare(refused(lambda: padded_logits(model, prompts)), plain_logits(model, prompts))
                return Tier("padded", why)
            except Unpackable as error:
                why = Why(error.problem, error.values)
    return Tier("single", why)


def rewriting_tier(model: PreTrainedModel, best: TierName) -> Tier:
    """The tier of an encoder-decoder: padded where two rows, one of which joins, get the logits that each gets alone."""
    apart, beginning = "it reads one text and writes another", beginning_of(model)
    if best == "single":
        return Tier("single", Why("asked for"))
    try:
        with torch.inference_mode():
            compare(refused(lambda: joined_logits(model, beginning)), lone_logits(model, beginning))
        return Tier("padded", Why(apart))
    except Unpackable as error:
        return Tier("single", Why(error.problem, error.values))


def fitted(tier: Tier, model: PreTrainedModel, strict: bool) -> Tier:
    """The tier of a model that was made ready since: what its layers keep may be of another type.

    strict  rows that cannot be packed run alone, for a padded batch is one in which they depend on each other
    """
    if tier.layout is None:
        return Tier("single", tier.why) if strict else tier
    with torch.inference_mode():
        return replace(tier, layout=layout_of(model))


class Runner(Protocol):
    """The rows that run, whichever way."""

    rows: list[Row]
    max_tokens: int

    @property
    def used(self) -> int:
        """Positions that the running rows are counted with, of `max_tokens`."""
        ...

    def fits(self, row: Row, others: Sequence[Row]) -> bool:
        """True when there is a place for this row beside these and the running ones."""
        ...

    def admit(self, rows: Sequence[Row]) -> None:
        """Let rows join."""
        ...

    def step(self) -> list[Row]:
        """One more token for every row that is read to its end; those that have to wait for a place again."""
        ...

    def drop_ended(self) -> None:
        """Free the places of rows whose streams ended, were cancelled or ran out of time."""
        ...

    def fail(self, error: BaseException) -> None:
        """End every row with an error and begin afresh."""
        ...


def runner_for(
    tier: Tier,
    model: PreTrainedModel,
    context: int,
    max_rows: int,
    max_tokens: int,
    prefix_bytes: int = PREFIX_BYTES,
    strict: bool = False,
    guesser: Guesser | None = None,
) -> Runner:
    """What runs the rows of a model in its tier; only the packed one takes guesses."""
    if model.config.is_encoder_decoder:
        return RewritingRunner(
            model, max_rows if tier.name == "padded" and not strict else 1, max_tokens, beginning_of(model)
        )
    if tier.layout is not None:
        return PackedRunner(model, tier.layout, context, max_rows, max_tokens, prefix_bytes, strict, guesser)
    kind = PaddedRunner if tier.name == "padded" else SingleRunner
    return kind(model, max_rows, max_tokens)


def random_prompts(model: PreTrainedModel) -> list[list[int]]:
    """Prompts of the lengths that are tried, the same for the same vocabulary."""
    generator = torch.Generator().manual_seed(0)
    vocabulary = int(model.get_input_embeddings().num_embeddings)
    return [torch.randint(vocabulary, (length,), generator=generator).tolist() for length in LENGTHS]


def plain_logits(model: PreTrainedModel, prompts: list[list[int]]) -> Tensor:
    """Logits of the last token of each prompt, read alone without a cache; shape (prompts, V)."""
    device = next(model.parameters()).device
    rows = [torch.tensor([prompt], device=device) for prompt in prompts]
    return torch.stack([model(input_ids=row, use_cache=False).logits[0, -1] for row in rows])


def compare(found_RV: Tensor, expected_RV: Tensor) -> None:
    """Unpackable where logits are not the same but for rounding."""
    expected_RV = expected_RV.float()
    spread = (expected_RV.amax(-1) - expected_RV.amin(-1)).amax().item()
    apart = (found_RV.float() - expected_RV).abs().amax().item()
    if not apart <= TOLERANCE.get(found_RV.dtype, 1e-3) * max(spread, 1e-6):
        raise Unpackable("its logits differ from those of each text alone, by {apart}", apart=f"{apart:.3g}")


def refused(trial: Callable[[], T]) -> T:
    """What a trial gives; Unpackable whatever it raises, for a model's code may do anything with what it does not know."""
    try:
        return trial()
    except Unpackable:
        raise
    except UserError as error:
        raise Unpackable(error.problem_template, **error.values) from error
    except Exception as error:
        raise Unpackable("it does not run so: {error}", error=f"{type(error).__name__}: {error}") from error


# --- packed ------------------------------------------------------------------------------------


class Recorder:
    """A part that writes down what the layers keep, and sees nothing."""

    def __init__(self) -> None:
        self.tokens = 1
        self.layers: dict[int, tuple[Heads, Heads]] = {}
        self.kind: tuple[torch.dtype, torch.device] | None = None

    def attend(self, layer: int, q_TNH: Tensor, k_TKH: Tensor, v_TKH: Tensor, manner: Manner) -> Tensor:
        if layer in self.layers:
            raise Unpackable("two of its layers have the same number")
        self.layers[layer] = tuple(Heads(*x.shape[1:]) for x in (k_TKH, v_TKH))  # type: ignore[assignment]
        self.kind = (k_TKH.dtype, k_TKH.device)
        return q_TNH.new_zeros((*q_TNH.shape[:2], v_TKH.shape[-1]))


def layout_of(model: PreTrainedModel) -> Layout:
    """What the layers of a model keep of a token, found by running one; Unpackable where it cannot be run so."""
    recorder = Recorder()
    ids_11 = torch.zeros((1, 1), dtype=torch.long, device=next(model.parameters()).device)
    with packed(configs_of(model), [recorder]):
        model(input_ids=ids_11, position_ids=ids_11, use_cache=False)
    if recorder.kind is None:
        raise Unpackable("its layers compute attention themselves")
    return Layout.of(recorder.layers, *recorder.kind)


def checked_layout(model: PreTrainedModel, prompts: list[list[int]]) -> Layout:
    """The layout of a model whose packed logits are those of its plain forward pass; else Unpackable."""
    if virtual_tokens(model):
        raise Unpackable("virtual tokens of an adapter stand before every text")
    if "position_ids" not in arguments_of(model):
        raise Unpackable("it cannot be told the positions of its tokens")
    layout = refused(lambda: layout_of(model))
    compare(refused(lambda: packed_logits(model, layout, prompts)), plain_logits(model, prompts))
    return layout


def packed_logits(model: PreTrainedModel, layout: Layout, prompts: list[list[int]]) -> Tensor:
    """Logits of the last token of each prompt: read in chunks beside each other, the last tokens as rows that write."""
    forward = PackedForward(model)
    shelves: Shelves[Row] = Shelves(layout, len(prompts), max(map(len, prompts)))
    rows = [Row(Request(prompt), [Reader(QueuedStream(0, lambda: None))]) for prompt in prompts]
    for row in rows:
        shelves.put(row, len(row.ids))
    for left in (4, 1):  # tokens of each prompt that are not read yet after the chunk
        plan = Plan()
        for row in rows:
            assert row.place is not None
            plan.parts.append(ReadingPart(row.place, row.computed, len(row.ids) - left))
            plan.add(row, len(row.ids) - left)
        forward(plan)
        plan.done()
    plan = Plan()
    for shelf in shelves:
        plan.write(shelf, forward.device)
    logits = dict(zip(plan.asking, forward(plan), strict=True))
    return torch.stack([logits[row] for row in rows])
