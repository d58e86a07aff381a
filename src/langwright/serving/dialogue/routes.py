"""Conversations over HTTP: begun, listed, talked in, edited, answered anew, branched, exported, deleted."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import Any

from fastapi import APIRouter, Request, Response

from langwright.errors import UserError
from langwright.serving.access.visits import caller
from langwright.serving.dialogue.bodies import (
    AnswerRequest,
    BranchRequest,
    ConversationChange,
    ConversationRequest,
    DialogueState,
    EditRequest,
    ExportQuery,
    ListQuery,
    TurnRequest,
    state_of,
)
from langwright.serving.dialogue.profiles import obeyed
from langwright.serving.dialogue.shown import (
    Answered,
    ConversationList,
    ConversationShown,
    ConversationWhole,
    as_markdown,
    shown,
    whole,
)
from langwright.serving.dialogue.talking import answer, text_of
from langwright.serving.house import House, asked_of, documented, query
from langwright.serving.stores.conversations import (
    Conversation,
    Turn,
    add_turn,
    begin_conversation,
    change_conversation,
    conversation,
    conversations_of,
    delete_conversation,
    path_to,
    turns_of,
)
from langwright.tasks.dialogue.feelings import policy_named

STREAM: dict[int | str, dict[str, Any]] = {200: {"description": "streamed", "content": {"text/event-stream": {}}}}
FILES: dict[int | str, dict[str, Any]] = {
    200: {"description": "the file", "content": {"application/json": {}, "application/jsonl": {}, "text/markdown": {}}}
}


def conversation_routes(house: House) -> APIRouter:
    """The routes, over the stores and models of a house. Everything is the caller's own."""
    router = APIRouter(tags=["Conversations"])
    add_keeping(router, house)
    add_talking(router, house)
    return router


def add_keeping(router: APIRouter, house: House) -> None:
    """Beginning, listing, changing, deleting."""

    @router.post("/v1/conversations", status_code=201, openapi_extra=documented(ConversationRequest))
    async def begin(request: Request) -> ConversationShown:
        """Begin a conversation."""
        asked = await house.read(request, ConversationRequest)
        check(house, asked, asked.model)
        made = await asyncio.to_thread(
            partial(
                begin_conversation, house.stores, caller().owner,
                title=asked.title, model=asked.model, state=asked.state(),
            )
        )  # fmt: skip
        return shown(made)

    @router.get("/v1/conversations", openapi_extra=asked_of(ListQuery))
    async def list_conversations(request: Request) -> ConversationList:
        """The caller's conversations, the last begun first."""
        asked = query(request, ListQuery)
        found = await asyncio.to_thread(
            partial(conversations_of, house.stores, caller().owner, before=asked.before, limit=asked.limit)
        )
        return ConversationList(data=[shown(one) for one in found])

    @router.get("/v1/conversations/{id}")
    async def show(id: str) -> ConversationWhole:
        """One of them with every branch."""
        return whole(*await asyncio.to_thread(opened, house, caller().owner, id))

    @router.patch("/v1/conversations/{id}", openapi_extra=documented(ConversationChange))
    async def change(id: str, request: Request) -> ConversationShown:
        """Change its title, its model, where it goes on from, or what it keeps."""
        asked = await house.read(request, ConversationChange)
        owner = caller().owner
        before = await asyncio.to_thread(conversation, house.stores, owner, id)
        state = asked.changed(state_of(before))
        check(house, state, asked.model or before.model)
        after = await asyncio.to_thread(
            partial(
                change_conversation, house.stores, owner, id, title=asked.title, model=asked.model, head=asked.head,
                state=state.model_dump(mode="json"),
            )
        )  # fmt: skip
        return shown(after)

    @router.delete("/v1/conversations/{id}", status_code=204)
    async def delete(id: str) -> Response:
        """Delete it with all that was said in it."""
        await asyncio.to_thread(delete_conversation, house.stores, caller().owner, id)
        return Response(status_code=204)

    @router.get("/v1/conversations/{id}/export", responses=FILES, openapi_extra=asked_of(ExportQuery))
    async def export(id: str, request: Request) -> Response:
        """One conversation as a file."""
        form = query(request, ExportQuery).form
        one, turns = await asyncio.to_thread(opened, house, caller().owner, id)
        return exported(one, turns, form)

    @router.post("/v1/conversations/{id}/branch", status_code=201, openapi_extra=documented(BranchRequest))
    async def branch(id: str, request: Request) -> ConversationWhole:
        """A new conversation from the turns up to one, with the same state."""
        asked = await house.read(request, BranchRequest)
        return whole(*await asyncio.to_thread(branched, house, caller().owner, id, asked))


