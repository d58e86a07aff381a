"""Solving by likelihood: the model is asked in words, and the answer it finds likeliest is taken.

Any model that writes can do it, with labels chosen by the caller; nothing is trained.

Sources   Radford et al. 2019 (GPT-2), section 3.7 ff.: tasks put into words
          Holtzman et al. 2021, arXiv:2104.08315, equation 4: PMI_DC, log P(y | x, domain) - log P(y | domain)
          Zhao et al. 2021, arXiv:2102.09690, section 5: contextual calibration, W = diag(p_cf)^-1 and b = 0, p_cf being the
          mean over the inputs "N/A", "[MASK]" and "" of the labels' probabilities among each other
Differs   W p is divided by its sum where their equation 1 takes a softmax of it: the label is the same, and an input that
          says nothing gives every label the same
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from langwright.data.schemas import Message
from langwright.errors import UserError
from langwright.tasks.choice import CHOICE, ChoiceInput, ChoiceOutput
from langwright.tasks.classification import CLASSIFICATION, ClassificationInput, ClassificationOutput, Normalise
from langwright.tasks.declaration import Task, TaskOutput
from langwright.tasks.pair import PairInput
from langwright.tasks.solving.languages import language_of
from langwright.tasks.solving.solvers import Solver
from langwright.wording import Language

if TYPE_CHECKING:
    from langwright.inference.texts.text import TextModel
    from langwright.tasks.front.loading import Model

# Asked of each label by itself. The domain premise of PMI_DC is the same question without the text.
FITS: dict[Language, str] = {
    "en": "Text: {text}\nDoes the label “{label}” fit this text? Answer yes or no:",
    "zh": "文本：{text}\n标签“{label}”适合这段文本吗？请回答是或否：",
}
CONTENT_FREE = ("N/A", "[MASK]", "")  # Zhao et al. 2021, section 5
TINY = 1e-300
YES_NO: dict[Language, tuple[str, str]] = {"en": ("yes", "no"), "zh": ("是", "否")}


def judge(model: Model, task: Task, asked: Any) -> TaskOutput:
    """Choose among labels, or among the answers to a question; `classify` says how."""
    text = model.local(task.name)
    if isinstance(asked, ChoiceInput):
        return answered(text, asked, model.converses)
    return classify(text, asked, model.converses, task)


def answered(model: TextModel, asked: ChoiceInput, converses: bool) -> ChoiceOutput:
    """The answer that the model finds likeliest behind the question.

    raises  UserError when two answers are the same
    """
    choices = checked_labels(asked.choices)
    language = language_of(asked.text)
    question = Question(model, CHOICE.templates[language], choices, language, converses)
    text, _ = question.fitted(asked.text)
    probabilities = softmax(question.scores(text, asked.normalise))
    best = probabilities.index(max(probabilities))
    return ChoiceOutput(
        answer=best, text=asked.choices[best], probabilities=tuple(probabilities), solver=LIKELIHOOD.name
    )


def classify(
    model: TextModel, asked: ClassificationInput | PairInput, converses: bool = False, task: Task = CLASSIFICATION
) -> ClassificationOutput:
    """Choose among labels by how likely the model finds each after the question.

    The probabilities compare the labels with each other; they are not calibrated.

    converses  ask as the user of a conversation, for a model that was taught to answer in one
    task       whose template asks, and whose own labels are taken where none are given
    raises     UserError when no labels are given and the task has none, or two are the same
    """
    language = language_of(asked.text or "".join(asked.labels[:1]))
    labels = checked_labels(asked.labels or task.labels.get(language, ()))
    if isinstance(asked, ClassificationInput) and asked.multi_label:
        return classify_each(model, asked, labels, language, converses)
    listed = ("、" if language == "zh" else ", ").join(labels)
    question = Question(model, task.templates[language].replace("{labels}", listed), labels, language, converses)
    text, truncated = question.fitted(asked.text)
    probabilities = dict(zip(labels, softmax(question.scores(text, asked.normalise)), strict=True))
    best = max(labels, key=lambda label: probabilities[label])
    return ClassificationOutput(
        label=best, labels=(best,), probabilities=probabilities, solver=LIKELIHOOD.name, truncated=truncated
    )


def classify_each(
    model: TextModel, asked: ClassificationInput, labels: Sequence[str], language: Language, converses: bool
) -> ClassificationOutput:
    """Judge each label by itself: the probability of yes against no."""
    probabilities: dict[str, float] = {}
    truncated = False
    for label in labels:
        question = Question(model, FITS[language].replace("{label}", label), YES_NO[language], language, converses)
        text, cut = question.fitted(asked.text)
        truncated |= cut
        probabilities[label] = softmax(question.scores(text, asked.normalise))[0]
    least = 0.5 if asked.threshold is None else asked.threshold
    fitting = [label for label in labels if probabilities[label] >= least]
    return ClassificationOutput(
        label=None,
        labels=tuple(sorted(fitting, key=lambda label: -probabilities[label])),
        probabilities=probabilities,
        solver=LIKELIHOOD.name,
        truncated=truncated,
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


@dataclass(frozen=True)
class Asked:
    """A question and one answer, for the engine."""

    question: list[int]
    answer: list[int]
    bytes: int  # of the answer


@dataclass(frozen=True)
class Question:
    """A question about a text, with the answers that there are."""

    model: TextModel
    template: str  # with {text}
    answers: tuple[str, ...]
    language: Language
    converses: bool

    def scores(self, text: str, normalise: Normalise) -> list[float]:
        """A comparable score of each answer, in nats."""
        if normalise == "contextual":
            told, *untold = (softmax(self.scores(said, "sum")) for said in (text, *CONTENT_FREE))
            means = [math.fsum(column) / len(untold) for column in zip(*untold, strict=True)]
            return [math.log(max(p, TINY)) - math.log(max(q, TINY)) for p, q in zip(told, means, strict=True)]
        rows = self.rows(text)
        if normalise == "pmi":
            rows += self.rows("")
        logprobs = self.model.engine.score([asked.answer for asked in rows], [asked.question for asked in rows])
        sums = [math.fsum(values) for values in logprobs]
        if normalise == "pmi":
            count = len(self.answers)
            return [told - untold for told, untold in zip(sums[:count], sums[count:], strict=True)]
        if normalise == "byte":
            return [value / asked.bytes for value, asked in zip(sums, rows, strict=True)]
        if normalise == "token":
            return [value / len(asked.answer) for value, asked in zip(sums, rows, strict=True)]
        return sums

    def rows(self, text: str) -> list[Asked]:
        """The question with each answer."""
        prompt = self.template.replace("{text}", text)
        return [self.row(prompt, answer) for answer in self.answers]

    def row(self, prompt: str, answer: str) -> Asked:
        """Token ids: a turn and its reply where the model converses, else running text."""
        if self.converses:
            head = self.model.render([Message(role="user", content=prompt)])
            tail = list(self.model.tokenizer(answer, add_special_tokens=False)["input_ids"])
            return Asked(head, tail, len(answer.encode()))
        if self.model.kind == "rewrites":
            return Asked(self.model.tokenize(prompt), self.model.told(answer), len(answer.encode()))
        said = answer if self.language == "zh" else " " + answer
        head, whole = self.model.tokenize(prompt), self.model.tokenize(prompt + said)
        return Asked(whole[: len(head)], whole[len(head) :], len(said.encode()))

    def fitted(self, text: str) -> tuple[str, bool]:
        """The text, cut at its end so that the question with the longest answer fits the context, and whether it was cut.

        raises  UserError when the question does not fit even without the text
        """
        if self.room(text) >= 0:
            return text, False
        if self.room("") < 0:
            raise UserError(
                "the question with its labels alone is longer than the context of {name}, {context} tokens",
                fix="give fewer labels, or use a model with a longer context",
                name=self.model.name,
                context=self.model.context,
            )
        low, high = 0, len(text)  # room(text[:low]) >= 0 > room(text[:high])
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.room(text[:middle]) >= 0 else (low, middle)
        return text[:low], True

    def room(self, text: str) -> int:
        """Tokens left in the context; negative when the longest row is too long."""
        rows = self.rows(text)
        if self.model.kind == "rewrites":
            return self.model.context - max(max(len(asked.question), len(asked.answer) + 1) for asked in rows)
        return self.model.context - max(len(asked.question) + len(asked.answer) for asked in rows)


def choose(model: TextModel, prompt: str, choices: Sequence[str], normalise: Normalise = "token") -> dict[str, float]:
    """How likely the model finds each of these texts behind a prompt, likeliest first; they sum to 1.

    normalise  as of `classify`; pmi compares with how likely each is by itself
    raises     UserError where there are none, two are the same, or one does not fit the context
    """
    if not choices or "" in choices or len(set(choices)) < len(choices):
        raise UserError(
            "the labels {labels} are not all different", fix="name each label once", labels=", ".join(choices)
        )
    if normalise == "contextual":
        raise UserError(
            "contextual calibration is of questions about a text, and here is none",
            fix="take pmi, which compares with how likely each is by itself",
        )
    scores = [scored(model, choice, prompt, normalise) for choice in choices]
    found = dict(zip(choices, softmax(scores), strict=True))
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


def scored(model: TextModel, text: str, given: str, normalise: Normalise) -> float:
    """A comparable score of one text behind another, in nats."""
    score = model.score_text(text, given)
    if normalise == "pmi":
        return score.log_probability - model.score_text(text).log_probability
    sizes = {"sum": 1, "token": len(score.tokens), "byte": score.bytes}
    return score.log_probability / sizes[normalise]


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
    needs="probabilities",
    maker="langwright pretrain DATASET TOKENIZER OUT",
    solve=judge,
)
