"""`langwright generate MODEL PROMPT`: what a model writes after a prompt."""

from __future__ import annotations

import shlex
from typing import Annotated

import typer

from langwright.cli.control import (
    AwayFrom,
    Choice,
    Grammar,
    LengthOption,
    Must,
    Never,
    Regex,
    Schema,
    Strength,
    read_control,
)
from langwright.cli.sampling import (
    MaxNewTokens,
    PrecisionName,
    Seed,
    Slide,
    Strict,
    Temperature,
    TopK,
    TopP,
    read_numbers,
    read_sampling,
)
from langwright.cli.screen import screen_of
from langwright.cli.teaching import Command
from langwright.cli.templates import TemplateFields, TemplateLanguage, TemplateName, read_prompt
from langwright.cli.watermark import WatermarkFile, read_mark_for
from langwright.inference.addresses import is_url
from langwright.tasks.options import Writing
from langwright.wording import say


def generate(
    ctx: typer.Context,
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A model: its folder, the name of a run, hf:owner/name, or a server's URL"
        ),
    ],
    prompt: Annotated[
        str | None,
        typer.Argument(metavar="PROMPT", help="The text to go on from; @FILE reads a file, - standard input"),
    ] = None,
    max_new_tokens: MaxNewTokens = None,
    temperature: Temperature = None,
    top_k: TopK = None,
    top_p: TopP = None,
    seed: Seed = None,
    stop: Annotated[
        list[str] | None, typer.Option("--stop", metavar="TEXT", help="End before this text; may be given again")
    ] = None,
    slide: Slide = False,
    watermark: WatermarkFile = None,
    template: TemplateName = None,
    fields: TemplateFields = None,
    template_language: TemplateLanguage = None,
    schema: Schema = None,
    regex: Regex = None,
    grammar: Grammar = None,
    choice: Choice = None,
    length: LengthOption = None,
    must: Must = None,
    never: Never = None,
    away_from: AwayFrom = None,
    strength: Strength = None,
    precision: PrecisionName = None,
    strict: Strict = False,
) -> None:
    """Stream to a person, or give one object."""
    screen = screen_of(ctx)
    sampling = read_sampling(
        {"max_new_tokens": max_new_tokens, "temperature": temperature, "top_k": top_k, "top_p": top_p, "seed": seed}
    )
    asked = read_prompt(prompt, template, fields or (), template_language)
    mark = read_mark_for(watermark, sampling)
    ways = Writing(stop=stop or (), slide=slide, control=read_control(ctx.params))
    numbers = read_numbers(precision, strict)
    from langwright.tasks.loading import load

    with (
        load(model, max_batch=1, watermark=mark, numbers=numbers) as opened,
        opened.stream(asked, sampling, **ways) as stream,
    ):
        try:
            for piece in stream:
                screen.piece(piece.text)
        except KeyboardInterrupt:
            stream.cancel()
            screen.line()
            raise
        made = stream.completion
    screen.line()
    screen.note(
        say(
            "({tokens} tokens, ended by {reason}, seed {seed})",
            tokens=len(made.token_ids),
            reason=say(made.finish_reason),
            seed=made.seed,
        )
    )
    screen.answer(
        {"text": made.text, "token_ids": list(made.token_ids), "finish_reason": made.finish_reason, "seed": made.seed},
        next="" if is_url(model) else shlex.join(["langwright", "serve", model]),
        beside=True,
    )


GENERATE = Command(
    name="generate",
    section="Use a model",
    summary="Let a model go on from a prompt",
    examples=(
        'langwright generate runs/base "Once upon a time" --max-new-tokens 50',
        "langwright generate runs/base 从前有座山 --temperature 0.8 --seed 7",
        "langwright generate runs/base 从前有座山 --temperature 0.8 --watermark keys/mine.json",
        "langwright generate runs/chat --template summary --field text=@letter.txt",
        "langwright generate runs/chat 'A person:' --schema person.json",
    ),
    run=generate,
)
