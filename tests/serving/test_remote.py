"""A model behind a URL answers as it does here: through our own server, and through one that misbehaves."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from tests.serving.conftest import Running, Watched

import langwright
from langwright.errors import UserError
from langwright.inference.fake import parrot
from langwright.inference.protocol import Sampling
from langwright.inference.remote.model import RemoteText, open_remote
from langwright.inference.remote.wire import NotOffered, Refused
from langwright.inference.texts.text import TextModel

Serving = Callable[..., Running]


@pytest.mark.spec("T32", "a model behind an OpenAI-compatible URL is opened by its address and asked like any other")
def test_a_url_answers_as_the_model_does_here(serving: Serving, noise: TextModel) -> None:
    running = serving(noise)
    drawn = Sampling(max_new_tokens=12, temperature=1.0, seed=5, top_k=40)
    with langwright.load(running.url) as model:
        assert model.abilities["chat"] == "generation" and not {"classification", "score"} & set(model.abilities)
        here, there = noise.complete("ab", drawn), model.complete("ab", drawn)
        assert (there.text, there.finish_reason, there.seed, there.prompt_tokens) == (here.text, "length", 5, 2)
        stream = model.stream("ab", drawn)
        assert "".join(piece.text for piece in stream) == here.text and stream.finish_reason == "length"
        whole = noise.complete("ab", Sampling(max_new_tokens=30))
        stop = next(c for c in whole.text if c.isascii())
        assert model.generate("ab", max_new_tokens=30, stop=[stop]) == whole.text.partition(stop)[0]
        asked = [{"role": "user", "content": "你好"}]
        assert model.chat(asked, max_new_tokens=9) == langwright.tasks.front.loading.Model(  # type: ignore[attr-defined]
            "noise", None, text=noise
        ).chat(asked, max_new_tokens=9)


@pytest.mark.spec(
    "T30", "the probability of a text is asked of a server that repeats prompts with their log-probabilities"
)
def test_scores_through_a_url(serving: Serving, noise: TextModel) -> None:
    running = serving(noise)
    with langwright.load(running.url) as model:
        for text, given in (("abc", "xy "), ("你好", "a")):
            here, there = noise.score_text(text, given), model.score(text, given)
            if given.strip() == given:  # a border inside a token's blanks is ours to move, not the server's
                assert there.log_probability == pytest.approx(here.log_probability, abs=1e-4)
                assert there.bytes >= here.bytes
            assert len(there.tokens) == len(text.encode())


@pytest.mark.spec("T31", "vectors are asked of a server in OpenAI's form, and are those made here")
def test_vectors_and_alternatives_through_a_url(serving: Serving, noise: TextModel) -> None:
    running = serving(noise)
    texts = ["abc", "你好"]
    with langwright.load(running.url) as model:
        here = noise.embed(texts, normalise=True).vectors
        np.testing.assert_allclose(model.embed(texts), here, atol=1e-6)
        last = noise.embed(texts, pooling="last", normalise=True).vectors
        np.testing.assert_allclose(model.embed(texts, pooling="last", normalise=True), last, atol=1e-6)
        assert not np.allclose(here, last)
        ours, theirs = noise.score_text("abc", "xy", top=2), model.score("abc", "xy", top=2)
        for mine, told in zip(ours.top, theirs.top, strict=True):
            for _, value in mine:
                assert any(value == pytest.approx(other, abs=1e-4) for _, other in told)


def test_what_a_server_does_not_offer_is_said(serving: Serving) -> None:
    running = serving(parrot())
    with langwright.load(running.url) as model:
        with pytest.raises(NotOffered, match="cannot embed"):
            model.embed("a", pooling="cls")  # there is no such token here
        with pytest.raises(NotOffered, match="cannot"):
            model.predict("a", ["b", "c"])
        with pytest.raises(NotOffered, match="report probabilities"):
            model.stream("a", top_logprobs=2)
        with pytest.raises(NotOffered, match="shorten a prompt"):
            model.generate("a", slide=True)
        with pytest.raises(NotOffered, match="cannot serve"):
            model.local("serve")
        with pytest.raises(Refused, match="answers 4"):
            model.generate("x" * 5000)


def test_one_of_several_models_is_named_behind_a_hash(serving: Serving, noise: TextModel) -> None:
    running = serving(parrot(), noise)
    with pytest.raises(UserError, match="offers 2 models"):
        open_remote(running.url)
    with pytest.raises(UserError, match="no model called 'nois'"):
        open_remote(f"{running.url}#nois")
    chosen = open_remote(f"{running.url}/v1#parrot")
    assert chosen.complete("你好").text == "你好"
    many = chosen.complete_all(["a", "bb", "ccc"])
    assert [done.text for done in many] == ["a", "bb", "ccc"]
    chosen.close()


def test_cancelling_tells_the_server(serving: Serving, watched: Callable[..., tuple[Watched, TextModel]]) -> None:
    engine, model = watched(token_s=0.05)
    remote = open_remote(serving(model).url)
    stream = remote.stream("x" * 400)
    assert next(stream).text
    threading.Timer(0.2, stream.cancel).start()  # from another thread, while this one waits for bytes
    done = stream.result()
    assert done.finish_reason == "cancelled" and 0 < len(done.text) < 400
    until = time.monotonic() + 10
    while engine.streams[0].finish_reason != "cancelled":
        assert time.monotonic() < until, "the server went on writing"
        time.sleep(0.02)
    remote.close()


class Strange(http.server.BaseHTTPRequestHandler):
    """A server that lists a model and then misbehaves as its prompt says."""

    def do_GET(self) -> None:
        self.say(200, json.dumps({"data": [{"id": "odd"}]}) if "models" in self.path else "")

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        kind = asked.get("prompt")
        if kind == "key":
            self.say(401, json.dumps({"error": {"message": f"who is {self.headers['Authorization']}?"}}))
        elif kind == "html":
            self.say(502, "<html>bad gateway</html>")
        elif kind == "prose":
            self.say(200, "data: once upon a time\n\n")
        elif kind == "late error":
            self.say(200, 'data: {"choices": [{"text": "a"}]}\n\ndata: {"error": {"message": "out of memory"}}\n\n')
        else:  # breaks off
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'data: {"choices": [{"text": "a"}]}\n\n')

    def say(self, status: int, body: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def strange(monkeypatch: pytest.MonkeyPatch) -> Iterator[RemoteText]:
    monkeypatch.setenv("LANGWRIGHT_API_KEY", "sesame")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Strange)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    remote = open_remote(f"http://127.0.0.1:{server.server_port}")
    yield remote
    remote.close()
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("prompt", "said"),
    [
        ("key", "answers 401: who is Bearer sesame"),
        ("html", "answers 502"),
        ("prose", "something else than OpenAI's interface: once upon a time"),
        ("late error", "out of memory"),
        ("breaks off", "is not reached"),
    ],
)
def test_a_server_that_misbehaves(strange: RemoteText, prompt: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        strange.complete(prompt)


def test_an_address_where_nobody_answers() -> None:
    with pytest.raises(UserError, match="is not reached"):
        open_remote("http://127.0.0.1:9")
    with pytest.raises(UserError, match="is not reached"):
        open_remote("http://")
