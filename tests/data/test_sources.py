"""Which files of a folder are read, in which order, under which names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from langwright.data.sources import Passed, find_sources, format_of, is_code, matches
from langwright.errors import UserError


def names(
    paths: list[Path], schema: str = "text", include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()
) -> list[str]:
    return [source.name for source in find_sources(paths, schema, include, exclude, Passed())]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    for name in (
        "b.txt", "a.py", "z/c.md", "z/test/d.py", "test/e.py", "z/deep/test/f.rst", "z/Makefile", "z/g.csv", "h.json",
        ".hidden", ".git/config.txt", "picture.png", "i.jsonl.gz",
    ):  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("text")
    (root / "empty.txt").touch()
    (root / "link.txt").symlink_to(root / "b.txt")
    (root / "loop").symlink_to(root)
    return root


def test_a_folder_is_read_in_the_order_of_names(tree: Path) -> None:
    assert names([tree]) == [
        f"tree/{name}"
        for name in ("a.py", "b.txt", "i.jsonl.gz", "test/e.py", "z/Makefile", "z/c.md", "z/g.csv", "z/deep/test/f.rst", "z/test/d.py")
    ]  # fmt: skip


def test_excluded_folders_are_left_out_at_any_depth(tree: Path) -> None:
    found = names([tree], exclude=("**/test/**", "*.csv"))
    assert found == [f"tree/{name}" for name in ("a.py", "b.txt", "i.jsonl.gz", "z/Makefile", "z/c.md")]


def test_excluded_folders_are_not_looked_into(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    real = os.path.isfile
    monkeypatch.setattr(os.path, "isfile", lambda path: (looked.append(str(path)), real(path))[1])
    names([tree], exclude=("**/test/**",))
    assert [path for path in looked if path.endswith("c.md")]
    assert not [path for path in looked if "/test/" in path]


def test_included_files_only(tree: Path) -> None:
    assert names([tree], include=("*.md", "h.json")) == ["tree/h.json", "tree/z/c.md"]


def test_rows_come_from_tables_only(tree: Path) -> None:
    assert names([tree], schema="chat") == ["tree/h.json", "tree/i.jsonl.gz", "tree/z/g.csv"]


def test_what_is_passed_over_is_counted(tree: Path) -> None:
    passed = Passed()
    find_sources([tree], "text", (), (), passed)
    assert passed.count == 2
    assert passed.examples == ["tree/h.json", "tree/picture.png"]


def test_a_name_that_is_no_utf_8_is_one_in_the_dataset(tmp_path: Path) -> None:
    with open(os.fsencode(tmp_path) + b"/caf\xe9.txt", "w") as stream:  # noqa: PTH123
        stream.write("text")
    assert names([tmp_path]) == [f"{tmp_path.name}/caf\ufffd.txt"]
    names([tmp_path])[0].encode()


def test_a_folder_that_may_not_be_looked_into_is_noted(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("/z"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    passed = Passed()
    found = find_sources([tree], "text", (), (), passed)
    assert not [source for source in found if "/z/" in source.name]
    assert str(tree / "z") in passed.examples


def test_two_sources_of_one_name_get_two_names(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.txt").write_text("x")
    assert names([tmp_path / "one" / "a.txt", tmp_path / "two" / "a.txt"]) == ["a.txt", "a.txt-2"]


def test_a_given_file_of_an_unknown_kind_is_text(tmp_path: Path) -> None:
    (tmp_path / "poem.xyz").write_text("x")
    (source,) = find_sources([tmp_path / "poem.xyz"], "text", (), (), Passed())
    assert source.format == "text"


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda path: None, "there is no"),
        (lambda path: path.touch(), "is empty"),
        (lambda path: path.mkdir(), "nothing in"),
    ],
)
def test_nothing_to_read_is_an_error(tmp_path: Path, make, problem: str) -> None:  # type: ignore[no-untyped-def]
    make(tmp_path / "x")
    with pytest.raises(UserError, match=problem):
        names([tmp_path / "x"])


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("a/test/b.py", "**/test/**", True),
        ("test/b.py", "**/test/**", True),
        ("a/testing/b.py", "**/test/**", False),
        ("a/b/c.py", "a/**/c.py", True),
        ("a/c.py", "a/**/c.py", True),
        ("a/b/c.py", "a/*.py", False),
        ("a/b/c.py", "*.py", True),
        ("dev.tsv.gz", "*dev*", True),
        ("a+b.txt", "a+?.txt", True),
    ],
)
def test_patterns(name: str, pattern: str, expected: bool) -> None:
    assert matches(name, [pattern]) is expected


@pytest.mark.parametrize(
    ("name", "form"),
    [("a.py", "text"), ("a.PY", "text"), ("a.csv.gz", "csv"), ("README", "text"), ("a.bin", None), ("a", None), ("x.ndjson", "jsonl")],
)  # fmt: skip
def test_formats(name: str, form: str | None) -> None:
    assert format_of(Path(name)) == form


def test_code_is_known_by_its_extension() -> None:
    assert is_code("lib/a.py")
    assert is_code("a.rs.gz")
    assert not is_code("a.md")
    assert not is_code("py")
