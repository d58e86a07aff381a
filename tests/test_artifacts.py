"""Artifacts are whole or absent, know what they are and what they were made from, and are made again only as before."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langwright import artifacts, files
from langwright.artifacts import (
    MAKERS,
    Ability,
    Artifact,
    Card,
    DatasetFacts,
    FileRecord,
    Kind,
    Made,
    Making,
    ModelFacts,
    Origin,
    Request,
    TokenizerFacts,
    digest_of,
    making,
    open_artifact,
    partial_of,
    read_card,
    record_files,
    source_origin,
    verify,
)
from langwright.errors import UserError
from langwright.files import sha256_of
from langwright.measures import Measure
from langwright.settings import Settings


class Numbers(Settings):
    """Settings of no stage in particular."""

    seed: int = 42
    rate: float = 0.5


def asked(settings: Mapping[str, Any] | None = None, **changes: Any) -> Request:
    known: dict[str, Any] = {
        "stage": "drill", "stage_version": 1, "inputs": (), "settings": Numbers().model_dump() | dict(settings or {}),
        "command": ("langwright", "drill"),
    }  # fmt: skip
    return Request(**{**known, **changes})


def make(
    out: Path,
    contents: Mapping[str, bytes] | None = None,
    *,
    kind: Kind = "dataset",
    request: Request | None = None,
    made: Made | None = None,
    seconds: float | None = None,
) -> Artifact:
    with making(out, kind, request or asked()) as work:
        for name, data in (contents if contents is not None else {"data/a.txt": b"some text"}).items():
            (work.path / name).parent.mkdir(parents=True, exist_ok=True)
            (work.path / name).write_bytes(data)
        return work.finish(made or Made(), seconds)


def checkpoint(work: Making, name: str = "000001", data: bytes = b"weights") -> None:
    folder = work.checkpoints / name
    folder.mkdir(parents=True)
    (folder / "weights").write_bytes(data)
    (folder / "manifest.json").write_text("{}")


class Broken(Exception):
    """What a stage breaks down with in these tests."""


def interrupted(out: Path, request: Request | None = None, *, checkpoints: int = 1) -> Path:
    """A run that broke down after some checkpoints; gives where it lies."""
    with suppress(Broken), making(out, "model", request or asked()) as work:
        (work.path / "half.bin").write_bytes(b"half")
        for number in range(checkpoints):
            checkpoint(work, f"{number:06d}")
        raise Broken
    return partial_of(out)


def refused(act: Callable[[], object]) -> UserError:
    with pytest.raises(UserError) as caught:
        act()
    return caught.value


# --- made whole ----------------------------------------------------------------------------------


def test_an_artifact_is_what_was_written_and_a_card(tmp_path: Path) -> None:
    made = Made(
        results=(Measure(name="accuracy", value=0.5),),
        abilities=(Ability(task="classification", solver="head", labels=("a", "b")),),
        dataset=DatasetFacts(schema_name="text", splits={"train": 3}, bytes=20),
        tokenizer=TokenizerFacts(algorithm="bpe", vocab_size=300),
        model=ModelFacts(architecture="LlamaForCausalLM", parameters=7, context=8, vocab_size=300),
    )
    out = tmp_path / "runs" / "a"  # its folder is made too
    artifact = make(out, {"b.bin": b"\0\1", "data/一.txt": "文".encode()}, made=made, seconds=1.23456)
    card = artifact.card
    assert card is not None
    assert card.files == {
        "b.bin": FileRecord(size=2, sha256="b413f47d13ee2fe6c845b2ee141af81de858df4ec549a58b7970bb96645bc8d2"),
        "data/一.txt": FileRecord(size=3, sha256=sha256_of(out / "data/一.txt")),
    }
    assert (card.kind, card.stage, card.stage_version, card.command) == ("dataset", "drill", 1, ("langwright", "drill"))
    assert (card.results, card.abilities) == (made.results, made.abilities)
    assert (card.dataset, card.tokenizer, card.model) == (made.dataset, made.tokenizer, made.model)
    assert (card.settings, card.seconds) == ({"seed": 42, "rate": 0.5}, 1.235)
    assert card.made_at.endswith("+00:00") and card.host
    assert {"python", "langwright", "torch", "numpy"} <= set(card.versions)
    assert open_artifact(out) == open_artifact(out, "dataset") == artifact
    assert verify(artifact) == []
    assert sorted(item.name for item in out.iterdir()) == ["b.bin", "card.json", "data", "run"]
    assert [item.name for item in out.parent.iterdir()] == ["a"]


@pytest.mark.spec("TR17", "the seed of a run stands in the card of what it made")
@pytest.mark.parametrize(("settings", "seed"), [({"seed": 7}, 7), ({"seed": None}, None), ({"seed": "x"}, None)])
def test_the_card_has_the_seed(tmp_path: Path, settings: dict[str, Any], seed: int | None) -> None:
    card = make(tmp_path / "a", request=asked(settings)).card
    assert card is not None and card.seed == seed


def test_settings_and_request_lie_in_run(tmp_path: Path) -> None:
    request = asked()
    with making(tmp_path / "a", "dataset", request, Numbers()) as work:
        assert (work.run / "settings.toml").read_text() == "seed = 42\nrate = 0.5\n"
        assert Request.model_validate_json((work.run / "request.json").read_text()) == request
        assert not work.resumed
        work.finish(Made())
    assert (tmp_path / "a/run/settings.toml").is_file()


def test_the_card_is_written_last_and_then_the_folder_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "a"
    seen: list[str] = []
    replace = Path.replace

    def watched(self: Path, target: Path) -> Path:
        state = sorted(item.name for item in partial_of(out).iterdir()) if partial_of(out).exists() else []
        seen.append(f"{self.name} -> {Path(target).name}, with {' '.join(state)}, out {out.exists()}")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", watched)
    with making(out, "dataset", asked()) as work:
        (work.path / "z.txt").write_text("z")
        checkpoint(work)
        work.finish(Made())
    assert seen == [
        "request.json.new -> request.json, with lock run, out False",
        "card.json.new -> card.json, with card.json.new checkpoints lock run z.txt, out False",
        "a.partial -> a, with card.json checkpoints lock run z.txt, out False",
    ]
    assert sorted(item.name for item in out.iterdir()) == ["card.json", "run", "z.txt"]


def test_a_crash_after_the_name_was_given_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lock and checkpoints may stay behind; they are no part of the artifact."""
    whole = make(tmp_path / "whole", {"a": b"a"})

    def crash(folder: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(artifacts, "sync_folder", crash)
    with pytest.raises(KeyboardInterrupt), making(tmp_path / "a", "dataset", asked()) as work:
        (work.path / "a").write_bytes(b"a")
        checkpoint(work)
        work.finish(Made())
    opened = open_artifact(tmp_path / "a", "dataset")
    assert verify(opened) == [] and opened.digest == whole.digest
    assert not partial_of(tmp_path / "a").exists()


# --- nothing left behind ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "error", [Broken("no"), KeyboardInterrupt(), UserError("{out} already exists", fix="x", out=1)]
)
def test_what_breaks_down_without_checkpoints_leaves_nothing(tmp_path: Path, error: BaseException) -> None:
    with pytest.raises(type(error)) as caught, making(tmp_path / "a", "dataset", asked()) as work:
        (work.path / "data").mkdir()
        (work.path / "data/half.txt").write_text("half")
        raise error
    assert caught.value is error
    assert list(tmp_path.iterdir()) == []


