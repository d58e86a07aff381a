"""What it costs that a request has the same bits under any load: strict against not, in bfloat16 and int8.

python -m benchmarks.engine.strict [--shapes 110M] [--out report.json]
"""

from __future__ import annotations

from benchmarks.engine.throughput import jobs
from benchmarks.engine.turns import run

PLAIN = ["ours bfloat16", "ours int8"]

if __name__ == "__main__":
    names = ["ours bfloat16, strict", "ours int8, strict", *PLAIN]
    run("benchmarks.engine.strict", __doc__ or "", names, jobs, PLAIN, ["15M", "110M"])
