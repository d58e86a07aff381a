"""Labels by likelihood, against a model whose every probability is known: a table of byte after byte."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.inference.control.writers import writer

from langwright.errors import UserError
from langwright.inference.fake import Parrot, letters
from langwright.inference.texts.text import TextModel
from langwright.tasks.classification import CLASSIFICATION, ClassificationInput
from langwright.tasks.solving.likelihood import FITS, Question, choose, classify, language_of, softmax


class Bigrams(Parrot):
    """A whole language model in one line: the next id's log-probability depends on the one before it."""

    def chances(self, row: Sequence[int]) -> list[float]:
        return [self.logp(a, b) for a, b in itertools.pairwise(row)]

    @staticmethod
    def logp(before: int, after: int) -> float:
        return -1.0 - ((7 * before + 3 * after) % 11) / 10


def model(context: int = 4096) -> TextModel:
    return TextModel(Bigrams(context), letters(), "bigrams")


def by_hand(prompt: str, answer: str) -> float:
    ids = letters()(prompt + answer)["input_ids"]
    pairs = list(itertools.pairwise(ids))
    return math.fsum(Bigrams.logp(a, b) for a, b in pairs[-len(answer.encode()) :])


LABELS = ("sport", "art", "world news")


@pytest.mark.parametrize("normalise", ["pmi", "byte", "token", "sum"])
def test_scores_by_hand(normalise: str) -> None:
    text = "The match ended two to one."
    template = CLASSIFICATION.templates["en"].replace("{labels}", "sport, art, world news")
    asked = ClassificationInput(text=text, labels=LABELS, normalise=normalise)  # type: ignore[arg-type]
    told = [by_hand(template.replace("{text}", text), " " + label) for label in LABELS]
    untold = [by_hand(template.replace("{text}", ""), " " + label) for label in LABELS]
    size = [len(label) + 1 for label in LABELS]  # bytes, and with this tokenizer tokens
    expected = {
        "pmi": [a - b for a, b in zip(told, untold, strict=True)],
        "byte": [a / n for a, n in zip(told, size, strict=True)],
        "token": [a / n for a, n in zip(told, size, strict=True)],
        "sum": told,
    }[normalise]
    found = classify(model(), asked)
    weights = [math.exp(value) for value in expected]
    for label, weight in zip(LABELS, weights, strict=True):
        assert found.probabilities[label] == pytest.approx(weight / sum(weights), rel=1e-9)
    assert found.label == LABELS[expected.index(max(expected))] and found.labels == (found.label,)
    assert found.solver == "likelihood" and not found.truncated


def test_chinese_is_asked_in_chinese_without_a_blank() -> None:
    text, labels = "股市今天上涨", ("财经", "体育")
    prompt = CLASSIFICATION.templates["zh"].replace("{labels}", "财经、体育").replace("{text}", text)
    found = classify(model(), ClassificationInput(text=text, labels=labels, normalise="sum"))
    expected = softmax([by_hand(prompt, label) for label in labels])
    assert list(found.probabilities.values()) == pytest.approx(expected)


def test_each_label_by_itself_is_yes_against_no() -> None:
    text = "A painting of a match."
    found = classify(model(), ClassificationInput(text=text, labels=LABELS, multi_label=True, normalise="sum"))
    for label in LABELS:
        prompt = FITS["en"].replace("{label}", label).replace("{text}", text)
        yes = softmax([by_hand(prompt, " yes"), by_hand(prompt, " no")])[0]
        assert found.probabilities[label] == pytest.approx(yes)
    assert set(found.labels) == {label for label in LABELS if found.probabilities[label] >= 0.5}
    assert list(found.labels) == sorted(found.labels, key=lambda label: -found.probabilities[label])
    assert found.label is None
    everything = ClassificationInput(text=text, labels=LABELS, multi_label=True, normalise="sum", threshold=0.001)
    assert len(classify(model(), everything).labels) == 3


def test_a_model_that_converses_is_asked_in_a_turn() -> None:
    bigrams = model()
    question = Question(bigrams, "Q: {text}", ("yes", "no"), "en", converses=True)
    row = question.row("Q: x", "yes")
    assert (
        bigrams.tokenizer.decode([*row.question, *row.answer])
        == "<|im_start|>user\nQ: x<|im_end|>\n<|im_start|>assistant\nyes"
    )
    assert len(row.answer) == 3


@given(text=st.text(max_size=300), context=st.integers(90, 400))
def test_a_long_text_keeps_the_longest_beginning_that_fits(text: str, context: int) -> None:
    question = Question(model(context), "Text: {text}\nLabel:", ("sport", "art"), "en", converses=False)
    kept, cut = question.fitted(text)
    assert text.startswith(kept) and cut == (kept != text)
    assert question.room(kept) >= 0
    assert not cut or question.room(text[: len(kept) + 1]) < 0


def test_a_text_is_cut_at_the_first_token_too_many() -> None:
    fits = Question(model(100), "{text}:", ("ab",), "en", converses=False)  # text, colon, blank, two letters
    assert fits.fitted("x" * 96) == ("x" * 96, False)
    assert fits.fitted("x" * 97) == ("x" * 96, True)


def test_a_cut_text_is_said_to_be() -> None:
    found = classify(model(150), ClassificationInput(text="x" * 500, labels=("a", "b")))
    assert found.truncated


@pytest.mark.parametrize(
    ("labels", "context", "code"),
    [
        ((), 4096, "there-are-no-labels-to-choose-from"),
        (("a", " a"), 4096, "the-labels-are-not-all-different"),
        (("a", " "), 4096, "the-labels-are-not-all-different"),
        (("a", "b"), 20, "the-question-with-its-labels-alone-is-longer"),
    ],
)
def test_labels_that_cannot_be_are_refused(labels: tuple[str, ...], context: int, code: str) -> None:
    with pytest.raises(UserError) as caught:
        classify(model(context), ClassificationInput(text="x", labels=labels))
    assert caught.value.code == code
    assert caught.value.problem("zh") != caught.value.problem("en")


@pytest.mark.parametrize(
    ("text", "language"), [("", "en"), ("abc", "en"), ("今天 weather", "zh"), ("a" * 30 + "今", "en"), ("12 %", "en")]
)
def test_the_language_to_ask_in(text: str, language: str) -> None:
    assert language_of(text) == language


def test_choosing_by_score_is_the_chain_rule_behind_the_prompt() -> None:
    with writer("letters") as model:
        choices = ["好评", "差评", "a", "ab"]
        by_sum = choose(model, "x ", choices, "sum")
        exact = {one: model.score_text(one, "x ").log_probability for one in choices}
        whole = math.log(math.fsum(map(math.exp, exact.values())))
        assert {one: pytest.approx(math.exp(value - whole)) for one, value in exact.items()} == by_sum
        assert list(by_sum) == sorted(choices, key=lambda one: -exact[one])
        assert math.fsum(choose(model, "x", choices).values()) == pytest.approx(1)
        bare = {one: model.score_text(one).log_probability for one in choices}
        assert next(iter(choose(model, "x ", choices, "pmi"))) == max(choices, key=lambda one: exact[one] - bare[one])
        with pytest.raises(UserError, match="not all different"):
            choose(model, "x", ["a", "a"])
