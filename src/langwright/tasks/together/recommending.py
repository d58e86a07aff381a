"""Recommending content by its vectors and by feedback, learning with every click.

Each user has a ridge regression of reward on item vectors, and an item is scored by what it is expected to give plus
`explore` times how unsure that is, so that what is not known yet gets tried. One feedback costs O(D²).

Source    Li et al. 2010, arXiv:1003.0146, algorithm 1: θ = A⁻¹ b and p = θᵀx + α √(xᵀ A⁻¹ x), A and b summed over feedback
          Sherman & Morrison 1950: A⁻¹ after one more x xᵀ
Differs   the paper's disjoint model has one regression an article, over features of the user; here there is one a user,
          over features of the item (as LinUCB in Chu et al. 2011, AISTATS), so items never shown can be recommended.
          With `forget` below 1 feedback counts less the older it is, so that changed tastes are followed (as the
          discounted form of Russac et al. 2019, arXiv:1909.09146, with one matrix instead of its two)
Shapes    N items    D dimensions, the last of them constant
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from langwright.errors import UserError, unknown
from langwright.files import write_whole
from langwright.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Embed = Callable[[Sequence[str]], Any]
STATE, WEIGHTS = "shelf.json", "shelf.safetensors"


class RecommendSettings(Settings):
    """How a shelf learns. Fixed when it is made."""

    dimensions: Annotated[int, Field(ge=1, le=512, description="Principal components of the vectors that are kept")] = (
        32
    )
    explore: Annotated[
        float, Field(ge=0, le=100, description="α: how much not knowing counts; 0 takes the best known each time")
    ] = 0.5
    ridge: Annotated[float, Field(gt=0, le=1000, description="λ: how strongly a taste is held near none at first")] = (
        1.0
    )
    forget: Annotated[
        float, Field(gt=0, le=1, description="What older feedback counts after each new one; 1 forgets nothing")
    ] = 1.0


class Item(BaseModel):
    """What can be recommended."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: Annotated[str, Field(min_length=1)]
    text: Annotated[str, Field(min_length=1)]


@dataclass(frozen=True)
class Scored:
    """An item as it is recommended: what it is expected to give, and how unsure that is."""

    item: Item
    expected: float
    unsure: float
    score: float


class Taste:
    """One user's regression.

    inverse_DD  A⁻¹ of A = λI + Σ x xᵀ
    sum_D       b = Σ reward x
    """

    def __init__(self, inverse_DD: Floats, sum_D: Floats, seen: Iterable[str] = (), count: int = 0) -> None:
        self.inverse_DD, self.sum_D, self.seen, self.count = inverse_DD, sum_D, set(seen), count

    @classmethod
    def new(cls, size: int, ridge: float) -> Taste:
        """Nothing known."""
        import numpy as np

        return cls(np.eye(size) / ridge, np.zeros(size))

    def scores(self, vectors_ND: Floats) -> tuple[Floats, Floats]:
        """(expected reward, its uncertainty) of items, each shape (N,)."""
        import numpy as np

        expected_N = vectors_ND @ (self.inverse_DD @ self.sum_D)
        spread_N = np.einsum("nd,de,ne->n", vectors_ND, self.inverse_DD, vectors_ND)
        return expected_N, np.sqrt(np.maximum(spread_N, 0))

    def learn(self, vector_D: Floats, reward: float, forget: float, ridge: float) -> None:
        """One feedback more; with `forget` below 1 the older ones count less, and the ridge stays as it is."""
        import numpy as np

        if forget < 1:
            matrix_DD: Floats = forget * np.linalg.inv(self.inverse_DD) + (1 - forget) * ridge * np.eye(len(vector_D))
            self.inverse_DD = np.asarray(np.linalg.inv(matrix_DD + np.outer(vector_D, vector_D)), dtype=np.float64)
            self.sum_D = forget * self.sum_D + reward * vector_D
        else:
            toward_D = self.inverse_DD @ vector_D
            self.inverse_DD = self.inverse_DD - np.outer(toward_D, toward_D) / (1 + vector_D @ toward_D)
            self.sum_D = self.sum_D + reward * vector_D
        self.count += 1


