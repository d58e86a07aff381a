"""Where rows lie: nobody loses what is his, nothing is kept that nobody owns, what is masked is finite."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from langwright.inference.memory.shelves import Heads, Layout, Loose, Place, Shelves, Slot, size_for

LAYOUT = Layout.of(
    {0: (Heads(2, 3), Heads(2, 3)), 1: (Heads(2, 3), Heads(2, 5)), 4: (Heads(1, 3), Heads(2, 3))},
    torch.float32,
    torch.device("cpu"),
)


@dataclass(eq=False)
class Book:
    number: int
    computed: int = 0
    place: Place | None = None

    def write(self, until: int) -> None:
        """What a forward pass would: keys and values of the positions up to `until`."""
        assert self.place is not None
        for layer in LAYOUT.keys:
            for part, sign in zip(self.place.pair(layer), (1, -1), strict=True):
                part[:, self.computed : until] = sign * self.expected(layer, self.computed, until)
        self.computed = until

    def expected(self, layer: int, begin: int, end: int) -> torch.Tensor:
        return (1e4 * (self.number + 1) + 1e3 * layer + torch.arange(begin, end))[None, :, None]

    def check(self) -> None:
        assert self.place is not None
        for layer in LAYOUT.keys:
            for part, sign in zip(self.place.pair(layer), (1, -1), strict=True):
                assert bool((part[:, : self.computed] == sign * self.expected(layer, 0, self.computed)).all())
                if isinstance(self.place, Slot):
                    assert not part[:, self.computed :].any()  # finite, above all


def test_sizes_fit_closely() -> None:
    assert [size_for(n, 4096) for n in (1, 64, 65, 512, 513, 1024, 1025, 2048, 2049)] == [
        64, 64, 128, 512, 640, 1024, 1280, 2048, 2560,
    ]  # fmt: skip
    assert size_for(60, 50) == 50
    for n in range(1, 5000):
        size = size_for(n, 10**6)
        assert n <= size < n + max(64, n / 4 + 1)
        assert size_for(size, 10**6) == size


def test_layers_of_one_shape_lie_in_one_tensor() -> None:
    heads = Heads(4, 8)
    layout = Layout.of(dict.fromkeys(range(6), (heads, heads)), torch.bfloat16, torch.device("cpu"))
    assert layout.stacks == ((heads, 12),)
    assert sorted(place for _, place in (*layout.keys.values(), *layout.values.values())) == list(range(12))
    assert layout.position_bytes == 6 * 2 * 4 * 8 * 2


@pytest.mark.spec("C8", "rows that come, grow, move and go never overwrite each other, and no place is lost")
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_rows_keep_what_is_theirs(data: st.DataObject) -> None:
    shelves: Shelves[Book] = Shelves(LAYOUT, most_rows=6, longest=200)
    books: list[Book] = []
    made = 0
    for _ in range(data.draw(st.integers(1, 30))):
        what = data.draw(st.sampled_from(["new", "loose", "grow", "grow", "settle", "leave"]))
        if what in ("new", "loose") and len(books) < 6:
            book, length = Book(made), data.draw(st.integers(1, 150))
            made += 1
            if what == "new":
                shelves.put(book, length)
            else:
                book.place = Loose(LAYOUT, length)
            book.write(length)
            books.append(book)
        elif what == "grow":
            for book in books:
                if isinstance(book.place, Slot) and book.computed < 200:
                    if book.computed == book.place.shelf.size:
                        shelves.put(book, book.computed + 1)
                    book.write(min(book.computed + data.draw(st.sampled_from([1, 40])), book.place.shelf.size))
        elif what == "settle":
            for book in books:
                if isinstance(book.place, Loose):
                    shelves.put(book, min(200, book.computed + 1))
        elif what == "leave" and books:
            book = books.pop(data.draw(st.integers(0, len(books) - 1)))
            assert book.place is not None
            book.place.leave()
        for book in books:
            book.check()
        held = [row for shelf in shelves for row in shelf.rows]
        assert sorted(map(id, held)) == sorted(id(b) for b in books if isinstance(b.place, Slot))
        for shelf in shelves:
            assert [row.place.number for row in shelf.rows if isinstance(row.place, Slot)] == list(
                range(len(shelf.rows))
            )
            assert len(shelf.rows) <= shelf.slots <= max(4, 4 * len(shelf.rows))
    for book in books:
        assert book.place is not None
        book.place.leave()
    assert not list(shelves)
    assert all(not shelf.stacks for shelf in shelves._shelves.values())
