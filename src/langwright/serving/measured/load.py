"""Load on a server: requests that come by their own clock or from users who wait, and what each of them met.

Open loop: arrivals are a Poisson process that does not wait for the server, as a crowd does not, and every time is
counted from when a request was due, also when it could not be sent then. A server that stalls therefore shows its
stall in every request that met it (what Tene calls coordinated omission is leaving those out). Closed loop: a number
of users each of whom sends when the last answer ended; its times are kinder, and say so.

Sources   Schroeder, Wierman & Harchol-Balter 2006, NSDI, section 2 (open and closed systems differ)
          Zhong et al. 2024, arXiv:2401.09670, section 2.2 (goodput: requests a second that meet both limits)
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, Protocol

from pydantic import Field

from langwright.errors import UserError
from langwright.settings import Settings

End = Literal["done", "cancelled", "refused", "failed"]


class Poisson(Settings):
    """Requests come at random and wait for nobody."""

    kind: Literal["open"] = "open"
    rate: Annotated[float, Field(gt=0, le=10_000, description="Requests a second on average")] = 1.0


class Users(Settings):
    """So many users, each of whom asks again when the last answer ended."""

    kind: Literal["closed"] = "closed"
    users: Annotated[int, Field(ge=1, le=10_000, description="How many ask at the same time")] = 8


class LoadSettings(Settings):
    """What is asked of a server."""

    arrivals: Annotated[
        Annotated[Poisson | Users, Field(discriminator="kind")],
        Field(
            description="open: requests come at random and wait for nobody; closed: users who wait for their answers"
        ),
    ] = Poisson()
    requests: Annotated[int, Field(ge=1, le=1_000_000, description="How many requests are made")] = 100
    prompt_words: Annotated[
        tuple[int, int], Field(description="Fewest and most words of a prompt; each number between is as likely")
    ] = (20, 100)
    max_new_tokens: Annotated[
        tuple[int, int], Field(description="Fewest and most new tokens asked for; each number between is as likely")
    ] = (16, 128)
    cancelled: Annotated[
        float, Field(ge=0, le=1, description="Share of requests that their users give up on while they are answered")
    ] = 0.0
    first_token_s: Annotated[float, Field(gt=0, description="A good answer begins within so many seconds")] = 1.0
    each_token_s: Annotated[
        float,
        Field(gt=0, description="A good answer takes at most so many seconds a token after the first, on average"),
    ] = 0.1
    seed: Annotated[int, Field(ge=0, description="Draws arrivals, prompts, lengths, and who gives up")] = 0


@dataclass(frozen=True)
class Counted:
    """How many tokens an answer had in all, where a server says so at its end."""

    tokens: int


@dataclass(frozen=True)
class Errand:
    """One request.

    due       seconds after the beginning; None where a user sends it when free
    patience  events after which its user gives up; None for one who stays
    """

    number: int
    prompt: str
    new_tokens: int
    due: float | None
    patience: int | None


@dataclass
class Outcome:
    """What a request met; times in seconds from the beginning of the load.

    due      when it was to be sent: what all latencies are counted from
    events   when each part of the answer came
    counted  tokens of the answer, where the server says so
    """

    errand: Errand
    due: float
    sent: float = 0.0
    ended: float = 0.0
    events: list[float] = field(default_factory=list)
    counted: int | None = None
    end: End = "failed"
    problem: str = ""

    @property
    def first_token_s(self) -> float | None:
        """From when it was due to the first part of its answer."""
        return self.events[0] - self.due if self.events else None

    @property
    def gaps(self) -> list[float]:
        """Seconds between parts of its answer."""
        return [after - before for before, after in itertools.pairwise(self.events)]

    @property
    def tokens(self) -> int:
        """Of the answer; one a part where the server does not say."""
        return len(self.events) if self.counted is None else self.counted

    @property
    def each_token_s(self) -> float:
        """Seconds a token after the first part, on average; 0 for an answer of one part."""
        return (self.events[-1] - self.events[0]) / (self.tokens - 1) if self.tokens > 1 and self.events else 0.0

    def good(self, settings: LoadSettings) -> bool:
        """Whether it was answered whole and within both limits."""
        first = self.first_token_s
        if self.end != "done" or first is None:
            return False
        return first <= settings.first_token_s and self.each_token_s <= settings.each_token_s


class Target(Protocol):
    """What is put under load."""

    def ask(self, errand: Errand) -> AsyncIterator[Counted | None]:
        """None for each part of an answer as it comes, and how many tokens it had where that is said.

        raises  UserError for a refusal
        """
        ...


WORDS = ("the", "river", "city", "light", "model", "winter", "letter", "music", "garden", "north", "small", "between",
         "这条", "河流", "城市", "灯光", "模型", "冬天", "书信", "音乐", "花园", "北方", "小小的", "之间")  # fmt: skip


def errands(settings: LoadSettings, prompts: Sequence[str] = ()) -> list[Errand]:
    """What will be asked, the same for the same settings.

    prompts  to take in turn, instead of invented ones
    """
    draw = random.Random(settings.seed)
    due = 0.0
    found = []
    for number in range(settings.requests):
        if isinstance(settings.arrivals, Poisson):
            due += draw.expovariate(settings.arrivals.rate)
        new_tokens = draw.randint(*settings.max_new_tokens)
        invented = " ".join(draw.choices(WORDS, k=draw.randint(*settings.prompt_words)))
        gives_up = draw.random() < settings.cancelled
        patience = draw.randint(1, new_tokens) if gives_up else None
        found.append(
            Errand(
                number, prompts[number % len(prompts)] if prompts else invented, new_tokens,
                due if isinstance(settings.arrivals, Poisson) else None, patience,
            )
        )  # fmt: skip
    return found


async def load(target: Target, settings: LoadSettings, prompts: Sequence[str] = ()) -> list[Outcome]:
    """Put a target under load; what every request met, in the order in which they were due."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    todo = errands(settings, prompts)
    if isinstance(settings.arrivals, Users):
        left = iter(todo)
        found = await asyncio.gather(*(user(target, left, began) for _ in range(settings.arrivals.users)))
        return sorted((one for part in found for one in part), key=lambda one: one.errand.number)
    tasks = []
    for errand in todo:
        assert errand.due is not None
        await asyncio.sleep(max(0.0, began + errand.due - loop.time()))
        tasks.append(asyncio.create_task(carry_out(target, errand, began, errand.due)))
    return list(await asyncio.gather(*tasks))


