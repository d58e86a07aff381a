"""llama.cpp, as the npm package node-llama-cpp brings it built, with what it writes compared with transformers first."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.engine.gguf_files import write
from benchmarks.engine.work import THREADS, Done, Ids, LeftOut

SCRIPT = Path(__file__).with_suffix(".mjs")
APART = {"F16": 0.02, "Q8_0": 0.1, "Q4_0": 0.7}  # most that the likeliest tokens' chances may differ, as a share
PROMPT, TOP = [7, 3, 11, 300, 5, 9, 8, 200, 6], 5


class LlamaCpp:
    """A child with the model in one of its kinds of numbers."""

    def __init__(self, folder: Path, kind: str) -> None:
        modules = Path(os.environ.get("LANGWRIGHT_NODE", "")) / "node_modules"
        if not (modules / "node-llama-cpp").is_dir() or shutil.which("node") is None:
            raise LeftOut("LANGWRIGHT_NODE names no folder where npm has put node-llama-cpp, or there is no node")
        file = folder / f"{kind}.gguf"
        if not file.exists():
            write(folder, kind, file)
        command = ["node", str(SCRIPT), str(modules), str(file), str(THREADS)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        package = json.loads((modules / "node-llama-cpp" / "package.json").read_text(encoding="utf-8"))
        release = json.loads((modules / "node-llama-cpp/llama/binariesGithubRelease.json").read_text(encoding="utf-8"))
        switched_on = [word.split(" = ")[0].strip() for word in self.heard()["system"].split("|") if " = 1" in word]
        self.version = f"node-llama-cpp {package['version']}, llama.cpp {release['release']}, {' '.join(switched_on)}"
        self.check(folder, kind)

    def heard(self) -> dict[str, Any]:
        """Its next answer."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise LeftOut(f"llama.cpp ended with {self.process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found

    def asked(self, **job: Any) -> dict[str, Any]:
        """What it answers."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(job) + "\n")
        self.process.stdin.flush()
        return self.heard()

    def check(self, folder: Path, kind: str) -> None:
        """LeftOut where it does not compute the model that transformers does."""
        import torch
        from transformers import AutoModelForCausalLM

        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        with torch.inference_mode():
            share_V = model(torch.tensor([PROMPT])).logits[0, -1].softmax(-1)
        for id, found in self.asked(prompt=PROMPT, top=TOP)["top"]:
            expected = float(share_V[id])
            if not abs(found - expected) <= APART[kind] * expected:
                raise LeftOut(f"its {kind} says {found:.3g} of a token of which transformers says {expected:.3g}")

    def __call__(self, prompts: Ids, tokens: int, at: list[float]) -> Done:
        done = self.asked(prompts=prompts, tokens=tokens, at=at)
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        peak = next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]
        return Done(done["made"], done["seconds"], int(peak) * 1024)
