"""Next-sentence and sentence-order prediction on running text, alone or with masked tokens, for encoders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from langwright.artifacts import Ability
from langwright.errors import UserError
from langwright.objectives.pretraining import MaskedPairsOfText, Pairs
from langwright.stages.courses.course import Course, Reading
from langwright.stages.courses.masked import marks_of, masking_of, prepare, words_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from langwright.objectives.sentence_pairs import MaskedPairs, PairExamples, SentencePairs


def examples(reading: Reading, split: str, settings: Pairs | MaskedPairsOfText) -> PairExamples:
    """The split's sentences, gathered into rows of one document each and paired as they are read."""
    from langwright.data.sentences import plan_sentences, sentence_ends
    from langwright.objectives.sentence_pairs import PairExamples
    from langwright.tokenizers.pieces import pieces_of

    store = reading.store(split)
    ends = sentence_ends(pieces_of(reading.plain))
    found = PairExamples(
        store,
        plan_sentences(store, ends, reading.length - 3),
        ends,
        settings.relation,
        marks_of(reading.tokenizer),
        masking_of(settings, reading.tokenizer) if isinstance(settings, MaskedPairsOfText) else None,
        words_of(reading, store, settings) if isinstance(settings, MaskedPairsOfText) else None,
        settings.dynamic,
        reading.seed,
    )
    if settings.relation == "next" and found.documents[0] == found.documents[-1]:
        raise UserError(
            "the {split} split is a single document, and relation = next needs pieces of another one",
            fix="set objective.relation to order, or give text in several documents",
            split=split,
        )
    return found


def both(
    settings: MaskedPairsOfText, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, compiled: bool
) -> MaskedPairs:
    """Masked tokens and pairs."""
    from langwright.objectives.sentence_pairs import MaskedPairs

    return MaskedPairs(model)


def alone(settings: Pairs, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, compiled: bool) -> SentencePairs:
    """Pairs alone."""
    from langwright.objectives.sentence_pairs import SentencePairs

    return SentencePairs()


SIZES = ("bert-tiny", "bert-mini", "bert-small", "bert-base")
WITH_MASKS = Course(
    settings=MaskedPairsOfText,
    families=("bert",),
    presets=SIZES,
    usual="bert-mini",
    head="pretraining",
    abilities=(Ability(task="fill", solver="masked"),),
    examples=examples,
    objective=both,
    prepare=prepare,
    predicted=lambda settings: settings.probability,
)
ALONE = Course(
    settings=Pairs,
    families=("bert",),
    presets=SIZES,
    usual="bert-mini",
    head="pair",
    abilities=(Ability(task="pair", solver="next-sentence"),),
    examples=examples,
    objective=alone,
    prepare=prepare,
    predicted=lambda settings: 0.0,
)
