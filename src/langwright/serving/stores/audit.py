"""The record of who is responsible: which key asked which model for what kind of thing, when, and what was decided.

Rows have columns, so nothing that a caller sends can pretend to be another row. What was asked is kept only where
the server was told to, sealed like any text of a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy import delete, insert, select

from langwright.serving.stores.opening import Stores
from langwright.serving.stores.quotas import Used, count
from langwright.serving.stores.tables import audit
from langwright.serving.stores.times import now


@dataclass(frozen=True)
class Record:
    """One thing that was asked.

    request    its own name, the `X-Request-Id` of the answer
    key        "" for a caller without one
    route      the path as it is declared, or the command
    subject    what it was about, such as the key that was made
    model      name; digest: of the files of the model
    decision   `answered`, `refused`, `failed`, `cut off` or, by a filter, another word
    code       of the refusal
    seconds    from the first byte of the request to the last of the answer
    """

    request: str
    key: str
    owner: str
    method: str
    route: str
    decision: str
    subject: str = ""
    model: str = ""
    digest: str = ""
    code: str = ""
    status: int = 0
    seconds: float = 0.0
    bytes_in: int = 0
    bytes_out: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    prompt: str | None = None
    time: float = 0.0
    number: int = 0


def note(stores: Stores, records: Sequence[Record], counts: Sequence[Used] = ()) -> None:
    """Write records, and what was used, in one transaction.

    It is done when this returns, and outlives the process; SQLite may lose the last ones when the power fails.
    """
    rows = []
    for record in records:
        row = {name: value for name, value in vars(record).items() if name != "number"}
        row["time"] = record.time or now()
        row["route"], row["model"], row["code"] = record.route[:200], record.model[:200], record.code[:200]
        row["subject"] = record.subject[:200].replace("\0", "\ufffd")
        row["prompt"] = None if record.prompt is None else stores.seal.close(record.prompt, place(record.request))
        rows.append(row)
    with stores.writing(lasting=False) as connection:
        connection.execute(insert(audit), rows)
        for one in counts:
            count(connection, one)


def place(request: str) -> str:
    """Where a prompt stands."""
    return f"audit|{request}|prompt"


def records(
    stores: Stores,
    *,
    key: str | None = None,
    owner: str | None = None,
    model: str | None = None,
    decision: str | None = None,
    before: int | None = None,
    limit: int = 100,
    prompts: bool = False,
) -> list[Record]:
    """Records, the newest first.

    before   a record's number, to go on from it
    prompts  whether to open what was asked
    """
    query = select(audit).order_by(audit.c.number.desc()).limit(limit)
    for column, value in ((audit.c.key, key), (audit.c.owner, owner), (audit.c.model, model), (audit.c.decision, decision)):  # fmt: skip
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(audit.c.number < before)
    with stores.reading() as connection:
        rows = [dict(row._mapping) for row in connection.execute(query)]
    found = []
    for row in rows:
        sealed = row.pop("prompt")
        record = Record(**row)
        if prompts and sealed is not None:
            record = replace(record, prompt=stores.seal.open(sealed, place(record.request)))
        found.append(record)
    return found


def forget_audit(stores: Stores, before: float) -> int:
    """Delete records of before a time; how many."""
    with stores.writing() as connection:
        return connection.execute(delete(audit).where(audit.c.time < before)).rowcount
