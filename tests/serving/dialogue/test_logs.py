"""Conversations as data sets: of those who agreed and nobody else, as corrected, each pair once, by the usual reading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from langwright.artifacts import open_artifact
from langwright.cli.main import main
from langwright.data.dataset import open_dataset
from langwright.data.schemas import ChatRow, PreferenceRow
from langwright.serving.dialogue.logs import Counted, rows
from langwright.serving.stores.conversations import Turn, add_turn, begin_conversation
from langwright.serving.stores.feedback import give_feedback
from langwright.serving.stores.opening import Stores, default_url, in_memory, open_stores


def begin(stores: Stores, owner: str = "ada", *, learn: bool = True, system: str = "") -> str:
    return begin_conversation(stores, owner, model="m", state={"learn": learn, "system": system}).id


def exchange(stores: Stores, id: str, asked: str, *answers: str, owner: str = "ada") -> list[Turn]:
    """A question and its answers, the last of which the conversation goes on from."""
    said = add_turn(stores, owner, id, "user", asked)
    return [
        add_turn(stores, owner, id, "assistant", one, parent=said.id, model="m", digest="d" * 64) for one in answers
    ]


def judge(stores: Stores, turn: Turn, owner: str = "ada", **fields: Any) -> None:
    give_feedback(
        stores, owner, conversation=turn.conversation, turn=turn.id, **{"kind": "rating", **fields}
    )  # fmt: skip


def read(stores: Stores, schema: Any) -> tuple[list[Any], Counted]:
    counted = Counted()
    return list(rows(stores, schema, "internal", counted)), counted


@pytest.mark.spec("DM13", "conversations become chat rows where their owner agreed: corrected answers stand corrected, and a branch ends before a bad one")  # fmt: skip
def test_conversations_become_rows() -> None:
    stores = in_memory()
    secret = begin(stores, learn=False)
    exchange(stores, secret, "my secret", "I keep it")
    begin(stores)
    id = begin(stores, system="Be kind.")
    exchange(stores, id, "你好", "您好！")
    (second,) = exchange(stores, id, "几点了？", "不知道")
    judge(stores, second, kind="correction", better="我没有时钟。")
    (third,) = exchange(stores, id, "再见", "滚")
    judge(stores, third, value=-1.0)
    exchange(stores, id, "?", "!")
    (row,), counted = read(stores, "chat")
    assert isinstance(row, ChatRow)
    assert [one.content for one in row.messages] == ["Be kind.", "你好", "您好！", "几点了？", "我没有时钟。"]
    assert (row.licence, row.language, row.source) == ("internal", "zh", f"{id} m dddddddddddd")
    assert row.id == f"{id}/{second.id}" and "ada" not in row.model_dump_json()
    assert (counted.conversations, counted.refused, counted.empty, counted.rows) == (3, 1, 1, 1)


@pytest.mark.spec("DM13", "judgements become pairs of a better and a worse answer to the same turns")
def test_judgements_become_pairs() -> None:
    stores = in_memory()
    id = begin(stores)
    bad, good, plain = exchange(stores, id, "q", "bad", "good", "plain")
    judge(stores, bad, value=1.0)
    judge(stores, bad, value=-1.0)  # the last rating counts
    judge(stores, good, value=0.5)
    judge(stores, plain, kind="preference", better="good")
    judge(stores, plain, kind="preference", better="good")
    judge(stores, plain, kind="correction", better="plain")
    (later,) = exchange(stores, id, "r", "worse")
    judge(stores, later, kind="correction", better="better")
    found, _ = read(stores, "preference")
    assert all(isinstance(one, PreferenceRow) for one in found) and len({one.id for one in found}) == 3
    assert sorted((one.prompt[-1].content, one.chosen, one.rejected) for one in found) == [
        ("q", "good", "bad"), ("q", "good", "plain"), ("r", "better", "worse")
    ]  # fmt: skip
    assert [one.content for one in next(one for one in found if one.chosen == "better").prompt] == ["q", "plain", "r"]
    judge(stores, later, owner="eve", kind="correction", better="theirs")
    assert len(read(stores, "preference")[0]) == 3  # another's judgement of what is not theirs


@pytest.mark.spec("DM13", "the dataset is an artifact like any other, with its licence in every row")
@pytest.mark.parametrize("schema", ["chat", "preference"])
def test_the_command_makes_a_dataset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], schema: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LANGWRIGHT_STORE", raising=False)
    stores = open_stores(default_url(tmp_path))
    for number in range(8):
        (turn,) = exchange(stores, begin(stores), f"question {number}", f"answer {number}")
        judge(stores, turn, kind="correction", better=f"better {number}")
    stores.close()
    assert main(["logs", "talks"]) == 2 and "licence" in capsys.readouterr().err
    assert main(["logs", "talks", "--schema", schema, "--licence", "internal", "--lang", "en"]) == 0
    assert "8 rows of 8 conversations; 0 without consent" in capsys.readouterr().err
    card = open_artifact(tmp_path / "talks", "dataset").card
    assert card is not None and card.dataset is not None and card.dataset.schema_name == schema
    data = open_dataset(tmp_path / "talks")
    found = [row for split in data.splits for row in data.rows(split)]
    assert len(found) == 8 and {row.licence for row in found} == {"internal"}
    assert all("better" in row.model_dump_json() and row.source.startswith("conv_") for row in found)
    assert main(["logs", "talks", "--licence", "internal"]) == 2


def test_nobody_agreed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LANGWRIGHT_STORE", raising=False)
    stores = open_stores(default_url(tmp_path))
    exchange(stores, begin(stores, learn=False), "q", "a")
    stores.close()
    assert main(["logs", "talks", "--licence", "internal", "--json"]) == 2
    assert "nothing" in json.loads(capsys.readouterr().out)["error"]["problem"]
    assert not (tmp_path / "talks").exists()
