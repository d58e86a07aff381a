"""The clerk: a state machine whose only numbers are those that a tool gave it.

state        what it waits for        what may come
open         a wish                   balance → tool, answer; transfer → asking or confirming; anything else → help
asking       what a transfer lacks    an amount, a person; cancel → open
confirming   yes or no                confirm → the transfer is carried out, open; cancel → open; anything else → asked again

A transfer is carried out by `confirm` in the state confirming and by nothing else. Of several amounts or people in one
sentence none is taken: the clerk asks. A model may put an answer into other words; where that brings a number that is not
in what the tool said, the plain words stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from examples.bank.bank import Bank, Refused
from examples.bank.reading import SURE, SURE_OF_YES, Reader, Wish
from examples.bank.words import SAID, Language

NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@dataclass(frozen=True)
class State:
    """Where a talk stands; plain values, so that it can be written to a file."""

    phase: str = "open"
    amount: str = ""
    to: str = ""
    account: str = ""
    transfer: str = ""

    def facts(self) -> dict[str, str]:
        """As JSON can hold it."""
        return asdict(self)


@dataclass(frozen=True)
class Answer:
    """What the clerk says, and why.

    tool    what it asked the bank, and `result` what the bank said; "" and nothing where it asked nothing
    worded  whether a model put it into other words
    """

    text: str
    state: State
    tool: str = ""
    result: Mapping[str, str] = field(default_factory=dict)
    worded: bool = False


@dataclass
class Clerk:
    """One talk with one customer.

    reword  puts an answer into other words; None for the plain ones
    """

    bank: Bank
    reader: Reader
    language: Language = "en"
    state: State = State()
    reword: Callable[[str], str] | None = None

    def answer(self, said: str) -> Answer:
        """The answer to one turn; the talk goes on from it."""
        wish = self.reader.read(said, self.bank.known, tuple(self.bank.cents))
        intent = wish.intent if wish.sure >= SURE else "other"
        try:
            found = self.step(replace(wish, intent=intent))
        except Refused as refusal:
            found = self.say(refusal.reason, State(), refusal.reason, refusal.values)
        self.state = found.state
        return found

    def step(self, wish: Wish) -> Answer:
        """What follows in the state that the talk is in."""
        if self.state.phase == "confirming":
            return self.decide(wish)
        if wish.intent == "cancel":
            return self.say("stopped", State())
        if self.state.phase == "asking" and wish.intent in ("other", "transfer", "greeting", "confirm"):
            return self.gather(wish)
        if wish.intent == "balance":
            return self.tell(wish)
        if wish.intent == "transfer":
            self.state = State()
            return self.gather(wish)
        return self.say("hello" if wish.intent == "greeting" else "help", self.state)

    def tell(self, wish: Wish) -> Answer:
        """The balance of one account, or of each."""
        names = wish.accounts or tuple(self.bank.cents)
        told = [self.bank.balance(name) for name in names]
        text = " ".join(SAID["balance"][self.language].format(**one) for one in told)
        merged = {f"{one['account']}": one["balance"] for one in told}
        return self.checked(text, self.state, "balance", merged)

    def gather(self, wish: Wish) -> Answer:
        """What a transfer needs, as far as it was said; asked for where it is missing or said twice."""
        state = replace(
            self.state, phase="asking",
            amount=one_of(wish.amounts, self.state.amount), to=one_of(wish.people, self.state.to),
            account=one_of(wish.accounts, self.state.account),
        )  # fmt: skip
        if len(wish.amounts) > 1 or len(wish.people) > 1:
            return self.say("several", state)
        if not state.to:
            return self.say("whom", state, values={"people": ", ".join(self.bank.known)})
        if not state.amount:
            return self.say("how much", state, values={"to": state.to})
        source = state.account or next(iter(self.bank.cents))
        result = self.bank.prepare(source, state.to, state.amount)
        return self.say("sure", State("confirming", transfer=result["id"]), "prepare", result)

    def decide(self, wish: Wish) -> Answer:
        """Carried out, let go, or asked again."""
        transfer = self.state.transfer
        if wish.intent == "confirm" and wish.sure >= SURE_OF_YES and not (wish.amounts or wish.people):
            return self.say("sent", State(), "confirm", self.bank.confirm(transfer))
        if wish.intent == "cancel":
            return self.say("cancelled", State(), "cancel", self.bank.cancel(transfer))
        return self.say("yes or no", self.state)

    def say(
        self, what: str, state: State, tool: str = "", result: Mapping[str, str] | None = None, *,
        values: Mapping[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        """One of the things that the clerk says, with what the bank said in it."""
        text = SAID[what][self.language].format(**{**(result or {}), **(values or {})})
        return self.checked(text, state, tool, result or {})

    def checked(self, text: str, state: State, tool: str, result: Mapping[str, str]) -> Answer:
        """The answer in other words where those bring no other numbers."""
        other = self.reword(text).strip() if self.reword is not None else ""
        if other and numbers(other) == numbers(text):
            return Answer(other, state, tool, result, worded=True)
        return Answer(text, state, tool, result)


def numbers(text: str) -> set[str]:
    """The numbers of a text.

    >>> sorted(numbers("12.50 of T3"))
    ['12.50', '3']
    """
    return set(NUMBER.findall(text))


def one_of(found: tuple[str, ...], before: str) -> str:
    """The only one that was said, else what was known before."""
    return found[0] if len(found) == 1 else before


def state_from(facts: Mapping[str, Any]) -> State:
    """A state that was written down."""
    return State(**facts)
