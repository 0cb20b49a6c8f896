"""One set of threads for the whole program."""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

from starwell import threads
from starwell.threads import Job, Threads, one_ahead


@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_what_threads_made_comes_in_the_order_of_the_items(count: int) -> None:
    rest = [0.004, 0.0, 0.002, 0.0, 0.001, 0.003]

    def work(i: int) -> int:
        time.sleep(rest[i])
        return i

    threads = Threads(count)
    assert threads.each(work, iter(range(6))) == list(range(6))
    assert threads.each(work, []) == []


def test_a_further_thread_takes_what_the_one_that_asks_has_not_begun() -> None:
    both, names = threading.Barrier(2, timeout=30), set()

    def work(_: int) -> None:
        both.wait()
        names.add(threading.current_thread())

    Threads(2).each(work, range(2))
    assert len(names) == 2
    assert threading.current_thread() in names


def test_one_thread_asks_nobody() -> None:
    where = Threads(1).each(lambda _: threading.current_thread(), range(4))
    assert set(where) == {threading.current_thread()}


@pytest.mark.parametrize("failing", ["this", "further"])
def test_after_a_fault_nothing_more_is_begun_and_nothing_still_runs(failing: str) -> None:
    both, begun, running = threading.Barrier(2, timeout=30), [], threading.Semaphore(2)

    def work(i: int) -> None:
        begun.append(i)
        with running:
            if i < 2:
                both.wait()
            here = threading.current_thread() is threading.main_thread()
            if here == (failing == "this"):
                raise IndexError("gone")
            time.sleep(0.02)

    with pytest.raises(IndexError, match="gone"):
        Threads(2).each(work, range(50))
    assert all(running.acquire(blocking=False) for _ in range(2))
    assert len(begun) < 10


@pytest.fixture
def held() -> Iterator[Callable[[], None]]:
    """Keeps all further threads busy until it is called, or the test is over."""
    end = threading.Event()
    jobs = [Job(lambda: end.wait(30)) for _ in range(64)]

    def release() -> None:
        end.set()
        for job in jobs:
            job.made()

    yield release
    end.set()


def test_what_nobody_has_begun_is_done_by_whoever_needs_it(held: Callable[[], None]) -> None:
    job = Job(threading.current_thread)
    assert not job.ended
    assert job.do_here()
    assert job.ended
    assert job.made() is threading.current_thread()
    assert not job.do_here()
    held()


def test_a_stack_does_not_wait_for_threads_that_are_busy_elsewhere(held: Callable[[], None]) -> None:
    assert Threads(8).each(lambda i: i * i, range(20)) == [i * i for i in range(20)]
    held()


@pytest.mark.parametrize("how", [Job.made, Job.drop])
def test_a_job_that_is_over_holds_nothing(
    how: Callable[[Job[int]], object], held: Callable[[], None]
) -> None:
    frame = np.zeros(1000)
    left = weakref.ref(frame)
    job = Job(partial(np.count_nonzero, frame))
    del frame
    assert left() is not None
    how(job)
    assert left() is None
    held()


def test_what_a_further_thread_did_holds_nothing() -> None:
    for _ in range(200):
        frame = np.zeros(1000)
        left = weakref.ref(frame)
        job = Job(partial(np.count_nonzero, frame))
        del frame
        job.made()
        assert left() is None


def test_what_a_job_raised_is_raised_where_it_is_asked_for(held: Callable[[], None]) -> None:
    def fail() -> None:
        raise KeyError("lost")

    here, there = Job(fail), Job(fail)
    assert here.do_here()
    held()
    for job in (here, there):
        with pytest.raises(KeyError, match="lost"):
            job.made()


def test_a_job_that_is_dropped_in_time_is_never_done(held: Callable[[], None]) -> None:
    done: list[int] = []
    job = Job(lambda: done.append(1))
    assert job.drop()
    held()
    assert not done
    late = Job(lambda: done.append(2))
    late.made()
    assert not late.drop()
    assert done == [2]


def test_one_item_is_worked_on_ahead_and_none_after_the_end() -> None:
    begun: list[int] = []

    def work(item: int) -> int:
        begun.append(item)
        return 10 * item

    assert list(one_ahead(work, range(5))) == [0, 10, 20, 30, 40]
    assert list(one_ahead(work, [])) == []
    begun.clear()
    coming = one_ahead(work, range(5))
    assert next(coming) == 0
    coming.close()
    assert max(begun) <= 1


@pytest.mark.parametrize("busy", [False, True])
def test_never_two_items_are_worked_on_at_once(busy: bool) -> None:
    at_work, most = threading.Lock(), []

    def work(item: int) -> int:
        most.append(at_work.acquire(blocking=False))
        time.sleep(0.002)
        at_work.release()
        return item

    end = threading.Event()
    others = [Job(lambda: end.wait(0.01)) for _ in range(10 if busy else 0)]
    assert list(one_ahead(work, range(20))) == list(range(20))
    end.set()
    assert all(most)
    for job in others:
        job.made()


def test_what_an_item_raises_is_raised_at_its_turn() -> None:
    coming = one_ahead(lambda item: 1 // item, [1, 0, 1])
    assert next(coming) == 1
    with pytest.raises(ZeroDivisionError):
        next(coming)


def test_when_the_program_ends_and_threads_begin_nothing_more_a_job_is_done_where_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended = ThreadPoolExecutor(1)
    ended.shutdown()
    monkeypatch.setattr(threads, "_further", lambda: ended)
    assert Job(lambda: 7).made() == 7
    assert list(one_ahead(str, [1, 2])) == ["1", "2"]
    assert Threads(2).each(str, [1, 2, 3]) == ["1", "2", "3"]
    assert Job(lambda: 7).drop()
