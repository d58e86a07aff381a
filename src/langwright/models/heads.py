"""What a model says: the classes of transformers by the work they are for. Imports nothing heavy at the top."""

from __future__ import annotations

from typing import Any, Literal

Head = Literal[
    "causal",
    "masked",
    "pretraining",
    "seq2seq",
    "classification",
    "score",
    "tagging",
    "span",
    "choice",
    "pair",
    "backbone",
]

Tags = Literal["independent", "crf", "nested"]
"""How a tagging head is read: each word's tag by itself, a whole row by a conditional random field, a layer for each label."""

OWN_HEADS: dict[str, Head] = {
    "bart": "seq2seq", "bert": "masked", "electra": "pretraining", "gpt2": "causal", "llama": "causal", "t5": "seq2seq",
}  # fmt: skip
"""What a preset's model type is built as where nothing else is asked for."""


def auto_class(head: Head) -> Any:
    """transformers' class that makes such a model of any family.

    causal          next-token logits
    masked          logits of the tokens that are masked
    pretraining     what the family was published with: BERT's two heads, ELECTRA's discriminator
    seq2seq         logits of a text that is written from another
    classification  one logit a label for a text
    score           one number a text
    tagging         one logit a tag for each token
    span            two numbers a token: whether an answer starts and ends there
    choice          one number for each of several answers
    pair            two logits: whether the second of two texts follows the first
    backbone        hidden states only
    """
    import transformers

    return {
        "causal": transformers.AutoModelForCausalLM,
        "masked": transformers.AutoModelForMaskedLM,
        "pretraining": transformers.AutoModelForPreTraining,
        "seq2seq": transformers.AutoModelForSeq2SeqLM,
        "classification": transformers.AutoModelForSequenceClassification,
        "score": transformers.AutoModelForSequenceClassification,
        "tagging": transformers.AutoModelForTokenClassification,
        "span": transformers.AutoModelForQuestionAnswering,
        "choice": transformers.AutoModelForMultipleChoice,
        "pair": transformers.AutoModelForNextSentencePrediction,
        "backbone": transformers.AutoModel,
    }[head]
