"""The official `openai` client against a real server over a real, if untrained, model."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import openai
import pytest

from langwright.inference.fake import parrot
from langwright.inference.texts.text import TextModel

CHAT: Any = [{"role": "user", "content": "你好"}]


@pytest.fixture
def client(serving: Callable[..., Any], noise: TextModel) -> Iterator[openai.OpenAI]:
    running = serving(parrot(), noise)
    with openai.OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0) as client:
        yield client


@pytest.mark.spec("SV1", "the official openai client lists models, chats, completes and streams, in Chinese")
def test_the_official_client(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["parrot", "noise"]
    assert client.models.retrieve("noise").id == "noise"

    whole = client.chat.completions.create(model="parrot", messages=CHAT)
    assert whole.choices[0].message.content == "你好" and whole.choices[0].finish_reason == "stop"
    assert whole.usage is not None and whole.usage.completion_tokens == 6

    chunks = list(
        client.chat.completions.create(
            model="parrot", messages=CHAT, stream=True, stream_options={"include_usage": True}
        )
    )
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "你好"
    assert chunks[-1].usage == whole.usage

    text = client.completions.create(model="parrot", prompt="山高水长", max_tokens=50, n=2)
    assert [choice.text for choice in text.choices] == ["山高水长"] * 2
    pieces = client.completions.create(model="parrot", prompt="山高水长", max_tokens=50, stream=True)
    assert "".join(piece.choices[0].text for piece in pieces) == "山高水长"


def test_the_clients_streaming_helper_reads_our_events(client: openai.OpenAI) -> None:
    with client.chat.completions.stream(model="parrot", messages=CHAT) as stream:
        text = "".join(event.delta for event in stream if event.type == "content.delta")
        final = stream.get_final_completion()
    assert text == "你好" == final.choices[0].message.content


@pytest.mark.spec("G2", "over HTTP, one seed gives one text and another seed another, alone or beside other requests")
def test_a_seed_gives_the_same_text(client: openai.OpenAI) -> None:
    def say(seed: int | None, **fields: Any) -> Any:
        return client.completions.create(
            model="noise", prompt="ab", max_tokens=24, seed=seed, temperature=1.0, **fields
        )

    first = say(7).choices[0].text
    assert say(7).choices[0].text == first
    assert say(8).choices[0].text != first
    both = say(7, n=2).choices
    assert [choice.text for choice in both] == [first, say(8).choices[0].text]
    streamed = "".join(piece.choices[0].text for piece in say(7, stream=True))
    assert streamed == first

    drawn = say(None).choices[0]
    assert say(drawn.seed).choices[0].text == drawn.text  # the seed that was drawn is reported

    texts: list[str] = []
    threads = [threading.Thread(target=lambda: texts.append(say(7).choices[0].text)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert texts == [first] * 8


def test_temperature_zero_is_greedy(client: openai.OpenAI, noise: TextModel) -> None:
    from langwright.inference.protocol import Sampling

    wanted = noise.complete("ab", Sampling(max_new_tokens=20)).text
    got = [client.completions.create(model="noise", prompt="ab", max_tokens=20, temperature=0) for _ in range(2)]
    assert [answer.choices[0].text for answer in got] == [wanted, wanted]
    narrow = client.completions.create(model="noise", prompt="ab", max_tokens=20, extra_body={"top_k": 1})
    assert narrow.choices[0].text == wanted


def test_log_probabilities_are_the_engines(client: openai.OpenAI, noise: TextModel) -> None:
    echoed = client.completions.create(
        model="noise", prompt="abcd", max_tokens=4, temperature=0, echo=True, logprobs=0
    ).choices[0]
    assert echoed.logprobs is not None
    first, *others = list[Any](echoed.logprobs.token_logprobs or [])
    answer = noise.complete("abcd", None).tokens[:4]
    (scores,) = noise.engine.score([[*noise.tokenize("abcd"), *(token.id for token in answer)]])
    assert first is None
    assert others == pytest.approx(scores, abs=1e-4)

    chat = client.chat.completions.create(
        model="noise", messages=CHAT, max_tokens=5, temperature=0, logprobs=True, top_logprobs=3
    ).choices[0]
    assert chat.logprobs is not None and chat.logprobs.content is not None and len(chat.logprobs.content) == 5
    for entry in chat.logprobs.content:
        assert len(entry.top_logprobs) == 3
        assert entry.logprob == entry.top_logprobs[0].logprob  # greedy takes the likeliest
        assert [top.logprob for top in entry.top_logprobs] == sorted(
            (t.logprob for t in entry.top_logprobs), reverse=True
        )


@pytest.mark.spec("SV1", "a published model served over HTTP writes its golden text and finds its prompt as probable")
def test_a_published_model(serving: Callable[..., Any], shared_data: Callable[[str], Path]) -> None:
    from langwright.inference.opening import open_text_model

    folder = shared_data("model-stories260k")
    golden = json.loads((folder / "golden.json").read_text(encoding="utf-8"))
    model = open_text_model(folder / "hf", name="stories")
    running = serving(model)
    try:
        with openai.OpenAI(base_url=f"{running.url}/v1", api_key="none") as client:
            for prompt in (golden["prompt"], golden["prompt_ids"]):
                new = len(golden["greedy_from_prompt_ids"]) - len(golden["prompt_ids"])
                answer = client.completions.create(model="stories", prompt=prompt, max_tokens=new, temperature=0)
                assert golden["prompt"] + answer.choices[0].text == golden["greedy_from_prompt_text"]
            echo = client.completions.create(
                model="stories", prompt=golden["prompt"], max_tokens=0, echo=True, logprobs=0
            )
            assert echo.choices[0].logprobs is not None
            first, *others = list[Any](echo.choices[0].logprobs.token_logprobs or [])
            assert first is None
            assert -sum(others) / len(others) == pytest.approx(golden["mean_nll_of_prompt"], abs=1e-5)
            stream = client.completions.create(
                model="stories", prompt=golden["prompt"], max_tokens=40, temperature=0, stream=True
            )
            text = "".join(piece.choices[0].text for piece in stream)
            assert golden["greedy_from_prompt_text"].startswith(golden["prompt"] + text) and len(text) > 40
            with pytest.raises(openai.BadRequestError, match="no chat template"):
                client.chat.completions.create(model="stories", messages=CHAT)
    finally:
        model.close()


def test_errors_are_the_clients_exceptions(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="did you mean 'parrot'"):
        client.chat.completions.create(model="parot", messages=CHAT)
    with pytest.raises(openai.BadRequestError, match="does not do 'functions'") as refused:
        client.chat.completions.create(model="parrot", messages=CHAT, functions=[{"name": "f"}])
    assert refused.value.param == "functions" and refused.value.type == "invalid_request_error"
    with pytest.raises(openai.UnprocessableEntityError, match="temperature = 5"):
        client.chat.completions.create(model="parrot", messages=CHAT, temperature=5)
    with pytest.raises(openai.BadRequestError, match=r"do not fit the model's context of 128"):
        client.completions.create(model="noise", prompt="x" * 100, max_tokens=100)
    with pytest.raises(openai.BadRequestError, match="本版本不支持"):
        client.chat.completions.create(
            model="parrot", messages=CHAT, user="me", extra_headers={"Accept-Language": "zh-CN"}
        )


def test_closing_a_stream_of_the_real_engine_frees_its_place(serving: Callable[..., Any], noise: TextModel) -> None:
    running = serving(noise, max_open=2)
    with openai.OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=5) as client:
        for _ in range(12):  # more than there are places
            stream = client.completions.create(model="noise", prompt="ab", max_tokens=120, stream=True)
            next(iter(stream))
            stream.close()
        assert client.completions.create(model="noise", prompt="ab", max_tokens=2).usage is not None
