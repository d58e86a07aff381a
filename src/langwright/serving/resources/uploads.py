"""Files that are uploaded: streamed into a hidden one beside their place, looked at, and given their name when whole."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
import shutil
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from fastapi import Request

from langwright.data.sources import FORMATS
from langwright.errors import UserError
from langwright.files import disk_was_full, sync_folder
from langwright.serving.complaints import ApiError
from langwright.serving.resources.names import new_name
from langwright.serving.resources.preview import guessed

UNFINISHED = ".upload"  # end of the hidden name of a file in the making
AT_ONCE = 1 << 20  # bytes written together
SPARE = 64 << 20  # bytes of the disk that an upload leaves free


def upload_name(name: str) -> str:
    """A name for an uploaded file; ApiError 422 for one without an extension that says what it holds."""
    new_name(name)
    ending = name.rpartition(".")[2].lower()
    if "." not in name or ending not in FORMATS:
        raise ApiError(
            UserError(
                "the name {name!r} does not say what the file holds",
                fix="end it in one of .jsonl, .json, .csv, .tsv, .parquet, .txt, .md, .conll", name=name,
            ), status=422, param="name",
        )  # fmt: skip
    return name


async def receive(request: Request, folder: Path, name: str, limit: int, sha256: str | None) -> Path:
    """The body of a request as a file of this name; nothing is left when anything goes wrong.

    sha256  what its bytes must come to, in hex
    raises  ApiError 409 when there is one, 413 when it is longer than `limit` bytes, 422 for what it does not hold,
            507 when the disk has no room; ClientDisconnect when it was broken off
    """
    target = folder / upload_name(name)
    if sha256 is not None and not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise ApiError(
            UserError("{given!r} is no sha256", fix="give 64 digits of 0-9 and a-f", given=sha256[:80]),
            status=422,
            param="sha256",
        )
    if target.exists():
        raise taken(name)
    stated = request.headers.get("content-length", "")
    if stated.isascii() and stated.isdigit():
        refuse_size(int(stated), limit)
    folder.mkdir(parents=True, exist_ok=True)
    if stated.isascii() and stated.isdigit() and int(stated) + SPARE > shutil.disk_usage(folder).free:
        raise no_room(name)
    scratch = folder / f".{name}.{secrets.token_hex(8)}{UNFINISHED}"
    try:
        with scratch.open("xb") as stream:
            found = await written(request.stream(), stream, limit)
        await asyncio.to_thread(check, scratch, name, found, sha256)
        os.link(scratch, target)  # unlike a rename, it does not replace what came meanwhile
        sync_folder(folder)
    except FileExistsError:
        raise taken(name) from None
    except OSError as error:
        if not disk_was_full(error):
            raise
        raise no_room(name) from None
    finally:
        with suppress(FileNotFoundError):
            scratch.unlink()
    return target


async def written(chunks: AsyncIterator[bytes], stream: BinaryIO, limit: int) -> str:
    """Write what comes, and give its sha256; ApiError 413 as soon as it is too long."""
    hashed = hashlib.sha256()
    size = 0
    waiting = bytearray()

    def put(data: bytes) -> None:
        stream.write(data)
        hashed.update(data)

    async for chunk in chunks:
        size += len(chunk)
        refuse_size(size, limit)
        waiting += chunk
        if len(waiting) >= AT_ONCE:
            await asyncio.to_thread(put, bytes(waiting))
            waiting.clear()
    put(bytes(waiting))
    stream.flush()
    await asyncio.to_thread(os.fsync, stream.fileno())
    return hashed.hexdigest()


def refuse_size(size: int, limit: int) -> None:
    """ApiError 413 for more bytes than may be."""
    if size > limit:
        raise ApiError(
            UserError(
                "the file is longer than {limit} bytes", fix="send it in parts, or let more in with the server's max_upload_bytes",
                limit=limit,
            ), status=413, headers={"Connection": "close"},
        )  # fmt: skip


def check(file: Path, name: str, found: str, wanted: str | None) -> None:
    """Refuse a file that is empty, not what its name says, or not what was to be sent."""
    if wanted is not None and found != wanted:
        raise ApiError(
            UserError("what came has the sha256 {found}", fix="send it again: it was changed on its way", found=found),
            status=422, param="sha256",
        )  # fmt: skip
    named = file.with_name(f".{secrets.token_hex(8)}.{name}")  # readers go by the extension
    os.link(file, named)
    try:
        guessed(named)
    except UserError as error:
        raise ApiError(
            UserError(
                "the file is not what its name {name!r} says: {reason}", fix="name it after what it holds, or correct it",
                name=name, reason=error.problem().replace(str(named), name),
            ), status=422, param="name",
        ) from None  # fmt: skip
    finally:
        named.unlink()


def taken(name: str) -> ApiError:
    """There is one of this name."""
    return ApiError(
        UserError("there is a file called {name} already", fix="delete it first, or take another name", name=name),
        status=409, param="name",
    )  # fmt: skip


def no_room(name: str) -> ApiError:
    """The disk is full."""
    return ApiError(
        UserError("the disk has no room for {name}", fix="delete what is not needed, and send it again", name=name),
        status=507,
    )


def sweep(folder: Path) -> None:
    """Remove what uploads left that were broken off when the server was killed."""
    for left in folder.glob(f".*{UNFINISHED}"):
        with suppress(FileNotFoundError):
            left.unlink()
