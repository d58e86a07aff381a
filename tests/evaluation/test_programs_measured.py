"""pass@k of a writer with given programs, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from langwright.data.dataset import Dataset, DatasetWriter, open_dataset
from langwright.data.schemas import CodeRow
from langwright.errors import UserError
from langwright.evaluation.measuring.coding import evaluate_code
from langwright.evaluation.measuring.job import Job
from langwright.evaluation.settings import EvaluateSettings
from langwright.runlog import RunLog
from langwright.sandbox.examining import Exam
from langwright.sandbox.running import missing_namespaces
from langwright.sandbox.settings import Sandbox
from langwright.tasks.code import CodeInput, ProgramOutput, of_attempts
from langwright.tasks.solving.programs import attempt

RIGHT = {"one": "def one():\n    return 1\n", "two": "def two():\n    return 2\n"}


def problems(folder: Path, tests: bool = True) -> Dataset:
    """Two problems."""
    with DatasetWriter(folder, "code") as writer:
        for name, program in RIGHT.items():
            checks = (f"assert {name}() == {program.split()[-1]}",) if tests else ()
            writer.write(CodeRow(id=name, text=name, code=program, tests=checks, entry=name), "test")
        writer.close()
    return open_dataset(folder)


def job(dataset: Dataset, **given: object) -> Job:
    """An evaluation that may run programs."""
    settings = EvaluateSettings(sandbox=Sandbox(allow=True, seconds=20.0), **given)  # type: ignore[arg-type]
    return Job(dataset, "test", settings, RunLog(None))


@pytest.mark.skipif(bool(missing_namespaces()), reason=f"programs cannot be set apart here: {missing_namespaces()}")
@pytest.mark.spec("G15", "pass@k of programs that were written and run, by hand")
def test_pass_at_k_by_hand(tmp_path: Path) -> None:
    asked: list[CodeInput] = []

    def writer(question: CodeInput) -> ProgramOutput:
        asked.append(question)
        turn = sum(one.text == question.text for one in asked)
        right = question.text == "one" and turn in (1, 3)  # two of four; the other problem never
        program = RIGHT["one"] if right else "def one():\n    return 0\ndef two():\n    return 0\n"
        return of_attempts([attempt(program, Exam(question.tests, question.setup, question.entry), question.sandbox)])

    found = evaluate_code(writer, "scripted", job(problems(tmp_path / "data"), programs=4, pass_at=(1, 2)))
    values = {measure.name: measure.value for measure in found.measures}
    assert values["pass@1"] == pytest.approx((2 / 4 + 0) / 2)
    assert values["pass@2"] == pytest.approx((1 - (2 * 1) / (4 * 3) + 0) / 2)  # 1 - C(2, 2) / C(4, 2)
    assert found.details.outcomes == {"passed": 2, "failed": 6}
    assert [one.text for one in found.details.mistakes] == ["two"]
    assert len({one.sampling.seed for one in asked if one.sampling}) == 8
    assert all(one.sampling and one.sampling.temperature == 0.8 for one in asked)


@pytest.mark.skipif(bool(missing_namespaces()), reason=f"programs cannot be set apart here: {missing_namespaces()}")
def test_one_program_a_problem_is_written_greedily(tmp_path: Path) -> None:
    asked: list[CodeInput] = []

    def writer(question: CodeInput) -> ProgramOutput:
        asked.append(question)
        return of_attempts([attempt(RIGHT[question.text], Exam(question.tests), question.sandbox)])

    found = evaluate_code(writer, "scripted", job(problems(tmp_path / "data")))
    assert [(measure.name, measure.value) for measure in found.measures] == [("pass@1", 1.0)]
    assert all(one.sampling and one.sampling.temperature == 0 for one in asked)


def test_what_cannot_be_measured_is_refused(tmp_path: Path) -> None:
    def never(question: CodeInput) -> ProgramOutput:
        raise AssertionError("asked")

    with pytest.raises(UserError, match="has tests"):
        evaluate_code(never, "x", job(problems(tmp_path / "none", tests=False)))
    with pytest.raises(UserError, match="pass@10 needs at least 10"):
        evaluate_code(never, "x", job(problems(tmp_path / "data"), pass_at=(1, 10)))
