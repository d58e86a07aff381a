"""Where documents begin, and how they are laid side by side."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from langwright.models.documents import document_groups, document_starts


def test_starts_from_boundaries_positions_and_nothing() -> None:
    boundaries = np.array([0, 3, 8, 8, 16, 16, 16])  # filled up by repeating the end
    assert document_starts(boundaries, 2, 8).tolist() == [0, 3, 8]
    positions = np.array([[0, 1, 2, 0, 1, 2, 3, 4], [0, 0, 1, 2, 3, 4, 5, 6]])
    assert document_starts(positions, 2, 8).tolist() == [0, 3, 8, 9]
    assert document_starts(np.arange(8)[None], 3, 8).tolist() == [0, 8, 16]
    assert document_groups(None, 3, 8)[0].whole
    assert document_groups(torch.arange(8)[None], 3, 8)[0].whole


def test_row_ends_are_boundaries_though_nobody_says_so() -> None:
    assert document_starts(np.array([0, 5]), 3, 4).tolist() == [0, 4, 5, 8]


@pytest.mark.parametrize(
    "documents, message", [(np.array([0, 99]), "outside"), (np.array([-1]), "outside"), (np.zeros((2, 3)), "shape")]
)
def test_what_cannot_be_is_refused(documents: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        document_starts(documents, 2, 4)


@given(st.integers(1, 4), st.integers(1, 60), st.data())
def test_every_token_is_in_one_group_and_comes_back_to_its_place(rows: int, length: int, data: st.DataObject) -> None:
    starts = data.draw(st.lists(st.integers(0, rows * length), max_size=20))
    x_BNTH = torch.arange(rows * length, dtype=torch.float64).view(rows, 1, length, 1)
    out_BTNH = torch.full((rows, length, 1, 1), -1.0, dtype=torch.float64)
    groups = document_groups(torch.tensor(starts, dtype=torch.int64), rows, length)
    for group in groups:
        taken = group.take(x_BNTH)
        if not group.whole:
            ends = 0 if group.beyond_ML is None else int(group.beyond_ML.sum())
            assert taken.numel() - ends == len(group.real_places())
            assert ends <= 0.45 * taken.numel() + 16 * len(taken)
            assert (
                (taken.diff(dim=2)[..., 0][:, 0][~torch.as_tensor(group.beyond_ML)[:, 1:]] == 1).all() if ends else True
            )
        group.put(out_BTNH, taken)
    assert torch.equal(out_BTNH.flatten(), x_BNTH.flatten())