def test_what_is_never_finished_leaves_nothing(tmp_path: Path) -> None:
    with making(tmp_path / "a", "dataset", asked()) as work:
        (work.path / "half.txt").write_text("half")
    assert list(tmp_path.iterdir()) == []


def test_an_existing_output_is_refused_untouched(tmp_path: Path) -> None:
    make(tmp_path / "a", {"x": b"x"})
    (tmp_path / "file").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    for name in ("a", "file"):
        with pytest.raises(UserError) as caught, making(tmp_path / name, "dataset", asked(), restart=True):
            pytest.fail("made over something")
        assert caught.value.problem() == f"{tmp_path / name} already exists"
        assert caught.value.fix("zh") == "请换一个输出名，或先移走原有的"
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "file").read_text() == "mine"


def test_an_output_that_came_while_waiting_for_the_lock_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process finished between the first look and the lock; its artifact stays, our folder does not."""
    out = tmp_path / "a"
    flock = files.fcntl.flock

    def finish_first(stream: Any, how: int) -> None:
        monkeypatch.undo()
        out.mkdir()
        (out / "theirs").write_text("whole")
        flock(stream, how)

    monkeypatch.setattr(files.fcntl, "flock", finish_first)
    with pytest.raises(UserError, match="already exists"), making(out, "dataset", asked()):
        pytest.fail("made over another's")
    assert [item.name for item in tmp_path.iterdir()] == ["a"]
    assert (out / "theirs").read_text() == "whole"


# --- resumed ---------------------------------------------------------------------------------------


@pytest.mark.spec("TR16", "what a run saved before it broke down is there when it is begun again")
def test_checkpoints_stay_for_a_resume(tmp_path: Path) -> None:
    out = tmp_path / "a"
    path = interrupted(out, checkpoints=2)
    assert not out.exists() and (path / "half.bin").read_bytes() == b"half"
    with making(out, "model", asked(command=("langwright", "drill", "again"))) as work:
        assert work.resumed and work.path == path
        assert [folder.name for folder in sorted(work.checkpoints.iterdir())] == ["000000", "000001"]
        (work.path / "half.bin").write_bytes(b"whole")
        artifact = work.finish(Made())
    assert artifact.card is not None and list(artifact.card.files) == ["half.bin"]
    assert artifact.card.command == ("langwright", "drill", "again")
    assert not (out / "checkpoints").exists() and not (out / "lock").exists()
    assert open_artifact(out, "model").digest == make(tmp_path / "b", {"half.bin": b"whole"}, kind="model").digest


def test_a_half_written_checkpoint_is_nothing_to_resume(tmp_path: Path) -> None:
    """Its manifest is written last."""
    path = partial_of(tmp_path / "a")
    (path / "checkpoints/000001").mkdir(parents=True)
    (path / "checkpoints/000001/weights").write_bytes(b"half")
    (path / "old.bin").write_bytes(b"old")
    with making(tmp_path / "a", "model", asked()) as work:
        assert not work.resumed
        assert sorted(item.name for item in path.iterdir()) == ["lock", "run"]
        work.finish(Made())


@pytest.mark.spec("TR16", "a resume with other settings or inputs is refused with the differences, and nothing is lost")
@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"settings": {"seed": 7, "rate": 0.5}}, ["seed: 42 -> 7"]),
        ({"settings": {"seed": 7, "rate": 0.25}}, ["seed: 42 -> 7", "rate: 0.5 -> 0.25"]),
        ({"settings": {"seed": 42}}, ["rate: 0.5 -> None"]),
        ({"stage": "pretrain"}, ["stage: 'drill' -> 'pretrain'"]),
        ({"stage_version": 2}, ["version: 1 -> 2"]),
        ({"inputs": (Origin(role="dataset", path="d", kind="dataset", digest="f" * 64),)}, ["inputs.dataset 0: 'aaaaaaaaaaaaaaaa' -> 'ffffffffffffffff'"]),
    ],
)  # fmt: skip
def test_a_resume_with_something_else_is_refused(tmp_path: Path, changes: dict[str, Any], shown: list[str]) -> None:
    begun = asked(inputs=(Origin(role="dataset", path="d", kind="dataset", digest="a" * 64),))
    path = interrupted(tmp_path / "a", begun)
    before = {file: file.read_bytes() for file in path.rglob("*") if file.is_file() and file.name != "lock"}
    with pytest.raises(UserError) as caught, making(tmp_path / "a", "model", begun.model_copy(update=changes)):
        pytest.fail("resumed something else")
    assert caught.value.problem() == f"{path} was begun with other settings or inputs: {'; '.join(shown)}"
    assert caught.value.problem("zh") == f"{path} 开始时用的是别的设置或输入：{'; '.join(shown)}"
    assert "--restart" in caught.value.fix()
    assert before == {file: file.read_bytes() for file in path.rglob("*") if file.is_file() and file.name != "lock"}


@pytest.mark.spec("TR16", "a resume goes on with other settings where it is told to, and with no others than it can")
def test_a_resume_with_changes_that_were_accepted(tmp_path: Path) -> None:
    interrupted(tmp_path / "a", asked())
    others = asked({"seed": 42, "rate": 0.25})
    with pytest.raises(UserError) as caught, making(tmp_path / "a", "model", others, changeable=("rate",)):
        pytest.fail("resumed something else")
    assert "--accept-changes" in caught.value.fix("en")
    with making(tmp_path / "a", "model", others, accept=True, changeable=("rate",)) as work:
        assert work.resumed and work.changes == ("rate: 0.5 -> 0.25",)
        written = json.loads((work.run / "request.json").read_text())
    assert written["settings"]["rate"] == 0.25
    with making(tmp_path / "a", "model", others) as work:  # from here on these are its settings
        assert work.resumed and not work.changes
    seed = asked({"seed": 7, "rate": 0.25})
    for changeable in ((), ("rate",)):
        with pytest.raises(UserError, match="seed: 42 -> 7") as caught, making(tmp_path / "a", "model", seed, accept=True, changeable=changeable):  # fmt: skip
            pytest.fail("resumed something else")
        assert "rate: " not in caught.value.problem("en")


def test_where_inputs_lie_and_how_they_are_named_may_change(tmp_path: Path) -> None:
    source = Origin(role="source", path="a.txt", kind="source", digest="b" * 64)
    begun = Origin(role="dataset", path="d", kind="dataset", digest="a" * 64, stage="data-read", inputs=(source,))
    interrupted(tmp_path / "a", asked(inputs=(begun,)))
    moved = begun.model_copy(update={"path": "elsewhere/d"})
    with making(tmp_path / "a", "model", asked(inputs=(moved,), command=("python",))) as work:
        assert work.resumed
        work.finish(Made())


@pytest.mark.spec("TR16", "--restart deletes what an unfinished run left and begins anew")
def test_restart_begins_anew(tmp_path: Path) -> None:
    path = interrupted(tmp_path / "a")
    (tmp_path / "outside").mkdir()
    (path / "link").symlink_to(tmp_path / "outside")  # is removed, not followed
    with making(tmp_path / "a", "model", asked({"seed": 7}), restart=True) as work:
        assert not work.resumed
        assert sorted(item.name for item in path.iterdir()) == ["lock", "run"]
        artifact = work.finish(Made())
    assert artifact.card is not None and artifact.card.seed == 7
    assert (tmp_path / "outside").is_dir()


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_text('{"stage": "drill"')])
def test_a_run_that_does_not_say_what_it_was_is_refused(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    path = interrupted(tmp_path / "a")
    damage(path / "run/request.json")
    with pytest.raises(UserError) as caught, making(tmp_path / "a", "model", asked()):
        pytest.fail("resumed")
    assert caught.value.problem().startswith(f"{path / 'run/request.json'} cannot be read: ")
    assert "--restart" in caught.value.fix()
    assert (path / "checkpoints/000000/weights").is_file()


def test_a_card_that_was_half_written_is_no_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while the card was written, then resumed: what the first try left does not get into the second card."""
    out = tmp_path / "a"

    def crash(handle: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), making(out, "model", asked()) as work:
        checkpoint(work)
        (work.path / "a").write_bytes(b"a")
        monkeypatch.setattr(os, "fsync", crash)
        work.finish(Made())
    monkeypatch.undo()
    assert (partial_of(out) / "card.json.new").is_file()
    with making(out, "model", asked()) as work:
        work.finish(Made())
    artifact = open_artifact(out, "model")
    assert artifact.card is not None and list(artifact.card.files) == ["a"]


