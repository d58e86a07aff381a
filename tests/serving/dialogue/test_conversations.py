"""Conversations over HTTP, over an engine whose every answer is known: trees, owners, restarts, what the model is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from langwright.inference.fake import Parrot, letters
from langwright.inference.protocol import Request
from langwright.inference.texts.text import TextModel
from langwright.serving.app import build_app
from langwright.serving.stores.keys import create_key
from langwright.serving.stores.opening import Stores, default_url, in_memory, open_stores

CONTEXT = 1500  # bytes, which are this tokenizer's tokens


class Teller:
    """Answers with its number, remembers every prompt, and sums up with a sentence of its own."""

    def __init__(self) -> None:
        self.prompts: list[str] = []
        self.tokenizer = letters()

    def model(self) -> TextModel:
        return TextModel(Parrot(CONTEXT, reply=self.reply), self.tokenizer, "teller")

    def reply(self, prompt: Any) -> list[int]:
        text = self.tokenizer.decode(list(prompt), skip_special_tokens=False)
        self.prompts.append(text)
        said = f"answer {sum('Sum up the conversation' not in one for one in self.prompts)}"
        if "Sum up the conversation" in text:
            said = "The user said hello and more."
        return list(self.tokenizer(said)["input_ids"])

    @property
    def asked(self) -> list[str]:
        """The prompts of answers."""
        return [one for one in self.prompts if "Sum up the conversation" not in one]


@pytest.fixture
def teller() -> Teller:
    return Teller()


@pytest.fixture
def talk(teller: Teller) -> Iterator[TestClient]:
    app = build_app({"teller": teller.model()})
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client
        assert app.state.desk.taken == 0, "a place was not given back"


def begin(client: TestClient, **fields: Any) -> str:
    answer = client.post("/v1/conversations", json={"model": "teller", **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def say(client: TestClient, id: str, content: str, **fields: Any) -> Any:
    answer = client.post(f"/v1/conversations/{id}/turns", json={"content": content, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


def path(client: TestClient, id: str) -> list[str]:
    whole = client.get(f"/v1/conversations/{id}").json()
    by_id = {turn["id"]: turn["content"] for turn in whole["turns"]}
    return [by_id[one] for one in whole["path"]]


# --- a tree ----------------------------------------------------------------------------------------


@pytest.mark.spec(
    "DM1", "the model is given the turns before, and the counts of what it was given stand beside its answer"
)
def test_turns_are_given_with_those_before(talk: TestClient, teller: Teller) -> None:
    id = begin(talk, system="Be brief.", title="你好")
    first = say(talk, id, "你好")
    assert first["turn"]["content"] == "answer 1" and first["asked"]["content"] == "你好"
    second = say(talk, id, "and now?")
    prompt = teller.asked[-1]
    assert prompt.index("Be brief.") < prompt.index("你好") < prompt.index("answer 1") < prompt.index("and now?")
    counts = second["told"]["context"]
    assert counts["turns"] == 3 and counts["given"] == len(teller.tokenizer(prompt)["input_ids"])
    assert counts["room"] == CONTEXT - 256 and counts["given"] == counts["pinned"] + counts["recent"]
    assert second["turn"]["details"]["finish_reason"] == "stop" and second["turn"]["details"]["context"] == counts
    (listed,) = talk.get("/v1/conversations").json()["data"]
    assert listed["title"] == "你好" and listed["state"]["system"] == "Be brief."


@pytest.mark.spec("DM4", "edits, second answers and branches add to a tree of turns; nothing that was said is lost")
def test_edits_second_answers_and_branches(talk: TestClient, teller: Teller) -> None:
    id = begin(talk)
    first = say(talk, id, "one")
    second = say(talk, id, "two")
    url = f"/v1/conversations/{id}"
    again = talk.post(f"{url}/turns/{second['turn']['id']}/regenerate", json={}).json()
    assert again["turn"]["parent"] == second["turn"]["parent"] and again["turn"]["content"] == "answer 3"
    assert "answer 2" not in teller.asked[-1]
    edited = talk.post(f"{url}/turns/{second['asked']['id']}/edit", json={"content": "zwei"}).json()
    assert edited["asked"]["parent"] == first["turn"]["id"] and path(talk, id) == [
        "one",
        "answer 1",
        "zwei",
        "answer 4",
    ]
    assert "two" not in teller.asked[-1]
    anew = say(talk, id, "eins", parent="")
    assert anew["asked"]["parent"] is None and path(talk, id) == ["eins", "answer 5"]
    assert talk.patch(url, json={"head": second["turn"]["id"]}).status_code == 200
    assert path(talk, id) == ["one", "answer 1", "two", "answer 2"]
    assert len(talk.get(url).json()["turns"]) == 4 + 1 + 2 + 2
    branch = talk.post(f"{url}/branch", json={"turn": first["turn"]["id"], "title": "aside"}).json()
    assert branch["title"] == "aside" and path(talk, branch["id"]) == ["one", "answer 1"] and branch["id"] != id
    say(talk, branch["id"], "three")
    assert path(talk, id) == ["one", "answer 1", "two", "answer 2"]
    for turn, route in ((first["turn"]["id"], "edit"), ("turn_none", "edit"), ("turn_none", "regenerate")):
        body = {"content": "x"} if route == "edit" else {}
        assert talk.post(f"{url}/turns/{turn}/{route}", json=body).status_code == 400


def test_a_conversation_as_a_file(talk: TestClient) -> None:
    id = begin(talk, system="Be brief.", title="talk")
    say(talk, id, "你好")
    url = f"/v1/conversations/{id}/export"
    row = json.loads(talk.get(url, params={"form": "chat"}).text)
    assert [turn["role"] for turn in row["messages"]] == ["system", "user", "assistant"]
    assert (
        talk.get(url, params={"form": "markdown"}).text == "# talk\n\n**user**\n\n你好\n\n**assistant**\n\nanswer 1\n"
    )
    assert len(talk.get(url).json()["turns"]) == 2
    assert talk.get(url, params={"form": "xml"}).status_code == 422
    assert talk.delete(f"/v1/conversations/{id}").status_code == 204
    assert talk.get(f"/v1/conversations/{id}").status_code == 400


# --- what is given ---------------------------------------------------------------------------------


@pytest.mark.spec(
    "DM1", "over HTTP a summary is made when turns fall out, is kept, and is not made again while it serves"
)
def test_a_summary_is_kept_with_the_answer(talk: TestClient, teller: Teller) -> None:
    id = begin(talk, system="Be brief.", context={"tokens": 900})
    told = [say(talk, id, f"hello and more {n} " + "so " * 30, sampling={"max_new_tokens": 100}) for n in range(9)]
    made = [one["turn"]["details"] for one in told if "summary" in one["turn"]["details"]]
    asked = [one for one in teller.prompts if "Sum up the conversation" in one]
    assert 1 <= len(made) < 6 and len(asked) == len(made)
    summary = made[-1]["summary"]
    assert summary["by"] == "model" and summary["text"] == "The user said hello and more."
    assert told[-1]["told"]["summary"]["turns"] == told[-1]["told"]["context"]["summed"] > 0
    assert all(one["told"]["context"]["given"] <= 800 for one in told)
    assert "Be brief." in teller.asked[-1] and "The user said hello and more." in teller.asked[-1]
    copy = talk.post(f"/v1/conversations/{id}/branch", json={"turn": told[-1]["turn"]["id"]}).json()["id"]
    before = len(teller.prompts)
    more = say(talk, copy, "ok", sampling={"max_new_tokens": 100})
    assert more["told"]["summary"]["turns"] > 0 and len(teller.prompts) == before + 1  # a copy keeps what was summed up


def test_what_does_not_fit_is_refused_with_numbers_and_what_was_said_is_kept(talk: TestClient) -> None:
    id = begin(talk)
    answer = talk.post(f"/v1/conversations/{id}/turns", json={"content": "字" * 600})
    assert answer.status_code == 400 and answer.json()["error"]["params"]["room"] == CONTEXT - 256
    assert path(talk, id) == ["字" * 600]
    assert talk.patch(f"/v1/conversations/{id}", json={"context": {"long_turns": "cut"}}).status_code == 200
    (turn,) = talk.get(f"/v1/conversations/{id}").json()["turns"]
    again = talk.post(f"/v1/conversations/{id}/turns/{turn['id']}/regenerate", json={}).json()
    assert again["told"]["context"]["left_out"] > 100 and path(talk, id)[0] == "字" * 600


@pytest.mark.spec("DM4", "notes of a conversation are kept, changed one by one, and told to the model")
def test_notes_are_the_state_of_a_dialogue(talk: TestClient, teller: Teller) -> None:
    id = begin(talk, notes={"order": "no. 17", "city": "Oslo"})
    state = talk.patch(f"/v1/conversations/{id}", json={"notes": {"city": None, "size": "M"}}).json()["state"]
    assert state["notes"] == {"order": "no. 17", "size": "M"}
    say(talk, id, "Where is it?")
    assert "- order: no. 17\n- size: M" in teller.asked[-1] and "Oslo" not in teller.asked[-1]


def test_a_streamed_answer_is_kept(talk: TestClient) -> None:
    id = begin(talk)
    answer = talk.post(f"/v1/conversations/{id}/turns", json={"content": "你好", "stream": True})
    events = [json.loads(line.removeprefix("data: ")) for line in answer.text.split("\n\n")[:-2]]
    assert answer.text.endswith("data: [DONE]\n\n") and [one["kind"] for one in events][0::10] != []
    assert events[0]["turn"]["content"] == "你好" and events[-1]["answer"]["turn"]["content"] == "answer 1"
    assert "".join(one["text"] for one in events if one["kind"] == "piece") == "answer 1"
    assert path(talk, id) == ["你好", "answer 1"]


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 422), ({"content": ""}, 422), ({"content": "a", "more": 1}, 422), ({"content": "a", "parent": "turn_x"}, 400),
     ({"content": "a", "sampling": {"max_new_tokens": 999999}}, 400)],
)  # fmt: skip
def test_bad_turns(talk: TestClient, body: dict[str, Any], status: int) -> None:
    id = begin(talk)
    assert talk.post(f"/v1/conversations/{id}/turns", json=body).status_code == status
    assert talk.get(f"/v1/conversations/{id}").json()["turns"] == []


def test_bad_conversations(talk: TestClient) -> None:
    for fields, status in (({"model": "teler"}, 404), ({"policy": "suport"}, 400), ({"judge": "nobody"}, 404)):
        answer = talk.post("/v1/conversations", json={"model": "teller", **fields})
        assert answer.status_code == status, answer.text
        assert "did you mean" in answer.text or "choose one of" in answer.text


# --- whose, and how long ---------------------------------------------------------------------------


@pytest.mark.spec("DM10", "what belongs to one key is not there for another, in any of the routes")
def test_owners_do_not_see_each_other(teller: Teller) -> None:
    stores = in_memory()
    ada, bob = (create_key(stores, name=name, purpose="talk", scopes=("ask",), owner=name) for name in ("ada", "bob"))
    with TestClient(build_app({"teller": teller.model()}, stores=stores), base_url="http://localhost") as client:

        def head(key: Any) -> dict[str, str]:
            return {"Authorization": f"Bearer {key.secret}"}

        client.headers.update(head(ada))
        id = begin(client)
        told = say(client, id, "a secret")
        client.headers.update(head(bob))
        url, turn = f"/v1/conversations/{id}", told["asked"]["id"]
        assert client.get("/v1/conversations").json()["data"] == [] and client.get("/v1/feedback").json()["data"] == []
        tries = [
            client.get(url), client.patch(url, json={"title": "mine"}), client.delete(url), client.get(f"{url}/export"),
            client.post(f"{url}/turns", json={"content": "hi"}),
            client.post(f"{url}/turns/{turn}/edit", json={"content": "hi"}),
            client.post(f"{url}/turns/{turn}/regenerate", json={}), client.post(f"{url}/branch", json={"turn": turn}),
            client.post("/v1/feedback", json={"conversation": id, "turn": told["turn"]["id"], "value": 1.0}),
        ]  # fmt: skip
        assert {one.status_code for one in tries} == {400} and all("a secret" not in one.text for one in tries)
        client.headers.update(head(ada))
        assert path(client, id) == ["a secret", "answer 1"]


@pytest.fixture
def restarted(tmp_path: Path) -> Iterator[Callable[[], Stores]]:
    """`restarted()` closes the stores of a file and opens them anew."""
    opened: list[Stores] = []

    def again() -> Stores:
        for one in opened:
            one.close()
        opened.append(open_stores(default_url(tmp_path)))
        return opened[-1]

    yield again
    opened[-1].close()


@pytest.mark.spec(
    "DM4", "after a restart a conversation goes on where it was: turns, branches, notes, summaries, settings"
)
@pytest.mark.spec("DM10", "conversations lie in a database and outlive the server")
def test_a_restart_loses_nothing(restarted: Callable[[], Stores], teller: Teller) -> None:
    def serve() -> TestClient:
        return TestClient(build_app({"teller": teller.model()}, stores=restarted()), base_url="http://localhost")

    with serve() as client:
        id = begin(client, notes={"order": "17"}, context={"tokens": 900}, system="Be brief.")
        for n in range(8):
            say(client, id, f"hello and more {n} " + "so " * 30, sampling={"max_new_tokens": 100})
        before = client.get(f"/v1/conversations/{id}").json()
    asked = len(teller.prompts)
    with serve() as client:
        assert client.get(f"/v1/conversations/{id}").json() == before
        told = say(client, id, "so?", sampling={"max_new_tokens": 100})
        assert told["told"]["summary"] is not None and len(teller.prompts) == asked + 1
        assert "The user said hello and more." in teller.asked[-1] and "- order: 17" in teller.asked[-1]


def test_a_turn_is_kept_before_the_model_begins(teller: Teller) -> None:
    class Broken(Parrot):
        def submit(self, request: Request) -> Any:
            raise RuntimeError("out of order")

    stores = in_memory()
    app = build_app({"teller": TextModel(Broken(), letters(), "teller")}, stores=stores)
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        id = begin(client)
        assert client.post(f"/v1/conversations/{id}/turns", json={"content": "hear me"}).status_code == 500
        assert path(client, id) == ["hear me"]
    with TestClient(build_app({"teller": teller.model()}, stores=stores), base_url="http://localhost") as client:
        (turn,) = client.get(f"/v1/conversations/{id}").json()["turns"]
        client.post(f"/v1/conversations/{id}/turns/{turn['id']}/regenerate", json={})
        assert path(client, id) == ["hear me", "answer 1"]
