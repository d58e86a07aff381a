"""POST /generate, /translate and /classify: the tutorials' forms, with the checks they leave out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.tasks.tiny import write_labeller, write_writer

from langwright.inference.fake import parrot
from langwright.inference.protocol import Sampling
from langwright.serving.app import build_app
from langwright.tasks.front.loading import Model, load
from langwright.tasks.solving.writing import WrittenOutput


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


# --- /translate and /classify ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def doers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Model]]:
    root = tmp_path_factory.mktemp("models")
    opened = {
        "writer": load(write_writer(root / "writer", context=512)),
        "labeller": load(write_labeller(root / "labeller")),
    }
    yield opened
    for model in opened.values():
        model.close()


@pytest.fixture
def both(doers: dict[str, Model]) -> Iterator[TestClient]:
    with TestClient(build_app(doers), base_url="http://localhost") as client:
        yield client


@pytest.mark.spec(
    "SV2", "POST /translate takes the tutorials' form, target_text harmlessly, and answers translated_text in UTF-8"
)
def test_translating(both: TestClient, doers: dict[str, Model]) -> None:
    text = "你好，世界"
    wanted = doers["writer"].do("translation", text, source_language="zh", target_language="en", sampling=Sampling(max_new_tokens=20)).text  # type: ignore[attr-defined]  # fmt: skip
    form = both.post("/translate", data={"source_text": text, "target_text": "Hello", "max_length": "20"})
    assert form.status_code == 200 and set(form.json()) == {"translated_text", "warnings"}
    assert form.json()["translated_text"] == wanted and any("target_text" in one for one in form.json()["warnings"])
    asked = {"source_text": text, "source_lang": "zh", "target_lang": "en", "max_length": 20, "model": "writer"}
    assert both.post("/translate", json=asked).json()["translated_text"] == wanted
    assert (
        both.post("/translate", files={"source_text": (None, text), "max_length": (None, "20")}).json()[
            "translated_text"
        ]
        == wanted
    )
    assert "\\u" not in both.post("/translate", data={"source_text": text}).text


def test_languages_that_are_not_named_are_told_from_the_text(doers: dict[str, Model]) -> None:
    seen: list[Any] = []

    class Listening(Model):
        def solve(self, task: str, asked: Any, solver: str | None = None) -> Any:
            seen.append((task, asked))
            return WrittenOutput(text="好", finish_reason="stop", solver="writing")

    model = Listening("m", None, text=doers["writer"].text)
    with TestClient(build_app({"m": model}), base_url="http://localhost") as client:
        client.post("/translate", data={"source_text": "你好"})
        client.post("/translate", data={"source_text": "hello"})
        client.post("/translate", data={"source_text": "hello", "target_lang": "fr", "max_length": "7"})
    assert [(asked.source_language, asked.target_language) for _, asked in seen] == [
        ("zh", "en"),
        ("en", "zh"),
        ("en", "fr"),
    ]
    assert [asked.sampling.max_new_tokens for _, asked in seen] == [
        256,
        256,
        7,
    ]  # new tokens, whatever the text's length


@pytest.mark.spec("SV3", "POST /classify answers predicted_label and the score of each label, its own or the caller's")
def test_classifying(both: TestClient, doers: dict[str, Model]) -> None:
    learned = both.post("/classify", data={"text": "goal", "model": "labeller"}).json()
    found = doers["labeller"].do("classification", "goal")
    assert learned["predicted_label"] == found.label and sum(learned["scores"].values()) == pytest.approx(1)  # type: ignore[attr-defined]
    assert learned["scores"] == pytest.approx(found.probabilities, abs=1e-5)  # type: ignore[attr-defined]
    assert next(iter(learned["scores"])) == learned["predicted_label"] and set(learned["scores"]) == {
        "sport",
        "news",
        "art",
    }

    labels = ["技术文章", "学术论文", "新闻报道"]
    own = both.post("/classify", json={"text": "股市今天大涨", "labels": labels, "model": "writer"})
    assert set(own.json()["scores"]) == set(labels) and own.json()["predicted_label"] in labels
    form = both.post("/classify", data={"text": "股市今天大涨", "labels": labels, "model": "writer"})
    assert form.json()["scores"] == pytest.approx(own.json()["scores"], abs=1e-5)
    parts = [
        ("text", (None, "股市今天大涨")),
        ("model", (None, "writer")),
        *(("labels", (None, label)) for label in labels),
    ]
    assert both.post("/classify", files=parts).json()["scores"] == pytest.approx(own.json()["scores"], abs=1e-5)
    assert "技术文章".encode() in own.content


def test_the_only_model_that_can_is_taken(doers: dict[str, Model]) -> None:
    with TestClient(build_app({"labeller": doers["labeller"]}), base_url="http://localhost") as client:
        assert client.post("/classify", data={"text": "goal"}).status_code == 200
        answer = client.post("/translate", data={"source_text": "goal"})
        assert answer.status_code == 400 and "langwright" in answer.json()["error"]["fix"]
        assert client.post("/generate", data={"text": "goal"}).status_code == 400


@pytest.mark.parametrize(
    ("path", "fields", "status", "param"),
    [
        ("/translate", {"target_text": "x"}, 422, "source_text"),
        ("/translate", {"source_text": ""}, 422, "source_text"),
        ("/translate", {"source_text": "x", "max_length": "many"}, 422, "max_length"),
        ("/translate", {"source_text": "x", "max_length": "0"}, 422, "max_length"),
        ("/translate", {"source_text": "x", "max_length": "5000"}, 400, None),
        ("/translate", {"source_text": "x", "to": "en"}, 422, "to"),
        ("/translate", {"source_text": "x", "model": "none"}, 404, "model"),
        ("/translate", {"source_text": " "}, 400, None),
        ("/classify", {"labels": "a"}, 422, "text"),
        ("/classify", {"text": "x", "lables": "a"}, 422, "lables"),
        ("/classify", {"text": "x"}, 400, "model"),
        ("/classify", {"text": "x", "model": "writer"}, 400, None),
        ("/classify", {"text": "x", "model": "writer", "labels": ["a", "a"]}, 400, None),
        ("/classify", {"text": " ", "model": "labeller"}, 400, None),
    ],
)  # fmt: skip
def test_bad_fields_of_the_others(
    both: TestClient, path: str, fields: dict[str, Any], status: int, param: str | None
) -> None:
    answer = both.post(path, data=fields)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param), answer.text