# --- killed, crowded, full -------------------------------------------------------------------------

WORK = """
import sys
from pathlib import Path
from langwright.artifacts import Made, Request, making
request = Request(stage="drill", stage_version=1, inputs=(), settings={"seed": 42, "rate": 0.5}, command=())
with making(Path(sys.argv[1]), "model", request) as work:
    (work.path / "half.bin").write_bytes(b"half")
    if sys.argv[2] == "saved":
        (work.checkpoints / "000001").mkdir(parents=True)
        (work.checkpoints / "000001" / "manifest.json").write_text("{}")
    print("working", flush=True)
    sys.stdin.readline()
    work.finish(Made())
"""


def begin(out: Path, *, saved: bool) -> subprocess.Popen[bytes]:
    """A process in the middle of making `out`."""
    child = subprocess.Popen(
        [sys.executable, "-c", WORK, str(out), "saved" if saved else "unsaved"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"working\n"
    return child


def end(child: subprocess.Popen[bytes]) -> None:
    child.kill()
    child.communicate()


@pytest.mark.spec("TR16", "a run killed in the middle leaves no output, and goes on from its checkpoint")
@pytest.mark.parametrize("saved", [True, False])
def test_killed_in_the_middle_there_is_no_output(tmp_path: Path, saved: bool) -> None:
    out = tmp_path / "a"
    child = begin(out, saved=saved)
    child.send_signal(signal.SIGKILL)
    child.communicate()
    assert not out.exists() and (partial_of(out) / "half.bin").is_file()
    assert refused(lambda: open_artifact(out)).code == "is-not-finished-holds-what-there-is-of"
    with making(out, "model", asked()) as work:
        assert work.resumed is saved
        assert (work.path / "half.bin").is_file() is saved  # what nothing can resume is cleared away
        work.finish(Made())
    assert open_artifact(out, "model").kind == "model"


def test_a_second_process_is_refused_and_the_first_one_finishes(tmp_path: Path) -> None:
    out = tmp_path / "a"
    child = begin(out, saved=False)
    try:
        for restart in (False, True):
            with pytest.raises(UserError) as caught, making(out, "model", asked(), restart=restart):
                pytest.fail("two processes make the same artifact")
            assert caught.value.problem() == f"{out} is being made by process {child.pid}"
        assert (partial_of(out) / "half.bin").read_bytes() == b"half"
        child.communicate(b"\n", timeout=60)
        assert child.returncode == 0
        assert verify(open_artifact(out, "model")) == []
    finally:
        end(child)


@pytest.mark.parametrize("saved", [True, False])
def test_a_full_disk_is_said_and_checkpoints_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saved: bool) -> None:
    out = tmp_path / "a"

    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    with pytest.raises(UserError) as caught, making(out, "model", asked()) as work:
        if saved:
            checkpoint(work)
        monkeypatch.setattr(Path, "write_bytes", full)
        (work.path / "big.bin").write_bytes(b"data")
    assert caught.value.problem() == f"the disk is full: {partial_of(out) / 'big.bin'} could not be written"
    assert not out.exists() and partial_of(out).exists() is saved


@pytest.mark.parametrize("write", [1, 2, 3])  # request.json, settings.toml, card.json
def test_a_disk_full_before_or_after_the_work_is_said_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: int
) -> None:
    count = 0
    fsync = os.fsync

    def full(handle: int) -> None:
        nonlocal count
        count += 1
        if count == write:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError) as caught, making(tmp_path / "a", "model", asked(), Numbers()) as work:
        work.finish(Made())
    assert caught.value.code == "the-disk-is-full-could-not-be-written"
    assert list(tmp_path.iterdir()) == []


