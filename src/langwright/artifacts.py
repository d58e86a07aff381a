"""Artifacts: directories that are whole, know their kind, and know how they were made.

`making(OUT)` gives a directory `OUT.partial` that becomes `OUT` only when it is finished:

    OUT.partial/lock               held while a process works on it (flock), with its pid
    OUT.partial/checkpoints/       what a resume needs; gone once OUT is whole
    OUT.partial/run/request.json   stage, inputs, settings, command
    OUT.partial/run/settings.toml  the settings in full
    OUT.partial/run/events.jsonl   what happened
    OUT/card.json                  written last: kind, settings, inputs with digests, files, results

A model artifact is also a plain Hugging Face directory, and a folder without a card that holds a
`config.json` is opened as a model.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import platform
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from langwright.errors import UserError
from langwright.measures import Measure
from langwright.settings import differences, to_toml
from langwright.wording import Term

FORMAT = 1
Kind = Literal["dataset", "tokenizer", "model", "index", "report"]

MAKERS: dict[str, str] = {
    "dataset": "langwright data read SOURCE OUT",
    "tokenizer": "langwright tokenizer train DATASET OUT",
    "model": "langwright pretrain DATASET TOKENIZER OUT",
    "index": "langwright index DATASET OUT",
    "report": "langwright evaluate MODEL DATASET OUT",
}
LIBRARIES = ("langwright", "torch", "transformers", "tokenizers", "peft", "pyarrow", "numpy")


class Plain(BaseModel):
    """Base of what is written into cards and requests."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class FileRecord(Plain):
    """One file of an artifact."""

    size: int  # bytes
    sha256: str


class Origin(Plain):
    """One input, as it was when it was read; its own inputs are carried along, so nothing is lost when it is deleted."""

    role: str
    path: str  # as the person gave it
    kind: str  # an artifact kind, or "source" for raw files
    digest: str
    stage: str = ""
    inputs: tuple[Origin, ...] = ()


class DatasetFacts(Plain):
    """What a dataset's card says about its rows."""

    schema_name: str
    splits: dict[str, int]  # split -> rows
    bytes: int  # UTF-8 bytes of all text
    dropped: dict[str, int] = {}  # rule -> rows dropped; examples stand in drops.json


class TokenizerFacts(Plain):
    """What a tokenizer's card says."""

    algorithm: str
    vocab_size: int
    template_sha256: str | None = None


class ModelFacts(Plain):
    """What a model's card says."""

    architecture: str
    parameters: int
    context: int  # tokens
    vocab_size: int
    template_sha256: str | None = None


class Ability(Plain):
    """One task a model can do, and the solver it was made for."""

    task: str
    solver: str
    labels: tuple[str, ...] = ()
    head: str | None = None  # folder under heads/, where the head is not the model's own
    adapter: str | None = None  # folder under adapters/


class Card(Plain):
    """`card.json`: what an artifact is and how it was made."""

    format: int = FORMAT
    kind: Kind
    stage: str
    stage_version: int = 1
    command: tuple[str, ...] = ()
    settings: dict[str, JsonValue] = {}
    inputs: tuple[Origin, ...] = ()
    seed: int | None = None
    files: dict[str, FileRecord] = {}
    results: tuple[Measure, ...] = ()
    abilities: tuple[Ability, ...] = ()
    dataset: DatasetFacts | None = None
    tokenizer: TokenizerFacts | None = None
    model: ModelFacts | None = None
    versions: dict[str, str] = {}
    made_at: str = ""  # ISO 8601, UTC
    host: str = ""
    seconds: float = 0.0  # of work, pauses between resumes left out


class Request(Plain):
    """`run/request.json`: what was asked for, written before anything is done."""

    stage: str
    stage_version: int
    inputs: tuple[Origin, ...]
    settings: dict[str, JsonValue]
    command: tuple[str, ...]

    def key(self) -> str:
        """The step's identity for caching: stage, version, settings and what the inputs hold, not where they lie."""
        parts = [self.stage, self.stage_version, self.settings, [[i.role, i.digest] for i in self.inputs]]
        return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True)
class Made:
    """What a stage says about the artifact it has written; the rest of the card is filled in for it."""

    results: tuple[Measure, ...] = ()
    abilities: tuple[Ability, ...] = ()
    dataset: DatasetFacts | None = None
    tokenizer: TokenizerFacts | None = None
    model: ModelFacts | None = None


# --- opening -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Artifact:
    """An opened artifact. `card` is None for a plain Hugging Face folder that we did not make."""

    path: Path
    kind: Kind
    card: Card | None

    @property
    def digest(self) -> str:
        """sha256 over names and contents of the files, never over times or hosts."""
        files = self.card.files if self.card else record_files(self.path)
        return digest_of(files)

    def origin(self, role: str) -> Origin:
        """How this artifact is written down as an input of another."""
        stage, inputs = (self.card.stage, self.card.inputs) if self.card else ("", ())
        return Origin(role=role, path=str(self.path), kind=self.kind, digest=self.digest, stage=stage, inputs=inputs)


