"""What every entry of TASKS, SOLVERS and STAGES keeps."""

from __future__ import annotations

import inspect
import string
import subprocess
import sys

import pytest

from langwright.artifacts import MAKERS
from langwright.cli.commands import COMMANDS, EXAMPLES
from langwright.data.schemas import SCHEMAS
from langwright.metrics import MEASURES
from langwright.settings import Settings, entries, parse_toml, recipe, validate
from langwright.stages import STAGES
from langwright.stages.lessons import LESSONS
from langwright.tasks import SOLVERS, TASKS
from langwright.tasks.solving.solvers import NEEDED
from langwright.wording import chinese


@pytest.mark.parametrize("name", TASKS)
def test_a_task_names_what_there_is(name: str) -> None:
    task = TASKS[name]
    assert task.name == name and task.summary in chinese()
    assert task.dataset in SCHEMAS or (task.dataset == "" and task.ask is None and not task.measures)
    assert task.solvers and set(task.solvers) <= set(SOLVERS)
    assert set(task.measures) <= set(MEASURES)
    assert task.lesson in ("", *LESSONS)
    assert task.panel and set(task.panel) <= set(task.input.model_fields)
    assert set(task.templates) in ({"en", "zh"}, set())  # both languages or neither
    fields = {language: named(text) for language, text in task.templates.items()}
    assert len({tuple(sorted(names)) for names in fields.values()}) <= 1
    assert all(
        hasattr(task.input, name) or name in task.input.model_fields for names in fields.values() for name in names
    )
    for model in (task.input, task.output):
        assert all(field.description in chinese() for field in model.model_fields.values())


def named(template: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(template) if name}


@pytest.mark.parametrize("name", SOLVERS)
def test_a_solver_is_used_and_says_what_makes_its_model(name: str) -> None:
    solver = SOLVERS[name]
    assert solver.name == name and solver.summary in chinese()
    assert any(name in task.solvers for task in TASKS.values())
    words = solver.maker.split()
    assert words[0] == "langwright" and words[1] in COMMANDS
    assert len(inspect.signature(solver.solve).parameters) == 3 and NEEDED[solver.needs] in chinese()


@pytest.mark.parametrize("name", STAGES)
def test_a_stage_is_a_whole_declaration(name: str) -> None:
    stage = STAGES[name]
    assert stage.name == name and stage.version >= 1 and stage.summary in chinese()
    assert sys.modules[f"langwright.stages.{name.replace('-', '_')}"].STAGE is stage
    assert issubclass(stage.settings, Settings)
    assert stage.makes in MAKERS
    assert stage.inputs and all(declared.help in chinese() for declared in stage.inputs)
    keys = {entry.key for entry in entries(stage.settings)}
    assert set(stage.options.values()) <= keys
    assert named(stage.next) == {"out"}
    assert next_command_exists(stage.next) or stage.next.startswith("python3 -m webbrowser {out}/")
    assert stage.words in COMMANDS and f"check {stage.words}" in COMMANDS
    assert all(example.startswith(f"langwright {stage.words} ") for example in EXAMPLES[name])


def next_command_exists(template: str) -> bool:
    words = template.split()[1:]
    return any(" ".join(words[:count]) in COMMANDS for count in (1, 2, 3))


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", STAGES)
def test_a_stages_recipe_is_its_defaults(name: str, lang: str) -> None:
    settings = STAGES[name].settings
    text = recipe(settings, lang=lang)  # type: ignore[arg-type]
    assert validate(settings, parse_toml(text)) == settings()


def test_declarations_are_light() -> None:
    modules = "langwright, langwright.stages, langwright.stages.pipeline, langwright.tasks, langwright.cli.main"
    code = (
        f"import sys, {modules}\n"
        "heavy = {'torch', 'transformers', 'sqlalchemy', 'pyarrow', 'numpy', 'rich', 'fastapi'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
