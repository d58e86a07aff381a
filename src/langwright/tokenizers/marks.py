"""The tokens that encoders need besides those of the text: [CLS] before it, [SEP] after it, [MASK] in a word's place.

Source    Devlin et al. 2019, arXiv:1810.04805, section 3 and figure 2
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

MARKS = {"cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}


def add_marks(tokenizer: PreTrainedTokenizerBase) -> None:
    """Give a tokenizer the three that it lacks, in place, and let it put the first two around every text.

    A tokenizer that has them all is left as it is. New ids stand behind the others, so what was cut before is cut
    the same; a pair of texts gets token types 0 and 1.
    """
    missing = {name: mark for name, mark in MARKS.items() if getattr(tokenizer, name) is None}
    if not missing:
        return
    from tokenizers import processors

    tokenizer.add_special_tokens(missing)
    first, last = str(tokenizer.cls_token), str(tokenizer.sep_token)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{first}:0 $A:0 {last}:0",
        pair=f"{first}:0 $A:0 {last}:0 $B:1 {last}:1",
        special_tokens=[(first, tokenizer.cls_token_id), (last, tokenizer.sep_token_id)],
    )
    tokenizer.model_input_names = ["input_ids", "token_type_ids", "attention_mask"]
    tokenizer.init_kwargs["model_input_names"] = tokenizer.model_input_names  # what is saved
