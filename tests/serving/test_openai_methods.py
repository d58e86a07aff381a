"""Every method of the official client, found by walking it: done, or refused by name. A new one is in neither list."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import openai
import pytest
from openai._resource import SyncAPIResource
from pydantic import BaseModel
from starlette.testclient import TestClient

from langwright.inference.fake import parrot
from langwright.serving.app import build_app
from langwright.serving.openai.not_done import FAMILIES

CHAT: Any = [{"role": "user", "content": '{"ok": true}'}]
LOCAL = {  # they ask no server
    "webhooks.unwrap", "webhooks.verify_signature", "beta.agents.environments.files.prepare",
    "beta.agents.environments.files.prepare_directory", "beta.agents.sessions.artifacts.for_result",
}  # fmt: skip
OWN = {"conversations"}  # resources of ours that have the name of one of theirs
GIVEN: dict[str, dict[str, Any]] = {  # what cannot be told from the names of arguments
    "audio.voices.create": {"audio_sample": b"x"},
    "beta.agents.environments.files.upload": {"path": "/workspace/x"},
    "responses.stream": {"model": "m", "input": "x"},
    "uploads.upload_file_chunked": {"file": b"x", "filename": "x", "bytes": 1, "mime_type": "text/plain"},
    "videos.edit": {"video": b"x"},
    "videos.extend": {"video": b"x"},
}


class Answer(BaseModel):
    ok: bool


def chats(client: openai.OpenAI, resource: Any) -> None:
    assert resource.create(model="m", messages=CHAT).choices[0].message.content == '{"ok": true}'


def parses(client: openai.OpenAI, resource: Any) -> None:
    parsed = resource.parse(model="m", messages=CHAT, response_format=Answer).choices[0].message.parsed
    assert parsed == Answer(ok=True)


def streams(client: openai.OpenAI, resource: Any) -> None:
    with resource.stream(model="m", messages=CHAT) as stream:
        assert stream.get_final_completion().choices[0].message.content == '{"ok": true}'


def completes(client: openai.OpenAI, resource: Any) -> None:
    assert resource.create(model="m", prompt="你好").choices[0].text == "你好"


def embeds(client: openai.OpenAI, resource: Any) -> None:
    assert len(resource.create(model="m", input="abc").data[0].embedding) == 8


def lists(client: openai.OpenAI, resource: Any) -> None:
    assert [model.id for model in resource.list()] == ["m"]


def shows(client: openai.OpenAI, resource: Any) -> None:
    assert resource.retrieve("m").id == "m"


DONE: dict[str, Callable[[openai.OpenAI, Any], None]] = {
    "chat.completions.create": chats,
    "chat.completions.parse": parses,
    "chat.completions.stream": streams,
    "beta.chat.completions.create": chats,
    "beta.chat.completions.parse": parses,
    "beta.chat.completions.stream": streams,
    "completions.create": completes,
    "embeddings.create": embeds,
    "models.list": lists,
    "models.retrieve": shows,
}


def methods(resource: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, Any, Any]]:
    """(dotted name, the resource, the method) of everything that can be asked for."""
    for name in sorted(dir(type(resource))):
        if name.startswith(("_", "with_")):
            continue
        found = inspect.getattr_static(type(resource), name)
        if inspect.isfunction(found):
            if path:
                yield ".".join((*path, name)), resource, getattr(resource, name)
        elif isinstance(inner := getattr(resource, name), SyncAPIResource):
            yield from methods(inner, (*path, name))


def something(method: Any) -> dict[str, Any]:
    """A value for each argument that must be given."""
    needed = [one for one in inspect.signature(method).parameters.values() if one.default is one.empty]
    return {one.name: value_of(str(one.annotation)) for one in needed if one.kind != one.VAR_KEYWORD}


def value_of(annotation: str) -> Any:
    if "FileTypes" in annotation:
        return [b"x"] if re.match("(List|SequenceNotStr|Iterable|Sequence)", annotation) else b"x"
    if re.match("(List|SequenceNotStr|Iterable|Sequence)", annotation):
        return []
    return {"int": 1, "bool": True, "float": 1.0, "bytes": b"x"}.get(annotation, "x1")


def call(name: str, method: Any) -> None:
    """Call it, with what it says it lacks."""
    given = {**something(method), **GIVEN.get(name, {})}
    try:
        found = method(**given)
    except TypeError as error:
        lacks = re.search(r"(?:either )?\(?((?:'\w+'(?:, | and )?)+)", str(error))
        if "issing" not in str(error) or lacks is None:
            raise
        found = method(**{**dict.fromkeys(re.findall(r"'(\w+)'", lacks[1]), "x1"), **given})
    if hasattr(found, "__enter__"):
        with found:
            pass


@pytest.fixture(scope="module")
def client() -> Iterator[openai.OpenAI]:
    with TestClient(build_app({"m": parrot("m")}), base_url="http://localhost") as http:
        yield openai.OpenAI(
            base_url="http://localhost/v1", api_key="none", admin_api_key="none", http_client=http, max_retries=0
        )


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.spec("SV1", "every method of the official openai client works, or is refused by its name")
def test_every_method_works_or_is_refused_by_name(client: openai.OpenAI) -> None:
    seen, wrong, families = [], [], set()
    for name, resource, method in methods(client):
        seen.append(name)
        if name in DONE:
            DONE[name](client, resource)
        elif (
            name not in LOCAL and name.split(".")[0] not in OWN and not name.endswith(".connect")
        ):  # those open web sockets, below
            try:
                call(name, method)
                wrong.append(f"{name}: answered, and stands in no list")
            except openai.APIStatusError as error:
                said = error.response.json()["error"]
                families.add(error.request.url.path.split("/")[2])
                named = error.request.url.path in said["problem"]
                if error.status_code not in (400, 405) or not named:
                    wrong.append(f"{name}: {error.request.method} {error.request.url.path}: {error}")
            except Exception as error:
                wrong.append(f"{name}: {type(error).__name__} {error}")
    assert not wrong, "\n".join(wrong)
    assert {family.split("/")[0] for family in FAMILIES} - OWN <= families  # none is left over
    assert set(DONE) <= set(seen) and set(seen) >= LOCAL and len(seen) > 300


def test_the_async_client_has_the_same_methods(client: openai.OpenAI) -> None:
    from openai._resource import AsyncAPIResource

    def names(resource: Any, kind: type, path: tuple[str, ...] = ()) -> Iterator[str]:
        for name in sorted(dir(type(resource))):
            if not name.startswith(("_", "with_")) and not inspect.isfunction(
                inspect.getattr_static(type(resource), name)
            ):
                inner = getattr(resource, name)
                if isinstance(inner, kind):
                    yield ".".join((*path, name))
                    yield from names(inner, kind, (*path, name))

    other = openai.AsyncOpenAI(api_key="none", admin_api_key="none")
    assert list(names(client, SyncAPIResource)) == list(names(other, AsyncAPIResource))


@pytest.mark.parametrize("path", ["realtime", "responses", "live"])
def test_web_sockets_are_refused_by_name(serving: Callable[..., Any], path: str) -> None:
    running = serving(parrot())
    headers = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    }  # fmt: skip
    answer = httpx.get(f"{running.url}/v1/{path}?model=m", headers=headers)
    assert answer.status_code == 400 and f"/v1/{path}" in answer.json()["error"]["problem"]
