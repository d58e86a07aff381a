"""The lessons of fine-tuning: for each task, the model, the examples and the objective made ready.

To add one: write its file, add its line here.
"""

from __future__ import annotations

from collections.abc import Callable

from langwright.stages.declaration import Work
from langwright.stages.lessons.chat import chat_lesson
from langwright.stages.lessons.classification import classification_lesson
from langwright.stages.lessons.lesson import Lesson

LESSONS: dict[str, Callable[[Work], Lesson]] = {"chat": chat_lesson, "classification": classification_lesson}
