"""Files are whole or absent, a folder has one process at a time, and a full disk is said as such."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from langwright import files
from langwright.errors import UserError
from langwright.files import full_disk, held, holder, sha256_of, sync_folder, write_whole


@contextmanager
def process(code: str) -> Iterator[subprocess.Popen[str]]:
    """A Python process that has printed its first line."""
    child = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert child.stdin is not None and child.stdout is not None
    try:
        child.stdout.readline()
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdin.close()
        child.stdout.close()


HOLD = """
import sys
from pathlib import Path
from langwright.files import held
with held(Path({path!r}), Path({out!r})):
    print("held", flush=True)
    sys.stdin.readline()
"""


# --- whole files -----------------------------------------------------------------------------------


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    write_whole(file, b"one")
    write_whole(file, "二".encode())
    assert file.read_bytes() == "二".encode()
    assert [item.name for item in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("at", ["fsync", "replace"])
def test_a_crash_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    file = tmp_path / "a.json"
    write_whole(file, b"old")

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", crash) if at == "fsync" else monkeypatch.setattr(Path, "replace", crash)
    with pytest.raises(KeyboardInterrupt):
        write_whole(file, b"new")
    assert file.read_bytes() == b"old"


def test_a_file_is_on_the_disk_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.json"
    seen: list[tuple[int, bool]] = []
    monkeypatch.setattr(os, "fsync", lambda handle: seen.append((os.fstat(handle).st_size, file.exists())))
    write_whole(file, b"12345")
    assert seen == [(5, False)]
    monkeypatch.undo()
    sync_folder(tmp_path)  # a folder can be synced, and leaves no open handle
    assert not [link for link in Path("/proc/self/fd").iterdir() if link.exists() and link.resolve() == tmp_path]


def test_a_hash_is_of_all_bytes(tmp_path: Path) -> None:
    data = os.urandom(300_000)
    (tmp_path / "a").write_bytes(data)
    assert sha256_of(tmp_path / "a") == hashlib.sha256(data).hexdigest()


# --- a full disk -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "runs/a.partial/big"), "runs/a.partial/big"),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), "runs/a.partial"),
        (OSError("1000000 requested and 131072 written"), "runs/a.partial"),  # numpy
        (Exception("No space left on device (os error 28)"), "runs/a.partial"),  # tokenizers
        (Exception("Error while serializing: I/O error: No space left on device (os error 28)"), "runs/a.partial"),
    ],
)
def test_a_full_disk_is_said_as_such(error: Exception, named: str) -> None:
    with pytest.raises(UserError) as caught, full_disk(Path("runs/a.partial")):
        raise error
    assert caught.value.problem() == f"the disk is full: {named} could not be written"
    assert caught.value.problem("zh") == f"磁盘已满：无法写入 {named}"
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EACCES, "Permission denied"),
        OSError("something"),
        ValueError("28"),
        UserError("{out} already exists", fix="another", out="a"),
        KeyboardInterrupt(),
    ],
)
def test_other_errors_pass(error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, full_disk(Path("a")):
        raise error
    assert caught.value is error


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_the_libraries_that_write_artifacts_are_understood(tmp_path: Path) -> None:
    """What each really raises; a new version with other words is noticed here."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq
    from tokenizers import Tokenizer, models

    file = tmp_path / "full"
    file.symlink_to("/dev/full")

    def text() -> None:
        file.write_text("a")

    def array() -> None:
        with file.open("wb") as stream:
            np.zeros(1_000_000).tofile(stream)

    def parquet() -> None:
        with pa.OSFile(str(file), "wb") as sink:
            pq.write_table(pa.table({"a": [os.urandom(100_000)]}), sink)

    def vocabulary() -> None:
        Tokenizer(models.BPE(vocab={f"{number:050d}": number for number in range(1000)}, merges=[])).save(str(file))

    for write in (text, array, parquet, vocabulary):
        with pytest.raises(UserError, match="the disk is full"), full_disk(tmp_path):
            write()


# --- one process at a time -------------------------------------------------------------------------


def test_a_second_process_is_refused_with_the_first_ones_pid(tmp_path: Path) -> None:
    path, out = tmp_path / "a.partial", tmp_path / "a"
    with process(HOLD.format(path=str(path), out=str(out))) as first:
        assert holder(path) == first.pid
        with pytest.raises(UserError) as caught, held(path, out):
            pytest.fail("two processes hold the same folder")
        assert caught.value.problem() == f"{out} is being made by process {first.pid}"
        assert caught.value.problem("zh") == f"进程 {first.pid} 正在制作 {out}"
        assert f"langwright runs stop {out}" in caught.value.fix()
        first.kill()  # SIGKILL: nothing is tidied up
        first.wait()
        assert holder(path) is None
        with held(path, out):
            assert holder(path) == os.getpid()
            assert (path / "lock").read_text() == str(os.getpid())
    assert holder(path) is None


def test_a_folder_nobody_made_has_no_holder(tmp_path: Path) -> None:
    assert holder(tmp_path / "gone") is None
    assert holder(tmp_path) is None


def test_someone_who_looks_does_not_stop_someone_who_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`runs list` has the lock for a moment while it looks."""
    path = tmp_path / "a.partial"
    path.mkdir()
    (path / "lock").write_text("1")
    looker = (path / "lock").open()
    fcntl.flock(looker, fcntl.LOCK_SH)
    monkeypatch.setattr(files.time, "sleep", lambda _: looker.close())
    with held(path, tmp_path / "a"):
        assert holder(path) == os.getpid()


def test_a_folder_removed_under_the_lock_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that fails removes its folder; one that opened the lock file just before must not work in nothing."""
    path = tmp_path / "a.partial"
    flock = fcntl.flock
    calls: list[int] = []

    def slow(stream: object, how: int) -> None:
        if not calls:
            (path / "lock").unlink()
            path.rmdir()
        calls.append(how)
        flock(stream, how)  # type: ignore[arg-type]

    monkeypatch.setattr(files.fcntl, "flock", slow)
    with held(path, tmp_path / "a"):
        assert (path / "lock").read_text() == str(os.getpid())
    assert len(calls) == 2


@pytest.mark.parametrize("at", ["a file", "a folder of someone else's"])
def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str) -> None:
    (tmp_path / "file").write_text("")
    path, out = tmp_path / "file" / "a.partial", tmp_path / "file" / "a"
    if at != "a file":

        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))

        monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(UserError) as caught, held(path, out):
        pytest.fail("held")
    assert caught.value.problem().startswith(f"{out} cannot be made: ")
    assert caught.value.problem("zh").startswith(f"无法创建 {out}：")
