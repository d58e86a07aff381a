"""The chat lesson: conversations, learned where the assistant speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langwright.models.adapter_settings import VIRTUAL
from langwright.stages.declaration import Work
from langwright.stages.lessons.lesson import Lesson, labelled_dataset, row_length, warn_about

if TYPE_CHECKING:
    from langwright.stages.finetune import FinetuneSettings


def chat_lesson(work: Work) -> Lesson:
    """Conversations, learned where the assistant speaks, with the chat template that serving will use."""
    from langwright.data.packing import saved_plan
    from langwright.models.loading import load_model
    from langwright.objectives.next_token import NextToken, RowExamples
    from langwright.stages.fitting import Samples, chat_prompts, keep_documents_apart, open_split
    from langwright.tokenizers.loading import load_tokenizer
    from langwright.tokenizers.templates import ensure_template
    from langwright.training.preflight import inspect_rows

    settings: FinetuneSettings = work.settings
    dataset = labelled_dataset(work, "chat")
    folder = work.one("model").path
    tokenizer = load_tokenizer(folder)
    ensure_template(tokenizer)
    model = load_model(folder, dropout=settings.dropout)
    length = row_length(settings, model.config)
    # virtual tokens stand before one text, not before each of several
    packed = keep_documents_apart(model, work.log) and settings.pack and not isinstance(settings.method, VIRTUAL)

    def rows(split: str) -> RowExamples:
        store = open_split(work, dataset, split, tokenizer, folder, texts=False)
        layout = saved_plan(store, "pack" if packed else "single", length)
        return RowExamples(store, layout, tokenizer.pad_token_id, stop_at_documents=packed)

    train = rows("train")
    report = inspect_rows(train.store, train.plan, tokenizer)
    warn_about(work, report)
    prompts = chat_prompts(dataset, "train")
    return Lesson(
        model=model,
        tokenizer=tokenizer,
        head="causal",
        solver="generation",
        objective=NextToken(),
        train=train,
        validation=rows("validation") if "validation" in dataset.splits else None,
        length=length,
        report=report,
        sampler=Samples(tokenizer, prompts) if prompts else None,
    )
