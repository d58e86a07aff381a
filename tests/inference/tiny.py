"""Small models with fixed random weights, and a gate before a model's forward pass."""

from __future__ import annotations

import copy
import threading
import time
from typing import Any

import torch
from transformers import AutoModelForCausalLM, GPT2Config, LlamaConfig, PreTrainedModel

VOCAB, CONTEXT = 97, 96
NO_SPECIAL: dict[str, Any] = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": 0}
LLAMA = LlamaConfig(
    vocab_size=VOCAB, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=CONTEXT, **NO_SPECIAL,
)  # fmt: skip
GPT2 = GPT2Config(vocab_size=VOCAB, n_embd=32, n_layer=2, n_head=4, n_positions=CONTEXT, **NO_SPECIAL)


def random_model(config: Any, seed: int = 1, scale: float = 12.0) -> PreTrainedModel:
    """Weights large enough that the likeliest token depends on the whole text."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(copy.deepcopy(config)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() > 1:
                weight.mul_(scale)
    return model


class Gate:
    """Stands before a model's forward pass: counts rows, and holds each pass until it is let through."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.shapes: list[tuple[int, int]] = []
        self.pause_s = 0.0
        self.fail_at: int | None = None
        self.key = "input_ids"
        self._permits = threading.Semaphore(0)
        self._open = True
        self._arrived = threading.Condition()
        self._handle = model.register_forward_pre_hook(self._before, with_kwargs=True)

    def shut(self) -> None:
        """Let nothing through but what `let` allows."""
        self._open = False

    def let(self, passes: int) -> None:
        """Let some passes through."""
        for _ in range(passes):
            self._permits.release()

    def open(self) -> None:
        """Let everything through from now on."""
        self._open = True
        self._permits.release()

    def wait_for(self, passes: int, timeout_s: float = 20) -> None:
        """Until so many passes have arrived here."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.shapes) >= passes, timeout_s), self.shapes

    def remove(self) -> None:
        self.open()
        self._handle.remove()

    def _before(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        with self._arrived:
            self.shapes.append(tuple(kwargs[self.key].shape))
            self._arrived.notify_all()
        while not self._open and not self._permits.acquire(timeout=0.01):
            pass
        if self.fail_at == len(self.shapes):
            raise RuntimeError("the lightning struck")
        time.sleep(self.pause_s)


def prompts_of(lengths: tuple[int, ...], seed: int = 0) -> list[list[int]]:
    """Random prompts of these lengths."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(1, VOCAB, (length,), generator=generator).tolist() for length in lengths]


def reference(model: PreTrainedModel, prompt: list[int], max_new_tokens: int, **settings: Any) -> list[int]:
    """Greedy continuation by transformers' own `generate`, with further settings of it."""
    ids = torch.tensor([prompt])
    made = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=max_new_tokens,
        do_sample=False,
        pad_token_id=0,
        **settings,
    )
    return made[0, len(prompt) :].tolist()
