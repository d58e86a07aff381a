"""The control lesson: texts with a code before them that says what they are like; and labels told from the text itself.

Source    see `inference/control/codes.py`
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from langwright.stages.declaration import Work
from langwright.stages.lessons.lesson import Lesson, labelled_dataset, row_length, warn_about

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from langwright.data.schemas import ClassificationRow
    from langwright.data.store import Document
    from langwright.objectives.next_token import RowExamples
    from langwright.stages.finetune import FinetuneSettings

LEVELS = {"en": ("simple", "hard"), "zh": ("简单", "复杂")}
SHOWN = 2  # codes that the model is shown to write from as it learns


def control_lesson(work: Work) -> Lesson:
    """Texts with labels, each learned behind the code of its label."""
    from langwright.data.packing import saved_plan
    from langwright.data.store import cached_store, store_key
    from langwright.inference.control.codes import code
    from langwright.models.loading import load_model
    from langwright.objectives.next_token import NextToken, RowExamples
    from langwright.stages.fitting import Samples, tokenizer_digest
    from langwright.stages.lessons.headed import split_rows
    from langwright.tokenizers.loading import load_tokenizer
    from langwright.training.preflight import inspect_rows

    settings: FinetuneSettings = work.settings
    rows: dict[str, list[Any]] = told(split_rows(labelled_dataset(work, "classification")), settings.labels_from)
    folder = work.one("model").path
    tokenizer = load_tokenizer(folder)
    model = load_model(folder, dropout=settings.dropout)
    length = row_length(settings, model.config)

    def examples(split: str) -> RowExamples:
        assert work.cache is not None  # the executor always gives one
        key = store_key(
            work.one("dataset").digest, tokenizer_digest(folder), "control", split, settings.labels_from,
            settings.uncoded, settings.seed,
        )  # fmt: skip
        store = cached_store(
            work.cache / "stores", key, lambda: documents(rows[split], tokenizer, settings), len(tokenizer)
        )
        return RowExamples(store, saved_plan(store, "single", length), tokenizer.pad_token_id, stop_at_documents=False)

    train = examples("train")
    report = inspect_rows(train.store, train.plan, tokenizer)
    warn_about(work, report)
    labels = tuple(sorted({row.label for row in rows["train"]}))
    return Lesson(
        model=model,
        tokenizer=tokenizer,
        head="causal",
        solver="generation",
        objective=NextToken(),
        train=train,
        validation=examples("validation") if "validation" in rows else None,
        length=length,
        report=report,
        sampler=Samples(tokenizer, tuple(map(code, labels[:SHOWN]))),
        labels=labels,
    )


def documents(
    rows: Sequence[ClassificationRow], tokenizer: PreTrainedTokenizerBase, settings: FinetuneSettings
) -> Iterator[Document]:
    """Each text behind its code, which is not learned; a share of them without one."""
    from langwright.data.drawing import draws
    from langwright.data.store import Document
    from langwright.inference.control.codes import code

    end = [tokenizer.eos_token_id] if tokenizer.eos_token_id is not None else []
    start = [tokenizer.bos_token_id] if tokenizer.bos_token_id is not None else []
    for number, row in enumerate(rows):
        bare = bool(draws(settings.seed, 0, number, "uncoded").random() < settings.uncoded)
        before = "" if bare else code(row.label)
        head = tokenizer(before, add_special_tokens=False)["input_ids"] if before else []
        whole = tokenizer(before + row.text, add_special_tokens=False)["input_ids"]
        ids = [*start, *whole, *end]
        first = len(start) + len(head)
        yield Document(ids, [at >= first for at in range(len(ids))], len(row.text.encode()))


def told(rows: dict[str, list[Any]], labels_from: str) -> dict[str, list[Any]]:
    """The rows with the labels that are asked for: their own, or how hard they are to read.

    Half of the training texts of a language are simple and half hard; a text without words has no place here.
    """
    from statistics import median

    from langwright.metrics.readability import difficulty
    from langwright.metrics.units import language_of

    if labels_from == "label":
        return rows
    scored = {
        split: [(row, language_of(row.text), value) for row in some if (value := difficulty(row.text)) is not None]
        for split, some in rows.items()
    }
    middle = {
        language: median(values)
        for language in LEVELS
        if (values := [value for _, found, value in scored["train"] if found == language])
    }
    return {
        split: [
            row.model_copy(update={"label": LEVELS[language][value > middle[language]]})
            for row, language, value in some
            if language in middle
        ]
        for split, some in scored.items()
    }
