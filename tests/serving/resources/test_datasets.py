"""Files that are uploaded, looked at, made into data sets and deleted; and whatever may go wrong on the way."""

from __future__ import annotations

import hashlib
import json
import socket
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient

from langwright.inference.texts.text import TextModel
from langwright.workspace import Workspace

Api = Callable[..., TestClient]
ROWS = b"".join(
    json.dumps({"text": f"{n}. \u6625\u5929 spring", "label": "zh" if n % 2 else "en"}, ensure_ascii=False).encode()
    + b"\n"
    for n in range(40)
)


def left(world: Workspace) -> list[str]:
    """What lies among the uploads, hidden files too."""
    folder = world.folder / "uploads"
    return sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []


def test_a_file_becomes_a_data_set(world: Workspace, api: Api, until: Callable[..., Any]) -> None:
    client = api()
    digest = hashlib.sha256(ROWS).hexdigest()
    made = client.put("/v1/datasets/topics.jsonl", content=ROWS, params={"sha256": digest})
    assert made.status_code == 201, made.text
    assert (made.json()["kind"], made.json()["bytes"]) == ("file", len(ROWS))
    assert (world.folder / "uploads/topics.jsonl").read_bytes() == ROWS and left(world) == ["topics.jsonl"]
    seen = client.get("/v1/datasets/topics.jsonl/preview", params={"rows": 2}).json()
    assert seen["schema_name"] == "classification" and "text" in seen["fits"] and "chat" not in seen["fits"]
    assert [row["label"] for row in seen["rows"]] == ["en", "zh"] and seen["rows"][1]["text"] == "1. 春天 spring"

    body = {"stage": "data-read", "name": "topics", "inputs": {"source": ["topics.jsonl"]}}
    body["settings"] = {"schema_name": "classification"}  # type: ignore[assignment]
    assert client.post("/v1/jobs", json=body).status_code == 202
    refused = client.delete("/v1/datasets/topics.jsonl", params={"confirm": "topics.jsonl"})
    assert refused.status_code == 409 and "topics" in refused.json()["error"]["problem"]
    job = until(lambda: client.get("/v1/jobs/topics").json(), lambda job: job["status"] not in ("queued", "running"))
    assert job["status"] == "finished", job
    listed = {one["name"]: one for one in client.get("/v1/datasets").json()["data"]}
    assert set(listed) == {"topics.jsonl", "text", "topics"}
    assert listed["topics"]["schema_name"] == "classification" and sum(listed["topics"]["splits"].values()) == 40
    seen = client.get("/v1/datasets/topics/preview", params={"rows": 3, "split": "validation"}).json()
    assert seen["schema_name"] == "classification" and len(seen["rows"]) == 3
    assert client.get("/v1/datasets/topics/preview", params={"split": "dev"}).status_code == 400

    assert client.delete("/v1/datasets/topics.jsonl", params={"confirm": "topics.jsonl"}).status_code == 200
    assert client.delete("/v1/datasets/topics", params={"confirm": "topics"}).status_code == 200
    assert left(world) == [] and not (world.runs_folder / "topics").exists()
    assert client.get("/v1/datasets/topics").status_code == 404


@pytest.mark.parametrize(
    ("name", "schema", "content"),
    [
        ("a.txt", "text", "Once upon a time.\n\n从前有一座山。\n".encode()),
        ("c.csv", "pair", b"text_a,text_b,label\nx,y,same\nz,w,other\n"),
        ("t.jsonl", "chat", b'{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}\n'),
        ("q.json", "qa", b'[{"question":"Who?","context":"Ann ran.","answers":[{"text":"Ann","start":0}]}]'),
        ("n.tsv", "translation", b"text\ttranslation\na\tb\n"),
        ("b.conll", "tagging", b"Ann B-name\nran O\n\n"),
    ],
)
def test_kinds_are_guessed(api: Api, name: str, schema: str, content: bytes) -> None:
    client = api()
    made = client.put(f"/v1/datasets/{name}", content=content)
    assert made.status_code == 201, made.text
    seen = client.get(f"/v1/datasets/{name}/preview").json()
    assert seen["schema_name"] == schema, seen["fits"]


