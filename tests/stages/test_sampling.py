"""`sampling` as a stage: every setting measured on the same beginnings, beside what people wrote."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from tests.inference.tiny import LLAMA, random_model

from langwright.data.dataset import open_dataset
from langwright.errors import UserError
from langwright.evaluation.measuring.sampled import PEOPLE, Choice, beginnings, choices, undominated
from langwright.inference.fake import letters
from langwright.inference.protocol import Sampling
from langwright.measures import Measure, read_report
from langwright.models.loading import save_model
from langwright.settings import read_settings
from langwright.stages import data_read, sampling
from langwright.stages.execution import execute
from langwright.tasks.front.loading import load
from langwright.workspace import Workspace

TALES = [f"第{i}回。宝玉听了，便慢慢走回园子里去。 Chapter {i}: it was a cold day." for i in range(30)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sampling")
    source = folder / "tales.jsonl"
    source.write_text("\n".join(json.dumps({"text": tale}, ensure_ascii=False) for tale in TALES), encoding="utf-8")
    settings = read_settings(data_read.STAGE.settings, given={"schema_name": "text", "split.validation": 0.5})
    execute(data_read.STAGE, {"source": [source]}, folder / "tales", settings, workspace=Workspace(folder))
    config = LLAMA.__class__(**{**LLAMA.to_dict(), "vocab_size": len(letters())})
    for name, seed in (("writer", 1), ("judge", 2)):
        (folder / name).mkdir()
        save_model(random_model(config, seed=seed, scale=6.0), letters(), folder / name)
    return folder


def compared(world: Path, out: str, *judge: str, **given: object) -> dict[tuple[str, str], list[Measure]]:
    given = {"texts": 8, "prompt_pieces": 2, "max_new_tokens": 24, **given}
    settings = read_settings(sampling.STAGE.settings, given=given)  # type: ignore[arg-type]
    inputs = {"model": [world / "writer"], "dataset": [world / "tales"], "judge": [world / one for one in judge]}
    execute(sampling.STAGE, inputs, world / out, settings, workspace=Workspace(world))
    found: dict[tuple[str, str], list[Measure]] = {}
    for one in read_report(world / out / "report.json").measures:
        found.setdefault((one.name, one.model), []).append(one)
    return found


@pytest.mark.spec(
    "G18", "every temperature with every top-k and top-p: distinct-n, self-BLEU and perplexity with intervals"
)
def test_settings_are_compared(world: Path) -> None:
    found = compared(world, "out", "judge", temperatures=[0.0, 0.3, 2.0], top_k=[0, 5], top_p=[1.0, 0.5])
    names = {model for _, model in found}
    assert names == {"T=0", PEOPLE} | {
        f"T={t}{k}{p}" for t in ("0.3", "2") for k in ("", " k=5") for p in ("", " p=0.5")
    }
    for name in names:
        (own,), (judged,) = found["perplexity of what was written", name], found["perplexity to another model", name]
        assert "the model itself" in own.method and "judge gives" in judged.method
        assert all(m.low is not None and m.low <= m.value <= m.high for m in (own, judged))
        for kind in ("distinct-1", "distinct-2", "self-BLEU"):
            (one,) = found[kind, name]
            assert one.n >= 8 and one.data == "tales/validation"

    def value(kind: str, name: str) -> float:
        return found[kind, name][0].value

    perplexity = "perplexity of what was written"
    assert value(perplexity, "T=0") < value(perplexity, "T=2 p=0.5") < value(perplexity, "T=2")
    page = (world / "out" / "report.html").read_text(encoding="utf-8")
    assert "多样性与困惑度" in page and page.count("<svg") == 2


def test_perplexity_is_that_of_the_model_at_temperature_one(world: Path) -> None:
    found = compared(world, "exact", temperatures=[0.0], top_k=[0], top_p=[1.0], texts=3)
    (measure,) = found["perplexity of what was written", "T=0"]
    begun = beginnings(list(open_dataset(world / "tales").texts("validation")), 2, 3, 0)
    with load(world / "writer") as model:
        texts = [model.complete(prompt, Sampling(max_new_tokens=24)) for prompt, _ in begun]
    values = [token.logprob for text in texts for token in text.tokens]
    assert measure.value == pytest.approx(math.exp(-sum(values) / len(values)), rel=1e-4)


def test_settings_are_each_tried_once() -> None:
    every = choices([1.0, 0.0, 1.0], [0, 5, 0], [1.0])
    assert [one.name for one in every] == ["T=0", "T=1", "T=1 k=5"]
    assert Choice(0.7, 0, 0.9).rule == "p=0.9" and Choice(0.7, 0, 1.0).rule == "T"


def test_what_no_other_setting_beats() -> None:
    def at(name: str, diverse: float, perplexing: float) -> list[Measure]:
        return [
            Measure(name="distinct-2", value=diverse, model=name),
            Measure(name="perplexity of what was written", value=perplexing, model=name),
        ]

    measures = [*at("a", 0.5, 10), *at("b", 0.6, 20), *at("c", 0.4, 15), *at("d", 0.6, 25)]
    assert undominated(measures, ["a", "b", "c", "d"]) == {"a", "b"}


def test_beginnings_need_rows(world: Path) -> None:
    with pytest.raises(UserError, match="fewer than two rows"):
        compared(world, "refused", prompt_pieces=500)
    assert not (world / "refused").exists()
