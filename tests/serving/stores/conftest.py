"""Every test of the stores runs on SQLite and on a real PostgreSQL server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.serving.stores.postgres import Postgres, missing

from langwright.serving.stores.opening import Stores, open_stores
from langwright.serving.stores.sealing import Seal


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server; tests that need it are skipped, with the reason, where there can be none."""
    if reason := missing():
        pytest.skip(reason)
    server = Postgres()
    yield server
    server.end()


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def new_url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], str]]:
    """`new_url()` is the URL of another empty store of this kind."""
    count = iter(range(100))
    if kind == "sqlite":
        yield lambda: f"sqlite:///{tmp_path / f'store{next(count)}.db'}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    given: list[str] = []

    def new() -> str:
        given.append(server.fresh())
        return given[-1]

    yield new
    for url in given:
        server.take_back(url)


@pytest.fixture
def url(new_url: Callable[[], str]) -> str:
    return new_url()


@pytest.fixture
def opened() -> Iterator[Callable[..., Stores]]:
    """`opened(url, seal=…)` are stores that are closed at the end."""
    all_of_them: list[Stores] = []

    def call(url: str, seal: Seal | None = None, *, texts: bool = True) -> Stores:
        all_of_them.append(open_stores(url, seal, texts=texts))
        return all_of_them[-1]

    yield call
    for stores in all_of_them:
        stores.close()


@pytest.fixture
def stores(url: str, opened: Callable[..., Stores]) -> Stores:
    return opened(url)
