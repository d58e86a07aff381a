"""What a run costs: counters as Linux keeps them, the model by hand, emissions by hand."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest

from langwright.evaluation.pages.bilingual import translated
from langwright.training.cost import CostSettings, Rapl, Spent, cost_measures, meter, modelled_watts


def zone(folder, name, kind, microjoules, most=1_000_000):
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    (place / "name").write_text(kind + "\n")
    (place / "energy_uj").write_text(f"{microjoules}\n")
    (place / "max_energy_range_uj").write_text(f"{most}\n")
    return place


def test_the_model_is_the_sum_of_its_parts():
    cost = CostSettings(watts_per_core=10.0, watts_per_gpu=300.0)
    assert modelled_watts(cost, cores=2, gpus=1, gigabytes=8.0) == pytest.approx(20 + 300 + 8 * 0.3725)


@pytest.mark.spec("TR18", "energy, PUE and the grid's intensity give emissions as computed by hand")
def test_emissions_by_hand():
    spent = Spent(100.0, 5.0, 1.0, joules=7.2e6, counted="", cost=CostSettings(grams_per_kwh=500.0, pue=1.5))
    assert spent.grams == pytest.approx(2 * 1.5 * 500)
    found = {m.name: m for m in cost_measures(spent, flops=2e12, rate=1e11, dtype="float32", updates=7, command="")}
    assert found["share of the matrix rate"].value == pytest.approx(0.2)  # 20 GFLOP/s of 100
    assert found["energy"].value == pytest.approx(2000)  # Wh
    assert found["emissions"].value == pytest.approx(1500)
    assert "PUE 1.5" in found["emissions"].method and "500.0 g" in found["emissions"].method
    assert (found["time for evaluation"].value, found["time for checkpoints"].value) == (5, 1)


@pytest.mark.spec("TR18", "a processor's counters are read: packages and memory, each once, through their wrap-around")
def test_counters_of_the_processor(tmp_path):
    package = zone(tmp_path, "intel-rapl:0", "package-0", 900_000)
    memory = zone(tmp_path, "intel-rapl:0:1", "dram", 10)
    zone(tmp_path, "intel-rapl:0:0", "core", 5)  # inside the package
    zone(tmp_path, "intel-rapl:1", "psys", 5)  # all of it once more
    found = Rapl.found(tmp_path)
    assert [z.name for z in found.zones] == ["intel-rapl:0", "intel-rapl:0:1"]
    (package / "energy_uj").write_text("950000")
    (memory / "energy_uj").write_text("20010")
    assert found.joules(1.0) == pytest.approx(0.05 + 0.02)
    (package / "energy_uj").write_text("100000")  # begun anew at a million
    assert found.joules(1.0) == pytest.approx(0.15)


def test_a_counter_that_may_not_be_read_is_none(tmp_path):
    assert Rapl.found(tmp_path) is None
    (zone(tmp_path, "intel-rapl:0", "package-0", 1) / "energy_uj").unlink()
    assert Rapl.found(tmp_path) is None


def test_without_counters_the_whole_is_reckoned(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr("langwright.training.cost.time.monotonic", lambda: now[0])
    found = meter(CostSettings(), device="cpu", cores=2, gigabytes=2.0, folder=tmp_path)
    now[0] += 10
    assert found.lap() == pytest.approx(10 * (24 + 0.745))
    assert found.lap() == 0
    assert found.counted.startswith("reckoned, not counted: 24.7 W")
    assert translated(found.counted).zh.startswith("推算而非计数：整个运行期间按 24.7 W 计（2 个核心")


def test_what_has_a_counter_is_not_reckoned_too(tmp_path, monkeypatch):
    package = zone(tmp_path, "intel-rapl:0", "package-0", 0)
    monkeypatch.setitem(sys.modules, "pynvml", None)  # the library is not there
    found = meter(CostSettings(), device="cpu", cores=2, gigabytes=2.0, folder=tmp_path)
    (package / "energy_uj").write_text("700000")
    assert found.lap() == pytest.approx(0.7)
    assert found.counted == "counted by the processor, other programs included"
    beside = meter(CostSettings(watts_per_gpu=250.0), device="cuda:0", cores=2, gigabytes=2.0, folder=tmp_path)
    assert "the rest reckoned with 250 W" in beside.counted
    assert translated(beside.counted).zh == "由处理器计数，包括其他程序；其余部分整个运行期间按 250 W 推算"


def test_a_gpu_that_counts_is_asked(tmp_path, monkeypatch):
    millijoules = [5000]
    nvml = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByIndex=lambda number: number,
        nvmlDeviceGetTotalEnergyConsumption=lambda handle: millijoules[0] + handle,
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    zone(tmp_path, "intel-rapl:0", "package-0", 0)
    found = meter(CostSettings(), device="cuda:1", cores=2, gigabytes=2.0, folder=tmp_path)
    millijoules[0] += 3000
    assert found.lap() == pytest.approx(3.0)
    assert found.counted == "counted by the processor and the GPU, other programs included"
