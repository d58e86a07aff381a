"""Solving by writing what is asked for in words, looking at what came, and drawing again where it does not hold.

A task says what it wants: a prompt from the template store, a form that decoding is kept to where there is one, and
verifiers. Of what was drawn, texts that hold every verifier are taken in the order drawn; when the tries are used up,
those that hold most of them, and what they do not hold is said. Nothing that failed is passed off as what was asked for.

Differs   from best-of-n by likelihood (`inference.candidates`): a text is chosen by what it holds alone
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from langwright.data.schemas import Message
from langwright.errors import UserError
from langwright.inference.control.settings import Control
from langwright.inference.protocol import Sampling
from langwright.tasks.declaration import Task, TaskInput, TaskOutput
from langwright.tasks.solving.solvers import Solver
from langwright.wording import Language, Term, say

if TYPE_CHECKING:
    from langwright.inference.texts.written import TextCompletion
    from langwright.tasks.front.loading import Model

Prompt = str | list[Message]
NAME = "drafting"
WHOLE = "whole"
USUAL: dict[str, Any] = {"temperature": 0.8, "top_p": 0.95, "max_new_tokens": 256}


class Held(BaseModel):
    """What one verifier found."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    check: Annotated[str, Field(description="What was looked at, by name")]
    held: Annotated[bool, Field(description="Whether the text is as it was asked for in this")]
    said: Annotated[str, Field(description="Where it is not: what was found instead")] = ""


class Draft(BaseModel):
    """A text that was written, and what its verifiers found."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    text: Annotated[str, Field(description="What was written")]
    checks: Annotated[tuple[Held, ...], Field(description="What each verifier found")]
    seed: Annotated[int, Field(description="The seed in use, given or drawn")]

    def lines(self) -> list[str]:
        """The text, then what does not hold, for a person to read."""
        return [self.text, *complaints(self.checks)]

    @property
    def holds(self) -> bool:
        """Whether it is all that was asked for."""
        return all(one.held for one in self.checks)


def complaints(checks: Sequence[Held]) -> list[str]:
    """What does not hold, a line each."""
    return [
        say("does not hold: {check}: {said}", check=Term(one.check), said=one.said) for one in checks if not one.held
    ]


@dataclass(frozen=True)
class Check:
    """A verifier.

    judge  a text -> "" where it holds, else what is wrong, in the language in force
    """

    name: str
    judge: Callable[[str], str]


@dataclass(frozen=True)
class Wanted:
    """One text that is asked for.

    control  what decoding is kept to
    apart    of several texts of the same wish, the share of words and characters in which two must differ at least
    unlike   texts that none may be too near to either
    trimmed  what is made of a text before it is looked at
    """

    prompt: Prompt
    control: Control | None = None
    checks: tuple[Check, ...] = ()
    apart: float = 0.0
    unlike: tuple[str, ...] = ()
    trimmed: Callable[[str], str] = str.strip


@dataclass(frozen=True)
class Pen:
    """A model that writes, and how it draws. One that was not taught to converse is asked in running text."""

    model: Model
    sampling: Sampling = field(default_factory=Sampling)
    tries: int = 1

    def prompt(self, template: str, language: Language, fields: Mapping[str, str]) -> Prompt:
        """A template of the store filled, as this model is asked: its own turns, or one running text."""
        from langwright.tasks.solving.prompting import Templates

        filled = Templates().get(template).fill(language, fields)
        if isinstance(filled, str) or self.model.converses:
            return filled
        return "\n".join(turn.content for turn in filled) + "\n"

    def drafts(self, wanted: Wanted, count: int = 1) -> list[Draft]:
        """At most `count` texts, those that hold every verifier first, in the order drawn.

        So many are drawn at a time as are missing, `tries` times at most; with temperature 0 once, as it would write
        the same again.

        raises  UserError for several texts with temperature 0, or a prompt that does not fit
        """
        if count > 1 and self.sampling.temperature == 0:
            raise UserError(
                "temperature 0 always writes the same text, and {n} different ones are asked for",
                fix="give a temperature above 0, or at least {n} beams",
                n=count,
            )
        from langwright.inference.choosing.sampling import draw_seed

        first = draw_seed() if self.sampling.seed is None else self.sampling.seed
        good: list[Draft] = []
        rest: list[Draft] = []
        drawn = 0
        for _ in range(self.tries if self.sampling.temperature else 1):
            missing = count - len(good)
            samplings = [
                self.sampling.model_copy(update={"seed": (first + drawn + number) % 2**32}) for number in range(missing)
            ]
            drawn += missing
            for made in self.model.writer("write").complete_each(
                wanted.prompt, samplings, control=wanted.control, stop=self.stop(wanted.control)
            ):
                draft = looked_at(wanted, made, good)
                (good if draft.holds else rest).append(draft)
            if len(good) >= count:
                break
        return [*good, *ranked(rest, good)][:count]

    def stop(self, control: Control | None) -> tuple[str, ...]:
        """What ends a text: nothing beside its form or its turn, else an empty line."""
        return () if self.model.converses or (control is not None and control.form is not None) else ("\n\n",)

    def write(self, prompt: Prompt, control: Control | None = None) -> str:
        """One text that nobody looks at, the likeliest token each time."""
        greedy = self.sampling.model_copy(update={"temperature": 0.0})
        return self.model.complete(prompt, greedy, control=control, stop=self.stop(control)).text.strip()


class DraftInput(TaskInput, ABC):
    """What a person gives for a task that is written: what is wanted, and how it is drawn."""

    sampling: Annotated[Sampling, Field(description="How the next token is chosen")] = Sampling(**USUAL)
    tries: Annotated[
        int, Field(ge=1, le=64, description="How often it is drawn at most, until a text holds all that is asked for")
    ] = 4

    @abstractmethod
    def written(self, pen: Pen) -> TaskOutput:
        """The task's output, by this pen."""


