"""The real program in a pseudo-terminal, with a real socket between it and an engine."""

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
from contextlib import suppress

import pytest

from starwell import config
from starwell.errors import EngineError
from starwell.remote.client import ask, status
from starwell.remote.messages import Pause, Quit, Reply
from starwell.remote.place import Place
from starwell.remote.server import serve_in_thread
from starwell.session.subscription import Subscribers

PATIENCE_S = 60.0
DRAWN = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]|\x1b[()][A-Z0-9]|\x1b[=>78]")


class Engine:
    """Tells a scripted night, and notes what it is asked."""

    def __init__(self, status, night):
        self.now = status
        self.asked = []
        self.listeners = Subscribers()
        for event in night:
            self.listeners.publish(event)

    def status(self):
        return self.now

    def subscribe(self):
        return self.listeners.subscribe()

    def command(self, command):
        self.asked.append(command)
        return Reply(True, f"{type(command).__name__} it is.")


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


@pytest.fixture
def screen(tmp_path):
    opened = Screen(tmp_path, "--no-engine")
    yield opened
    opened.process.kill()
    opened.process.wait()


def test_a_screen_finds_its_engine_commands_it_loses_it_and_finds_the_next(
    screen, tmp_path, stands, tell_night
):
    place = Place(tmp_path / "state")
    screen.until("No engine is running")
    first = Engine(stands(), tell_night(3))
    with place.claim("tonight") as claim:
        server = serve_in_thread(first, claim)
        screen.until("M 51")
        screen.press("p")
        screen.until("Pause it is.")
        server.close("The engine ended for a test.")
    screen.until("The engine ended for a test.")
    second = Engine(stands(target="NGC 7000"), tell_night(2))
    with place.claim("tonight") as claim:
        server = serve_in_thread(second, claim)
        screen.until("NGC 7000")
        screen.press("q")
        screen.until("`starwell` brings the screen back")
        assert screen.ended() == 0
        server.close()
    assert first.asked == [Pause()]
    assert second.asked == []


def test_a_terminal_that_is_closed_ends_the_screen_and_asks_nothing_of_the_engine(
    screen, tmp_path, stands, tell_night
):
    engine = Engine(stands(), tell_night(3))
    with Place(tmp_path / "state").claim("tonight") as claim:
        server = serve_in_thread(engine, claim)
        screen.until("M 51")
        os.close(screen.terminal)
        assert screen.ended() == -signal.SIGHUP
        server.close()
    assert engine.asked == []


def test_the_engine_is_ended_from_the_screen_after_y(screen, tmp_path, stands, tell_night):
    engine = Engine(stands(), tell_night(3))
    with Place(tmp_path / "state").claim("tonight") as claim:
        server = serve_in_thread(engine, claim)
        screen.until("M 51")
        screen.press("Q")
        screen.until("y: yes")
        screen.press("y")
        screen.until("Quit it is.")
        assert screen.ended() == 0
        server.close()
    assert engine.asked == [Quit()]


ANSWERS = "\x1b[?62;4;6;22c", "\x1b[6;17;8t", "\x1bP>|xterm(380)\x1b\\", "\x1b]11;rgb:0000/0000/0000\x07"
"""Attributes, a character's size, a name, a colour: their letters are keys, `c` the cooler's."""


def test_answers_of_the_terminal_that_come_late_press_no_keys(tmp_path, stands, tell_night):
    engine = Engine(stands(), tell_night(3))
    with Place(tmp_path / "state").claim("tonight") as claim:
        server = serve_in_thread(engine, claim)
        screen = Screen(tmp_path, "--no-engine", early="".join(ANSWERS).encode())
        try:
            screen.until("M 51")
            for answer in ANSWERS:
                screen.press(answer[:6])
                time.sleep(0.05)
                screen.press(answer[6:])
            time.sleep(0.3)
            screen.press("?")
            assert "leave it" not in screen.until("any other key goes back")
            screen.press("j\x1b")
            time.sleep(0.3)
            screen.press("c")
            screen.until("leave it")
        finally:
            screen.process.kill()
            screen.process.wait()
            server.close()
    assert engine.asked == []


def test_the_first_run_in_an_empty_home_ends_with_a_sequence_on_a_started_engine(tmp_path):
    screen = Screen(tmp_path)
    place = Place(tmp_path / "state")
    try:
        screen.until("the first run")
        for _ in range(3):
            screen.press("j")
        screen.press("480\r")
        screen.press("s")
        screen.until("its log is")
        screen.until("Prepare: cool, wait")
        kept = config.load(tmp_path)
        assert (kept.rig.camera, kept.rig.focal_mm) == ("simulated", 480)
        assert kept.data == str(tmp_path / "nights")
        assert (tmp_path / "state" / "engine.log").exists()
        screen.press("\x1b")
        screen.until("1 Camera")
        screen.press("q")
        screen.until("The engine goes on")
        assert screen.ended() == 0
        assert status(place).state == "idle"
    finally:
        screen.process.kill()
        screen.process.wait()
        with suppress(EngineError):
            assert ask(Quit(), place).ok
