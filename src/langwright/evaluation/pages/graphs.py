"""A graph of named things on a circle as inline SVG: lines as wide as what they join stands together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from langwright.evaluation.pages.bilingual import Words
from langwright.evaluation.pages.charts import WIDTH, figure

HEIGHT = 430
RADIUS = 135.0
WIDEST = 5.0


def circle_graph(title: Words, names: Sequence[str], weights: Mapping[tuple[str, str], float]) -> Markup:
    """Names around a circle, a line for each pair; the empty string where there is none.

    weights  of pairs of names, positive
    """
    if not names or not weights:
        return Markup("")
    across, down = WIDTH / 2, HEIGHT / 2
    turns = {name: 2 * math.pi * place / len(names) - math.pi / 2 for place, name in enumerate(names)}
    places = {name: (across + RADIUS * math.cos(turn), down + RADIUS * math.sin(turn)) for name, turn in turns.items()}
    most = max(weights.values())
    line = Markup(
        '<path class="line faint" style="stroke-width:{:.2f}" d="M{:.1f} {:.1f} Q{:.1f} {:.1f} {:.1f} {:.1f}">'
        "<title>{} – {}: {:g}</title></path>"
    )
    drawn = [
        line.format(max(0.4, WIDEST * weight / most), *places[one], across, down, *places[other], one, other, weight)
        for (one, other), weight in sorted(weights.items(), key=lambda pair: pair[1])
    ]
    return figure(title, HEIGHT, Markup("").join([*drawn, *(label(name, turns[name], *places[name]) for name in names)]))  # fmt: skip


def label(name: str, turn: float, x: float, y: float) -> Markup:
    """A dot and a name outside the circle, read from the middle on the right side and towards it on the left."""
    left = math.cos(turn) < -1e-9
    degrees = math.degrees(turn) + (180 if left else 0)
    dot = Markup('<circle class="line c0" cx="{:.1f}" cy="{:.1f}" r="3"/>').format(x, y)
    text = Markup('<text class="name" x="{}" y="4" text-anchor="{}">{}</text>').format(
        -8 if left else 8, "end" if left else "start", name if len(name) <= 16 else name[:15] + "…"
    )
    return dot + Markup('<g transform="translate({:.1f} {:.1f}) rotate({:.1f})">{}</g>').format(x, y, degrees, text)
