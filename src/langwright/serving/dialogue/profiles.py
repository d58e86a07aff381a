"""What is remembered of the caller, and what they think of answers, over HTTP. Nothing is kept without consent."""

from __future__ import annotations

import asyncio
from functools import partial

from fastapi import APIRouter, Request, Response

from langwright.errors import UserError
from langwright.serving.access.visits import caller
from langwright.serving.complaints import ApiError
from langwright.serving.dialogue.bodies import FeedbackRequest, ProfileChange, ProfileRequest
from langwright.serving.dialogue.shown import FeedbackList, FeedbackShown, ProfileShown, feedback_shown, profile_shown
from langwright.serving.house import House, documented
from langwright.serving.stores.conversations import turns_of
from langwright.serving.stores.feedback import Feedback, all_feedback, give_feedback
from langwright.serving.stores.opening import Stores
from langwright.serving.stores.profiles import Profile, consent, profile, remember, withdraw
from langwright.tasks.dialogue.remembering import Remembered, changed, wish_of
from langwright.wording import say


def profile_routes(house: House) -> APIRouter:
    """The routes, over the stores of a house."""
    router = APIRouter(tags=["Conversations"])

    @router.get("/v1/profile")
    async def show() -> ProfileShown:
        """All that is remembered of the caller."""
        return profile_shown(await asyncio.to_thread(profile, house.stores, caller().owner))

    @router.put("/v1/profile", openapi_extra=documented(ProfileRequest))
    async def agree(request: Request) -> ProfileShown:
        """Agree to be remembered for a purpose, with what is to be remembered."""
        asked = await house.read(request, ProfileRequest)
        return profile_shown(await asyncio.to_thread(agreed, house.stores, caller().owner, asked))

    @router.patch("/v1/profile", openapi_extra=documented(ProfileChange))
    async def change(request: Request) -> ProfileShown:
        """Remember or forget some of it."""
        asked = await house.read(request, ProfileChange)
        return profile_shown(await asyncio.to_thread(merged, house.stores, caller().owner, asked))

    @router.delete("/v1/profile", status_code=204)
    async def forget() -> Response:
        """Take the consent back; all of it is forgotten."""
        await asyncio.to_thread(withdraw, house.stores, caller().owner)
        return Response(status_code=204)

    @router.post("/v1/feedback", status_code=201, openapi_extra=documented(FeedbackRequest))
    async def judge(request: Request) -> FeedbackShown:
        """Say what one thinks of an answer in a conversation."""
        asked = await house.read(request, FeedbackRequest)
        return feedback_shown(await asyncio.to_thread(judged, house.stores, caller().owner, asked))

    @router.get("/v1/feedback")
    async def list_feedback() -> FeedbackList:
        """What the caller thought of answers, the oldest first."""
        found = await asyncio.to_thread(partial(all_feedback, house.stores, owner=caller().owner))
        return FeedbackList(data=[feedback_shown(one) for one in found])

    return router


def agreed(stores: Stores, owner: str, asked: ProfileRequest) -> Profile:
    """Note the consent, and keep what was given with it."""
    if asked.consent:
        consent(stores, owner, asked.purpose)
    return remember(stores, owner, asked.facts)


def merged(stores: Stores, owner: str, asked: ProfileChange) -> Profile:
    """What was kept with these facts added, replaced or taken out; UserError without consent."""
    kept = profile(stores, owner)
    facts = {**(kept.facts if kept is not None else {}), **asked.facts}
    return remember(stores, owner, {name: said for name, said in facts.items() if said is not None})


def obeyed(stores: Stores, owner: str, said: str) -> Remembered:
    """Remember or forget what a turn asks for in so many words; without consent nothing is kept, and that is said."""
    wish = wish_of(said)
    if not wish:
        return Remembered()
    kept = profile(stores, owner)
    if kept is None:
        if not wish.keep:
            return Remembered(note=say("nothing was remembered before"))
        return Remembered(note=say("nothing is remembered without consent: PUT /v1/profile gives it"))
    facts, done = changed(kept.facts, wish)
    if wish.everything:
        withdraw(stores, owner)
    else:
        remember(stores, owner, facts)
    return done


def judged(stores: Stores, owner: str, asked: FeedbackRequest) -> Feedback:
    """Keep a judgement with what was asked and answered.

    raises  UserError for a turn that is no answer; ApiError for a value or text that does not go with its kind
    """
    if (asked.kind == "rating") != (asked.value is not None) or (asked.kind != "rating") != bool(asked.better):
        raise ApiError(
            UserError(
                "a {kind} has {wanted}, and nothing else",
                fix="give {wanted}",
                kind=asked.kind,
                wanted="value" if asked.kind == "rating" else "better",
            ),
            status=422,
            param="value" if asked.kind == "rating" else "better",
        )
    by_id = {turn.id: turn for turn in turns_of(stores, owner, asked.conversation)}
    turn = by_id.get(asked.turn)
    if turn is None or turn.role != "assistant":
        raise UserError(
            "{turn} is no answer in the conversation {id}", fix="name one that is", turn=asked.turn, id=asked.conversation
        )  # fmt: skip
    better = asked.better
    if asked.kind == "preference":
        other = by_id.get(better)
        if other is None or other.parent != turn.parent or other.id == turn.id:
            raise UserError(
                "{turn} is no other answer to the same turn",
                fix="have the turn answered again, and name that answer",
                turn=better,
            )
        better = other.content
    asks = by_id[turn.parent].content if turn.parent is not None else ""
    return give_feedback(
        stores, owner, kind=asked.kind, value=asked.value, model=turn.model, digest=turn.digest,
        conversation=asked.conversation, turn=turn.id, prompt=asks, answer=turn.content, better=better,
        comment=asked.comment,
    )  # fmt: skip
