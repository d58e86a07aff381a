"""Pure functions of predictions and references, with intervals. To add one: write its file, add its line here.

A name with a field in braces stands for a family, such as distinct-1 and distinct-2.
"""

from __future__ import annotations

from langwright.metrics.abstaining import ANSWERED, RISK_AREA, SELECTIVE, WRONG
from langwright.metrics.agreement import ALPHA, COHEN, FLEISS
from langwright.metrics.answers import ANSWER_F1, CMRC_F1, EXACT_MATCH
from langwright.metrics.calibration import ADAPTIVE_ECE, BRIER, ECE, UNSCALED_ECE
from langwright.metrics.choices import (
    BYTE_PERPLEXITY,
    CHOSEN,
    CHOSEN_BY_BYTES,
    CHOSEN_BY_CHARACTERS,
    CHOSEN_BY_GAIN,
    EXACT_ANSWERS,
    F1_OF_CHOICES,
    OWN_MARK,
    TARGET_PERPLEXITY,
    WORD_PERPLEXITY,
    WRITTEN_GREEDILY,
)
from langwright.metrics.classification import ACCURACY, F1_MACRO, F1_MICRO, F1_OF_LABEL, UNDER_ATTACK, UNDER_NOISE
from langwright.metrics.comparison import DIFFERENCE, MCNEMAR, RANDOMISATION
from langwright.metrics.containment import CONTAINMENT
from langwright.metrics.correcting import (
    CORRECTED,
    CORRECTED_EDITS,
    DETECTED,
    DETECTED_EDITS,
    FALSE_CHANGES,
    RIGHT_AFTER,
)
from langwright.metrics.correcting import PRECISION as CORRECTION_PRECISION
from langwright.metrics.correcting import RECALL as CORRECTION_RECALL
from langwright.metrics.expense import MEMORY, ON_DISK, TIME
from langwright.metrics.forgetting import AVERAGE_ACCURACY, BACKWARD, FORGETTING, FORWARD, GAP
from langwright.metrics.held import HELD
from langwright.metrics.label_rates import MATTHEWS, PRECISION_MACRO, PRECISION_OF_LABEL, RECALL_MACRO, RECALL_OF_LABEL
from langwright.metrics.likelihood import (
    ASSISTANT_LOSS,
    BITS_PER_BYTE,
    JUDGED_PERPLEXITY,
    NEXT_TOKEN_ACCURACY,
    PERPLEXITY,
    WRITTEN_PERPLEXITY,
)
from langwright.metrics.meteor import METEOR
from langwright.metrics.origin import COPIED, FREQUENT, VALID
from langwright.metrics.preferences import BRADLEY_TERRY, ELO
from langwright.metrics.programs import PASS_AT
from langwright.metrics.ranking import AUC, AUC_MACRO
from langwright.metrics.ratings import MEAN_RATING
from langwright.metrics.readability import CLAUSE_LENGTH, GRADE_LEVEL, READING_EASE, UNCOMMON
from langwright.metrics.rouge import ROUGE
from langwright.metrics.self_bleu import SELF_BLEU
from langwright.metrics.sets import ALL_RIGHT, ENTITY_F1, LABELS_F1, PRECISION, RECALL
from langwright.metrics.several_labels import ALL_LABELS, HAMMING, LABELS_F1_MACRO
from langwright.metrics.tagged import CONLLEVAL, STRICT
from langwright.metrics.transcription import CHARACTER_ERRORS, WORD_ERRORS
from langwright.metrics.translation import BLEU, CHRF, CHRF_WORDS, TER
from langwright.metrics.values import ABSOLUTE_ERROR, SPEARMAN
from langwright.metrics.variety import COVERAGE, DISTINCT, REPETITION
from langwright.metrics.watermark import FALSE_ALARM, POWER, ROBUSTNESS
from langwright.metrics.word_statistics import DUPLICATES, HEAPS, ZIPF
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
    "macro precision": PRECISION_MACRO,
    "macro recall": RECALL_MACRO,
    "precision of {label}": PRECISION_OF_LABEL,
    "recall of {label}": RECALL_OF_LABEL,
    "Matthews correlation": MATTHEWS,
    "ROC AUC": AUC,
    "macro ROC AUC": AUC_MACRO,
    "micro F1 of labels": LABELS_F1,
    "macro F1 of labels": LABELS_F1_MACRO,
    "all labels right": ALL_LABELS,
    "Hamming loss": HAMMING,
    "entity F1": ENTITY_F1,
    "all entities right": ALL_RIGHT,
    "entity precision": PRECISION,
    "entity recall": RECALL,
    "entity F1, strict": STRICT,
    "entity F1, conlleval": CONLLEVAL,
    "sentences with mistakes found, F1": DETECTED,
    "sentences corrected, F1": CORRECTED,
    "mistakes found, F1": DETECTED_EDITS,
    "mistakes corrected, F1": CORRECTED_EDITS,
    "precision of corrections": CORRECTION_PRECISION,
    "recall of corrections": CORRECTION_RECALL,
    "right sentences that were changed": FALSE_CHANGES,
    "sentences that are right afterwards": RIGHT_AFTER,
    "accuracy of choices": CHOSEN,
    "accuracy of choices by characters": CHOSEN_BY_CHARACTERS,
    "accuracy of choices by bytes": CHOSEN_BY_BYTES,
    "accuracy of choices by gain": CHOSEN_BY_GAIN,
    "F1 of choices": F1_OF_CHOICES,
    "right continuations written greedily": WRITTEN_GREEDILY,
    "perplexity of answers": TARGET_PERPLEXITY,
    "perplexity per word": WORD_PERPLEXITY,
    "perplexity per byte": BYTE_PERPLEXITY,
    "exact answers": EXACT_ANSWERS,
    "{name} of the benchmark": OWN_MARK,
    "exact match": EXACT_MATCH,
    "answer F1": ANSWER_F1,
    "CMRC F1": CMRC_F1,
    "BLEU": BLEU,
    "chrF": CHRF,
    "chrF++": CHRF_WORDS,
    "TER": TER,
    "ROUGE-{kind}": ROUGE,
    "METEOR, exact and stem": METEOR,
    "word error rate": WORD_ERRORS,
    "character error rate": CHARACTER_ERRORS,
    "pass@{k}": PASS_AT,
    "calibration error": ECE,
    "calibration error before scaling": UNSCALED_ECE,
    "adaptive calibration error": ADAPTIVE_ECE,
    "Brier score": BRIER,
    "accuracy on the surest {share}": SELECTIVE,
    "area under risk and coverage": RISK_AREA,
    "share answered at a risk of {risk}": ANSWERED,
    "wrong answers at a risk of {risk}": WRONG,
    "mean absolute error": ABSOLUTE_ERROR,
    "Spearman correlation": SPEARMAN,
    "distinct-{n}": DISTINCT,
    "repetition-{n}": REPETITION,
    "self-BLEU": SELF_BLEU,
    "vocabulary coverage": COVERAGE,
    "Flesch reading ease": READING_EASE,
    "Flesch-Kincaid grade level": GRADE_LEVEL,
    "characters a clause": CLAUSE_LENGTH,
    "uncommon characters": UNCOMMON,
    "Zipf exponent": ZIPF,
    "vocabulary growth": HEAPS,
    "duplicate texts": DUPLICATES,
    "perplexity of what was written": WRITTEN_PERPLEXITY,
    "perplexity to another model": JUDGED_PERPLEXITY,
    "copied {n}-grams": COPIED,
    "frequent characters": FREQUENT,
    "valid UTF-8": VALID,
    "difference in {of}": DIFFERENCE,
    "McNemar p-value": MCNEMAR,
    "randomisation p-value": RANDOMISATION,
    "Cohen's kappa": COHEN,
    "Fleiss' kappa": FLEISS,
    "Krippendorff's alpha": ALPHA,
    "mean rating": MEAN_RATING,
    "Elo rating": ELO,
    "Bradley-Terry rating": BRADLEY_TERRY,
    "time a text": TIME,
    "peak memory while measured": MEMORY,
    "checks held": HELD,
    "size on disk": ON_DISK,
    "average accuracy": AVERAGE_ACCURACY,
    "forgetting": FORGETTING,
    "backward transfer": BACKWARD,
    "forward transfer": FORWARD,
    "average accuracy beyond naive": GAP,
    "watermark found in {length} tokens": POWER,
    "watermark found in {length} tokens, {edited} replaced": ROBUSTNESS,
    "unmarked text called marked, {length} tokens": FALSE_ALARM,
}
