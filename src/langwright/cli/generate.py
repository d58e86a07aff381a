"""`langwright generate MODEL PROMPT`: what a model writes after a prompt."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

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
    AdapterName,
    BackendName,
    BeamCount,
    BestOf,
    Candidates,
    Contrast,
    Diversity,
    EarlyStopping,
    Groups,
    GuessBy,
    LengthPenalty,
    MaxNewTokens,
    PrecisionName,
    Seed,
    Sets,
    Slide,
    StretchBy,
    Strict,
    Temperature,
    TopK,
    TopP,
    read_count,
    read_sampling,
    read_search,
    read_ways,
)
from langwright.cli.screen import Screen, screen_of
from langwright.cli.teaching import Command
from langwright.cli.templates import TemplateFields, TemplateLanguage, TemplateName, read_prompt
from langwright.cli.watermark import WatermarkFile, read_mark_for
from langwright.cli.way import guessed_of
from langwright.inference.remote.addresses import is_url
from langwright.tasks.front.options import Writing
from langwright.wording import say

if TYPE_CHECKING:
    from langwright.inference.remote.model import RemoteStream
    from langwright.inference.texts.text import TextStream
    from langwright.inference.texts.written import TextCompletion
    from langwright.tasks.front.loading import Model


DRAWN = ("max_new_tokens", "temperature", "top_k", "top_p", "seed")
SEARCHED = {  # settings of a beam search by the names of their options
    "width": "beams", "length_penalty": "length_penalty", "early_stopping": "early_stopping", "groups": "groups",
    "diversity": "diversity",
}  # fmt: skip


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
    adapter: AdapterName = None,
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
    guess: GuessBy = None,
    backend: BackendName = None,
    stretch: StretchBy = None,
    candidates: Candidates = None,
    best_of: BestOf = None,
    beams: BeamCount = None,
    length_penalty: LengthPenalty = None,
    early_stopping: EarlyStopping = None,
    groups: Groups = None,
    diversity: Diversity = None,
    contrast: Contrast = None,
    sets: Sets = None,
) -> None:
    """Stream to a person, or give one object."""
    screen = screen_of(ctx)
    sampling = read_sampling({name: ctx.params[name] for name in DRAWN}, sets or ())
    asked = read_prompt(prompt, template, fields or (), template_language)
    mark = read_mark_for(watermark, sampling)
    search = read_search({name: ctx.params[option] for name, option in SEARCHED.items()}, contrast)
    ways = Writing(stop=stop or (), slide=slide, control=read_control(ctx.params))
    computed = read_ways(precision, strict, guess, backend, stretch)
    following = "" if is_url(model) else shlex.join(["langwright", "serve", model])
    several = any(one is not None for one in (search, candidates, best_of))
    wanted, best = read_count(candidates, "--candidates"), None if best_of is None else read_count(best_of, "--best-of")
    from langwright.tasks.front.loading import load

    with load(model, max_batch=max(wanted, best or 1), watermark=mark, adapter=adapter, **computed) as opened:
        if several:
            found = opened.candidates(asked, sampling, n=wanted, search=search, best_of=best, **ways)
            show_candidates(screen, found, wanted, following)
            return
        with opened.stream(asked, sampling, **ways) as stream:
            show_text(screen, stream, following, opened)


def show_text(screen: Screen, stream: TextStream | RemoteStream, following: str, model: Model) -> None:
    """One text as it is written, then what there is to say of it; Ctrl-C ends it."""
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
    if guessed := guessed_of(model):
        screen.note(guessed)
    screen.answer(
        {"text": made.text, "token_ids": list(made.token_ids), "finish_reason": made.finish_reason, "seed": made.seed},
        next=following,
        beside=True,
    )


def show_candidates(screen: Screen, found: Sequence[TextCompletion], wanted: int, following: str) -> None:
    """Several texts, each under its number, or one object with all of them."""
    for number, made in enumerate(found, start=1):
        screen.line(f"[{number}]  {made.text}")
        screen.note(
            say(
                "({tokens} tokens, ended by {reason}, {score} nats a token, seed {seed})",
                tokens=len(made.token_ids),
                reason=say(made.finish_reason),
                score=f"{made.mean_logprob:.3f}",
                seed=made.seed,
            )
        )
    if len(found) < wanted:
        screen.note(say("There are only {found} different texts.", found=len(found)))
    screen.answer(
        {
            "candidates": [
                {
                    "text": made.text,
                    "token_ids": list(made.token_ids),
                    "finish_reason": made.finish_reason,
                    "mean_logprob": made.mean_logprob,
                    "seed": made.seed,
                }
                for made in found
            ]
        },
        next=following,
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
        'langwright generate runs/base "The product is" --candidates 3 --beams 6 --groups 3 --diversity 0.5',
        "langwright generate runs/base 春天 --temperature 1 --set min_p=0.1 --set repetition_penalty=1.2",
    ),
    run=generate,
)