# --- digests ---------------------------------------------------------------------------------------


@pytest.mark.spec(
    "TR17", "the digest of an artifact is of its files, not of when, where and by which command it was made"
)
def test_a_digest_is_of_the_files_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = {"model.safetensors": b"weights", "config.json": b"{}", "heads/topic/head.safetensors": b"head"}
    one = make(tmp_path / "one", contents, kind="model", seconds=1)
    monkeypatch.setattr(artifacts.platform, "node", lambda: "another-host")
    monkeypatch.setattr(artifacts, "library_versions", lambda: {"torch": "0.0"})
    other = asked({"seed": 7}, command=("python",), stage="other")
    two = make(tmp_path / "deep" / "two", contents, kind="model", request=other, made=Made(results=(Measure(name="a", value=1.0),)))  # fmt: skip
    os.utime(two.path / "config.json", (1, 1))
    (two.path / "README.md").write_text("written from the card")
    (two.path / "run/events.jsonl").write_text("{}")
    assert one.card is not None and two.card is not None
    assert one.card.host != two.card.host and one.card.seconds != two.card.seconds
    assert one.digest == two.digest == open_artifact(two.path).digest == digest_of(record_files(two.path))


@pytest.mark.parametrize("change", ["content", "name", "more", "less"])
def test_a_digest_changes_with_the_files(tmp_path: Path, change: str) -> None:
    contents = {"a": b"1", "b": b"2"}
    changed = {
        "content": {"a": b"1", "b": b"3"}, "name": {"a": b"1", "c": b"2"}, "more": {**contents, "run.txt": b""}, "less": {"a": b"1"},
    }[change]  # fmt: skip
    assert make(tmp_path / "one", contents).digest != make(tmp_path / "two", changed).digest