def looked_at(wanted: Wanted, made: TextCompletion, good: Sequence[Draft]) -> Draft:
    """What was written, as every verifier finds it.

    good  texts of the same wish that hold, from which it must be apart
    """
    text = wanted.trimmed(made.text)
    whole = made.finish_reason == "stop"
    found = [Held(check=WHOLE, held=whole and bool(text), said=cut_short(whole, text))]
    for check in wanted.checks:
        wrong = check.judge(text)
        found.append(Held(check=check.name, held=not wrong, said=wrong))
    if wanted.apart:
        found.append(apart(text, [*wanted.unlike, *(one.text for one in good)], wanted.apart))
    return Draft(text=text, checks=tuple(found), seed=made.seed)


def cut_short(whole: bool, text: str) -> str:
    """What is said of a text that is not whole."""
    if not text:
        return say("nothing was written")
    return "" if whole else say("it was cut at the most tokens allowed")


def apart(text: str, others: Sequence[str], least: float) -> Held:
    """Whether a text differs from each of the others in so large a share of what it is made of."""
    near = max((alike(text, other) for other in others), default=0.0)
    held = near <= 1 - least
    said = "" if held else say("{share} of it is in a text that there is already", share=f"{near:.0%}")
    return Held(check="apart", held=held, said=said)


def alike(one: str, other: str) -> float:
    """How much of two texts is the same, in the same order: F1 of their longest common subsequence of words and
    Chinese characters, from 0 to 1; 1 for two texts without either.

    >>> alike("the old cat", "The cat"), alike("春天来了", "春天到了")
    (0.8, 0.75)
    """
    from langwright.metrics.rouge import pieces, rouge_l

    if not pieces(one) and not pieces(other):
        return 1.0
    return rouge_l(one, other).f1


def ranked(drafts: Sequence[Draft], taken: Sequence[Draft]) -> list[Draft]:
    """Those that hold most first, each text once."""
    found = {one.text: one for one in taken}
    kept = []
    for one in sorted(drafts, key=lambda one: sum(not check.held for check in one.checks)):
        if found.setdefault(one.text, one) is one:
            kept.append(one)
    return kept


def drafted(model: Model, task: Task, asked: DraftInput) -> TaskOutput:
    """The output of any task whose input says what it wants written."""
    return asked.written(Pen(model, asked.sampling, asked.tries))


DRAFTING = Solver(
    name=NAME,
    summary="The model is asked in words, what it writes is looked at, and drawn again where it does not hold",
    needs="text",
    maker="langwright finetune MODEL DATASET OUT --task chat",
    solve=drafted,
)
