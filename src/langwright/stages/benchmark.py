"""`langwright benchmark MODEL OUT --tasks NAMES`: put a model the questions of benchmarks, and mark its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from langwright.artifacts import Made
from langwright.evaluation.benchmarks.settings import BenchmarkSettings
from langwright.stages.declaration import Input, Stage, Work

if TYPE_CHECKING:
    from langwright.evaluation.benchmarks.declaration import Plan
    from langwright.evaluation.benchmarks.running import Result
    from langwright.inference.precision import Numbers


def run(work: Work) -> Made:
    """Ask and mark, and write `report.json`, `benchmarks.json`, `samples/` and `report.html`; see `evaluation.benchmarks`."""
    from langwright.artifacts import library_versions
    from langwright.evaluation.benchmarks.answers import Kept, answers_file
    from langwright.evaluation.benchmarks.asking import Asker
    from langwright.evaluation.benchmarks.page import benchmarks_page
    from langwright.evaluation.benchmarks.running import Run
    from langwright.evaluation.measuring.items import write_items
    from langwright.evaluation.pages.report import Made as HowMade
    from langwright.files import write_whole
    from langwright.measures import write_report
    from langwright.settings import flat
    from langwright.tasks.front.loading import load
    from langwright.wording import current_language

    settings: BenchmarkSettings = work.settings
    plan = plan_of(settings)
    artifact = work.one("model")
    name, numbers = artifact.path.resolve().name, numbers_of(settings)
    file = answers_file(work.cache, artifact.digest, numbers) if settings.keep and work.cache is not None else None
    with load(artifact.path.resolve(), numbers=numbers) as model, Kept(file) as kept:
        asker = Asker(model.local("score"), kept)
        runs = Run(
            asker, work.log, seed=settings.seed, shots=settings.shots, limit=settings.limit,
            spread=settings.limit_to == "spread",
        )  # fmt: skip
        results, measures = runs.benchmarks(plan, name, work.command)
    how = HowMade(
        command=work.making.request.command,
        origins=work.making.request.inputs,
        settings=flat(settings.model_dump(mode="json")),
        versions=library_versions(),
    )
    write_report(work.out / "report.json", measures)
    write_items(work.out, (item for result in results for item in result.items()))
    write_samples(work, results)
    write_whole(work.out / "report.html", benchmarks_page(results, measures, name, how, current_language()).encode())
    return Made(results=measures)


def plan_of(settings: BenchmarkSettings) -> Plan:
    """What the settings ask for."""
    import os
    from pathlib import Path

    from langwright.evaluation.benchmarks.planning import planned
    from langwright.evaluation.benchmarks.sources import Sources

    folder = settings.data or os.environ.get("LANGWRIGHT_DATA")
    data = None if folder is None else Path(folder).expanduser()
    return planned(settings.tasks, settings.yaml, Sources(data, settings.files, frozenset(settings.allow_code)))


def numbers_of(settings: BenchmarkSettings) -> Numbers:
    """What the model computes in."""
    import torch

    from langwright.inference.precision import Numbers

    strict = settings.strict if settings.strict is not None else not torch.cuda.is_available()
    return Numbers(precision=settings.precision, strict=strict)


def write_samples(work: Work, results: list[Result]) -> None:
    """One line a question in `samples/NAME.jsonl`, and in `benchmarks.json` what was asked of which files."""
    import json
    import re

    from langwright.files import sha256_of, write_whole

    def line(one: Any) -> bytes:
        return json.dumps(one, ensure_ascii=False, default=str).encode() + b"\n"

    folder = work.out / "samples"
    folder.mkdir()
    about = []
    for number, result in enumerate(results):
        benchmark = result.benchmark
        file = f"{number:03d}-{re.sub(r'[^0-9A-Za-z_-]+', '-', benchmark.name)}.jsonl"
        write_whole(folder / file, b"".join(line(sample.shown()) for sample in result.samples))
        data = {path.name: sha256_of(path) for table in benchmark.splits.values() for path in table.paths if path.is_file()}  # fmt: skip
        about.append({
            "name": benchmark.name, "output": benchmark.output, "shots": result.shots, "questions": len(result.samples),
            "cut": result.cut, "samples": f"samples/{file}", "data": data,
        })  # fmt: skip
    write_whole(work.out / "benchmarks.json", json.dumps(about, ensure_ascii=False, indent=1).encode() + b"\n")


STAGE = Stage(
    name="benchmark",
    version=1,
    summary="Put a model the questions of benchmarks, as lm-evaluation-harness does, and mark its answers",
    settings=BenchmarkSettings,
    inputs=(Input("model", "model", "The model to ask; one that writes"),),
    makes="report",
    run=run,
    next="python3 -m webbrowser {out}/report.html",
    options={"tasks": "tasks", "data": "data", "shots": "shots", "limit": "limit", "seed": "seed"},
)
