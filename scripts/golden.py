"""What a converted llama2.c model says, computed by transformers and held against its author's own document."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from scripts.conversions import (
    llama_config,
    llama_generation,
    llama_safetensors,
    llama_special_tokens,
    llama_tokenizer,
    llama_tokenizer_config,
)

PROMPT = "Once upon a time, there was a little boy named Tim."
LONGEST = 256  # new tokens, as in the document


def llama_golden(checkpoint: bytes, pieces: bytes, document: bytes) -> bytes:
    """`golden.json`: ids of a prompt, logits after it, its mean negative log-likelihood in nats, two greedy texts.

    raises  ValueError when the greedy text from nothing is not the one that the document prints
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, data in (
            ("config.json", llama_config(checkpoint)), ("generation_config.json", llama_generation(checkpoint)),
            ("model.safetensors", llama_safetensors(checkpoint)), ("tokenizer.json", llama_tokenizer(pieces)),
            ("special_tokens_map.json", llama_special_tokens(checkpoint)),
            ("tokenizer_config.json", llama_tokenizer_config(checkpoint)),
        ):  # fmt: skip
            (folder / file).write_bytes(data)
        found = measured(folder)
    if found["greedy_from_bos_text"] not in document.decode("utf-8"):
        raise ValueError("the converted model does not say what the document prints")
    return json.dumps(found, indent=1, ensure_ascii=False).encode("utf-8")


def measured(folder: Path) -> dict[str, Any]:
    """The numbers and texts, in float32."""
    import torch
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    prompt = tokenizer(PROMPT)["input_ids"]
    prompt_1T = torch.tensor([prompt])
    with torch.no_grad():
        logits_TV = model(prompt_1T).logits[0]
        nll = torch.nn.functional.cross_entropy(logits_TV[:-1], prompt_1T[0, 1:]).item()
        plain = {"do_sample": False, "max_new_tokens": LONGEST, "pad_token_id": 0}
        bos = model.generate(torch.tensor([[1]]), **plain, eos_token_id=2)[0].tolist()
        more = model.generate(prompt_1T, **plain)[0].tolist()
    return {
        "prompt": PROMPT,
        "prompt_ids": prompt,
        "last_logits": [round(value, 5) for value in logits_TV[-1].tolist()],
        "mean_nll_of_prompt": round(nll, 6),
        "greedy_from_bos_ids": bos,
        "greedy_from_bos_text": tokenizer.decode(bos, skip_special_tokens=True),
        "greedy_from_prompt_ids": more,
        "greedy_from_prompt_text": tokenizer.decode(more, skip_special_tokens=True),
        "made_with": f"torch {torch.__version__}, transformers {transformers.__version__}, CPU, float32 arithmetic",
    }
