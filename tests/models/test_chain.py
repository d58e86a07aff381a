"""The conditional random field against all rows of tags there are, counted one by one."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from langwright.models.chain import Chain, chain_of, may_follow

TAGS = ("O", "B-x", "I-x", "B-y", "I-y")


def drawn(tags: tuple[str, ...] = TAGS, seed: int = 0) -> Chain:
    """A chain with weights that are not 0."""
    chain = Chain(tags).double()
    generator = torch.Generator().manual_seed(seed)
    for weight in chain.parameters():
        torch.nn.init.normal_(weight, generator=generator)
    return chain


def score_by_hand(chain: Chain, scores_UC: torch.Tensor, path: tuple[int, ...]) -> float:
    """first + places + moves + last; minus infinity where a move is not allowed."""
    chain = chain.requires_grad_(False)
    total = float(chain.first_C[path[0]] + chain.last_C[path[-1]])
    for place, tag in enumerate(path):
        total += float(scores_UC[place, tag])
        if place:
            before = path[place - 1]
            total += float(chain.behind_CC[before, tag]) if may_follow(TAGS[before], TAGS[tag]) else -float("inf")
    return total


@pytest.mark.parametrize("length", [1, 2, 4])
@pytest.mark.spec("AP7", "the field's probability of tags and its likeliest row equal a count over every row there is")
def test_probability_and_best_path_equal_counting_all_paths(length: int) -> None:
    chain = drawn()
    scores_UC = torch.randn(length, len(TAGS), generator=torch.Generator().manual_seed(length), dtype=torch.float64)
    every = {path: score_by_hand(chain, scores_UC, path) for path in product(range(len(TAGS)), repeat=length)}
    whole = torch.tensor(list(every.values()), dtype=torch.float64).logsumexp(0)
    mask = torch.ones(1, length, dtype=torch.bool)
    for path, score in every.items():
        if score > -float("inf"):
            found = chain(scores_UC[None], mask, torch.tensor([path]))
            assert found.item() == pytest.approx(float(whole) - score, abs=1e-5)
    assert tuple(chain.best(scores_UC)) == max(every, key=lambda path: every[path])


def test_padding_and_the_company_of_a_row_change_nothing() -> None:
    chain = drawn()
    scores = torch.randn(3, 6, len(TAGS), generator=torch.Generator().manual_seed(1))
    tags = torch.tensor([[1, 2, 0, 3, 4, 0], [0, 1, 2, -100, -100, -100], [-100] * 6])
    mask = tags >= 0
    together = chain(scores, mask, tags)
    assert together[2] == 0
    for row, length in ((0, 6), (1, 3)):
        alone = chain(scores[row : row + 1, :length], mask[row : row + 1, :length], tags[row : row + 1, :length])
        torch.testing.assert_close(together[row], alone[0])


def test_gradients_are_finite_where_moves_are_ruled_out() -> None:
    chain = drawn()
    scores = torch.randn(2, 4, len(TAGS), requires_grad=True)
    chain(scores, torch.ones(2, 4, dtype=torch.bool), torch.tensor([[0, 1, 2, 0], [3, 4, 0, 0]])).sum().backward()
    assert scores.grad is not None
    for gradient in (scores.grad, *(weight.grad for weight in chain.parameters())):
        assert gradient is not None
        assert gradient.isfinite().all()
        assert gradient.abs().sum() > 0


def test_no_inside_tag_stands_behind_what_it_cannot_go_on_from() -> None:
    chain = Chain(TAGS)
    scores = torch.zeros(3, len(TAGS))
    scores[1, TAGS.index("I-x")] = 50.0  # its place wants it, nothing before goes with it but B-x and I-x
    path = [TAGS[tag] for tag in chain.best(scores)]
    assert path[1] == "I-x"
    assert path[0] in ("B-x", "I-x")


def test_a_row_may_begin_inside() -> None:
    chain = Chain(TAGS)
    scores = torch.zeros(2, len(TAGS))
    scores[0, TAGS.index("I-y")] = 9.0
    assert TAGS[chain.best(scores)[0]] == "I-y"
    assert chain.best(scores[:0]) == []


def test_a_model_without_a_chain_says_so() -> None:
    with pytest.raises(KeyError):
        chain_of(torch.nn.Linear(2, 2))
