"""Builds the handbook in both languages into docs/_build; open docs/_build/index.html. Nothing is fetched.

python -m scripts.docs
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DOCS, OUT = ROOT / "docs", ROOT / "docs" / "_build"
SPHINX = {"en": "en", "zh": "zh_CN"}
INDEX = """<!doctype html>
<meta charset="utf-8"><title>Langwright</title>
<style>body { font: 1.2rem/2 system-ui, sans-serif; max-width: 40rem; margin: 4rem auto; }</style>
<h1>Langwright</h1>
<p><a href="en/en/index.html">Handbook in English</a></p>
<p lang="zh"><a href="zh/zh/index.html">中文手册</a></p>
"""


def build(language: str, out: Path) -> int:
    """One language; 0 when all is well. A warning is an error."""
    from sphinx.cmd.build import build_main

    other = {"en": "zh", "zh": "en"}[language]
    choices = {
        "language": SPHINX[language],
        "root_doc": f"{language}/index",
        "exclude_patterns": f"_build,_theme,{other}/**",
    }
    options = [part for key, value in choices.items() for part in ("-D", f"{key}={value}")]
    doctrees = ["-d", str(out / ".doctrees" / language)]
    code: int = build_main(
        ["-b", "html", "-q", "-W", "-E", "--keep-going", *doctrees, *options, str(DOCS), str(out / language)]
    )
    return code


def main(out: Path = OUT) -> int:
    """Both languages and the page that leads to them."""
    codes = [build(language, out) for language in SPHINX]
    (out / "index.html").write_text(INDEX, encoding="utf-8")
    if not any(codes):
        print(out / "index.html")
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