def open_artifact(path: Path, kind: Kind | None = None) -> Artifact:
    """Open a directory as an artifact, of this kind if one is named.

    raises  UserError when it is absent, unfinished, damaged, or of another kind
    """
    if not path.exists():
        if partial_of(path).exists():
            raise UserError(
                "{path} is not finished: {partial} holds what there is of it",
                fix="run the same command again to resume it",
                path=path,
                partial=partial_of(path),
            )
        raise UserError(
            "there is no {path}",
            fix="check the path, or make one with `{maker}`",
            path=path,
            maker=MAKERS[kind or "dataset"],
        )
    card = read_card(path)
    found: Kind | None = card.kind if card else "model" if (path / "config.json").is_file() else None
    if found is None:
        raise UserError(
            "{path} is not an artifact: it has neither card.json nor config.json",
            fix="make one with `{maker}`",
            path=path,
            maker=MAKERS[kind or "dataset"],
        )
    if kind and found != kind:
        raise UserError(
            "{path} is a {found}, and a {kind} is needed here",
            fix="`{maker}` makes one",
            path=path,
            found=Term(found),
            kind=Term(kind),
            maker=MAKERS[kind],
        )
    if card:
        check_sizes(path, card)
    return Artifact(path, found, card)


def read_card(path: Path) -> Card | None:
    """The card of a directory, or None when it has none; UserError when it cannot be read."""
    file = path / "card.json"
    if not file.is_file():
        return None
    try:
        return Card.model_validate_json(file.read_text(encoding="utf-8"))
    except (OSError, ValidationError, UnicodeDecodeError) as error:
        raise UserError(
            "{file} cannot be read: {error}",
            fix="it is damaged or of another version; make the artifact again",
            file=file,
            error=str(error).splitlines()[0],
        ) from None


def check_sizes(path: Path, card: Card) -> None:
    """Refuse an artifact whose files are gone or have another size than its card says (`verify` reads them whole)."""
    for name, record in card.files.items():
        file = path / name
        if not file.is_file() or file.stat().st_size != record.size:
            raise UserError(
                "{path} is damaged: {name} is missing or has another size",
                fix="make it again, or restore that file",
                path=path,
                name=name,
            )


def verify(artifact: Artifact) -> list[str]:
    """Names of files whose contents are not what the card says; empty when all is well."""
    if artifact.card is None:
        return []
    return [name for name, record in artifact.card.files.items() if sha256_of(artifact.path / name) != record.sha256]


# --- digests -----------------------------------------------------------------------------------


def sha256_of(file: Path) -> str:
    """sha256 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


NOT_CONTENT = ("card.json", "README.md", "lock")


def record_files(path: Path) -> dict[str, FileRecord]:
    """Every file that is the artifact's content: all but the card, what is generated from it, and `run/`."""
    found = {}
    for file in sorted(path.rglob("*")):
        name = file.relative_to(path).as_posix()
        if file.is_file() and name not in NOT_CONTENT and not name.startswith(("run/", "checkpoints/")):
            found[name] = FileRecord(size=file.stat().st_size, sha256=sha256_of(file))
    return found


