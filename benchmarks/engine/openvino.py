"""OpenVINO GenAI's continuous batching over a model that optimum-intel converts, with int8 weights.

Runs in an environment of its own, since optimum-intel wants an older transformers: `pip install optimum-intel
openvino-genai` there, and LANGWRIGHT_OPENVINO names its interpreter.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.engine.work import THREADS, Done, Ids, LeftOut

PROMPT, TOP = [7, 3, 11, 300, 5, 9, 8, 200, 6], 5
MOST = 32
CACHE_GB = 2  # twice what 32 rows of 256 positions take in the largest shape


class OpenVino:
    """The pipeline, asked token by token who is done."""

    def __init__(self, folder: Path) -> None:
        import openvino_genai

        converted = folder / "openvino"
        if not converted.exists():
            convert(folder, converted)
        scheduler = openvino_genai.SchedulerConfig()
        scheduler.max_num_seqs, scheduler.cache_size, scheduler.max_num_batched_tokens = MOST, CACHE_GB, 512
        scheduler.enable_prefix_caching = False
        self.genai = openvino_genai
        self.pipeline = openvino_genai.ContinuousBatchingPipeline(
            str(converted), scheduler, "CPU", {"INFERENCE_NUM_THREADS": THREADS}
        )
        self.version = f"OpenVINO GenAI {openvino_genai.__version__}"
        self.check(folder)

    def check(self, folder: Path) -> None:
        """LeftOut where what it writes first is not among what transformers finds likeliest."""
        import torch
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        with torch.inference_mode():
            likeliest = model(torch.tensor([PROMPT])).logits[0, -1].topk(TOP).indices.tolist()
        (first,) = self.written([PROMPT], 1, [])
        if first[0] not in likeliest:
            raise LeftOut(f"it writes {first[0]} where transformers finds {likeliest} likeliest")

    def written(self, prompts: Ids, tokens: int, at: list[float]) -> list[list[int]]:
        """Greedy continuations, all that have come read side by side."""
        import openvino

        config = self.genai.GenerationConfig(
            max_new_tokens=tokens, min_new_tokens=tokens, ignore_eos=True, do_sample=False
        )
        began, left, handles = time.perf_counter(), list(enumerate(at or [0.0] * len(prompts))), {}
        while left or self.pipeline.has_non_finished_requests():
            while left and began + left[0][1] <= time.perf_counter():
                number, _ = left.pop(0)
                handles[number] = self.pipeline.add_request(number, openvino.Tensor([prompts[number]]), config)
            if self.pipeline.has_non_finished_requests():
                self.pipeline.step()
            else:
                time.sleep(max(0.0, began + left[0][1] - time.perf_counter()))
        return [list(handles[number].read_all()[0].generated_ids) for number in range(len(prompts))]

    def __call__(self, prompts: Ids, tokens: int, at: list[float]) -> Done:
        return Done(sum(map(len, self.written(prompts, tokens, at))))


def convert(folder: Path, to: Path) -> None:
    """What optimum-intel makes of a model; LeftOut where it makes nothing."""
    command = [
        str(Path(sys.executable).with_name("optimum-cli")), "export", "openvino", "--model", str(folder), "--task",
        "text-generation-with-past", "--weight-format", "int8", str(to),
    ]  # fmt: skip
    if not Path(command[0]).exists():
        raise LeftOut("there is no optimum-cli beside the interpreter that LANGWRIGHT_OPENVINO names")
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""}, check=False)
    if done.returncode:
        raise LeftOut(f"optimum-cli ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
