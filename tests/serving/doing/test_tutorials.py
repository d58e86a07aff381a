"""POST /generate: the tutorials' form, with the checks they leave out."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from langwright.inference.fake import parrot
from langwright.serving.app import build_app


@pytest.mark.spec("SV1", "POST /generate takes the tutorials' form fields and answers generated_text, in UTF-8")
def test_form_fields_as_in_the_tutorials(client: TestClient) -> None:
    answer = client.post("/generate", data={"text": "从前有座山", "max_length": "50"})
    assert answer.status_code == 200
    assert answer.json() == {"generated_text": "从前有座山从前有座山"}
    assert "从前有座山".encode() in answer.content


def test_forms_in_parts_and_json_mean_the_same(client: TestClient) -> None:
    wanted = client.post("/generate", data={"text": "你 a+b&c=\r\n%", "max_length": "50"}).json()
    assert wanted["generated_text"].startswith("你 a+b&c=\r\n%")
    parts = {"text": (None, "你 a+b&c=\r\n%"), "max_length": (None, "50")}
    assert client.post("/generate", files=parts).json() == wanted
    assert client.post("/generate", json={"text": "你 a+b&c=\r\n%", "max_length": 50}).json() == wanted


def test_max_length_counts_new_tokens(client: TestClient) -> None:
    assert client.post("/generate", data={"text": "abcdef", "max_length": "2"}).json() == {"generated_text": "abcdefab"}
    assert client.post("/generate", data={"text": "a" * 200}).json() == {"generated_text": "a" * 300}


def test_max_length_is_capped_by_the_context(client: TestClient) -> None:
    answer = client.post("/generate", data={"text": "a" * 1000, "max_length": "4000"})
    assert len(answer.json()["generated_text"]) == 1024


def test_the_first_model_unless_one_is_named() -> None:
    app = build_app({"one": parrot("one"), "two": parrot("two", reply=str.upper)})
    with TestClient(app, base_url="http://localhost") as client:
        assert client.post("/generate", data={"text": "a"}).json() == {"generated_text": "aa"}
        assert client.post("/generate", data={"text": "a", "model": "two"}).json() == {"generated_text": "aA"}
        assert client.post("/generate", data={"text": "a", "model": "tow"}).status_code == 404


@pytest.mark.spec("SV1", "bad fields of POST /generate get a 4xx that names the field, never a 500")
@pytest.mark.parametrize(
    ("fields", "status", "param"),
    [
        ({}, 422, "text"),
        ({"max_length": "5"}, 422, "text"),
        ({"text": ""}, 422, "text"),
        ({"text": "a", "max_length": "five"}, 422, "max_length"),
        ({"text": "a", "max_length": ""}, 422, "max_length"),
        ({"text": "a", "max_length": "0"}, 422, "max_length"),
        ({"text": "a", "max_length": "-3"}, 422, "max_length"),
        ({"text": "a", "max_length": "1.5"}, 422, "max_length"),
        ({"text": "a", "max_length": "٣"}, 422, "max_length"),
        ({"text": "a", "max_length": "9" * 50}, 422, "max_length"),
        ({"text": "a", "max_length": "5000"}, 400, None),
        ({"text": "a", "max_lenght": "5"}, 422, "max_lenght"),
        ({"text": "a" * 2000}, 400, None),
    ],
)
def test_bad_fields(client: TestClient, fields: dict[str, str], status: int, param: str | None) -> None:
    # an empty form has no Content-Type of its own in the client
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.post("/generate", data=fields, headers=headers)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param), answer.text


def test_a_field_given_twice(client: TestClient) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = client.post("/generate", content=b"text=a&text=b", headers=headers)
    assert answer.status_code == 422 and answer.json()["error"]["param"] == "text"


def test_a_file_is_not_a_field(client: TestClient) -> None:
    answer = client.post("/generate", files={"text": ("a.txt", b"abc")})
    assert answer.status_code == 422 and "is a file" in answer.json()["error"]["problem"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"text=%ff"),
        ("application/x-www-form-urlencoded", b"text=\xff"),
        ("multipart/form-data", b"text=a"),
        ("multipart/form-data; boundary=x", b"text=a"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nabc"),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nabc\r\n--x--\r\n"),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n\xff\r\n--x--\r\n',
        ),
    ],
)
def test_forms_that_cannot_be_read(client: TestClient, kind: str, body: bytes) -> None:
    answer = client.post("/generate", content=body, headers={"Content-Type": kind})
    assert answer.status_code == 400 and "cannot be read" in answer.json()["error"]["problem"]


def test_a_get_says_how(client: TestClient) -> None:
    answer: Any = client.get("/generate")
    assert answer.status_code == 405 and answer.headers["allow"] == "POST"
    assert answer.json()["error"]["fix"] == "use POST"
