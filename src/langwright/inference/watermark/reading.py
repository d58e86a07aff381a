"""From a text to the tokens in which a mark is looked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langwright.inference.watermark.detection import Evidence
from langwright.inference.watermark.keys import Mark

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def evidence_in(tokenizer: PreTrainedTokenizerBase, mark: Mark, text: str, prompt: str = "") -> Evidence:
    """What speaks for a mark in a text.

    tokenizer  of the model that may have written it: a mark is in tokens, and another tokenizer cuts others
    prompt     what stood before it, if that is known: its tokens are context, and are never counted
    """

    def ids_of(of: str) -> list[int]:
        return list(tokenizer(of, add_special_tokens=False, verbose=False)["input_ids"])

    return mark.evidence(ids_of(prompt + text), len(ids_of(prompt)) if prompt else 0)
