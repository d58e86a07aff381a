"""Tokens that an objective needs and a tokenizer lacks: added at its end, where no other id moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

SENTINELS = 100
"""As many as T5 has."""
FULL_STOPS = (".", "!", "?", "…", "。", "！", "？")  # what closes a sentence
BEHIND = "\"'”’)）」』】 \n"  # what may stand behind it


def add_padding(tokenizer: PreTrainedTokenizerBase) -> None:
    """A pad token that is neither the first nor the last of a text."""
    if tokenizer.pad_token_id in (None, tokenizer.bos_token_id, tokenizer.eos_token_id):
        tokenizer.add_special_tokens({"pad_token": "<pad>"})


def add_end(tokenizer: PreTrainedTokenizerBase) -> None:
    """A token that ends a text."""
    if tokenizer.eos_token_id is None:
        tokenizer.add_special_tokens({"eos_token": "</s>"})


def add_mask(tokenizer: PreTrainedTokenizerBase) -> None:
    """A token that stands for what is hidden."""
    if tokenizer.mask_token_id is None:
        tokenizer.add_special_tokens({"mask_token": "<mask>"})


def add_sentinels(tokenizer: PreTrainedTokenizerBase) -> None:
    """T5's marks, by T5's names."""
    known = tokenizer.get_vocab()
    names = [name for name in map(sentinel, range(SENTINELS)) if name not in known]
    tokenizer.add_special_tokens({"extra_special_tokens": names}, replace_extra_special_tokens=False)


def sentinel(number: int) -> str:
    """The name of a mark."""
    return f"<extra_id_{number}>"


def sentinel_ids(tokenizer: PreTrainedTokenizerBase) -> NDArray[np.int64]:
    """The ids of the marks, in their order."""
    import numpy as np

    return np.array(tokenizer.convert_tokens_to_ids([sentinel(number) for number in range(SENTINELS)]), dtype=np.int64)


def sentence_ends(tokenizer: PreTrainedTokenizerBase) -> NDArray[np.bool_]:
    """Which tokens close a sentence: those that end in a full stop, and the one that ends a text; shape (V,)."""
    import numpy as np

    texts = tokenizer.batch_decode([[number] for number in range(len(tokenizer))], skip_special_tokens=True)
    ends = [text.rstrip(BEHIND).endswith(FULL_STOPS) for text in texts]
    ends[tokenizer.eos_token_id] = True
    return np.array(ends)
