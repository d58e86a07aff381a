"""/v1/completions: from a request to its answer, whole or event by event."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from fastapi import Request, Response

from langwright.inference.protocol import Token
from langwright.inference.texts.text import TextModel
from langwright.inference.texts.written import TextCompletion, TextPiece
from langwright.serving.house import House
from langwright.serving.openai.answers import (
    Completion,
    CompletionChoice,
    CompletionLogprobs,
    Offsets,
    completion_logprobs,
    new_id,
    now,
    usage,
)
from langwright.serving.openai.bodies import COMPLETION_TOKENS, CompletionRequest
from langwright.serving.openai.measure import check_choices, json_response, reason, room_for, tokens_of
from langwright.serving.streaming import DONE, Answers, Ask, EventStream, event_of, unless_gone


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
        await tokens_of(house, model, prompt) if isinstance(prompt, str) else list(prompt) for prompt in asked.prompts
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
