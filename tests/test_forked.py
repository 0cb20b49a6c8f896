from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from starwell import forked as forked_module
from starwell.errors import FileDamaged, MasterMismatch, StorageError
from starwell.forked import Bag, Forked, Gone, may_fork, shared

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning"),
]


@pytest.fixture
def forked() -> Any:
    made: list[Forked[Any, Any]] = []

    def fork(work: Callable[[Any], Any]) -> Forked[Any, Any]:
        made.append(Forked(work))
        return made[-1]

    yield fork
    for process in made:
        process.close()


def test_a_process_answers_in_the_order_it_was_asked(forked: Any) -> None:
    process = forked(lambda n: (n * n, os.getpid()))
    for n in range(5):
        process.ask(n)
    answers = [process.answer() for _ in range(5)]
    assert [square for square, _ in answers] == [0, 1, 4, 9, 16]
    assert {pid for _, pid in answers} != {os.getpid()}


def test_nothing_it_changes_is_seen_here_but_shared_memory(forked: Any) -> None:
    own, both = np.zeros(4), shared((4,))

    def work(value: float) -> None:
        own[:], both[:] = value, value

    process = forked(work)
    process.ask(3.0)
    process.answer()
    assert own.tolist() == [0, 0, 0, 0]
    assert both.tolist() == [3, 3, 3, 3]


def test_shared_arrays_and_parts_of_them_are_not_copied_on_their_way(forked: Any) -> None:
    room, other = shared((40, 50)), shared((6,), np.uint16)
    process = forked(lambda given: (given, room[3:7, ::2], other, np.arange(3)))
    process.ask(room[5])
    row, part, whole, sent = process.answer()
    for there, here in ((row, room[5]), (part, room[3:7, ::2]), (whole, other)):
        assert np.shares_memory(there, here)
        assert (there.shape, there.strides, there.dtype) == (here.shape, here.strides, here.dtype)
    assert whole is other
    assert sent.tolist() == [0, 1, 2]


def test_memory_that_was_given_back_is_not_mistaken_for_what_came_after(forked: Any) -> None:
    process = forked(lambda given: given.sum())
    late = shared((1000,))  # its address is new, or that of something the process knows no more of
    late[:] = 2
    process.ask(late)
    assert process.answer() == 2000


@pytest.mark.parametrize(
    "error", [StorageError("no such sub"), FileDamaged("cut off"), MasterMismatch("size")]
)
def test_what_it_raises_is_raised_here_as_it_was(forked: Any, error: Exception) -> None:
    def work(item: int) -> int:
        if item == 1:
            raise error
        return item

    process = forked(work)
    for item in range(3):
        process.ask(item)
    assert process.answer() == 0
    with pytest.raises(type(error), match=str(error)):
        process.answer()
    assert process.answer() == 2


def test_a_frozen_header_comes_back_frozen(forked: Any) -> None:
    process = forked(lambda header: header)
    process.ask(MappingProxyType({"GAIN": 120}))
    header = process.answer()
    assert isinstance(header, MappingProxyType)
    assert header == {"GAIN": 120}


def test_one_that_was_ended_is_gone_and_says_so_at_once(forked: Any) -> None:
    process = forked(lambda _: os.kill(os.getpid(), signal.SIGKILL))
    process.ask(1)
    with pytest.raises(Gone):
        process.answer()
    process.ask(2)
    with pytest.raises(Gone):
        process.answer()


def test_ctrl_c_is_for_the_program_not_for_its_processes(forked: Any) -> None:
    process = forked(lambda _: os.kill(os.getpid(), signal.SIGINT))
    process.ask(1)
    assert process.answer() is None


def test_it_is_ended_in_the_middle_of_its_work(forked: Any) -> None:
    started = time.monotonic()
    process: Forked[int, None] = Forked(lambda _: time.sleep(60))
    process.ask(1)
    process.close()
    assert time.monotonic() - started < 30


def test_it_ends_without_a_word_when_the_program_that_asked_is_killed() -> None:
    script = """
import os, time
import numpy as np
from starwell.forked import Forked
process = Forked(lambda _: (time.sleep(.3), np.zeros(1_000_000)))
process.ask(1)
print(process.pid, flush=True)
os.kill(os.getpid(), 9)
"""
    told = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert (told.returncode, told.stderr) == (-signal.SIGKILL, "")
    pid = int(told.stdout)
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and _runs(pid):
        time.sleep(0.05)
    assert not _runs(pid)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_every_number_in_a_bag_is_taken_once_by_whoever_comes() -> None:
    bag = Bag()
    processes: list[Forked[int, list[int]]] = [Forked(lambda _: list(bag)) for _ in range(2)]
    for count in (0, 1, 3000):
        bag.fill(count)
        for process in processes:
            process.ask(0)
        taken = [*bag, *(n for process in processes for n in process.answer())]
        assert sorted(taken) == list(range(count))
    for process in processes:
        process.close()
    bag.close()


def test_a_program_is_not_forked_where_nobody_tells_its_threads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(forked_module, "_THREADS", tmp_path / "task")
    assert not may_fork()
    (tmp_path / "task" / "1").mkdir(parents=True)
    assert may_fork()


def test_a_program_with_threads_is_not_forked() -> None:
    gate = threading.Event()
    thread = threading.Thread(target=gate.wait)
    thread.start()
    assert not may_fork()
    gate.set()
    thread.join()
