"""From what is asked for to what the engine needs: a constraint, a guide, and a last look at the text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langwright.errors import UserError
from langwright.inference.control.contrast import AgainstPrompt
from langwright.inference.control.forms import form_of
from langwright.inference.control.lengths import Limited, cut
from langwright.inference.control.settings import Contrast, Control
from langwright.inference.control.together import guides_together, together
from langwright.inference.control.words import Instead, Must, Never

if TYPE_CHECKING:
    from langwright.inference.protocol import Constraint, FinishReason, Guide
    from langwright.inference.texts.text import TextModel

Verdict = Callable[[str, "FinishReason"], "FinishReason"]


@dataclass(frozen=True)
class Wish:
    """What is asked of one continuation.

    verdict  why the text ended, told from the whole of it; UserError for a text that is not what was asked for
    """

    constraint: Constraint | None = None
    guide: Guide | None = None
    verdict: Verdict = lambda text, reason: reason


def wish(model: TextModel, control: Control | None, guide: Guide | None, stop: Sequence[str], most: int) -> Wish:
    """The constraint and the guide of a control.

    guide   what is asked for besides
    most    tokens that the text may have
    raises  UserError for what cannot be used, or contradicts itself
    """
    whole = model.alphabet.whole_characters
    if control is None:
        return Wish(whole, guide)
    if control.form is not None and stop:
        raise UserError(
            "{form} and stop do not go together: a stop text could cut what has a form",
            fix="leave stop out; the text ends where its form does",
            form=control.form,
        )
    vocabulary = model.vocabulary
    form = form_of(vocabulary, control)
    must = Must(vocabulary, control.must, most) if control.must else None
    constraints = (
        whole if form is None else form,  # a form is of characters anyway
        None if control.length is None else Limited(vocabulary, control.length),
        Never(vocabulary, control.never) if control.never else None,
        must,
    )
    guides = (
        guide,
        None if control.contrast is None else against(model, control.contrast, most),
        None if must is None else Instead(must),
    )
    return Wish(together(constraints), guides_together(guides), verdict_of(control))


def against(model: TextModel, contrast: Contrast, most: int) -> AgainstPrompt:
    """The guide away from another prompt.

    raises  UserError where that prompt and the text together do not fit the context
    """
    other = tuple(model.tokenize(contrast.prompt)) if contrast.prompt else ()
    if len(other) + most > model.context:
        raise UserError(
            "the prompt to move away from has {tokens} tokens, and with {most} new ones it does not fit the model's "
            "context of {context}",
            fix="shorten it, or ask for fewer new tokens",
            tokens=len(other),
            most=most,
            context=model.context,
        )
    return AgainstPrompt(other, contrast.strength)


def verdict_of(control: Control) -> Verdict:
    """The last look at a text: JSON that ended by itself is read once more and compared with its schema; a text that
    stands at its limit in the middle of a sentence was cut, whoever ended it.
    """

    def judge(text: str, reason: FinishReason) -> FinishReason:
        if reason != "stop":
            return reason
        if control.json_schema is not None:
            from langwright.inference.control.checking import check_text

            check_text(text, control.json_schema)
        return "length" if control.length is not None and cut(control.length, text) else reason

    return judge
