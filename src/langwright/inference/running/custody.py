"""A model that several engines of a process work with: they take turns, and share what was made of it.

What makes a model ready exchanges modules in place, and a pass over packed rows changes for its duration how the
model attends; so there is one at a time, in the order of asking, and what was exchanged is put back by the last.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Self
from weakref import WeakKeyDictionary

from transformers import PreTrainedModel

from langwright.errors import UserError
from langwright.inference.kernels.preparing import Prepared, Report, prepared
from langwright.inference.precision import Preparation

if TYPE_CHECKING:
    from langwright.inference.running.tiers import Tier, TierName


class Turns:
    """A lock that is had in the order of asking, so that no engine keeps another out."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._line: deque[object] = deque()

    def __enter__(self) -> Self:
        mine = object()
        with self._changed:
            self._line.append(mine)
            try:
                self._changed.wait_for(lambda: self._line[0] is mine)
            except BaseException:
                self._line.remove(mine)
                self._changed.notify_all()
                raise
        return self

    def __exit__(self, *error: object) -> None:
        with self._changed:
            self._line.popleft()
            if self._line:
                self._changed.notify_all()


class Custody:
    """What is done to one model while engines hold it. All but `turns` is for whoever has the turn.

    holders       those that work with it
    was_training  its mode before the first of them
    tiers         how its rows run, by the best way that was asked for, as found out before its numbers were changed
    """

    def __init__(self) -> None:
        self.turns = Turns()
        self.holders: set[object] = set()
        self.was_training = False
        self.tiers: dict[TierName, Tier] = {}
        self._preparation = Preparation()
        self._prepared: Prepared | None = None

    def others(self, holder: object) -> bool:
        """Whether others work with the model, too."""
        return bool(self.holders - {holder})

    def check(self, holder: object, preparation: Preparation) -> None:
        """UserError where others work with the model in other numbers."""
        if (
            self.others(holder)
            and preparation != self._preparation
            and (preparation.changes or self._preparation.changes)
        ):
            raise UserError(
                "the model is at work in another engine, in other numbers",
                fix="close that engine first, or open the model once more",
            )

    def take(self, holder: object, model: PreTrainedModel, preparation: Preparation, was_training: bool) -> Report:
        """Work with the model, made ready."""
        if not self.holders:
            self.was_training = was_training
        if self._prepared is None:
            self._prepared, self._preparation = prepared(model, preparation), preparation
        self.holders.add(holder)
        return self._prepared.report

    def put_back(self) -> None:
        """Let the model be as it came, but in evaluation mode, and forget what was found out about it."""
        self.tiers = {}
        if self._prepared is not None:
            self._prepared.release()
            self._prepared = None

    def leave(self, holder: object, model: PreTrainedModel) -> None:
        """Work with it no longer; the last to go puts it back. May be called twice."""
        if holder not in self.holders:
            return
        self.holders.discard(holder)
        if not self.holders:
            self.put_back()
            model.train(self.was_training)


_OF: WeakKeyDictionary[PreTrainedModel, Custody] = WeakKeyDictionary()
_LOOKING = threading.Lock()


def custody_of(model: PreTrainedModel) -> Custody:
    """The one of this model."""
    with _LOOKING:
        return _OF.setdefault(model, Custody())
