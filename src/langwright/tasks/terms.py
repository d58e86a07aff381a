"""Translation with a glossary: terms of the source that have a set translation, which decoding writes and a verifier finds.

Only terms that stand in the source are asked for. A model that was taught to translate is asked as it was taught; any
other in words.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from langwright.inference.control.settings import Control
from langwright.tasks.declaration import Task, TaskOutput
from langwright.tasks.solving.checks import has_all, size_between, stands_in
from langwright.tasks.solving.drafting import NAME, Check, Draft, DraftInput, Held, Pen, Prompt, Wanted
from langwright.wording import say


class TermsInput(DraftInput):
    """A text, the languages, and the terms."""

    text: Annotated[str, Field(min_length=1, description="The text to translate")]
    source_language: Annotated[str, Field(description="The language it is in, such as en or zh")]
    target_language: Annotated[str, Field(description="The language it is to be in")]
    glossary: Annotated[dict[str, str], Field(description="Terms of the source and how each is to be translated")]

    @property
    def terms(self) -> dict[str, str]:
        """Those that stand in the text; of terms inside each other the longer, where it covers every place."""
        left, found = self.text, dict[str, str]()
        for source in sorted(self.glossary, key=len, reverse=True):
            if source.strip() and stands_in(source, left):
                found[source] = self.glossary[source]
                left = remove(source, left)
        return {source: found[source] for source in self.glossary if source in found}

    def written(self, pen: Pen) -> Translated:
        terms = self.terms
        targets = tuple(dict.fromkeys(terms.values()))
        checks = [has_all(targets, "terms"), size_between(self.text, 0.2, 5.0)]
        if self.target_language in ("en", "zh"):
            checks.append(Check("language", self.script_wrong))
        wanted = Wanted(self.prompt(pen, terms), Control(must=targets) if targets else None, tuple(checks))
        (draft,) = pen.drafts(wanted)
        used = tuple(
            Term(source=one, target=to, used=to.casefold() in draft.text.casefold()) for one, to in terms.items()
        )
        return Translated(text=draft.text, terms=used, checks=draft.checks, seed=draft.seed, solver=NAME)

    def prompt(self, pen: Pen, terms: dict[str, str]) -> Prompt:
        """As the model was taught to translate, or in words with the glossary."""
        from langwright.data.schemas import Message
        from langwright.tasks import TASKS
        from langwright.tasks.solving.generation import what_is_read
        from langwright.tasks.solving.languages import language_of, named
        from langwright.tasks.translation import TranslationInput

        task = TASKS["translation"]
        if pen.model.was_taught(task):
            plain = TranslationInput(text=self.text, source_language=self.source_language, target_language=self.target_language)  # fmt: skip
            read = what_is_read(pen.model, task, plain)
            return read if pen.model.writer("write").kind == "rewrites" else [Message(role="user", content=read)]
        language = language_of(self.text)
        listed = "\n".join(f"{one} = {to}" for one, to in terms.items())
        fields = {"text": self.text, "target": named(self.target_language, language)}
        if not terms:
            return pen.prompt("translation", language, fields)
        return pen.prompt("translation-terms", language, {**fields, "terms": listed})

    def script_wrong(self, text: str) -> str:
        """Another language than was asked for, terms set aside: they may be of any."""
        from langwright.tasks.solving.checks import in_language

        for target in self.terms.values():
            text = remove(target, text)
        return in_language("zh" if self.target_language == "zh" else "en").judge(text) if text.strip() else ""


class Term(BaseModel):
    """A term of the glossary that stands in the source."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    source: Annotated[str, Field(description="As it stands in the source")]
    target: Annotated[str, Field(description="As it is to be translated")]
    used: Annotated[bool, Field(description="Whether it stands in the translation")]


class Translated(TaskOutput):
    """A translation, and what became of its terms."""

    text: Annotated[str, Field(description="The translation")]
    terms: Annotated[
        tuple[Term, ...], Field(description="Terms that stand in the source, in the order of the glossary")
    ]
    checks: Annotated[tuple[Held, ...], Field(description="What each verifier found")]
    seed: Annotated[int, Field(description="The seed in use, given or drawn")]

    def lines(self) -> list[str]:
        missing = [say("{source} is not translated as {target}", source=one.source, target=one.target) for one in self.terms if not one.used]  # fmt: skip
        return [*Draft(text=self.text, checks=self.checks, seed=self.seed).lines(), *missing]


def remove(words: str, text: str) -> str:
    """A text without words, wherever they stand, A to Z as a to z."""
    low, at = text.casefold(), words.casefold()
    if len(low) != len(text):  # a letter that folds to several
        return text.replace(words, "\u0000")
    place = low.find(at)
    while place >= 0:
        text = text[:place] + "\u0000" + text[place + len(words) :]
        low = text.casefold()
        place = low.find(at)
    return text


TERMS = Task(
    name="terms",
    summary="Translate with a glossary: given terms are translated as they should be",
    dataset="",
    input=TermsInput,
    output=Translated,
    solvers=(NAME,),
    panel=("text", "source_language", "target_language", "glossary"),
)
