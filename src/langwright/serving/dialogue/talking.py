"""One turn of a conversation: what the model is given is put together, the answer is written, and both are kept.

What the user says is on the disk before the model begins; an answer that was cut off is not kept, and the turn can be
answered again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse

from langwright.data.schemas import Message
from langwright.errors import UserError
from langwright.inference.protocol import Sampling
from langwright.inference.texts.text import TextModel
from langwright.inference.texts.written import TextCompletion, TextPiece
from langwright.serving.access.visits import read, written
from langwright.serving.complaints import ApiError
from langwright.serving.dialogue.bodies import AnswerRequest, DialogueState, state_of
from langwright.serving.dialogue.shown import Answered, Piece, Reply, turn_shown
from langwright.serving.house import House
from langwright.serving.stores.conversations import Conversation, Turn, add_turn, path_to, turns_of
from langwright.serving.stores.profiles import profile
from langwright.serving.streaming import DONE, Answers, Ask, EventStream, event_of, unless_gone
from langwright.tasks.dialogue.context import Context, Summary, fitted, summary_of
from langwright.tasks.dialogue.feelings import Strategy, strategy_for
from langwright.tasks.dialogue.pinning import pinned
from langwright.tasks.dialogue.remembering import Remembered
from langwright.tasks.dialogue.summaries import Spent, writer_of
from langwright.tasks.front.model import Model

FORMAT = {"format": 1}


@dataclass(frozen=True)
class Prepared:
    """What a model is given, and why.

    ids    the conversation as the model reads it
    facts  what of the profile it was told
    spent  tokens that went into a summary
    """

    ids: Sequence[int]
    context: Context
    strategy: Strategy | None
    facts: Mapping[str, str]
    spent: Spent

    def details(self) -> dict[str, Any]:
        """What is kept with the answer."""
        made = {"summary": self.context.summary.facts()} if self.context.made and self.context.summary else {}
        return {
            **FORMAT,
            "context": asdict(self.context.counts),
            "strategy": None if self.strategy is None else self.strategy.facts(),
            "profile": dict(self.facts),
            **made,
        }


def kept_summaries(path: Sequence[Turn]) -> list[Summary]:
    """The summaries that were made for answers of this branch."""
    return [summary_of(turn.details["summary"]) for turn in path if turn.details.get("summary")]


def prepared(
    model: Model, judge: Model, state: DialogueState, path: Sequence[Turn], facts: Mapping[str, str], sampling: Sampling
) -> Prepared:
    """What a model is given for the last turn of a path. Blocks: it may have a summary written and a feeling found.

    raises  UserError when the turn does not fit, or there is no policy of that name
    """
    text = model.local("answer in a conversation")
    last = path[-1]
    found = strategy_for(judge, last.content, state.policy) if state.policy is not None else None
    told = pinned(state.system, found, facts, state.notes, last.content)

    def count(messages: Sequence[Message]) -> int:
        return len(text.render(messages))

    spent = Spent()
    context = fitted(
        path, pinned=told, count=count, context=text.context, answer=sampling.max_new_tokens,
        write=writer_of(model if state.context.summed_by == "model" else None, spent), kept=kept_summaries(path),
        settings=state.context,
    )  # fmt: skip
    return Prepared(text.render(context.messages), context, found, facts, spent)


async def answer(
    house: House,
    request: Request,
    owner: str,
    conversation: Conversation,
    to: Turn,
    asked: AnswerRequest,
    remembered: Remembered | None = None,
) -> Response:
    """Have a turn answered, and keep the answer behind it.

    raises  ApiError for a turn that is not the user's, a model that is not there, or no room
    """
    if to.role != "user":
        raise ApiError(UserError("{turn} is no turn of the user's", fix="name one that is", turn=to.id), param="turn")
    house.check_new_tokens(asked.sampling.max_new_tokens)
    state = state_of(conversation)
    judge = None if state.judge is None else house.doer(state.judge)
    model, doing = house.model(conversation.model), house.doer(conversation.model)  # last, for the audit log
    path = path_to(await asyncio.to_thread(turns_of, house.stores, owner, conversation.id), to.id)
    kept = await asyncio.to_thread(profile, house.stores, owner) if state.profile else None
    facts = dict(kept.facts) if kept is not None else {}
    async with house.desk.place():
        ready = await house.desk.aside(prepared, doing, judge or doing, state, path, facts, asked.sampling)
    read(ready.spent.read)
    written(ready.spent.written)
    answers = await house.desk.open(model, [Ask(ready.ids, asked.sampling, asked.stop)])
    one = Answering(house, owner, conversation, to, ready, remembered or Remembered())
    if asked.stream:
        return EventStream(one.events(answers), answers.cancel)
    try:
        (done,) = await unless_gone(request.receive, answers.completions())
    finally:
        answers.cancel()
    return JSONResponse((await one.keep(done)).model_dump(mode="json"), 201)


@dataclass(frozen=True)
class Answering:
    """One answer on its way into the store and to the caller."""

    house: House
    owner: str
    conversation: Conversation
    to: Turn
    ready: Prepared
    remembered: Remembered

    async def events(self, answers: Answers) -> AsyncIterator[bytes]:
        """The user's turn, the answer as it is written, and both as they were kept."""
        yield event_of(Piece(kind="turn", turn=turn_shown(self.to)))
        async for _, part in answers.events():
            if isinstance(part, TextPiece):
                yield event_of(Piece(kind="piece", text=part.text))
            else:
                yield event_of(Piece(kind="answer", answer=await self.keep(part)))
        yield DONE

    async def keep(self, done: TextCompletion) -> Answered:
        """Keep the answer; what the caller is told."""
        name = self.conversation.model
        details = {
            **self.ready.details(),
            "finish_reason": done.finish_reason,
            "seed": done.seed,
            "tokens": len(done.tokens),
        }
        turn = await asyncio.to_thread(
            partial(
                add_turn, self.house.stores, self.owner, self.conversation.id, "assistant", done.text,
                parent=self.to.id, model=name, digest=await asyncio.to_thread(self.house.digest, name), details=details,
            )
        )  # fmt: skip
        return Answered(
            conversation=self.conversation.id,
            asked=turn_shown(self.to),
            turn=turn_shown(turn),
            told=Reply.of(self.ready.context, self.ready.strategy, self.ready.facts, self.remembered),
        )


def text_of(house: House, name: str) -> TextModel:
    """A model that converses, by name.

    raises  ApiError when there is none, UserError when it has no chat template
    """
    model = house.model(name)
    if not model.chats:
        model.render(())  # says why
    return model
