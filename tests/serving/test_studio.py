"""GET / and its files: the studio where it was built, how to get it where it was not; both under a strict policy."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from langwright.serving import studio


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A built studio."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><title>studio</title>")
    (tmp_path / "assets/index-abc_1.js").write_text("1")
    (tmp_path / "assets/secret.txt").write_text("no")
    (tmp_path / "beside.js").write_text("no")
    monkeypatch.setattr(studio, "WEB", tmp_path)
    return tmp_path


def test_the_page_may_load_nothing_from_elsewhere(client: TestClient, web: Path) -> None:
    page = client.get("/")
    assert "studio" in page.text and page.headers["cache-control"] == "no-cache"
    policy = page.headers["content-security-policy"]
    assert (
        "default-src 'none'" in policy
        and "unsafe" not in policy
        and "http" not in policy
        and "frame-ancestors 'none'" in policy
    )
    asset = client.get("/assets/index-abc_1.js")
    assert asset.text == "1" and asset.headers["content-type"].startswith("text/javascript")
    assert "immutable" in asset.headers["cache-control"] and asset.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["secret.txt", "none.js", "..%2fbeside.js", "%2e%2e/beside.js", ".hidden.js"])
def test_other_files_are_not_given_out(client: TestClient, web: Path, name: str) -> None:
    assert client.get(f"/assets/{name}").status_code == 404


@pytest.mark.parametrize(("language", "said"), [("en", "was not built"), ("zh", "尚未构建")])
def test_without_a_build_it_says_how_to_get_one(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str, said: str
) -> None:
    monkeypatch.setattr(studio, "WEB", tmp_path / "nothing")
    page = client.get("/", headers={"Accept-Language": language})
    assert page.status_code == 200 and said in page.text and "make studio" in page.text
    assert client.get("/assets/index.js").status_code == 404
    assert client.get("/docs").status_code == 200