def add_talking(router: APIRouter, house: House) -> None:
    """Turns and their answers."""

    @router.post(
        "/v1/conversations/{id}/turns",
        status_code=201,
        response_model=Answered,
        responses=STREAM,
        openapi_extra=documented(TurnRequest),
    )
    async def talk(id: str, request: Request) -> Response:
        """Say something, and have it answered; both are kept."""
        asked = await house.read(request, TurnRequest)
        return await said(house, request, id, asked, asked.parent)

    @router.post(
        "/v1/conversations/{id}/turns/{turn}/edit",
        status_code=201,
        response_model=Answered,
        responses=STREAM,
        openapi_extra=documented(EditRequest),
    )
    async def edit(id: str, turn: str, request: Request) -> Response:
        """Say a turn otherwise, and have it answered; what was said before stays, as another branch."""
        asked = await house.read(request, EditRequest)
        _, turns = await asyncio.to_thread(opened, house, caller().owner, id)
        before = one_of(turns, turn, id)
        if before.role != "user":
            raise UserError("{turn} is no turn of the user's", fix="name one that is", turn=turn)
        return await said(house, request, id, asked, before.parent or "")

    @router.post(
        "/v1/conversations/{id}/turns/{turn}/regenerate",
        status_code=201,
        response_model=Answered,
        responses=STREAM,
        openapi_extra=documented(AnswerRequest),
    )
    async def regenerate(id: str, turn: str, request: Request) -> Response:
        """Have a turn answered again; the answers before stay, as other branches. Of an answer, its question."""
        asked = await house.read(request, AnswerRequest)
        owner = caller().owner
        one, turns = await asyncio.to_thread(opened, house, owner, id)
        to = one_of(turns, turn, id)
        if to.role == "assistant" and to.parent is not None:
            to = one_of(turns, to.parent, id)
        text_of(house, one.model)
        return await answer(house, request, owner, one, to, asked)


async def said(house: House, request: Request, id: str, asked: EditRequest, parent: str | None) -> Response:
    """Keep what the user says, then have it answered."""
    owner = caller().owner
    one = await asyncio.to_thread(conversation, house.stores, owner, id)
    house.check_new_tokens(asked.sampling.max_new_tokens)
    text_of(house, one.model)
    turn = await asyncio.to_thread(
        partial(add_turn, house.stores, owner, id, "user", asked.content, parent=parent)
    )  # fmt: skip
    remembered = None
    if state_of(one).profile:
        remembered = await asyncio.to_thread(obeyed, house.stores, owner, asked.content)
    return await answer(house, request, owner, one, turn, asked, remembered)


def check(house: House, state: DialogueState, model: str) -> None:
    """ApiError or UserError for a model or a policy that is not there."""
    text_of(house, model)
    if state.judge is not None:
        house.doer(state.judge)
    if state.policy is not None:
        policy_named(state.policy)


def opened(house: House, owner: str, id: str) -> tuple[Conversation, list[Turn]]:
    """A conversation with every turn."""
    return conversation(house.stores, owner, id), turns_of(house.stores, owner, id)


def one_of(turns: list[Turn], turn: str, id: str) -> Turn:
    """A turn by its name; UserError where it is not of this conversation."""
    found = next((one for one in turns if one.id == turn), None)
    if found is None:
        raise UserError(
            "there is no turn {turn!r} in the conversation {id!r}",
            fix="see its turns at GET /v1/conversations/{id}",
            turn=turn,
            id=id,
        )
    return found


def branched(house: House, owner: str, id: str, asked: BranchRequest) -> tuple[Conversation, list[Turn]]:
    """A copy of the turns up to one, as a conversation of its own."""
    before, turns = opened(house, owner, id)
    one_of(turns, asked.turn, id)
    made = begin_conversation(
        house.stores, owner, title=asked.title or before.title, model=before.model, state=before.state
    )
    names: dict[str, str] = {}
    for turn in path_to(turns, asked.turn):
        kept = dict(turn.details)
        if kept.get("summary"):  # it names the last turn that it covers, which has another name here
            kept["summary"] = {**kept["summary"], "upto": names[kept["summary"]["upto"]]}
        copy = add_turn(
            house.stores, owner, made.id, turn.role, turn.content, model=turn.model, digest=turn.digest, details=kept
        )
        names[turn.id] = copy.id
    return opened(house, owner, made.id)


def exported(one: Conversation, turns: list[Turn], form: str) -> Response:
    """A conversation as a file to keep."""
    path = path_to(turns, one.head)
    if form == "markdown":
        return Response(as_markdown(one, path), media_type="text/markdown; charset=utf-8")
    if form == "tree":
        return Response(whole(one, turns).model_dump_json(), media_type="application/json")
    system = state_of(one).system
    opening = [{"role": "system", "content": system}] if system else []
    row = {"messages": [*opening, *({"role": turn.role, "content": turn.content} for turn in path)]}
    return Response(json.dumps(row, ensure_ascii=False) + "\n", media_type="application/jsonl; charset=utf-8")
