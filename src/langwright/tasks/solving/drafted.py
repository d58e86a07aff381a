"""Tasks that are written and looked at. To add one: write its file, add it here."""

from __future__ import annotations

from langwright.tasks.advice import ADVICE
from langwright.tasks.article import OUTLINE, SECTION
from langwright.tasks.composition import COMPOSITION
from langwright.tasks.declaration import Task
from langwright.tasks.grounded import GROUNDED
from langwright.tasks.poems import POEM
from langwright.tasks.questions import QUESTIONS
from langwright.tasks.reply import REPLY
from langwright.tasks.rewording import PARAPHRASE, REWRITING, STYLE
from langwright.tasks.terms import TERMS

DRAFTED: tuple[Task, ...] = (
    PARAPHRASE, STYLE, REWRITING, ADVICE, POEM, COMPOSITION, OUTLINE, SECTION, REPLY, QUESTIONS, GROUNDED, TERMS,
)  # fmt: skip
