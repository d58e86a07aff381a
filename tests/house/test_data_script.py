"""`make data`: what is fetched comes out as pinned, nothing wrong is ever written, nothing there is overwritten.

The public repositories cannot be reached from a test; a folder laid out like them stands in for them.
"""

from __future__ import annotations

import dataclasses
import gzip
import json
import struct
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from scripts import conversions, data

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def chinese_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "C")


@pytest.fixture
def origin(tmp_path: Path) -> tuple[str, data.Source]:
    """A public file as it would be served, with its description."""
    text = "第一行\r\n第二行\r\n".encode()
    file = tmp_path / "base" / "owner" / "name" / "0123" / "文 本.txt"
    file.parent.mkdir(parents=True)
    file.write_bytes(text)
    return (tmp_path / "base").as_uri(), data.Source("owner/name", "0123", "文 本.txt", data.sha256(text), len(text))


def entry_of(source: data.Source, sha256: str) -> data.DataSet:
    file = data.File("book.txt.gz", "unix_lines", sha256, (source,))
    return data.DataSet("book", "a book", "一本书", "zh", "public domain", (file,))


RIGHT = data.sha256("第一行\n第二行\n".encode())


@pytest.mark.spec("D10", "a public file is fetched at its commit, converted, checked and written whole")
def test_a_file_is_fetched_converted_and_checked(origin: tuple[str, data.Source], tmp_path: Path) -> None:
    base, source = origin
    entry = entry_of(source, RIGHT)
    (missing,) = data.missing([entry], tmp_path / "into")
    data.make(missing[1], tmp_path / "into" / "book", base)
    written = tmp_path / "into" / "book" / "book.txt.gz"
    assert gzip.decompress(written.read_bytes()).decode() == "第一行\n第二行\n"
    assert not list(written.parent.glob("*.new"))
    assert not data.missing([entry], tmp_path / "into")


@pytest.mark.usefixtures("chinese_off")
@pytest.mark.parametrize(
    ("changed", "says"), [({"sha256": "0" * 64}, "is not what it was"), ({"commit": "4567"}, "could not be read")]
)
def test_a_wrong_source_writes_nothing(
    origin: tuple[str, data.Source],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    changed: dict[str, str],
    says: str,
) -> None:
    base, source = origin
    file = entry_of(dataclasses.replace(source, **changed), RIGHT).files[0]
    with pytest.raises(SystemExit) as end:
        data.make(file, tmp_path / "into", base)
    assert end.value.code == 2
    assert says in capsys.readouterr().err
    assert not (tmp_path / "into").exists()


@pytest.mark.usefixtures("chinese_off")
def test_a_wrong_result_writes_nothing(
    origin: tuple[str, data.Source], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, source = origin
    with pytest.raises(SystemExit):
        data.make(entry_of(source, "1" * 64).files[0], tmp_path / "into", base)
    assert "does not come out as it should" in capsys.readouterr().err
    assert not (tmp_path / "into").exists()


def test_a_file_that_differs_is_not_overwritten(origin: tuple[str, data.Source], tmp_path: Path) -> None:
    mine = tmp_path / "book" / "book.txt.gz"
    mine.parent.mkdir()
    mine.write_bytes(gzip.compress(b"mine"))
    with pytest.raises(SystemExit):
        data.missing([entry_of(origin[1], RIGHT)], tmp_path)
    assert gzip.decompress(mine.read_bytes()) == b"mine"


def test_messages_have_both_languages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert data.say("{file} is there and is not what it should be", file="a") == "a 已存在，但内容不符"


def test_the_list_is_whole() -> None:
    sets = {entry.name: entry for entry in data.read_list()}
    needed = {
        "zh-text-modern", "zh-text-novels", "en-text-wikitext2", "zh-cls-chnsenticorp", "zh-cls-thucnews",
        "en-cls-sst2", "en-cls-agnews", "model-stories260k", "tokenizers",
    }  # fmt: skip
    assert needed <= sets.keys()
    for entry in sets.values():
        assert entry.licence
        for file in entry.files:
            assert file.step in data.STEPS
            assert all(len(source.commit) == 40 and len(source.sha256) == 64 for source in file.sources)


def test_sets_that_are_here_are_as_listed(shared_data: Callable[[str], Path]) -> None:
    sets = data.read_list()
    root = shared_data(sets[0].name).parent
    assert not data.missing(sets, root)


# --- steps, by hand ------------------------------------------------------------------------------


def test_drawing_skips_what_others_used() -> None:
    rows = [str(number) for number in range(100)]
    everything = conversions.drawn(rows, 0, 0, 100)
    assert sorted(everything) == sorted(rows)
    assert conversions.drawn(rows, 0, 10, 20) == everything[10:20]
    assert conversions.drawn(rows, 1, 0, 100) != everything


def test_csv_rows_without_text_are_left_out() -> None:
    table = 'label,review\r\n1,"好, 很好"\r\n0, \r\n0,差\r\n'.encode("utf-8-sig")
    made = conversions.drawn_csv(table, header="label,review", has_header=True, skip=0, start=0, stop=9)
    assert sorted(made.decode().splitlines()) == ["0,差", '1,"好, 很好"', "label,review"]


def test_passages_come_once_each() -> None:
    table = {"data": [{"paragraphs": [{"context": "甲\n乙"}, {"context": "丙"}, {"context": "丙"}]}]}
    assert conversions.passages(json.dumps(table).encode()).decode() == "甲 乙\n丙\n"


def test_query_rows_are_reordered_head_by_head() -> None:
    rows = [struct.pack("<f", number) for number in range(8)]  # two heads of four channels, one column
    made = struct.unpack("<8f", conversions.half_split(b"".join(rows), 1, 4))
    assert made == (0, 2, 1, 3, 4, 6, 5, 7)


def test_a_converted_checkpoint_opens_and_keeps_every_weight(
    shared_data: Callable[[str], Path], tmp_path: Path
) -> None:
    from safetensors.numpy import load

    folder = shared_data("model-stories260k")
    checkpoint = (folder / "llama2c" / "stories260K.bin").read_bytes()
    weights = load(conversions.llama_safetensors(checkpoint))
    assert sum(weight.size for weight in weights.values()) == 260_032
    assert conversions.llama_safetensors(checkpoint) == (folder / "hf" / "model.safetensors").read_bytes()
    pieces = (folder / "llama2c" / "tok512.bin").read_bytes()
    assert conversions.llama_tokenizer(pieces) == (folder / "hf" / "tokenizer.json").read_bytes()


def test_merges_are_all_ways_to_make_a_piece() -> None:
    vocabulary = {f"<{number}>": number for number in range(259)} | {
        "ab": 259,
        "a": 260,
        "b": 261,
        "abb": 262,
        "bb": 263,
    }
    assert conversions.merges(vocabulary) == [["a", "b"], ["ab", "b"], ["a", "bb"], ["b", "b"]]


def test_the_twin_list_is_valid_toml() -> None:
    table = tomllib.loads(data.LIST.read_text(encoding="utf-8"))
    used = {name for entry in table["set"].values() for file in entry["file"] for name in file["from"]}
    assert used == table["source"].keys()
