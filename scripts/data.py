"""Fetches the public data sets that tests and recipes use, when a person asks: `make data`.

    python -m scripts.data [NAME...] [--into FOLDER] [--base URL]

What there is stands in docs/data.toml: for every file its sources (public repository, commit, path), the
step that makes it of them (scripts/conversions.py) and the sha256 of what results. A file that is there
and right is left alone; one that is there and differs is never overwritten. Files appear whole or not at all.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

from scripts import conversions
from scripts.golden import llama_golden
from scripts.speech import speaker, stop

ROOT = Path(__file__).resolve().parent.parent
LIST = ROOT / "docs" / "data.toml"
STEPS = {**conversions.STEPS, "llama_golden": llama_golden}
BASE = "https://raw.githubusercontent.com"

CHINESE = {
    "{count} files to fetch, {size:.1f} MB, from public repositories into {folder}": "要从公开仓库取 {count} 个文件，共 {size:.1f} MB，放入 {folder}",
    "everything is there already, in {folder}": "全部已在 {folder} 中",
    "  {name}: made": "  {name}：已生成",
    "there is no data set called {name}": "没有名为 {name} 的数据集",
    "choose from: {names}": "可选：{names}",
    "{url} could not be read: {error}": "无法读取 {url}：{error}",
    "check the connection and run the same command again; what is there is kept": "请检查网络后再运行同一命令；已有的会保留",
    "{url} is not what it was: its sha256 is {found}, not {expected}": "{url} 已变：其 sha256 为 {found}，应为 {expected}",
    "{file} does not come out as it should: its sha256 is {found}, not {expected}": "{file} 的生成结果不符：其 sha256 为 {found}，应为 {expected}",
    "{file} is there and is not what it should be": "{file} 已存在，但内容不符",
    "look at it, and remove it to fetch it again": "请先查看，删除后可重新下载",
    "report this; nothing was written": "请反馈此问题；没有写入任何内容",
}  # fmt: skip
say = speaker(CHINESE)


@dataclass(frozen=True)
class Source:
    """One file of a public repository."""

    repository: str  # owner/name
    commit: str
    path: str
    sha256: str
    bytes: int

    def url(self, base: str) -> str:
        """Where it can be read."""
        return f"{base}/{self.repository}/{self.commit}/{quote(self.path)}"


@dataclass(frozen=True)
class File:
    """One file of a data set. `sha256` is of the contents, after decompression where the name ends in .gz."""

    name: str
    step: str
    sha256: str  # empty where it is computed here, and checked by its step
    sources: tuple[Source, ...]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class DataSet:
    """One folder."""

    name: str
    what: str
    what_zh: str
    language: str
    licence: str
    files: tuple[File, ...]


def read_list(path: Path = LIST) -> list[DataSet]:
    """docs/data.toml."""
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    sources = {name: Source(**values) for name, values in table["source"].items()}
    sets = []
    for name, entry in table["set"].items():
        files = tuple(
            File(f["name"], f["step"], f["sha256"], tuple(sources[s] for s in f["from"]), f.get("options", {}))
            for f in entry.pop("file")
        )
        sets.append(DataSet(name=name, files=files, **entry))
    return sets


def sha256(data: bytes) -> str:
    """Hexadecimal digest."""
    return hashlib.sha256(data).hexdigest()


def contents(path: Path) -> bytes:
    """What a file holds, decompressed where it is gzip."""
    data = path.read_bytes()
    return gzip.decompress(data) if path.suffix == ".gz" else data


def fetched(source: Source, base: str) -> bytes:
    """The bytes of a source, checked."""
    url = source.url(base)
    try:
        with urlopen(url, timeout=120) as answer:
            data: bytes = answer.read()
    except (URLError, OSError) as error:
        stop(
            say("{url} could not be read: {error}", url=url, error=error),
            say("check the connection and run the same command again; what is there is kept"),
        )
    if sha256(data) != source.sha256:
        template = "{url} is not what it was: its sha256 is {found}, not {expected}"
        stop(
            say(template, url=url, found=sha256(data), expected=source.sha256), say("report this; nothing was written")
        )
    return data


def make(file: File, folder: Path, base: str) -> None:
    """Fetch, convert, check, and write one file."""
    data = STEPS[file.step](*(fetched(source, base) for source in file.sources), **file.options)
    target = folder / file.name
    if file.sha256 and sha256(data) != file.sha256:
        template = "{file} does not come out as it should: its sha256 is {found}, not {expected}"
        stop(
            say(template, file=target, found=sha256(data), expected=file.sha256),
            say("report this; nothing was written"),
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(target.name + ".new")
    scratch.write_bytes(gzip.compress(data, 9, mtime=0) if target.suffix == ".gz" else data)
    scratch.replace(target)


def missing(sets: list[DataSet], into: Path) -> list[tuple[DataSet, File]]:
    """Files that are not there; stops at one that is there and differs."""
    found = []
    for entry in sets:
        for file in entry.files:
            path = into / entry.name / file.name
            if not path.exists():
                found.append((entry, file))
            elif file.sha256 and sha256(contents(path)) != file.sha256:
                stop(
                    say("{file} is there and is not what it should be", file=path),
                    say("look at it, and remove it to fetch it again"),
                )
    return found


def describe(entry: DataSet, folder: Path) -> None:
    """A README.md beside the data, with source and licence."""
    sources = sorted({f"- `{s.repository}` @ `{s.commit}`: {s.path}" for file in entry.files for s in file.sources})
    text = f"# {entry.what}\n\n{entry.what_zh}\n\nLicence: {entry.licence}\n\n" + "\n".join(sources) + "\n"
    if not (folder / "README.md").exists():
        (folder / "README.md").write_text(text, encoding="utf-8")


def main() -> None:
    """Fetch what is missing of the sets named, or of all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument(
        "--into", type=Path, default=Path(os.environ.get("LANGWRIGHT_DATA", ROOT.parent / "shared" / "data"))
    )
    parser.add_argument("--base", default=BASE, help="where repositories are read, as URL/OWNER/NAME/COMMIT/PATH")
    asked = parser.parse_args()
    sets = read_list()
    for name in asked.names:
        if name not in {entry.name for entry in sets}:
            stop(
                say("there is no data set called {name}", name=name),
                say("choose from: {names}", names=", ".join(entry.name for entry in sets)),
            )
    wanted = [entry for entry in sets if not asked.names or entry.name in asked.names]
    work = missing(wanted, asked.into)
    if not work:
        print(say("everything is there already, in {folder}", folder=asked.into))
        return
    size = sum(source.bytes for source in {source for _, file in work for source in file.sources}) / 1e6
    template = "{count} files to fetch, {size:.1f} MB, from public repositories into {folder}"
    print(say(template, count=len(work), size=size, folder=asked.into), flush=True)
    for entry, file in work:
        make(file, asked.into / entry.name, asked.base)
        print(say("  {name}: made", name=f"{entry.name}/{file.name}"), flush=True)
    for entry in {entry.name: entry for entry, _ in work}.values():
        describe(entry, asked.into / entry.name)


if __name__ == "__main__":
    main()
