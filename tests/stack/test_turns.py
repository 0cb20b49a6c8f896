"""Threads that take turns."""

from __future__ import annotations

import threading
import time

import pytest

from starwell.stack.turns import Threads


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_what_threads_made_comes_in_the_order_of_the_items(count: int) -> None:
    threads = Threads(count, "test")
    rest = [0.004, 0.0, 0.002, 0.0, 0.001, 0.003]

    def work(i: int) -> tuple[int, str]:
        time.sleep(rest[i])
        return i, threading.current_thread().name.rsplit("_")[0]

    assert threads.each(work, iter(range(6))) == [(i, "test") for i in range(6)]
    assert threads.each(work, []) == []
    threads.close()


def test_after_a_fault_nothing_more_is_begun_and_nothing_still_runs() -> None:
    threads, running, begun = Threads(3, "test"), threading.Semaphore(3), []

    def work(i: int) -> None:
        begun.append(i)
        with running:
            if i == 0:
                raise IndexError("gone")
            time.sleep(0.02)

    with pytest.raises(IndexError, match="gone"):
        threads.each(work, range(50))
    assert all(running.acquire(blocking=False) for _ in range(3))
    assert len(begun) < 10
    threads.close()
