"""What a head's confidences are worth, found on validation rows after training and kept in the card."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from langwright.artifacts import Made
from langwright.data.schemas import ClassificationRow, PairRow, QaRow
from langwright.measures import Calibration, Measure
from langwright.stages.declaration import Work
from langwright.stages.lessons.lesson import Lesson

if TYPE_CHECKING:
    from torch import nn

    from langwright.tasks.front.headed import Headed


@dataclass
class Confidence:
    """Asks the model as it was trained, and puts what was found into the card."""

    work: Work
    lesson: Lesson
    found: list[Calibration] = field(default_factory=list)

    def measured(self, model: nn.Module) -> tuple[Measure, ...]:
        """Calibration error before and after the temperature; nothing where there is none to fit.

        A head that gives one label or answers that stand in a passage has one; other heads have not.
        """
        from langwright.data.dataset import open_dataset
        from langwright.tasks.front.headed import Headed, encoder_for

        dataset = open_dataset(self.work.one("dataset").path)
        one_answer = self.lesson.head in ("classification", "span")
        if not (self.work.settings.calibrate and one_answer and "validation" in dataset.splits):
            return ()
        if self.work.settings.labels_from != "label":
            return ()
        headed: Any = Headed(model, encoder_for(model, self.lesson.tokenizer, self.lesson.length))
        model.eval()
        fitted = None if headed.several else fit(headed, list(dataset.rows("validation")))
        model.train()
        if fitted is None:
            return ()
        self.found.append(fitted[0])
        return fitted[1]

    def noted(self, made: Made) -> Made:
        """What was made, the calibration in its first ability."""
        if not self.found:
            return made
        first, *others = made.abilities
        return replace(made, abilities=(first.model_copy(update={"calibration": self.found[0]}), *others))


def fit(headed: Headed, rows: list[Any]) -> tuple[Calibration, tuple[Measure, ...]] | None:
    """The calibration on these rows, and what it did; None where they are too few."""
    from langwright.metrics.answers import matches
    from langwright.tasks.solving.calibrating import calibrate_answers, calibrate_labels

    if isinstance(rows[0], QaRow):
        answers = headed.answer([(row.question, row.context) for row in rows])
        right = [
            matches(found.text, [one.text for one in row.answers] or [""])
            for found, row in zip(answers, rows, strict=True)
        ]
        return calibrate_answers([one.score for one in answers], right)
    known = [row for row in rows if isinstance(row, ClassificationRow | PairRow) and row.label in headed.labels]
    if not known:
        return None
    said: Any = [(row.text_a, row.text_b) if isinstance(row, PairRow) else row.text for row in known]
    return calibrate_labels(headed.logits(said, 32), [headed.labels.index(row.label) for row in known])
