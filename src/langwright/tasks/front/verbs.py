"""The verbs of the front door: tasks by a plain call, each an instance of its input handed to `solve`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any

from langwright.tasks.classification import ClassificationInput, ClassificationOutput, Normalise
from langwright.tasks.declaration import TaskInput, TaskOutput
from langwright.tasks.qa import QaInput, QaOutput
from langwright.tasks.regression import ValueOutput
from langwright.tasks.similarity import SimilarityInput
from langwright.tasks.solving.languages import language_of
from langwright.tasks.solving.telling import Told
from langwright.tasks.solving.writing import WrittenOutput
from langwright.tasks.summarization import SummarizationInput
from langwright.tasks.tagging import TaggingInput, TaggingOutput
from langwright.tasks.translation import TranslationInput


class Verbs(ABC):
    """What a model does for a person, over its `solve`."""

    @abstractmethod
    def solve(
        self, task: str, asked: TaskInput, solver: str | None = None, *, progress: Told | None = None
    ) -> TaskOutput:
        """Do any task by its name; see `Model.solve`."""

    def do(
        self, task: str, text: str, /, *, solver: str | None = None, progress: Told | None = None, **fields: Any
    ) -> TaskOutput:
        """Do any task by its name, its input given in fields.

        text      the first field, what INPUT is on the command line
        solver    which of the task's solvers; the first that this model can be used with when left out
        progress  is told how far a text is that is read in parts
        raises    UserError for a field that the task does not take, and as `solve`
        """
        from langwright.tasks.front.asked import asked_of

        return self.solve(task, asked_of(task, text, fields), solver, progress=progress)

    def predict(
        self,
        text: str,
        labels: Iterable[str] | None = None,
        *,
        multi_label: bool = False,
        threshold: float | None = None,
        normalise: Normalise = "pmi",
        task: str = "classification",
        solver: str | None = None,
    ) -> ClassificationOutput:
        """The label of a text, or with multi_label every one that fits; the answer says which solver found it.

        labels  to choose from; a model with a trained head knows its own
        solver  which way to find it; the first that this model can be used with when left out
        raises  UserError for labels that the head does not know, or none where they are needed
        """
        asked = ClassificationInput(
            text=text, labels=tuple(labels or ()), multi_label=multi_label, threshold=threshold, normalise=normalise
        )
        found = self.solve(task, asked, solver)
        assert isinstance(found, ClassificationOutput)
        return found

    def answer(
        self, question: str, context: str = "", *, solver: str | None = None, progress: Told | None = None
    ) -> QaOutput:
        """The answer to a question from a passage, with where it stands; empty where the passage does not say.

        progress  is told how far a passage is that is read in parts
        """
        found = self.solve("qa", QaInput(question=question, context=context), solver, progress=progress)
        assert isinstance(found, QaOutput)
        return found

    def translate(
        self, text: str, *, source: str | None = None, target: str | None = None, solver: str | None = None
    ) -> str:
        """What a text says in another language.

        source  language of the text, such as en or zh; told by its letters when left out
        target  language to translate to; English for a Chinese text and Chinese for any other when left out
        """
        source = source or language_of(text)
        target = target or ("en" if source == "zh" else "zh")
        asked = TranslationInput(text=text, source_language=source, target_language=target)
        found = self.solve("translation", asked, solver)
        assert isinstance(found, WrittenOutput)
        return found.text

    def summarize(self, text: str, *, solver: str | None = None, progress: Told | None = None, **fields: Any) -> str:
        """What matters in a text, in fewer words.

        progress  is told how far a text is that is read in parts
        fields    others of the task's input
        """
        found = self.solve("summarization", SummarizationInput(text=text, **fields), solver, progress=progress)
        return str(found.text)  # type: ignore[attr-defined]

    def tag(
        self, text: str, labels: Iterable[str] = (), *, solver: str | None = None, progress: Told | None = None
    ) -> TaggingOutput:
        """The labelled stretches of a text, such as names.

        labels    those that are wanted; all when left out
        progress  is told how far a text is that is read in parts
        """
        found = self.solve("tagging", TaggingInput(text=text, labels=tuple(labels)), solver, progress=progress)
        assert isinstance(found, TaggingOutput)
        return found

    def similarity(self, text_a: str, text_b: str, *, solver: str | None = None) -> float:
        """How alike two texts are: on the scale a model was taught, or else the cosine of their vectors."""
        found = self.solve("similarity", SimilarityInput(text_a=text_a, text_b=text_b), solver)
        assert isinstance(found, ValueOutput)
        return found.score

    def analyze(self, text: str, context: str = "", **fields: Any) -> TaskOutput:
        """What a text says within its context; see the task `analyze`.

        raises  UserError where there is no such task or the model cannot do it
        """
        return self.do("analyze", text, context=context, **fields)


def do(task: str, text: str, /, **fields: Any) -> TaskOutput:
    """Do a task that needs no model; see `Verbs.do`.

    raises  UserError for a task that needs one, with the command that makes it
    """
    from langwright.tasks.front.model import Model

    return Model("", None).do(task, text, **fields)
