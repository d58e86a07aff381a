"""Vectors, alternatives to a prompt's tokens, and marked answers over HTTP."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import numpy as np
import pytest
from starlette.testclient import TestClient
from tests.inference.tiny import LLAMA, random_model

from langwright.inference.engine import TorchEngine
from langwright.inference.fake import letters
from langwright.inference.texts.text import TextModel
from langwright.inference.watermark.keys import mark_of
from langwright.inference.watermark.settings import KGW
from langwright.serving.app import build_app

MARK = mark_of(KGW(bias=6.0), b"secret" * 5)


@pytest.fixture(scope="module")
def model() -> Iterator[TextModel]:
    config = LLAMA.__class__(**{**LLAMA.to_dict(), "vocab_size": len(letters()), "max_position_embeddings": 160})
    made = TextModel(TorchEngine(random_model(config, scale=3.0)), letters(), "tiny")
    yield made
    made.close()


@pytest.fixture
def client(model: TextModel) -> Iterator[TestClient]:
    with TestClient(build_app({"tiny": model}), base_url="http://localhost") as opened:
        yield opened


@pytest.mark.spec("T31", "vectors over HTTP in OpenAI's form: texts or ids, numbers or base64, at length 1")
def test_embeddings(client: TestClient, model: TextModel) -> None:
    texts = ["abc", "你好"]
    body = client.post("/v1/embeddings", json={"model": "tiny", "input": texts}).json()
    vectors = np.array([row["embedding"] for row in body["data"]], dtype=np.float32)
    np.testing.assert_allclose(vectors, model.embed(texts, normalise=True).vectors, atol=1e-6)
    assert [row["index"] for row in body["data"]] == [0, 1]
    assert body["usage"] == {"prompt_tokens": 9, "total_tokens": 9} and body["model"] == "tiny"
    ids = [model.tokenize(text) for text in texts]
    for given in (ids, texts):
        packed = client.post(
            "/v1/embeddings", json={"model": "tiny", "input": given, "encoding_format": "base64"}
        ).json()
        rows = [np.frombuffer(base64.b64decode(row["embedding"]), "<f4") for row in packed["data"]]
        np.testing.assert_allclose(rows, vectors, atol=1e-6)
    (one,) = client.post("/v1/embeddings", json={"model": "tiny", "input": ids[0], "dimensions": 32}).json()["data"]
    np.testing.assert_allclose(one["embedding"], vectors[0], atol=1e-6)
    plain = {"model": "tiny", "input": "abc", "pooling": "last", "normalise": False}
    (one,) = client.post("/v1/embeddings", json=plain).json()["data"]
    np.testing.assert_allclose(one["embedding"], model.embed(["abc"], pooling="last").vectors[0], atol=1e-6)


@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"dimensions": 16}, 400, "dimensions"),
        ({"input": []}, 422, "input"),
        ({"input": ""}, 400, None),
        ({"input": "x" * 500}, 400, None),
        ({"input": [10**6]}, 400, None),
        ({"pooling": "cls"}, 400, None),
        ({"pooling": "max"}, 422, "pooling"),
        ({"user": "me"}, 400, "user"),
        ({"model": "tny"}, 404, "model"),
        ({"truncate": True}, 422, "truncate"),
    ],
)
def test_what_embeddings_refuse(client: TestClient, change: dict[str, object], status: int, param: str | None) -> None:
    answer = client.post("/v1/embeddings", json={"model": "tiny", "input": "abc", **change})
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param), answer.text


@pytest.mark.spec("T30", "log-probabilities of a prompt's tokens over HTTP, with alternatives to each")
def test_alternatives_to_the_tokens_of_a_prompt(client: TestClient, model: TextModel) -> None:
    body = {"model": "tiny", "prompt": "abcd", "echo": True, "logprobs": 3, "max_tokens": 2, "temperature": 0}
    (choice,) = client.post("/v1/completions", json=body).json()["choices"]
    told = choice["logprobs"]
    assert choice["text"].startswith("abcd") and len(told["tokens"]) == 6
    assert told["token_logprobs"][0] is None and told["top_logprobs"][0] == {}
    (tokens,) = model.engine.alternatives([model.tokenize("abcd")], 3)
    for place, token in enumerate(tokens, 1):
        near = told["top_logprobs"][place]
        assert told["token_logprobs"][place] == pytest.approx(token.logprob, abs=1e-5)
        assert near[told["tokens"][place]] == pytest.approx(token.logprob, abs=1e-5)
        assert sorted(near.values(), reverse=True)[:3] == pytest.approx([value for _, value in token.top], abs=1e-5)
    assert all(3 <= len(near) <= 4 for near in told["top_logprobs"][1:])


@pytest.mark.spec("S3", "a server marks all that it writes, says so of the model, and shows the key to nobody")
def test_answers_are_marked(client: TestClient, model: TextModel) -> None:
    body = {"model": "tiny", "prompt": "once", "max_tokens": 100, "temperature": 1, "seed": 5, "n": 2, "logprobs": 0}
    plain = client.post("/v1/completions", json=body).json()["choices"]
    model.watermark = MARK
    try:
        with TestClient(build_app({"tiny": model}), base_url="http://localhost") as marking:
            marked = marking.post("/v1/completions", json=body)
            card = marking.get("/v1/models/tiny")
    finally:
        model.watermark = None
    assert card.json()["watermark"] == "kgw" and client.get("/v1/models/tiny").json()["watermark"] is None
    for answer, unmarked in zip(marked.json()["choices"], plain, strict=True):
        found, other = (MARK.evidence(model.tokenize(one["text"])) for one in (answer, unmarked))
        assert found.verdict(1e-4) == "marked" and other.verdict(1e-2) == "not marked"
    assert MARK.key.hex() not in marked.text + card.text
