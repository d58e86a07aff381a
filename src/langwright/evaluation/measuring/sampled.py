"""Quality against diversity, setting by setting: temperature, top-k and top-p, beside what people wrote.

Every setting continues the same beginnings with the same seeds. Diversity is distinct-n and self-BLEU; quality is
perplexity, by the model itself at temperature 1 or by another model that is handed the texts. Neither knows whether
a text makes sense: that is why what people wrote after the same beginnings stands beside both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from langwright.errors import UserError
from langwright.evaluation.measuring.sampling import blocks, drawn, opening
from langwright.evaluation.pages.bilingual import Words, both, plain
from langwright.evaluation.pages.charts import Series, legend, line_chart
from langwright.evaluation.pages.measured import measures_table
from langwright.evaluation.pages.numbers import interval_of, value_of
from langwright.evaluation.pages.page import Block, Figure, Figures, Page, Paragraph, Row, Section, Table, render_page
from langwright.evaluation.pages.report import Made, how_made
from langwright.inference.protocol import Sampling
from langwright.measures import Measure
from langwright.metrics.likelihood import JUDGED_PERPLEXITY, WRITTEN_PERPLEXITY, written_perplexity
from langwright.metrics.self_bleu import SELF_BLEU, self_bleu
from langwright.metrics.units import units
from langwright.metrics.variety import distinct, repetition
from langwright.metrics.yardsticks import signed
from langwright.runlog import Progressed, RunLog
from langwright.wording import Language

if TYPE_CHECKING:
    from langwright.inference.texts.text import TextModel

TOGETHER = 16  # texts begun together
PEOPLE = "held-out text"
DIVERSITY = "distinct-2"
ORDERS = (1, 2)
REPEATED = 4


@dataclass(frozen=True)
class Choice:
    """One setting."""

    temperature: float
    top_k: int
    top_p: float

    @property
    def name(self) -> str:
        """Short, and the same in every language."""
        parts = [f"T={self.temperature:g}"]
        parts += [f"k={self.top_k}"] if self.top_k else []
        parts += [f"p={self.top_p:g}"] if self.top_p < 1 else []
        return " ".join(parts)

    @property
    def rule(self) -> str:
        """What is the same along a line of temperatures."""
        return " ".join(self.name.split()[1:]) or "T"


@dataclass(frozen=True)
class Text:
    """One text, with the log-probabilities of its tokens, in nats, by whoever judges it."""

    prompt: str
    text: str
    own: tuple[float, ...]
    judged: tuple[float, ...] = ()


def choices(temperatures: Sequence[float], top_k: Sequence[int], top_p: Sequence[float]) -> list[Choice]:
    """Every setting once; at temperature 0 nothing is drawn, and there is only one."""
    greedy = [Choice(0.0, 0, 1.0)] if 0 in temperatures else []
    drawing = sorted({t for t in temperatures if t > 0})
    return greedy + [Choice(t, k, p) for k, p, t in product(dict.fromkeys(top_k), dict.fromkeys(top_p), drawing)]


def beginnings(texts: Sequence[str], pieces: int, count: int, seed: int) -> list[tuple[str, str]]:
    """(beginning, what people wrote after it) of rows drawn by the seed.

    raises  UserError where no row is longer than a beginning
    """
    begun = ((prompt, text[len(prompt) :]) for text in texts if 0 < len(prompt := opening(text, pieces)) < len(text))
    chosen = drawn(begun, count, seed)
    if len(chosen) < 2:
        raise UserError(
            "fewer than two rows have more than {pieces} pieces to begin with", fix="give fewer prompt_pieces",
            pieces=pieces,
        )  # fmt: skip
    return chosen


# --- writing -------------------------------------------------------------------------------------


def write_all(
    model: TextModel, judge: TextModel | None, prompts: Sequence[str], choice: Choice, most: int, seed: int, log: RunLog
) -> list[Text]:
    """Continue each beginning by one setting, the i-th with seed + i."""
    found: list[Text] = []
    for block in blocks(enumerate(prompts), TOGETHER):
        streams = [
            model.stream(
                prompt,
                Sampling(
                    temperature=choice.temperature, top_k=choice.top_k, top_p=choice.top_p, max_new_tokens=most,
                    seed=seed + number,
                ),
            )
            for number, prompt in block
        ]  # fmt: skip
        for stream, (_, prompt) in zip(streams, block, strict=True):
            made = stream.result()
            own = tuple(token.logprob for token in made.tokens)
            found.append(Text(prompt, made.text, own, judged_by(judge, prompt, made.text)))
        log.write(Progressed(what="writing texts", done=len(found), total=len(prompts)))
    return found


def judged_by(judge: TextModel | None, prompt: str, text: str) -> tuple[float, ...]:
    """Log-probabilities by another model of what was written; none without one, or without a text."""
    if judge is None or not text:
        return ()
    return tuple(value for _, value in judge.score_text(text, prompt, rolling=True).tokens)


def by_people(
    model: TextModel, judge: TextModel | None, begun: Sequence[tuple[str, str]], written: Sequence[Text]
) -> list[Text]:
    """As much as was written, by people."""
    found = []
    for (prompt, rest), text in zip(begun, written, strict=True):
        theirs = opening(rest, max(1, len(units(text.text))))
        own = tuple(value for _, value in model.score_text(theirs, prompt, rolling=True).tokens)
        found.append(Text(prompt, theirs, own, judged_by(judge, prompt, theirs)))
    return found


# --- measuring -----------------------------------------------------------------------------------


def measures_of(texts: Sequence[Text], name: str, judge: str, seed: int) -> tuple[Measure, ...]:
    """Diversity and quality of the texts of one setting, or of people's."""
    return signed(list(measured(texts, judge, seed)), model=name)


