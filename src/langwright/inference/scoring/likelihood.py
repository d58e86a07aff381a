"""What a model says of texts that already exist: log-probabilities of their tokens, and hidden states.

Rows are grouped by length, so that little is padding, and cut, so that the logits in memory stay small.
Padding stands on the right: a causal model's real tokens never see it.

Shapes    R rows    T tokens    V vocabulary    W width
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from transformers import Cache, PreTrainedModel

from langwright.errors import UserError
from langwright.inference.memory.cache import prefill_cache
from langwright.inference.running.subject import Beginning, arguments_of, pad_of
from langwright.models.adapters import virtual_tokens

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOGITS_BYTES = 64 * 2**20  # of float32 logits at a time; a second copy of that size is made on the way
MOST_POSITIONS = 8192  # in one forward pass, padding included
READ_POSITIONS = 1024  # of texts that are only read: more make it no faster, and leave the processor's caches


def positions_at_once(vocab_size: int, logits_bytes: int = LOGITS_BYTES) -> int:
    """Positions whose float32 logits fit the limit."""
    return max(1, min(MOST_POSITIONS, logits_bytes // (4 * vocab_size)))


def groups(lengths: Sequence[int], most: int) -> Iterator[list[int]]:
    """Indices of rows to compute together: similar lengths, at most `most` positions with their padding.

    A row longer than `most` stands alone.
    """
    order = sorted(range(len(lengths)), key=lambda index: lengths[index], reverse=True)
    group: list[int] = []
    for index in order:
        if group and (len(group) + 1) * lengths[group[0]] > most:
            yield group
            group = []
        group.append(index)
    if group:
        yield group


def taken(logits_RTV: Tensor, targets_RT: Tensor) -> Tensor:
    """Log-probability of the target at every position, shape (R, T).

    By log_softmax: of a lone row torch parts logsumexp among threads, and its last bits are then others.
    """
    return logits_RTV.float().log_softmax(-1).gather(-1, targets_RT[..., None]).squeeze(-1)


def judged(logits_RTV: Tensor, targets_RT: Tensor) -> Tensor:
    """Log-probability of the target, and 1 where no token is likelier, shape (R, T, 2)."""
    logits_RTV = logits_RTV.float()
    target_RT = logits_RTV.gather(-1, targets_RT[..., None]).squeeze(-1)
    return torch.stack([taken(logits_RTV, targets_RT), (target_RT == logits_RTV.amax(-1)).float()], dim=-1)


def likeliest(logits_RTV: Tensor, targets_RT: Tensor, *, top: int) -> Tensor:
    """Log-probability of the target, then ids of the likeliest tokens, then their log-probabilities, (R, T, 1 + 2 top)."""
    logits_RTV = logits_RTV.double()  # ids stay exact
    norm_RT1 = logits_RTV.logsumexp(-1, keepdim=True)
    found = logits_RTV.topk(top, -1)
    target_RT1 = logits_RTV.gather(-1, targets_RT[..., None]) - norm_RT1
    return torch.cat([target_RT1, found.indices.double(), found.values - norm_RT1], dim=-1)


@torch.inference_mode()
def score_group(
    model: PreTrainedModel, rows: Sequence[Sequence[int]], most: int, of: Callable[[Tensor, Tensor], Tensor] = taken
) -> list[Any]:
    """What the model says of all tokens but the first of each row; see `Engine.score`.

    most  positions at once; a single row that is longer is read in pieces of that length
    of    `taken` gives a log-probability a token, `judged` a pair, `likeliest` a list
    """
    if len(rows) == 1 and len(rows[0]) - 1 > most:
        return [score_long(model, rows[0], most, of)]
    ids_RT, mask_RT = padded([row[:-1] for row in rows], model)
    targets_RT, _ = padded([row[1:] for row in rows], model)
    logits_RTV = model(input_ids=ids_RT, attention_mask=mask_RT, use_cache=False).logits
    found_RT = of(logits_RTV, targets_RT).tolist()
    return [values[: len(row) - 1] for values, row in zip(found_RT, rows, strict=True)]


def score_long(
    model: PreTrainedModel, row: Sequence[int], most: int, of: Callable[[Tensor, Tensor], Tensor] = taken
) -> list[Any]:
    """One row in pieces of `most` tokens, what came before held in a cache; the numbers are the same."""
    cache = cache_or_none(model)
    if cache is None:  # nothing to hold the past in: all at once, whatever it takes
        return list(score_group(model, [row], len(row), of)[0])
    device = next(model.parameters()).device
    ids_1T = torch.tensor([list(row)], device=device)
    found: list[Any] = []
    for at in range(0, len(row) - 1, most):
        until = min(at + most, len(row) - 1)
        output = model(input_ids=ids_1T[:, at:until], past_key_values=cache, use_cache=True)
        found += of(output.logits, ids_1T[:, at + 1 : until + 1])[0].tolist()
    return found


def encode_rows(model: PreTrainedModel, rows: Sequence[Sequence[int]], alone: bool = False) -> list[NDArray]:  # type: ignore[type-arg]
    """`encode_group` of any number of rows, in their order; each by itself where so asked."""
    found: dict[int, NDArray] = {}  # type: ignore[type-arg]
    for part in groups([len(row) for row in rows], 1 if alone else READ_POSITIONS):
        found.update(zip(part, encode_group(model, [rows[index] for index in part]), strict=True))
    return [found[index] for index in range(len(rows))]


@torch.inference_mode()
def score_pairs(
    model: PreTrainedModel,
    pairs: Sequence[tuple[Sequence[int], Sequence[int]]],
    begun: Beginning,
    of: Callable[[Tensor, Tensor], Tensor] = taken,
) -> list[Any]:
    """What an encoder-decoder says of every token of each second text, having read the first.

    A first token that the model always begins with is one of the text's: it gets a number like any other.
    """
    start = begun.silent
    ids_RS, mask_RS = padded([source for source, _ in pairs], model)
    told_RT, _ = padded([[*start, *target[:-1]] for _, target in pairs], model)
    targets_RT, _ = padded([target for _, target in pairs], model)
    logits_RTV = model(input_ids=ids_RS, attention_mask=mask_RS, decoder_input_ids=told_RT, use_cache=False).logits
    found_RT = of(logits_RTV[:, len(start) - 1 :], targets_RT).tolist()
    return [values[: len(target)] for values, (_, target) in zip(found_RT, pairs, strict=True)]


@torch.inference_mode()
def encode_group(model: PreTrainedModel, rows: Sequence[Sequence[int]]) -> list[NDArray]:  # type: ignore[type-arg]
    """Last hidden states of each row's own tokens, float32, (tokens, width) a row."""
    inside = reader_of(model)
    if inside is not None:
        ids_RT, mask_RT = padded(rows, model)
        states_RTW = inside(input_ids=ids_RT, attention_mask=mask_RT).last_hidden_state.float().cpu().numpy()
        return [states_RTW[number, : len(row)].copy() for number, row in enumerate(rows)]
    ids_RT, mask_RT = padded(rows, model)
    keep = {"logits_to_keep": 1} if "logits_to_keep" in arguments_of(model) else {}
    output = model(input_ids=ids_RT, attention_mask=mask_RT, output_hidden_states=True, **keep)
    hidden_RTW = output.hidden_states[-1][:, -ids_RT.shape[1] :].float().cpu().numpy()  # behind virtual tokens
    return [hidden_RTW[number, : len(row)].copy() for number, row in enumerate(rows)]


def reader_of(model: PreTrainedModel) -> PreTrainedModel | None:
    """The part of a model that reads in both directions, without heads; None where there is none."""
    if model.config.is_encoder_decoder:
        reader: PreTrainedModel = model.get_encoder()
        return reader
    return None if model.can_generate() or virtual_tokens(model) else model.base_model


def padded(rows: Sequence[Sequence[int]], model: PreTrainedModel) -> tuple[Tensor, Tensor]:
    """(ids, mask) of shape (R, T), the model's padding on the right."""
    device = next(model.parameters()).device
    longest = max(len(row) for row in rows)
    pad = pad_of(model)
    ids_RT = torch.tensor([list(row) + [pad] * (longest - len(row)) for row in rows], device=device)
    lengths_R = torch.tensor([len(row) for row in rows], device=device)
    return ids_RT, (torch.arange(longest, device=device) < lengths_R[:, None]).long()


def cache_or_none(model: PreTrainedModel) -> Cache | None:
    """A cache for this model, or None where its kind of memory is not keys and values, or an adapter fills it itself."""
    if virtual_tokens(model):
        return None
    try:
        return prefill_cache(model.config)
    except UserError:
        return None
