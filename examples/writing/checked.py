"""How many of a model's weather reports hold: it goes on from beginnings, and what it writes is read and looked at.

    python -m examples.writing.checked runs/writing/writer [--count 50]

Drawn at temperature 0.8 among the likeliest tokens of 95 % together, seeds 0, 1, 2, …; intervals are Wilson's.
"""

from __future__ import annotations

import argparse
import random
from dataclasses import astuple, fields
from typing import TYPE_CHECKING

from examples.writing.reports import DAYS, PLACES, Found, Language, beginning, looked_at

if TYPE_CHECKING:
    from langwright import Model

MOST = 90  # tokens; a report has about 40


def written(model: Model, language: Language, count: int) -> list[str]:
    """So many reports, from beginnings that are drawn."""
    drawn = random.Random(0)
    texts = []
    for seed in range(count):
        asked = beginning(language, drawn.choice(PLACES[language]), drawn.choice(DAYS[language]))
        texts.append(asked + model.generate(asked, max_new_tokens=MOST, temperature=0.8, top_p=0.95, seed=seed))
    return texts


def main() -> None:
    """Print a line for each language and each thing that is looked at."""
    import langwright as lw
    from langwright.metrics.intervals import wilson

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("model", help="the model's folder")
    parser.add_argument("--count", type=int, default=50, help="reports in each language")
    given = parser.parse_args()
    languages: tuple[Language, ...] = ("en", "zh")
    with lw.load(given.model) as model:
        for language in languages:
            texts = written(model, language, given.count)
            found = [looked_at(text, language) for text in texts]
            print(f"{language}: {texts[0]}")
            named = zip([field.name for field in fields(Found)], zip(*map(astuple, found), strict=True), strict=True)
            for name, held in [*named, ("all", [one.all for one in found])]:
                low, high = wilson(sum(held), len(held))
                print(f"  {name:7} {sum(held)} / {len(held)}  [{low:.2f}, {high:.2f}]")


if __name__ == "__main__":
    main()
