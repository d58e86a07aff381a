"""Artifacts: directories that are whole, know their kind, and know how they were made.

`making(OUT)` gives a directory `OUT.partial` that becomes `OUT` only when it is finished:

    OUT.partial/lock               held while a process works on it (flock), with its pid
    OUT.partial/checkpoints/       what a resume needs; gone once OUT is whole
    OUT.partial/run/request.json   stage, inputs, settings, command
    OUT.partial/run/settings.toml  the settings in full
    OUT.partial/run/events.jsonl   what happened
    OUT/card.json                  written last: kind, settings, inputs with digests, files, results

A model is also a plain Hugging Face directory; a folder with a `config.json` and no card is opened as a model.
"""

from __future__ import annotations

import hashlib
import json
import platform
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from langwright.errors import UserError
from langwright.files import empty, full_disk, held, sha256_of, sync_folder, write_whole
from langwright.jobrecord import JOB, OUTPUT, PROCESS
from langwright.measures import Calibration, Measure
from langwright.settings import differences, to_toml
from langwright.wording import Term

FORMAT = 1
REQUEST = "run/request.json"
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
    calibration: Calibration | None = None
    scripts: tuple[str, ...] = ()  # of the texts it was taught by, as Unicode calls them; not known where left out


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
            fix="make one with `{maker}`", path=path, maker=MAKERS[kind or "dataset"],
        )  # fmt: skip
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
            "{file} cannot be read: {error}", fix="it is damaged or of another version; make the artifact again",
            file=file, error=str(error).splitlines()[0],
        ) from None  # fmt: skip


def check_sizes(path: Path, card: Card) -> None:
    """Refuse an artifact whose files are gone or have another size than its card says (`verify` reads them whole)."""
    for name, record in card.files.items():
        file = path / name
        if not file.is_file() or file.stat().st_size != record.size:
            raise UserError(
                "{path} is damaged: {name} is missing or has another size",
                fix="make it again, or restore that file", path=path, name=name,
            )  # fmt: skip


def verify(artifact: Artifact) -> list[str]:
    """Names of files whose contents are not what the card says; empty when all is well."""
    if artifact.card is None:
        return []
    files = {name: artifact.path / name for name in artifact.card.files}
    return [n for n, file in files.items() if not file.is_file() or sha256_of(file) != artifact.card.files[n].sha256]


# --- digests -----------------------------------------------------------------------------------


NOT_CONTENT = ("card.json", "card.json.new", "README.md", "lock")  # .new: a card that was half written


def record_files(path: Path) -> dict[str, FileRecord]:
    """Every file that is the artifact's content: all but the card, what is generated from it, and `run/`."""
    return {
        name: record_of(file)
        for name, file in files_below(path)
        if name not in NOT_CONTENT and not name.startswith(("run/", "checkpoints/"))
    }


def files_below(path: Path) -> Iterator[tuple[str, Path]]:
    """(name from here, file) of everything in a folder, in order of name."""
    found = ((file.relative_to(path).as_posix(), file) for file in path.rglob("*") if file.is_file())
    return iter(sorted(found))


def record_of(file: Path) -> FileRecord:
    """A file's size and hash."""
    return FileRecord(size=file.stat().st_size, sha256=sha256_of(file))


