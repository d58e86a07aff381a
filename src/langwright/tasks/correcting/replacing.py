"""Correction token by token: a masked language model that was taught what is to stand at each place of a wrong text.

Source    Zhang et al. 2020, arXiv:2005.07421, section 2.1: BERT fine-tuned to give each character of a sentence or
          another in its place, which their Soft-Masked BERT is compared with
Differs   Tokens are those of the model's own tokenizer; where they are no single characters, a mistake that changes how
          a text is cut cannot be learned. Long texts are read in windows that overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from langwright.data.encoder import Encoder
from langwright.metrics.edits import Edit
from langwright.tasks.correcting.channel import Found

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


def replacements(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_batch: int = 16
) -> list[list[Found]]:
    """The replacements of each text that the model finds likelier than what stands there, in order and apart."""
    from langwright.tasks.front.headed import encoder_for

    return replaced(model, encoder_for(model, tokenizer, None), texts, max_batch)


def replaced(model: PreTrainedModel, encoder: Encoder, texts: Sequence[str], max_batch: int = 16) -> list[list[Found]]:
    """The same with an encoder."""
    import torch

    from langwright.inference.texts.decoding import Alphabet
    from langwright.tasks.front.headed import Headed

    alphabet = Alphabet(encoder.tokenizer)
    special = torch.tensor(sorted(set(encoder.tokenizer.all_special_ids)))
    cut = [encoder.words(text) for text in texts]
    windows = [(number, window) for number, (_, _, made) in enumerate(cut) for window in made]
    found: list[list[Found]] = [[] for _ in texts]
    for places, said in Headed(model, encoder).read([window.row for _, window in windows], max_batch):
        shares_BTV = said.logits.float().index_fill(-1, special.to(said.logits.device), -torch.inf).softmax(-1)
        best_BT, ids_BT = (one.cpu() for one in shares_BTV.max(-1))
        for place, best_T, ids_T in zip(places, best_BT.tolist(), ids_BT.tolist(), strict=True):
            number, window = windows[place]
            where = cut[number][0]
            for token in range(*window.owned):
                row = token - window.first + window.offset
                own, start, end = int(window.row.ids[row]), *where[token]
                if ids_T[row] == own or own in encoder.tokenizer.all_special_ids or start == end:
                    continue
                here, meant = texts[number][start:end], alphabet.text_of([ids_T[row]]).strip()
                whole = alphabet.text_of([own]).strip().casefold() == here.casefold()  # not one byte of a character
                if whole and meant and meant != here and "\ufffd" not in meant:
                    found[number].append(Found(Edit(start, end, meant), best_T[row]))
    return [sorted(some, key=lambda one: one.edit) for some in found]
