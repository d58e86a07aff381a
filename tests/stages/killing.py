"""Stages in processes of their own that are killed with SIGKILL and begun again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from langwright.artifacts import partial_of
from langwright.workspace import Workspace

PROCESS = """
import json, sys
from pathlib import Path
from langwright.settings import read_settings
from langwright.stages import STAGES
from langwright.stages.execution import execute
from langwright.workspace import Workspace
folder, stage, out, inputs = Path(sys.argv[1]), STAGES[sys.argv[2]], sys.argv[3], json.loads(sys.argv[4])
given = {role: [folder / name for name in names] for role, names in inputs.items()}
execute(stage, given, folder / out, read_settings(stage.settings, sets=sys.argv[5:]), workspace=Workspace(folder))
"""
EVENTS = "run/events.jsonl"


@dataclass(frozen=True)
class Killable:
    """A stage with its inputs and settings.

    events  where its steps are written, a pattern in the folder of the run in the making
    """

    world: Workspace
    stage: str
    inputs: Mapping[str, Sequence[str]]
    settings: Sequence[str]
    events: str = EVENTS

    def begin(self, out: str) -> subprocess.Popen[bytes]:
        """The process."""
        words = [str(self.world.folder), self.stage, out, json.dumps(self.inputs), *self.settings]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen([sys.executable, "-c", PROCESS, *words], env=environment, stderr=subprocess.PIPE)

    def partial(self, out: str) -> Path:
        """Where it is made."""
        return partial_of(self.world.folder / out)

    def written(self, out: str) -> bytes:
        """Its events so far."""
        return b"".join(file.read_bytes() for file in sorted(self.partial(out).glob(self.events)))

    def run(self, out: str, kill_when: Callable[[bytes], bool] | None = None) -> bool:
        """Let it run; killed once `kill_when(its events)` is true. True when it ended by itself."""
        process = self.begin(out)
        while process.poll() is None:
            if kill_when is not None and kill_when(self.written(out)):
                process.send_signal(signal.SIGKILL)
                process.communicate()
                return False
            time.sleep(0.003)
        _, said = process.communicate()
        assert process.returncode == 0, said.decode()
        return True

    def kill_and_resume(self, out: str, kills: int, seed: int) -> int:
        """Kill it at random moments, writes of checkpoints among them, resuming each time; how many kills were made."""
        numbers = random.Random(seed)
        made = 0
        while made < kills:
            at_least = numbers.randint(1, 3)
            by_save = numbers.random() < 0.5
            before = self.written(out).count(b'"stepped"')
            scratch = self.partial(out) / "checkpoints"

            def due(
                events: bytes,
                before: int = before,
                at_least: int = at_least,
                by_save: bool = by_save,
                scratch: Path = scratch,
            ) -> bool:
                stepped = events.count(b'"stepped"') - before
                return (stepped >= 1 and any(scratch.glob("*.new"))) if by_save and stepped < 8 else stepped >= at_least

            if self.run(out, due):
                return made
            made += 1
            assert not (self.world.folder / out).exists()
        self.run(out)
        return made
