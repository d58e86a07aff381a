"""Those who write: our engine in its numbers, and its peers. Each runs in a child of its own.

    python -m benchmarks.engine.contestants NAME FOLDER

reads jobs as lines of JSON and answers each with its time. Peers that are not in this environment are looked for in
those of the interpreters named by LANGWRIGHT_PEERS (`pip install ctranslate2 gguf`) and LANGWRIGHT_OPENVINO (`pip
install optimum-intel openvino-genai`), and in the folder named by LANGWRIGHT_NODE (`npm install node-llama-cpp
@node-llama-cpp/linux-x64`); one that is nowhere says why it is left out.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.engine.gguf_files import KINDS
from benchmarks.engine.work import THREADS, Done, Ids, LeftOut, Work

PAGE = 256


def ours(
    folder: Path, precision: str = "float32", strict: bool = False, prefix: bool = True, read: bool = False
) -> Work:
    """Our engine, greedy. `read` hands every token to a reader as it comes, as a server does."""
    from langwright.inference.engine import TorchEngine
    from langwright.inference.precision import Preparation
    from langwright.inference.protocol import Request, Sampling
    from langwright.models.loading import load_model

    kept = {} if prefix else {"prefix_bytes": 0}
    numbers = Preparation(precision, strict, keep=False)  # type: ignore[arg-type]
    engine = TorchEngine(load_model(folder), max_batch=32, preparation=numbers, **kept)  # type: ignore[arg-type]

    def work(prompts: Ids, tokens: int, at: list[float]) -> Done:
        began, streams, made = time.perf_counter(), [], [0] * len(prompts)
        for prompt, due in zip(prompts, at or [0.0] * len(prompts), strict=True):
            time.sleep(max(0.0, began + due - time.perf_counter()))
            streams.append(engine.submit(Request(prompt, Sampling(max_new_tokens=tokens))))

        def drain(number: int) -> None:
            made[number] = sum(1 for _ in streams[number])

        if not read:
            for number in range(len(streams)):
                drain(number)
            return Done(sum(made))
        readers = [threading.Thread(target=drain, args=(number,)) for number in range(len(streams))]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join()
        return Done(sum(made))

    return work


def by_generate(folder: Path) -> Work:
    """transformers' padded `generate` in the faster of float32 and bfloat16; who comes later waits for the next batch."""
    import torch
    from transformers import AutoModelForCausalLM

    both = [AutoModelForCausalLM.from_pretrained(folder, dtype=dtype) for dtype in (torch.float32, torch.bfloat16)]
    best: list[Any] = []

    def write(model: Any, prompts: Ids, tokens: int) -> int:
        longest = max(map(len, prompts))
        ids = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts])
        mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
        made = model.generate(ids, attention_mask=mask, max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False)
        return int(made.shape[0] * (made.shape[1] - longest))

    def work(prompts: Ids, tokens: int, at: list[float]) -> Done:
        if not best:
            times = []
            for model in both:
                write(model, prompts[:1], 2)
                began = time.perf_counter()
                write(model, prompts[:8], 8)
                times.append(time.perf_counter() - began)
            best.append(both[times.index(min(times))])
            both.clear()
        began, made, left = time.perf_counter(), 0, list(zip(at or [0.0] * len(prompts), prompts, strict=True))
        while left:
            time.sleep(max(0.0, began + left[0][0] - time.perf_counter()))
            now = [prompt for due, prompt in left if began + due <= time.perf_counter()][:32]
            made += write(best[0], now, tokens)
            left = left[len(now) :]
        return Done(made)

    return work


