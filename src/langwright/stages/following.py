"""A process that helps to train: it opens the same inputs, and its part ends where training does.

    python -m langwright.stages.following OUT.partial CACHE ddp|fsdp[,offload]

is how the first process of `--on processes:N` starts the others; under torchrun the command itself does the same.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from langwright.artifacts import Making, Request, partial_of
from langwright.errors import UserError
from langwright.runlog import RunLog
from langwright.stages import STAGES
from langwright.stages.declaration import Work
from langwright.stages.execution import Prepared, prepare
from langwright.training.together import Place, Together, launched_rank, parse_on, processes_beside
from langwright.workspace import PARTIAL


def follow(prepared: Prepared, out: Path, cache: Path, on: Together, rank: int) -> None:
    """Train along; nothing is written.

    raises  UserError where the first process was asked for something else, or its folder is not to be seen here
    """
    from langwright.training.fit import Dismissed
    from langwright.training.processes import wait_for_first

    wait_for_first(prepared.request.key(), rank)
    path = partial_of(out)
    if not (path / "run" / "plan.json").is_file():
        raise UserError(
            "process {rank} does not see {path}, which process 0 writes",
            fix="name an output in a folder that all machines share",
            rank=rank,
            path=path,
        )
    stage = prepared.stage
    making = Making(out, path, prepared.request, stage.makes, resumed=True, started=time.monotonic())
    place = Place(on, rank, prepared.request.key(), processes_beside(on))
    try:
        stage.run(
            Work(
                prepared.settings, prepared.artifacts, prepared.sources, making, RunLog(None), cache=cache, place=place
            )
        )
    except Dismissed:
        return
    raise RuntimeError(f"{stage.name} says that several processes may train it, and does not hand its place on")


def main() -> int:
    """Train along with the process that started this one, and say in the last line why not where it fails."""
    from langwright.training.launching import LEFT, ends_with_parent
    from langwright.training.processes import broke

    ends_with_parent()
    partial, cache = Path(sys.argv[1]), Path(sys.argv[2])
    request = Request.model_validate_json((partial / "run" / "request.json").read_bytes())
    on, launched = parse_on(sys.argv[3]), launched_rank()
    assert on is not None and launched is not None  # the first process says both
    stage = STAGES[request.stage]
    given: dict[str, list[str]] = {}
    for origin in request.inputs:
        given.setdefault(origin.role, []).append(origin.path)
    settings = stage.settings.model_validate_json(json.dumps(request.settings))
    try:
        follow(
            prepare(stage, given, settings),
            partial.with_name(partial.name.removesuffix(PARTIAL)),
            cache,
            on,
            launched[0],
        )
    except UserError as error:
        print(error.problem())
        return 2
    except KeyboardInterrupt:
        return 130
    except RuntimeError as error:
        if broke(error):
            return LEFT
        raise
    return 0


if __name__ == "__main__":
    sys.exit(main())
