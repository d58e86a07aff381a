"""All contests of the engine, size by size; what has a report in the folder is not run again.

    export LANGWRIGHT_PEERS=PEERS/bin/python LANGWRIGHT_OPENVINO=OPENVINO/bin/python LANGWRIGHT_NODE=NODE
    python -m benchmarks.engine FOLDER [--shapes 15M 110M 335M 500M] [--rounds 5] [--tokens 128]

The peers are looked for where `contestants.py` says; those that are not there are left out, and that is said.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.engine.shapes import SHAPES

CONTESTS = ("throughput", "arrivals", "prefixes", "strict", "streaming")
SIZES = ["15M", "110M", "335M", "500M"]


def main() -> int:
    """Run what has no report yet."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shapes", nargs="+", choices=SHAPES, default=SIZES)
    parser.add_argument("--contests", nargs="+", choices=CONTESTS, default=list(CONTESTS))
    parser.add_argument("--rounds", default="5")
    parser.add_argument("--tokens", default="128")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    failed = 0
    for shape in asked.shapes:
        for contest in asked.contests:
            report = asked.folder / f"{contest}-{shape}.json"
            if report.is_file():
                continue
            command = [
                sys.executable, "-m", f"benchmarks.engine.{contest}", "--shapes", shape, "--rounds", asked.rounds,
                "--tokens", asked.tokens, "--out", str(report),
            ]  # fmt: skip
            failed += subprocess.run(command, check=False).returncode != 0
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
