"""More token types than a model came with, so that it can be told more of each token than which text it is of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedModel


def widen(model: PreTrainedModel, count: int, *, like: int) -> bool:
    """Give a model so many token types, those behind `like` beginning as it is; False for a model without any.

    A model that is told nothing new says what it said before.
    """
    import torch
    from torch import nn

    inside: Any = getattr(model.base_model, "embeddings", None)
    before = getattr(inside, "token_type_embeddings", None)
    if not isinstance(before, nn.Embedding) or before.num_embeddings <= like:
        return False
    after = nn.Embedding(count, before.embedding_dim, dtype=before.weight.dtype, device=before.weight.device)
    with torch.no_grad():
        after.weight[:] = before.weight[like]
        after.weight[:like] = before.weight[:like]
    inside.token_type_embeddings = after
    model.config.type_vocab_size = count
    return True
