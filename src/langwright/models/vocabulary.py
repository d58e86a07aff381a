"""A model with rows for more tokens.

Source    Gee et al. 2022, arXiv:2402.09977 (fast vocabulary transfer): a new token begins as the mean of the
          embeddings of the old tokens that spelled it; the head's rows likewise
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch

from langwright.models.building import generator_kept
from langwright.models.loading import quiet

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@torch.no_grad()
def grow(model: PreTrainedModel, parts: Mapping[int, Sequence[int]]) -> None:
    """Give new ids rows in the embedding and the head, in place; logits of old ids stay what they were.

    parts  for each new id the old ids it stands for
    """
    rows = max(model.get_input_embeddings().num_embeddings, max(parts) + 1)
    with quiet(), generator_kept():
        model.resize_token_embeddings(rows, mean_resizing=False)
    head = model.get_output_embeddings()
    matrices = {id(m.weight): m.weight for m in (model.get_input_embeddings(), head) if m is not None}  # tied: one
    if head is not None and getattr(head, "bias", None) is not None:
        matrices[id(head.bias)] = head.bias
    for weight in matrices.values():
        for new, old in parts.items():
            weight[new] = weight[list(old)].mean(0)