def digest_of(files: Mapping[str, FileRecord]) -> str:
    """One digest for a set of files."""
    lines = "".join(f"{name}\0{record.sha256}\n" for name, record in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def source_origin(path: Path, role: str = "source") -> Origin:
    """Raw files as an input: a file's own hash, or one over all files of a folder, whatever they are called.

    What is hidden, and what Python compiles as it reads its own sources, is passed over, as it is in reading.
    """
    if path.is_dir():
        passed_over = re.compile(r"(^|/)(\.|__pycache__/)")
        files = {name: record_of(file) for name, file in files_below(path) if not passed_over.search(name)}
        return Origin(role=role, path=str(path), kind="source", digest=digest_of(files))
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
    changes: tuple[str, ...] = ()  # settings that are others than when it was begun, as the person accepted

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
    out: Path, kind: Kind, request: Request, settings: BaseModel | None = None,
    *, restart: bool = False, accept: bool = False, changeable: Sequence[str] = (),
) -> Iterator[Making]:  # fmt: skip
    """Make an artifact at `out`, resuming what an earlier run of the same request left.

    When the block fails, checkpoints stay for a resume; a directory without any holds nothing worth
    keeping and is removed, so that a mistake leaves nothing behind. That of a job stays, to say why.

    accept      go on with other settings than it was begun with
    changeable  those with which it can
    raises  UserError when `out` exists, another process is at work on it, or the request differs from
            the one that left checkpoints
    """
    refuse_existing(out)
    path = partial_of(out)
    with full_disk(path), held(path, out):
        try:
            refuse_existing(out)  # it may have been finished between our first look and the lock
            resumed = has_checkpoints(path) and not restart
            changes: tuple[str, ...] = ()
            if resumed:
                changes = accepted_changes(path, request, accept, changeable)
            else:
                empty(path, keep=("lock", JOB, PROCESS, OUTPUT, REQUEST))  # who looks meanwhile sees a run
            (path / "run").mkdir(exist_ok=True)
            write_whole(path / REQUEST, request.model_dump_json(indent=2).encode() + b"\n")
            if settings is not None:
                write_whole(path / "run" / "settings.toml", to_toml(settings).encode())
            yield Making(out, path, request, kind, resumed, time.monotonic(), changes)
        finally:
            if path.exists() and not has_checkpoints(path) and not (path / JOB).exists():
                shutil.rmtree(path)


def has_checkpoints(path: Path) -> bool:
    """Whether a partial directory holds something that a resume can begin with."""
    return any((path / "checkpoints").glob("**/manifest.json"))


def refuse_existing(out: Path) -> None:
    """UserError when something already lies at `out`."""
    if out.exists():
        raise UserError("{out} already exists", fix="name another output, or remove that one first", out=out)


def accepted_changes(path: Path, request: Request, accept: bool, changeable: Sequence[str]) -> tuple[str, ...]:
    """What a resume asks for that is not what was begun; UserError with the differences unless all of them are accepted."""
    file = path / REQUEST
    try:
        begun = Request.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise UserError(
            "{file} cannot be read: {error}", fix="add --restart to begin anew",
            file=file, error=str(error).splitlines()[0],
        ) from None  # fmt: skip
    changes = differences(resume_view(begun), resume_view(request))
    fixed = [change for change in changes if change.key.split(".")[0] not in changeable]
    if fixed and accept:
        raise UserError(
            "{path} cannot go on with what is other than when it was begun: {changes}",
            fix="give the same ones to resume it; what may change is {changeable}. Or add --restart to delete it and begin anew",
            path=path, changes="; ".join(map(str, fixed)), changeable=", ".join(changeable) or "-",
        )  # fmt: skip
    if changes and not accept:
        raise UserError(
            "{path} was begun with other settings or inputs: {changes}",
            fix="give the same ones to resume it, or add --restart to delete it and begin anew"
            if fixed
            else "give the same ones to resume it, add --accept-changes to go on with these, or --restart to delete it and begin anew",
            path=path, changes="; ".join(map(str, changes)),
        )  # fmt: skip
    return tuple(map(str, changes))


def resume_view(request: Request) -> dict[str, Any]:
    """What must be the same for a resume."""
    inputs = {f"{origin.role} {number}": origin.digest[:16] for number, origin in enumerate(request.inputs)}
    return {"stage": request.stage, "version": request.stage_version, "inputs": inputs, **request.settings}


def library_versions() -> dict[str, str]:
    """Versions of what takes part in a result."""
    found = {"python": platform.python_version()}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
