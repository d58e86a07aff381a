"""`python -m examples.bank.talk MODEL`: a customer talks to the clerk at the keyboard or from a pipe.

The state is kept in FILE when one is given with --state, and the talk goes on from it.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from examples.bank.bank import Bank, Transfer
from examples.bank.clerk import Clerk, state_from
from examples.bank.reading import ModelReader
from examples.bank.words import Language

from langwright import load

ACCOUNTS: dict[Language, dict[str, int]] = {
    "en": {"everyday": 123456, "savings": 500000},
    "zh": {"活期": 123456, "储蓄": 500000},
}
PEOPLE: dict[Language, tuple[str, ...]] = {"en": ("Bo", "Maria", "Li"), "zh": ("王芳", "李雷", "小明")}


def opened(file: Path | None, clerk: Clerk) -> None:
    """Go on from what was written down."""
    if file is not None and file.exists():
        kept = json.loads(file.read_text(encoding="utf-8"))
        clerk.state = state_from(kept["state"])
        clerk.bank.cents.update(kept["cents"])
        clerk.bank.transfers.update({one["id"]: Transfer(**one) for one in kept["transfers"]})


def keep(file: Path | None, clerk: Clerk) -> None:
    """Write down where the talk stands, whole or not at all."""
    if file is None:
        return
    transfers = [vars(one) for one in clerk.bank.transfers.values()]
    facts = {"state": clerk.state.facts(), "cents": clerk.bank.cents, "transfers": transfers}
    fresh = file.with_name(file.name + ".new")
    fresh.write_text(json.dumps(facts, ensure_ascii=False), encoding="utf-8")
    fresh.replace(file)


def main() -> None:
    """Talk until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", help="the model that knows the intents, or any model that writes")
    parser.add_argument("--language", choices=("en", "zh"), default="en")
    parser.add_argument("--state", type=Path, help="file that the talk is kept in")
    given = parser.parse_args()
    language: Language = given.language
    with load(given.model) as model:
        clerk = Clerk(Bank(dict(ACCOUNTS[language]), PEOPLE[language]), ModelReader(model), language)
        opened(given.state, clerk)
        for line in sys.stdin:
            if not line.strip():
                continue
            found = clerk.answer(line.strip())
            keep(given.state, clerk)
            told = f"   [{found.tool}: {json.dumps(dict(found.result), ensure_ascii=False)}]" if found.tool else ""
            print(f"{found.text}{told}", flush=True)


if __name__ == "__main__":
    main()
