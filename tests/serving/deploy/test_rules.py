"""Prometheus' files: its own checker and tests, and whether the server really has what the rules ask about."""

from __future__ import annotations

import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.serving.deploy.places import DEPLOY, compose, program
from tests.serving.deploy.test_proxy import free_port

from langwright.inference.fake import parrot
from langwright.serving.running import listen, server_for, url_of
from langwright.serving.settings import ServingSettings
from langwright.serving.stores.keys import create_key
from langwright.serving.stores.opening import in_memory

FOLDER = DEPLOY / "prometheus"
OF_PROMETHEUS = {"instance", "job", "alertname", "alertstate"}
WORD = re.compile(r"\b(?:langwright|process)_\w+")
LABELS = re.compile(r"\b(\w+)\{([^}]*)\}")


def rules() -> list[dict[str, Any]]:
    """The rules."""
    (group,) = yaml.safe_load((FOLDER / "langwright.rules.yml").read_text(encoding="utf-8"))["groups"]
    return group["rules"]


@pytest.mark.spec("SV6", "promtool takes the configuration and the rules, and each of them fires where it should")
def test_promtool_finds_nothing() -> None:
    promtool = program("promtool", "Debian: prometheus")
    for words in (
        ("check", "config", "--syntax-only", "prometheus.yml"),
        ("check", "rules", "--lint-fatal", "langwright.rules.yml"),
        ("test", "rules", "langwright.rules.test.yml"),
    ):
        done = subprocess.run([promtool, *words], cwd=FOLDER, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_rule_is_tried() -> None:
    text = (FOLDER / "langwright.rules.test.yml").read_text(encoding="utf-8")
    names = [rule["alert"] for rule in rules()]
    assert len(set(names)) == len(names)
    for rule in rules():
        assert f'alertname="{rule["alert"]}"' in text, rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket") and rule["annotations"]["action"]


@pytest.mark.spec("SV6", "every counter and label that an alert rule names is in a real answer of /metrics")
def test_the_counters_exist(serving: Callable[..., Any], watched: Callable[..., Any], tmp_path: Path) -> None:
    alerts = tmp_path / "alerts.toml"
    alerts.write_text('[[rule]]\nname = "slow"\non = {kind = "queue"}\n', encoding="utf-8")
    running = serving(watched()[1], monitoring={"alerts": str(alerts)})
    body = {"model": "parrot", "prompt": "a", "max_tokens": 4}
    with httpx.Client(base_url=running.url, trust_env=False) as client:
        assert client.post("/v1/completions", json=body).status_code == 200
        page = client.get("/metrics").text
    series = dict.fromkeys(re.findall(r"^# TYPE (\S+)", page, re.MULTILINE), frozenset[str]())
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? \S+$", page, re.MULTILINE):
        series[name] = frozenset(re.findall(r'(\w+)="', labels))
    asked = [(rule["alert"], rule["expr"]) for rule in rules()]
    for alert, expression in asked:
        bare = re.sub(r'"[^"]*"', "", expression)
        names = set(WORD.findall(bare))
        assert names <= set(series), f"{alert}: {names - set(series)}"
        for name, within in LABELS.findall(expression):
            labels = set(re.findall(r"(\w+)\s*[=!]", within)) - OF_PROMETHEUS
            assert name == "up" or labels <= series[name], f"{alert}: {name} has no {labels}"
    assert {name for _, text in asked for name in WORD.findall(text)} - {"process_open_fds", "process_max_fds"} >= {
        "langwright_requests_total", "langwright_time_to_first_token_seconds_bucket", "langwright_waiting",
    }  # fmt: skip


@pytest.mark.spec("SV6", "Prometheus' configuration fits the compose file: name, port, rules and the file of its key")
def test_it_fits_the_compose_file() -> None:
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text(encoding="utf-8"))
    service = compose()["services"]["prometheus"]
    (job,) = config["scrape_configs"]
    (target,) = job["static_configs"][0]["targets"]
    assert target == "server:8000" and job["metrics_path"] == "/metrics"
    assert set(service["networks"]) & set(compose()["services"]["server"]["networks"])
    assert job["authorization"]["credentials_file"] == f"/run/secrets/{service['secrets'][0]}"
    assert service["secrets"][0] in compose()["secrets"]
    mounted = next(volume for volume in service["volumes"] if volume.startswith("./"))
    assert (DEPLOY / mounted.split(":")[0]).resolve() == FOLDER
    flag = next(word for word in service["command"] if word.startswith("--config.file="))
    assert flag == f"--config.file={mounted.split(':')[1]}/prometheus.yml"
    assert all((FOLDER / name).is_file() for name in config["rule_files"])
    assert f'job="{job["job_name"]}"' in rules()[0]["expr"]


@pytest.mark.heavy
@pytest.mark.spec(
    "SV6",
    "Prometheus itself, with these files, reads a server that asks for keys, and its alerts hold nothing against it",
)
def test_prometheus_reads_a_server(tmp_path: Path) -> None:
    prometheus = program("prometheus", "Debian: prometheus")
    stores, listener, up = in_memory(), listen("127.0.0.1", 0), threading.Event()
    server = server_for(
        {"parrot": parrot()}, "127.0.0.1", listener, settings=ServingSettings(require_key=True), stores=stores,
        ready=lambda url: up.set(),
    )  # fmt: skip
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    assert up.wait(20)
    address = url_of("127.0.0.1", listener).removeprefix("http://")
    (tmp_path / "key").write_text(create_key(stores, name="n", purpose="p", scopes=("read",)).secret, encoding="utf-8")
    shutil.copy(FOLDER / "langwright.rules.yml", tmp_path)
    text = (FOLDER / "prometheus.yml").read_text(encoding="utf-8").replace("server:8000", address)
    text = text.replace("/run/secrets/metrics_key", str(tmp_path / "key")).replace("15s", "1s")
    (tmp_path / "prometheus.yml").write_text(text, encoding="utf-8")
    port = free_port()
    process = subprocess.Popen(
        [
            prometheus, f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/tsdb",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", trust_env=False) as client:
            targets, found = until_it_looked(client)
            assert [target["health"] for target in targets] == ["up"], targets
            assert {rule["name"] for rule in found} == {rule["alert"] for rule in rules()}
            assert {(rule["health"], rule["state"]) for rule in found} == {("ok", "inactive")}
            (up_now,) = client.get("/query", params={"query": "up"}).json()["data"]["result"]
            assert up_now["value"][1] == "1"
    finally:
        process.terminate()
        process.wait(20)
        server.should_exit = True
        thread.join(20)
        stores.close()


def until_it_looked(client: httpx.Client) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Its targets and rules, once it has read the former and evaluated the latter."""
    until = time.monotonic() + 60
    while True:
        assert time.monotonic() < until, "Prometheus did not look"
        try:
            targets = client.get("/targets").json()["data"]["activeTargets"]
            found = [rule for group in client.get("/rules").json()["data"]["groups"] for rule in group["rules"]]
        except (httpx.TransportError, ValueError):  # while it starts it says so in words
            targets, found = [], []
        if targets and targets[0]["health"] != "unknown" and found and all(r["health"] != "unknown" for r in found):
            return targets, found
        time.sleep(0.2)
