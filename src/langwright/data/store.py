"""The token store: a dataset's tokens on disk, opened by mapping and never read whole.

tokens.bin      uint16 where the vocabulary allows, else uint32, little-endian, all documents end to end
supervised.bin  one byte a token, 1 where it is to be learned; absent when every token is
offsets.npy     int64, shape (documents + 1,): where each document begins in tokens.bin, then the end
bytes.npy       int64, shape (documents,): UTF-8 bytes of each document's text
store.json      what it holds; written last
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from array import array
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from langwright.errors import UserError
from langwright.files import full_disk, sync_folder, write_whole

FORMAT = 1
BUFFER = 1 << 20  # tokens gathered before they are written


@dataclass(frozen=True)
class Document:
    """One document as tokens.

    supervised  aligned with ids; None when all are to be learned
    bytes       UTF-8 bytes of the text the ids stand for; tokens that stand for no text count nothing
    """

    ids: list[int]
    supervised: list[bool] | None
    bytes: int


class StoreFacts(BaseModel):
    """`store.json`."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    format: int = FORMAT
    dtype: str
    vocab_size: int
    tokens: int
    documents: int
    bytes: int
    supervised: int  # tokens to be learned


@dataclass(frozen=True)
class TokenStore:
    """An open store; the arrays are mapped, not read."""

    folder: Path
    facts: StoreFacts
    tokens: NDArray[np.unsignedinteger]  # shape (tokens,)
    supervised: NDArray[np.bool_] | None  # shape (tokens,)
    offsets: NDArray[np.int64]  # shape (documents + 1,)
    bytes: NDArray[np.int64]  # shape (documents,)

    @property
    def documents(self) -> int:
        """How many documents."""
        return self.facts.documents

    def document(self, index: int) -> NDArray[np.int64]:
        """Token ids of one document."""
        return self.tokens[self.offsets[index] : self.offsets[index + 1]].astype(np.int64)

    def supervision(self, begin: int, end: int) -> NDArray[np.bool_]:
        """Which tokens of a range are to be learned."""
        if self.supervised is None:
            return np.ones(end - begin, dtype=np.bool_)
        return np.array(self.supervised[begin:end])


def build_store(folder: Path, documents: Iterable[Document], vocab_size: int) -> TokenStore:
    """Write documents as they come; `folder` appears only when the store is whole.

    raises  UserError when there are no tokens, a token lies outside the vocabulary, or the disk is full
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        with full_disk(scratch):
            write_documents(scratch, documents, vocab_size)
        try:
            scratch.replace(folder)
        except OSError:
            if not (folder / "store.json").is_file():  # else another process made the same store meanwhile
                raise
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return open_store(folder)


def write_documents(folder: Path, documents: Iterable[Document], vocab_size: int) -> None:
    """Write all files of a store into an empty folder."""
    dtype = np.dtype("<u2") if vocab_size <= 1 << 16 else np.dtype("<u4")
    offsets, sizes = array("q", [0]), array("q")
    supervised_tokens = 0
    masked = False
    with (folder / "tokens.bin").open("wb") as tokens, (folder / "supervised.bin").open("wb") as supervised:
        ids: list[int] = []
        mask = bytearray()

        def flush() -> None:
            nonlocal supervised_tokens
            block = np.array(ids, dtype=np.int64)
            if block.size and not 0 <= block.min() <= block.max() < vocab_size:
                raise ValueError(f"a token lies outside the vocabulary of {vocab_size}")
            tokens.write(block.astype(dtype).tobytes())
            supervised.write(mask)
            supervised_tokens += mask.count(1)
            ids.clear()
            mask.clear()

        for document in documents:
            ids += document.ids
            if document.supervised is None:
                mask += b"\1" * len(document.ids)
            else:
                masked = True
                mask += bytes(document.supervised)
            offsets.append(offsets[-1] + len(document.ids))
            sizes.append(document.bytes)
            if len(ids) >= BUFFER:
                flush()
        flush()
        for stream in (tokens, supervised):
            stream.flush()
            os.fsync(stream.fileno())
    if offsets[-1] == 0:
        raise UserError("there is nothing to learn from: no tokens at all", fix="check what the dataset holds")
    if not masked:
        (folder / "supervised.bin").unlink()
    save_array(folder / "offsets.npy", np.frombuffer(offsets, dtype=np.int64))
    save_array(folder / "bytes.npy", np.frombuffer(sizes, dtype=np.int64))
    facts = StoreFacts(
        dtype=dtype.str, vocab_size=vocab_size, tokens=offsets[-1], documents=len(sizes), bytes=sum(sizes),
        supervised=supervised_tokens,
    )  # fmt: skip
    write_whole(folder / "store.json", facts.model_dump_json(indent=2).encode() + b"\n")


def open_store(folder: Path) -> TokenStore:
    """Map a store; takes no longer for a large one than for a small one.

    raises  UserError when it is absent, damaged or of another version
    """
    try:
        facts = StoreFacts.model_validate_json((folder / "store.json").read_text(encoding="utf-8"))
    except (OSError, ValidationError) as error:
        raise UserError(
            "{folder} is not a token store this version can read: {error}",
            fix="remove it; it is made again when it is needed",
            folder=folder,
            error=str(error).splitlines()[0],
        ) from None
    width = np.dtype(facts.dtype).itemsize
    masked = (folder / "supervised.bin").is_file()
    expected = {"tokens.bin": facts.tokens * width} | ({"supervised.bin": facts.tokens} if masked else {})
    for name, size in expected.items():
        if not (folder / name).is_file() or (folder / name).stat().st_size != size:
            raise UserError(
                "{folder} is damaged: {name} is missing or has another size",
                fix="remove it; it is made again when it is needed",
                folder=folder,
                name=name,
            )
    return TokenStore(
        folder,
        facts,
        np.memmap(folder / "tokens.bin", dtype=facts.dtype, mode="r"),
        np.memmap(folder / "supervised.bin", dtype=np.bool_, mode="r") if masked else None,
        load_array(folder / "offsets.npy"),
        load_array(folder / "bytes.npy"),
    )


def store_key(*parts: str | int | float | bool | None) -> str:
    """A folder name for what a store was made from: digests of dataset, tokenizer and template, split, settings.

    >>> store_key("dataset", "tokenizer", None) == store_key("dataset", "tokenizer", None)
    True
    """
    return hashlib.sha256(json.dumps([FORMAT, *parts]).encode()).hexdigest()[:32]


def cached_store(cache: Path, key: str, documents: Callable[[], Iterable[Document]], vocab_size: int) -> TokenStore:
    """The store of a key, built when the cache has none that is whole."""
    folder = cache / key
    if folder.exists():
        try:
            return open_store(folder)
        except UserError:
            shutil.rmtree(folder)
    return build_store(folder, documents(), vocab_size)


def save_array(file: Path, values: NDArray[np.int64]) -> None:
    """Write an array as .npy, without pickle."""
    with file.open("wb") as stream:
        np.save(stream, values, allow_pickle=False)
        stream.flush()
        os.fsync(stream.fileno())


def load_array(file: Path) -> NDArray[np.int64]:
    """Map a .npy file, without pickle."""
    values: NDArray[np.int64] = np.load(file, mmap_mode="r", allow_pickle=False)
    return values
