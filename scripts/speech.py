"""Two languages for the scripts that run before the package is installed; the standard library only."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import NoReturn

WORDS = {"error": "错误", "fix": "解决"}


def chinese_wanted() -> bool:
    """Whether the person's locale is Chinese."""
    locale = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return locale.lower().startswith("zh")


def speaker(chinese: dict[str, str]) -> Callable[..., str]:
    """A function that fills a template in the language of the locale; `chinese` holds the twins."""

    def say(template: str, **values: object) -> str:
        if chinese_wanted():
            template = {**WORDS, **chinese}[template]
        return template.format(**values)

    return say


def stop(problem: str, fix: str) -> NoReturn:
    """End with two lines that say what is wrong and what to do."""
    words = WORDS if chinese_wanted() else {"error": "error", "fix": "fix"}
    print(f"{words['error']}: {problem}\n  {words['fix']}: {fix}", file=sys.stderr)
    sys.exit(2)
