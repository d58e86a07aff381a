"""The studio as it is built: small enough, right by its own tests, and every screen in a real browser over a recorded server."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from scripts import studio

FIRST_LOAD = 300_000  # bytes, gzipped


@pytest.fixture(scope="module")
def node() -> str:
    """The path on which Node is, with what the lock file says installed."""
    path = studio.find_node(fetch=False)
    if path is None:
        pytest.skip("no Node 20.19 or newer on this computer")
    try:
        studio.with_packages(path)
    except studio.Failed:
        pytest.skip("the npm registry cannot be reached from here")
    return path


@pytest.fixture(scope="module")
def built(node: str) -> Path:
    """The folder of the built files."""
    studio.build(node)
    return studio.WEB


def npx(node: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [str(shutil.which("npx", path=node)), *words]
    environment = {**os.environ, "PATH": node, "CI": "1"}
    return subprocess.run(command, cwd=studio.STUDIO, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_the_first_load_is_small_and_all_from_here(built: Path) -> None:
    index = (built / "index.html").read_text(encoding="utf-8")
    loaded = [built / name.lstrip("/") for name in re.findall(r'(?:src|href)="([^"]+)"', index)]
    assert loaded and all(file.is_file() for file in loaded)
    size = sum(len(gzip.compress(file.read_bytes())) for file in [built / "index.html", *loaded])
    assert size < FIRST_LOAD
    assert "<script>" not in index and "<style" not in index and "//" not in index.replace("<!doctype", "")


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_the_types_are_what_the_tool_makes(node: str, tmp_path: Path) -> None:
    (tmp_path / "openapi.json").write_text(studio.interface(), encoding="utf-8")
    done = npx(
        node, "openapi-typescript", str(tmp_path / "openapi.json"), *studio.TYPES, "-o", str(tmp_path / "schema.d.ts")
    )
    assert done.returncode == 0, done.stdout + done.stderr
    kept = studio.SCHEMA.read_text(encoding="utf-8").partition("\n")[2]
    assert kept == (tmp_path / "schema.d.ts").read_text(encoding="utf-8")


@pytest.mark.heavy
@pytest.mark.timeout(900)
def test_its_parts_do_what_they_should(node: str) -> None:
    done = npx(node, "vitest", "run")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.heavy
@pytest.mark.timeout(1800)
def test_every_screen_in_a_browser(node: str, built: Path) -> None:
    if shutil.which(os.environ.get("CHROMIUM", "chromium")) is None:
        pytest.skip("no Chromium on this computer; name one with CHROMIUM")
    done = npx(node, "playwright", "test", "tests/screens")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_was_recorded_names_no_place_on_a_computer(language: str) -> None:
    text = (studio.STUDIO / f"tests/recorded/{language}.json").read_text(encoding="utf-8")
    assert not re.search(r'"/(?!v1|["\s])[a-z]+/[^"]*"', text.replace('"GET /', '"GET').replace('"POST /', '"POST'))
    assert json.loads(text)["answers"]["GET /v1/runs/nobody"]["status"] == 404
