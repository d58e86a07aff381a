"""The tagging lesson: spans of a text, each with a label, learned as a tag for every word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from langwright.data.gazetteer import Gazetteer
from langwright.data.hints import Named
from langwright.data.schemas import Span, TaggingRow
from langwright.data.tags import LAYER, OUTSIDE, spans_of, tags_of
from langwright.data.word_tags import tagged
from langwright.errors import UserError
from langwright.objectives.loss_settings import class_losses
from langwright.runlog import Warned
from langwright.stages.declaration import Work
from langwright.stages.lessons.headed import (
    Judged,
    as_rows,
    hinted,
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
    from langwright.models.heads import Tags
    from langwright.objectives.tagging import TagBatch, TagExamples
    from langwright.stages.finetune import FinetuneSettings
    from langwright.tasks.front.headed import Headed
    from langwright.training.loss import Objective


def tagging_lesson(work: Work) -> Lesson:
    """Texts with labelled spans, learned by a head over every token; long texts in windows that overlap."""
    settings: FinetuneSettings = work.settings
    rows = split_rows(labelled_dataset(work, "tagging"))
    counts = spread([row.spans for row in rows["train"]])
    if not counts:
        raise UserError(
            "no training row has a span: there is nothing to learn",
            fix="check the column with the spans; --schema tagging tells the shapes that are understood",
        )
    labels, kind = tuple(sorted(counts)), settings.tags.kind
    if kind != "nested":
        rows = {split: [apart(row) for row in some] for split, some in rows.items()}
        warn_of_overlaps(work, sum(counts.values()), rows["train"])
    model, encoder = with_head(work, "tagging", tags_for(labels, kind), kind)
    if settings.hints:
        encoder = hinted(work, model, encoder, Named(Gazetteer.of(rows["train"]), labels))
    made = {split: tag_examples(encoder, some, labels, split, kind) for split, some in rows.items()}
    train, lost = made["train"]
    warn_of_lost(work, lost, sum(counts.values()))
    warn_of_rare(work, counts)
    texts = {split: [row.text for row in some] for split, some in rows.items()}
    judged = sum(int((one >= 0).sum()) for one in train.tags) / max(1, sum(one.size for one in train.tags))
    report = looked_at(work, as_rows(train.texts), encoder, texts, supervised=judged, labels=counts, model=model)
    return Lesson(
        model=model, tokenizer=encoder.tokenizer, head="tagging", solver="head",
        objective=objective_for(settings, train), train=train,
        validation=made["validation"][0] if "validation" in made else None, length=encoder.length, report=report,
        labels=labels, judge=Judged(encoder, rows["validation"], score_spans) if "validation" in rows else None,
    )  # fmt: skip


def tags_for(labels: Sequence[str], kind: Tags) -> tuple[str, ...]:
    """Names of a head's outputs: one O and a B and an I for each label, or an O, a B and an I for each."""
    if kind == "nested":
        return tuple(f"{prefix}-{label}" for label in labels for prefix in LAYER)
    return (OUTSIDE, *(f"{prefix}-{label}" for label in labels for prefix in "BI"))


def objective_for(settings: FinetuneSettings, train: TagExamples) -> Objective[TagBatch]:
    """How the tags are learned."""
    from langwright.objectives.tagging import ChainTagging, LayeredTagging, Tagging

    kind = settings.tags.kind
    if kind == "crf":
        return ChainTagging()
    if kind == "nested":
        return LayeredTagging(class_losses(settings.loss, ()))
    seen = Counter(int(tag) for one in train.tags for tag in one if tag >= 0)
    return Tagging(class_losses(settings.loss, [seen[place] for place in range(max(seen) + 1)]))


def apart(row: TaggingRow) -> TaggingRow:
    """A row without spans that reach into another one: of two, the longer stays."""
    kept: list[Span] = []
    for span in sorted(row.spans, key=lambda one: (one.start - one.end, one.start)):
        if all(span.end <= one.start or one.end <= span.start for one in kept):
            kept.append(span)
    if len(kept) == len(row.spans):
        return row
    return row.model_copy(update={"spans": tuple(sorted(kept, key=lambda one: one.start))})


def warn_of_overlaps(work: Work, spans: int, kept: Sequence[TaggingRow]) -> None:
    """Say how many spans reach into others and are left out."""
    left_out = spans - sum(len(row.spans) for row in kept)
    if left_out:
        work.log.write(
            Warned(
                message="{count} of {spans} spans reach into longer ones and are left out; --set tags.kind=nested learns both",
                values={"count": left_out, "spans": spans},
            )
        )


def tag_examples(
    encoder: Encoder, rows: Sequence[TaggingRow], labels: Sequence[str], split: str, kind: Tags
) -> tuple[TagExamples, int]:
    """Windows of texts with the number of each judged token's tag, and how many spans tokens cannot say exactly.

    Where windows overlap, each token is learned in one of them. With layers, numbers are (T, L): outside, begin, inside.
    """
    import numpy as np

    from langwright.objectives.next_token import IGNORED
    from langwright.objectives.tagging import TagExamples

    tags = tags_for(labels, kind)
    texts, types, numbers, lost = [], [], [], 0
    for row in rows:
        for span in row.spans:
            numbered(span.label, labels, row.id, split)
        places, tokens, windows = encoder.words(row.text, row if split == "train" else None)
        if kind == "nested":
            layers = [tagged(row.text, places, [one for one in row.spans if one.label == label]) for label in labels]
            known: dict[int, int | list[int]] = {
                token: [LAYER.index(one.tags[at][0]) for one in layers] for at, token in enumerate(tokens)
            }
            lost += sum(one.lost for one in layers)
        else:
            found = tagged(row.text, places, row.spans)
            lost += found.lost
            whole = tags_of(spans_of(found.tags), len(tokens))  # a begin where a token holds the end of another span
            known = {token: tags.index(tag) for token, tag in zip(tokens, whole, strict=True)}
        for window in windows:
            ids = np.full((len(window.row.ids), len(labels)) if kind == "nested" else len(window.row.ids), IGNORED, dtype=np.int64)  # fmt: skip
            for token in range(*window.owned):
                if token in known:
                    ids[token - window.first + window.offset] = known[token]
            texts.append(window.row.ids)
            types.append(window.row.types)
            numbers.append(ids)
    return TagExamples(texts, numbers, encoder.pad_id, types if encoder.told else None), lost


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
