"""`python -m benchmarks.asked [MODEL]`: how many of our requests lead to the right command, by words and by a model.

A request counts when the whole command is right: its name, every argument, every option. The requests were written before
the matcher was tried, by those who wrote it; so its figures say less of other people's words.
"""

from __future__ import annotations

import shlex
import sys
import tomllib
from pathlib import Path

import langwright
from langwright.cli.asking.choosing import called, chosen
from langwright.cli.asking.filling import filled
from langwright.cli.asking.matching import matches, shortlist
from langwright.cli.asking.spans import spans
from langwright.metrics.intervals import wilson
from langwright.tasks.front.model import Model

KINDS = {
    "text": "dataset", "clean": "dataset", "talks": "dataset", "topics": "dataset", "reviews": "dataset",
    "vocab": "tokenizer", "base": "model", "chat": "model", "labeller": "model", "measured": "report",
}  # fmt: skip


def kind_of(name: str) -> str:
    """The kind of what the requests' workspace holds."""
    if name in ("notes/", "talks.jsonl"):
        return "source"
    return KINDS.get(name.removeprefix("runs/"), "") if name.startswith("runs/") else ""


def command(request: str, model: Model | None = None) -> tuple[str, str]:
    """(the name of the command that is found, its line)."""
    found = spans(request, kind_of)
    ranked = matches(request, found)
    if model is None:
        call = filled(ranked[0].function, found)
        return call.function.name, call.line()
    function = chosen(model, request, shortlist(ranked))
    if function is None:
        return "none", "none"
    return function.name, called(model, request, function, found).line()


def requests() -> dict[str, list[tuple[str, str]]]:
    """Language -> (request, the command that does it)."""
    text = (Path(__file__).parent / "asked.toml").read_text(encoding="utf-8")
    return {language: [tuple(pair) for pair in part["requests"]] for language, part in tomllib.loads(text).items()}


def main(name: str | None) -> None:
    """Ask all of them."""
    model = None if name is None else langwright.load(name, max_batch=1)
    for language, pairs in requests().items():
        right, named = 0, 0
        for request, expected in pairs:
            found, line = command(request, model)
            same = shlex.split(line) == shlex.split(expected)
            right += same
            named += same or " ".join(shlex.split(expected)[1:]).startswith(found + " ") or expected.endswith(found)
            if not same:
                print(f"  {request}\n    expected {expected}\n    found    {line}")
        low, high = wilson(right, len(pairs))
        print(
            f"{language}: {right} of {len(pairs)} commands right [{low:.2f}, {high:.2f}], {named} with the right name"
        )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else None)
