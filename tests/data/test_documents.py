"""Rows become documents: closed by the end-of-text token, special names read as text, masks where there are turns."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from langwright.data import documents as module
from langwright.data.dataset import Dataset, DatasetWriter, open_dataset, text_of
from langwright.data.documents import documents
from langwright.data.schemas import Row, TextRow
from langwright.data.shipped import conversations, prose_paths
from langwright.data.store import build_store
from langwright.runlog import Event, Progressed, RunLog
from langwright.tokenizers.loading import load_tokenizer
from langwright.tokenizers.settings import TokenizerSettings
from langwright.tokenizers.templates import encode_conversation
from langwright.tokenizers.training import train_tokenizer


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    texts = [path.read_text(encoding="utf-8") for path in prose_paths()]
    return train_tokenizer(iter(texts), TokenizerSettings(vocab_size=1200), RunLog(None))


def dataset(folder: Path, rows: list[Row], schema: str = "text") -> Dataset:
    with DatasetWriter(folder, schema) as writer:
        for row in rows:
            writer.write(row, "train")
    return open_dataset(folder)


def test_texts_are_closed_and_batches_do_not_matter(
    tokenizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["春天来了。", "", "a b", *(path.read_text(encoding="utf-8") for path in prose_paths())]
    found = dataset(tmp_path, [TextRow(text=text) for text in texts])
    whole = list(documents(found, "train", tokenizer, RunLog(None)))
    assert [document.ids for document in whole] == [[*tokenizer(text)["input_ids"], 0] for text in texts]
    assert [document.bytes for document in whole] == [len(text.encode()) for text in texts]
    assert all(document.supervised is None for document in whole)
    monkeypatch.setattr(module, "BATCH_CHARACTERS", 1)
    assert list(documents(found, "train", tokenizer, RunLog(None))) == whole


def test_names_of_special_tokens_are_text(tokenizer: Any, tmp_path: Path) -> None:
    text = "a<|endoftext|>b<|im_start|>"
    (document,) = documents(dataset(tmp_path, [TextRow(text=text)]), "train", tokenizer, RunLog(None))
    assert [id for id in document.ids if id < 4] == [0]
    assert tokenizer.decode(document.ids[:-1], skip_special_tokens=False) == text
    assert tokenizer(text)["input_ids"].count(0) == 1  # the tokenizer itself was not changed by it


def test_what_a_tokenizer_puts_first_is_kept(shared_data: Callable[[str], Path], tmp_path: Path) -> None:
    tokenizer = load_tokenizer(shared_data("model-stories260k") / "hf")
    (document,) = documents(dataset(tmp_path, [TextRow(text="Once upon")]), "train", tokenizer, RunLog(None))
    assert document.ids == [1, 403, 407, 2]


@pytest.mark.parametrize("texts", [False, True])
def test_conversations_have_their_mask_or_are_running_text(tokenizer: Any, tmp_path: Path, texts: bool) -> None:
    rows = list(conversations()[:20])
    found = list(documents(dataset(tmp_path, list(rows), "chat"), "train", tokenizer, RunLog(None), texts=texts))
    assert len(found) == 20
    for row, document in zip(rows, found, strict=True):
        assert document.bytes == len(text_of(row).encode())
        if texts:
            assert document.supervised is None
            assert tokenizer.decode(document.ids[:-1]) == text_of(row)
        else:
            assert (document.ids, document.supervised) == encode_conversation(tokenizer, row.messages)


def test_progress_and_the_store(tokenizer: Any, tmp_path: Path) -> None:
    events: list[Event] = []
    found = dataset(tmp_path / "d", list(conversations()[:30]), "chat")
    store = build_store(
        tmp_path / "s", documents(found, "train", tokenizer, RunLog(None, events.append)), len(tokenizer)
    )
    assert store.documents == 30
    assert 0 < store.facts.supervised < store.facts.tokens
    assert [(event.done, event.total) for event in events if isinstance(event, Progressed)][-1] == (30, 30)
