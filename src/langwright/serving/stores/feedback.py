"""What people thought of answers: a judgement, a comment, a better answer, one of two."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, insert, select

from langwright.serving.stores.opening import Stores
from langwright.serving.stores.sealing import Seal
from langwright.serving.stores.tables import feedback
from langwright.serving.stores.times import new_id, now

TEXTS = ("prompt", "answer", "better", "comment")


@dataclass(frozen=True)
class Feedback:
    """One judgement.

    kind                `rating`, `preference`, `correction` or a word of the caller's
    value               such as 1 for good and -1 for bad
    prompt, answer      what was asked and answered
    better              the answer that was preferred, or the corrected one
    conversation, turn  what it is about, where it was said in one
    """

    id: str
    owner: str
    kind: str
    value: float | None
    model: str
    digest: str
    conversation: str
    turn: str
    prompt: str
    answer: str
    better: str
    comment: str
    made: float
    number: int = 0


def give_feedback(
    stores: Stores,
    owner: str,
    *,
    kind: str,
    value: float | None = None,
    model: str = "",
    digest: str = "",
    conversation: str = "",
    turn: str = "",
    prompt: str = "",
    answer: str = "",
    better: str = "",
    comment: str = "",
) -> Feedback:
    """Keep a judgement; it is on the disk when this returns."""
    id, at = new_id("fb"), now()
    texts = {"prompt": prompt, "answer": answer, "better": better, "comment": comment}
    values = {
        "id": id, "owner": owner, "kind": kind, "value": value, "model": model, "digest": digest,
        "conversation": conversation, "turn": turn, "made": at,
        "text": stores.seal.close(json.dumps(texts, ensure_ascii=False), f"feedback|{id}|text"),
    }  # fmt: skip
    with stores.writing() as connection:
        number = connection.execute(insert(feedback).values(values)).inserted_primary_key
    return Feedback(
        id, owner, kind, value, model, digest, conversation, turn, **texts, made=at, number=number[0] if number else 0
    )


def all_feedback(
    stores: Stores,
    *,
    owner: str | None = None,
    kind: str | None = None,
    model: str | None = None,
    after: int = 0,
    limit: int | None = None,
) -> list[Feedback]:
    """Judgements, the oldest first, of an owner, kind or model; `after` a number, to go on from it."""
    query = select(feedback).where(feedback.c.number > after).order_by(feedback.c.number).limit(limit)
    for column, value in ((feedback.c.owner, owner), (feedback.c.kind, kind), (feedback.c.model, model)):
        if value is not None:
            query = query.where(column == value)
    with stores.reading() as connection:
        rows = connection.execute(query).all()
    return [feedback_of(row, stores.seal) for row in rows]


def feedback_of(row: Row[Any], seal: Seal) -> Feedback:
    """A row as feedback."""
    values = dict(row._mapping)
    texts = json.loads(seal.open(values.pop("text"), f"feedback|{row.id}|text"))
    return Feedback(**values, **{name: texts[name] for name in TEXTS})


def forget_feedback(stores: Stores, before: float) -> int:
    """Delete judgements of before a time; how many."""
    with stores.writing() as connection:
        return connection.execute(delete(feedback).where(feedback.c.made < before)).rowcount
