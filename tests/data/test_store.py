"""The token store gives back what was put in, is whole or absent, and opens at once."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from langwright.data import store as module
from langwright.data.store import Document, build_store, cached_store, open_store, store_key
from langwright.errors import UserError

DOCUMENTS = [
    Document([5, 6, 7], None, 9),
    Document([], None, 0),
    Document([8, 9], [False, True], 4),
    Document([1], None, 1),
]


def test_documents_come_back(tmp_path: Path) -> None:
    store = build_store(tmp_path / "s", DOCUMENTS, vocab_size=100)
    assert [store.document(i).tolist() for i in range(4)] == [[5, 6, 7], [], [8, 9], [1]]
    assert store.offsets.tolist() == [0, 3, 3, 5, 6]
    assert store.bytes.tolist() == [9, 0, 4, 1]
    assert store.supervision(0, 6).tolist() == [True, True, True, False, True, True]
    assert store.facts.tokens == 6
    assert store.facts.supervised == 5
    assert store.facts.bytes == 14
    assert store.tokens.dtype == np.uint16
    assert isinstance(store.tokens, np.memmap)


@given(
    documents=st.lists(st.lists(st.integers(0, 69_999), max_size=30), min_size=1, max_size=20).filter(any),
    buffer=st.integers(1, 50),
)
def test_any_documents_come_back_whatever_the_buffer(
    tmp_path_factory: pytest.TempPathFactory, documents: list[list[int]], buffer: int
) -> None:
    folder = tmp_path_factory.mktemp("store") / "s"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BUFFER", buffer)
        store = build_store(folder, (Document(ids, None, 1) for ids in documents), vocab_size=70_000)
    assert store.tokens.dtype == np.uint32
    assert [store.document(i).tolist() for i in range(store.documents)] == documents
    assert store.supervised is None


@pytest.mark.parametrize(("vocab_size", "width"), [(65_536, 2), (65_537, 4)])
def test_width_follows_the_vocabulary(tmp_path: Path, vocab_size: int, width: int) -> None:
    store = build_store(tmp_path / "s", [Document([vocab_size - 1], None, 1)], vocab_size)
    assert store.tokens.itemsize == width
    assert store.document(0).tolist() == [vocab_size - 1]


def test_a_token_outside_the_vocabulary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="outside the vocabulary"):
        build_store(tmp_path / "s", [Document([100], None, 1)], vocab_size=100)
    assert list(tmp_path.iterdir()) == []


def test_no_tokens_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no tokens at all"):
        build_store(tmp_path / "s", [Document([], None, 0)], vocab_size=100)
    assert list(tmp_path.iterdir()) == []


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def failing() -> Iterator[Document]:
        yield DOCUMENTS[0]
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        build_store(tmp_path / "s", failing(), vocab_size=100)
    assert list(tmp_path.iterdir()) == []


def test_damage_is_seen(tmp_path: Path) -> None:
    build_store(tmp_path / "s", DOCUMENTS, vocab_size=100)
    with (tmp_path / "s" / "tokens.bin").open("ab") as stream:
        stream.write(b"x")
    with pytest.raises(UserError, match=r"tokens\.bin is missing or has another size"):
        open_store(tmp_path / "s")
    (tmp_path / "s" / "store.json").write_text("{")
    with pytest.raises(UserError, match="not a token store"):
        open_store(tmp_path / "s")


def test_the_cache_builds_once_and_again_after_damage(tmp_path: Path) -> None:
    built = []

    def documents() -> list[Document]:
        built.append(1)
        return DOCUMENTS

    key = store_key("dataset", "tokenizer", None, "train")
    cached_store(tmp_path, key, documents, 100)
    cached_store(tmp_path, key, documents, 100)
    assert len(built) == 1
    (tmp_path / key / "tokens.bin").unlink()
    assert cached_store(tmp_path, key, documents, 100).facts.tokens == 6
    assert len(built) == 2


def test_keys_differ_with_what_a_store_is_made_from() -> None:
    keys = {store_key("a", "b", None), store_key("a", "c", None), store_key("a", "b", "t"), store_key("ab", "", None)}
    assert len(keys) == 4


def test_two_processes_may_build_the_same_store(tmp_path: Path) -> None:
    """The second finds the first one's when it is done, and takes it."""

    def meanwhile() -> Iterator[Document]:
        build_store(tmp_path / "s", DOCUMENTS, 100)
        yield from DOCUMENTS

    assert build_store(tmp_path / "s", meanwhile(), 100).facts.tokens == 6
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


@pytest.mark.spec("D10", "a store of a gigabyte is mapped, not read")
def test_a_gigabyte_opens_at_once(tmp_path: Path) -> None:
    folder = tmp_path / "s"
    build_store(folder, [Document([1] * 10, None, 10)], vocab_size=100)
    tokens = 1 << 29
    with (folder / "tokens.bin").open("r+b") as stream:
        stream.truncate(2 * tokens)  # a sparse file: no bytes are written
    facts = json.loads((folder / "store.json").read_text()) | {"tokens": tokens}
    (folder / "store.json").write_text(json.dumps(facts))
    begin = time.process_time()
    store = open_store(folder)
    assert int(store.tokens[-1]) == 0
    assert time.process_time() - begin < 0.1
