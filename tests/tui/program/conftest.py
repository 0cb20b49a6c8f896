"""The real program in a pseudo-terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

PATIENCE_S = 60.0
DRAWN = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]|\x1b[=>78]")


class Screen:
    """`starwell` in a terminal of 120x40."""

    def __init__(self, home, *words, early=b""):
        self.terminal, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        env = os.environ | {"STARWELL_HOME": str(home), "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        for name in ("NO_COLOR", "COLUMNS", "LINES"):  # of the terminal the tests themselves run in
            env.pop(name, None)
        os.write(self.terminal, early)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "starwell_tui", *words],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env=env,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(inside)
        self.seen = b""

    def until(self, words):
        """Read until these words have been drawn; all that was drawn since the last time."""
        end = time.monotonic() + PATIENCE_S
        while words not in DRAWN.sub(b"", self.seen).decode(errors="replace"):
            ready, _, _ = select.select([self.terminal], [], [], max(end - time.monotonic(), 0))
            assert ready, f"{words!r} never came"
            try:
                self.seen += os.read(self.terminal, 1 << 16)
            except OSError:
                pytest.fail(f"it ended before {words!r} came")
        drawn, self.seen = DRAWN.sub(b"", self.seen).decode(errors="replace"), b""
        return drawn

    def press(self, keys):
        os.write(self.terminal, keys.encode())

    def ended(self):
        return self.process.wait(PATIENCE_S)

    def hang_up(self):
        """Close the terminal, as a window or a link that is gone; the screen has ended by its signal then."""
        os.close(self.terminal)
        assert self.ended() == -signal.SIGHUP


@pytest.fixture
def opened(tmp_path) -> Iterator[Callable[..., Screen]]:
    """A screen with these words, of this test's home; none outlives the test."""
    with ExitStack() as screens:

        def open_(*words: str, home=tmp_path, early: bytes = b"") -> Screen:
            made = Screen(home, *words, early=early)
            screens.callback(made.process.wait)
            screens.callback(made.process.kill)
            return made

        yield open_


@pytest.fixture
def screen(opened):
    return opened("--no-engine")
