"""A curve in text, for the terminal."""

from __future__ import annotations

from collections.abc import Sequence

BLOCKS = " ▁▂▃▄▅▆▇█"


def curve(values: Sequence[float], height: int = 5) -> list[str]:
    """Lines of a chart with a column a value, from nought to the largest, which stands beside it.

    >>> print("\\n".join(curve([0.0, 1.0, 2.0, 1.0], height=1)))
    2 ┤ ▄█▄
    0 └────
    """
    top = max(values, default=0.0)
    eighths = [round(value / top * height * 8) if top > 0 else 0 for value in values]
    label = f"{top:.3g}"
    lines = []
    for row in reversed(range(height)):
        bar = "".join(BLOCKS[max(0, min(8, filled - 8 * row))] for filled in eighths)
        lines.append(f"{label if row == height - 1 else '':>{len(label)}} ┤{bar}".rstrip())
    return [*lines, f"{'0':>{len(label)}} └{'─' * len(values)}"]