def measured(texts: Sequence[Text], judge: str, seed: int) -> Iterator[Measure]:
    """The measures where there is enough text for each."""
    said = [text.text for text in texts]
    longest = max(len(units(text)) for text in said)
    for order in ORDERS:
        if longest >= order:
            yield distinct(said, order)
    if longest >= REPEATED:
        yield repetition(said, REPEATED, seed=seed)
    if sum(bool(units(text)) for text in said) > 1:
        yield self_bleu(said, seed=seed)
    if any(text.own for text in texts):
        yield written_perplexity([text.own for text in texts if text.own], seed=seed)
    if any(text.judged for text in texts):
        yield written_perplexity([text.judged for text in texts if text.judged], judge=judge, seed=seed)


def perplexity_of(measures: Sequence[Measure], name: str) -> Measure | None:
    """By the judge where there is one, else by the model itself."""
    found = {m.name: m for m in measures if m.model == name}
    return found.get(JUDGED_PERPLEXITY.name) or found.get(WRITTEN_PERPLEXITY.name)


def diversity_of(measures: Sequence[Measure], name: str) -> Measure | None:
    """distinct-2 of a setting."""
    return next((m for m in measures if m.model == name and m.name == DIVERSITY), None)


def undominated(measures: Sequence[Measure], names: Sequence[str]) -> set[str]:
    """Settings beside which no other is both more diverse and less perplexing."""
    at = {}
    for name in names:
        diverse, perplexing = diversity_of(measures, name), perplexity_of(measures, name)
        if diverse and perplexing:
            at[name] = (diverse.value, perplexing.value)
    return {
        name
        for name, (diverse, perplexing) in at.items()
        if not any(d >= diverse and p <= perplexing and (d, p) != (diverse, perplexing) for d, p in at.values())
    }


# --- the page ------------------------------------------------------------------------------------


def sampling_report(settings: Sequence[Choice], measures: Sequence[Measure], made: Made, lang: Language) -> str:
    """The page as HTML."""
    title = both("Diversity against perplexity")
    charts = tuple(
        Figure(title, chart, legend(lines))
        for name, axis in ((DIVERSITY, plain("distinct-2")), (SELF_BLEU.name, plain("self-BLEU")))
        if (lines := curves(settings, measures, name))
        for chart in (line_chart(title, both("bits a token"), axis, lines),)
    )
    blocks_: list[Block] = [
        Paragraph(both("Each line goes from the lowest temperature to the highest. Up and to the left is better, as far as these measures tell; the dot is what people wrote.")),
        Figures(charts),
        settings_table(settings, measures),
    ]  # fmt: skip
    sections = [
        Section("tradeoff", title, blocks_),
        Section("measures", both("Measures"), [measures_table(measures)]),
        Section("made", both("How it was made"), how_made(made)),
    ]
    subtitle = both("{count} settings", count=len(settings))
    return render_page(Page(both("Quality against diversity, by setting"), subtitle, sections), lang)


def curves(settings: Sequence[Choice], measures: Sequence[Measure], name: str) -> list[Series]:
    """A line of temperatures for each rule, and people's dot: bits a token across, the measure up."""

    def point(who: str) -> tuple[float, float] | None:
        perplexing = perplexity_of(measures, who)
        found = next((m for m in measures if m.model == who and m.name == name), None)
        return (math.log2(perplexing.value), found.value) if perplexing and found else None

    lines = []
    for rule in dict.fromkeys(choice.rule for choice in settings if choice.temperature):
        points = [point(choice.name) for choice in settings if choice.rule == rule and choice.temperature]
        lines.append(Series(plain(rule), tuple(one for one in points if one)))
    for who, said in (("T=0", plain("T=0")), (PEOPLE, both("written by people"))):
        if (alone := point(who)) is not None:
            lines.append(Series(said, (alone,)))
    return [line for line in lines if line.points]


def settings_table(settings: Sequence[Choice], measures: Sequence[Measure]) -> Table:
    """Every setting with its intervals; those that no other beats in both are marked."""
    best = undominated(measures, [choice.name for choice in settings])

    def cells(who: str, said: Words) -> Row:
        found = [
            diversity_of(measures, who),
            next((m for m in measures if m.model == who and m.name == SELF_BLEU.name), None),
            perplexity_of(measures, who),
        ]
        shown = [with_interval(m) if m else plain("") for m in found]
        return Row((said, *shown), mark=who in best)

    rows = [cells(choice.name, plain(choice.name)) for choice in settings]
    rows.append(cells(PEOPLE, both("written by people")))
    heads = (both("how it was sampled"), plain("distinct-2"), plain("self-BLEU"), both("perplexity"))
    caption = both("Marked: no other setting is both more diverse and less perplexing")
    return Table(caption, heads, tuple(rows), numeric=frozenset({1, 2, 3}))


def with_interval(measure: Measure) -> Words:
    """A value and its interval."""
    value, interval = value_of(measure), interval_of(measure)
    return Words(f"{value.en} {interval}", f"{value.zh} {interval}")
