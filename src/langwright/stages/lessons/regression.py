"""The regression lesson: a number for a text, or for what holds between two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from langwright.data.schemas import PairRow, RegressionRow
from langwright.objectives.loss_settings import NUMBERS, Ranking, must_be, pair_losses
from langwright.stages.declaration import Work
from langwright.stages.lessons.headed import Judged, looked_at, split_rows, with_head
from langwright.stages.lessons.lesson import Lesson, labelled_dataset

if TYPE_CHECKING:
    from langwright.stages.finetune import FinetuneSettings
    from langwright.tasks.front.headed import Headed


def regression_lesson(work: Work) -> Lesson:
    """Texts with a number each, learned by a head with one output."""
    return value_lesson(work, split_rows(labelled_dataset(work, "regression")))


def value_lesson(work: Work, rows: dict[str, list[Any]]) -> Lesson:
    """Rows with a `score`: texts, or pairs of them."""
    import numpy as np

    from langwright.objectives.regression import Ranking as RankingObjective
    from langwright.objectives.regression import Regression, ValueExamples

    settings: FinetuneSettings = work.settings
    must_be(settings.loss, NUMBERS, "rows with a number each")
    model, encoder = with_head(work, "score")
    ordered = isinstance(settings.loss, Ranking)
    asked = {split: [asked_of(row) for row in some] for split, some in rows.items()}
    encoded = {
        split: [encoder.text(one) if isinstance(one, str) else encoder.pair(*one) for one in some]
        for split, some in asked.items()
    }
    texts = {
        split: ["\n".join([one] if isinstance(one, str) else one) for one in some] for split, some in asked.items()
    }
    report = looked_at(work, encoded["train"], encoder, texts, model=model)
    made = {
        split: ValueExamples(
            [one.ids for one in encoded[split]],
            np.array([row.score for row in some], dtype=np.float32),
            encoder.pad_id,
            [one.types for one in encoded[split]] if encoder.told else None,
            ordered,
        )
        for split, some in rows.items()
    }
    objective = RankingObjective(pair_losses(settings.loss)) if isinstance(settings.loss, Ranking) else Regression()
    return Lesson(
        model=model, tokenizer=encoder.tokenizer, head="score", solver="head", objective=objective, train=made["train"],
        validation=made.get("validation"), length=encoder.length, report=report,
        judge=Judged(encoder, rows["validation"], score_values) if len(rows.get("validation", ())) > 1 else None,
    )  # fmt: skip


def asked_of(row: RegressionRow | PairRow) -> str | tuple[str, str]:
    """What a number is asked of."""
    return (row.text_a, row.text_b) if isinstance(row, PairRow) else row.text


def score_values(model: Headed, rows: Sequence[RegressionRow | PairRow]) -> dict[str, float]:
    """Mean absolute error, and correlation of ranks."""
    from langwright.metrics.values import value_scores

    asked: Any = [asked_of(row) for row in rows]
    return {found.name: found.value for found in value_scores(model.values(asked), [row.score or 0.0 for row in rows])}
