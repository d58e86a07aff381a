"""Makes the virtual environment and installs what is pinned; called by make, needs the standard library only.

    python -m scripts.setup core dev [--torch-index URL]

What is named is installed at once: `core`, extras of pyproject.toml, and `all`, which says that nothing was left
out. Each leaves a stamp, `.venv/.NAME`, that says what it was installed from, so that nothing is done twice.
Before anything is downloaded it prints how much that will be. The language is that of the locale.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import ssl
import subprocess
import sys
import sysconfig
import tempfile
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

from scripts.speech import speaker, stop

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
OLDEST = (3, 11)
LAZY_PIP = (24, 1)  # from here on a dry run reads metadata instead of downloading wheels

CHINESE = {
    "Python {oldest} or newer is needed, and this is {found}": "需要 Python {oldest} 或更新版本，而这里是 {found}",
    "install it, or name another: make PYTHON=python3.12 …": "请安装，或指定另一个：make PYTHON=python3.12 …",
    "this Python cannot make virtual environments: it has no ensurepip": "这个 Python 不能建立虚拟环境：缺少 ensurepip",
    "on Debian and Ubuntu: sudo apt install {package}": "在 Debian 和 Ubuntu 上：sudo apt install {package}",
    "making {venv} with Python {version}": "正在用 Python {version} 建立 {venv}",
    "updating pip to {version} (about 2 MB)": "正在把 pip 更新到 {version}（约 2 MB）",
    "finding out what is missing": "正在查清还缺什么",
    "nothing to download": "无须下载",
    "{count} packages to install, {size} to download": "要安装 {count} 个包，下载 {size}",
    "{count} packages to install, at least {size} to download ({unknown} of unknown size)": "要安装 {count} 个包，至少下载 {size}（{unknown} 个大小未知）",
    "the largest: {names}": "最大的几个：{names}",
    "a smaller build of torch, without CUDA: make TORCH_INDEX={index} …": "不带 CUDA 的较小的 torch：make TORCH_INDEX={index} …",
    "{what} failed: what pip says stands above": "{what}失败：原因见上方 pip 的输出",
    "run the same command again when it is put right; what was installed is kept": "排除问题后再运行同一命令；已装好的会保留",
    "{what} was killed by signal {signal}": "{what}被信号 {signal} 终止",
    "free some memory and run the same command again; what was installed is kept": "请腾出一些内存后再运行同一命令；已装好的会保留",
    "resolving": "解析依赖",
    "installing": "安装",
    "no C++ compiler: training runs uncompiled, which is slower; on Debian and Ubuntu: sudo apt install g++ {headers}": "没有 C++ 编译器：训练不经编译，速度较慢；在 Debian 和 Ubuntu 上：sudo apt install g++ {headers}",
    "no C++ compiler: training runs uncompiled, which is slower; on macOS: xcode-select --install": "没有 C++ 编译器：训练不经编译，速度较慢；在 macOS 上：xcode-select --install",
    "no Python headers: training runs uncompiled, which is slower; on Debian and Ubuntu: sudo apt install {headers}": "没有 Python 头文件：训练不经编译，速度较慢；在 Debian 和 Ubuntu 上：sudo apt install {headers}",
    "ready": "已就绪",
}  # fmt: skip
say = speaker(CHINESE)
CPU_TORCH = "https://download.pytorch.org/whl/cpu"


# --- what is wanted ----------------------------------------------------------------------------


def wanted(extras: list[str], pyproject: Path) -> list[str]:
    """Requirement lines of the core and the extras, with the build backend, so that one pin list covers all."""
    import tomllib  # absent before 3.11; the version is checked first

    project = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    lines = list(project["project"]["dependencies"]) + list(project["build-system"]["requires"]) + ["editables"]
    for extra in extras:
        lines += project["project"]["optional-dependencies"][extra]
    return lines


def fingerprint(torch_index: str | None) -> str:
    """What an installation depends on; written into the stamps."""
    parts = [platform.python_version(), torch_index or "", str(ROOT)]
    parts += [file.read_text(encoding="utf-8") for file in (ROOT / "pyproject.toml", ROOT / "constraints.txt")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def pinned(name: str, constraints: Path) -> str:
    """The version that constraints.txt pins."""
    found = re.search(rf"^{re.escape(name)}==(\S+)$", constraints.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise LookupError(f"{name} is not pinned in {constraints}")
    return found.group(1)


# --- the environment ---------------------------------------------------------------------------


def check_python() -> None:
    """Stop unless this Python is new enough and can make virtual environments."""
    if sys.version_info < OLDEST:
        oldest, found = ".".join(map(str, OLDEST)), platform.python_version()
        stop(
            say("Python {oldest} or newer is needed, and this is {found}", oldest=oldest, found=found),
            say("install it, or name another: make PYTHON=python3.12 …"),
        )
    if importlib.util.find_spec("ensurepip") is None:
        package = "python{}.{}-venv".format(*sys.version_info[:2])
        stop(
            say("this Python cannot make virtual environments: it has no ensurepip"),
            say("on Debian and Ubuntu: sudo apt install {package}", package=package),
        )


def python_of(folder: Path) -> Path:
    """The interpreter of a virtual environment."""
    return folder / "bin" / "python"


def works(folder: Path) -> bool:
    """Whether a virtual environment is there, of this Python version, and has pip."""
    python = python_of(folder)
    if not python.exists():
        return False
    asked = subprocess.run(
        [str(python), "-c", "import sys, pip; print(sys.version_info[:2])"], capture_output=True, text=True, check=False
    )
    return asked.stdout.strip() == str(tuple(sys.version_info[:2]))


def make_venv(folder: Path) -> None:
    """Make the virtual environment where there is none that works."""
    if works(folder):
        return
    print(say("making {venv} with Python {version}", venv=folder.name, version=platform.python_version()), flush=True)
    venv.create(str(folder), with_pip=True, clear=folder.exists(), symlinks=True)


def update_pip(python: str, constraints: Path) -> None:
    """Take the pinned pip where the bundled one would download wheels in a dry run."""
    asked = subprocess.run([python, "-m", "pip", "--version"], capture_output=True, text=True, check=True)
    numbers = [int(part) for part in re.findall(r"\d+", asked.stdout)[:2]]
    if tuple(numbers) < LAZY_PIP:
        version = pinned("pip", constraints)
        print(say("updating pip to {version} (about 2 MB)", version=version), flush=True)
        pip(python, "installing", "install", "--quiet", f"pip=={version}")


def pip(python: str, what: str, *arguments: str) -> None:
    """Run pip; stop with our own words below its own when it fails."""
    command = [python, "-m", "pip", "--disable-pip-version-check", *arguments]
    code = subprocess.run(command, check=False).returncode
    if code < 0:  # pip had no chance to say why
        stop(
            say("{what} was killed by signal {signal}", what=say(what), signal=-code),
            say("free some memory and run the same command again; what was installed is kept"),
        )
    if code:
        stop(
            say("{what} failed: what pip says stands above", what=say(what)),
            say("run the same command again when it is put right; what was installed is kept"),
        )


# --- the size of what will be downloaded -----------------------------------------------------


def resolve(python: str, arguments: list[str]) -> list[dict[str, Any]]:
    """pip's plan: what it would install, without downloading it."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        lazy = ["--use-feature=fast-deps", "--dry-run", "-qq", "--report", str(report)]
        pip(python, "resolving", "install", *lazy, *arguments)
        plan: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))["install"]
        return plan


