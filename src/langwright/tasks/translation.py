"""Translation: a text in one language in, the same in another out. Imports nothing heavy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from langwright.data.schemas import TranslationRow
from langwright.tasks.declaration import Task, TaskInput
from langwright.tasks.solving.writing import Chosen, WrittenOutput


class TranslationInput(TaskInput):
    """A text, and the languages from and to which it is translated."""

    text: Annotated[str, Field(min_length=1, description="The text to translate")]
    source_language: Annotated[str, Field(description="The language it is in, such as en or zh")]
    target_language: Annotated[str, Field(description="The language it is to be in")]
    sampling: Chosen = None


def ask(row: TranslationRow) -> TranslationInput:
    """What is asked of a row."""
    return TranslationInput(text=row.text, source_language=row.language, target_language=row.target_language)


TRANSLATION = Task(
    name="translation",
    summary="Say in one language what a text says in another",
    dataset="translation",
    input=TranslationInput,
    output=WrittenOutput,
    solvers=("generation", "writing"),
    measures=("BLEU", "chrF", "TER"),
    templates={
        "en": "Translate from {source_language} to {target_language}:\n{text}\nTranslation:",
        "zh": "请把下文从{source_language}译成{target_language}：\n{text}\n译文：",
    },
    panel=("text", "source_language", "target_language"),
    lesson="translation",
    prefix="translate <language> to <target_language>: ",
    ask=ask,
)
