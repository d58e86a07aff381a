"""/v1/chat/completions: from a request to its answer, whole or event by event."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from fastapi import Request, Response

from langwright.data.schemas import Message
from langwright.inference.calling.forms import conversation_ids, form_of
from langwright.inference.calling.reading import Argued, Begun, Part, Spoken
from langwright.inference.protocol import Token
from langwright.inference.texts.text import TextModel
from langwright.inference.texts.written import TextCompletion, TextPiece
from langwright.serving.house import House
from langwright.serving.openai.answers import (
    AssistantMessage,
    ChatChoice,
    ChatChunk,
    ChatCompletion,
    ChatFinishReason,
    ChunkChoice,
    Delta,
    FunctionCall,
    FunctionDelta,
    ToolCall,
    ToolCallDelta,
    chat_logprobs,
    new_id,
    now,
    usage,
)
from langwright.serving.openai.chat import ChatRequest
from langwright.serving.openai.measure import check_choices, json_response, reason, room_for
from langwright.serving.openai.tools import Calling, Said, special_in
from langwright.serving.streaming import DONE, Answers, Ask, EventStream, event_of, unless_gone


async def answer_chat(house: House, request: Request, asked: ChatRequest) -> Response:
    """One chat request from its body to its answer."""
    model = house.model(asked.model)
    check_choices(house, asked.answers)
    prompt, calling = await house.desk.aside(prepared, model, asked)
    most = room_for(house, model, prompt, asked.most, default=None)
    control = calling.control if calling is not None else asked.wanted
    asks = [
        Ask(prompt, asked.sampling(i, most), asked.stops, asked.top_logprobs or 0, control)
        for i in range(asked.answers)
    ]
    answers = await house.desk.open(model, asks)
    work = Talking(model, asked, calling, len(prompt))
    if asked.stream:
        return EventStream(work.events(answers), answers.cancel)
    try:
        return json_response(await unless_gone(request.receive, work.whole(answers)))
    finally:
        answers.cancel()


def prepared(model: TextModel, asked: ChatRequest) -> tuple[list[int], Calling | None]:
    """(the conversation as ids, what may be called in the answer).

    raises  UserError when the model has no chat template, or it refuses the conversation
    """
    if not asked.calls:
        said = [Message.model_validate({"role": turn.role, "content": turn.content}) for turn in asked.turns]
        return model.render(said), None
    if not model.chats:
        model.render(())  # says why
    form, allowed = form_of(model.tokenizer), asked.allowed
    tools = allowed.tools if allowed is not None else ()
    prompt = conversation_ids(model.tokenizer, asked.turns, tools, form)
    return prompt, None if allowed is None else Calling(form, allowed, special_in(model, form))


class Talking:
    """Makes the answer of one chat request, whole or event by event."""

    def __init__(self, model: TextModel, asked: ChatRequest, calling: Calling | None, prompt_tokens: int) -> None:
        self.model = model
        self.asked = asked
        self.prompt_tokens = prompt_tokens
        self.id, self.created = new_id("chatcmpl"), now()
        self.said = [Said(calling) for _ in range(asked.answers)]

    async def whole(self, answers: Answers) -> ChatCompletion:
        """The answer in one."""
        done: dict[int, TextCompletion] = {}
        async for index, part in answers.events():
            if isinstance(part, TextPiece):
                self.said[index].push(part)
            else:
                self.said[index].end(part.finish_reason)
                done[index] = part
        ended = [done[index] for index in range(len(self.said))]
        choices = [
            ChatChoice(
                index=index,
                message=self.message(index, completion),
                logprobs=chat_logprobs(self.model, completion.tokens) if self.asked.logprobs else None,
                finish_reason=self.why(index, completion),
                seed=completion.seed,
            )
            for index, completion in enumerate(ended)
        ]
        return ChatCompletion(
            id=self.id, created=self.created, model=self.asked.model, choices=choices,
            usage=usage(self.prompt_tokens, ended),
        )  # fmt: skip

    def message(self, index: int, completion: TextCompletion) -> AssistantMessage:
        """What one answer says and calls."""
        reader = self.said[index].reader
        if reader is None or not reader.calls:
            return AssistantMessage(content=completion.text if reader is None else reader.text, refusal=None)
        calls = [
            ToolCall(id=call.id, function=FunctionCall(name=call.name, arguments=call.arguments))
            for call in reader.calls
        ]
        return AssistantMessage(content=reader.text or None, refusal=None, tool_calls=calls)

    def why(self, index: int, completion: TextCompletion) -> ChatFinishReason:
        """Why it ended."""
        reader = self.said[index].reader
        why = reason(completion)
        return "tool_calls" if why == "stop" and reader is not None and reader.calls else why

    async def events(self, answers: Answers) -> AsyncIterator[bytes]:
        """The answer as server-sent events: who speaks, what is said and called, why it ended, the counts when wanted."""
        waiting: list[list[Token]] = [[] for _ in self.said]  # of each, tokens whose log-probabilities were not sent
        done: list[TextCompletion] = []
        for index in range(len(self.said)):
            yield self.event(index, Delta(role="assistant", content=""))
        async for index, part in answers.events():
            if isinstance(part, TextPiece):
                waiting[index] += part.tokens if self.asked.logprobs else ()
                found = self.said[index].push(part)
            else:
                done.append(part)
                found = self.said[index].end(part.finish_reason)
            for one in found:
                yield self.event(index, delta_of(one), waiting[index])
                waiting[index] = []
            if isinstance(part, TextCompletion):
                if waiting[index]:
                    yield self.event(index, Delta(content=""), waiting[index])
                why, seed = self.why(index, part), part.seed
                yield self.chunk([ChunkChoice(index=index, delta=Delta(), logprobs=None, finish_reason=why, seed=seed)])
        if self.asked.wants_usage:
            yield event_of(self.head([]).model_copy(update={"usage": usage(self.prompt_tokens, done)}))
        yield DONE

    def event(self, index: int, delta: Delta, tokens: Sequence[Token] = ()) -> bytes:
        """One piece of one answer."""
        logprobs = chat_logprobs(self.model, tokens) if tokens else None
        return self.chunk([ChunkChoice(index=index, delta=delta, logprobs=logprobs, finish_reason=None)])

    def chunk(self, choices: list[ChunkChoice]) -> bytes:
        """One event; the counts are null in all but the last, as at OpenAI."""
        return event_of(self.head(choices))

    def head(self, choices: list[ChunkChoice]) -> ChatChunk:
        """The body of one event."""
        head = ChatChunk(id=self.id, created=self.created, model=self.asked.model, choices=choices)
        return head.model_copy(update={"usage": None}) if self.asked.wants_usage else head


def delta_of(part: Part) -> Delta:
    """A part of an answer as streamed events have it."""
    if isinstance(part, Spoken):
        return Delta(content=part.text)
    if isinstance(part, Begun):
        function = FunctionDelta(name=part.name, arguments="")
        return Delta(tool_calls=[ToolCallDelta(index=part.index, id=part.id, type="function", function=function)])
    assert isinstance(part, Argued)
    return Delta(tool_calls=[ToolCallDelta(index=part.index, function=FunctionDelta(arguments=part.text))])
