"""A model's own forward pass for one request whose rows fork: what search needs that a stream does not.

Works for every causal model of transformers: rows are picked and copied in the model's own cache, whatever
it holds; a model without one reads everything again at each step.

Shapes    B rows    T tokens    V vocabulary    W width
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers import Cache, DynamicCache, PreTrainedModel

from langwright.inference.running.lora import Adapter, at_work
from langwright.inference.running.subject import arguments_of
from langwright.models.adapters import virtual_past, virtual_tokens


class Unroll:
    """The rows of one search, all of one length."""

    def __init__(self, model: PreTrainedModel, *, hidden: bool = False, adapter: Adapter | None = None) -> None:
        """hidden: whether last hidden states are wanted beside logits; adapter: at work in every pass."""
        self.adapter = adapter
        self.ahead = virtual_tokens(model)  # of an adapter, before every text
        self.past = virtual_past(model) if self.ahead else []
        self.model = model.get_base_model() if self.ahead else model
        self.device = next(model.parameters()).device
        self.hidden = hidden
        self.cache: Cache | None = None
        self.ids_BT = torch.zeros((0, 0), dtype=torch.long)
        self.keep = {"logits_to_keep": 1} if "logits_to_keep" in arguments_of(model) else {}

    def begin(self, prompt: Sequence[int]) -> tuple[Tensor, Tensor | None]:
        """Read the prompt: logits after it, shape (1, V), and hidden states of all its tokens, shape (T, W), if wanted."""
        self.ids_BT = torch.tensor([list(prompt)], device=self.device)
        if self.past:
            self.cache = DynamicCache(config=self.model.config)
            for layer, (keys, values) in enumerate(self.past):
                self.cache.update(keys, values, layer)
        return self._forward(self.ids_BT)

    def extend(self, parents: Sequence[int], ids: Sequence[int]) -> tuple[Tensor, Tensor | None]:
        """New rows, each a former row with one more token: logits, shape (B, V), and hidden states, shape (B, W), if wanted."""
        parents_B = torch.tensor(list(parents), device=self.device)
        ids_B1 = torch.tensor([[id] for id in ids], device=self.device)
        same = len(ids) == len(self.ids_BT) and list(parents) == list(range(len(ids)))
        self.ids_BT = torch.cat([self.ids_BT[parents_B], ids_B1], dim=1)
        if self.cache is None:
            logits_BV, hidden = self._forward(self.ids_BT)
        else:
            if not same:
                self.cache.reorder_cache(parents_B)
            logits_BV, hidden = self._forward(ids_B1)
        return logits_BV, None if hidden is None else hidden.reshape(len(ids), -1, hidden.shape[-1])[:, -1]

    def _forward(self, ids_BT: Tensor) -> tuple[Tensor, Tensor | None]:
        mask_BT = nn.functional.pad(torch.ones_like(self.ids_BT), (self.ahead, 0), value=1)
        given = {"past_key_values": self.cache} if self.cache is not None else {}
        with at_work([self.adapter] * len(ids_BT)):
            output = self.model(
                input_ids=ids_BT,
                attention_mask=mask_BT,
                use_cache=True,
                output_hidden_states=self.hidden,
                **given,
                **self.keep,
            )
        self.cache = getattr(output, "past_key_values", None)
        hidden = output.hidden_states[-1].float().flatten(0, 1) if self.hidden else None
        return output.logits[:, -1].float(), hidden
