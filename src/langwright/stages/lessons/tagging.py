"""The tagging lesson: spans of a text, each with a label, learned as a tag for every word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from langwright.data.schemas import TaggingRow
from langwright.data.tags import OUTSIDE
from langwright.errors import UserError
from langwright.objectives.loss_settings import class_losses
from langwright.runlog import Warned
from langwright.stages.declaration import Work
from langwright.stages.lessons.headed import (
    Judged,
    as_rows,
    looked_at,
    numbered,
    split_rows,
    spread,
    warn_of_rare,
    with_head,
)
from langwright.stages.lessons.lesson import Lesson, labelled_dataset

if TYPE_CHECKING:
    from langwright.data.encoder import Encoder
    from langwright.objectives.tagging import TagExamples
    from langwright.stages.finetune import FinetuneSettings
    from langwright.tasks.headed import Headed


def tagging_lesson(work: Work) -> Lesson:
    """Texts with labelled spans, learned by a head over every token; long texts in windows that overlap."""
    from langwright.objectives.tagging import Tagging

    settings: FinetuneSettings = work.settings
    rows = split_rows(labelled_dataset(work, "tagging"))
    counts = spread([row.spans for row in rows["train"]])
    if not counts:
        raise UserError(
            "no training row has a span: there is nothing to learn",
            fix="check the column with the spans; --schema tagging tells the shapes that are understood",
        )
    tags = (OUTSIDE, *(f"{prefix}-{label}" for label in sorted(counts) for prefix in "BI"))
    model, encoder = with_head(work, "tagging", tags)
    made = {split: tag_examples(encoder, some, tags, split) for split, some in rows.items()}
    train, lost = made["train"]
    warn_of_lost(work, lost, sum(counts.values()))
    warn_of_rare(work, counts)
    texts = {split: [row.text for row in some] for split, some in rows.items()}
    judged = sum(int((one >= 0).sum()) for one in train.tags) / max(1, sum(len(one) for one in train.tags))
    report = looked_at(work, as_rows(train.texts), encoder, texts, supervised=judged, labels=counts, model=model)
    seen = Counter(int(tag) for one in train.tags for tag in one if tag >= 0)
    objective = Tagging(class_losses(settings.loss, [seen[place] for place in range(len(tags))]))
    return Lesson(
        model=model, tokenizer=encoder.tokenizer, head="tagging", solver="head", objective=objective, train=train,
        validation=made["validation"][0] if "validation" in made else None, length=encoder.length, report=report,
        labels=tuple(sorted(counts)),
        judge=Judged(encoder, rows["validation"], score_spans) if "validation" in rows else None,
    )  # fmt: skip


def tag_examples(
    encoder: Encoder, rows: Sequence[TaggingRow], tags: tuple[str, ...], split: str
) -> tuple[TagExamples, int]:
    """Windows of texts with the number of each judged token's tag, and how many spans tokens cannot say exactly.

    Where windows overlap, each token is learned in one of them.
    """
    import numpy as np

    from langwright.data.word_tags import tagged
    from langwright.objectives.next_token import IGNORED
    from langwright.objectives.tagging import TagExamples

    texts, numbers, lost = [], [], 0
    for row in rows:
        for span in row.spans:
            numbered(f"B-{span.label}", tags, row.id, split)
        places, _, windows = encoder.words(row.text)
        found = tagged(row.text, places, row.spans)
        lost += found.lost
        known = {token: tags.index(tag) for token, tag in zip(found.tokens, found.tags, strict=True)}
        for window in windows:
            ids = np.full(len(window.row.ids), IGNORED, dtype=np.int64)
            for token in range(*window.owned):
                ids[token - window.first + window.offset] = known.get(token, IGNORED)
            texts.append(window.row.ids)
            numbers.append(ids)
    return TagExamples(texts, numbers, encoder.pad_id), lost


def warn_of_lost(work: Work, lost: int, spans: int) -> None:
    """Say how many spans begin or end inside a token."""
    if lost:
        work.log.write(
            Warned(
                message="{lost} of {spans} spans begin or end inside a token and cannot be found exactly; another tokenizer would cut otherwise",
                values={"lost": lost, "spans": spans},
            )
        )


def score_spans(model: Headed, rows: Sequence[TaggingRow]) -> dict[str, float]:
    """Entity F1, precision and recall."""
    from langwright.metrics.sets import entity_scores

    def things(spans: Sequence[Any]) -> list[tuple[int, int, str]]:
        return [(span.start, span.end, span.label) for span in spans]

    named = [things(spans) for spans in model.tag([row.text for row in rows])]
    return {found.name: found.value for found in entity_scores(named, [things(row.spans) for row in rows])}
