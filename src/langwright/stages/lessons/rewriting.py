"""The lessons of writing one text from another: translation, summarization, correction, code.

An encoder-decoder reads the one and writes the other. A decoder is taught the same as a conversation, in which the
other text is the reply.

Source    Raffel et al. 2020, arXiv:1910.10683, section 2.4 and appendix D: a prefix says what is to be done
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from langwright.data.schemas import CodeRow, CorrectionRow, Message, SummaryRow, TranslationRow
from langwright.errors import UserError
from langwright.models.adapter_settings import VIRTUAL
from langwright.objectives.loss_settings import CrossEntropy
from langwright.runlog import Warned
from langwright.stages.declaration import Work
from langwright.stages.lessons.headed import fills_blanks
from langwright.stages.lessons.lesson import Lesson, context_of, labelled_dataset, row_length, warn_about
from langwright.stages.lessons.quoting import quoting_lesson
from langwright.tasks import TASKS
from langwright.tasks.solving.generation import behind_prefix

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

    from langwright.data.dataset import Dataset
    from langwright.data.store import Document
    from langwright.objectives.next_token import RowExamples
    from langwright.objectives.seq2seq import Pair
    from langwright.stages.finetune import FinetuneSettings
    from langwright.training.preflight import Preflight

Written = TranslationRow | SummaryRow | CorrectionRow | CodeRow

SHOWN = 2  # rows whose text the model is shown to write as it learns


def translation_lesson(work: Work) -> Lesson:
    """What a text says in another language."""
    return rewriting_lesson(work, "translation", "translation")


def summarization_lesson(work: Work) -> Lesson:
    """What matters in a text: an encoder learns where it stands, any other model to write it."""
    from langwright.models.loading import read_config

    if fills_blanks(read_config(work.one("model").path)):
        return quoting_lesson(work)
    return rewriting_lesson(work, "summary", "summarization")


def code_lesson(work: Work) -> Lesson:
    """A program that does what is wished."""
    return rewriting_lesson(work, "code", "code")


def rewriting_lesson(work: Work, schema: str, task: str) -> Lesson:
    """Whichever of the two the model is made for."""
    from langwright.models.loading import read_config

    dataset = labelled_dataset(work, schema)
    both = read_config(work.one("model").path).is_encoder_decoder
    lesson = encoder_decoder_lesson(work, dataset) if both else reply_lesson(work, dataset)
    lesson.task = task
    return lesson


def asked(row: Written, settings: FinetuneSettings) -> str:
    """What the model reads: the text, and before it what is to be done."""
    prefix = TASKS[settings.task].prefix if settings.prefix is None else settings.prefix
    return behind_prefix(prefix, row.text, row.language, getattr(row, "target_language", ""))


def wanted(row: Written) -> str:
    """What it is to write."""
    targets = {TranslationRow: "translation", SummaryRow: "summary", CorrectionRow: "correction", CodeRow: "code"}
    return str(getattr(row, targets[type(row)]))


def rows_of(dataset: Dataset, split: str) -> Iterator[Written]:
    """The rows of a split."""
    return (row for row in dataset.rows(split) if isinstance(row, Written))


def some(dataset: Dataset) -> Iterator[Written]:
    """A few rows of other languages each, where there are some, to show what the model writes."""
    from itertools import islice

    found: dict[str, Written] = {}
    for row in islice(rows_of(dataset, "validation" if "validation" in dataset.splits else "train"), 500):
        found.setdefault(row.language, row)
    return islice(found.values(), SHOWN)


# --- an encoder-decoder ----------------------------------------------------------------------------


def encoder_decoder_lesson(work: Work, dataset: Dataset) -> Lesson:
    """Pairs, of which each target token is learned from the whole input and the target before it."""
    from langwright.models.encoder_decoders import set_decoder_start
    from langwright.models.loading import load_model
    from langwright.objectives.seq2seq import PairExamples, Seq2Seq
    from langwright.stages.fitting import Rewritten
    from langwright.tokenizers.loading import load_tokenizer

    settings: FinetuneSettings = work.settings
    folder = work.one("model").path
    tokenizer = load_tokenizer(folder)
    model = load_model(folder, head="seq2seq", dropout=settings.dropout)
    if model.config.decoder_start_token_id is None:
        set_decoder_start(model.config)
    length = row_length(settings, model.config)
    smoothing = settings.loss.smoothing if isinstance(settings.loss, CrossEntropy) else 0.0
    pairs, cut = {}, {}
    for split in dataset.splits:
        if split != "test":
            pairs[split], cut[split] = encoded(list(rows_of(dataset, split)), tokenizer, settings, length)
    report = looked_at(pairs["train"], cut["train"], dataset, tokenizer)
    if cut["train"] == len(pairs["train"]) and length < context_of(model.config):
        raise UserError(
            "every example is longer than a row of {length} tokens, and the model can read {context}",
            fix="raise the row length with --set length=N",
            length=length,
            context=context_of(model.config),
        )
    warn_about(work, report)
    examples = {split: PairExamples(found, tokenizer.pad_token_id) for split, found in pairs.items()}
    return Lesson(
        model=model,
        tokenizer=tokenizer,
        head="seq2seq",
        solver="generation",
        objective=Seq2Seq(model.config.decoder_start_token_id, smoothing=smoothing),
        train=examples["train"],
        validation=examples.get("validation"),
        length=length,
        report=report,
        sampler=Rewritten(tokenizer, tuple(asked(row, settings) for row in some(dataset))),
    )


def encoded(
    rows: Sequence[Written], tokenizer: PreTrainedTokenizerBase, settings: FinetuneSettings, length: int
) -> tuple[list[Pair], int]:
    """Input and target of each row as ids, each ended and cut to `length`, and how many rows were cut."""
    from langwright.stages.fitting import ended

    end = tokenizer.eos_token_id
    read = tokenizer([asked(row, settings) for row in rows])["input_ids"]
    told = tokenizer(text_target=[wanted(row) for row in rows])["input_ids"]
    whole = [(ended(a, end), ended(b, end)) for a, b in zip(read, told, strict=True)]
    pairs = [(shortened(a, length), shortened(b, length)) for a, b in whole]
    return pairs, sum(max(len(a), len(b)) > length for a, b in whole)


def shortened(ids: list[int], length: int) -> NDArray[np.int64]:
    """At most `length` ids, the last of them as it was."""
    import numpy as np

    return np.array(ids if len(ids) <= length else [*ids[: length - 1], ids[-1]], dtype=np.int64)


def looked_at(pairs: Sequence[Pair], cut: int, dataset: Dataset, tokenizer: PreTrainedTokenizerBase) -> Preflight:
    """What training is about to see."""
    from langwright.stages.fitting import pieces_of_pair
    from langwright.training.preflight import Preflight, count_leaks

    read, told = sum(len(a) for a, _ in pairs), sum(len(b) for _, b in pairs)
    unknown = sum(int((ids == tokenizer.unk_token_id).sum()) for pair in pairs for ids in pair)
    texts = {split: (row.text for row in rows_of(dataset, split)) for split in dataset.splits}
    first_read, first_told = (ids.tolist() for ids in pairs[0])
    return Preflight(
        documents=len(pairs), tokens=read + told, rows=len(pairs), supervised=told / (read + told), padding=0.0,
        truncated=cut, unknown=unknown / (read + told), doubled=0,
        leaked=count_leaks(texts["train"], texts.get("validation", ())),
        sample=pieces_of_pair(tokenizer, first_read, first_told),
    )  # fmt: skip


# --- a decoder -------------------------------------------------------------------------------------


def reply_lesson(work: Work, dataset: Dataset) -> Lesson:
    """Conversations of one question, the text, and one reply, which alone is learned."""
    from langwright.data.packing import saved_plan
    from langwright.data.store import cached_store, store_key
    from langwright.models.loading import load_model
    from langwright.objectives.next_token import NextToken, RowExamples
    from langwright.stages.fitting import Samples, keep_documents_apart, tokenizer_digest
    from langwright.tokenizers.loading import load_tokenizer
    from langwright.tokenizers.templates import ensure_template, template_sha256
    from langwright.training.preflight import inspect_rows

    settings: FinetuneSettings = work.settings
    folder = work.one("model").path
    if settings.loss.kind != "auto":
        raise UserError(
            "loss.kind = {kind} is for encoder-decoders here, and {path} is a decoder",
            fix="leave it out, or take a model such as `langwright pretrain DATASET TOKENIZER OUT --preset t5-mini` makes",
            kind=settings.loss.kind,
            path=folder,
        )
    tokenizer = load_tokenizer(folder)
    ensure_template(tokenizer)
    model = load_model(folder, dropout=settings.dropout)
    length = row_length(settings, model.config)
    packed = keep_documents_apart(model, work.log) and settings.pack and not isinstance(settings.method, VIRTUAL)

    def rows(split: str) -> RowExamples:
        assert work.cache is not None  # the executor always gives one
        key = store_key(
            work.one("dataset").digest, tokenizer_digest(folder), template_sha256(tokenizer), split, settings.prefix, length,
        )  # fmt: skip
        store = cached_store(
            work.cache / "stores", key, lambda: replies(work, dataset, split, tokenizer, length), len(tokenizer)
        )
        layout = saved_plan(store, "pack" if packed else "single", length)
        return RowExamples(store, layout, tokenizer.pad_token_id, stop_at_documents=packed)

    train = rows("train")
    report = inspect_rows(train.store, train.plan, tokenizer)
    warn_about(work, report)
    prompts = tuple((Message(role="user", content=asked(row, settings)),) for row in some(dataset))
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
        sampler=Samples(tokenizer, prompts),
    )


def replies(
    work: Work, dataset: Dataset, split: str, tokenizer: PreTrainedTokenizerBase, length: int
) -> Iterator[Document]:
    """The rows of a split as documents, the texts that are read shortened until reply and all fit a row."""
    from langwright.data.store import Document
    from langwright.tokenizers.templates import encode_conversation

    cut = 0
    for row in rows_of(dataset, split):
        question, reply = asked(row, work.settings), Message(role="assistant", content=wanted(row))
        ids, supervised = encode_conversation(tokenizer, (Message(role="user", content=question), reply))
        cut += len(ids) > length + 1
        while len(ids) > length + 1 and question:
            question = without_last(question, len(ids) - length - 1, tokenizer)
            ids, supervised = encode_conversation(tokenizer, (Message(role="user", content=question), reply))
        yield Document(ids, supervised, len((row.text + wanted(row)).encode()))
    if cut:
        work.log.write(
            Warned(
                message="{cut} of {all} examples are longer than a row and were cut",
                values={"cut": cut, "all": dataset.count(split)},
            )
        )


def without_last(text: str, tokens: int, tokenizer: PreTrainedTokenizerBase) -> str:
    """A text without its last tokens, one of them at least."""
    begins = [
        begin for begin, _ in tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    ]
    return text[: begins[-min(tokens, len(begins))]] if begins else ""
