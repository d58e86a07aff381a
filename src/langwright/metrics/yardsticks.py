"""What a kind of measure is: its name, unit and direction, how it is got, and what it does not show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from langwright.measures import Measure


class Interval(NamedTuple):
    """A 95 % interval."""

    low: float
    high: float


@dataclass(frozen=True)
class Yardstick:
    """One kind of measure, taken again and again.

    method         English template of how it is computed, with source; its Chinese twin is in the catalogue
    does_not_show  what a reader must not conclude from it; English, without fields
    """

    name: str
    unit: str
    better: Literal["higher", "lower", "neither"]
    method: str
    does_not_show: str

    def measure(
        self,
        value: float,
        interval: Interval | None = None,
        *,
        n: int,
        seed: int | None = None,
        name: str | None = None,
        **values: object,
    ) -> Measure:
        """One measured number. `values`, and n, fill the method's template; `name` is for kinds whose name has a field."""
        return Measure(
            name=name or self.name,
            value=float(value),
            low=None if interval is None else float(interval.low),
            high=None if interval is None else float(interval.high),
            n=n,
            unit=self.unit,
            better=self.better,
            method=self.method.format(n=n, **values),
            seed=seed,
            does_not_show=self.does_not_show,
        )


def signed(measures: Sequence[Measure], *, model: str = "", data: str = "", command: str = "") -> tuple[Measure, ...]:
    """The same measures, saying what they were measured on, with what data, and by which command.

    What a measure already says of itself is kept.
    """
    return tuple(
        m.model_copy(update={"model": m.model or model, "data": m.data or data, "command": m.command or command})
        for m in measures
    )
