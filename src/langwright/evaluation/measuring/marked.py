"""How many tokens a watermark needs to be found, what edits leave of it, and what it costs.

Each text is written under a key of its own, drawn from the seed, so that what is measured is a setting and not one
key; the keys are for this measuring alone. Detection is not told the prompt. An end of text is not heeded, so that
every text has every length: those that end early would be the ones that are easy to foresee.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING

from langwright.errors import UserError
from langwright.evaluation.measuring.sampling import blocks, drawn
from langwright.evaluation.pages.bilingual import Words, both, plain
from langwright.evaluation.pages.charts import Series, legend, line_chart
from langwright.evaluation.pages.measured import measures_table
from langwright.evaluation.pages.numbers import share as per_cent
from langwright.evaluation.pages.page import Figure, Figures, Page, Paragraph, Section, render_page
from langwright.evaluation.pages.report import Made, how_made
from langwright.inference.protocol import Request, Sampling
from langwright.inference.watermark.keys import Mark, mark_of
from langwright.inference.watermark.settings import KGW, SynthID
from langwright.measures import Measure
from langwright.metrics.likelihood import written_perplexity
from langwright.metrics.watermark import FALSE_ALARM, POWER, ROBUSTNESS, share_found
from langwright.metrics.yardsticks import signed
from langwright.runlog import Progressed, RunLog
from langwright.wording import Language

if TYPE_CHECKING:
    from langwright.inference.texts.text import TextModel

TOGETHER = 16  # texts begun together
KEYS_A_TEXT = 20  # that an unmarked text is tried against
MARKED, UNMARKED, PEOPLE = "marked", "unmarked", "held-out text"


@dataclass(frozen=True)
class Trial:
    """What is tried.

    lengths  tokens, ascending
    edited   shares of tokens to replace
    """

    mark: KGW | SynthID
    lengths: tuple[int, ...]
    edited: tuple[float, ...]
    false_positives: float
    sampling: Sampling
    seed: int

    def key(self, purpose: str, number: int) -> Mark:
        """The mark under the key with this number."""
        return mark_of(self.mark, blake2b(f"{self.seed} {purpose} {number}".encode(), digest_size=32).digest())


@dataclass(frozen=True)
class Texts:
    """Token ids of texts of one kind, each with its mark, and what the model thought of them."""

    name: str
    ids: list[list[int]] = field(default_factory=list)
    logprobs: list[list[float]] = field(default_factory=list)


def write_texts(model: TextModel, prompts: Sequence[list[int]], trial: Trial, name: str, log: RunLog) -> Texts:
    """Continue each prompt to the largest length, marked or not."""
    found = Texts(name)
    for block in blocks(enumerate(prompts), TOGETHER):
        requests = [
            Request(
                prompt,
                trial.sampling.model_copy(update={"seed": trial.seed + number, "max_new_tokens": trial.lengths[-1]}),
                constraint=model.alphabet.whole_characters,
                watermark=trial.key(MARKED, number) if name == MARKED else None,
            )
            for number, prompt in block
        ]
        for done in model.engine.generate(requests):
            found.ids.append(done.ids)
            found.logprobs.append([token.logprob for token in done.tokens])
        log.write(Progressed(what="writing texts", done=len(found.ids), total=len(prompts)))
    return found


def prompts_and_rest(
    model: TextModel, rows: Sequence[list[int]], trial: Trial, texts: int, tokens: int
) -> tuple[list[list[int]], Texts]:
    """The beginnings of some rows, and what people wrote after them.

    raises  UserError when no row is long enough, or the lengths do not fit the model's context
    """
    if tokens + trial.lengths[-1] > model.context:
        raise UserError(
            "{tokens} tokens of a prompt and {length} new ones do not fit the model's context of {context}",
            fix="give smaller lengths, or fewer prompt_tokens",
            tokens=tokens, length=trial.lengths[-1], context=model.context,
        )  # fmt: skip
    chosen = drawn((row for row in rows if len(row) > tokens), texts, trial.seed)
    if not chosen:
        raise UserError(
            "no row has more than {tokens} tokens to begin with", fix="give fewer prompt_tokens", tokens=tokens
        )
    return [row[:tokens] for row in chosen], Texts(PEOPLE, [row[tokens:] for row in chosen])


# --- measuring -----------------------------------------------------------------------------------


def measure_all(trial: Trial, marked: Texts, unmarked: Texts, people: Texts, log: RunLog) -> list[Measure]:
    """Power by length, before and after edits, false alarms, and what the mark costs in perplexity."""
    allowed = f"{trial.false_positives:g}"
    found: list[Measure] = []
    for edited in (0.0, *trial.edited):
        texts = [replaced(ids, edited, marked.ids, trial.seed + number) for number, ids in enumerate(marked.ids)]
        for length in trial.lengths:
            hits = [
                trial.key(MARKED, number).evidence(ids[:length]).verdict(trial.false_positives) == "marked"
                for number, ids in enumerate(texts)
            ]
            kind, named = (ROBUSTNESS, f"{edited:.0%}") if edited else (POWER, "")
            share = share_found(
                kind, sum(hits), len(hits), length=length, allowed=allowed, mark=trial.mark.kind, edited=named
            )
            found += signed([share], model=MARKED)
            log.write(Progressed(what="looking for the mark", done=length, total=trial.lengths[-1]))
    for texts_of in (unmarked, people):
        for length in trial.lengths:
            long_enough = [ids[:length] for ids in texts_of.ids if len(ids) >= length]
            pairs = [
                trial.key("other", KEYS_A_TEXT * number + other).evidence(ids)
                for number, ids in enumerate(long_enough)
                for other in range(KEYS_A_TEXT)
            ]
            if pairs:
                hits = [one.verdict(trial.false_positives) == "marked" for one in pairs]
                share = share_found(FALSE_ALARM, sum(hits), len(hits), length=length, allowed=allowed)
                found += signed([share], model=texts_of.name)
    for texts_of in (marked, unmarked):
        found += signed([written_perplexity(texts_of.logprobs, seed=trial.seed)], model=texts_of.name)
    return found


def replaced(ids: Sequence[int], edited: float, pool: Sequence[Sequence[int]], seed: int) -> list[int]:
    """The ids with this share of them, rounded, replaced by ids drawn from all texts."""
    drawing = random.Random(f"replace {seed}")
    found = list(ids)
    for place in drawing.sample(range(len(found)), round(edited * len(found))):
        found[place] = drawing.choice(drawing.choice(pool))
    return found


# --- the page ------------------------------------------------------------------------------------


def power_report(trial: Trial, measures: Sequence[Measure], made: Made, lang: Language) -> str:
    """The curve and the measures as HTML."""
    by = {(m.name, m.model): m.value for m in measures}

    def line(name: Words, kind: str, model: str, **values: object) -> Series:
        named = [(length, by.get((kind.format(length=length, **values), model))) for length in trial.lengths]
        return Series(name, tuple((float(length), value) for length, value in named if value is not None))

    lines = [line(both("as written"), POWER.name, MARKED)]
    lines += [
        line(both("{share} of the tokens replaced", share=per_cent(edited)), ROBUSTNESS.name, MARKED, edited=f"{edited:.0%}")
        for edited in trial.edited
    ]  # fmt: skip
    lines += [
        line(both("unmarked, by the model"), FALSE_ALARM.name, UNMARKED),
        line(both("written by people"), FALSE_ALARM.name, PEOPLE),
    ]
    title = both("Texts called marked, by length")
    chart = line_chart(title, both("tokens"), both("share of texts"), [one for one in lines if one.points])
    sections = [
        Section("power", title, [
            Paragraph(both("At most {share} of unmarked texts may be called marked.", share=per_cent(trial.false_positives))),
            Figures((Figure(title, chart, legend([one for one in lines if one.points])),)),
        ]),
        Section("measures", both("Measures"), [measures_table(measures)]),
        Section("made", both("How it was made"), how_made(made)),
    ]  # fmt: skip
    return render_page(Page(both("How soon a watermark is found"), plain(trial.mark.kind), sections), lang)
