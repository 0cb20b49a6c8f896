"""Asking a terminal, played by the other end of a pty."""

from __future__ import annotations

import os
import pty
import threading
import time
from collections.abc import Iterator

import pytest

from starwell.terminal.ask import Answer, ask


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    """The terminal's end, and the program's."""
    master, slave = pty.openpty()
    yield master, slave
    os.close(master)
    os.close(slave)


def asked(ends: tuple[int, int], answer: bytes, after_s: float = 0.0) -> Answer | None:
    master, slave = ends

    def terminal() -> None:
        heard = b""
        while b"\x1b[c" not in heard:
            heard += os.read(master, 100)
        time.sleep(after_s)
        os.write(master, answer)

    thread = threading.Thread(target=terminal)
    thread.start()
    told = ask(slave, slave, patience_s=0.05 if after_s else 1.0)
    thread.join()
    return told


def test_sixels_and_the_size_of_a_cell_are_told(ends: tuple[int, int]) -> None:
    told = asked(ends, b"\x1b[6;17;8t\x1b[?62;4;22c")
    assert told is not None
    assert (told.sixel, told.cell_px) == (True, (17, 8))


def test_a_plain_terminal_answers_the_last_question_only(ends: tuple[int, int]) -> None:
    told = asked(ends, b"\x1b[?1;2c")
    assert told is not None
    assert (told.sixel, told.cell_px) == (False, None)


def test_a_late_answer_is_not_waited_for(ends: tuple[int, int]) -> None:
    assert asked(ends, b"\x1b[?62;4c", after_s=0.07) is None
