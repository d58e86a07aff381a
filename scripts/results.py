"""What the recipes found, gathered from their artifacts into docs/results.md, for `make results`.

    python -m scripts.results

Every recipe in recipes/ and recipes/claims/ whose artifacts lie under its `out` is listed with the measures of its
reports, or, where it has arms, of their comparison. Numbers stand with the day and the seeds; docs/results.json
keeps them for recipes whose artifacts are gone.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from langwright.artifacts import read_card
from langwright.errors import UserError
from langwright.evaluation.pages.numbers import interval_of, value_of
from langwright.measures import Measure
from langwright.settings import parse_toml
from langwright.stages import STAGES
from langwright.stages.arms import COMPARISON
from langwright.stages.pipeline import read_pipeline
from langwright.wording import say

ROOT = Path(__file__).resolve().parent.parent
RECORD, PAGE = ROOT / "docs" / "results.json", ROOT / "docs" / "results.md"
OMITTED = ("demo",)  # told in the README
HEAD = """# What the recipes found · 配方的结果

Written by `scripts/results.py` from what `make results` made; do not edit. Values stand with their 95 % intervals: over rows for a single run, over seeds for arms. A difference is to the first arm, in pairs of one seed.

由 `scripts/results.py` 根据 `make results` 的产物写成，请勿手改。数值附 95 % 区间：单次运行按数据行，实验组按种子。差值均与第一组按同一种子配对。
"""


class Result(BaseModel):
    """What one recipe found."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    recipe: str
    about: str  # the recipe's own first lines
    made: str  # day
    commit: str
    measures: tuple[Measure, ...]


def recipes() -> list[Path]:
    """Every recipe but the demo, claims last."""
    folder = ROOT / "recipes"
    files = [*sorted(folder.glob("*.toml")), *sorted((folder / "claims").glob("*.toml"))]
    return [file for file in files if file.stem not in OMITTED]


def result_of(file: Path, commit: str) -> Result | None:
    """What a recipe's artifacts say; None where it has not been run to its end."""
    text = file.read_text(encoding="utf-8")
    has_arms = "arm" in parse_toml(text)
    try:
        steps = read_pipeline(file, STAGES).steps
    except UserError as error:  # it needs a variable that is not set here, such as a folder of data
        print(f"{file.relative_to(ROOT)} is left as recorded: {error}")
        return None
    cards = [(step.name, read_card(ROOT / step.out)) for step in steps if step.stage.makes == "report"]
    cards = [(name, card) for name, card in cards if not has_arms or name.startswith(COMPARISON)]
    if not cards or any(card is None for _, card in cards):
        return None
    found = [card for _, card in cards if card is not None and card.results]
    named = [(name, measure) for name, card in cards if card is not None for measure in card.results]
    makers: dict[tuple[str, str, str], set[str]] = {}
    for step, m in named:
        makers.setdefault((m.name, m.model, m.data), set()).add(step)
    about = "\n".join(line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ")).strip()
    return Result(
        recipe=str(file.relative_to(ROOT)),
        about=about,
        made=max((card.made_at[:10] for card in found), default=""),
        commit=commit,
        measures=tuple(
            m.model_copy(update={"model": f"{step}: {m.model}"}) if len(makers[m.name, m.model, m.data]) > 1 else m
            for step, m in named
        ),
    )


def rows(result: Result) -> Iterator[str]:
    """The table of one recipe; p-values are left to its report, where the rows that they are about can be seen."""
    yield "| measure · 度量 | of · 对象 | value · 数值 | 95 % | n | data · 数据 |"
    yield "|---|---|---|---|---|---|"
    for m in (m for m in result.measures if not m.name.endswith("p-value")):
        yield f"| {called(m.name)} | {m.model.replace('|', '/')} | {value_of(m).en} | {interval_of(m)} | {m.n} | {m.data} |"


def called(name: str) -> str:
    """A measure's name in both languages."""
    of = name.removeprefix("difference in ")
    zh = say(of, lang="zh") if of == name else say("difference in {of}", lang="zh", of=say(of, lang="zh"))
    return name if zh == name else f"{name} · {zh}"


def main() -> None:
    """Take what is there, keep what was recorded of the rest, write both files."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()  # fmt: skip
    kept = {item["recipe"]: Result.model_validate_json(json.dumps(item)) for item in recorded()}
    results = []
    for file in recipes():
        fresh = result_of(file, commit)
        before = kept.get(str(file.relative_to(ROOT)))
        if fresh is not None and before is not None and fresh.measures == before.measures:
            fresh = before  # the same numbers stay with the commit that made them
        results += [one for one in (fresh or before,) if one is not None]
    RECORD.write_text(json.dumps([r.model_dump(mode="json") for r in results], ensure_ascii=False, indent=1) + "\n", encoding="utf-8")  # fmt: skip
    parts = [HEAD]
    for result in results:
        title = f"## {result.recipe}\n\n{result.about}\n\n{result.made}, {result.commit}\n"
        parts.append("\n".join([title, *rows(result)]) + "\n")
    PAGE.write_text("\n".join(parts), encoding="utf-8")
    print(f"docs/results.md: {len(results)} of {len(recipes())} recipes")


def recorded() -> list[dict[str, object]]:
    """What stands in docs/results.json."""
    return json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else []


if __name__ == "__main__":
    main()
