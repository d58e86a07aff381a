"""What a run costs besides time: energy, measured where the machine says it and else reckoned, and its emissions.

    energy in joules = seconds · (cores · watts a core + GPUs · watts a GPU + gigabytes · watts a gigabyte)
    emissions in grams CO2e = energy in kWh · PUE · grams a kWh

The first line is used for whatever has no counter. A processor's counter (RAPL) holds all that runs on it, so
that other programs are counted too; the model holds this run alone, at full load.

Source    Lannelongue, Grealey & Inouye 2021, Advanced Science 8:2100707, arXiv:2007.07610, equation 1; its tool's
          defaults for a processor and a GPU it does not know: 12 W a core, 200 W a GPU; 0.3725 W a GB of memory
          Ember 2025, Global Electricity Review: 473 g CO2e a kWh, the world's mean of 2024
          Linux, Documentation/power/powercap: energy_uj counts microjoules and begins anew at max_energy_range_uj
Differs from the paper: memory is what the run took at most, not what the machine has.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Protocol

from pydantic import Field

from langwright.measures import Measure
from langwright.settings import Settings

POWERCAP = Path("/sys/class/powercap")
WATTS_PER_GB = 0.3725
JOULES_PER_WH = 3600.0


class CostSettings(Settings):
    """What energy and emissions are reckoned with."""

    grams_per_kwh: Annotated[
        float, Field(ge=0, description="Grams of CO2e that a kWh here stands for; the world's mean of 2024 is 473")
    ] = 473.0
    pue: Annotated[
        float,
        Field(ge=1, description="Energy of the whole building for one unit in the machine; 1 outside of a data centre"),
    ] = 1.0
    watts_per_core: Annotated[
        float, Field(gt=0, description="Power of a busy core, where the processor has no counter that can be read")
    ] = 12.0
    watts_per_gpu: Annotated[
        float, Field(gt=0, description="Power of a busy GPU, where it has no counter that can be read")
    ] = 200.0


@dataclass(frozen=True)
class Spent:
    """What a run has taken.

    training, evaluating, saving  seconds; samples are part of evaluating
    joules                        in the machine
    counted                       where the energy is from, in words
    """

    training: float
    evaluating: float
    saving: float
    joules: float
    counted: str
    cost: CostSettings

    @property
    def grams(self) -> float:
        """Emissions in grams CO2e."""
        return emitted(self.joules, self.cost)


def emitted(joules: float, cost: CostSettings) -> float:
    """Emissions of this energy in grams CO2e."""
    return joules / JOULES_PER_WH / 1000 * cost.pue * cost.grams_per_kwh


def modelled_watts(cost: CostSettings, *, cores: int, gpus: int, gigabytes: float) -> float:
    """Power of what is fully busy."""
    return cores * cost.watts_per_core + gpus * cost.watts_per_gpu + gigabytes * WATTS_PER_GB


# --- counters ------------------------------------------------------------------------------------


class Counter(Protocol):
    """Something that knows the energy since it was last asked."""

    def joules(self, seconds: float) -> float:
        """Since the last call; `seconds` have passed since."""
        ...


@dataclass
class Rapl:
    """A processor's own counters, packages and memory."""

    zones: tuple[Path, ...]
    last: list[int]  # microjoules

    @classmethod
    def found(cls, folder: Path = POWERCAP) -> Rapl | None:
        """The counters of this machine; None where there are none, or only root may read them."""
        # A package counts what is inside of it (core, uncore), memory beside it; "psys" would count all of it again.
        zones = [
            zone
            for zone in sorted(folder.glob("intel-rapl:*"))
            if name_of(zone).startswith("package") or name_of(zone) == "dram"
        ]
        try:
            return cls(tuple(zones), [microjoules(zone) for zone in zones]) if zones else None
        except (OSError, ValueError):
            return None

    def joules(self, seconds: float) -> float:
        """Since the last call; a counter that began anew meanwhile did so once."""
        total = 0
        for number, zone in enumerate(self.zones):
            now = microjoules(zone)
            gone = now - self.last[number]
            total += gone if gone >= 0 else gone + int((zone / "max_energy_range_uj").read_text())
            self.last[number] = now
        return total / 1e6


def name_of(zone: Path) -> str:
    """What a RAPL zone counts; empty where it does not say."""
    try:
        return (zone / "name").read_text().strip()
    except OSError:
        return ""


def microjoules(zone: Path) -> int:
    """A RAPL zone's counter."""
    return int((zone / "energy_uj").read_text())


