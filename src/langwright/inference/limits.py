"""What an engine refuses before it begins, in the same words whichever engine it is."""

from __future__ import annotations

from collections.abc import Sequence

from langwright.errors import UserError
from langwright.inference.protocol import Kind, Sampling


class QueueFull(UserError):
    """The line of those who wait has its full length; who comes now has to come again."""

    def __init__(self, waiting: int) -> None:
        super().__init__(
            "{waiting} requests wait already, and no more may",
            fix="ask again when some have been answered",
            waiting=waiting,
        )


def check_prompt(prompt: Sequence[int], context: int, vocab_size: int | None = None) -> None:
    """UserError when a prompt is empty, leaves no room for one new token, or names tokens that do not exist."""
    if not prompt:
        raise UserError(
            "the prompt is empty", fix="give at least one token: this tokenizer adds no start token of its own"
        )
    if len(prompt) + 1 > context:
        raise prompt_too_long(len(prompt), context)
    check_vocabulary(prompt, vocab_size)


def prompt_too_long(tokens: int, context: int) -> UserError:
    """What is said of a prompt that leaves no room for one new token."""
    return UserError(
        "the prompt has {tokens} tokens, which with one new token is {over} more than the model's context of {context}",
        fix="shorten the prompt to at most {most} tokens, or use a model with a longer context",
        tokens=tokens,
        context=context,
        over=tokens + 1 - context,
        most=context - 1,
    )


def check_row(row: Sequence[int], context: int, vocab_size: int | None = None) -> None:
    """UserError when a row to score or encode is empty, longer than the context, or names tokens that do not exist."""
    if not row:
        raise UserError("the text has no tokens", fix="give a text that is not empty")
    if len(row) > context:
        raise UserError(
            "the text has {tokens} tokens, and the model's context is {context}",
            fix="cut it into pieces of at most {context} tokens; `langwright evaluate` does this with a rolling window",
            tokens=len(row),
            context=context,
        )
    check_vocabulary(row, vocab_size)


def check_sampling(sampling: Sampling, vocab_size: int | None) -> None:
    """UserError when a setting names tokens that do not exist, or a bad word has none."""
    if () in sampling.bad_words:
        raise UserError("a bad word has no tokens", fix="leave it out of bad_words")
    named = [*sampling.logit_bias, *(id for word in sampling.bad_words for id in word)]
    check_vocabulary(named, vocab_size)


def cannot_guide(type: str) -> UserError:
    """What is said where a guide cannot read along."""
    return UserError(
        "models of type {type} read one text and write another, which guides cannot follow",
        fix="leave the guide out, or use a causal language model",
        type=type,
    )


def cannot_search(type: str) -> UserError:
    """What is said where beams cannot be kept."""
    return UserError(
        "models of type {type} read one text and write another, which beam and contrastive search do not do here",
        fix="leave the search out, or use a causal language model",
        type=type,
    )


def cannot_score(type: str, kind: Kind) -> UserError:
    """What is said where a model has no probability of a text by itself."""
    if kind == "rewrites":
        return UserError(
            "models of type {type} give a text a probability only after another that it was written from",
            fix="give that text too: score(text, given=source)",
            type=type,
        )
    return UserError(
        "models of type {type} give a text no probability: they see what comes after a word too",
        fix="use a causal language model, or an encoder-decoder with the text that was read",
        type=type,
    )


def check_source(source: Sequence[int], context: int, vocab_size: int | None = None) -> None:
    """UserError when what an encoder is to read is empty, longer than it can read, or names tokens that do not exist."""
    if not source:
        raise UserError("the prompt is empty", fix="give a text to write another from")
    if len(source) > context:
        raise UserError(
            "the text to read has {tokens} tokens, and the model's encoder reads {context}: {over} too many",
            fix="shorten it, or use a model with a longer context",
            tokens=len(source),
            context=context,
            over=len(source) - context,
        )
    check_vocabulary(source, vocab_size)


def check_vocabulary(ids: Sequence[int], vocab_size: int | None) -> None:
    """UserError when a token id is outside the model's vocabulary: tokenizer and model do not belong together."""
    if vocab_size is None:
        return
    wrong = next((id for id in ids if not 0 <= id < vocab_size), None)
    if wrong is not None:
        raise UserError(
            "token {id} does not exist in the model's vocabulary of {vocab_size}",
            fix="use the tokenizer that the model was trained with",
            id=wrong,
            vocab_size=vocab_size,
        )