def digest_of(files: Mapping[str, FileRecord]) -> str:
    """One digest for a set of files."""
    lines = "".join(f"{name}\0{record.sha256}\n" for name, record in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def source_origin(path: Path, role: str = "source") -> Origin:
    """Raw files as an input: a file's own hash, or one over all files of a folder."""
    if path.is_dir():
        return Origin(role=role, path=str(path), kind="source", digest=digest_of(record_files(path)))
    return Origin(role=role, path=str(path), kind="source", digest=sha256_of(path))


# --- making ------------------------------------------------------------------------------------


def partial_of(out: Path) -> Path:
    """Where an artifact is while it is being made."""
    return out.with_name(out.name + ".partial")


@dataclass
class Making:
    """An artifact in the making: write into `path`, then call `finish`."""

    out: Path
    path: Path
    request: Request
    kind: Kind
    resumed: bool  # there were checkpoints of the same request
    started: float  # time.monotonic()

    @property
    def run(self) -> Path:
        return self.path / "run"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def finish(self, made: Made, seconds: float | None = None) -> Artifact:
        """Write the card, then give the directory its final name."""
        seed = self.request.settings.get("seed")
        card = Card(
            kind=self.kind, stage=self.request.stage, stage_version=self.request.stage_version,
            command=self.request.command, settings=self.request.settings, inputs=self.request.inputs,
            seed=seed if isinstance(seed, int) else None, files=record_files(self.path),
            results=made.results, abilities=made.abilities, dataset=made.dataset, tokenizer=made.tokenizer, model=made.model,
            versions=library_versions(), made_at=datetime.now(UTC).isoformat(timespec="seconds"), host=platform.node(),
            seconds=round(time.monotonic() - self.started if seconds is None else seconds, 3),
        )  # fmt: skip
        write_whole(self.path / "card.json", card.model_dump_json(indent=2).encode() + b"\n")
        self.path.replace(self.out)
        sync_folder(self.out.parent)
        (self.out / "lock").unlink()
        shutil.rmtree(self.out / "checkpoints", ignore_errors=True)
        return Artifact(self.out, self.kind, card)


@contextmanager
def making(
    out: Path, kind: Kind, request: Request, settings: BaseModel | None = None, *, restart: bool = False
) -> Iterator[Making]:
    """Make an artifact at `out`, resuming what an earlier run of the same request left.

    When the block fails, checkpoints stay for a resume; a directory without any holds nothing worth
    keeping and is removed, so that a mistake leaves nothing behind.

    raises  UserError when `out` exists, another process is at work on it, or the request differs from
            the one that left checkpoints
    """
    refuse_existing(out)
    path = partial_of(out)
    with held(path, out):
        if restart:
            clear(path)
        resumed = any((path / "checkpoints").glob("*/manifest.json"))
        if resumed:
            refuse_changes(path, request)
        else:
            clear(path)
        (path / "run").mkdir(exist_ok=True)
        write_whole(path / "run" / "request.json", request.model_dump_json(indent=2).encode() + b"\n")
        if settings is not None:
            write_whole(path / "run" / "settings.toml", to_toml(settings).encode())
        work = Making(out, path, request, kind, resumed, time.monotonic())
        try:
            with full_disk(path):
                yield work
        finally:
            if path.exists() and not any((path / "checkpoints").glob("*/manifest.json")):
                shutil.rmtree(path)


def refuse_existing(out: Path) -> None:
    """UserError when something already lies at `out`."""
    if out.exists():
        raise UserError("{out} already exists", fix="name another output, or remove that one first", out=out)


def refuse_changes(path: Path, request: Request) -> None:
    """UserError with the differences when a resume asks for something else than what was begun."""
    begun = Request.model_validate_json((path / "run" / "request.json").read_text(encoding="utf-8"))
    changes = [str(change) for change in differences(resume_view(begun), resume_view(request))]
    if changes:
        raise UserError(
            "{path} was begun with other settings or inputs: {changes}",
            fix="give the same ones to resume it, or add --restart to delete it and begin anew",
            path=path, changes="; ".join(changes),
        )  # fmt: skip


def resume_view(request: Request) -> dict[str, Any]:
    """What must be the same for a resume."""
    inputs = {f"{origin.role} {number}": origin.digest[:16] for number, origin in enumerate(request.inputs)}
    return {"stage": request.stage, "version": request.stage_version, "inputs": inputs, **request.settings}


def clear(path: Path) -> None:
    """Empty a partial directory, all but its lock."""
    for item in path.iterdir():
        if item.is_dir():
            shutil.rmtree(item)
        elif item.name != "lock":
            item.unlink()


@contextmanager
def held(path: Path, out: Path) -> Iterator[None]:
    """Hold the lock of a partial directory, making it first; a second process is refused with the first one's pid."""
    path.mkdir(parents=True, exist_ok=True)
    lock = path / "lock"
    with lock.open("a+") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            raise UserError(
                "{out} is being made by process {pid}",
                fix="wait for it, stop it with `langwright runs stop {out}`, or name another output",
                out=out,
                pid=stream.read().strip() or "?",
            ) from None
        refuse_existing(out)  # it may have been finished between our first look and the lock
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield


def holder(path: Path) -> int | None:
    """The pid of the process at work on a partial directory, or None when nobody is."""
    lock = path / "lock"
    if not lock.is_file():
        return None
    with lock.open("r") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            text = stream.read().strip()
            return int(text) if text.isdigit() else None
    return None


# --- files that are whole or absent -------------------------------------------------------------


def write_whole(file: Path, data: bytes) -> None:
    """Write a file so that a crash leaves the old one or the new one, never a part."""
    scratch = file.with_name(file.name + ".new")
    with scratch.open("wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())
    scratch.replace(file)


def sync_folder(folder: Path) -> None:
    """Make a rename in this folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def full_disk(path: Path) -> Iterator[None]:
    """Turn 'no space left on device' into a UserError."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise UserError(
            "the disk is full: {path} could not be written",
            fix="free some space and run the same command again; the last whole checkpoint is kept",
            path=error.filename or path,
        ) from error


def library_versions() -> dict[str, str]:
    """Versions of what takes part in a result."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
