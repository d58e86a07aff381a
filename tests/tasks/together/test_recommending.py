"""Recommending: the closed form, a simulated stream with a known best, changed tastes, new items, files and commands."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.tasks.tiny import write_writer

from langwright.cli.main import main
from langwright.errors import UserError
from langwright.tasks.together.recommending import Item, RecommendSettings, Shelf, Taste, open_shelf, read_items

Floats = NDArray[np.float64]
WIDTH = 12


def world(count: int, seed: int) -> tuple[list[Item], dict[str, Floats]]:
    """Items with vectors of their own."""
    numbers = np.random.default_rng(seed)
    items = [Item(id=f"i{number}", text=f"text {number}") for number in range(count)]
    return items, {item.text: numbers.normal(size=WIDTH) for item in items}


def shelf_of(count: int = 120, seed: int = 0, **settings: float) -> tuple[Shelf, dict[str, Floats]]:
    items, vectors = world(count, seed)
    made = Shelf.of(items, lambda texts: [vectors[text] for text in texts], RecommendSettings(dimensions=8, **settings))  # type: ignore[arg-type]
    return made, vectors


def stream(shelf: Shelf, like_D: Floats, steps: int, seed: int, choose: str = "shelf") -> list[float]:
    """The regret of each step: what the best item would give, less what the chosen one does. Rewards are 0 or 1."""
    numbers = np.random.default_rng(seed)
    regrets = []
    for _ in range(steps):
        offered = numbers.choice(len(shelf.items), 10, replace=False)  # of ten at hand, as in a feed
        chances = 1 / (1 + np.exp(-4 * (shelf.vectors_ND[offered] @ like_D)))
        if choose == "shelf":
            expected, unsure = shelf.taste("ann").scores(shelf.vectors_ND[offered])
            place = int(np.argmax(expected + shelf.settings.explore * unsure))
        else:
            place = int(numbers.integers(10))
        regrets.append(float(chances.max() - chances[place]))
        reward = float(numbers.random() < chances[place])
        shelf.feedback("ann", shelf.items[offered[place]].id, reward)
    return regrets


@pytest.mark.spec(
    "F14", "in a stream of users' choices with a known best, regret falls as feedback comes in, far below chance"
)
def test_regret_falls() -> None:
    ratios, gains = [], []
    for seed in range(3):
        like_D = np.random.default_rng(100 + seed).normal(size=9)
        shelf, _ = shelf_of(seed=seed)
        learned = stream(shelf, like_D, 600, seed)
        chance = stream(shelf_of(seed=seed)[0], like_D, 600, seed, "chance")
        ratios.append(np.mean(learned[-200:]) / np.mean(learned[:50]))
        gains.append(np.mean(learned[-200:]) / np.mean(chance[-200:]))
    assert np.mean(ratios) < 0.5 and np.mean(gains) < 0.25, (ratios, gains)


@pytest.mark.spec("F14", "with forgetting, a taste that turns over is followed; without it, it is not")
def test_changed_tastes_are_followed() -> None:
    like_D = np.random.default_rng(7).normal(size=9)
    late = {}
    for forget in (1.0, 0.97):
        shelf, _ = shelf_of(forget=forget)
        stream(shelf, like_D, 500, 1)
        late[forget] = np.mean(stream(shelf, -like_D, 200, 2)[-100:])
    assert late[0.97] < 0.5 * late[1.0], late


def test_a_taste_is_ridge_regression() -> None:
    from sklearn.linear_model import Ridge

    numbers = np.random.default_rng(3)
    vectors_ND, rewards_N = numbers.normal(size=(40, 6)), numbers.random(40)
    taste = Taste.new(6, 2.0)
    for vector_D, reward in zip(vectors_ND, rewards_N, strict=True):
        taste.learn(vector_D, float(reward), 1.0, 2.0)
    theirs = Ridge(alpha=2.0, fit_intercept=False).fit(vectors_ND, rewards_N)
    np.testing.assert_allclose(taste.inverse_DD @ taste.sum_D, theirs.coef_, rtol=1e-9)
    matrix_DD = 2 * np.eye(6) + vectors_ND.T @ vectors_ND
    np.testing.assert_allclose(taste.inverse_DD, np.linalg.inv(matrix_DD), rtol=1e-8, atol=1e-12)
    _, unsure_N = taste.scores(vectors_ND[:1])
    assert unsure_N[0] == pytest.approx(np.sqrt(vectors_ND[0] @ np.linalg.solve(matrix_DD, vectors_ND[0])))


def test_forgetting_is_a_weighted_regression() -> None:
    numbers = np.random.default_rng(4)
    vectors_ND, rewards_N = numbers.normal(size=(9, 3)), numbers.random(9)
    taste = Taste.new(3, 1.5)
    for vector_D, reward in zip(vectors_ND, rewards_N, strict=True):
        taste.learn(vector_D, float(reward), 0.8, 1.5)
    weights_N = 0.8 ** np.arange(8, -1, -1)
    matrix_DD = 1.5 * np.eye(3) + (weights_N[:, None] * vectors_ND).T @ vectors_ND
    wanted_D = np.linalg.solve(matrix_DD, (weights_N[:, None] * vectors_ND).T @ rewards_N)
    np.testing.assert_allclose(taste.inverse_DD @ taste.sum_D, wanted_D, rtol=1e-9)


@pytest.mark.spec(
    "AP21", "what is liked draws what is like it to the top, new items too, and users do not see each other"
)
def test_liking_one_thing_recommends_what_is_like_it() -> None:
    topics = {"tea": (3.0, 0.0, 0.1), "rocket": (0.0, 3.0, 0.1), "goal": (0.2, 0.1, 3.0)}
    items = [Item(id=f"{topic}{n}", text=f"{topic} {n}") for topic in topics for n in range(6)]

    def embed(texts):  # type: ignore[no-untyped-def]
        return [np.array(topics[text.split()[0]]) + 0.1 * np.sin(len(text) + int(text.split()[1])) for text in texts]

    shelf = Shelf.of(items, embed, RecommendSettings(dimensions=2, explore=0.1))
    for n in range(3):
        shelf.feedback("ann", f"tea{n}", 1)
        shelf.feedback("ann", f"goal{n}", 0)
        shelf.feedback("bob", f"rocket{n}", 1)
    assert {one.item.id for one in shelf.recommend("ann", 3)} == {"tea3", "tea4", "tea5"}
    assert shelf.recommend("bob", 1)[0].item.id.startswith("rocket")
    shelf.add([Item(id="tea9", text="tea 9"), Item(id="goal9", text="goal 9")], embed)
    assert "tea9" in {one.item.id for one in shelf.recommend("ann", 4)}
    assert {one.item.id for one in shelf.recommend("ann", 99, again=True)} >= {"tea0"}
    assert "tea0" not in {one.item.id for one in shelf.recommend("ann", 99)}
    assert len({one.score for one in shelf.recommend("new", 3)}) >= 1 and "new" not in shelf.tastes


def test_what_is_refused(tmp_path: Path) -> None:
    shelf, _ = shelf_of()
    with pytest.raises(UserError, match="not between 0 and 1"):
        shelf.feedback("ann", "i0", 1.5)
    with pytest.raises(UserError, match="no item called 'i999'"):
        shelf.feedback("ann", "i999", 1)
    with pytest.raises(UserError, match="two items are called i0"):
        shelf.add([Item(id="i0", text="x")], lambda texts: [])
    with pytest.raises(UserError, match="two are the least"):
        Shelf.of([Item(id="a", text="a")], lambda texts: [[1.0]], RecommendSettings())
    with pytest.raises(UserError, match="is no shelf"):
        open_shelf(tmp_path)
    (tmp_path / "x.jsonl").write_text('{"id": "a", "text": "b"}\n{"id": "c"}\n')
    with pytest.raises(UserError, match="line 2 of"):
        read_items(tmp_path / "x.jsonl")


def test_a_shelf_is_read_as_it_was_saved(tmp_path: Path) -> None:
    shelf, _ = shelf_of(forget=0.9)
    for number in range(5):
        shelf.feedback("安", f"i{number}", number / 4)
    shelf.save(tmp_path / "s")
    again = open_shelf(tmp_path / "s")
    assert again.recommend("安", 5) == shelf.recommend("安", 5) and again.settings == shelf.settings
    again.feedback("安", "i9", 1)
    shelf.feedback("安", "i9", 1)
    np.testing.assert_array_equal(again.taste("安").inverse_DD, shelf.taste("安").inverse_DD)


@pytest.mark.spec("AP21", "items are shelved, recommended and learned from by commands, with a model's own vectors")
def test_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, shelf, file = str(write_writer(tmp_path / "m")), str(tmp_path / "shelf"), tmp_path / "items.jsonl"
    texts = ["春茶上市", "绿茶的泡法", "火箭升空", "a rocket rises", "the match ends", "a late goal"]
    file.write_text("".join(json.dumps({"id": f"a{n}", "text": text}) + "\n" for n, text in enumerate(texts)))

    def said(*words: str) -> dict[str, object]:
        assert main(["recommend", *words, "--json"]) == 0, capsys.readouterr().err
        return dict(json.loads(capsys.readouterr().out.strip().splitlines()[-1]))

    assert said("shelve", shelf, model, str(file), "--set", "dimensions=3")["items"] == 6
    assert main(["recommend", "shelve", shelf, model, str(file)]) == 2  # the same ids again
    capsys.readouterr()
    first = said("next", shelf, "--user", "ann", "--n", "2")["items"]
    assert isinstance(first, list) and len(first) == 2
    assert said("feedback", shelf, "a0", "1", "--user", "ann")["count"] == 1
    assert main(["recommend", "feedback", shelf, "a0", "7", "--user", "ann"]) == 2
    ids = [one["id"] for one in said("next", shelf, "--user", "ann", "--n", "9")["items"]]  # type: ignore[attr-defined]
    assert "a0" not in ids and len(ids) == 5
