"""The pipelines in recipes/ and examples/ can be run as they stand."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.house.source import ROOT

RECIPES = [
    *sorted((ROOT / "recipes").glob("*.toml")), *sorted((ROOT / "recipes" / "claims").glob("*.toml")),
    *sorted((ROOT / "examples").glob("*/*.toml")),
]  # fmt: skip


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
@pytest.mark.spec("SV11", "every shipped pipeline, from data to report, is planned without a complaint")
def test_every_recipe_can_be_planned(
    recipe: Path, shared_data: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from langwright.stages import STAGES
    from langwright.stages.pipeline import plan, read_pipeline
    from langwright.workspace import Workspace

    if "LANGWRIGHT_DATA" in recipe.read_text(encoding="utf-8"):
        monkeypatch.setenv("LANGWRIGHT_DATA", str(shared_data("zh-text-modern").parent))
    (tmp_path / "library").mkdir()  # stands for Python's own, which takes seconds to hash
    (tmp_path / "library" / "os.py").write_text("import sys\n", encoding="utf-8")
    monkeypatch.setenv("PYTHON_LIBRARY", str(tmp_path / "library"))
    (tmp_path / "poems").mkdir()  # stands for what `benchmarks.verse prepare` writes
    (tmp_path / "poems" / "poems.jsonl").write_text('{"text": "春眠不覺曉，處處聞啼鳥。"}\n', encoding="utf-8")
    monkeypatch.setenv("POEMS", str(tmp_path / "poems"))
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "runs").mkdir()  # stands for what the examples' programs write
    for name in ("phrases", "reports"):
        (tmp_path / "runs" / f"{name}.jsonl").write_text('{"text": "a", "translation": "b"}\n', encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    planned = plan(read_pipeline(recipe, STAGES, Workspace(tmp_path)))
    assert [one.step.name for one in planned]
    assert planned[-1].step.stage.makes == "report"
    assert all(one.action in ("run", "decide") for one in planned)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_recipes_say_what_they_are_in_both_languages(recipe: Path) -> None:
    first, second = recipe.read_text(encoding="utf-8").splitlines()[:2]
    assert first.startswith("# ")
    assert any("\u4e00" <= char <= "\u9fff" for char in second)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_recipes_fix_their_seed(recipe: Path) -> None:
    assert "seed" in tomllib.loads(recipe.read_text(encoding="utf-8"))
