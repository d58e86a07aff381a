"""Which folder a name led to: a file of lines, and what can be gone back to."""

from __future__ import annotations

from pathlib import Path

import pytest

from langwright.serving.monitoring.versions import Version, Versions, Why, stack


def version(digest: str, why: Why = "served", name: str = "m") -> Version:
    return Version(time=0.0, name=name, folder=f"/runs/{digest}", digest=digest, why=why)


@pytest.mark.parametrize(
    ("history", "standing"),
    [
        ("a", "a"), ("a b", "a b"), ("a b <a", "a"), ("a b c <b", "a b"), ("a b c <b <a", "a"), ("a b <a c", "a c"),
        ("a b <a c <a", "a"), ("a b <a b", "a b"), ("a a b b", "a b"), ("a b a", "a b a"), ("a b a <b", "a b"),
    ],
)  # fmt: skip
def test_what_can_be_gone_back_through(history: str, standing: str) -> None:
    lines = [
        version(one.removeprefix("<"), "rolled back" if one.startswith("<") else "exchanged") for one in history.split()
    ]
    assert [one.digest for one in stack(lines)] == standing.split()


def test_lines_are_kept_by_name_and_survive_a_torn_end(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "served.jsonl"
    versions = Versions(file)
    assert versions.of("m") == []
    for one in (version("a"), version("a"), version("x", name="n"), version("b", "exchanged")):
        versions.note(one)
    assert [one.digest for one in versions.of("m")] == ["a", "b"]  # serving the same again is nothing new
    with file.open("ab") as stream:
        stream.write(b'{"time": 1, "na')  # killed in the middle of a line
    Versions(file).note(version("c", "exchanged"))
    assert [one.digest for one in Versions(file).of("m")] == ["a", "b", "c"]
