"""What models do for a person, and the ways of doing it. To add one: write its file, add its line here.

Importing this package imports no torch; `tasks.loading` is the front door.
"""

from __future__ import annotations

from langwright.tasks.analysis import ANALYSIS, ANALYZE
from langwright.tasks.chat import CHAT
from langwright.tasks.choice import CHOICE
from langwright.tasks.classification import CLASSIFICATION
from langwright.tasks.code import CODE, CODING, DEBUGGER, DEBUGGING
from langwright.tasks.correction import CORRECTION, COUNTING, REPLACEMENT, REWRITING
from langwright.tasks.decision import DECIDER, DECISION
from langwright.tasks.declaration import Task
from langwright.tasks.embedding import EMBEDDING, VECTORS
from langwright.tasks.events import EVENTS
from langwright.tasks.fill import BLANKS, FILL
from langwright.tasks.grounded import GROUNDING
from langwright.tasks.keywords import KEYWORDS
from langwright.tasks.pair import ENTAILMENT, PAIR
from langwright.tasks.qa import QA
from langwright.tasks.regression import REGRESSION
from langwright.tasks.relation import RELATION
from langwright.tasks.repair import GAPS, REPAIR
from langwright.tasks.score import PROBABILITY, SCORE
from langwright.tasks.sentiment import EMOTION, SENTIMENT
from langwright.tasks.similarity import COSINE, SIMILARITY
from langwright.tasks.solving.drafted import DRAFTED
from langwright.tasks.solving.drafting import DRAFTING
from langwright.tasks.solving.extractive import LEAD, LEXRANK, NEAREST, RAKE, TEXTRANK, TF_IDF
from langwright.tasks.solving.generation import GENERATION
from langwright.tasks.solving.head import HEAD
from langwright.tasks.solving.likelihood import LIKELIHOOD
from langwright.tasks.solving.quoting import QUOTING
from langwright.tasks.solving.solvers import Solver
from langwright.tasks.solving.writing import WRITING
from langwright.tasks.solving.zero_shot import BY_VECTOR, ENTAILMENT_SOLVER
from langwright.tasks.summarization import SUMMARIZATION
from langwright.tasks.tagging import TAGGING
from langwright.tasks.translation import TRANSLATION
from langwright.tasks.triples import TRIPLES

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        CHAT,
        CLASSIFICATION,
        SENTIMENT,
        EMOTION,
        PAIR,
        ENTAILMENT,
        SIMILARITY,
        REGRESSION,
        TAGGING,
        RELATION,
        EVENTS,
        TRIPLES,
        KEYWORDS,
        ANALYZE,
        QA,
        CHOICE,
        TRANSLATION,
        SUMMARIZATION,
        EMBEDDING,
        FILL,
        CORRECTION,
        REPAIR,
        CODE,
        DEBUGGING,
        DECISION,
        SCORE,
        *DRAFTED,
    )
}
SOLVERS: dict[str, Solver] = {
    solver.name: solver
    for solver in (
        HEAD,
        GROUNDING,
        GENERATION,
        WRITING,
        LIKELIHOOD,
        ENTAILMENT_SOLVER,
        BY_VECTOR,
        PROBABILITY,
        VECTORS,
        COSINE,
        BLANKS,
        REPLACEMENT,
        REWRITING,
        COUNTING,
        GAPS,
        CODING,
        DEBUGGER,
        DECIDER,
        DRAFTING,
        QUOTING,
        TF_IDF,
        TEXTRANK,
        RAKE,
        LEXRANK,
        LEAD,
        NEAREST,
        ANALYSIS,
    )
}
