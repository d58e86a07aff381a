"""`langwright chat MODEL`: talk to a model; words appear as they are made."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from langwright.cli.sampling import (
    AdapterName,
    BackendName,
    GuessBy,
    MaxNewTokens,
    PrecisionName,
    Seed,
    Slide,
    StretchBy,
    Strict,
    Temperature,
    TopK,
    TopP,
    read_sampling,
    read_ways,
)
from langwright.cli.screen import screen_of
from langwright.cli.talk import Conversation
from langwright.cli.teaching import Command
from langwright.cli.templates import TemplateFields, TemplateLanguage, TemplateName, read_prompt
from langwright.inference.remote.addresses import is_url

if TYPE_CHECKING:
    from langwright.tasks.front.loading import Model


def chat(
    ctx: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="A model that was fine-tuned to chat: its folder, the name of a run, hf:owner/name, or a server's URL",
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
    adapter: AdapterName = None,
    slide: Slide = False,
    precision: PrecisionName = None,
    strict: Strict = False,
    guess: GuessBy = None,
    backend: BackendName = None,
    stretch: StretchBy = None,
    template: TemplateName = None,
    fields: TemplateFields = None,
    template_language: TemplateLanguage = None,
) -> None:
    """Read turns from the keyboard or from a pipe until it ends."""
    screen = screen_of(ctx)
    sampling = read_sampling(
        {"max_new_tokens": max_new_tokens, "temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed},
        max_new_tokens=256,
    )
    computed = read_ways(precision, strict, guess, backend, stretch)
    first = None if template is None and not fields else read_prompt(None, template, fields or (), template_language)
    from langwright.tasks.front.loading import load

    def with_adapter(name: str | None) -> Model:
        return load(model, max_batch=1, adapter=name, **computed)

    opened = with_adapter(adapter)
    interactive = sys.stdin.isatty() and not screen.as_json
    talk = Conversation(screen, opened, sampling, system, with_adapter, interactive=interactive, slide=slide)
    try:
        opened.require("chat")
        talk.go(first)
    finally:
        talk.model.close()
    screen.answer(
        {"messages": [message.model_dump(include={"role", "content"}) for message in talk.messages]},
        next="" if is_url(model) else shlex.join(["langwright", "serve", model]),
    )


CHAT = Command(
    name="chat",
    section="Use a model",
    summary="Talk to a model",
    examples=(
        "langwright chat runs/chat",
        "langwright chat runs/chat --template summary --field text=@letter.txt",
        'echo "What is a tokenizer?" | langwright chat runs/chat',
        "langwright chat http://127.0.0.1:8000",
    ),
    run=chat,
)
