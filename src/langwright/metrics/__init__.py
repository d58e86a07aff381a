"""Pure functions of predictions and references, with intervals. To add one: write its file, add its line here.

A name with a field in braces stands for a family, such as distinct-1 and distinct-2.
"""

from __future__ import annotations

from langwright.metrics.answers import ANSWER_F1, EXACT_MATCH
from langwright.metrics.classification import ACCURACY, F1_MACRO, F1_MICRO, F1_OF_LABEL, UNDER_ATTACK, UNDER_NOISE
from langwright.metrics.comparison import DIFFERENCE, MCNEMAR
from langwright.metrics.containment import CONTAINMENT
from langwright.metrics.forgetting import AVERAGE_ACCURACY, BACKWARD, FORGETTING, FORWARD, GAP
from langwright.metrics.likelihood import ASSISTANT_LOSS, BITS_PER_BYTE, NEXT_TOKEN_ACCURACY, PERPLEXITY
from langwright.metrics.origin import COPIED, FREQUENT, VALID
from langwright.metrics.sets import ENTITY_F1, LABELS_F1, PRECISION, RECALL
from langwright.metrics.values import ABSOLUTE_ERROR, SPEARMAN
from langwright.metrics.variety import COVERAGE, DISTINCT, REPETITION
from langwright.metrics.yardsticks import Yardstick

MEASURES: dict[str, Yardstick] = {
    "bits per byte": BITS_PER_BYTE,
    "perplexity": PERPLEXITY,
    "next-token accuracy": NEXT_TOKEN_ACCURACY,
    "loss on assistant tokens": ASSISTANT_LOSS,
    "replies with the expected phrase": CONTAINMENT,
    "accuracy": ACCURACY,
    "accuracy under character noise": UNDER_NOISE,
    "accuracy under attack": UNDER_ATTACK,
    "macro F1": F1_MACRO,
    "micro F1": F1_MICRO,
    "F1 of {label}": F1_OF_LABEL,
    "micro F1 of labels": LABELS_F1,
    "entity F1": ENTITY_F1,
    "entity precision": PRECISION,
    "entity recall": RECALL,
    "exact match": EXACT_MATCH,
    "answer F1": ANSWER_F1,
    "mean absolute error": ABSOLUTE_ERROR,
    "Spearman correlation": SPEARMAN,
    "distinct-{n}": DISTINCT,
    "repetition-{n}": REPETITION,
    "vocabulary coverage": COVERAGE,
    "copied {n}-grams": COPIED,
    "frequent characters": FREQUENT,
    "valid UTF-8": VALID,
    "difference in {of}": DIFFERENCE,
    "McNemar p-value": MCNEMAR,
    "average accuracy": AVERAGE_ACCURACY,
    "forgetting": FORGETTING,
    "backward transfer": BACKWARD,
    "forward transfer": FORWARD,
    "average accuracy beyond naive": GAP,
}