records = st.dictionaries(st.text(min_size=1), st.builds(FileRecord, size=st.integers(0), sha256=st.text("0123456789abcdef", min_size=64, max_size=64)), max_size=4)  # fmt: skip


@given(records, records)
def test_digests_are_equal_for_equal_files_in_any_order(one: dict[str, FileRecord], two: dict[str, FileRecord]) -> None:
    assert digest_of(one) == digest_of(dict(reversed(one.items())))
    hashes = [{name: record.sha256 for name, record in found.items()} for found in (one, two)]
    assert (digest_of(one) == digest_of(two)) == (hashes[0] == hashes[1])


@pytest.mark.spec("TR17", "what a step is known by depends on stage, settings and what its inputs hold")
def test_a_request_is_known_by_what_goes_into_it() -> None:
    origin = Origin(role="dataset", path="d", kind="dataset", digest="a" * 64)
    request = asked(inputs=(origin,))
    alike = [
        asked(inputs=(origin.model_copy(update={"path": "elsewhere"}),)),
        asked(inputs=(origin,), command=("python",)),
        asked({"rate": 0.5, "seed": 42}, inputs=(origin,)),
    ]
    other = [
        asked({"seed": 7}, inputs=(origin,)),
        asked(inputs=(origin,), stage="pretrain"),
        asked(inputs=(origin,), stage_version=2),
        asked(inputs=()),
        asked(inputs=(origin, origin)),
        asked(inputs=(origin.model_copy(update={"digest": "b" * 64}),)),
        asked(inputs=(origin.model_copy(update={"role": "model"}),)),
    ]
    assert {made.key() for made in alike} == {request.key()}
    assert len({made.key() for made in [request, *other]}) == 1 + len(other)