def size_of(url: str) -> int | None:
    """Bytes to download: 0 for a local file, the server's word for a remote one, None where it does not say."""
    if urlsplit(url).scheme == "file":
        return 0
    context = ssl.create_default_context(cafile=os.environ.get("PIP_CERT"))
    try:
        with urlopen(Request(url, method="HEAD"), timeout=20, context=context) as answer:
            return int(answer.headers["Content-Length"])
    except (URLError, OSError, TypeError, ValueError):
        return None


def readable(size: int) -> str:
    """Bytes in the unit a person would use."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"


def announce(plan: list[dict[str, Any]]) -> None:
    """Print how much will be downloaded, and of what most."""
    urls = [item["download_info"]["url"] for item in plan]
    with ThreadPoolExecutor(8) as pool:
        sizes = dict(zip(urls, pool.map(size_of, urls), strict=True))
    known = sum(size for size in sizes.values() if size)
    unknown = sum(size is None for size in sizes.values())
    if not known and not unknown:
        print(say("nothing to download"), flush=True)
        return
    template = "{count} packages to install, {size} to download"
    if unknown:
        template = "{count} packages to install, at least {size} to download ({unknown} of unknown size)"
    print(say(template, count=len(urls), size=readable(known), unknown=unknown), flush=True)
    largest = sorted(((size, url) for url, size in sizes.items() if size), reverse=True)[:3]
    if largest:
        names = ", ".join(f"{unquote(url.rsplit('/', 1)[1]).split('-')[0]} {readable(size)}" for size, url in largest)
        print("  " + say("the largest: {names}", names=names), flush=True)
    if any("nvidia" in url for url in urls):
        line = "a smaller build of torch, without CUDA: make TORCH_INDEX={index} …"
        print("  " + say(line, index=CPU_TORCH), flush=True)


# --- compiling ---------------------------------------------------------------------------------


def compiler_note() -> str | None:
    """What is missing for compiled training, or None."""
    headers = "python{}.{}-dev".format(*sys.version_info[:2])
    names = [os.environ.get("CXX"), "g++", "c++", "clang++"]
    if not any(name and shutil.which(name) for name in names):
        if sys.platform == "darwin":
            return say("no C++ compiler: training runs uncompiled, which is slower; on macOS: xcode-select --install")
        line = "no C++ compiler: training runs uncompiled, which is slower; on Debian and Ubuntu: sudo apt install g++ {headers}"
        return say(line, headers=headers)
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        line = "no Python headers: training runs uncompiled, which is slower; on Debian and Ubuntu: sudo apt install {headers}"
        return say(line, headers=headers)
    return None


def main() -> None:
    """Install what is named and write its stamps."""
    check_python()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="+", metavar="NAME", help="core, an extra, or all")
    parser.add_argument("--torch-index", help="a further package index, for a build of torch of your own choice")
    asked = parser.parse_args()
    mark = fingerprint(asked.torch_index)
    stamps = [VENV / f".{name}" for name in asked.names]
    if works(VENV) and all(stamp.exists() and stamp.read_text(encoding="utf-8") == mark for stamp in stamps):
        for stamp in stamps:
            stamp.touch()
        return
    make_venv(VENV)
    python, constraints = str(python_of(VENV)), ROOT / "constraints.txt"
    update_pip(python, constraints)
    print(say("finding out what is missing"), flush=True)
    extras = [name for name in asked.names if name not in ("core", "all")]
    arguments = ["-c", str(constraints), *wanted(extras, ROOT / "pyproject.toml")]
    if asked.torch_index:
        arguments += ["--extra-index-url", asked.torch_index]
    plan = resolve(python, arguments)
    if plan:
        announce(plan)
        pip(python, "installing", "install", *arguments)
    pip(python, "installing", "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    note = compiler_note()
    if note:
        print(note, flush=True)
    for stamp in stamps:
        stamp.write_text(mark, encoding="utf-8")
    print(say("ready"), flush=True)


if __name__ == "__main__":
    main()
