"""Refusals in the caller's language, in one shape."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from langwright.serving.complaints import preferred, weight_of


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-GB", "en"),
        ("fr, en;q=0.5, zh-TW;q=0.9", "zh"),
        ("zh;q=0, en;q=0.1", "en"),
        ("fr", None),
        ("", None),
        ("zh;q=high", None),
        ("*", None),
        (";;,,q=1", None),
    ],
)
def test_the_preferred_language(header: str, language: str | None) -> None:
    assert preferred(header) == language


def test_weights() -> None:
    assert weight_of("q=0.5") == 0.5 and weight_of(" q=1") == 1 and weight_of("") == 1 and weight_of("q=") == 0


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "chinese"),
    [
        ("POST", "/v1/completions", {"model": "parrot", "prompt": "a", "tools": []}, 422, "字段"),
        ("POST", "/v1/completions", {"model": "parrot", "prompt": "a", "user": "x"}, 400, "本版本不支持"),
        ("POST", "/v1/completions", {"model": "parrot"}, 422, "缺少字段"),
        ("POST", "/v1/completions", {"model": "parrot", "prompt": "a", "temperature": 9}, 422, "不被允许"),
        ("POST", "/v1/completions", {"model": "parrot", "prompt": "x" * 2000}, 400, "上下文"),
        ("POST", "/generate", {"text": "a", "max_length": 9999}, 400, "上限"),
        ("GET", "/generate", None, 405, "不接受"),
    ],
)
def test_both_languages(client: TestClient, method: str, path: str, body: object, status: int, chinese: str) -> None:
    english = client.request(method, path, json=body, headers={"Accept-Language": "en"})
    other = client.request(method, path, json=body, headers={"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.8"})
    assert english.status_code == other.status_code == status
    assert english.headers["content-language"] == "en" and other.headers["content-language"] == "zh"
    first, second = english.json()["error"], other.json()["error"]
    assert chinese in second["message"] and chinese not in first["message"]
    assert chinese.encode() in other.content
    assert {name: first[name] for name in ("type", "param", "code")} == {
        name: second[name] for name in ("type", "param", "code")
    }


def test_where_json_breaks_is_said(client: TestClient) -> None:
    headers = {"Content-Type": "application/json", "Accept-Language": "zh"}
    error = client.post("/v1/completions", content=b'{"model":\n  oops}', headers=headers).json()["error"]
    assert error["params"] == {"line": 2, "column": 3}
    assert error["problem"] == "请求体不是有效的 JSON：第 2 行第 3 列无法读取"
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    error = client.post("/generate", content=b"text=%ff", headers=headers).json()["error"]
    assert error["problem"] == "无法读取表单：不是 UTF-8 编码"


def test_the_language_of_one_request_is_not_that_of_the_next(client: TestClient) -> None:
    zh = client.post("/v1/completions", json={}, headers={"Accept-Language": "zh"})
    assert zh.headers["content-language"] == "zh"
    assert client.post("/v1/completions", json={}).headers["content-language"] == "en"


def test_unknown_paths_name_the_nearest(client: TestClient) -> None:
    answer = client.post("/v1/chat/completion", json={})
    assert answer.status_code == 404 and "did you mean '/v1/chat/completions'?" in answer.json()["error"]["fix"]


def test_long_values_are_not_echoed_whole(client: TestClient) -> None:
    answer = client.post("/v1/completions", json={"model": "parrot", "prompt": {"x": "y" * 10_000}})
    assert answer.status_code == 422 and len(answer.content) < 1000


@pytest.mark.parametrize(("language", "words"), [("en", "What this server does"), ("zh", "本服务器能做什么")])
def test_the_page_of_docs_needs_nothing_from_elsewhere(client: TestClient, language: str, words: str) -> None:
    answer = client.get("/docs", headers={"Accept-Language": language})
    assert answer.status_code == 200 and words in answer.text and f'lang="{language}"' in answer.text
    for elsewhere in ("<script", "<link", "<img", "src=", "https://", "url(", "@import"):
        assert elsewhere not in answer.text, elsewhere
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for field in ("max_completion_tokens", "top_k", "max_length", "stream_options"):
        assert f"<code>{field}</code>" in answer.text
    assert "<code>functions</code>" not in answer.text
    assert client.get("/redoc").status_code == 404


def test_model_names_cannot_write_into_the_page() -> None:
    from langwright.inference.fake import parrot
    from langwright.serving.app import build_app

    with TestClient(build_app({"<b>'x": parrot()}), base_url="http://localhost") as client:
        assert "<b>" not in client.get("/docs").text