async def user(target: Target, left: Iterator[Errand], began: float) -> list[Outcome]:
    """One who asks, waits, and asks again."""
    loop = asyncio.get_running_loop()
    return [await carry_out(target, errand, began, loop.time() - began) for errand in left]


async def carry_out(target: Target, errand: Errand, began: float, due: float) -> Outcome:
    """Ask, and write down when what came; a refusal or a broken connection is an outcome, not an error."""
    loop = asyncio.get_running_loop()
    outcome = Outcome(errand, due, sent=loop.time() - began)
    answer = target.ask(errand)
    try:
        async for counted in answer:
            if counted is not None:
                outcome.counted = counted.tokens
                continue
            outcome.events.append(loop.time() - began)
            if errand.patience is not None and len(outcome.events) >= errand.patience:
                outcome.end = "cancelled"
                break
        else:
            outcome.end = "done"
    except UserError as error:
        outcome.end, outcome.problem = ("refused" if not outcome.events else "failed"), error.problem()
    finally:
        if hasattr(answer, "aclose"):
            await answer.aclose()
    outcome.ended = loop.time() - began
    return outcome


class HttpTarget:
    """An OpenAI-compatible server, asked for completions as server-sent events."""

    def __init__(self, url: str, model: str, key: str = "", patience_s: float = 600.0) -> None:
        import httpx

        self.url, self.model = url, model
        self.client = httpx.AsyncClient(
            timeout=httpx.Timeout(patience_s, connect=patience_s),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
            headers={"Authorization": f"Bearer {key}"} if key else {},
        )

    async def ask(self, errand: Errand) -> AsyncIterator[Counted | None]:
        """The parts with text in them, and the count that the server gives at the end."""
        import httpx

        from langwright.inference.remote.wire import refused, unreached

        body = {"model": self.model, "prompt": errand.prompt, "max_tokens": errand.new_tokens, "temperature": 0,
                "stream": True, "stream_options": {"include_usage": True}}  # fmt: skip
        try:
            async with self.client.stream("POST", f"{self.url}/completions", json=body) as answer:
                if answer.status_code >= 400:
                    raise refused(self.url, answer.status_code, said((await answer.aread()).decode("utf-8", "replace")))
                async for line in answer.aiter_lines():
                    if not line.startswith("data: {"):
                        continue
                    event = json.loads(line[6:])
                    if "error" in event:
                        raise refused(self.url, answer.status_code, event)
                    if any(choice.get("text") for choice in event.get("choices") or ()):
                        yield None
                    if usage := event.get("usage"):
                        yield Counted(usage["completion_tokens"])
        except httpx.TransportError as error:
            raise unreached(self.url, error) from error

    async def aclose(self) -> None:
        """Close the connections."""
        await self.client.aclose()


def said(text: str) -> object:
    """A refusal's body, as JSON where it is."""
    try:
        return json.loads(text)
    except ValueError:
        return text
