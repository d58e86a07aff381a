"""The counting corrector of a dataset, counted once."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from langwright.data.dataset import Dataset, open_dataset
from langwright.data.schemas import CorrectionRow
from langwright.errors import UserError
from langwright.tasks.correcting.channel import Counted, learn
from langwright.workspace import Workspace


def corrector_of(name: str, workspace: Workspace | None = None) -> Counted:
    """The corrector counted over the train split of a dataset, given by its name in the workspace or its folder.

    raises  UserError where it holds no corrections
    """
    folder = (workspace or Workspace()).path(name)
    return counted_at(folder, (folder / "card.json").stat().st_mtime_ns if (folder / "card.json").is_file() else 0)


@lru_cache(maxsize=4)
def counted_at(folder: Path, changed: int) -> Counted:
    """The corrector of a folder as it stood then."""
    return learned(open_dataset(folder))


def learned(dataset: Dataset) -> Counted:
    """The corrector of a dataset's train split; UserError where its rows are no corrections."""
    if dataset.schema_name != "correction" or "train" not in dataset.splits:
        raise UserError(
            "{path} has no train split with rows of schema correction",
            fix="read the data with `langwright data read SOURCE OUT --schema correction`",
            path=dataset.path,
        )
    return learn((row.text, row.correction) for row in dataset.rows("train") if isinstance(row, CorrectionRow))
