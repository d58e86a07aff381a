"""A dataset's rows as documents of token ids, for the token store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from langwright.data.dataset import Dataset, text_of
from langwright.data.schemas import ChatRow
from langwright.data.store import Document
from langwright.runlog import Progressed, RunLog
from langwright.tokenizers.templates import encode_conversation

if TYPE_CHECKING:
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerBase

BATCH_CHARACTERS = 1 << 20  # text tokenised at a time
REPORT_ROWS = 2000


def documents(
    dataset: Dataset, split: str, tokenizer: PreTrainedTokenizerBase, log: RunLog, texts: bool = False
) -> Iterator[Document]:
    """The rows of a split as documents in order: conversations with their mask, everything else as running text.

    texts  take conversations as running text too
    """
    if dataset.schema is ChatRow and not texts:
        found = chat_documents(dataset, split, tokenizer)
    else:
        found = text_documents(dataset.texts(split), tokenizer)
    total = dataset.count(split)
    done = 0
    for done, document in enumerate(found, start=1):
        yield document
        if done % REPORT_ROWS == 0:
            log.write(Progressed(what="tokenising", done=done, total=total))
    log.write(Progressed(what="tokenising", done=done, total=total))


def text_documents(texts: Iterator[str], tokenizer: PreTrainedTokenizerBase) -> Iterator[Document]:
    """Running text, each document closed by the end-of-text token, everything to be learned.

    Names of special tokens in the text are text. What the tokenizer puts before any text (a BOS) is kept, once.
    """
    literal = literal_backend(tokenizer)
    batch: list[str] = []
    size = 0
    for text in texts:
        batch.append(text)
        size += len(text)
        if size >= BATCH_CHARACTERS:
            yield from encoded(batch, literal, tokenizer.eos_token_id)
            batch, size = [], 0
    if batch:
        yield from encoded(batch, literal, tokenizer.eos_token_id)


def encoded(texts: Sequence[str], literal: Tokenizer, end: int | None) -> Iterator[Document]:
    """One batch of texts."""
    for text, encoding in zip(texts, literal.encode_batch_fast(texts, add_special_tokens=True), strict=True):
        ids: list[int] = encoding.ids
        if end is not None and (not ids or ids[-1] != end):
            ids.append(end)
        yield Document(ids, None, len(text.encode()))


def literal_backend(tokenizer: PreTrainedTokenizerBase) -> Tokenizer:
    """The tokenizer's rules, reading names of special tokens as plain text."""
    from tokenizers import Tokenizer

    backend = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    backend.encode_special_tokens = True
    backend.no_padding()
    backend.no_truncation()
    return backend


def chat_documents(dataset: Dataset, split: str, tokenizer: PreTrainedTokenizerBase) -> Iterator[Document]:
    """Conversations, learned where the assistant speaks."""
    for row in dataset.rows(split):
        if isinstance(row, ChatRow):
            ids, supervised = encode_conversation(tokenizer, row.messages)
            yield Document(ids, supervised, len(text_of(row).encode()))