@pytest.mark.parametrize(
    ("name", "content", "status", "param", "words"),
    [
        ("rows.jsonl", b"", 422, "name", "not what its name"),
        ("rows.jsonl", b"\x89PNG\r\n\x1a\n" + bytes(2000), 422, "name", "not what its name"),
        ("rows.jsonl", b"this is prose\n", 422, "name", "not what its name"),
        ("rows.jsonl", b"[1, 2]\n", 422, "name", "not what its name"),
        ("rows.json", b'{"a": ', 422, "name", "not what its name"),
        ("rows.json", b"[" * 100_000, 422, "name", "not what its name"),
        ("rows.parquet", b"PAR1" + bytes(100) + b"PAR1", 422, "name", "not what its name"),
        ("rows.csv", b"a,b\n1\n", 422, "name", "not what its name"),
        ("notes.txt", b"MZ\x00\x00\xff\xfe\x00" * 500, 422, "name", "not what its name"),
        ("rows", b"a", 422, "name", "does not say what the file holds"),
        ("rows.exe", b"a", 422, "name", "does not say what the file holds"),
        (".hidden.txt", b"a", 422, "name", "cannot be the name"),
        ("a.partial", b"a", 422, "name", "cannot be the name"),
        ("..%5Ca.txt", b"a", 422, "name", "cannot be the name"),
        ("a%00.txt", b"a", 422, "name", "cannot be the name"),
        ("x" * 200 + ".txt", b"a", 422, "name", "cannot be the name"),
    ],
)  # fmt: skip
def test_files_that_are_refused(
    world: Workspace, api: Api, name: str, content: bytes, status: int, param: str, words: str
) -> None:
    answer = api().put(f"/v1/datasets/{name}", content=content)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (status, param), error
    assert words in error["message"] and str(world.folder) not in error["message"]
    assert left(world) == []


@pytest.mark.parametrize(
    "name", ["../text.txt", "..%2ftext.txt", "%2e%2e%2ftext.txt", "a/b.txt", "%2fetc%2fpasswd.txt"]
)
@pytest.mark.parametrize("method", ["PUT", "GET", "DELETE"])
def test_no_way_out(world: Workspace, api: Api, name: str, method: str) -> None:
    outside = world.folder / "text.txt"
    outside.write_text("not yours")
    answer = api().request(
        method, f"/v1/datasets/{name}", content=b"mine", params={"confirm": "x"} if method == "DELETE" else {}
    )
    assert answer.status_code in (404, 405, 422), answer.text
    assert outside.read_text() == "not yours" and left(world) == []


def test_too_large_and_changed_and_there_already(world: Workspace, api: Api) -> None:
    client = api(max_upload_bytes=1000)
    assert client.put("/v1/datasets/a.txt", content=b"a" * 1001).status_code == 413
    streamed = client.put("/v1/datasets/a.txt", content=iter([b"a" * 600, b"b" * 600]))  # no length is stated
    assert streamed.status_code == 413 and left(world) == []
    wrong = client.put("/v1/datasets/a.txt", content=b"hello", params={"sha256": "0" * 64})
    assert (wrong.status_code, wrong.json()["error"]["param"]) == (422, "sha256") and left(world) == []
    assert client.put("/v1/datasets/a.txt", content=b"hello", params={"sha256": "x"}).status_code == 422
    assert client.put("/v1/datasets/a.txt", content=b"hello").status_code == 201
    assert client.put("/v1/datasets/a.txt", content=b"other").status_code == 409
    assert (world.folder / "uploads/a.txt").read_bytes() == b"hello"
    assert client.get("/v1/datasets/a.txt/preview", params={"schema_name": "poem"}).status_code == 422
    assert client.get("/v1/datasets/a.txt/preview", params={"schema_name": "chat"}).status_code == 400


def test_a_disk_that_is_full(world: Workspace, api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno

    from langwright.serving.resources import uploads

    async def full(*_: object) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")

    client = api()
    monkeypatch.setattr(uploads, "written", full)
    answer = client.put("/v1/datasets/a.txt", content=b"hello")
    assert answer.status_code == 507 and left(world) == []
    monkeypatch.undo()
    monkeypatch.setattr(uploads, "SPARE", 1 << 62)
    assert client.put("/v1/datasets/a.txt", content=b"hello").status_code == 507


def test_an_upload_that_is_cut_off_leaves_nothing(
    world: Workspace, serving: Callable[..., Any], watched: Callable[..., tuple[Any, TextModel]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(world.folder)
    _, model = watched()
    url = httpx.URL(serving(model).url)
    head = f"PUT /v1/datasets/cut.txt HTTP/1.1\r\nHost: {url.host}:{url.port}\r\nContent-Length: 100000\r\n\r\n"
    with socket.create_connection((url.host, url.port)) as caller:
        caller.sendall(head.encode() + b"a" * 5000)
        deadline = time.monotonic() + 10
        while not left(world) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert len(left(world)) == 1 and left(world)[0].startswith(".cut.txt.")
    while left(world) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert left(world) == []
    assert httpx.get(f"{url}/v1/datasets/cut.txt").status_code == 404