# --- origins ---------------------------------------------------------------------------------------


def test_an_origin_carries_all_it_came_from(tmp_path: Path) -> None:
    (tmp_path / "raw.txt").write_text("text")
    read = make(tmp_path / "read", request=asked(inputs=(source_origin(tmp_path / "raw.txt"),), stage="data-read"))
    clean = make(tmp_path / "clean", request=asked(inputs=(read.origin("dataset"),), stage="data-clean"))
    origin = open_artifact(clean.path).origin("text")
    assert (origin.role, origin.kind, origin.stage, origin.digest) == ("text", "dataset", "data-clean", clean.digest)
    (middle,) = origin.inputs
    assert (middle.role, middle.path, middle.stage, middle.digest) == (
        "dataset",
        str(read.path),
        "data-read",
        read.digest,
    )
    (first,) = middle.inputs
    assert (first.role, first.kind, first.digest) == ("source", "source", sha256_of(tmp_path / "raw.txt"))
    model = make(tmp_path / "model", kind="model", request=asked(inputs=(origin,)))
    assert read_card(model.path) == model.card  # the whole chain is in the card
    assert model.card is not None and model.card.inputs[0].inputs[0].inputs[0] == first


def test_a_folder_of_sources_is_all_its_files_but_the_hidden(tmp_path: Path) -> None:
    """None is left out for its name: a README may be what is learned from."""
    folder = tmp_path / "raw"
    (folder / "run").mkdir(parents=True)
    (folder / "a.txt").write_text("a")
    digests = [source_origin(folder).digest]
    for name in ("README.md", "card.json", "run/b.txt", "lock"):
        (folder / name).write_text("new")
        digests.append(source_origin(folder).digest)
    assert len(set(digests)) == 5
    (folder / ".git").mkdir()
    (folder / ".git/HEAD").write_text("ref")
    assert source_origin(folder).digest == digests[-1]
    (folder / "run").rename(folder / "moved")
    assert source_origin(folder).digest != digests[-1]
    (tmp_path / "raw").rename(tmp_path / "elsewhere")
    assert source_origin(tmp_path / "elsewhere", "text").role == "text"


