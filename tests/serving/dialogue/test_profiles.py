"""What is remembered of a person: nothing without consent, all of it shown, forgotten when asked; and feedback."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.serving.dialogue.test_conversations import Teller, begin, say, talk, teller

from langwright.inference.fake import Parrot
from langwright.serving.app import build_app
from langwright.serving.stores.opening import in_memory
from langwright.serving.stores.profiles import profile
from langwright.tasks.dialogue.feelings import Felt, policies, policy_named, strategy
from langwright.tasks.dialogue.remembering import Wish, changed, wish_of

__all__ = ["talk", "teller"]  # fixtures


@pytest.mark.spec("DM2", "nothing is remembered without consent; what is remembered is shown, told to the model, and forgotten on request")  # fmt: skip
def test_consent_comes_first(talk: TestClient, teller: Teller) -> None:
    id = begin(talk, profile=True)
    told = say(talk, id, "Please remember that I am a vegetarian.")["told"]
    assert told["remembered"] == [] and "consent" in told["note"] and talk.get("/v1/profile").json()["kept"] is False
    assert talk.patch("/v1/profile", json={"facts": {"name": "Ada"}}).status_code == 400
    assert talk.put("/v1/profile", json={"consent": False, "purpose": "x"}).status_code == 422
    given = talk.put("/v1/profile", json={"consent": True, "purpose": "answers that suit me", "facts": {"name": "Ada"}})
    assert given.json()["facts"] == {"name": "Ada"} and given.json()["consented"] is not None
    told = say(talk, id, "Please remember that I am a vegetarian. What is for dinner?")["told"]
    assert told["remembered"] == ["I am a vegetarian"] and told["profile"] == {"name": "Ada", "1": "I am a vegetarian"}
    assert "What the user let you remember:\n- name: Ada\n- 1: I am a vegetarian" in teller.asked[-1]
    assert talk.get("/v1/profile").json()["facts"] == told["profile"]
    other = begin(talk)
    assert (
        say(talk, other, "Hello")["told"]["profile"] == {} and "Ada" not in teller.asked[-1]
    )  # where it is not wanted
    told = say(talk, id, "Forget that I am a vegetarian.")["told"]
    assert told["forgotten"] == ["I am a vegetarian"] and "- 1: I am" not in teller.asked[-1]
    changed = talk.patch("/v1/profile", json={"facts": {"name": None, "style": "short"}}).json()
    assert changed["facts"] == {"style": "short"}
    assert talk.delete("/v1/profile").status_code == 204 and talk.get("/v1/profile").json()["facts"] == {}
    say(talk, id, "And now?")
    assert "let you remember" not in teller.asked[-1]


def test_everything_is_forgotten_when_asked() -> None:
    stores = in_memory()
    teller = Teller()
    with TestClient(build_app({"teller": teller.model()}, stores=stores), base_url="http://localhost") as client:
        client.put("/v1/profile", json={"consent": True, "purpose": "p", "facts": {"name": "Ada"}})
        id = begin(client, profile=True)
        assert say(client, id, "忘掉关于我的一切。")["told"]["forgotten"] == ["Ada"]
        assert profile(stores, "local") is None


@pytest.mark.parametrize(
    ("said", "wish"),
    [
        ("Remember: meetings at 9.30 suit me", Wish(("meetings at 9.30 suit me",))),
        ("帮我记住，我住在成都！", Wish(("我住在成都",))),
        ("Do you remember that I live in Oslo?", Wish()),
        ("你记住我的名字了吗？", Wish()),
        ("I remember that day well.", Wish()),
        ("Please forget everything about me.", Wish(everything=True)),
        ("忘记我住在成都", Wish(drop=("我住在成都",))),
    ],
)
def test_only_plain_words_count_as_a_wish(said: str, wish: Wish) -> None:
    assert wish_of(said) == wish


def test_the_same_is_not_remembered_twice() -> None:
    facts, done = changed({"1": "I like tea"}, Wish(keep=("I like tea", "I like rain")))
    assert facts == {"1": "I like tea", "2": "I like rain"} and done.kept == ("I like rain",)


# --- feelings --------------------------------------------------------------------------------------


@pytest.mark.spec("DM3", "a stated policy turns an emotion, found surely enough, into an instruction that the model is told and the caller shown")  # fmt: skip
def test_a_policy_is_followed_and_shown(talk: TestClient, teller: Teller, monkeypatch: pytest.MonkeyPatch) -> None:
    found: list[Felt] = [Felt("anger", 0.9, "head"), Felt("anger", 0.2, "head"), Felt("喜悦", None, "choice")]
    monkeypatch.setattr("langwright.tasks.dialogue.feelings.felt", lambda *_: found.pop(0))
    id = begin(talk, policy="support")
    upset = say(talk, id, "This is the third time that it breaks!")["told"]["strategy"]
    assert (upset["emotion"], upset["rule"], upset["found_by"]) == ("anger", 1, "head")
    assert "sorry for the trouble" in upset["instruction"] and upset["instruction"] in teller.asked[-1]
    unsure = say(talk, id, "It broke.")["told"]["strategy"]
    assert unsure["rule"] == 0 and unsure["instruction"] == "Answer the matter plainly and kindly."
    glad = say(talk, id, "太好了，修好了！")
    assert glad["told"]["strategy"]["rule"] == 4 and "关于接下来的回答：用户心情愉快" in teller.asked[-1]
    assert "sorry for the trouble" not in teller.asked[-1]  # of the turn before
    assert glad["turn"]["details"]["strategy"] == glad["told"]["strategy"]


def test_the_emotion_is_found_by_the_model_itself(talk: TestClient) -> None:
    id = begin(talk, policy="support")
    told = say(talk, id, "I am so angry.")["told"]["strategy"]
    assert told["found_by"] == "likelihood" and 0 < told["share"] <= 1


def test_policies_name_emotions_in_both_languages() -> None:
    assert "support" in policies()
    rules = policy_named("support")
    for one, other in (("anger", "愤怒"), ("fear", "恐惧"), ("sadness", "悲伤"), ("joy", "喜悦"), ("surprise", "惊讶")):
        assert strategy("p", rules, Felt(one, 1.0, "head"), "en").rule == strategy("p", rules, Felt(other, 1.0, "head"), "zh").rule > 0  # fmt: skip
    assert strategy("p", rules, Felt("neutral", 1.0, "head"), "zh").instruction == "语气平和友善，直接回答问题。"


# --- feedback --------------------------------------------------------------------------------------


def test_feedback_is_kept_with_what_it_is_about(talk: TestClient) -> None:
    id = begin(talk)
    first = say(talk, id, "one")["turn"]
    second = talk.post(f"/v1/conversations/{id}/turns/{first['id']}/regenerate", json={}).json()["turn"]

    def judge(**fields: Any) -> Any:
        return talk.post("/v1/feedback", json={"conversation": id, "turn": first["id"], **fields})

    assert judge(value=-1.0, comment="too short").json()["answer"] == "answer 1"
    assert judge(kind="correction", better="A better one").json()["better"] == "A better one"
    assert judge(kind="preference", better=second["id"]).json()["better"] == "answer 2"
    listed = talk.get("/v1/feedback").json()["data"]
    assert [one["kind"] for one in listed] == ["rating", "correction", "preference"] and listed[0]["prompt"] == "one"
    for wrong in ({}, {"kind": "correction"}, {"value": 1.0, "better": "x"}, {"value": 2.0}):
        assert judge(**wrong).status_code == 422
    for wrong in ({"kind": "preference", "better": first["id"]}, {"turn": "turn_x", "value": 1.0}):
        assert judge(**wrong).status_code == 400


def test_a_model_without_a_template_is_refused() -> None:
    from langwright.inference.fake import letters
    from langwright.inference.texts.text import TextModel

    plain = letters()
    plain.chat_template = None
    app = build_app({"plain": TextModel(Parrot(), plain, "plain")})
    with TestClient(app, base_url="http://localhost") as client:
        answer = client.post("/v1/conversations", json={"model": "plain"})
        assert answer.status_code == 400 and "chat template" in answer.text
