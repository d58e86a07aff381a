"""Sentences in both languages at once, for files that can be read in either.

What a measure says of itself is stored filled in, in English. `translated` finds the template it was filled
from, by matching the catalogue's templates against it, and fills its Chinese twin with the same values.
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from functools import cache
from html import escape

from langwright.metrics import MEASURES
from langwright.metrics.choices import BY_CHANCE, BY_PLACE
from langwright.training.cost import EMITTED, OF_RATE, PARTLY, RECKONED
from langwright.wording import chinese, say


@dataclass(frozen=True)
class Words:
    """One text in English and in Chinese. In HTML both stand, and the page's language decides which is seen."""

    en: str
    zh: str

    def __html__(self) -> str:
        if self.en == self.zh:
            return escape(self.en)
        return (
            f'<span class="en" lang="en">{escape(self.en)}</span><span class="zh" lang="zh-CN">{escape(self.zh)}</span>'
        )

    def in_(self, lang: str) -> str:
        """The text in one language."""
        return self.zh if lang == "zh" else self.en


def both(template: str, /, **values: object) -> Words:
    """A template filled in both languages; a value that is itself `Words` is given in each language.

    >>> both("{count} rows", count=3).en
    '3 rows'
    """
    english = {name: value.en if isinstance(value, Words) else value for name, value in values.items()}
    twin = {name: value.zh if isinstance(value, Words) else value for name, value in values.items()}
    return Words(say(template, lang="en", **english), say(template, lang="zh", **twin))


def plain(text: object) -> Words:
    """A text that is the same in both languages, such as a path or a name."""
    return Words(str(text), str(text))


def translated(text: str) -> Words:
    """A finished English sentence with its Chinese twin; itself in both languages where it came from no template."""
    return Words(text, _twin(text, 3))


# what names and methods of measures outside `MEASURES` are filled from
FAMILIES = (
    "dropped: {rule}",
    "validation {name}",
    "bytes per token, {group}",
    "unknown tokens, {group}",
    "{change}: largest difference of a logit",
    "{change}: same likeliest token",
    "{change}: same greedy text",
    "{change}: change of perplexity",
    "of the largest logit's size; allowed: {allowed}",
    "{new} tokens after each row's first {first}; near ties may fall either way",
    "relative to {before} before; allowed: {allowed} either way",
    EMITTED,
    OF_RATE,
    PARTLY,
    RECKONED,
)


# fields whose values are words of ours; all others are the person's, such as a label, and stay as they are
OURS = frozenset({"of", "name", "rule", "kind", "change", "what", "weights", "level", "how"})


@cache
def _twin(text: str, depth: int) -> str:
    """The Chinese of a finished sentence. Values inside it are looked up in the same way, a few levels deep."""
    known = chinese()
    if depth == 0 or text in known:
        return known.get(text, text)
    for pattern, twin in _patterns():
        found = pattern.fullmatch(text)
        if found:
            values = {n: _twin(v, depth - 1) if n in OURS else v for n, v in found.groupdict().items()}
            return twin.format(**values)
    return text


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    """A pattern for every template that measures are filled from, those with the most fixed text first, and its twin."""
    from langwright.evaluation.baselines.language import NGRAM_BITS_PER_BYTE, XZ_BITS_PER_BYTE
    from langwright.evaluation.benchmarks.running import OVER_GROUP
    from langwright.evaluation.experiments.compared import ARM_GAP, ARM_MEAN
    from langwright.evaluation.experiments.trials import CHOSEN_BY, IN_PAIRS, OVER_SEEDS

    yardsticks = (*MEASURES.values(), NGRAM_BITS_PER_BYTE, XZ_BITS_PER_BYTE, BY_CHANCE, BY_PLACE)
    templates = {
        *FAMILIES,
        ARM_GAP,
        ARM_MEAN,
        CHOSEN_BY,
        IN_PAIRS,
        OVER_GROUP,
        OVER_SEEDS,
        *(y.name for y in yardsticks),
        *(y.method for y in yardsticks),
    }
    known = chinese()
    with_fields = [t for t in templates if "{" in t and t in known]
    ordered = sorted(with_fields, key=lambda t: (-len(re.sub(r"\{.*?\}", "", t)), t))
    return [(pattern_of(template), known[template]) for template in ordered]


def pattern_of(template: str) -> re.Pattern[str]:
    """What a template looks like once it is filled: its words as they stand, a field the same text each time.

    >>> pattern_of("F1 of {label}").fullmatch("F1 of sport")["label"]
    'sport'
    """
    parts: list[str] = []
    seen: set[str] = set()
    for literal, field, *_ in string.Formatter().parse(template):
        parts.append(re.escape(literal))
        if field:
            parts.append(f"(?P={field})" if field in seen else f"(?P<{field}>.+?)")
            seen.add(field)
    return re.compile("".join(parts), re.DOTALL)