def test_a_plain_hugging_face_folder_is_a_model(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    artifact = open_artifact(tmp_path, "model")
    assert (artifact.kind, artifact.card, verify(artifact)) == ("model", None, [])
    origin = artifact.origin("model")
    assert (origin.digest, origin.stage, origin.inputs) == (artifact.digest, "", ())
    (tmp_path / "model.safetensors").write_bytes(b"other")
    assert open_artifact(tmp_path).digest != origin.digest


# --- opening what is not right -----------------------------------------------------------------------


def test_a_path_that_is_not_there_is_refused(tmp_path: Path) -> None:
    error = refused(lambda: open_artifact(tmp_path / "gone", "tokenizer"))
    assert error.problem() == f"there is no {tmp_path / 'gone'}"
    assert error.fix("zh") == "请检查路径，或用 `langwright tokenizer train DATASET OUT` 制作一个"


def test_an_unfinished_artifact_is_refused(tmp_path: Path) -> None:
    path = interrupted(tmp_path / "a")
    error = refused(lambda: open_artifact(tmp_path / "a", "model"))
    assert error.problem() == f"{tmp_path / 'a'} is not finished: {path} holds what there is of it"
    assert error.fix() == "run the same command again to resume it"


def test_a_folder_or_file_that_is_no_artifact_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("text")
    for path in (tmp_path, tmp_path / "a.txt"):
        error = refused(lambda path=path: open_artifact(path, "index"))  # type: ignore[misc]
        assert error.problem() == f"{path} is not an artifact: it has neither card.json nor config.json"
        assert error.fix() == f"make one with `{MAKERS['index']}`"


@pytest.mark.parametrize("kind", MAKERS)
def test_the_wrong_kind_names_what_makes_the_right_one(tmp_path: Path, kind: Kind) -> None:
    found: Kind = "model" if kind == "dataset" else "dataset"
    make(tmp_path / "a", kind=found)
    error = refused(lambda: open_artifact(tmp_path / "a", kind))
    assert error.problem("en") == f"{tmp_path / 'a'} is a {found}, and a {kind} is needed here"
    assert error.fix("en") == f"`{MAKERS[kind]}` makes one"
    names = {"dataset": "数据集", "tokenizer": "分词器", "model": "模型", "index": "索引", "report": "报告"}
    assert error.problem("zh") == f"{tmp_path / 'a'} 是{names[found]}，而这里需要{names[kind]}"


@pytest.mark.parametrize("damage", ["shorter", "longer", "gone", "a folder"])
def test_a_file_of_another_size_is_seen_at_once(tmp_path: Path, damage: str) -> None:
    artifact = make(tmp_path / "a", {"a": b"whole", "b": b"whole"})
    file = artifact.path / "b"
    file.unlink()
    if damage == "a folder":
        file.mkdir()
    elif damage != "gone":
        file.write_bytes(b"who" if damage == "shorter" else b"whole and more")
    error = refused(lambda: open_artifact(artifact.path))
    assert error.problem() == f"{artifact.path} is damaged: b is missing or has another size"
    assert verify(artifact) == ["b"]


def test_other_content_of_the_same_size_is_seen_when_it_is_read(tmp_path: Path) -> None:
    artifact = make(tmp_path / "a", {"a": b"whole", "b": b"whole"})
    (artifact.path / "b").write_bytes(b"whale")
    opened = open_artifact(artifact.path)
    assert verify(opened) == ["b"]
    assert opened.digest == artifact.digest  # the card's word, until it is verified


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"kind": "dataset"}', '{"kind": "cake", "stage": "x"}', '{"kind": "model", "stage": "x", "new": 1}']
)  # fmt: skip
def test_a_card_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "card.json").write_text(text)
    error = refused(lambda: open_artifact(tmp_path))
    assert error.problem().startswith(f"{tmp_path / 'card.json'} cannot be read: ")
    assert "\n" not in error.problem()
    assert error.fix() == "it is damaged or of another version; make the artifact again"


def test_a_card_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "card.json").write_bytes('{"kind": "model", "stage": "训练"}'.encode("gb18030"))
    assert refused(lambda: read_card(tmp_path)).code == "cannot-be-read"


def test_a_result_that_is_no_number_does_not_make_the_card_unreadable(tmp_path: Path) -> None:
    made = Made(
        results=(Measure(name="training loss", value=float("nan")), Measure(name="perplexity", value=float("inf")))
    )
    make(tmp_path / "a", made=made)
    card = read_card(tmp_path / "a")
    assert card is not None and [str(measure.value) for measure in card.results] == ["nan", "inf"]
    json.loads((tmp_path / "a/card.json").read_text(), parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def test_a_card_of_the_first_format_is_still_read() -> None:
    card = Card.model_validate_json('{"format": 1, "kind": "model", "stage": "pretrain"}')
    assert (card.kind, card.files, card.inputs, card.seed) == ("model", {}, (), None)
