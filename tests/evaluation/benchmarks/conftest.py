"""A tiny random Llama over bytes, as we and as lm-evaluation-harness open it, and benchmarks in files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from langwright.evaluation.benchmarks.answers import Kept
from langwright.evaluation.benchmarks.asking import Asker
from langwright.evaluation.benchmarks.declaration import Plan
from langwright.evaluation.benchmarks.harness import Library
from langwright.evaluation.benchmarks.running import Result, Run
from langwright.evaluation.benchmarks.sources import Sources
from langwright.inference.texts.text import TextModel
from langwright.runlog import RunLog

CONTEXT = 257  # the harness reads rows of one token more than it calls its length


@dataclass(frozen=True)
class Both:
    """One model, ours and the harness's."""

    ours: TextModel
    theirs: Any  # lm_eval.models.huggingface.HFLM


@pytest.fixture(scope="module")
def tiny() -> Iterator[Both]:
    """The two, with the same weights."""
    from lm_eval.models.huggingface import HFLM
    from tests.inference.tiny import LLAMA, random_model

    from langwright.inference.engine import TorchEngine
    from langwright.inference.fake import letters
    from langwright.inference.precision import Preparation

    tokenizer = letters()
    config = LLAMA.__class__(
        **{**LLAMA.to_dict(), "vocab_size": len(tokenizer), "max_position_embeddings": CONTEXT, "eos_token_id": tokenizer.eos_token_id}
    )  # fmt: skip
    theirs = HFLM(
        pretrained=random_model(config, scale=3.0), tokenizer=tokenizer, backend="causal", batch_size=3, device="cpu",
        max_length=CONTEXT - 1,
    )  # fmt: skip
    engine = TorchEngine(random_model(config, scale=3.0), context=CONTEXT, preparation=Preparation(strict=True))
    ours = TextModel(engine, tokenizer, "tiny", stop_ids=frozenset({tokenizer.eos_token_id}))
    yield Both(ours, theirs)
    ours.close()


@pytest.fixture
def written(tmp_path: Path) -> Callable[[dict[str, Any], Sequence[dict[str, Any]]], Path]:
    """`written(config, rows)`: a YAML file with its rows beside it, as test and as train split."""

    def write(config: dict[str, Any], rows: Sequence[dict[str, Any]]) -> Path:
        name = config["task"]
        data = tmp_path / f"{name}.jsonl"
        data.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        files = {"train": str(data), "test": str(data)}
        whole = {"dataset_path": "json", "dataset_kwargs": {"data_files": files}, "test_split": "test", **config}
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(whole, allow_unicode=True), encoding="utf-8")
        return path

    return write


def plan_of(path: Path, name: str | None = None, **sources: Any) -> Plan:
    """What a YAML file or folder asks for."""
    library = Library(Sources(**sources))
    names = library.add(path)
    benchmarks, groups = library.plan(name or names[0])
    return Plan(tuple(benchmarks), tuple(groups))


def run(model: TextModel, plan: Plan, **options: Any) -> tuple[list[Result], dict[tuple[str, str, str], Any]]:
    """Results, and measures by (name, data, model)."""
    results, measures = Run(Asker(model, Kept(None)), RunLog(None), **options).benchmarks(plan, model.name)
    return results, {(m.name, m.data, m.model): m for m in measures}
