"""Threads are kept and used again, as many as there is work, and no more wait than may."""

from __future__ import annotations

import threading
from functools import partial
from queue import SimpleQueue

from langwright.serving.hands import Hands


def test_a_free_thread_is_taken_again() -> None:
    hands, names = Hands(), SimpleQueue[int]()
    seen = set()
    for _ in range(20):
        hands.do(lambda: names.put(threading.get_ident()))
        seen.add(names.get(timeout=10))
        while not hands._free:  # it comes back behind its work
            threading.Event().wait(0.001)
    assert len(seen) == 1


def test_work_that_waits_holds_nobody_up() -> None:
    hands, done = Hands(), SimpleQueue[int]()
    together = threading.Barrier(12)

    def work(number: int) -> None:
        together.wait(20)
        done.put(number)

    for number in range(12):
        hands.do(partial(work, number))
    assert sorted(done.get(timeout=20) for _ in range(12)) == list(range(12))


def test_no_more_wait_than_may() -> None:
    hands, together = Hands(spare=2), threading.Barrier(9)
    threads = SimpleQueue[threading.Thread]()

    def work() -> None:
        threads.put(threading.current_thread())
        together.wait(20)

    for _ in range(8):
        hands.do(work)
    together.wait(20)
    used = [threads.get(timeout=10) for _ in range(8)]
    ended = 0
    for thread in used:
        thread.join(0.5)
        ended += not thread.is_alive()
    assert ended == 6 and len(hands._free) == 2 and all(thread.daemon for thread in used)


def test_all_work_computes_with_as_many_threads_as_it_is_told() -> None:
    import torch

    hands, seen = Hands(), SimpleQueue[int]()

    def threads(beside: int = 1) -> set[int]:
        together = threading.Barrier(beside)

        def look() -> None:
            together.wait(20)
            seen.put(torch.get_num_threads())

        for _ in range(beside):
            hands.do(look)
        return {seen.get(timeout=20) for _ in range(beside)}

    (before,) = threads()
    for number in (before + 1, before + 2, before):
        hands.compute_with(number)
        assert threads() == threads(beside=3) == {number}  # threads that are there, and those that come
