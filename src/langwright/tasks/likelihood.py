"""Solving by likelihood: the model is asked in words, and the answer it finds likeliest is taken.

Any model that writes can do it, with labels chosen by the caller; nothing is trained.

Sources   Radford et al. 2019 (GPT-2), section 3.7 ff.: tasks put into words
          Holtzman et al. 2021, arXiv:2104.08315, equation 4: PMI_DC, log P(y | x, domain) - log P(y | domain)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from langwright.errors import UserError
from langwright.tasks.classification import CLASSIFICATION, ClassificationInput, ClassificationOutput, Normalise
from langwright.tasks.solvers import Solver
from langwright.wording import Language

if TYPE_CHECKING:
    from langwright.inference.text import TextModel

# Asked of each label by itself. The domain premise of PMI_DC is the same question without the text.
FITS: dict[Language, str] = {
    "en": "Text: {text}\nDoes the label “{label}” fit this text? Answer yes or no:",
    "zh": "文本：{text}\n标签“{label}”适合这段文本吗？请回答是或否：",
}
YES_NO: dict[Language, tuple[str, str]] = {"en": ("yes", "no"), "zh": ("是", "否")}


def classify(model: TextModel, asked: ClassificationInput) -> ClassificationOutput:
    """Choose among labels by how likely the model finds each after the question.

    The probabilities compare the labels with each other; they are not calibrated.

    raises  UserError when no labels are given, or two are the same
    """
    labels = checked_labels(asked.labels)
    language = language_of(asked.text or labels[0])
    question = CLASSIFICATION.templates[language]
    if asked.multi_label:
        return classify_each(model, asked, labels, language)
    template = question.replace("{labels}", ("、" if language == "zh" else ", ").join(labels))
    text, truncated = fitted(model, template, asked.text, labels)
    scores = answer_scores(model, template, text, labels, language, asked.normalise)
    probabilities = dict(zip(labels, softmax(scores), strict=True))
    best = max(labels, key=lambda label: probabilities[label])
    return ClassificationOutput(
        label=best, labels=(best,), probabilities=probabilities, solver=LIKELIHOOD.name, truncated=truncated
    )


def classify_each(
    model: TextModel, asked: ClassificationInput, labels: Sequence[str], language: Language
) -> ClassificationOutput:
    """Judge each label by itself: the probability of yes against no."""
    answers = YES_NO[language]
    probabilities: dict[str, float] = {}
    truncated = False
    for label in labels:
        template = FITS[language].replace("{label}", label)
        text, cut = fitted(model, template, asked.text, answers)
        truncated |= cut
        probabilities[label] = softmax(answer_scores(model, template, text, answers, language, asked.normalise))[0]
    chosen = sorted(
        (label for label in labels if probabilities[label] >= asked.threshold), key=lambda one: -probabilities[one]
    )
    return ClassificationOutput(
        label=None, labels=tuple(chosen), probabilities=probabilities, solver=LIKELIHOOD.name, truncated=truncated
    )


def checked_labels(labels: Sequence[str]) -> tuple[str, ...]:
    """The labels without blanks around them; UserError when there are too few or two are the same."""
    clean = tuple(label.strip() for label in labels)
    if len(clean) == 0:
        raise UserError(
            "there are no labels to choose from",
            fix="name them, for example --labels news,sport, or use a model with a trained head: "
            "`langwright finetune MODEL DATASET OUT --task classification`",
        )
    if "" in clean or len(set(clean)) < len(clean):
        raise UserError(
            "the labels {labels} are not all different", fix="name each label once", labels=", ".join(labels)
        )
    return clean


def language_of(text: str) -> Language:
    """zh when at least a tenth of the text's characters are Chinese, else en: the language to ask in."""
    letters = [letter for letter in text if not letter.isspace()]
    chinese = sum("\u4e00" <= letter <= "\u9fff" for letter in letters)
    return "zh" if letters and chinese >= len(letters) / 10 else "en"


@dataclass(frozen=True)
class Asked:
    """A row for the engine: what is given, and the answer that is scored."""

    row: list[int]
    answer: int  # tokens at the end of the row that are the answer
    bytes: int  # of the answer


def ask(model: TextModel, prompt: str, answer: str, language: Language) -> Asked:
    """A question and one answer as token ids: as a turn where the model chats, else as running text."""
    if model.chats:
        from langwright.data.schemas import Message

        head = model.render([Message(role="user", content=prompt)])
        tail = list(model.tokenizer(answer, add_special_tokens=False)["input_ids"])
        return Asked([*head, *tail], len(tail), len(answer.encode()))
    said = answer if language == "zh" else " " + answer
    head, whole = model.tokenize(prompt), model.tokenize(prompt + said)
    return Asked(whole, len(whole) - len(head), len(said.encode()))


def answer_scores(
    model: TextModel, template: str, text: str, answers: Sequence[str], language: Language, normalise: Normalise
) -> list[float]:
    """A comparable score of each answer, in nats."""
    rows = [ask(model, template.replace("{text}", text), answer, language) for answer in answers]
    if normalise == "pmi":
        rows += [ask(model, template.replace("{text}", ""), answer, language) for answer in answers]
    logprobs = model.engine.score([asked.row for asked in rows])
    sums = [math.fsum(values[-asked.answer :]) for asked, values in zip(rows, logprobs, strict=True)]
    count = len(answers)
    if normalise == "pmi":
        return [with_text - without for with_text, without in zip(sums[:count], sums[count:], strict=True)]
    if normalise == "byte":
        return [value / asked.bytes for value, asked in zip(sums, rows, strict=True)]
    if normalise == "token":
        return [value / asked.answer for value, asked in zip(sums, rows, strict=True)]
    return sums


def fitted(model: TextModel, template: str, text: str, answers: Sequence[str]) -> tuple[str, bool]:
    """The text, cut at its end so that the question with the longest answer fits the context.

    raises  UserError when the question fits no context even without the text
    """
    language = language_of(text or answers[0])

    def room(kept: str) -> int:
        prompt = template.replace("{text}", kept)
        return model.context - max(len(ask(model, prompt, answer, language).row) for answer in answers)

    if room(text) >= 0:
        return text, False
    if room("") < 0:
        raise UserError(
            "the question with its labels alone is longer than the context of {name}, {context} tokens",
            fix="give fewer labels, or use a model with a longer context",
            name=model.name,
            context=model.context,
        )
    low, high = 0, len(text)  # room(text[:low]) >= 0 > room(text[:high])
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if room(text[:middle]) >= 0 else (low, middle)
    return text[:low], True


def softmax(scores: Sequence[float]) -> list[float]:
    """exp(s) / sum exp(s), safe for large scores.

    >>> softmax([0.0, math.log(3)])
    [0.25, 0.75]
    """
    top = max(scores)
    weights = [math.exp(score - top) for score in scores]
    return [weight / math.fsum(weights) for weight in weights]


LIKELIHOOD = Solver(
    name="likelihood",
    summary="The model is asked in words, and the likeliest of the given answers is taken",
    needs="text",
    maker="langwright pretrain DATASET TOKENIZER OUT",
    solve=classify,
)
