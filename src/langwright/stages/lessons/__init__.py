"""The lessons of fine-tuning: for each task, the model, the examples and the objective made ready.

To add one: write its file, add its line here.
"""

from __future__ import annotations

from collections.abc import Callable

from langwright.stages.declaration import Work
from langwright.stages.lessons.chat import chat_lesson
from langwright.stages.lessons.choice import choice_lesson
from langwright.stages.lessons.classification import (
    classification_lesson,
    pair_lesson,
    relation_lesson,
    similarity_lesson,
)
from langwright.stages.lessons.control import control_lesson
from langwright.stages.lessons.correction import correction_lesson
from langwright.stages.lessons.embedding import embedding_lesson
from langwright.stages.lessons.lesson import Lesson
from langwright.stages.lessons.qa import qa_lesson
from langwright.stages.lessons.regression import regression_lesson
from langwright.stages.lessons.rewriting import code_lesson, summarization_lesson, translation_lesson
from langwright.stages.lessons.tagging import tagging_lesson

LESSONS: dict[str, Callable[[Work], Lesson]] = {
    "chat": chat_lesson,
    "classification": classification_lesson,
    "pair": pair_lesson,
    "similarity": similarity_lesson,
    "regression": regression_lesson,
    "tagging": tagging_lesson,
    "qa": qa_lesson,
    "choice": choice_lesson,
    "relation": relation_lesson,
    "translation": translation_lesson,
    "summarization": summarization_lesson,
    "correction": correction_lesson,
    "code": code_lesson,
    "embedding": embedding_lesson,
    "control": control_lesson,
}

TASK_OF: dict[str, str] = {"summary": "summarization"}
"""The task that is learned from rows of a schema, where it is called otherwise."""
