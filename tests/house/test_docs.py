"""The documents: two languages that say the same, links that lead somewhere, commands that exist, a fresh reference."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from tests.house.source import ROOT, SRC, package, repository_files

DOCS = ROOT / "docs"
ENGLISH = sorted(path.relative_to(DOCS / "en") for path in (DOCS / "en").rglob("*.md"))
PAGES = [
    path
    for path in repository_files()
    if path.suffix == ".md" and "tests" not in path.parts and SRC not in path.parents
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PROSE_FENCES = {"", "text"}  # drawings and output, which may differ in words between languages


def outside_code(text: str) -> str:
    """A page without its code blocks."""
    return FENCE.sub("", text)


def levels(text: str) -> list[int]:
    """Depth of each heading."""
    return [len(marks) for marks in re.findall(r"^(#+) ", outside_code(text), re.MULTILINE)]


def code(text: str) -> list[str]:
    """Code blocks, without what a person would say in their own language."""

    def kept(match: re.Match[str]) -> str:
        return match[0] if re.fullmatch(r'"[\w./:=-]*"', match[0], re.ASCII) else '"…"'

    blocks = [body for kind, body in FENCE.findall(text) if kind not in PROSE_FENCES]
    return [re.sub(r'"[^"\n]*"', kept, block) for block in blocks]


def links(text: str) -> list[str]:
    """Where a page leads, languages aside."""
    found = LINK.findall(outside_code(text))
    return [re.sub(r"docs/(en|zh)/", "docs/", link).replace("README.zh-CN.md", "README.md") for link in found]


# --- two languages ---------------------------------------------------------------------------------


def test_every_page_has_its_twin() -> None:
    chinese = sorted(path.relative_to(DOCS / "zh") for path in (DOCS / "zh").rglob("*.md"))
    assert chinese == ENGLISH
    assert ENGLISH


def twins() -> Iterator[tuple[Path, Path]]:
    """(English, Chinese) pages."""
    yield ROOT / "README.md", ROOT / "README.zh-CN.md"
    yield from ((DOCS / "en" / name, DOCS / "zh" / name) for name in ENGLISH)
    examples = sorted((ROOT / "examples").glob("*/README.zh-CN.md"))
    yield from ((page.with_name("README.md"), page) for page in examples)


@pytest.mark.parametrize(("english", "chinese"), list(twins()), ids=lambda path: path.relative_to(ROOT).as_posix())
@pytest.mark.spec("TL1", "set-up guide and handbook say the same in both languages: headings, code and links agree")
def test_twins_say_the_same(english: Path, chinese: Path) -> None:
    one, other = english.read_text(encoding="utf-8"), chinese.read_text(encoding="utf-8")
    assert levels(one) == levels(other)
    assert code(one) == code(other)
    assert sorted(links(one)) == sorted(links(other))
    tables = [len(re.findall(r"^\|", outside_code(text), re.MULTILINE)) for text in (one, other)]
    assert tables[0] == tables[1]


def test_chinese_pages_are_chinese() -> None:
    for name in ENGLISH:
        if name.parts[0] != "reference":
            text = outside_code((DOCS / "zh" / name).read_text(encoding="utf-8"))
            han = len(re.findall(r"[\u4e00-\u9fff]", text))
            assert han > 0.25 * len(re.sub(r"\s", "", text)), name


# --- what they point to ------------------------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(outside_code(page.read_text(encoding="utf-8"))):
        if not re.match(r"[a-z]+:", link):
            assert (page.parent / link.partition("#")[0]).exists(), f"{page.relative_to(ROOT)} links {link}"


def lines_of_commands(text: str) -> Iterator[str]:
    """Every `langwright …` and `make …` line that a page shows."""
    for kind, body in FENCE.findall(text):
        if kind == "console":
            yield from body.replace("\\\n", " ").splitlines()
    yield from re.findall(r"`((?:\.venv/bin/)?langwright [a-z][^`…]*)`", FENCE.sub("", text))


def commands() -> Iterator[tuple[str, str]]:
    """(page, line)."""
    for page in PAGES:
        if "reference" not in page.parts:
            for line in lines_of_commands(page.read_text(encoding="utf-8")):
                yield page.relative_to(ROOT).as_posix(), line


@pytest.mark.parametrize(("page", "line"), sorted(set(commands())))
def test_commands_shown_exist(page: str, line: str) -> None:
    from langwright.cli.commands import COMMANDS
    from langwright.cli.main import find

    words = shlex.split(line.removeprefix(".venv/bin/"), comments=True)
    if words[0] == "make":
        goals = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
        assert {word for word in words[1:] if "=" not in word} <= goals
        return
    if words[0] != "langwright":
        return
    command, rest = find(words[1:])
    if command is None:  # a group, such as `langwright check`
        assert any(name.startswith(words[1]) for name in COMMANDS), line
        return
    known = {option for parameter in command.build().params for option in parameter.opts}
    known |= {option for parameter in command.build().params for option in parameter.secondary_opts}
    used = {word.partition("=")[0] for word in rest if word.startswith("--")}
    assert used <= known | {"--lang", "--json", "--help"}, line


def test_settings_shown_exist() -> None:
    """`--set key=value` names settings of the stage it is given to."""
    from langwright.cli.main import find
    from langwright.settings import entries
    from langwright.stages import STAGES

    known = {stage.words: {entry.key for entry in entries(stage.settings)} for stage in STAGES.values()}
    for page, line in commands():
        words = shlex.split(line.removeprefix(".venv/bin/"), comments=True)
        command = find(words[1:])[0] if words[0] == "langwright" else None
        if command is None or command.name.removeprefix("check ") not in known:
            continue
        keys = known[command.name.removeprefix("check ")]
        for before, word in pairwise(words):
            if before == "--set":
                key = word.partition("=")[0]
                inside = any(key.startswith(name + ".") for name in keys)  # an entry of a table
                assert key in keys or inside, f"{page}: {line}"


# --- the reference -------------------------------------------------------------------------------------


def test_the_reference_is_fresh() -> None:
    from scripts.reference import pages

    stale = [
        path.relative_to(ROOT).as_posix()
        for path, text in pages().items()
        if not path.is_file() or path.read_text(encoding="utf-8") != text
    ]
    assert not stale, f"run `.venv/bin/python -m scripts.reference`: {', '.join(stale)}"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_everything_is_documented(language: str) -> None:
    from langwright.cli.commands import COMMANDS
    from langwright.metrics import MEASURES
    from langwright.objectives.kinds import OBJECTIVES
    from langwright.settings import entries
    from langwright.stages import STAGES
    from langwright.tasks import TASKS
    from langwright.wording import chinese

    folder = DOCS / language / "reference"
    page = {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}
    assert all(f"langwright {name}" in page["commands"] for name in COMMANDS)
    assert STAGES
    for stage in STAGES.values():
        assert f"## {stage.name}\n" in page["stages"]
        for entry in entries(stage.settings):
            assert f"| `{entry.key}` |" in page["settings"], f"{stage.name} {entry.key}"
    assert all(f"## {name}\n" in page["tasks"] for name in TASKS)
    assert all(f"## {name}\n" in page["objectives"] for name in OBJECTIVES)
    names = {name: chinese().get(name, name) if language == "zh" else name for name in MEASURES}
    assert all(f"| {name} |" in page["measures"] for name in names.values())


def test_papers_are_listed() -> None:
    listed = set(re.findall(r"arXiv:(\d{4}\.\d{5})", (DOCS / "papers.md").read_text(encoding="utf-8")))
    named = {
        (paper, module.path.relative_to(SRC).as_posix())
        for module in package()
        for paper in re.findall(r"arXiv:(\d{4}\.\d{5})", module.text)
    }
    missing = sorted(f"{file} names arXiv:{paper}" for paper, file in named if paper not in listed)
    assert not missing, "add to docs/papers.md: " + "; ".join(missing)


def test_files_of_papers_exist() -> None:
    text = (DOCS / "papers.md").read_text(encoding="utf-8")
    for file in re.findall(r"`([a-z_]+/[a-z_]+\.py)`", text):
        assert (SRC / file).is_file(), file


# --- what no file says ----------------------------------------------------------------------------------

MACHINES = (
    "/" + "work/", "/" + "root/", "/" + "opt/pypi", "/" + "opt/wheels", "/" + "home/", "/" + "Users/", "hf" + "-mirror",
    "pypi." + "tuna", "mirrors." + "aliyun",
)  # fmt: skip
TEXT = {".py", ".md", ".toml", ".txt", ".json", ".jsonl", ".html", ".css", ".js", ".cfg", ".ini", ""}


def test_no_file_names_a_machine() -> None:
    found = []
    for path in repository_files():
        if path.suffix in TEXT and path.stat().st_size < 5_000_000:
            text = path.read_text(encoding="utf-8", errors="replace")
            found += [f"{path.relative_to(ROOT)}: {name}" for name in MACHINES if name in text]
    assert not found, "\n".join(found)