class Nvml:
    """A GPU's own counter, through the driver's library."""

    def __init__(self, number: int) -> None:
        """raises: ImportError without the library, its own error without a counter"""
        import pynvml

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(number)
        self._read: Callable[[], int] = lambda: int(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle))
        self._last = self._read()  # millijoules since the driver was loaded

    def joules(self, seconds: float) -> float:
        """Since the last call."""
        now = self._read()
        gone, self._last = now - self._last, now
        return gone / 1000


@dataclass(frozen=True)
class Modelled:
    """Power that is always the same."""

    watts: float

    def joules(self, seconds: float) -> float:
        """Of these seconds."""
        return self.watts * seconds


def gpu_counter(number: int) -> Nvml | None:
    """The counter of a GPU, or None where it cannot be read."""
    try:
        return Nvml(number)
    except Exception:  # no library, no driver, or a card without a counter: each has an error class of its own
        return None


class Meter:
    """Energy of this process's share of a run, lap by lap.

    counted  where it is from, in words: a template filled in, as a measure's method is
    """

    def __init__(self, counters: tuple[Counter, ...], counted: str) -> None:
        self.counters = counters
        self.counted = counted
        self._last = time.monotonic()

    def lap(self) -> float:
        """Joules since the last lap."""
        now = time.monotonic()
        seconds, self._last = now - self._last, now
        return sum(counter.joules(seconds) for counter in self.counters)


COUNTED = "counted by the processor, other programs included"
COUNTED_BOTH = "counted by the processor and the GPU, other programs included"
RECKONED = "reckoned, not counted: {watts} W for as long as the run took ({cores} cores at {core} W, {gpus} GPUs at {gpu} W, memory at 0.3725 W/GB)"
PARTLY = "counted by {name}, other programs included; the rest reckoned with {watts} W for as long as the run took"


def meter(cost: CostSettings, *, device: str, cores: int, gigabytes: float, folder: Path = POWERCAP) -> Meter:
    """A meter for a run on this device: counters where they can be read, the model for the rest."""
    kind, _, number = device.partition(":")
    gpus = int(kind == "cuda")
    processor = Rapl.found(folder)
    card = gpu_counter(int(number or 0)) if gpus else None
    watts = modelled_watts(
        cost, cores=0 if processor else cores, gpus=0 if card else gpus, gigabytes=0.0 if processor else gigabytes
    )
    counters: list[Counter] = [counter for counter in (processor, card) if counter is not None]
    if not counters:
        said = RECKONED.format(watts=f"{watts:.3g}", cores=cores, core=cost.watts_per_core, gpus=gpus, gpu=cost.watts_per_gpu)  # fmt: skip
    elif watts:
        said = PARTLY.format(name="the processor" if processor else "the GPU", watts=f"{watts:.3g}")
    else:
        said = COUNTED_BOTH if card else COUNTED
    return Meter((*counters, Modelled(watts)), said)


# --- what a run says of it -----------------------------------------------------------------------

EMITTED = "{energy} Wh · PUE {pue} · {grams} g CO2e/kWh"
OF_RATE = "training compute over training time, as a share of {rate} TFLOP/s, the best product of {dtype} matrices measured here"


def cost_measures(spent: Spent, *, flops: float, rate: float, dtype: str, updates: int, command: str) -> tuple[Measure, ...]:  # fmt: skip
    """Time beside the updates, share of the machine's rate, energy and emissions.

    flops  of the run, counted
    rate   of matrix products on this machine in FLOP/s, measured
    """
    made = "the making of the machine, and what it uses when it is idle"
    share = flops / max(spent.training, 1e-9) / rate
    energy = spent.joules / JOULES_PER_WH
    return (
        Measure(name="time for evaluation", value=spent.evaluating, unit="s", better="lower", n=updates,
                method="spent on validation rows and samples as the model learned", command=command),
        Measure(name="time for checkpoints", value=spent.saving, unit="s", better="lower", n=updates,
                method="spent on writing checkpoints", command=command),
        Measure(name="share of the matrix rate", value=share, unit="share", better="higher", n=updates, command=command,
                method=OF_RATE.format(rate=f"{rate / 1e12:.3g}", dtype=dtype),
                does_not_show="the share of the maker's peak, which no program reaches"),
        Measure(name="energy", value=energy, unit="Wh", better="lower", n=1, command=command,
                method=spent.counted, does_not_show=made),
        Measure(name="emissions", value=spent.grams, unit="g CO2e", better="lower", n=1, command=command,
                method=EMITTED.format(energy=f"{energy:.4g}", pue=spent.cost.pue, grams=spent.cost.grams_per_kwh),
                does_not_show=made),
    )  # fmt: skip