@dataclass
class Shelf:
    """Items with their vectors, and the tastes of users.

    mean_E, axes_DE  centre and principal axes of the model's vectors, by which new items are placed too
    """

    settings: RecommendSettings
    items: list[Item]
    vectors_ND: Floats
    mean_E: Floats
    axes_DE: Floats
    model: str = ""
    tastes: dict[str, Taste] = field(default_factory=dict)

    # --- making ------------------------------------------------------------------------------------

    @classmethod
    def of(cls, items: Sequence[Item], embed: Embed, settings: RecommendSettings, model: str = "") -> Shelf:
        """A shelf of items.

        raises  UserError for fewer than two, or two of one id
        """
        import numpy as np

        refuse_twins(items)
        if len(items) < 2:
            raise UserError("there are {count} items, and two are the least", fix="give more items", count=len(items))
        raw_NE = np.asarray(embed([item.text for item in items]), dtype=np.float64)
        mean_E = raw_NE.mean(0)
        _, _, axes_EE = np.linalg.svd(raw_NE - mean_E, full_matrices=False)
        size = min(settings.dimensions, len(axes_EE))
        shelf = cls(settings, list(items), np.zeros((0, size + 1)), mean_E, axes_EE[:size], model)
        shelf.vectors_ND = shelf.placed(raw_NE)
        return shelf

    def placed(self, raw_NE: Floats) -> Floats:
        """Vectors of a model along the kept axes, each of length 1, and a constant behind them, shape (N, D)."""
        import numpy as np

        along_ND = (raw_NE - self.mean_E) @ self.axes_DE.T
        lengths_N1 = np.linalg.norm(along_ND, axis=1, keepdims=True)
        unit_ND = along_ND / np.maximum(lengths_N1, 1e-12)
        found: Floats = np.concatenate([unit_ND, np.ones((len(unit_ND), 1))], axis=1) / math.sqrt(2)
        return found

    def add(self, items: Sequence[Item], embed: Embed) -> None:
        """More items, placed by the axes there are.

        raises  UserError where an id is there already
        """
        import numpy as np

        refuse_twins([*self.items, *items])
        raw_NE = np.asarray(embed([item.text for item in items]), dtype=np.float64)
        self.vectors_ND = np.concatenate([self.vectors_ND, self.placed(raw_NE)])
        self.items += items

    # --- using -------------------------------------------------------------------------------------

    def taste(self, user: str) -> Taste:
        """A user's taste; of a new one, nothing known."""
        if user not in self.tastes:
            self.tastes[user] = Taste.new(self.vectors_ND.shape[1], self.settings.ridge)
        return self.tastes[user]

    def recommend(self, user: str, n: int = 5, *, again: bool = False) -> list[Scored]:
        """The best items for a user, best first; among equals those that stand first.

        again   also those that the user gave feedback on
        """
        taste = self.tastes.get(user) or Taste.new(self.vectors_ND.shape[1], self.settings.ridge)
        expected_N, unsure_N = taste.scores(self.vectors_ND)
        found = [
            Scored(item, float(expected), float(unsure), float(expected + self.settings.explore * unsure))
            for item, expected, unsure in zip(self.items, expected_N, unsure_N, strict=True)
            if again or item.id not in taste.seen
        ]
        return sorted(found, key=lambda one: -one.score)[:n]

    def feedback(self, user: str, item: str, reward: float) -> None:
        """Learn that an item was worth so much to a user, from 0 to 1.

        raises  UserError for an unknown item, or a reward outside of that
        """
        if not 0 <= reward <= 1:
            raise UserError("a reward of {reward} is not between 0 and 1", fix="1 is liked, 0 is not", reward=reward)
        place = next((number for number, one in enumerate(self.items) if one.id == item), None)
        if place is None:
            raise unknown("item", item, [one.id for one in self.items])
        taste = self.taste(user)
        taste.learn(self.vectors_ND[place], reward, self.settings.forget, self.settings.ridge)
        taste.seen.add(item)

    # --- keeping -----------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write it into a folder: numbers first, then what names them, each file whole."""
        from safetensors.numpy import save

        folder.mkdir(parents=True, exist_ok=True)
        tensors = {"vectors": self.vectors_ND, "mean": self.mean_E, "axes": self.axes_DE}
        users = list(self.tastes)
        for number, user in enumerate(users):
            tensors[f"inverse {number}"] = self.tastes[user].inverse_DD
            tensors[f"sum {number}"] = self.tastes[user].sum_D
        state = Kept(
            settings=self.settings, model=self.model, items=tuple(self.items),
            users=tuple(KeptUser(name=one, seen=tuple(sorted(self.tastes[one].seen)), count=self.tastes[one].count) for one in users),
        )  # fmt: skip
        write_whole(folder / WEIGHTS, save(tensors, metadata={STATE: state.model_dump_json()}))
        write_whole(folder / STATE, (state.model_dump_json(indent=1) + "\n").encode())


class KeptUser(BaseModel):
    """A user as kept; the numbers lie beside."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    seen: tuple[str, ...]
    count: int


class Kept(BaseModel):
    """What a shelf's file says. The same stands inside the file of numbers, which is the one that is read."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    settings: RecommendSettings
    model: str
    items: tuple[Item, ...]
    users: tuple[KeptUser, ...]


def open_shelf(folder: Path) -> Shelf:
    """A shelf from its folder.

    raises  UserError where there is none, or it is broken
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / WEIGHTS, framework="numpy") as file:
            kept = Kept.model_validate_json((file.metadata() or {}).get(STATE, ""))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (OSError, SafetensorError, ValidationError) as error:
        raise UserError(
            "{path} is no shelf of items: {reason}",
            fix="make one with `langwright recommend shelve {path} MODEL ITEMS`",
            path=folder,
            reason=str(error).splitlines()[0],
        ) from None
    tastes = {
        user.name: Taste(tensors[f"inverse {number}"], tensors[f"sum {number}"], user.seen, user.count)
        for number, user in enumerate(kept.users)
    }
    return Shelf(kept.settings, list(kept.items), tensors["vectors"], tensors["mean"], tensors["axes"], kept.model, tastes)  # fmt: skip


def read_items(file: Path) -> list[Item]:
    """Items of a JSONL file, each with id and text.

    raises  UserError naming the line that is none
    """
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError("{path} cannot be read: {reason}", fix="check the path", path=file, reason=error) from None
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(Item.model_validate(json.loads(line)))
        except (json.JSONDecodeError, ValidationError):
            raise UserError(
                "line {line} of {path} is no item",
                fix='write it as {{"id": "a1", "text": "..."}}',
                line=number,
                path=file,
            ) from None
    return found


def refuse_twins(items: Sequence[Item]) -> None:
    """UserError where two items have one id."""
    known: set[str] = set()
    for item in items:
        if item.id in known:
            raise UserError("two items are called {id}", fix="give each item an id of its own", id=item.id)
        known.add(item.id)
