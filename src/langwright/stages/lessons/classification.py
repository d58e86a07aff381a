"""The classification lessons: a label, or several, for a text; a label for what holds between two texts."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from langwright.data.schemas import ClassificationRow, PairRow
from langwright.errors import UserError
from langwright.objectives.loss_settings import class_losses, label_losses, must_be
from langwright.runlog import Chosen
from langwright.stages.declaration import Work
from langwright.stages.lessons.headed import (
    Judged,
    counted,
    looked_at,
    numbered,
    split_rows,
    warn_of_rare,
    with_head,
    with_tokens,
)
from langwright.stages.lessons.lesson import Lesson, labelled_dataset
from langwright.stages.lessons.lexical import told_of_words, weigh_parts
from langwright.stages.lessons.regression import value_lesson

if TYPE_CHECKING:
    from torch import nn
    from transformers import PreTrainedTokenizerBase

    from langwright.data.dataset import Dataset
    from langwright.data.encoder import Encoded, Encoder
    from langwright.data.lexicon import Terms
    from langwright.objectives.classification import SeveralExamples, TextExamples
    from langwright.stages.finetune import FinetuneSettings
    from langwright.stages.lessons.lexical import Floats
    from langwright.tasks.front.headed import Headed

Rows = dict[str, list[Any]]
FEWEST = 5  # held-out rows with a label, to choose its threshold on


def classification_lesson(work: Work) -> Lesson:
    """Texts with a label each, or with several, learned by a head on the model."""
    from langwright.stages.lessons.control import told

    rows: Rows = told(split_rows(labelled_dataset(work, "classification")), work.settings.labels_from)
    several = [row.labels is not None for split in rows.values() for row in split]
    if any(several) != all(several):
        raise same_kind("label", "labels")
    return several_lesson(work, rows) if any(several) else single_lesson(work, rows)


def pair_lesson(work: Work) -> Lesson:
    """Pairs of texts, with a label or a number for what holds between them."""
    rows: Rows = split_rows(labelled_dataset(work, "pair"))
    numbers = [row.score is not None for split in rows.values() for row in split]
    if any(numbers) != all(numbers):
        raise same_kind("label", "score")
    return value_lesson(work, rows) if any(numbers) else single_lesson(work, rows)


def similarity_lesson(work: Work) -> Lesson:
    """Pairs of texts with a number for how alike they are."""
    rows: Rows = split_rows(labelled_dataset(work, "pair"))
    if any(row.score is None for split in rows.values() for row in split):
        raise UserError(
            "some pairs have no score", fix="learn their labels with --task pair, or give each pair a number"
        )
    return value_lesson(work, rows)


def relation_lesson(work: Work) -> Lesson:
    """Texts with two things in them and what holds between these, learned as labels of texts in which they are marked."""
    from langwright.tasks.relation import FIRST, SECOND, marked_row

    rows: Rows = {
        split: [ClassificationRow(id=row.id, text=marked_row(row), label=row.label) for row in some]
        for split, some in split_rows(labelled_dataset(work, "relation")).items()
    }
    lesson = single_lesson(work, rows)
    first, second = (lesson.tokenizer(mark, add_special_tokens=False)["input_ids"] for mark in (FIRST, SECOND))
    if first == second or not first:
        raise UserError(
            "the tokenizer of this model cannot tell {first} from {second}, by which the two things of a text are marked",
            fix="take a model whose vocabulary has both signs",
            first=FIRST,
            second=SECOND,
        )
    return lesson


def same_kind(one: str, other: str) -> UserError:
    """For a dataset whose rows are of two kinds."""
    return UserError("some rows have {one} and others {other}", fix="read them as two datasets", one=one, other=other)


def single_lesson(work: Work, rows: Rows) -> Lesson:
    """One label a row."""
    from langwright.objectives.beginnings import Beginnings
    from langwright.objectives.classification import Classification
    from langwright.objectives.mixup import MixedExamples, Mixup

    settings: FinetuneSettings = work.settings
    must_be(settings.loss, ("auto", "cross-entropy", "focal", "hinge"), "rows with one label each")
    counts = counted([row.label for row in rows["train"]])
    labels = tuple(sorted(counts))
    model, encoder = with_head(work, "classification", labels)
    texts = {split: [said(row) for row in some] for split, some in rows.items()}
    holds = {split: holding(some, labels, split) for split, some in rows.items()}
    encoder = told_of_words(work, model, encoder, texts["train"], holds["train"], several=False)
    encoded = {split: [encoded_row(encoder, row) for row in some] for split, some in rows.items()}
    report = looked_at(work, encoded["train"], encoder, texts, labels=counts, model=model)
    warn_of_rare(work, counts)
    made: dict[str, Any] = {
        split: single_examples(encoded[split], some, labels, encoder, split) for split, some in rows.items()
    }
    if settings.beginnings:
        made = {split: Beginnings(some, settings.seed) for split, some in made.items()}
    objective = Classification(class_losses(settings.loss, [counts[label] for label in labels]))
    mixed = settings.mixup > 0
    return Lesson(
        model=model, tokenizer=encoder.tokenizer, head="classification", solver="head",
        objective=Mixup(objective) if mixed else objective,
        train=MixedExamples(made["train"], settings.mixup, settings.seed) if mixed else made["train"],
        validation=made.get("validation"), length=encoder.length, report=report, labels=labels,
        finish=partial(weigh_parts, work, encoder, texts["validation"], holds["validation"], False) if "validation" in rows else None,
    )  # fmt: skip


def several_lesson(work: Work, rows: Rows) -> Lesson:
    """Several labels a text, or none of them."""
    from langwright.objectives.classification import SeveralLabels
    from langwright.objectives.mixup import MixedExamples, Mixup

    settings: FinetuneSettings = work.settings
    must_be(settings.loss, ("auto", "binary-cross-entropy"), "rows with several labels each")
    counts = counted([label for row in rows["train"] for label in row.labels])
    labels = tuple(sorted(counts))
    model, encoder = with_head(work, "classification", labels)
    model.config.problem_type = "multi_label_classification"
    texts = {split: [said(row) for row in some] for split, some in rows.items()}
    holds = {split: holding(some, labels, split) for split, some in rows.items()}
    encoder = told_of_words(work, model, encoder, texts["train"], holds["train"], several=True)
    encoded = {split: [encoded_row(encoder, row) for row in some] for split, some in rows.items()}
    report = looked_at(work, encoded["train"], encoder, texts, labels=counts, model=model)
    warn_of_rare(work, counts)
    made = {split: several_examples(encoded[split], holds[split], encoder) for split in rows}
    objective = SeveralLabels(label_losses(settings.loss))
    mixed = settings.mixup > 0
    return Lesson(
        model=model, tokenizer=encoder.tokenizer, head="classification", solver="head",
        objective=Mixup(objective) if mixed else objective,
        train=MixedExamples(made["train"], settings.mixup, settings.seed) if mixed else made["train"],
        validation=made.get("validation"), length=encoder.length, report=report, labels=labels,
        judge=Judged(encoder, rows["validation"], score_several) if "validation" in rows else None,
        finish=partial(finish_several, work, encoder, rows["validation"], holds["validation"]) if "validation" in rows else None,
    )  # fmt: skip


def finish_several(
    work: Work, encoder: Encoder, rows: Sequence[ClassificationRow], holds_NC: Floats, model: nn.Module
) -> None:
    """How much each part of the head counts, and then from where on a label is given."""
    weigh_parts(work, encoder, [row.text for row in rows], holds_NC, True, model)
    set_thresholds(work, encoder, rows, model)


def set_thresholds(work: Work, encoder: Encoder, rows: Sequence[ClassificationRow], model: nn.Module) -> None:
    """Choose from which probability each label is given, on held-out rows, and put it into the model's config.

    Of labels that fewer than five of the rows have nothing can be told, and they are given from one half on.
    """
    from langwright.metrics.several_labels import choose_thresholds
    from langwright.tasks.front.headed import Headed

    model.eval()
    headed = Headed(model, encoder)
    counts = {label: sum(label in (row.labels or ()) for row in rows) for label in headed.labels}
    told = [label for label in headed.labels if counts[label] >= FEWEST]
    if not told:
        return
    scores_NC = headed.probabilities([row.text for row in rows])
    places = [headed.labels.index(label) for label in told]
    right = [[label in (row.labels or ()) for label in told] for row in rows]
    cuts = choose_thresholds(scores_NC[:, places].tolist(), right)
    headed.model.config.thresholds = {label: round(cut, 6) for label, cut in zip(told, cuts, strict=True)}
    work.log.write(
        Chosen(
            message="the probability from which a label is given was chosen for {count} of {all} labels on {rows} held-out rows",
            values={"count": len(told), "all": len(headed.labels), "rows": len(rows)},
        )
    )


def labelled_texts(
    dataset: Dataset, split: str, tokenizer: PreTrainedTokenizerBase, labels: tuple[str, ...], length: int
) -> tuple[TextExamples, int]:
    """A split of texts with a label each as token ids and label numbers, and how many texts were cut to `length`.

    raises  UserError for a label that is none of `labels`, or a text without tokens
    """
    from langwright.data.encoder import Encoder

    encoder = Encoder(tokenizer, length)
    rows: list[Any] = list(dataset.rows(split))
    encoded = [encoded_row(encoder, row) for row in rows]
    with_tokens(encoded, [said(row) for row in rows])
    return single_examples(encoded, rows, labels, encoder, split), sum(row.cut for row in encoded)


def single_examples(
    encoded: Sequence[Encoded], rows: Sequence[ClassificationRow | PairRow], labels: tuple[str, ...], encoder: Encoder, split: str
) -> TextExamples:  # fmt: skip
    """Rows with the number of their label."""
    import numpy as np

    from langwright.objectives.classification import TextExamples

    numbers = np.array([numbered(row.label, labels, row.id, split) for row in rows], dtype=np.int64)
    types = [one.types for one in encoded] if encoder.told else None
    return TextExamples([one.ids for one in encoded], numbers, encoder.pad_id, types, terms_of(encoded))


def several_examples(encoded: Sequence[Encoded], holds_NC: Floats, encoder: Encoder) -> SeveralExamples:
    """Rows with a 1 for each label that holds."""
    from langwright.objectives.classification import SeveralExamples

    return SeveralExamples([one.ids for one in encoded], holds_NC, encoder.pad_id, terms_of(encoded))


def terms_of(encoded: Sequence[Encoded]) -> list[Terms] | None:
    """The known runs of words of each row; None where the head is not told of them."""
    return [one.terms for one in encoded if one.terms is not None] or None


def holding(rows: Sequence[ClassificationRow | PairRow], labels: tuple[str, ...], split: str) -> Floats:
    """1 for each label that holds of a row, (N, C); UserError for a label that no training row has."""
    import numpy as np

    holds_NC = np.zeros((len(rows), len(labels)), dtype=np.float32)
    for number, row in enumerate(rows):
        several = row.labels if isinstance(row, ClassificationRow) else None
        for label in (row.label,) if several is None else several:
            holds_NC[number, numbered(label, labels, row.id, split)] = 1
    return holds_NC


def score_several(model: Headed, rows: Sequence[ClassificationRow]) -> dict[str, float]:
    """Micro F1 of the labels given."""
    from langwright.metrics.sets import labels_f1

    found = labels_f1(model.given([row.text for row in rows]), [row.labels or () for row in rows])
    return {found.name: found.value}


def encoded_row(encoder: Encoder, row: ClassificationRow | PairRow) -> Encoded:
    """A text, or two together."""
    return encoder.pair(row.text_a, row.text_b) if isinstance(row, PairRow) else encoder.text(row.text)


def said(row: ClassificationRow | PairRow) -> str:
    """What a row says, its label aside."""
    return f"{row.text_a}\n{row.text_b}" if isinstance(row, PairRow) else row.text
