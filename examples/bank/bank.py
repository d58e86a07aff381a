"""The bank: accounts in cents, and transfers that are prepared first and carried out once when they are confirmed.

Nothing here is real. It stands for an API that a bank would have, with the mistakes that one makes with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


class Refused(Exception):
    """The bank does not do this; the reason is for the customer, by its name and its values."""

    def __init__(self, reason: str, **values: str) -> None:
        super().__init__(reason, values)
        self.reason, self.values = reason, values


@dataclass
class Transfer:
    """Money on its way.

    state  prepared, done or cancelled
    """

    id: str
    source: str
    to: str
    cents: int
    state: str = "prepared"


@dataclass
class Bank:
    """One customer's accounts.

    cents  account -> what is on it
    known  whom the customer has sent money to before
    """

    cents: dict[str, int]
    known: tuple[str, ...]
    transfers: dict[str, Transfer] = field(default_factory=dict)

    def balance(self, account: str) -> Mapping[str, str]:
        """What is on an account."""
        return {"account": account, "balance": money(self.on(account))}

    def prepare(self, source: str, to: str, amount: str) -> Mapping[str, str]:
        """Make a transfer ready; nothing moves before it is confirmed."""
        cents = in_cents(amount)
        if to not in self.known:
            raise Refused("unknown", to=to)
        if cents > self.on(source):
            raise Refused("short", account=source, balance=money(self.on(source)), amount=money(cents))
        transfer = Transfer(f"T{len(self.transfers) + 1}", source, to, cents)
        self.transfers[transfer.id] = transfer
        return {"id": transfer.id, "account": source, "to": to, "amount": money(cents)}

    def confirm(self, id: str) -> Mapping[str, str]:
        """Carry a prepared transfer out, once, however often it is confirmed."""
        transfer = self.one(id)
        if transfer.state == "cancelled":
            raise Refused("cancelled", id=id)
        if transfer.state == "prepared":
            if transfer.cents > self.on(transfer.source):
                raise Refused(
                    "short", account=transfer.source, balance=money(self.on(transfer.source)), amount=money(transfer.cents)
                )  # fmt: skip
            self.cents[transfer.source] -= transfer.cents
            transfer.state = "done"
        left = money(self.on(transfer.source))
        return {
            "id": id,
            "to": transfer.to,
            "amount": money(transfer.cents),
            "account": transfer.source,
            "balance": left,
        }

    def cancel(self, id: str) -> Mapping[str, str]:
        """Let a prepared transfer go."""
        transfer = self.one(id)
        if transfer.state == "done":
            raise Refused("done", id=id)
        transfer.state = "cancelled"
        return {"id": id}

    def on(self, account: str) -> int:
        """Cents on an account."""
        if account not in self.cents:
            raise Refused("no account", account=account)
        return self.cents[account]

    def one(self, id: str) -> Transfer:
        """A transfer by its number."""
        if id not in self.transfers:
            raise Refused("no transfer", id=id)
        return self.transfers[id]


def money(cents: int) -> str:
    """Cents as people write them.

    >>> money(123456), money(5)
    ('1234.56', '0.05')
    """
    return f"{cents // 100}.{cents % 100:02d}"


def in_cents(amount: str) -> int:
    """An amount in cents; Refused for one that is no amount of money.

    >>> in_cents("12.5"), in_cents("1,200")
    (1250, 120000)
    """
    whole, _, part = amount.replace(",", "").partition(".")
    if not (whole.isascii() and whole.isdigit()) or not (
        part == "" or (part.isascii() and part.isdigit() and len(part) <= 2)
    ):
        raise Refused("no amount", amount=amount)
    cents = int(whole) * 100 + int((part + "00")[:2])
    if cents == 0:
        raise Refused("no amount", amount=amount)
    return cents
