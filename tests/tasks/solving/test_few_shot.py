"""Labels from a handful of examples: prototypes against the formula, and questions read word by word."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
import pytest

from langwright.errors import UserError
from langwright.inference.fake import Parrot, letters
from langwright.inference.texts.text import TextModel
from langwright.tasks.solving.few_shot import (
    ByPrototype,
    InContext,
    Neighbours,
    Prototypes,
    Shot,
    Shown,
    draw_shots,
    few_shot,
    unit_vectors,
    word_vectors,
)

POINTS = {"a": (0.0, 0.0), "b": (2.0, 0.0), "c": (4.0, 1.0), "d": (4.0, 3.0), "q": (2.0, 1.0)}
SHOTS = [Shot("a", "left"), Shot("b", "left"), Shot("c", "right"), Shot("d", "right")]


def points(texts: Sequence[str]) -> np.ndarray:
    return np.array([POINTS[text] for text in texts])


class Copies(Parrot):
    """A model that finds a label the likelier the more often its letters stand before it."""

    def chances(self, row: Sequence[int]) -> list[float]:
        return [math.log((1 + row[:i].count(row[i])) / (len(row) + i)) for i in range(1, len(row))]


@pytest.mark.spec(
    "F12", "prototype classification: class means in the representation, softmax of minus the squared distance"
)
def test_prototypes_by_hand() -> None:
    """Means (1, 0) and (4, 2); of (2, 1) the squared distances are 2 and 5."""
    prototypes = Prototypes(points, SHOTS)
    assert prototypes.means_CD.tolist() == [[1.0, 0.0], [4.0, 2.0]]
    (found,) = prototypes(["q"])
    assert found["left"] == pytest.approx(1 / (1 + math.exp(-3)))
    assert sum(found.values()) == pytest.approx(1)
    assert [max(one, key=one.get) for one in prototypes(["a", "d"])] == ["left", "right"]  # type: ignore[arg-type]


@pytest.mark.spec("F12", "examples for the question are those nearest to each text, by wording or by embedding")
def test_the_nearest_examples_by_wording_and_by_embedding() -> None:
    shots = [
        Shot("房间很干净", "+"),
        Shot("早餐难吃", "-"),
        Shot("the room was clean", "+"),
        Shot("cold breakfast", "-"),
    ]
    nearest = Neighbours(shots, word_vectors([shot.text for shot in shots]))
    assert nearest("房间干净吗", 1) == [shots[0]] and nearest("a clean, quiet room", 2)[0] == shots[2]
    by_angle = Neighbours(SHOTS, unit_vectors(points))
    assert [shot.text for shot in by_angle("q", 4)][:2] == ["d", "c"] or by_angle("q", 1)[0].text in "cd"
    angle = {
        t: np.dot(POINTS[t], POINTS["q"]) / max(np.linalg.norm(POINTS[t]) * np.linalg.norm(POINTS["q"]), 1e-12)
        for t in "abcd"
    }
    assert [shot.text for shot in by_angle("q", 4)] == sorted("abcd", key=lambda t: -angle[t])


def test_the_likest_example_stands_next_to_the_question() -> None:
    shots = [Shot("near {text}", "x"), Shot("far", "y")]
    asked = Shown(TextModel(Copies(4096), letters(), "m"), ["x", "y"], lambda _, n: shots[:n], 2)
    template = asked.question("what", shots).template
    assert template.startswith(
        "Text: far\nLabel: y\n\nText: near { text }\nLabel: x\n\nText: {text}\nPossible labels: x, y"
    )
    assert "标签：y" in asked.question("这是什么", shots).template


def test_examples_that_do_not_fit_are_left_out_the_least_alike_first() -> None:
    shots = [Shot("near " * 4, "x"), Shot("far " * 30, "y")]
    seen: list[str] = []
    for context in (4096, 200):
        asked = Shown(TextModel(Copies(context), letters(), "m"), ["x", "y"], lambda _, n: shots[:n], 2)
        original = asked.question
        asked.question = lambda text, some, original=original: (
            seen.append(",".join(s.label for s in some)) or original(text, some)
        )  # type: ignore[method-assign, func-returns-value, misc]
        asked.judge("what")
    assert seen == ["x,y", "x,y", "x"]


@pytest.mark.parametrize("label", ["zz", "kk"])
def test_an_example_makes_its_label_likelier(label: str) -> None:
    model = TextModel(Copies(4096), letters(), "m")
    asked = Shown(model, ["zz", "kk"], lambda _, n: [Shot("some text", label)] * n, 4)
    zz, kk = asked.question("some text", [Shot("some text", label)] * 4).scores("some text", "sum")
    assert (zz > kk) == (label == "zz")
    (found,) = asked(["some text"])
    assert set(found) == {"zz", "kk"} and sum(found.values()) == pytest.approx(1)


def test_examples_are_drawn_by_label_and_by_seed() -> None:
    rows = [(f"text {i}", "ab"[i % 2]) for i in range(50)] + [("one", "c")]
    shots = draw_shots(rows, 3, seed=1)
    assert [shot.label for shot in shots] == [*"aaabbbc"] and len(set(shots)) == 7
    assert shots == draw_shots(rows, 3, seed=1) != draw_shots(rows, 3, seed=2)
    assert all((shot.text, shot.label) in rows for shot in shots)
    with pytest.raises(UserError, match="1 different labels"):
        draw_shots([("x", "a")], 3, 0)


@pytest.mark.parametrize("by", ["words", "embeddings", "random"])
def test_every_way_labels(by: str) -> None:
    model = TextModel(Copies(4096), letters(), "m")
    label = few_shot(InContext(by=by, examples=2), SHOTS, embed=points, writer=lambda: model, seed=0)  # type: ignore[arg-type]
    assert [set(one) for one in label(["q", "a"])] == [{"left", "right"}] * 2

    def no_writer() -> TextModel:
        raise AssertionError("a prototype needs no writing")

    assert len(few_shot(ByPrototype(), SHOTS, embed=points, writer=no_writer, seed=0)(["q"])) == 1
    assert len(list(itertools.chain(label(["q"])))) == 1
