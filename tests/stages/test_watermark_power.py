"""`watermark-power` as a stage: what it finds, what edits leave, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.inference.tiny import LLAMA, random_model

from langwright.errors import UserError
from langwright.evaluation.measuring.marked import replaced
from langwright.inference.fake import letters
from langwright.measures import Measure, read_report
from langwright.models.loading import save_model
from langwright.settings import read_settings
from langwright.stages import data_read, watermark_power
from langwright.stages.execution import execute
from langwright.workspace import Workspace

TALES = [
    f"第{i}回。宝玉听了，便慢慢走回园子里去。 Chapter {i}: it was a cold day, and the wind blew." for i in range(40)
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("power")
    source = folder / "tales.jsonl"
    source.write_text("\n".join(json.dumps({"text": tale}, ensure_ascii=False) for tale in TALES), encoding="utf-8")
    settings = read_settings(data_read.STAGE.settings, given={"schema_name": "text", "split.validation": 0.5})
    execute(data_read.STAGE, {"source": [source]}, folder / "tales", settings, workspace=Workspace(folder))
    config = LLAMA.__class__(**{**LLAMA.to_dict(), "vocab_size": len(letters())})
    (folder / "writer").mkdir()
    save_model(random_model(config, scale=3.0), letters(), folder / "writer")
    return folder


def measured(world: Path, out: str, **given: object) -> dict[tuple[str, str], Measure]:
    given = {"texts": 12, "lengths": [10, 60], "prompt_tokens": 8, "edited": [0.5], **given}
    settings = read_settings(watermark_power.STAGE.settings, given=given)  # type: ignore[arg-type]
    inputs = {"model": [world / "writer"], "dataset": [world / "tales"]}
    execute(watermark_power.STAGE, inputs, world / out, settings, workspace=Workspace(world))
    return {(one.name, one.model): one for one in read_report(world / out / "report.json").measures}


@pytest.mark.spec(
    "S3", "power at 1 % false positives by length, before and after edits, beside false alarms and perplexity"
)
@pytest.mark.parametrize("kind", ["kgw", "synthid"])
def test_power_by_length(world: Path, kind: str) -> None:
    given = {"mark.kind": kind, **({"mark.bias": 5.0} if kind == "kgw" else {})}
    found = measured(world, kind, **given)
    whole, part = found["watermark found in 60 tokens", "marked"], found["watermark found in 10 tokens", "marked"]
    assert whole.value == 1.0 and whole.n == 12 and whole.low is not None and whole.value >= part.value
    edited = found["watermark found in 60 tokens, 50% replaced", "marked"]
    assert edited.value < whole.value
    alarms = [one for (name, _), one in found.items() if name.startswith("unmarked text")]
    assert len(alarms) == 4 and all(one.low is not None and one.low <= 0.01 for one in alarms)
    assert {one.model for one in alarms} == {"unmarked", "held-out text"}
    written = found["perplexity of what was written", "marked"], found["perplexity of what was written", "unmarked"]
    assert all(one.value > 1 for one in written) and (kind != "kgw" or written[0].value != written[1].value)
    page = (world / kind / "report.html").read_text(encoding="utf-8")
    assert "水印多快能被检出" in page and "<svg" in page and page.count('class="line c') >= 3


def test_the_same_seed_finds_the_same(world: Path) -> None:
    one, other = (measured(world, out, texts=3, lengths=[10]) for out in ("one", "other"))
    assert [(m.name, m.value) for m in one.values()] == [(m.name, m.value) for m in other.values()]


def test_no_key_is_written(world: Path) -> None:
    measured(world, "keyless", texts=2, lengths=[10])
    for file in (world / "keyless").rglob("*"):
        assert not file.is_file() or b'"key"' not in file.read_bytes()


def test_what_does_not_fit_is_refused(world: Path) -> None:
    with pytest.raises(UserError, match="context of 96"):
        measured(world, "refused", lengths=[95])
    assert not (world / "refused").exists()


def test_replacing_tokens() -> None:
    ids = list(range(100))
    found = replaced(ids, 0.3, [[1000]], seed=1)
    assert sum(a != b for a, b in zip(ids, found, strict=True)) == 30 and found == replaced(ids, 0.3, [[1000]], seed=1)
    assert replaced(ids, 0.0, [[1000]], seed=1) == ids
