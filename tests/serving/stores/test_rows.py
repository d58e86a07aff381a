"""What is written comes back: keys, counts, the audit log, conversations, feedback, profiles, and a person's data."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress

import pytest

from langwright.errors import UserError
from langwright.serving.stores import times
from langwright.serving.stores.audit import Record, note, records
from langwright.serving.stores.conversations import (
    add_turn,
    begin_conversation,
    change_conversation,
    conversation,
    conversations_of,
    delete_conversation,
    path_to,
    turns_of,
)
from langwright.serving.stores.feedback import all_feedback, give_feedback
from langwright.serving.stores.keys import all_keys, any_key, create_key, find_key, get_key, revoke_key
from langwright.serving.stores.opening import Stores
from langwright.serving.stores.persons import delete_person, export_person, owners
from langwright.serving.stores.profiles import consent, profile, remember, withdraw
from langwright.serving.stores.quotas import Used, reserve, used
from langwright.serving.stores.retention import Forgotten, Retention, forget_old

STRANGE = "你好 👩‍👩‍👧 \0 \x1b[31m' OR 1=1; --\n\u202e"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """`clock(seconds)` sets what time it is."""
    at = [1_800_000_000.0]
    for module in ("keys", "quotas", "audit", "conversations", "feedback", "profiles", "retention"):
        monkeypatch.setattr(f"langwright.serving.stores.{module}.now", lambda: at[0])

    def move(seconds: float) -> None:
        at[0] = seconds

    return move


def new_key(stores: Stores, **more: object) -> tuple[str, str]:
    made = create_key(stores, **{"name": "notes", "purpose": "to try it", "scopes": ["ask"], **more})  # type: ignore[arg-type]
    return made.key.id, made.secret


# --- keys ------------------------------------------------------------------------------------------


@pytest.mark.spec("S5", "a key has a purpose, scopes and an end, and only its hash is kept")
def test_a_key_is_found_by_its_secret_of_which_only_a_hash_is_kept(stores: Stores) -> None:
    assert not any_key(stores)
    made = create_key(stores, name="notes", purpose="to try it", scopes=["ask", "admin", "ask"], expires=5e9)
    assert made.secret.startswith(f"lw-{made.key.id}-") and len(made.secret) > 60
    found = find_key(stores, made.secret)
    assert found == made.key == get_key(stores, made.key.id)
    assert found is not None and found.scopes == ("admin", "ask") and found.owner == found.id
    with stores.reading() as connection:
        rows = str(connection.exec_driver_sql("SELECT * FROM keys").all())
    assert made.secret.rpartition("-")[2] not in rows and made.secret not in repr(made)


def test_other_secrets_find_nothing(stores: Stores) -> None:
    id, secret = new_key(stores)
    wrong = [f"lw-{id}-", f"lw-{id}-{'x' * 43}", secret[:-1], secret + "x", secret.replace("lw-", "xx-"), "", "lw-", "none", f"lw-{id}",
             "lw-' OR 1=1 --", secret.upper(), "lw-\0-x", "\udcff" + secret]  # fmt: skip
    assert [find_key(stores, one) for one in wrong] == [None] * len(wrong)


def test_a_key_ends_by_its_date_or_by_hand(stores: Stores, clock: Callable[[float], None]) -> None:
    clock(1000.0)
    id, secret = new_key(stores, expires=2000.0)
    found = find_key(stores, secret)
    assert found is not None and (found.state(1999.0), found.state(2000.0)) == ("good", "expired")
    assert revoke_key(stores, id).revoked == 1000.0
    clock(1500.0)
    assert revoke_key(stores, id).revoked == 1000.0 and any_key(stores)
    found = find_key(stores, secret)
    assert found is not None and found.state(1.0) == "revoked"
    with pytest.raises(UserError, match="no key called"):
        revoke_key(stores, "nobody")


def test_racing_revokes_agree(stores: Stores) -> None:
    id, secret = new_key(stores)
    times_found: list[float | None] = []
    threads = [threading.Thread(target=lambda: times_found.append(revoke_key(stores, id).revoked)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(times_found) == 8 and len(set(times_found)) == 1
    found = find_key(stores, secret)
    assert found is not None and found.revoked is not None


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "a\0b", "x" * 201, "\x1b[31m"])
def test_names_that_no_list_should_show(stores: Stores, name: str) -> None:
    with pytest.raises(UserError, match="is not allowed"):
        new_key(stores, name=name)
    with pytest.raises(UserError, match="is not allowed"):
        new_key(stores, purpose=name)


# --- counts ----------------------------------------------------------------------------------------


@pytest.mark.spec("S5", "of many requests at once only those that fit into the day's tokens pass")
def test_a_days_tokens_are_not_exceeded_by_many_at_once(stores: Stores) -> None:
    passed: list[bool] = []
    threads = [threading.Thread(target=lambda: passed.append(reserve(stores, "k", 10, 75))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(passed) == 7 and used(stores, "k").tokens == 70


def test_what_was_not_used_is_given_back_on_its_day(stores: Stores, clock: Callable[[float], None]) -> None:
    clock(0.0)
    assert reserve(stores, "k", 100, 100) and not reserve(stores, "k", 1, 100)
    clock(86_400.0)
    assert reserve(stores, "k", 60, 100)
    note(stores, [record()], [Used("k", "1970-01-01", 1, -40), Used("new", "1970-01-02", 1, 7)])
    assert used(stores, "k", "1970-01-01").requests == 1 and used(stores, "new").tokens == 7
    assert used(stores, "k", "1970-01-01").tokens == 60 and used(stores, "k").tokens == 60
    assert reserve(stores, "other", 100, 100)


# --- the audit log -----------------------------------------------------------------------------------


def record(**more: object) -> Record:
    return Record(**{"request": "r1", "key": "k", "owner": "me", "method": "POST", "route": "/v1/completions", "decision": "answered", **more})  # type: ignore[arg-type]  # fmt: skip


@pytest.mark.spec("S15", "who asked which model, when, for what, and what was decided, is on record and can be found")
def test_records_come_back_newest_first(stores: Stores, clock: Callable[[float], None]) -> None:
    note(stores, [record(digest="d" * 64, model="small", tokens_in=3, tokens_out=5, status=200)])
    clock(5.0)  # the clock is set back: the order stays
    note(stores, [record(request="r2", key="other", decision="refused", code="no-called", status=404)])
    last, first = records(stores)
    assert (last.request, last.time, first.request, first.digest) == ("r2", 5.0, "r1", "d" * 64)
    assert records(stores, key="k") == [first] and records(stores, decision="refused") == [last]
    assert records(stores, before=last.number) == [first] and records(stores, limit=1) == [last]
    assert first.prompt is None


def test_nothing_that_is_sent_can_pretend_to_be_a_row(stores: Stores) -> None:
    strange = "x', 1); DROP TABLE audit; --\n2026-01-01 answered \x1b[2J\0"
    note(stores, [record(subject=strange, prompt=strange)])
    (found,) = records(stores, prompts=True)
    assert found.prompt == strange and found.subject == strange.replace("\0", "\ufffd") and found.decision == "answered"
    assert records(stores)[0].prompt is None


# --- conversations -----------------------------------------------------------------------------------


@pytest.mark.spec("DM10", "conversations are kept in a database as trees: edits and other tries are branches")
def test_a_conversation_is_a_tree(stores: Stores) -> None:
    one = begin_conversation(stores, "me", title=STRANGE, model="small", state={"a": [1, {"b": None}]})
    assert conversation(stores, "me", one.id) == one
    hello = add_turn(stores, "me", one.id, "user", STRANGE)
    answer = add_turn(
        stores, "me", one.id, "assistant", "Hi", model="small", digest="d", details={"seed": 7}, state={"s": 1}
    )
    again = add_turn(stores, "me", one.id, "assistant", "Hello", parent=hello.id)
    edited = add_turn(stores, "me", one.id, "user", "Good day", parent="")
    said = turns_of(stores, "me", one.id)
    assert said == [hello, answer, again, edited]
    assert [turn.parent for turn in said] == [None, hello.id, hello.id, None]
    assert path_to(said, again.id) == [hello, again] and path_to(said, None) == []
    now = conversation(stores, "me", one.id)
    assert now.head == edited.id and now.state == {"s": 1} and now.title == STRANGE
    assert change_conversation(stores, "me", one.id, head=answer.id, title="t", model="m", state={}).head == answer.id
    assert path_to(turns_of(stores, "me", one.id), answer.id) == [hello, answer]


@pytest.mark.spec("PR7", "what belongs to one owner is not there for another")
def test_what_belongs_to_another_is_not_there(stores: Stores) -> None:
    one, other = begin_conversation(stores, "me"), begin_conversation(stores, "you")
    turn = add_turn(stores, "you", other.id, "user", "mine")
    for call in (
        lambda: conversation(stores, "me", other.id),
        lambda: turns_of(stores, "me", other.id),
        lambda: add_turn(stores, "me", other.id, "user", "x"),
        lambda: change_conversation(stores, "me", other.id, title="x"),
        lambda: delete_conversation(stores, "me", other.id),
    ):
        with pytest.raises(UserError, match="no conversation"):
            call()
    with pytest.raises(UserError, match="no turn"):
        add_turn(stores, "me", one.id, "user", "x", parent=turn.id)
    assert [c.id for c in conversations_of(stores, "me")] == [one.id] and turns_of(stores, "you", other.id) == [turn]


def test_conversations_are_listed_by_pages_and_deleted_whole(stores: Stores) -> None:
    made = [begin_conversation(stores, "me", title=str(n)) for n in range(5)]
    add_turn(stores, "me", made[0].id, "user", "x")
    first = conversations_of(stores, "me", limit=2)
    assert [c.title for c in first] == ["4", "3"]
    assert [c.title for c in conversations_of(stores, "me", before=first[-1].number)] == ["2", "1", "0"]
    delete_conversation(stores, "me", made[0].id)
    with stores.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM turns").scalar() == 0


def test_turns_said_at_once_are_all_kept(stores: Stores) -> None:
    one = begin_conversation(stores, "me")
    threads = [threading.Thread(target=add_turn, args=(stores, "me", one.id, "user", str(n))) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said = turns_of(stores, "me", one.id)
    assert len(path_to(said, conversation(stores, "me", one.id).head)) == 12


def test_values_that_no_row_can_hold(stores: Stores) -> None:
    """Either kept as they are or refused in words, never an error of ours."""
    for call in (
        lambda: revoke_key(stores, "a\0b"),
        lambda: conversation(stores, "me", "a\0b"),
        lambda: reserve(stores, "k", 10**30, None),
        lambda: give_feedback(stores, "me", kind="x" * 5000, model="a\0b"),
        lambda: records(stores, key="a\0b", before=10**30),
    ):
        with suppress(UserError):
            call()
    assert all_keys(stores) == []


def test_half_a_character_is_refused(stores: Stores) -> None:
    one = begin_conversation(stores, "me")
    with pytest.raises(UserError, match="half of a character"):
        add_turn(stores, "me", one.id, "user", "\ud800")
    assert turns_of(stores, "me", one.id) == []


# --- feedback and profiles -----------------------------------------------------------------------------


def test_feedback_comes_back(stores: Stores) -> None:
    good = give_feedback(
        stores, "me", kind="rating", value=1.0, model="small", digest="d", prompt=STRANGE, answer="a", comment="好"
    )
    better = give_feedback(
        stores, "you", kind="preference", prompt="p", answer="a", better="b", conversation="c", turn="t"
    )
    assert all_feedback(stores) == [good, better]
    assert all_feedback(stores, kind="rating") == [good] == all_feedback(stores, owner="me")
    assert all_feedback(stores, after=good.number) == [better] == all_feedback(stores, model="")


def test_nothing_is_remembered_without_consent(stores: Stores) -> None:
    assert profile(stores, "me") is None
    with pytest.raises(UserError, match="without consent"):
        remember(stores, "me", {"tone": "short"})
    assert consent(stores, "me", "shorter answers").facts == {}
    assert remember(stores, "me", {"语气": "简短"}).facts == {"语气": "简短"}
    assert consent(stores, "me", "another purpose").facts == {"语气": "简短"}
    assert profile(stores, "you") is None
    assert withdraw(stores, "me") and not withdraw(stores, "me") and profile(stores, "me") is None


# --- a person's data -------------------------------------------------------------------------------------


def everything_of(stores: Stores, owner: str) -> None:
    new_key(stores, owner=owner)
    one = begin_conversation(stores, owner, title=f"title of {owner}")
    add_turn(stores, owner, one.id, "user", f"words of {owner}")
    give_feedback(stores, owner, kind="rating", value=-1.0, comment=f"comment of {owner}")
    consent(stores, owner, "to be nice")
    remember(stores, owner, {"fact": f"fact of {owner}"})
    note(stores, [record(owner=owner, request=f"r-{owner}", prompt=f"prompt of {owner}")])


@pytest.mark.spec("PR7", "a person's data are handed out whole, and deleted from the rows and the file")
def test_a_persons_data_are_exported_and_deleted(stores: Stores) -> None:
    everything_of(stores, "me")
    everything_of(stores, "you")
    assert owners(stores) == ["me", "you"]
    found = json.dumps(export_person(stores, "me"), ensure_ascii=False)
    for word in ("title", "words", "comment", "fact", "prompt"):
        assert f"{word} of me" in found and f"{word} of you" not in found
    assert "hash" not in found
    before = export_person(stores, "you")
    gone = delete_person(stores, "me")
    assert vars(gone) == {"conversations": 1, "turns": 1, "feedback": 1, "profiles": 1, "prompts": 1}
    left = json.dumps(export_person(stores, "me"))
    assert "of me" not in left and len(records(stores, owner="me")) == 1
    assert export_person(stores, "you") == before
    if stores.file is not None:
        files = b"".join(f.read_bytes() for f in stores.file.parent.glob(stores.file.name + "*"))
        assert b"words of me" not in files and b"words of you" in files


@pytest.mark.spec("PR7", "what is older than it may be is deleted")
def test_what_is_too_old_goes(stores: Stores, clock: Callable[[float], None]) -> None:
    day = times.DAY_S
    clock(0.0)
    everything_of(stores, "old")
    reserve(stores, "k", 1, None)
    clock(40.0 * day)
    everything_of(stores, "new")
    reserve(stores, "k", 1, None)
    assert forget_old(stores, Retention(None, None, None)) == Forgotten()
    assert forget_old(stores, Retention(audit=30, conversations=39, feedback=41)) == Forgotten(1, 1, 0, 1)
    assert [one.owner for one in records(stores)] == ["new"] and conversations_of(stores, "old") == []
    assert len(all_feedback(stores)) == 2 and len(all_keys(stores)) == 2
