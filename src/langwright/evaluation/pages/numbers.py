"""Numbers as a person reads them: few digits, units, both languages."""

from __future__ import annotations

import math

from langwright.evaluation.pages.bilingual import Words, both, plain, translated
from langwright.measures import Measure

_SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float, digits: int = 4) -> str:
    """A number with so many significant digits, thousands parted, very large and small ones as powers of ten.

    >>> [number(v) for v in (0, 1234567, 12.3456, 0.00001234, 2.5e15)]
    ['0', '1,234,567', '12.35', '1.234 × 10⁻⁵', '2.5 × 10¹⁵']
    """
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    size = math.floor(math.log10(abs(value)))
    if size >= 12 or size < -4:
        return f"{trimmed(f'{value / 10**size:.{digits - 1}f}')} × 10{str(size).translate(_SUPERSCRIPT)}"
    if float(value).is_integer() or size >= digits:
        return f"{value:,.0f}"
    return trimmed(f"{value:,.{max(0, digits - 1 - size)}f}")


def trimmed(text: str) -> str:
    """Without noughts at the end of its decimals."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def short(value: float) -> str:
    """A number for the tick of an axis or a headline: 1.5k, 20M.

    >>> [short(v) for v in (0, 950, 1500, 20_000_000, 8.3e6, 0.25)]
    ['0', '950', '1.5k', '20M', '8.3M', '0.25']
    """
    for limit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit:
            return f"{value / limit:.3g}{letter}"
    return f"{value:.3g}"


def share(value: float) -> str:
    r"""A share as per cent.

    >>> [share(v) for v in (0, 0.8333, 0.00123, 1)]
    ['0\xa0%', '83.3\xa0%', '0.12\xa0%', '100\xa0%']
    """
    percent = 100 * value
    return f"{trimmed(f'{percent:.1f}' if abs(percent) >= 1 else f'{percent:.2f}')}\u00a0%"


def duration(seconds: float) -> Words:
    """A time: '3 min 20 s'."""
    if seconds < 60:
        return both("{seconds} s", seconds=number(seconds, 3))
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return both("{minutes} min {seconds} s", minutes=minutes, seconds=rest)
    hours, minutes = divmod(minutes, 60)
    return both("{hours} h {minutes} min", hours=f"{hours:,}", minutes=minutes)


def size(count: float) -> str:
    """Bytes: '1.2 MB'.

    >>> [size(v) for v in (1_234_567, -2e9)]
    ['1.23 MB', '-2 GB']
    """
    for limit, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if abs(count) >= limit:
            return f"{count / limit:.3g} {unit}"
    return f"{count:.0f} B"


def flops(count: float) -> str:
    """Operations: '81.5 GFLOP'.

    >>> [flops(v) for v in (8.15e10, 3.2e15)]
    ['81.5 GFLOP', '3.2 PFLOP']
    """
    for limit, unit in ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")):
        if abs(count) >= limit:
            return f"{count / limit:.3g} {unit}FLOP"
    return f"{count:.0f} FLOP"


def quantity(value: float, unit: str) -> Words:
    """A value with its unit, as suits the unit."""
    if unit == "share":
        return plain(share(value))
    if unit == "s":
        return duration(value)
    if unit == "bytes":
        return plain(size(value))
    if unit == "FLOP":
        return plain(flops(value))
    return plain(number(value)) if not unit else both("{value} {unit}", value=number(value), unit=translated(unit))


def value_of(measure: Measure) -> Words:
    """A measure's value with its unit."""
    return quantity(measure.value, measure.unit)


def interval_of(measure: Measure) -> str:
    """A measure's 95 % interval, or a dash."""
    if measure.low is None or measure.high is None:
        return "–"
    form = {"share": share, "bytes": size, "FLOP": flops}.get(measure.unit, number)
    return f"{form(measure.low)} – {form(measure.high)}"
