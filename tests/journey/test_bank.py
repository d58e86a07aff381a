"""The bank's clerk with a scripted reader: every number from a tool, nothing sent that was not confirmed."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from examples.bank.bank import Bank, Refused, in_cents, money
from examples.bank.clerk import Clerk, State, numbers, state_from
from examples.bank.reading import INTENTS, ModelReader, Wish, spans
from examples.bank.requests import requests
from examples.bank.words import SAID, Language
from hypothesis import given
from hypothesis import strategies as st
from tests.tasks import told

PEOPLE = ("Bo", "Li", "王芳")
ROOT = Path(__file__).resolve().parents[2]


class Script:
    """Reads `intent: words`, and what stands in the words."""

    def read(self, said: str, people: tuple[str, ...], accounts: tuple[str, ...]) -> Wish:
        intent, _, words = said.partition(": ")
        return Wish(intent.rstrip("?"), 0.1 if intent.endswith("?") else 0.9, *spans(words, people, accounts))


class Likely:
    """Is as good as sure of a yes."""

    def read(self, said: str, people: tuple[str, ...], accounts: tuple[str, ...]) -> Wish:
        return Wish("confirm", 0.85)


def clerk(language: Language = "en", **given: object) -> Clerk:
    return Clerk(Bank({"everyday": 10_000, "savings": 50_000}, PEOPLE), Script(), language, **given)  # type: ignore[arg-type]


@pytest.mark.spec(
    "DM11", "an answer's numbers are those of the tool's answer; no balance is told that the bank did not tell"
)
def test_a_balance_comes_from_the_bank() -> None:
    one = clerk()
    found = one.answer("balance: what is on savings?")
    assert (found.text, found.tool, found.result) == ("There is 500.00 on savings.", "balance", {"savings": "500.00"})
    assert one.answer("balance: how much?").text == "There is 100.00 on everyday. There is 500.00 on savings."
    assert one.answer("other: is it 999.99?").tool == "" and not numbers(one.answer("other: is it 999.99?").text)
    assert clerk("zh").answer("balance: savings").text == "savings的余额是 500.00。"


@pytest.mark.spec("DM11", "a transfer is prepared, shown and carried out once it is confirmed, and only then")
def test_a_transfer_is_confirmed_first() -> None:
    one = clerk()
    assert one.answer("transfer: I want to send money").state.phase == "asking"
    assert one.answer("transfer: to Bo").text == "How much shall I send to Bo?"
    asked = one.answer("other?: 20.50")
    assert asked.text == "Send 20.50 from everyday to Bo? Say yes or no." and one.bank.cents["everyday"] == 10_000
    assert one.answer("balance: and my balance?").text == "Please say yes or no first; nothing was sent."
    assert one.answer("confirm?: hm").tool == ""  # not sure enough
    one.reader = Likely()
    assert one.answer("yes").text == "Please say yes or no first; nothing was sent."
    one.reader = Script()
    assert one.answer("confirm: yes, 90").tool == ""  # a yes with another amount is no yes
    sent = one.answer("confirm: yes")
    assert sent.text == "20.50 was sent to Bo. There is 79.50 left on everyday." and one.bank.cents["everyday"] == 7_950
    assert one.answer("confirm: yes").tool == "" and one.bank.cents["everyday"] == 7_950
    one.answer("transfer: 10 to Li from savings")
    assert one.answer("cancel: no").text == "Nothing was sent." and one.bank.cents["savings"] == 50_000


def test_what_the_bank_refuses_is_said() -> None:
    one = clerk()
    assert one.answer("transfer: 900 to Bo").text == "There is only 100.00 on everyday; 900.00 cannot be sent."
    assert one.answer("transfer: 20 to Zed").text == "To whom? I know Bo, Li, 王芳."
    assert one.answer("transfer: 10 to Bo, 20 to Li").text.startswith("One transfer at a time")
    assert one.answer("cancel: leave it").state == State()


@given(st.lists(st.tuples(st.sampled_from(INTENTS), st.sampled_from(["", "10", "10 and 20", "to Bo", "5 to Li", "savings", "99999 to Bo"])), max_size=12))  # fmt: skip
def test_no_money_moves_unconfirmed_and_none_is_lost(turns: list[tuple[str, str]]) -> None:
    """Whatever is said in whatever order: money leaves in a confirmed turn of the state confirming, and in no other."""
    one = clerk()
    for intent, words in turns:
        before, phase = dict(one.bank.cents), one.state.phase
        found = one.answer(f"{intent}: {words}")
        if one.bank.cents != before:
            assert phase == "confirming" and intent == "confirm" and not spans(words, PEOPLE, ())[0]
            assert found.tool == "confirm" and one.state == State()
        told = numbers(found.text) - {number for name in PEOPLE for number in numbers(name)}
        assert told <= {number for value in found.result.values() for number in numbers(value)}
    sent = sum(transfer.cents for transfer in one.bank.transfers.values() if transfer.state == "done")
    assert sum(one.bank.cents.values()) + sent == 60_000


@pytest.mark.spec("DM11", "a model that words an answer with another number is not listened to")
def test_other_words_with_other_numbers_are_dropped() -> None:
    kind = clerk(reword=lambda text: f"Of course! {text} Anything else?")
    assert kind.answer("balance: savings").worded and "500.00" in kind.answer("balance: savings").text
    for lie in ("There is 5000.00 on savings.", "You are rich.", "There is 500.00, 501.00 on savings.", ""):
        found = clerk(reword=lambda text, lie=lie: lie).answer("balance: savings")  # type: ignore[misc]
        assert not found.worded and found.text == "There is 500.00 on savings."


@pytest.mark.spec("DM4", "a talk goes on in the middle of a transfer after its state was written down and read again")
def test_the_state_survives() -> None:
    one = clerk()
    one.answer("transfer: 20 to Bo")
    kept = json.loads(json.dumps(one.state.facts()))
    other = clerk()
    other.bank, other.state = one.bank, state_from(kept)
    assert other.answer("confirm: yes").tool == "confirm" and other.bank.cents["everyday"] == 8_000
    assert one.bank.confirm("T1")["balance"] == "80.00"  # twice is once


def test_money_by_hand() -> None:
    assert [in_cents(one) for one in ("1", "1.5", "1.05", "1,234.56")] == [100, 150, 105, 123456]
    assert money(in_cents("0.07")) == "0.07"
    for wrong in ("0", "0.00", "-5", "1.234", "abc", "", "１２", "1e5"):
        with pytest.raises(Refused):
            in_cents(wrong)


def test_only_what_was_said_can_be_an_argument() -> None:
    assert spans("给王芳转 20", PEOPLE, ())[:2] == (("20",), ("王芳",))
    assert spans("Bob owes Lisa 3", PEOPLE, ()) == (("3",), (), ())
    assert spans("T12 and 4.567", PEOPLE, ())[0] == ()


def test_every_sentence_is_there_in_both_languages() -> None:
    for what, said in SAID.items():
        fields = [set(numbers(text)) for text in said.values()]
        assert set(said) == {"en", "zh"} and fields == [set(), set()], what


def test_requests_are_of_every_intent_in_both_languages() -> None:
    made = requests()
    counts = {
        key: len(list(rows)) for key, rows in itertools.groupby(sorted((one["label"], one["language"]) for one in made))
    }
    assert {intent for intent, _ in counts} == set(INTENTS) and len(counts) == 12
    assert len({one["text"] for one in made}) == len(made) and requests() == made
    asked = [json.loads(line) for line in (ROOT / "examples/bank/asked.jsonl").read_text(encoding="utf-8").splitlines()]
    assert not {one["text"].casefold() for one in asked} & {one["text"].casefold() for one in made}


def test_a_model_that_only_writes_can_read_too() -> None:
    found = ModelReader(told.Front(told.Script("balance"))).read("How much is on savings?", PEOPLE, ("savings",))
    assert found.intent in INTENTS and 0 < found.sure <= 1 and found.accounts == ("savings",)
    assert replace(found, intent="other").intent == "other"


def test_the_program_says_what_it_takes() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "examples.bank.talk", "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert told.returncode == 0 and "--state" in told.stdout
