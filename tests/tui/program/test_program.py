"""The real program in a pseudo-terminal, with a real socket between it and an engine."""

from __future__ import annotations

import os
import signal
import time

from starwell.remote.messages import Pause, Quit, Reply
from starwell.remote.place import Place
from starwell.remote.server import serve_in_thread
from starwell.session.subscription import Subscribers
from starwell_tui import starting


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


def test_answers_of_the_terminal_that_come_late_press_no_keys(opened, tmp_path, stands, tell_night):
    engine = Engine(stands(), tell_night(3))
    with Place(tmp_path / "state").claim("tonight") as claim:
        server = serve_in_thread(engine, claim)
        screen = opened("--no-engine", early="".join(ANSWERS).encode())
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
        server.close()
    assert engine.asked == []


def test_an_engine_that_is_killed_is_said_to_be_gone_and_the_next_one_is_found(opened, tmp_path, monkeypatch):
    place = Place(tmp_path / "state")
    monkeypatch.setenv("STARWELL_HOME", str(tmp_path))
    first = starting.start(place)
    screen = opened("--no-engine")
    screen.until("IDLE")
    os.kill(first, signal.SIGKILL)
    screen.until("ENGINE GONE")
    second = starting.start(place)
    try:
        screen.until("● IDLE")
    finally:
        os.kill(second, signal.SIGKILL)
