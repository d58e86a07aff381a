"""Labels from a handful of examples, with nothing trained: examples shown in the question, or the mean of each class.

Sources   prototypes: Snell, Swersky & Zemel 2017, arXiv:1703.05175, equations 1 and 2, with squared Euclidean
          distance; examples in the question: Brown et al. 2020, arXiv:2005.14165, section 2; chosen for each text by
          nearness: Liu et al. 2022, arXiv:2101.06804, section 3 (the nearest stands last, next to the question)
Differs   the representation is the model's as it is; Snell et al. train it in episodes
Shapes    B texts    S examples    C labels    D width
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from langwright.errors import UserError
from langwright.settings import Settings
from langwright.tasks.classification import CLASSIFICATION
from langwright.tasks.solving.languages import language_of
from langwright.tasks.solving.likelihood import Question, checked_labels, softmax
from langwright.wording import Language

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from langwright.inference.texts.text import TextModel

PER_LABEL = "Examples of each label, drawn from the train split by the seed"


class NoExamples(Settings):
    """The model as it was taught, or asked without examples."""

    kind: Literal["none"] = "none"


class InContext(Settings):
    """Some examples stand in the question, chosen for each text."""

    kind: Literal["in-context"] = "in-context"
    per_label: Annotated[int, Field(ge=1, description=PER_LABEL)] = 16
    examples: Annotated[int, Field(ge=1, description="Most examples in one question, as many as fit the context")] = 4
    by: Annotated[
        Literal["words", "embeddings", "random"],
        Field(
            description="Whether the examples are those alike in wording (TF-IDF), in the model's embeddings, or any"
        ),
    ] = "words"


class ByPrototype(Settings):
    """The label whose mean embedding is nearest."""

    kind: Literal["prototypes"] = "prototypes"
    per_label: Annotated[int, Field(ge=1, description=PER_LABEL)] = 16


FewShot = Annotated[
    NoExamples | InContext | ByPrototype,
    Field(
        discriminator="kind",
        description="Label from a handful of examples instead of by a trained head or bare question",
    ),
]

Embed = Callable[[Sequence[str]], "NDArray[Any]"]
Vectors = Callable[[Sequence[str]], "NDArray[Any]"]


@dataclass(frozen=True)
class Shot:
    """A text with its label."""

    text: str
    label: str


def draw_shots(rows: Iterable[tuple[str, str]], per_label: int, seed: int) -> tuple[Shot, ...]:
    """So many examples of each label, each equally likely; fewer where there are fewer. In the order of the labels.

    raises  UserError when there are fewer than two labels
    """
    by_label: dict[str, list[str]] = defaultdict(list)
    for text, label in rows:
        by_label[label].append(text)
    if len(by_label) < 2:
        raise UserError(
            "the train split has {count} different labels, and examples of two are needed",
            fix="use a dataset with more labels",
            count=len(by_label),
        )
    numbers = random.Random(seed)
    return tuple(
        Shot(text, label)
        for label, texts in sorted(by_label.items())
        for text in numbers.sample(texts, min(per_label, len(texts)))
    )


class Prototypes:
    """The mean of each class in a space of vectors."""

    def __init__(self, embed: Embed, shots: Sequence[Shot]) -> None:
        import numpy as np

        self.embed = embed
        self.labels = tuple(dict.fromkeys(shot.label for shot in shots))
        vectors_SD = np.asarray(embed([shot.text for shot in shots]), dtype=np.float64)
        of_S = np.array([self.labels.index(shot.label) for shot in shots])
        self.means_CD = np.stack([vectors_SD[of_S == number].mean(0) for number in range(len(self.labels))])

    def __call__(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Of each text, each label's probability: softmax of minus the squared distance to its prototype."""
        import numpy as np

        vectors_BD = np.asarray(self.embed(texts), dtype=np.float64)
        distances_BC = ((vectors_BD[:, None] - self.means_CD[None]) ** 2).sum(-1)
        return [dict(zip(self.labels, softmax([-float(d) for d in row]), strict=True)) for row in distances_BC]


