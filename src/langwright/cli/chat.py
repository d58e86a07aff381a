"""`langwright chat MODEL`: talk to a model; words appear as they are made."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from langwright.cli.sampling import MaxNewTokens, Seed, Temperature, TopK, TopP, read_sampling
from langwright.cli.screen import Screen, screen_of
from langwright.cli.teaching import Command
from langwright.data.schemas import Message
from langwright.errors import UserError
from langwright.inference.protocol import Sampling
from langwright.wording import say

if TYPE_CHECKING:
    from langwright.tasks.loading import Model


def chat(
    ctx: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A model that was fine-tuned to chat: its folder, the name of a run, or hf:owner/name"
        ),
    ],
    system: Annotated[
        str | None,
        typer.Option("--system", metavar="TEXT", help="What the model is told before the conversation begins"),
    ] = None,
    max_new_tokens: MaxNewTokens = None,
    temperature: Temperature = None,
    top_k: TopK = None,
    top_p: TopP = None,
    seed: Seed = None,
) -> None:
    """Read turns from the keyboard or from a pipe until it ends."""
    screen = screen_of(ctx)
    sampling = read_sampling(
        {"max_new_tokens": max_new_tokens, "temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed},
        max_new_tokens=256,
    )
    from langwright.tasks.loading import load

    with load(model, max_batch=1) as opened:
        opened.require("chat")
        talk = Conversation(screen, opened, sampling, system, interactive=sys.stdin.isatty() and not screen.as_json)
        talk.go()
    screen.answer(
        {"messages": [message.model_dump(include={"role", "content"}) for message in talk.messages]},
        next=shlex.join(["langwright", "serve", model]),
    )


class Conversation:
    """The turns so far, and how they go on.

    interactive  someone sits at a keyboard: turns are asked for, and a mistake does not end the talk
    """

    def __init__(
        self, screen: Screen, model: Model, sampling: Sampling, system: str | None, *, interactive: bool
    ) -> None:
        self.screen = screen
        self.model = model
        self.sampling = sampling
        self.opening = [Message(role="system", content=system)] if system else []
        self.messages = list(self.opening)
        self.interactive = interactive

    def go(self) -> None:
        """Until /quit, or the end of the input."""
        if self.interactive:
            self.screen.note(say("type a message; /reset begins anew, /quit leaves, Ctrl-C cuts a reply short"))
        for line in self.lines():
            if line == "/quit":
                return
            if line == "/reset":
                self.messages = list(self.opening)
                self.screen.note(say("(a new conversation)"))
            elif line.startswith("/"):
                self.screen.note(say("({command} is no command: /reset begins anew, /quit leaves)", command=line))
            elif line:
                self.turn(line)

    def lines(self) -> Iterator[str]:
        """What the person says, a line a turn."""
        if not self.interactive:
            yield from (line.strip() for line in sys.stdin)
            return
        import readline  # noqa: F401 - importing it gives input() history and editing

        while True:
            try:
                yield input("> ").strip()
            except (EOFError, KeyboardInterrupt):
                self.screen.line()
                return

    def turn(self, text: str) -> None:
        """One turn of the person's and the model's."""
        asked = [*self.messages, Message(role="user", content=text)]
        try:
            reply = self.reply(asked)
        except UserError as error:
            if not self.interactive:
                raise
            self.screen.error(error)
            self.screen.note(say("(that turn was left out; /reset begins anew)"))
            return
        self.messages = [*asked, Message(role="assistant", content=reply)]

    def reply(self, asked: list[Message]) -> str:
        """The model's turn as it is written; Ctrl-C ends it and keeps what was said."""
        said: list[str] = []
        with self.model.stream(asked, self.sampling) as stream:
            try:
                for piece in stream:
                    said.append(piece.text)
                    self.screen.piece(piece.text)
            except KeyboardInterrupt as interrupt:
                stream.cancel()
                if not self.interactive or interrupt.args:  # SIGTERM carries its name
                    raise
                self.screen.note(say("(cut short)"))
        self.screen.line()
        return "".join(said)


CHAT = Command(
    name="chat",
    section="Use a model",
    summary="Talk to a model",
    examples=("langwright chat runs/chat", 'echo "What is a tokenizer?" | langwright chat runs/chat'),
    run=chat,
)
