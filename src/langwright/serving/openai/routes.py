"""OpenAI's interface: /v1/models, /v1/completions, /v1/chat/completions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from langwright.errors import UserError
from langwright.inference.protocol import Tiered, Token
from langwright.inference.texts.text import TextModel
from langwright.inference.texts.written import TextCompletion, TextPiece
from langwright.serving.house import House, documented
from langwright.serving.openai.answers import (
    AssistantMessage,
    ChatChoice,
    ChatChunk,
    ChatCompletion,
    ChunkChoice,
    Completion,
    CompletionChoice,
    CompletionLogprobs,
    Delta,
    FinishReason,
    ModelCard,
    ModelList,
    Offsets,
    chat_logprobs,
    completion_logprobs,
    new_id,
    now,
    usage,
)
from langwright.serving.openai.bodies import COMPLETION_TOKENS, ChatRequest, CompletionRequest
from langwright.serving.streaming import Answers, Ask, EventStream, event_of, unless_gone
from langwright.tokenizers.templates import template_sha256

DONE = b"data: [DONE]\n\n"


def way_of(model: TextModel) -> tuple[str, str]:
    """(how a model's requests run together, why not in a better way)."""
    return model.engine.way("en") if isinstance(model.engine, Tiered) else ("", "")


def openai_routes(house: House) -> APIRouter:
    """The routes, over the models of a house."""
    router = APIRouter(tags=["OpenAI"])
    cards = [
        ModelCard(
            id=name,
            created=now(),
            context=model.context,
            template_sha256=template_sha256(model.tokenizer),
            watermark=model.watermark.kind if model.watermark is not None else None,
            tier=way_of(model)[0],
            tier_reason=way_of(model)[1],
        )
        for name, model in house.models.items()
    ]

    @router.get("/v1/models")
    async def list_models() -> ModelList:
        """The models that can be asked."""
        return ModelList(data=cards)

    @router.get("/v1/models/{name:path}")
    async def show_model(name: str) -> ModelCard:
        """One of them."""
        house.model(name)
        return next(card for card in cards if card.id == name)

    @router.post("/v1/completions", response_model=Completion, openapi_extra=documented(CompletionRequest))
    async def complete(request: Request) -> Response:
        """Continue a text."""
        asked = await house.read(request, CompletionRequest)
        return await answer_completion(house, request, asked)

    @router.post("/v1/chat/completions", response_model=ChatCompletion, openapi_extra=documented(ChatRequest))
    async def chat(request: Request) -> Response:
        """The assistant's next turn of a conversation."""
        asked = await house.read(request, ChatRequest)
        return await answer_chat(house, request, asked)

    return router


# --- how many tokens -----------------------------------------------------------------------------


def room_for(house: House, model: TextModel, prompt: Sequence[int], asked: int | None, default: int | None) -> int:
    """New tokens to make at most.

    asked    what the caller said
    default  what holds when the caller said nothing; None for all that the context has room for
    raises   UserError when the prompt leaves no room, or not as much as was asked for
    """
    room = model.room(prompt)
    if asked is None:
        return min(house.settings.max_new_tokens, room if default is None else min(default, room))
    house.check_new_tokens(asked)
    if asked > room:
        raise UserError(
            "{asked} new tokens after a prompt of {tokens} do not fit the model's context of {context}",
            fix="ask for at most {room} new tokens, or shorten the prompt",
            asked=asked,
            tokens=len(prompt),
            context=model.context,
            room=room,
        )
    return asked


def check_choices(house: House, count: int) -> None:
    """UserError when one request asks for more answers than the server gives at once."""
    limit = min(house.settings.max_choices, house.settings.max_open)
    if count > limit:
        raise UserError(
            "{count} answers in one request are more than the {limit} this server gives",
            fix="send several requests, or start it with a larger max_choices and max_open",
            count=count,
            limit=limit,
        )


# --- chat ----------------------------------------------------------------------------------------


async def answer_chat(house: House, request: Request, asked: ChatRequest) -> Response:
    """One chat request from its body to its answer."""
    model = house.model(asked.model)
    check_choices(house, asked.answers)
    messages = [message.message() for message in asked.messages]
    prompt = await house.desk.aside(model.render, messages)
    most = room_for(house, model, prompt, asked.most, default=None)
    asks = [
        Ask(prompt, asked.sampling(i, most), asked.stops, asked.top_logprobs or 0, asked.wanted)
        for i in range(asked.answers)
    ]
    answers = await house.desk.open(model, asks)
    if asked.stream:
        return EventStream(chat_events(model, asked, answers, len(prompt)), answers.cancel)
    try:
        done = await unless_gone(request.receive, answers.completions())
    finally:
        answers.cancel()
    choices = [
        ChatChoice(
            index=index,
            message=AssistantMessage(content=completion.text),
            logprobs=chat_logprobs(model, completion.tokens) if asked.logprobs else None,
            finish_reason=reason(completion),
            seed=completion.seed,
        )
        for index, completion in enumerate(done)
    ]
    body = ChatCompletion(
        id=new_id("chatcmpl"), created=now(), model=asked.model, choices=choices, usage=usage(len(prompt), done)
    )
    return json_response(body)


async def chat_events(
    model: TextModel, asked: ChatRequest, answers: Answers, prompt_tokens: int
) -> AsyncIterator[bytes]:
    """A chat as server-sent events: who speaks, what is said, why it ended, the counts when wanted, and [DONE]."""
    head = ChatChunk(id=new_id("chatcmpl"), created=now(), model=asked.model, choices=[])
    if asked.wants_usage:
        head = head.model_copy(update={"usage": None})  # given as null in all events but the last, as at OpenAI

    def event(choice: ChunkChoice) -> bytes:
        return event_of(head.model_copy(update={"choices": [choice]}))

    for index in range(asked.answers):
        start = Delta(role="assistant", content="")
        yield event(ChunkChoice(index=index, delta=start, logprobs=None, finish_reason=None))
    done: list[TextCompletion] = []
    async for index, part in answers.events():
        if isinstance(part, TextPiece):
            logprobs = chat_logprobs(model, part.tokens) if asked.logprobs else None
            delta = Delta(content=part.text)
            yield event(ChunkChoice(index=index, delta=delta, logprobs=logprobs, finish_reason=None))
        else:
            done.append(part)
            why = reason(part)
            yield event(ChunkChoice(index=index, delta=Delta(), logprobs=None, finish_reason=why, seed=part.seed))
    if asked.wants_usage:
        yield event_of(head.model_copy(update={"usage": usage(prompt_tokens, done)}))
    yield DONE


# --- completions ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Echo:
    """A prompt as it is repeated before its answers."""

    ids: Sequence[int]
    text: str
    logprobs: Sequence[float | None]  # empty when they are not wanted
    tops: Sequence[Sequence[tuple[int, float]]]  # alternatives of each, none of the first


async def answer_completion(house: House, request: Request, asked: CompletionRequest) -> Response:
    """One completion request from its body to its answer."""
    model = house.model(asked.model)
    check_choices(house, len(asked.prompts) * asked.written)
    prompts = [
        await house.desk.aside(model.tokenize, prompt) if isinstance(prompt, str) else list(prompt)
        for prompt in asked.prompts
    ]
    asks = []
    for prompt in prompts if asked.max_tokens != 0 else ():
        most = room_for(house, model, prompt, asked.max_tokens, COMPLETION_TOKENS)
        for number in range(asked.written):
            asks.append(Ask(prompt, asked.sampling(number, most), asked.stops, asked.logprobs or 0, asked.control))
    echoes = [await echo_of(house, model, asked, number, prompt) for number, prompt in enumerate(prompts)]
    work = Writing(model, asked, echoes, sum(map(len, prompts)))
    if not asks:
        return json_response(work.whole([None] * len(prompts) * asked.answers))
    answers = await house.desk.open(model, asks)
    if asked.stream:
        return EventStream(work.events(answers), answers.cancel)
    try:
        done = await unless_gone(request.receive, answers.completions())
    finally:
        answers.cancel()
    return json_response(work.whole(best(done, asked.written, asked.answers), done))


async def echo_of(house: House, model: TextModel, asked: CompletionRequest, number: int, ids: Sequence[int]) -> Echo:
    """What stands before the answers to one prompt; scored when log-probabilities are wanted."""
    given = asked.prompts[number]
    text = given if isinstance(given, str) else model.alphabet.text_of(ids)
    if not asked.echo or asked.logprobs is None:
        return Echo(ids, text, (), ())
    async with house.desk.place():
        (tokens,) = await house.desk.aside(model.read, [ids], asked.logprobs)
    return Echo(ids, text, [None, *(token.logprob for token in tokens)], [(), *(token.top for token in tokens)])


def best(done: Sequence[TextCompletion], written: int, wanted: int) -> list[TextCompletion]:
    """Of each prompt's answers the likeliest by the token, best first; all in their order where all are wanted."""
    if written == wanted:
        return list(done)
    chosen: list[TextCompletion] = []
    for at in range(0, len(done), written):
        chosen += sorted(done[at : at + written], key=lambda one: one.mean_logprob, reverse=True)[:wanted]
    return chosen


class Writing:
    """Makes the answer of one completion request, whole or event by event."""

    def __init__(self, model: TextModel, asked: CompletionRequest, echoes: Sequence[Echo], prompt_tokens: int) -> None:
        self.model = model
        self.asked = asked
        self.echoes = echoes
        self.prompt_tokens = prompt_tokens
        self.id, self.created = new_id("cmpl"), now()
        self.offsets = [
            Offsets(0 if self.wants_prompt_logprobs else len(self.echo(index).text))
            for index in range(len(echoes) * asked.answers)
        ]

    @property
    def wants_prompt_logprobs(self) -> bool:
        return bool(self.asked.echo) and self.asked.logprobs is not None

    def echo(self, index: int) -> Echo:
        """The prompt of the choice with this number."""
        return self.echoes[index // self.asked.answers]

    def logprobs(self, index: int, tokens: Sequence[Token], first: bool) -> CompletionLogprobs | None:
        """Entries for these tokens of a choice, after those of its prompt when it is the first piece of an echo."""
        if self.asked.logprobs is None:
            return None
        before = self.echo(index) if first and self.wants_prompt_logprobs else Echo((), "", (), ())
        tops = [*before.tops, *(token.top for token in tokens)] if self.asked.logprobs else None
        return completion_logprobs(
            self.model,
            [*before.ids, *(token.id for token in tokens)],
            [*before.logprobs, *(token.logprob for token in tokens)],
            tops,
            self.offsets[index],
        )

    def whole(
        self, done: Sequence[TextCompletion | None], written: Sequence[TextCompletion] | None = None
    ) -> Completion:
        """The answer in one; None stands for a prompt that is only echoed.

        written  all that was written, where that is more: it counts as used
        """
        choices = []
        for index, completion in enumerate(done):
            tokens = completion.tokens if completion else ()
            text = completion.text if completion else ""
            choices.append(
                CompletionChoice(
                    index=index,
                    text=(self.echo(index).text if self.asked.echo else "") + text,
                    logprobs=self.logprobs(index, tokens, first=True),
                    finish_reason=reason(completion) if completion else "length",
                    seed=completion.seed if completion else None,
                )
            )
        made = [completion for completion in written or done if completion]
        return Completion(
            id=self.id,
            created=self.created,
            model=self.asked.model,
            choices=choices,
            usage=usage(self.prompt_tokens, made),
        )

    async def events(self, answers: Answers) -> AsyncIterator[bytes]:
        """The answer as server-sent events."""
        if self.asked.echo:
            for index in range(len(self.offsets)):
                logprobs = self.logprobs(index, (), first=True) if self.wants_prompt_logprobs else None
                text = self.echo(index).text
                yield self.event(CompletionChoice(index=index, text=text, logprobs=logprobs, finish_reason=None))
        done: list[TextCompletion] = []
        async for index, part in answers.events():
            if isinstance(part, TextPiece):
                logprobs = self.logprobs(index, part.tokens, first=False)
                yield self.event(CompletionChoice(index=index, text=part.text, logprobs=logprobs, finish_reason=None))
            else:
                done.append(part)
                yield self.event(CompletionChoice(index=index, text="", finish_reason=reason(part), seed=part.seed))
        if self.asked.wants_usage:
            yield event_of(self.chunk([]).model_copy(update={"usage": usage(self.prompt_tokens, done)}))
        yield DONE

    def event(self, choice: CompletionChoice) -> bytes:
        """One piece of one choice."""
        return event_of(self.chunk([choice]))

    def chunk(self, choices: list[CompletionChoice]) -> Completion:
        """The body of one event; the counts are null in all but the last, as at OpenAI."""
        head = Completion(id=self.id, created=self.created, model=self.asked.model, choices=choices)
        return head.model_copy(update={"usage": None}) if self.asked.wants_usage else head


# --- both ----------------------------------------------------------------------------------------


def reason(completion: TextCompletion) -> FinishReason:
    """Why it ended, in OpenAI's words; the others never reach an answer."""
    return "length" if completion.finish_reason == "length" else "stop"


def json_response(body: Completion | ChatCompletion) -> Response:
    """A body as UTF-8 JSON, Chinese as it is."""
    return Response(body.model_dump_json(), media_type="application/json")