def by_generate_batch(folder: Path) -> Work:
    """transformers' continuous batching, in bfloat16; all requests at once, since it takes a list."""
    import torch
    from transformers import AutoModelForCausalLM, ContinuousBatchingConfig, GenerationConfig

    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, attn_implementation="sdpa").eval()

    def work(prompts: Ids, tokens: int, at: list[float]) -> Done:
        settings = GenerationConfig(
            max_new_tokens=tokens, min_new_tokens=tokens, do_sample=False, eos_token_id=-1, pad_token_id=0
        )
        blocks = 2 * sum(-(-(len(prompt) + tokens) // PAGE) for prompt in prompts)  # it would take most of the memory
        room = ContinuousBatchingConfig(page_size=PAGE, num_blocks=blocks, max_batch_tokens=512)
        done = model.generate_batch(
            inputs=prompts, generation_config=settings, continuous_batching_config=room, progress_bar=False
        )
        return Done(sum(len(one.generated_tokens) for one in done.values()))

    return work


def by_ctranslate2(folder: Path) -> Work:
    """CTranslate2 in int8, converted by its own converter; who comes later waits for the next batch."""
    import ctranslate2

    converted = folder / "ctranslate2"
    if not converted.exists():
        ctranslate2.converters.TransformersConverter(str(folder)).convert(str(converted), quantization="int8")
    generator = ctranslate2.Generator(
        str(converted), device="cpu", compute_type="int8", inter_threads=1, intra_threads=THREADS
    )

    def work(prompts: Ids, tokens: int, at: list[float]) -> Done:
        began, made, left = time.perf_counter(), 0, list(zip(at or [0.0] * len(prompts), prompts, strict=True))
        while left:
            time.sleep(max(0.0, began + left[0][0] - time.perf_counter()))
            now = [prompt for due, prompt in left if began + due <= time.perf_counter()][:32]
            rows = [[f"t{id}" for id in prompt] for prompt in now]
            done = generator.generate_batch(
                rows, max_length=tokens, min_length=tokens, sampling_topk=1, include_prompt_in_result=False
            )
            made += sum(len(one.sequences_ids[0]) for one in done)
            left = left[len(now) :]
        return Done(made)

    return work


def by_llama_cpp(kind: str) -> Callable[[Path], Work]:
    """llama.cpp with weights of a kind; up to 32 sequences side by side, who comes later waits for one."""

    def begin(folder: Path) -> Work:
        from benchmarks.engine.llama_cpp import LlamaCpp

        return LlamaCpp(folder, kind)

    return begin


def by_openvino(folder: Path) -> Work:
    """OpenVINO GenAI with int8 weights."""
    from benchmarks.engine.openvino import OpenVino

    return OpenVino(folder)


OURS: dict[str, Callable[[Path], Work]] = {
    "ours float32": ours,
    "ours bfloat16": lambda folder: ours(folder, "bfloat16"),
    "ours int8": lambda folder: ours(folder, "int8"),
    "ours int4": lambda folder: ours(folder, "int4"),
}
VARIANTS: dict[str, Callable[[Path], Work]] = {
    "ours bfloat16, strict": lambda folder: ours(folder, "bfloat16", strict=True),
    "ours int8, strict": lambda folder: ours(folder, "int8", strict=True),
    "ours int8, no prefixes kept": lambda folder: ours(folder, "int8", prefix=False),
    "ours int8, streaming": lambda folder: ours(folder, "int8", read=True),
}
PEERS: dict[str, Callable[[Path], Work]] = {
    "transformers generate": by_generate,
    "transformers generate_batch": by_generate_batch,
    "CTranslate2 int8": by_ctranslate2,
    **{f"llama.cpp {kind}": by_llama_cpp(kind) for kind in KINDS},
    "OpenVINO GenAI int8": by_openvino,
}
LEFT_OUT = {"vLLM": "what PyPI has of it is made for GPUs, and its builds for the CPU are on an index of its own"}
PACKAGES = {
    "transformers generate": "transformers",
    "transformers generate_batch": "transformers",
    "CTranslate2 int8": "ctranslate2",
}
ELSEWHERE = {  # those that are not in our own environment, and what names the interpreter of theirs
    "CTranslate2 int8": "LANGWRIGHT_PEERS",
    **{f"llama.cpp {kind}": "LANGWRIGHT_PEERS" for kind in KINDS},
    "OpenVINO GenAI int8": "LANGWRIGHT_OPENVINO",
}


def main(words: Sequence[str]) -> None:
    """Answer jobs until there are no more."""
    name, folder = words[0], Path(words[1])
    said = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    try:
        import torch

        torch.set_num_threads(THREADS)
        work = {**OURS, **VARIANTS, **PEERS}[name](folder)
    except (ImportError, LeftOut) as error:
        said.write(json.dumps({"left_out": str(error)}) + "\n")
        said.flush()
        return
    package = PACKAGES.get(name, "torch")
    version = getattr(work, "version", None) or f"{package} {importlib.metadata.version(package)}"
    said.write(json.dumps({"version": version}) + "\n")
    said.flush()
    for line in sys.stdin:
        job = json.loads(line)
        began = time.perf_counter()
        done = work(job["prompts"], job["tokens"], job["at"])
        took = done.seconds or time.perf_counter() - began
        import resource

        memory = done.memory or resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        said.write(json.dumps({"seconds": took, "made": done.made, "memory": memory}) + "\n")
        said.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