# --- examples in the question ------------------------------------------------------------------------


class Neighbours:
    """Examples in the order of their likeness to a text, the likest first."""

    def __init__(self, shots: Sequence[Shot], vectors: Vectors) -> None:
        """vectors: unit vectors of texts, so that a product is a cosine."""
        self.shots, self.vectors = tuple(shots), vectors
        self.known_SD = vectors([shot.text for shot in shots])

    def __call__(self, text: str, count: int) -> list[Shot]:
        """The `count` likest; among equals the earlier ones."""
        import numpy as np

        alike_S = np.asarray(self.known_SD @ self.vectors([text]).T).reshape(-1)
        return [self.shots[number] for number in np.argsort(-alike_S, kind="stable")[:count]]


def word_vectors(texts: Sequence[str]) -> Vectors:
    """TF-IDF over runs of one to three characters inside words, which counts Chinese and English alike."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    fitted = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 3), sublinear_tf=True).fit(list(texts))
    return lambda some: fitted.transform(list(some)).toarray()


def unit_vectors(embed: Embed) -> Vectors:
    """A model's embeddings at length one."""
    import numpy as np

    def vectors(texts: Sequence[str]) -> NDArray[Any]:
        found = np.asarray(embed(texts), dtype=np.float64)
        unit: NDArray[Any] = found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
        return unit

    return vectors


SHOWN: dict[Language, str] = {"en": "Text: {text}\nLabel: {label}\n\n", "zh": "文本：{text}\n标签：{label}\n\n"}


class Shown:
    """Asks a model that writes, some examples first."""

    def __init__(
        self, model: TextModel, labels: Sequence[str], choose: Callable[[str, int], Sequence[Shot]], count: int
    ) -> None:
        """choose: examples for a text, the likest first."""
        self.model, self.labels, self.choose, self.count = model, checked_labels(labels), choose, count

    def __call__(self, texts: Sequence[str]) -> list[dict[str, float]]:
        """Of each text, each label's probability among the labels."""
        return [self.judge(text) for text in texts]

    def judge(self, text: str) -> dict[str, float]:
        """One text. Examples that do not fit the context are left out, the least alike first."""
        shots = list(self.choose(text, self.count))
        question = self.question(text, shots)
        while shots and question.room(text) < 0:
            shots.pop()
            question = self.question(text, shots)
        asked, _ = question.fitted(text)
        return dict(zip(self.labels, softmax(question.scores(asked, "pmi")), strict=True))

    def question(self, text: str, shots: Sequence[Shot]) -> Question:
        """The examples, the likest last, then the question."""
        language = language_of(text or self.labels[0])
        listed = ("、" if language == "zh" else ", ").join(self.labels)
        template = CLASSIFICATION.templates[language].replace("{labels}", listed)
        before = "".join(
            SHOWN[language].replace("{label}", shot.label).replace("{text}", shot.text.replace("{text}", "{ text }"))
            for shot in reversed(shots)
        )
        return Question(self.model, before + template, self.labels, language, False)


def few_shot(
    settings: InContext | ByPrototype,
    shots: Sequence[Shot],
    *,
    embed: Embed,
    writer: Callable[[], TextModel],
    seed: int,
) -> Callable[[Sequence[str]], list[dict[str, float]]]:
    """What labels texts from examples as the settings say.

    embed   the model's vector of each text
    writer  the model as one that writes, asked only where examples stand in the question
    """
    if isinstance(settings, ByPrototype):
        return Prototypes(embed, shots)
    labels = tuple(dict.fromkeys(shot.label for shot in shots))
    if settings.by == "random":
        numbers = random.Random(seed)
        return Shown(
            writer(), labels, lambda _, count: numbers.sample(shots, min(count, len(shots))), settings.examples
        )
    vectors = word_vectors([shot.text for shot in shots]) if settings.by == "words" else unit_vectors(embed)
    return Shown(writer(), labels, Neighbours(shots, vectors), settings.examples)
