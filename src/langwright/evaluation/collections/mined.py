"""The page on a collection of texts: its numbers, the curves of its words, what it is about."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from markupsafe import Markup

from langwright.evaluation.collections import mining
from langwright.evaluation.collections.mining import Mined
from langwright.evaluation.pages.bilingual import Words, both, plain
from langwright.evaluation.pages.charts import Bar, Series, bar_chart, legend, line_chart
from langwright.evaluation.pages.graphs import circle_graph
from langwright.evaluation.pages.measured import measures_table
from langwright.evaluation.pages.numbers import number, share
from langwright.evaluation.pages.page import (
    Block,
    Facts,
    Figure,
    Figures,
    Fold,
    Headline,
    Headlines,
    Page,
    Paragraph,
    Row,
    Section,
    Table,
    render_page,
)
from langwright.evaluation.pages.report import Made, how_made
from langwright.measures import Measure
from langwright.metrics.word_statistics import growth_law
from langwright.wording import Language

MOST_GROUPS = 12
GRAPHED = 24


def mining_report(found: Mined, measures: Sequence[Measure], data: str, count: int, made: Made, lang: Language) -> str:
    """The page as HTML.

    count  how many words, pairs and phrases are shown of each kind
    """
    sections = [
        Section("counts", both("What there is"), counts(found)),
        Section("laws", both("How its words are spread"), laws(found)),
        Section("about", both("What it is about"), about(found, count)),
        Section("together", both("What stands together"), beside(found, count)),
        Section("groups", both("What sets the groups apart"), groups(found, count)),
        Section("measures", both("Measures"), [measures_table(tuple(measures))] if measures else []),
        Section("made", both("How it was made"), how_made(made)),
    ]
    subtitle = both("{texts} texts of {data}", texts=f"{found.texts:,}", data=data)
    return render_page(Page(both("A look at {data}", data=data), subtitle, sections), lang)


def counts(found: Mined) -> list[Block]:
    """Headlines and facts."""
    lengths = sorted(found.lengths)
    shown = Headlines(
        (
            Headline(both("texts"), plain(f"{found.texts:,}")),
            Headline(both("words"), plain(f"{found.total:,}"), both("{kinds} kinds", kinds=f"{len(found.words):,}")),
            Headline(both("sentences"), plain(f"{found.sentences:,}")),
            Headline(both("characters"), plain(f"{found.characters:,}")),
        )
    )
    facts: list[tuple[Words, Words | str]] = [
        (both("empty texts"), f"{found.empty:,}"),
        (both("texts that were there before"), f"{found.repeated:,}"),
    ]
    if lengths:
        middle, long = lengths[len(lengths) // 2], lengths[min(len(lengths) - 1, len(lengths) * 95 // 100)]
        facts.append((both("words a text"), both("half have at most {middle}, 95 % at most {long}, the longest {most}",
                                                  middle=middle, long=long, most=lengths[-1])))  # fmt: skip
    names = {"en": both("English"), "zh": both("Chinese")}
    mix = [Bar(names[name], times / found.texts) for name, times in found.languages.most_common()]
    title = both("Languages, by their letters")
    drawn = Figures((Figure(title, bar_chart(title, both("share of texts"), mix, most=1.0, form=share), Markup("")),))
    return [shown, Facts(tuple(facts)), *([drawn] if mix else [])]


def laws(found: Mined) -> list[Block]:
    """Rank and frequency, and the growth of the vocabulary."""
    figures = []
    ordered = [times for _, times in found.words.most_common()]
    if len(ordered) > 1:
        points = tuple((math.log10(rank), float(times)) for rank, times in enumerate(ordered, 1) if is_shown(rank))
        title = both("Frequency by rank (Zipf)")
        svg = line_chart(title, both("logarithm of the rank"), both("times"), [Series(both("words"), points)], log_y=True)  # fmt: skip
        figures.append(Figure(title, svg, Markup("")))
    if len(found.curve) > 1:
        law = growth_law(found.curve)
        read = Series(both("kinds of words"), tuple((float(x), float(y)) for x, y in found.curve))
        fit = Series(both("Heaps' law"), tuple((float(x), law.factor * x**law.exponent) for x, _ in found.curve))
        title = both("Growth of the vocabulary")
        svg = line_chart(title, both("words read"), both("kinds of words"), [read, fit])
        figures.append(Figure(title, svg, legend([read, fit])))
    return [Figures(tuple(figures))] if figures else []


def is_shown(rank: int) -> bool:
    """Ranks that are drawn: all of the first, then ever fewer, so that they lie evenly on their axis."""
    return rank <= 20 or rank % (10 ** (len(str(rank)) - 2)) == 0


def about(found: Mined, count: int) -> list[Block]:
    """Frequent words and common keywords."""
    from langwright.data.terms import has_content

    content = Counter({word: times for word, times in found.words.items() if has_content(word)})
    words = [Row((word, f"{times:,}", share(found.having[word] / found.texts))) for word, times in content.most_common(count)]  # fmt: skip
    keywords = [Row((phrase, f"{times:,}")) for phrase, times in mining.common_keywords(found, count)]
    blocks: list[Block] = []
    if keywords:
        blocks.append(
            Table(
                both("Phrases that are among the five keywords of most texts"),
                (both("phrase"), both("texts")),
                tuple(keywords),
                frozenset({1}),
            )
        )
    if words:
        columns = (both("word"), both("times"), both("share of texts"))
        blocks.append(Fold(both("Frequent words"), (Table(both("Words that are no stop words"), columns, tuple(words), frozenset({1, 2})),)))  # fmt: skip
    return blocks


def beside(found: Mined, count: int) -> list[Block]:
    """Collocations and the graph of words in the same sentences."""
    rows = [
        Row((" ".join(pair.words), f"{pair.times:,}", number(pair.surprise)))
        for pair in mining.collocations(found, count)
    ]
    blocks: list[Block] = []
    if rows:
        caption = both("Words side by side more often than by chance (Dunning 1993)")
        blocks.append(Table(caption, (both("words"), both("times"), both("log-likelihood ratio")), tuple(rows), frozenset({1, 2})))  # fmt: skip
    title = both("Words in the same sentences")
    svg = circle_graph(title, *mining.graph(found, GRAPHED))
    return [*blocks, Figures((Figure(title, svg, Markup("")),))] if svg else blocks


def groups(found: Mined, count: int) -> list[Block]:
    """Of each group the words it has more of than the others."""
    made = mining.apart(found, min(count, 12))
    if not made:
        return []
    sizes = {name: sum(words.values()) for name, words in found.groups.items()}
    first = sorted(made, key=lambda name: -sizes[name])[:MOST_GROUPS]
    rows = tuple(Row((name, f"{sizes[name]:,}", ", ".join(word for word, *_ in made[name]) or "–")) for name in first)
    columns = (both("group"), both("words"), both("has more of"))
    note = Paragraph(both("Ordered by Dunning's ratio; a word counts that stands at least three times in the group."), "note")  # fmt: skip
    return [Table(both("Words by group"), columns, rows, frozenset({1})), note]
