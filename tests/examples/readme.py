"""The READMEs of the finished projects, as commands to run, and a small form of their pipelines."""

from __future__ import annotations

import re
import shlex
import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROJECTS = sorted(path.parent.name for path in (ROOT / "examples").glob("*/pipeline.toml"))
ADDRESS = "http://127.0.0.1:8000"
BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Command:
    """One command of a README."""

    line: str

    @property
    def words(self) -> list[str]:
        """The command as a shell would part it."""
        return shlex.split(self.line)

    @property
    def kind(self) -> str:
        """What is to be done with it: serve, page, ask, fetch, real (needs data that is not shipped), or run."""
        words = self.words
        if words[0] == "curl":
            return "ask"
        if words[0] in ("export", "make"):
            return "fetch"
        if "http.server" in words:
            return "page"
        if words[:2] == ["langwright", "serve"]:
            return "serve"
        return "real" if any(Path(word).name.startswith("real") for word in words) else "run"


def commands(project: str, page: str = "README.md") -> list[Command]:
    """All commands of a project's README, in their order."""
    text = (ROOT / "examples" / project / page).read_text(encoding="utf-8")
    lines = "".join(BLOCK.findall(text)).replace("\\\n", " ").splitlines()
    return [Command(line) for line in lines if line.strip() and not line.startswith("#")]


def copied(project: str, folder: Path, *, small: bool) -> None:
    """Put a project into a fresh folder as a checkout has it; small: two updates and a few rows."""
    shutil.copytree(ROOT / "examples" / project, folder / "examples" / project)
    for name in ("page.html", "__init__.py"):
        if (ROOT / "examples" / name).exists():
            shutil.copy(ROOT / "examples" / name, folder / "examples" / name)
    if small:
        pipeline = folder / "examples" / project / "pipeline.toml"
        text = re.sub(r"\b(steps|epochs) = [\d.]+", "steps = 2", pipeline.read_text(encoding="utf-8"))
        text = re.sub(r"\bmax_new_tokens = \d+", "max_new_tokens = 4", text)
        text = re.sub(r"(?:, )?baselines = false", "", text)
        text = re.sub(r'split = "test"', 'split = "test", limit = 4, baselines = false', text)
        pipeline.write_text(text, encoding="utf-8")


def made_small(folder: Path) -> None:
    """Keep a few of the rows that a project's program has put together."""
    for file in (folder / "runs").glob("*.jsonl"):
        lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
        file.write_text("".join(lines[:300]), encoding="utf-8")
